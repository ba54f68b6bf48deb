"""A fresh box of parts, piece by piece: what is soldered, wired, switched or mounted wrongly, and what to do about it.

The terminal does as it is told (its console's `hardware` request); here is what to try, what to ask the person, and
what the answers mean. The terminal restarts at the end.
"""

import re
import time
import tomllib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

from microtill.bench.microcontrollers import MICROCONTROLLERS
from microtill.device import hardware_texts as _texts  # noqa: F401 - adds its texts
from microtill.device import keys, texts
from microtill.device.console import Console, TerminalRefuses, TerminalSilent
from microtill.device.doctor import Finding, Level
from microtill.device.errors import DeviceError, Refused, Unplugged, UsageError, VerificationFailed
from microtill.device.probe import clean
from microtill.device.texts import t
from microtill.paths import BOARDS
from microtill.release import boards

PARTS = ("module", "keys", "panel", "sound", "lights", "reader", "card", "wifi", "supply")

_NATIVE = 0x303A
_HAS_USB = ("esp32s3",)  # microcontrollers with a USB socket of their own beside the bridge's
_ENOUGH = 0.9  # of the PSRAM: the system takes some for itself
_LOOK_MS = 700
_STEP_SECONDS = 20.0
_CONSENT_SECONDS = 200.0
_ASK_AGAIN = 0.5
_KEY_SECONDS = 12.0
_ANSWERING = "another request is being answered"  # so one that comes too soon; nothing was done
_NOT_LENT = "say begin first"  # so a terminal refuses that nobody has begun with
_ENOUGH_DEAD = 5  # keys of two rows, and none does anything: nobody presses all of them
_ANSWER_SECONDS = 180.0
_CARD_SECONDS = 20.0
_BACK_SECONDS = 20.0
_WEAK_DBM = -80

_NAMES = {"UP": "A", "DOWN": "B", "CLEAR": "C", "MENU": "D", "CANCEL": "*", "OK": "#"} | {
    str(n): str(n) for n in range(10)
}
_SWITCHES = {"spi": ("OFF", "ON"), "i2c": ("ON", "OFF"), "hsu": ("OFF", "OFF")}
_LINKS = {"spi": "SPI", "i2c": "I2C", "hsu": "HSU (UART)"}
_MIRROR_X, _TURN, _BGR = 0x40, 0xC0, 0x08
_DRAWN = {"UP": "↑", "DOWN": "↓"}  # on keys that are drawn; the others have words


@dataclass(frozen=True)
class _Driver:
    """A panel's driver in board.py: what it starts with, and the init table of glass that is the other way round."""

    name: str
    madctl: int
    inverted: bool
    other: str


_DRIVERS = {
    "st7789": _Driver("ST7789", 0x00, True, "ILI9341_INIT"),
    "ili9341": _Driver("ILI9341", 0x48, False, "ST7789_INIT"),
}

# What the boot loader says of a flash that is smaller than the program was built for.
_SMALL = re.compile(r"Detected size\((\d+)k\) smaller than the size in the binary image header\((\d+)k\)")
# How it fails on a panel that is asked for an acknowledgement.
_PANEL_TRACE = re.compile(r'^  File ".*ssd1306')
_BROWNED = re.compile(r"Brownout detector|BROWNOUT_RST")


@dataclass(frozen=True)
class HardwareFinding(Finding):
    """`key`: the text it was told by, which names the fault for programs."""

    key: str = ""


class Person(Protocol):
    """Who sits at the laptop, with the terminal in reach."""

    def told(self, text: str) -> None:
        """Say what to do, or what is asked."""
        ...

    def answered(self) -> str | None:
        """What was typed since, if anything; never waits. An empty text says that nothing happens."""
        ...


def from_boot(lines: Sequence[str]) -> Finding | None:
    """What a terminal that does not even start says about its parts, if it does."""
    for line in lines:
        if small := _SMALL.search(line):
            there, wanted = (f"{int(n) // 1024} MB" for n in small.groups())
            return _fault("module", "hw.flash_small", there=there, wanted=wanted)
    for at, line in enumerate(lines):
        if _PANEL_TRACE.search(line) and any(later.startswith("OSError") for later in lines[at + 1 : at + 6]):
            return _fault("panel", "hw.panel_silent")
    return None


