"""What kind of compiled code a device takes: the number in its `sys.implementation._mpy`, read as the port writes it.

The number is the third and second byte of an `.mpy` file that holds native code (py/persistentcode.h): version, then
sub-version in two bits and architecture in four; what stands above says which extensions the processor has.
"""

from dataclasses import dataclass

VERSION = 6
"""Version of the `.mpy` files that mpy-cross makes here."""

# In the order of MP_NATIVE_ARCH_*; 0 is a port without a native emitter, which takes bytecode only.
_ARCHITECTURES = (
    None, "x86", "x64", "armv6", "armv6m", "armv7m", "armv7em", "armv7emsp", "armv7emdp", "xtensa", "xtensawin",
    "rv32imc", "rv64imc",
)  # fmt: skip
_DEBUG = 15


class UnknownArchitecture(ValueError):
    """The device takes compiled code of a kind that is not made here; the text says which."""


@dataclass(frozen=True)
class Target:
    """`architecture` is an -march of mpy-cross, or None where the port has no native code."""

    version: int
    sub_version: int
    architecture: str | None


def target(mpy: int) -> Target:
    """What the `_mpy` number of a device says. UnknownArchitecture when no such code is made here."""
    version, sub_version, number = mpy & 0xFF, mpy >> 8 & 3, mpy >> 10 & 0xF
    if version != VERSION:
        raise UnknownArchitecture(f".mpy version {version}, and version {VERSION} is what is made here")
    if number >= len(_ARCHITECTURES):
        raise UnknownArchitecture("the debug emitter" if number == _DEBUG else f"architecture number {number}")
    return Target(version, sub_version, _ARCHITECTURES[number])


def fits(content: bytes, wanted: Target) -> bool:
    """Whether the `.mpy` file `content` runs on `wanted`: bytecode of its version, or native code just for it."""
    if content[:1] != b"M" or content[1] != wanted.version:
        return False
    number = content[2] >> 2 & 0xF
    if number == 0:
        return True
    return _ARCHITECTURES[number] == wanted.architecture and content[2] & 3 == wanted.sub_version
