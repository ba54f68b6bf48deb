"""The fastest form of each inner loop that this port can run."""

try:
    from till.core.fast_viper import *
except (ImportError, SyntaxError):  # no native emitter on this port
    from till.core.fast_plain import *
