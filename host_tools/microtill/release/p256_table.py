"""The comb for P-256's base point; `python -m microtill.release.p256_table` writes it (crypto/p256_table.py)."""

from microtill.paths import FIRMWARE

TABLE = FIRMWARE / "till" / "crypto" / "p256_table.py"
P = 2**256 - 2**224 + 2**192 + 2**96 - 1
G = (
    0x6B17D1F2E12C4247F8BCE6E563A440F277037D812DEB33A0F4A13945D898C296,
    0x4FE342E2FE1A7F9B8EE7EB4A7C0F9E162BCE33576B315ECECBB6406837BF51F5,
)
TABLES, TEETH, COLUMNS = 4, 6, 12

Point = tuple[int, int]


def add(a: Point, b: Point) -> Point:
    """The sum of two points, neither opposite nor at infinity."""
    if a == b:
        slope = 3 * (a[0] * a[0] - 1) * pow(2 * a[1], -1, P)
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P)
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def negative(a: Point) -> Point:
    return a[0], P - a[1]


def limbs(value: int) -> bytes:
    """Montgomery form (times 2^260), 20 limbs of 13 bits, least significant first, two octets each."""
    value = value * 2**260 % P
    return b"".join((value >> 13 * i & 8191).to_bytes(2, "little") for i in range(20))


def table() -> bytes:
    """Entry e of table t: 2^(12·(6t + 5))·G, and for j = 0 … 4 plus or (bit j of e is 0) minus 2^(12·(6t + j))·G."""
    out = b""
    point = G
    for _ in range(TABLES):
        teeth = []
        for _ in range(TEETH):
            teeth.append(point)
            for _ in range(COLUMNS):
                point = add(point, point)
        for entry in range(1 << (TEETH - 1)):
            total = teeth[-1]
            for j in reversed(range(TEETH - 1)):
                total = add(total, teeth[j] if entry >> j & 1 else negative(teeth[j]))
            out += limbs(total[0]) + limbs(total[1])
    return out


def source() -> str:
    """The text of the module."""
    octets = table()
    lines = []
    for at in range(0, len(octets), 20):
        text = "".join(f"\\x{octet:02x}" for octet in octets[at : at + 20])
        lines.append(f'    b"{text}"\n')
    return (
        '"""The comb for P-256\'s base point, written by microtill.release.p256_table: do not edit."""\n\n'
        "# fmt: off\n"
        "TABLE = (\n" + "".join(lines) + ")\n"
    )


if __name__ == "__main__":
    TABLE.write_text(source(), "utf-8")
