"""Plain twins of fast_viper.py, for ports without a native emitter. Same names, same results."""


def expand_pairs(dst, src, table, count):
    for i in range(count):
        pair = src[i] * 4
        dst[4 * i : 4 * i + 4] = table[pair : pair + 4]


def draw_bits(dst, src, pairs, at, stride, width, rows):
    i = 0
    for _ in range(rows):
        d = at
        for _ in range(width):
            b = src[i]
            i += 1
            dst[d] = pairs[b >> 6]
            dst[d + 1] = pairs[b >> 4 & 3]
            dst[d + 2] = pairs[b >> 2 & 3]
            dst[d + 3] = pairs[b & 3]
            d += 4
        at += stride


def draw_glyphs(dst, src, pairs, at, stride, slots, count):
    for i in range(count):
        width = 2 if slots[i] >= 128 else 1
        place = (slots[i] & 127) * 32
        draw_bits(dst, src[place : place + 16 * width], pairs, at, stride, width, 16)
        at += 4 * width


def code_points(dst, src, size):
    count = 0
    for c in str(src[:size], "utf-8"):
        dst[count] = 0xFFFD if ord(c) > 0xFFFF else ord(c)
        count += 1
    return count


def enlarge(dst, src, width, scale):
    columns = 8 * width
    leg = 1 if scale == 2 else 2

    def ink(x, y):
        return 0 <= x < columns and 0 <= y < 16 and src[y * width + (x >> 3)] >> (7 - (x & 7)) & 1

    def cell(x, y, i, j):
        # Pixel (i, j) of the cell that font pixel (x, y) becomes, before it is made bolder.
        mid = ink(x, y)
        for dx, across in ((-1, i), (1, scale - 1 - i)):
            for dy, along in ((-1, j), (1, scale - 1 - j)):
                beside, above, diagonal = ink(x + dx, y), ink(x, y + dy), ink(x + dx, y + dy)
                if not mid and across + along < leg and beside and above and not diagonal:
                    return 1
                if mid and scale > 2 and across + along == 0 and not (beside or above or diagonal):
                    return 0
        return mid

    for i in range(width * scale * 16 * scale):
        dst[i] = 0
    stride = width * scale
    for y in range(16 * scale):
        for x in range(columns * scale):
            for back in range(min(scale // 2, x) + 1):
                at = x - back
                if cell(at // scale, y // scale, at % scale, y % scale):
                    dst[y * stride + (x >> 3)] |= 0x80 >> (x & 7)
                    break


# P-256 field registers are a list of ints below p; a row holds the octets that viper's does (Montgomery form, limbs of
# 13 bits).
_P256 = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
_P256_TO_MONTGOMERY = (1 << 260) % _P256
_P256_FROM_MONTGOMERY = pow(2, 260 * (_P256 - 2), _P256)


def p256_registers(count: int):
    """`count` field registers, at most 24: 0 holds zero, 1 to 3 are this module's, the caller's start at 4."""
    return [0] * count


def p256_put(registers, index: int, value: int) -> None:
    """Set a register to `value`, 0 … 2^256 - 1."""
    registers[index] = value % _P256


def p256_get(registers, index: int) -> int:
    """What a register holds, 0 … p - 1."""
    return registers[index]


def p256_row(registers, first: int, count: int) -> bytes:
    """`count` registers from `first` on, as p256_pick reads them back."""
    row = bytearray()
    for i in range(first, first + count):
        value = registers[i] * _P256_TO_MONTGOMERY % _P256
        for _ in range(20):
            limb = value & 8191
            row.append(limb & 255)
            row.append(limb >> 8)
            value >>= 13
    return bytes(row)


def modular_inverse(value: int, modulus: int) -> int:
    """1/value modulo an odd prime below 2^256; 0 for 0. `value` is 0 … modulus - 1; the time depends on it."""
    x, y, u, v = modulus, value, 0, 1
    while y:
        q = x // y
        x, y, u, v = y, x - q * y, v, u - q * v
    return u % modulus


def p256_run(registers, end: int, start: int, program) -> None:
    """Run `program` from octet `start` up to octet `end` over the registers.

    An instruction is four octets: operation, target, left, right. Operation 0 multiplies; any other adds to left
    the right one (operation - 16) times, -8 … 8. Target may be a source.
    """
    for at in range(start, end, 4):
        operation = program[at]
        left = registers[program[at + 2]]
        right = registers[program[at + 3]]
        if operation == 0:
            registers[program[at + 1]] = left * right % _P256
        else:
            registers[program[at + 1]] = (left + (operation - 16) * right) % _P256


def p256_pick(registers, first: int, row, bits, position: int, spacing: int, teeth: int, coordinates: int) -> int:
    """Copy the entry that a signed digit names into the registers from `first` on.

    The digit is the `teeth` bits of `bits` (least significant octet first) at `position`, `position + spacing`, …
    Its top bit is 1 for plus; the others are the index, complemented for minus. `row` holds 2^(teeth - 1) entries
    of `coordinates` elements. Returns the operation for p256_run that applies the sign: 17 or 15.
    """
    index = 0
    for i in range(teeth):
        index |= ((bits[position >> 3] >> (position & 7)) & 1) << i
        position += spacing
    minus = (index >> (teeth - 1)) - 1
    index = (index ^ minus) & ((1 << (teeth - 1)) - 1)
    for i in range(coordinates):
        at = 40 * (index * coordinates + i)
        value = 0
        for k in range(at + 38, at - 2, -2):
            value = value << 13 | row[k] | row[k + 1] << 8
        registers[first + i] = value * _P256_FROM_MONTGOMERY % _P256
    return 17 + 2 * minus
