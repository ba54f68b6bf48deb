"""The fastest form of each inner loop that this port can run."""

from micropython import const

TYPE_CHECKING = const(False)

if TYPE_CHECKING:  # a checker knows viper's pointers no more than our callers do: the plain twins have the same names
    from till.core.fast_plain import *
else:
    try:
        from till.core.fast_viper import *
    except (ImportError, SyntaxError):  # no native emitter on this port
        from till.core.fast_plain import *
