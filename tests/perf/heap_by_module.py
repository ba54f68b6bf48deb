"""What every module of the firmware takes of the heap when it is imported from the release image, largest first.

python tests/perf/heap_by_module.py [MODULE …]      MODULE: what to import, till.app and what it imports late by default

A module's figure is its own, without what it imports first. The table of names that the port doubles now and then falls
to whichever module needs the one name more; so do a package's parts that come with it.
"""

import subprocess
import sys

from microtill.paths import micropython
from microtill.release.image import build_image

BOARD = "TILL_ESP32S3"
# What app.py imports when it is needed: at the desk of a merchant's terminal, and when a technician is at work.
LATE = ("till.flows.desk", "till.services.acquirer", "till.services.payments", "till.services.link")
SELDOM = ("till.crypto.selftest", "till.flows.install", "till.flows.menu", "till.services.technician")

_PROBE = """
import builtins, gc, os, sys, vfs
image = bytearray(os.stat({image!r})[6])
with open({image!r}, "rb") as f:
    f.readinto(image)
vfs.mount(vfs.VfsRom(memoryview(image)), "/rom")
sys.path[:] = ["/rom", ".frozen"]
real, within, rows = builtins.__import__, [], []
def used():
    gc.collect()
    return gc.mem_alloc()
def counted(name, scope=None, local=None, names=None, level=0):
    if name in sys.modules and not [n for n in names or () if name + "." + n not in sys.modules]:
        return real(name, scope, local, names, level)
    within.append(0)
    before = used()
    try:
        return real(name, scope, local, names, level)
    finally:
        took = used() - before
        rows.append((took - within.pop(), name))
        if within:
            within[-1] += took
builtins.__import__ = counted
for module in {modules!r}:
    __import__(module)
for row in rows:
    print(*row)
"""


def heap_by_module(modules: list[str]) -> list[tuple[int, str]]:
    """`(bytes, module)` of everything that importing `modules` loads, largest first."""
    image = build_image(BOARD)
    source = _PROBE.format(image=str(image), modules=modules)
    done = subprocess.run([micropython(), "-X", "heapsize=4M", "-c", source], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    rows = [line.split() for line in done.stdout.splitlines()]
    return sorted(((int(count), name) for count, name in rows if int(count) > 0), reverse=True)


def main(modules: list[str]) -> None:
    """Print the table."""
    rows = heap_by_module(modules or ["till.app", *LATE, *SELDOM])
    for count, name in rows:
        print(f"{count:8,}  {name}")
    print(f"{sum(count for count, _ in rows):8,}  in all, {len(rows)} modules")


if __name__ == "__main__":
    main(sys.argv[1:])
