"""A build that holds the whole terminal, for boards without room or trust for a release image; board.py comes on top.

`till_data.py` is made before the build, by `python -m microtill.release.frozen`: the font, as a ROMFS in a module.
"""

# ruff: noqa: F821 - the functions are those of MicroPython's manifest files
# pyright: reportUndefinedVariable=false

include("../firmware/manifest.py")
package("till", base_path="../firmware", opt=2)
module("soc.py", opt=2)
module("bringup.py", opt=2)
module("frozen_boot.py", opt=2)
module("till_data.py", base_path="../build/frozen", opt=2)
require("neopixel")
