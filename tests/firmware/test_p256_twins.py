# The field machine of P-256 in viper and its plain twin give the same results, and both those of plain integers.
import os

from till.core import fast_plain
from till.crypto.p256 import G, N, P
from till.crypto.p256_table import TABLE

try:
    from till.core import fast_viper
except (ImportError, SyntaxError):
    fast_viper = None

EDGES = (0, 1, 2, P - 1, P - 2, P >> 1, (1 << 256) - 1, P, P + 1, (1 << 96) - 1, 1 << 255, 8191, 1 << 247)


def twins():
    if fast_viper is None:

        class SkipTest(Exception):
            pass

        raise SkipTest("no native emitter")
    return fast_viper, fast_plain


def number():
    return int.from_bytes(os.urandom(32), "big")


def test_registers_hold_numbers_modulo_p():
    for fast in twins():
        registers = fast.p256_registers(8)
        assert fast.p256_get(registers, 0) == 0
        for value in EDGES + tuple([number() for _ in range(50)]):
            fast.p256_put(registers, 5, value)
            assert fast.p256_get(registers, 5) == value % P
            assert fast.p256_get(registers, 4) == 0 and fast.p256_get(registers, 6) == 0


def test_each_operation_on_edges():
    for fast in twins():
        registers = fast.p256_registers(8)
        for a in EDGES:
            for b in EDGES:
                fast.p256_put(registers, 4, a)
                fast.p256_put(registers, 5, b)
                for operation in (0, 8, 12, 14, 15, 17, 18, 24):
                    fast.p256_run(registers, 4, 0, bytes((operation, 6, 4, 5)))
                    expected = a * b if operation == 0 else a + (operation - 16) * b
                    assert fast.p256_get(registers, 6) == expected % P, (operation, a, b)


def test_random_programs():
    viper, plain = twins()
    for _ in range(100):
        registers = [viper.p256_registers(9), plain.p256_registers(9)]
        for i in range(4, 9):
            value = number()
            viper.p256_put(registers[0], i, value)
            plain.p256_put(registers[1], i, value)
        program = bytearray()
        for _ in range(60):
            choice = os.urandom(4)
            operation = (0, 8, 12, 14, 15, 17, 18, 24)[choice[0] & 7]
            program.extend(bytes((operation, 4 + choice[1] % 5, 4 + choice[2] % 5, 4 + choice[3] % 5)))
        viper.p256_run(registers[0], len(program), 0, program)
        plain.p256_run(registers[1], len(program), 0, program)
        for i in range(4, 9):
            assert viper.p256_get(registers[0], i) == plain.p256_get(registers[1], i)


def test_a_program_may_start_in_the_middle():
    for fast in twins():
        registers = fast.p256_registers(6)
        fast.p256_put(registers, 4, 3)
        fast.p256_put(registers, 5, 4)
        program = bytes((0, 4, 5, 5, 17, 4, 4, 5, 0, 4, 5, 5))
        fast.p256_run(registers, 8, 4, program)
        assert fast.p256_get(registers, 4) == 7


def test_rows_and_picks():
    viper, plain = twins()
    rows = []
    values = [number() % P for _ in range(32 * 3)]
    for fast in (viper, plain):
        registers = fast.p256_registers(20)
        row = bytearray()
        for at in range(0, len(values), 16):
            for i in range(16):
                fast.p256_put(registers, 4 + i, values[at + i])
            row.extend(fast.p256_row(registers, 4, 16))
        rows.append(row)
    assert len(rows[0]) == len(rows[1]) == 40 * len(values)
    for fast in (viper, plain):
        for row in rows:  # each reads the other's
            for teeth, coordinates in ((6, 3), (6, 2), (5, 3), (1, 1)):
                top = 1 << (teeth - 1)
                for digit in range(1 << teeth):
                    registers = fast.p256_registers(8)
                    bits = (digit << 11).to_bytes(4, "little")
                    sign = fast.p256_pick(registers, 4, row, bits, 11, 1, teeth, coordinates)
                    assert sign == (17 if digit & top else 15)
                    index = (digit if digit & top else ~digit) & (top - 1)
                    for i in range(coordinates):
                        assert fast.p256_get(registers, 4 + i) == values[index * coordinates + i]
                    assert fast.p256_get(registers, 4 + coordinates) == 0


def test_picks_gather_spaced_bits():
    for fast in twins():
        table = bytearray(TABLE[:2560])
        for spacing in (1, 7, 12, 44):
            for position in (0, 3, 11):
                bits = bytearray(os.urandom(37))
                digit = 0
                for j in range(6):
                    at = position + j * spacing
                    digit |= (bits[at >> 3] >> (at & 7) & 1) << j
                a, b = fast.p256_registers(6), fast.p256_registers(6)
                sign = fast.p256_pick(a, 4, table, bits, position, spacing, 6, 2)
                assert sign == fast.p256_pick(b, 4, table, bytes((digit,)), 0, 1, 6, 2)
                for i in (4, 5):
                    assert fast.p256_get(a, i) == fast.p256_get(b, i)


def test_table_holds_points():
    for fast in twins():
        registers = fast.p256_registers(6)
        for t in range(4):
            table = bytearray(TABLE[2560 * t : 2560 * (t + 1)])
            for digit in (0, 31, 32, 45, 63):
                fast.p256_pick(registers, 4, table, bytes((digit,)), 0, 1, 6, 2)
                x, y = fast.p256_get(registers, 4), fast.p256_get(registers, 5)
                assert (y * y - x * x * x + 3 * x) % P == (G[1] * G[1] - G[0] * G[0] * G[0] + 3 * G[0]) % P


def test_modular_inverse():
    for fast in twins():
        for modulus in (P, N, (1 << 255) - 19, (1 << 127) - 1, 65537, 3):
            assert fast.modular_inverse(0, modulus) == 0
            values = [1, 2, modulus - 1, modulus >> 1, modulus - 2] + [number() % modulus for _ in range(20)]
            values.extend([(1 << i) % modulus for i in range(0, 256, 5)])
            for value in values:
                if value:
                    inverse = fast.modular_inverse(value, modulus)
                    assert inverse < modulus and inverse * value % modulus == 1, (value, modulus)