class Hardware:
    """One run over a unit. `tell` hears each finding. `vid`: USB vendor of the port, None where it is not known.

    `reopen`: gives the console of a port that went away with its board. Raises Refused where the unit cannot be lent.
    """

    def __init__(
        self,
        console: Console,
        person: Person,
        tell: Callable[[Finding], None] = lambda finding: None,
        vid: int | None = None,
        reopen: Callable[[], Console] | None = None,
    ):
        self._console = console
        self._person = person
        self._tell = tell
        self._vid = vid
        self._reopen = reopen
        self._reader_works = False
        self._part = "module"
        self._keys_right = True  # as far as is known: a key that sticks would answer questions by itself
        self.findings: list[Finding] = []

    def run(self, parts: Sequence[str] = PARTS) -> list[Finding]:
        """Try `parts`, in their order, and restart the unit."""
        unknown = set(parts) - set(PARTS)
        if unknown:
            raise UsageError(detail=", ".join(sorted(unknown)))
        status = self._console.wait_ready()
        board = str(status.get("board"))
        if board not in boards.names():
            raise UsageError("doctor.board_unknown", board=board)
        self._kind = boards.kind(board)
        self._language: texts.Language = "en" if status.get("language") == "en" else "zh"
        self._wiring = tomllib.loads((BOARDS / board / "wiring.toml").read_text("utf-8"))
        try:
            self._console.request("hardware", _CONSENT_SECONDS, step="begin")
        except TerminalRefuses as e:
            if e.error == "error.invalid_value":
                raise Refused("hw.old_firmware") from e
            raise
        try:
            self._about = self._do("parts")
            for part in PARTS:
                if part in parts:
                    self._part = part
                    for finding in getattr(self, f"_{part}")():
                        self._add(finding)
                    if part == "keys" and any(f.check == "hw_keys" and f.level == "fault" for f in self.findings):
                        self._keys_right = False
                        self._person.told(t("hw.answer_here"))
        except _Gone as e:
            self._add(e.finding)
            return self.findings
        except KeyboardInterrupt:
            with suppress(DeviceError, _Restarted):
                self._watched("end", {})
            raise
        self._end()
        return self.findings

    @property
    def exit_code(self) -> int:
        """Of the first fault, else 0."""
        return next((f.exit_code for f in self.findings if f.exit_code), 0)

    # The terminal

    def _do(self, step: str, **members: Any) -> dict:
        """A step's findings. A cable that was out for a moment is borne; _Gone for a unit that has restarted."""
        try:
            return self._watched(step, members)
        except _Restarted as e:
            raise _Gone(self._restarted()) from e
        except Unplugged as e:
            if self._reopen is None:
                raise
            try:
                self._come_back()
            except DeviceError:
                raise e from None
        try:
            return self._watched(step, members)
        except _Restarted as e:
            raise _Gone(self._restarted()) from e

    def _watched(self, step: str, members: dict[str, Any]) -> dict:
        """A step's findings; meanwhile the unit is asked whether it is still the same start. Raises _Restarted."""
        number = self._console.send("hardware", step=step, **members)
        deadline = time.monotonic() + _STEP_SECONDS
        asked: list[int] = []
        ask_at = time.monotonic() + _ASK_AGAIN
        while True:
            try:
                seen = self._console.poll(number)
            except TerminalRefuses as e:
                if e.detail == _NOT_LENT:
                    raise _Restarted from e
                if e.detail != _ANSWERING:
                    raise
                time.sleep(0.05)
                number = self._console.send("hardware", step=step, **members)
                continue
            if seen is not None:
                return seen
            if time.monotonic() > ask_at:
                asked.append(self._console.send("hardware", step="parts"))
                ask_at = time.monotonic() + _ASK_AGAIN
            if any(self._has_restarted(other) for other in asked):
                raise _Restarted
            if time.monotonic() > deadline:
                raise TerminalSilent(_STEP_SECONDS)
            time.sleep(0.01)

    def _has_restarted(self, number: int) -> bool:
        """Whether request `number` was answered by a terminal that has not been lent: it is another start."""
        try:
            self._console.poll(number)
        except TerminalRefuses as e:
            return e.error != "error.busy"
        return False

    def _restarted(self) -> Finding:
        cause = self._console.wait_ready(_BACK_SECONDS).get("reset")
        return _fault(self._part, "hw.restarted", cause=cause)

    def _add(self, finding: Finding) -> None:
        self.findings.append(finding)
        self._tell(finding)

    def _show(self, key: str, /, **fields: Any) -> None:
        """The same on the panel and at the laptop: a title, lines below it, and after `|` what only the laptop says."""
        text = t(key, yes=self._cap("#"), no=self._cap("*"), **fields)
        panel, _, more = text.partition("|")
        title, *lines = panel.split("\n")
        self._do("show", kind="info", title=title, lines=lines)
        self._person.told(" ".join((title, *lines)) + more)

    def _cap(self, cap: str) -> str:
        """What is to be read on the key `cap`, which may be drawn."""
        if not self._about.get("drawn"):
            return cap
        name = next(name for name, on_cap in _NAMES.items() if on_cap == cap)
        return _DRAWN.get(name) or (name if name.isdigit() else t(f"hw.cap_{name.lower()}", self._language))

    def _choice(self, accepted: str) -> str | None:
        """The first answer among `accepted` (caps of keys, or typed at the laptop); None when nobody gives one."""
        deadline = time.monotonic() + _ANSWER_SECONDS
        while time.monotonic() < deadline:
            for name in self._do("answer", ms=_LOOK_MS)["keys"]:
                cap = _NAMES.get(name)  # CLEAR that is held has another name yet
                if cap and cap in accepted and self._keys_right:
                    return cap
            typed = self._person.answered()
            if typed is not None:
                typed = {"y": "#", "n": "*", "": "#"}.get(typed.strip().lower(), typed.strip())
                if len(typed) == 1 and typed in accepted:
                    return typed
                self._person.told(t("hw.answer_one", accepted=" ".join(accepted)))
        return None

    def _end(self) -> None:
        kind = "error" if self.exit_code else "ok"
        title = t("hw.end_faults" if self.exit_code else "hw.end_well")
        self._do("show", kind=kind, title=title, lines=[])
        self._do("end")
        self._wait_restart()

    def _wait_restart(self) -> None:
        """Until the terminal that was told to restart has."""
        deadline = time.monotonic() + _BACK_SECONDS
        while time.monotonic() < deadline:
            try:
                self._console.request("hardware", 2.0, step="parts")
            except TerminalRefuses:
                return  # nobody has begun there: it is another start
            except (TerminalSilent, Unplugged):
                self._come_back()
            time.sleep(0.1)

    def _come_back(self) -> None:
        if self._reopen:
            self._console = self._reopen()
        self._console.wait_ready(_BACK_SECONDS)

    # Parts

    def _module(self) -> Iterator[Finding]:
        kind, about = self._kind, self._about
        flash, region = about.get("flash", 0), about.get("region", 0)
        if flash < kind.flash_bytes:
            yield _fault("module", "hw.flash_small", there=_mb(flash), wanted=_mb(kind.flash_bytes))
        else:
            yield _ok("module", "hw.flash", there=_mb(flash))
        if kind.psram_bytes:
            if region < kind.psram_bytes * _ENOUGH:
                there = _mb(-(-region // (1 << 20)) << 20) if region > 1 << 20 else t("hw.none")
                yield _fault("module", "hw.psram", there=there, wanted=_mb(kind.psram_bytes))
            else:
                yield _ok("module", "hw.psram_there", there=_mb(kind.psram_bytes))
        if self._vid is not None:
            own = "hw.usb_bridge" if kind.mcu in _HAS_USB else "hw.usb_only"
            yield _ok("module", "hw.usb_native" if self._vid == _NATIVE else own)

    def _keys(self) -> Iterator[Finding]:
        if not self._about.get("matrix"):
            yield from self._keys_by_name()
            return
        self._show("hw.keys_off")
        rest = self._do("rest")
        stuck = rest["always"]
        presses: dict[str, keys.Press] = {}
        for n, cap in enumerate(keys.CAPS, 1):
            self._show("hw.press", key=cap, n=n)
            presses[cap] = self._press(stuck, not stuck >> (n - 1) & 1)
            if n == _ENOUGH_DEAD and not any(press.closed for press in presses.values()):
                break
        found = keys.diagnose(stuck, presses)
        for key, fields in found:
            yield _fault("keys", key, **fields)
        if not found:
            yield _ok("keys", "hw.keys_good", worst=max(press.ms for press in presses.values()))

    def _press(self, ignore: int, expected: bool) -> keys.Press:
        deadline = time.monotonic() + (_KEY_SECONDS if expected else 0)
        while True:
            seen = self._do("key", ms=_LOOK_MS, ignore=ignore)
            if seen["closed"] or seen["held"]:
                return keys.Press(seen["closed"], seen["ms"], seen["edges"], seen["held"])
            if self._person.answered() is not None or time.monotonic() > deadline:
                return keys.Press()

    def _keys_by_name(self) -> Iterator[Finding]:
        """A keypad that is no matrix of the board's own pins only gives names: each stands for the contact it has."""
        presses: dict[str, keys.Press] = {}
        for n, cap in enumerate(keys.CAPS, 1):
            presses[cap] = self._press_by_name(cap, n)
            if n == _ENOUGH_DEAD and not any(press.closed for press in presses.values()):
                break
        if self._about.get("drawn"):
            other = [cap for n, cap in enumerate(keys.CAPS) if cap in presses and presses[cap].closed != 1 << n]
            if not any(press.closed for press in presses.values()):
                yield _fault("keys", "hw.touch_dead")
            elif other:
                yield _fault("keys", "hw.touch_off", keys=" ".join(self._cap(cap) for cap in other))
            else:
                yield _ok("keys", "hw.touch_good")
            return
        found = keys.diagnose(0, presses)
        for key, fields in found:
            yield _fault("keys", key, **fields)
        if not found:
            yield _ok("keys", "hw.keys_named")

    def _press_by_name(self, cap: str, n: int) -> keys.Press:
        self._show("hw.press", key=self._cap(cap), n=n)
        deadline = time.monotonic() + _KEY_SECONDS
        while True:
            got = [_NAMES[name] for name in self._do("answer", ms=_LOOK_MS)["keys"] if name in _NAMES]
            if got:
                return keys.Press(1 << keys.CAPS.index(got[0]))
            if self._person.answered() is not None or time.monotonic() > deadline:
                return keys.Press()

    def _panel(self) -> Iterator[Finding]:
        driver = _DRIVERS.get(self._model("panel"))
        if driver is None:
            yield from self._mono()
            return
        answers = [f"hw.key_{n}" for n in range(1, 7)] if self._about.get("drawn") else _PICTURE_LINES
        lines = [t(key) for key in ("hw.red", "hw.green", "hw.blue", *answers)]
        wires = self._panel_wires()
        madctl, inverted = driver.madctl, driver.inverted
        found: list[Finding] = []
        for _ in range(4):
            self._do("picture", lines=lines)
            self._person.told(t("hw.picture_question"))
            answer = self._choice("12345678")
            if answer is None:
                yield _fault("panel", "hw.no_answer_given")
                return
            if answer == "1":
                break
            if answer in "78":
                yield self._no_picture(answer, wires, lines)
                return
            key = f"hw.picture_{_PICTURES[answer]}"
            if answer == "6":
                found.append(_fault("panel", key, driver=driver.name))
                break
            madctl ^= {"2": _MIRROR_X, "3": _TURN, "5": _BGR}.get(answer, 0)
            inverted ^= answer == "4"
            found.append(_fault("panel", key, madctl=f"0x{madctl:02x}", driver=driver.name, init=driver.other))
            self._do("panel", pins=wires, madctl=madctl, inverted=inverted)
        yield from found or [_ok("panel", "hw.picture_good")]

    def _mono(self) -> Iterator[Finding]:
        """A panel of one colour, whose module leaves nothing to be set."""
        self._do("picture", lines=["", "", "", *(t(f"hw.mono_{n}") for n in (1, 2, 3))])
        self._person.told(t("hw.mono_question"))
        answer = self._choice("1368")
        if answer == "1":
            yield _ok("panel", "hw.picture_good")
        else:
            yield _fault("panel", f"hw.mono_{_PICTURES[answer]}" if answer else "hw.no_answer_given")

    def _model(self, chip: str) -> str:
        return str(self._wiring["chip"].get(chip, {}).get("model", "")).partition(":")[0]

    def _panel_wires(self) -> dict[str, int]:
        chip = self._wiring["chip"]["panel"]
        bus = self._wiring["bus"][chip["bus"]]
        return {name: bus[name] for name in ("sck", "mosi")} | dict(chip["pins"])

    def _no_picture(self, answer: str, wires: dict[str, int], lines: list[str]) -> Finding:
        """The panel cannot be read: so its wires are exchanged in pairs until somebody sees the picture."""
        for a, b in (("DC", "RST"), ("CS", "DC"), ("CS", "RST"), ("sck", "mosi")):
            if a not in wires or b not in wires:
                continue
            driver = _DRIVERS[self._model("panel")]
            self._do("panel", pins=wires | {a: wires[b], b: wires[a]}, madctl=driver.madctl, inverted=driver.inverted)
            self._do("picture", lines=lines)
            self._person.told(t("hw.picture_now"))
            if self._choice("#*") == "#":
                return _fault("panel", "hw.panel_swapped", a=a, b=b, gpio_a=wires[a], gpio_b=wires[b])
        return _fault("panel", "hw.panel_blank" if answer == "7" else "hw.panel_dark")

    def _sound(self) -> Iterator[Finding]:
        self._show("hw.listen")
        self._do("sound")
        yield self._by_question("sound")

    def _lights(self) -> Iterator[Finding]:
        one = "_one" if self._model("leds") == "rgb_led" else ""
        self._do("lights", n=4)
        self._show(f"hw.look_green{one}")
        green = self._choice("#*") == "#"
        self._do("lights", n=-1)
        self._show(f"hw.look_red{one}")
        red = self._choice("#*") == "#"
        self._do("lights", n=0)
        if green and red:
            yield _ok("lights", f"hw.lights_good{one}")
        else:
            yield _fault("lights", f"hw.lights_{'colour' if green or red else 'bad'}{one}")

    def _by_question(self, part: str) -> Finding:
        if self._choice("#*") == "#":
            return _ok(part, f"hw.{part}_good")
        return _fault(part, f"hw.{part}_bad")

    # The reader

    def _reader(self) -> Iterator[Finding]:
        wires, wanted = self._reader_wires()
        tried = self._do("reader")
        if tried["version"]:
            self._reader_works = True
            if "RSTPD_N" in wires and self._do("hold", pins={"RSTPD_N": wires["RSTPD_N"]})["answers"]:
                yield _fault("reader", "hw.reader_reset", version=_version(tried["version"]), gpio=wires["RSTPD_N"])
            else:
                yield _ok("reader", "hw.reader_good", version=_version(tried["version"]), link=_LINKS[wanted])
            return
        for link, pins, key, fields in self._attempts(wires, wanted):
            tried = self._do("reader", link=link, pins=pins, was=wanted)
            if tried["version"]:
                self._reader_works = True
                yield _fault("reader", key, version=_version(tried["version"]), **fields)
                return
        one, two = _SWITCHES[wanted]
        yield _fault("reader", "hw.reader_silent", link=_LINKS[wanted], one=one, two=two)

    def _reader_wires(self) -> tuple[dict[str, int], str]:
        chip = self._wiring["chip"]["nfc"]
        bus = dict(self._wiring["bus"][chip["bus"]])
        wanted = {"spi": "spi", "i2c": "i2c", "uart": "hsu"}[bus.pop("kind")]
        return bus | chip.get("pins", {}), wanted

    def _attempts(
        self, wires: dict[str, int], wanted: str
    ) -> Iterator[tuple[str, dict[str, int], str, dict[str, object]]]:
        """What to try on the same wires, the likeliest first: (link, pins, what it means when that answers)."""
        reset = {"RSTPD_N": wires["RSTPD_N"]} if "RSTPD_N" in wires else {}
        if "IRQ" in wires:
            yield wanted, {**_own(wires, wanted), **reset}, "hw.reader_irq", {"gpio": wires["IRQ"]}
        # NSS, SCL and RX of the PN532 are one pin, MOSI, SDA and TX another (data sheet, pinning).
        names = {"spi": ("CS", "mosi"), "i2c": ("scl", "sda"), "hsu": ("tx", "rx")}
        first, second = (wires[name] for name in names[wanted])
        one, two = _SWITCHES[wanted]
        for link in ("i2c", "hsu"):
            if link != wanted:
                a, b = names[link]
                set_one, set_two = _SWITCHES[link]
                yield link, {a: first, b: second, **reset}, "hw.reader_switches", {
                    "set": _LINKS[link], "set_one": set_one, "set_two": set_two,
                    "link": _LINKS[wanted], "one": one, "two": two,
                }  # fmt: skip
        pairs = {
            "spi": (("mosi", "miso"), ("sck", "CS"), ("sck", "mosi"), ("sck", "miso")),
            "i2c": (("scl", "sda"),),
            "hsu": (("tx", "rx"),),
        }
        own = _own(wires, wanted)
        for a, b in pairs[wanted]:
            fields = {"a": a.upper(), "b": b.upper(), "gpio_a": own[a], "gpio_b": own[b]}
            yield wanted, {**own, a: own[b], b: own[a], **reset}, "hw.reader_swapped", fields
        if wanted == "spi":
            for gpio in self._free():
                fields = {"pin": "SS (NSS)", "gpio": gpio, "wanted": own["CS"]}
                yield "spi", {**own, "CS": gpio, **reset}, "hw.reader_elsewhere", fields

    def _free(self) -> list[int]:
        """GPIOs that the board leaves free."""
        chip = MICROCONTROLLERS[self._kind.mcu]
        used = {gpio for bus in self._wiring["bus"].values() for gpio in bus.values() if isinstance(gpio, int)}
        used |= {gpio for part in self._wiring["chip"].values() for gpio in part.get("pins", {}).values()}
        return sorted(chip.outputs - used - set(chip.taken) - set(chip.straps))

    def _card(self) -> Iterator[Finding]:
        if not self._reader_works:
            yield _skipped("card")
            return
        self._show("hw.tap")
        deadline = time.monotonic() + _CARD_SECONDS
        while True:
            seen = self._do("card", ms=_LOOK_MS)
            if seen["card"]:
                key = "hw.card_good" if seen["card"][2] else "hw.card_plain"
                yield _ok("card", key)
                return
            if seen.get("why"):
                yield _fault("card", "hw.card_reader", why=seen["why"])
                return
            if self._person.answered() is not None or time.monotonic() > deadline:
                yield _fault("card", "hw.card_several" if seen.get("several") else "hw.card_none")
                return

    # Radio and supply

    def _wifi(self) -> Iterator[Finding]:
        self._show("hw.scanning")
        seen = self._do("wifi")
        if not seen["networks"]:
            yield _fault("wifi", "hw.wifi_none")
            return
        name, dbm = seen["strongest"]
        key = "hw.wifi_weak" if dbm < _WEAK_DBM else "hw.wifi_good"
        level: Level = "note" if dbm < _WEAK_DBM else "ok"
        yield _finding("wifi", level, key, count=seen["networks"], name=clean(name), dbm=dbm)

    def _supply(self) -> Iterator[Finding]:
        if not self._reader_works:
            yield _skipped("supply")
            return
        self._show("hw.both")
        try:
            seen = self._watched("both", {})
        except _Restarted as e:
            raise _Gone(self._reset_by()) from e
        except TerminalSilent as e:
            raise _Gone(_fault("supply", "hw.supply_hangs")) from e
        except Unplugged:
            self._come_back()
            raise _Gone(self._reset_by()) from None
        if seen["why"] == "cards":
            yield _fault("supply", "hw.card_several")
        elif seen["why"]:
            yield _fault("supply", "hw.supply_reader", why=seen["why"])
        else:
            yield _ok("supply", "hw.supply_good")

    def _reset_by(self) -> Finding:
        """Why it restarted: MicroPython calls a brown-out a start of the supply, and so it was."""
        cause = self._console.wait_ready(_BACK_SECONDS).get("reset")
        said = any(_BROWNED.search(line) for line in self._console.heard())
        return _fault("supply", "hw.supply_brownout" if said or cause == "power" else "hw.supply_reset", cause=cause)


class _Restarted(Exception):
    """The terminal is no longer the start that was asked."""


class _Gone(Exception):
    """The unit restarted in the middle: what was found, and the end of the run."""

    def __init__(self, finding: Finding):
        self.finding = finding


_PICTURE_LINES = ("hw.picture_1", "hw.picture_2", "hw.picture_3")
_PICTURES = {"8": "dark", "2": "mirrored", "3": "turned", "4": "negative", "5": "bgr", "6": "shifted"}


def _own(wires: dict[str, int], link: str) -> dict[str, int]:
    names = {"spi": ("sck", "mosi", "miso", "CS"), "i2c": ("scl", "sda"), "hsu": ("tx", "rx")}[link]
    return {name: wires[name] for name in names}


def _version(octets: Sequence[int]) -> str:
    return f"{octets[1]}.{octets[2]}"


def _mb(octets: int) -> str:
    return f"{octets / (1 << 20):g} MB"


def _ok(part: str, key: str, /, **fields: object) -> HardwareFinding:
    return _finding(part, "ok", key, **fields)


def _fault(part: str, key: str, /, **fields: object) -> HardwareFinding:
    return _finding(part, "fault", key, **fields)


def _skipped(part: str) -> HardwareFinding:
    return _finding(part, "skipped", "hw.reader_first")


def _finding(part: str, level: Level, key: str, /, **fields: object) -> HardwareFinding:
    code = VerificationFailed.exit_code if level == "fault" else 0
    return HardwareFinding(f"hw_{part}", level, texts.what(key, **fields), texts.next_step(key, **fields), code, key)
