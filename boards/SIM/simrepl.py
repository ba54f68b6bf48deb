"""The board as a bare MicroPython: files in the `vfs` partition, boot.py, main.py, and then the port's own prompt."""

import gc
import os
import struct
import sys
import uctypes
import vfs

import esp32
import machine
import simbus
import time
from micropython import const, kbd_intr, schedule

_FILES = const(1)
_PROMPT = const(2)
_BLOCK = const(4096)
_KEPT = const(16)

_BOOT = """# Runs at each start, before main.py.
"""

_scope = None  # the prompt's globals
# Whether the file system is at work: it is C on this port, too, but its blocks come through Python, and Ctrl-C is not
# to strike in between. The bench looks at this octet before it sends one.
_AT_WORK = bytearray(1)
_inside = False  # a block operation


class _Disk(esp32.Partition):
    # The file system reads 32 to 128 octets at once. The chip has a cache before its flash; here each read is a round
    # trip to another process, a start makes 27,000 of them, and on a busy computer each waits for its turn. So the
    # blocks read last are kept.

    # A scheduled function runs at the next branch: the next block operation's first (then C goes on) or one outside
    # (then it has come back). So nothing may branch from the call of schedule to the return.

    def __init__(self, label):
        super().__init__(label)
        self._kept = {}
        self._numbers = [-1] * _KEPT
        self._octets = [memoryview(bytearray(_BLOCK)) for _ in range(_KEPT)]
        self._turn = 0
        self._written = -1  # what is read back right after it was written is not worth keeping
        self._first = self.info()[2] // _BLOCK
        esp32._changes = self._forget

    def readblocks(self, block, buf, offset=0):
        global _inside
        _inside = True
        _AT_WORK[0] = 1
        if not self._read(block, buf, offset):
            super().readblocks(block, buf, offset)
        _expect_end()
        _inside = False

    def _read(self, block, buf, offset):
        end = offset + len(buf)
        if end > _BLOCK or block == self._written:
            return False
        try:
            octets = self._kept.get(block) or self._keep(block)
            buf[:] = octets[offset:end]
        except MemoryError:  # the collector closes a file, and the heap is locked
            return False
        return True

    def _keep(self, block):
        turn = self._turn
        octets = self._octets[turn]
        self._kept.pop(self._numbers[turn], None)
        super().readblocks(block, octets)
        self._turn = (turn + 1) % _KEPT
        self._numbers[turn] = block
        self._kept[block] = octets
        return octets

    def _forget(self, address, n):
        first = address // _BLOCK - self._first
        for block in range(first, (address + n - 1) // _BLOCK - self._first + 1):
            self._kept.pop(block, None)
        self._written = first

    def writeblocks(self, block, buf, offset=None):
        global _inside
        _inside = True
        _AT_WORK[0] = 1
        super().writeblocks(block, buf, offset)
        _expect_end()
        _inside = False

    def ioctl(self, op, arg):
        global _inside
        _inside = True
        _AT_WORK[0] = 1
        answer = super().ioctl(op, arg)
        _expect_end()
        _inside = False
        return answer


def _expect_end():
    try:
        return schedule(_over, None)
    except RuntimeError:  # the queue is full of other work: better a Ctrl-C at a bad moment than none ever
        _AT_WORK[0] = 0


def _over(_):
    if not _inside:
        _AT_WORK[0] = 0


def _mount():
    # As the ESP32 port's own _boot.py: a blank partition is formatted, a broken file system is not. False when it is.
    found = esp32.Partition.find(esp32.Partition.TYPE_DATA, label="vfs")
    vfs.umount("/")
    if not found:
        return True
    disk = _Disk("vfs")
    try:
        vfs.mount(disk, "/")
    except OSError:
        block = bytearray(disk.ioctl(5, 0))
        disk.readblocks(0, block)
        if block != b"\xff" * len(block):
            return False
        print("Performing initial setup")  # noqa: T201
        vfs.VfsLfs2.mkfs(disk)
        vfs.mount(disk, "/")
        with open("boot.py", "w") as f:
            f.write(_BOOT)
    os.chdir("/")
    return True


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
        _sweep()
        machine.soft_reset()
    except BaseException as e:  # noqa: BLE001 - KeyboardInterrupt, too: it ends in the prompt
        sys.print_exception(e)
        return False
    return True


def _sweep():
    # A soft reset closes what lies open, as the ESP32 port's does: a file is written then.
    global _scope
    scope, _scope = _scope, None
    if scope is not None:
        kbd_intr(-1)
        scope.clear()
        gc.collect()


def frozen(names):
    """Run what is frozen into the build (frozen_boot.py): no file system, no prompt; what ends, restarts."""
    try:
        simbus.ask(simbus.STAGE, _FILES, struct.pack("<Q", uctypes.addressof(_AT_WORK)))
        for name in names:
            __import__(name)
    finally:
        machine.reset()


def begin(scope, raw):
    """Run the board's files in `scope`, the prompt's own. After a soft reset at the raw prompt main.py does not run."""
    global _scope
    _scope = scope
    sys.atexit(_sweep)
    sys.path[:] = ["", ".frozen", "/lib"]
    whole = _mount()
    try:
        kbd_intr(3)
        simbus.ask(simbus.STAGE, _FILES, struct.pack("<Q", uctypes.addressof(_AT_WORK)))
        while not whole:
            print("The file system is broken: erase the vfs partition, or repair it.")  # noqa: T201
            time.sleep(3)
        if _run("boot.py", scope) and not raw:
            _run("main.py", scope)
    except KeyboardInterrupt as e:
        sys.print_exception(e)
    kbd_intr(-1)
    scope.pop("__file__", None)
    simbus.ask(simbus.STAGE, _PROMPT)
