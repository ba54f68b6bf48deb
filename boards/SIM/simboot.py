# Starts the firmware process: `micropython simboot.py BUS_FD EVENTS_FD`. All else is in the bench's greeting. Replaced are
# `machine network esp32 socket time` and asyncio's clock; then the image (or a script) runs as it would on the device.
import json
import sys

_here = __file__.rsplit("/", 1)[0]
sys.path[:] = [".frozen"]
import socket  # the port's own two, under other names for those that stand in front of them
import time

sys.modules["port_time"] = time
sys.modules["port_socket"] = socket
del time, socket

sys.path[:] = [_here, ".frozen"]
import simbus


def _start(bus_fd, events_fd):
    """Put the simulated modules in place; returns (kind, path) of what to run."""
    simbus.open_streams(bus_fd, events_fd)
    hello = json.loads(simbus.fetch(simbus.HELLO, 0))
    simbus.set_clock(*hello["clock"])
    simbus.boot_us = simbus.now_us()

    for name in ("time", "machine", "network", "esp32", "socket", "neopixel", "simloop"):
        __import__(name)
    sys.modules["time"]._set_rtc(hello["rtc_us"])
    sys.modules["machine"]._hello.update(hello)
    sys.modules["simloop"].install()

    sys.argv[:] = []
    sys.path[:] = hello["path"] + [".frozen"]
    if hello["image"]:
        import vfs

        with open(hello["image"], "rb") as f:
            image = memoryview(f.read())
        vfs.mount(vfs.VfsRom(image), "/rom")
        sys.path[:] = ["/rom", ".frozen"]
    return hello["run"]


def _run(path):
    scope = {"__name__": "__main__", "__file__": path}
    with open(path) as f:
        source = f.read()
    exec(compile(source, path, "exec"), scope)


_files = _start(int(sys.argv[1]), int(sys.argv[2]))
del _start, _here, json
for _file in _files:
    if _file.endswith(".py"):
        _run(_file)
    else:
        __import__(_file)
