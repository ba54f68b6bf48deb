"""Runs first of all in a build of MicroPython for this board: modules come from the release image and the build only.

No file system is mounted, because a file named as a built-in module would replace it. MicroPython has mounted the image
at /rom by then.
"""

import sys

sys.path[:] = ["/rom", ".frozen"]
