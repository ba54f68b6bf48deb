"""The board as a bare MicroPython: files in the `vfs` partition, boot.py, main.py, and then the port's own prompt."""

import os
import sys
import vfs

import esp32
import machine
import simbus
import time
from micropython import const, kbd_intr, schedule

_FILES = const(1)
_PROMPT = const(2)

_BOOT = """# Runs at each start, before main.py.
"""

_inside = False  # a block operation
_due = False  # its end is to be told


class _Disk(esp32.Partition):
    # The file system is C on this port, too, but its blocks come through Python. Ctrl-C is not to strike in between; so
    # the bench is told when C has come back, which is when a scheduled function runs outside of a block operation.

    def readblocks(self, block, buf, offset=0):
        global _inside
        _inside = True
        super().readblocks(block, buf, offset)
        _tell()
        _inside = False

    def writeblocks(self, block, buf, offset=None):
        global _inside
        _inside = True
        super().writeblocks(block, buf, offset)
        _tell()
        _inside = False

    def ioctl(self, op, arg):
        global _inside
        _inside = True
        answer = super().ioctl(op, arg)
        _tell()
        _inside = False
        return answer


def _tell():
    global _due
    if not _due:
        try:
            schedule(_over, None)
            _due = True
        except RuntimeError:  # the queue is full: the bench finds out by itself
            _due = False


def _over(_):
    global _due
    _due = False
    if not _inside:
        simbus.post(simbus.FLASH_REST, 0)


def _mount():
    # As the ESP32 port's own _boot.py: a blank partition is formatted, a broken file system is not.
    found = esp32.Partition.find(esp32.Partition.TYPE_DATA, label="vfs")
    vfs.umount("/")
    if not found:
        return
    disk = _Disk("vfs")
    try:
        vfs.mount(disk, "/")
    except OSError:
        block = bytearray(disk.ioctl(5, 0))
        disk.readblocks(0, block)
        while block != b"\xff" * len(block):
            print("The file system is broken: erase the vfs partition, or repair it.")  # noqa: T201
            time.sleep(3)
        print("Performing initial setup")  # noqa: T201
        vfs.VfsLfs2.mkfs(disk)
        vfs.mount(disk, "/")
        with open("boot.py", "w") as f:
            f.write(_BOOT)
    os.chdir("/")


def _run(name, scope):
    # Returns False when it did not end well.
    try:
        with open(name) as f:
            source = f.read()
    except OSError:
        return True
    scope["__file__"] = name
    try:
        kbd_intr(3)
        exec(compile(source, name, "exec"), scope)
    except SystemExit:
        machine.soft_reset()
    except BaseException as e:  # noqa: BLE001 - KeyboardInterrupt, too: it ends in the prompt
        sys.print_exception(e)
        return False
    return True


def begin(scope, raw):
    """Run the board's files in `scope`, the prompt's own. After a soft reset at the raw prompt main.py does not run."""
    sys.path[:] = ["", ".frozen", "/lib"]
    simbus.ask(simbus.STAGE, _FILES)
    try:
        kbd_intr(3)
        _mount()
        if _run("boot.py", scope) and not raw:
            _run("main.py", scope)
    except KeyboardInterrupt as e:
        sys.print_exception(e)
    kbd_intr(-1)
    scope.pop("__file__", None)
    simbus.ask(simbus.STAGE, _PROMPT)
