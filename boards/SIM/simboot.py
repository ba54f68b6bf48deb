# Starts the firmware process: `micropython simboot.py SIM_IMAGE BUS_FD EVENTS_FD`; all else is in the bench's greeting.
# Replaced are `machine network esp32 socket time` and asyncio's clock; then the image (or a script) runs as on a
# device. On a board with a serial port its own files run instead (simrepl), and Ctrl-C waits for them;
# or the image does, as one that is frozen into a build.
import sys
from micropython import kbd_intr

kbd_intr(-1)

sys.path[:] = [".frozen"]
import socket  # the port's own two, under other names for those that stand in front of them
import time

sys.modules["port_time"] = time
sys.modules["port_socket"] = socket


def _mount(path, where):
    # An image is memory: its bytecode and tables run in place, as they do from the device's flash.
    import os
    import vfs

    image = bytearray(os.stat(path)[6])
    with open(path, "rb") as f:
        f.readinto(image)
    vfs.mount(vfs.VfsRom(memoryview(image)), where)
    return image


def _start(sim_image, bus_fd, events_fd):
    # Put the simulated modules in place; returns what to run.
    import json

    image = _mount(sim_image, "/sim")
    sys.path[:] = ["/sim", ".frozen"]
    import simbus

    simbus.open_streams(bus_fd, events_fd)
    hello = json.loads(simbus.fetch(simbus.HELLO, 0))
    simbus.set_clock(*hello["clock"])
    simbus.boot_us = simbus.now_us()
    for name in ("time", "machine", "network", "esp32", "esp", "socket", "neopixel", "simloop"):
        __import__(name)
    sys.modules["time"]._set_rtc(hello["rtc_us"])
    known = {name: hello[name] for name in ("unique_id", "reset_cause", "gpios")}
    sys.modules["machine"]._hello.update(known)
    sys.modules["simloop"].install()
    if hello["image"]:
        _mount(hello["image"], "/rom")
    sys.argv[:] = []
    if hello["files"]:
        __import__("simrepl")
        simbus.image = image  # what runs in it must outlive its mount, which is not for the board's owner to see
        __import__("vfs").umount("/sim")
        if not hello["image"]:
            return hello["raw"]
        sys.path[:] = hello["path"]
        return tuple(hello["run"])
    sys.path[:] = hello["path"]
    return hello["run"]


def _run(path):
    scope = {"__name__": "__main__", "__file__": path}
    with open(path) as f:
        source = f.read()
    exec(compile(source, path, "exec"), scope)


_files = _start(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
del _start, _mount, time, socket
import gc

gc.collect()
if isinstance(_files, bool):
    sys.modules["simrepl"].begin(globals(), _files)
    for _name in ("_files", "_run", "gc", "kbd_intr", "sys", "_name"):
        globals().pop(_name)
elif isinstance(_files, tuple):
    sys.modules["simrepl"].frozen(_files)
else:
    kbd_intr(3)
    for _file in _files:
        if _file.endswith(".py"):
            _run(_file)
        else:
            __import__(_file)
