"""A whole sale on the bench: the heap it needs, and what the terminal itself does between tap and outcome.

`sale_heap` is the smallest heap beside the image, in steps of 4 KB, with which a provisioned terminal starts, connects
by TLS and sells twice without running out of memory.

`tap` estimates the terminal's own time from the card's touch to the outcome on the glass on an ESP32-C3 at 160 MHz:
processor and buses, not the card's, the air's or the acquirer's. Callgrind counts the firmware process's instructions;
what it spends in the same time on waiting, and what the simulated buses cost (measured apart), is taken off. One
instruction here is taken as one cycle there: an RV32 build was found to need about 0.6 instructions for one of x86-64,
and some 1.5 cycles each with misses of the flash cache are allowed for. Bus time is what the bench counts.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from figure import Figure
from microtill.acquirer.datadir import DataDir
from microtill.acquirer.process import make_template
from microtill.bench.client import Bench, BenchError
from microtill.cli.sim import prepare
from microtill.paths import micropython
from microtill.simulator.texts import texts
from microtill.simulator.world import World

_KB = 1024
_STEP = 4 * _KB
_BUDGET = 256 * _KB
_TARGET_MS = 60
_HZ = 160e6
# A heap like one in PSRAM: no collection falls between tap and outcome, and this port's would scan the image as well.
_ROOMY = 1024 * _KB
# Bench seconds a desk second under callgrind: its processor's time hardly counts beside the time that is waited.
_SLOW = 0.03

_TRANSFERS = """
from machine import SPI, Pin
panel = SPI(1, baudrate=40_000_000, sck=Pin(12), mosi=Pin(11))
nfc = SPI(2, baudrate=4_000_000, firstbit=SPI.LSB, sck=Pin(40), mosi=Pin(41), miso=Pin(42))
panel_cs, nfc_cs = Pin(10, Pin.OUT, value=1), Pin(39, Pin.OUT, value=1)
lines, ask, answer = bytearray(3840), bytes((3,)) + bytes(12), bytearray(13)
for _ in range({panel}):
    panel_cs(0)
    panel.write(lines)
    panel_cs(1)
for _ in range({nfc}):
    nfc_cs(0)
    nfc.write_readinto(ask, answer)
    nfc_cs(1)
