"""The P-256 loops in viper, run as plain Python with every number checked: all fit the 32 bits of the device's viper.

The Unix port's viper has 64-bit numbers, so a column of products that overflows on the device would pass there.
"""

import random
import types

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from microtill.paths import FIRMWARE
from microtill.release.p256_table import P, limbs
from support.fuzz import examples

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
OPERATIONS = (0, 8, 12, 14, 15, 17, 18, 24)


class Word(int):
    """A signed 32-bit number: a result that does not fit is a failure."""


def _checked(name):
    plain = getattr(int, name)

    def operation(self, *others):
        result = plain(int(self), *map(int, others))
        assert -(2**31) <= result < 2**31, f"{name} gives {result:#x}"
        return Word(result)

    return operation


for _name in ("add", "sub", "mul", "lshift", "rshift", "and", "or", "xor"):
    setattr(Word, f"__{_name}__", _checked(f"__{_name}__"))
    setattr(Word, f"__r{_name}__", _checked(f"__r{_name}__"))
Word.__neg__ = _checked("__neg__")


class Memory:
    """Buffers at addresses, for the pointers of viper."""

    def __init__(self):
        self.buffers = []

    def pointer(self, width: int):
        memory = self

        class Pointer:
            def __init__(self, at):
                if isinstance(at, int):
                    self.at = int(at)
                elif hasattr(at, "at"):
                    self.at = at.at
                else:
                    memory.buffers.append(at)
                    self.at = (len(memory.buffers) - 1) << 20
                assert self.at % width == 0

            def __int__(self):
                return self.at

            def _place(self, i):
                at = self.at + width * int(i)
                buffer = memory.buffers[at >> 20]
                at &= (1 << 20) - 1
                assert at + width <= len(buffer), "beyond the buffer"
                return buffer, at

            def __getitem__(self, i):
                buffer, at = self._place(i)
                return Word(int.from_bytes(buffer[at : at + width], "little"))

            def __setitem__(self, i, value):
                buffer, at = self._place(i)
                buffer[at : at + width] = (int(value) & ((1 << 8 * width) - 1)).to_bytes(width, "little")

        return Pointer


@pytest.fixture(scope="module")
def fast():
    """The module's functions; viper ones take their parameters as viper does."""
    memory = Memory()
    pointers = {"ptr8": memory.pointer(1), "ptr16": memory.pointer(2), "ptr32": memory.pointer(4)}

    def viper(function):
        kinds = [kind for name, kind in function.__annotations__.items() if name != "return"]

        def call(*args):
            memory.buffers.clear()
            converted = [Word(a) if kind is int else kind(a) for kind, a in zip(kinds, args, strict=True)]
            return function(*converted)

        return call

    names = dict(pointers)
    # The stand-in for `micropython`, and one for the integers of the module: those of Python.
    source = (FIRMWARE / "till/core/fast_viper.py").read_text("utf-8").replace("import micropython", "")
    names["micropython"] = types.SimpleNamespace(viper=viper, const=lambda value: value)
    exec(compile(source, "fast_viper.py", "exec"), names)
    return types.SimpleNamespace(**names)


def raw(fast, registers, index, limb_values):
    for j, limb in enumerate(limb_values):
        registers[40 * index + 2 * j : 40 * index + 2 * j + 2] = limb.to_bytes(2, "little")


def value(registers, index):
    return sum(
        int.from_bytes(registers[at : at + 2], "little") << 13 * j
        for j, at in enumerate(range(40 * index, 40 * index + 40, 2))
    )


# The largest an element can be is 1.25 p; these have the fullest limbs there are below it.
FULLEST = [8191] * 19 + [639]
elements = st.one_of(
    st.just(FULLEST),
    st.just([0] * 20),
    st.just([8191] * 19 + [511]),
    st.lists(st.sampled_from([0, 1, 4096, 8190, 8191]), min_size=19, max_size=19).map(lambda x: [*x, 639]),
    st.lists(st.integers(0, 8191), min_size=19, max_size=19).map(lambda x: [*x, 300]),
)


@given(st.sampled_from(OPERATIONS), elements, elements)
@settings(max_examples=examples(300), deadline=None)
def test_operations_fit_and_stay_below_their_bound(fast, operation, a, b):
    registers = fast.p256_registers(8)
    raw(fast, registers, 4, a)
    raw(fast, registers, 5, b)
    x, y = value(registers, 4), value(registers, 5)
    fast.p256_run(registers, 4, 0, bytes((operation, 6, 4, 5)))
    result = value(registers, 6)
    if operation:
        assert result % P == (x + (operation - 16) * y) % P
    else:
        assert result * 2**260 % P == x * y % P
    assert 4 * result < 5 * P
    assert registers[40 * 6 + 39] < 3  # the top limb is a small positive number
    assert (value(registers, 4), value(registers, 5)) == (x, y)


def test_the_fullest_product_comes_close_to_the_bound(fast):
    """So that the test above is known to be at the edge: 21 such columns would not fit."""
    column = 20 * 8191 * 8191
    assert 0.6 * 2**31 < column < 2**31


@given(st.sampled_from([P, N]), st.integers(1, P - 1))
@settings(max_examples=examples(20), deadline=None)
def test_inversion_fits(fast, modulus, number):
    assert fast.modular_inverse(number % modulus, modulus) == pow(number, -1, modulus)


@pytest.mark.parametrize("modulus", [P, N])
def test_inversion_of_edges_fits(fast, modulus):
    for number in (1, 2, modulus - 1, modulus >> 1, 1 << 255, (1 << 96) - 1, (1 << 224) - 1):
        assert fast.modular_inverse(number, modulus) == pow(number, -1, modulus)
    assert fast.modular_inverse(0, modulus) == 0


def test_numbers_in_and_out(fast):
    registers = fast.p256_registers(8)
    for number in (0, 1, P - 1, P, 2**256 - 1, random.getrandbits(256)):
        fast.p256_put(registers, 7, number)
        assert fast.p256_get(registers, 7) == number % P
    assert fast.p256_row(registers, 0, 1) == bytes(40)


def test_picks_fit(fast):
    numbers = [random.randrange(P) for _ in range(64)]
    row = bytearray(b"".join(map(limbs, numbers)))
    for digit in (0, 1, 31, 32, 33, 63):
        registers = fast.p256_registers(6)
        sign = fast.p256_pick(registers, 4, row, bytes((digit,)), 0, 1, 6, 2)
        index = digit & 31 if digit & 32 else ~digit & 31
        assert sign == (17 if digit & 32 else 15)
        assert [fast.p256_get(registers, 4), fast.p256_get(registers, 5)] == numbers[2 * index : 2 * index + 2]