print("done")
"""


def _sell(world: World, tap: Callable[[], None]) -> None:
    """Key an amount, `tap` at the prompt for a card, confirm the outcome."""
    world.key("7", "OK")
    _until(world, "screen.present")
    tap()
    _until(world, "outcome.approved")
    world.bench.remove()
    world.key("OK")
    world.wait_at_rest()


def _until(world: World, key: str) -> None:
    """Until the text of `key` shows. BenchError when it does not, or memory has run out."""

    def shown() -> bool:
        if any("memory" in line.lower() for line in world.bench.console_lines()):
            raise BenchError("out of memory")
        return world.shows(*texts(key))

    world.bench.wait(shown, key, 120 if "MICROPYTHON" in os.environ else 15)


@contextmanager
def _terminal(home: Path, heap: int, speed: float = 1.0) -> Iterator[World]:
    """The provisioned terminal, and its acquirer, as they are in `home`; what becomes of them is forgotten."""
    with tempfile.TemporaryDirectory() as folder:
        DataDir(home / "acquirer").copy(f"{folder}/acquirer")
        shutil.copytree(home / "flash", f"{folder}/flash")
        with World(state=Path(folder, "flash"), data_dir=Path(folder, "acquirer"), heap=heap, speed=speed) as world:
            yield world


def _sells(home: Path, heap: int) -> bool:
    with _terminal(home, heap) as world:
        try:
            world.wait_at_rest(15)
            for _ in range(2):
                _sell(world, lambda: world.bench.tap("visa"))
            _until(world, "screen.idle")
        except BenchError:
            return False
        return True


def _smallest_heap(home: Path) -> int:
    low, high = _BUDGET - 16 * _STEP, _BUDGET
    if not _sells(home, high):
        raise RuntimeError("no sale with the budget")
    while high - low > _STEP:
        middle = (low + high) // 2 // _STEP * _STEP
        low, high = (low, middle) if _sells(home, middle) else (middle, high)
    return high


@contextmanager
def _callgrind(home: Path) -> Iterator[None]:
    """The firmware processes started inside run under callgrind; their counts are dumped into `home`."""
    wrapper = home / "micropython"
    options = f"--tool=callgrind --callgrind-out-file={home}/counts.%p"
    wrapper.write_text(f'#!/bin/sh\nexec valgrind {options} {micropython()} "$@" 2>/dev/null\n')
    wrapper.chmod(0o755)
    before = dict(os.environ)
    os.environ.update(MICROPYTHON=str(wrapper), PYTHONHASHSEED="0")
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class _Counter:
    """Instructions of the running process `pid` since the last look."""

    def __init__(self, home: Path, pid: int):
        self._home = home
        self._pid = pid

    def restart(self) -> None:
        self._control("-z")

    def read(self) -> int:
        self._control("-d")
        dumps = self._home.glob(f"counts.{self._pid}.*")
        last = max(dumps, key=lambda path: int(path.suffix[1:]))
        return _summary(last)

    def _control(self, what: str) -> None:
        subprocess.run(["callgrind_control", what, str(self._pid)], check=True, capture_output=True)


def _summary(path: Path) -> int:
    found = re.search(r"^(?:summary|totals): (\d+)", path.read_text(errors="replace"), re.M)
    if not found:
        raise RuntimeError(f"no count in {path}")
    return int(found[1])


def _transfer_cost(home: Path) -> tuple[float, float]:
    """Instructions of the simulation for a transfer to the panel and one with the reader, chip select included."""
    counts = []
    for panel, nfc in ((0, 0), (200, 0), (0, 200)):
        script = home / "transfers.py"
        script.write_text(_TRANSFERS.format(panel=panel, nfc=nfc))
        folder = home / f"transfers-{panel}-{nfc}"
        folder.mkdir()
        with _callgrind(folder), Bench(script=script) as bench:
            bench.wait_exit(60)
        counts.append(_summary(next(folder.glob("counts.*"))))
    none, panel, nfc = counts
    return (panel - none) / 200, (nfc - none) / 200


def _tap(home: Path) -> tuple[float, dict, dict]:
    """`(instructions, bus counters before, and after)` of the terminal from tap to outcome, waiting taken off."""
    with _callgrind(home), _terminal(home, _ROOMY, 0.2) as world:
        bench = world.bench
        world.wait_at_rest(300)
        counter = _Counter(home, bench.state()["pid"])
        measured: dict = {}

        def tap() -> None:
            bench.set_speed(1)
            _pass(bench, 6)  # the next signature is prepared while the card is looked for
            bench.set_speed(_SLOW)
            start = bench.now_us()
            counter.restart()
            _pass(bench, 0.2)
            measured["waiting"] = counter.read() / (bench.now_us() - start)
            measured["before"] = bench.counters()
            start = bench.now_us()
            counter.restart()
            bench.tap("visa")
            _until(world, "outcome.approved")
            took = bench.now_us() - start
            measured["own"] = counter.read() - measured["waiting"] * took
            measured["after"] = bench.counters()
            bench.set_speed(1)

        _sell(world, tap)
    return measured["own"], measured["before"], measured["after"]


def _pass(bench: Bench, seconds: float) -> None:
    end = bench.now_us() + seconds * 1e6
    while bench.now_us() < end:
        time.sleep(0.05)


def _tap_figure(home: Path) -> Figure:
    own, before, after = _tap(home)

    def spent(chip: str, what: str) -> float:
        return after[chip][what] - before[chip][what]

    panel_cost, nfc_cost = _transfer_cost(home)
    own -= spent("panel", "transfers") * panel_cost + spent("nfc", "transfers") * nfc_cost
    processor = own / _HZ * 1e3
    panel, nfc = spent("panel", "seconds") * 1e3, spent("nfc", "seconds") * 1e3
    total = processor + panel + nfc
    note = (
        f"an estimate: {own / 1e6:.1f} M instructions, {processor:.0f} ms at a cycle each; panel"
        f" {spent('panel', 'bytes'):,.0f} bytes in {panel:.0f} ms of bus for two screen changes (half for each); reader"
        f" {spent('nfc', 'bytes'):,.0f} bytes in {nfc:.1f} ms; {spent('storage', 'programs'):.0f} flash programs"
    )
    return Figure("tap", total, _TARGET_MS, "target", _TARGET_MS / total, "ms", note)


def measure() -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        make_template(home / "acquirer")
        (home / "flash").mkdir()
        with World(state=home / "flash", data_dir=home / "acquirer") as world:
            prepare(world, "zh")
            free = max(world.console.request("status")["free"] for _ in range(5))
        heap = _smallest_heap(home)
        note = f"start, TLS and two sales, in steps of 4 KB; at rest with 256 KB, {free / _KB:.0f} KB are free"
        figures = [Figure("sale_heap", heap / _KB, _BUDGET / _KB, "heap budget", _BUDGET / heap, "KB", note)]
        if shutil.which("valgrind"):
            figures.append(_tap_figure(home))
    return figures
