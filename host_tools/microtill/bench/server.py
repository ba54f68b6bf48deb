"""The bench process: one loop that serves the firmware, its board and its owner. It holds nothing else."""

import contextlib
import json
import os
import random
import selectors
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from microtill.bench import cards
from microtill.bench.clock import Clock
from microtill.bench.control import Decoder, encode
from microtill.bench.firmware import HEAP, PSRAM_HEAP, SIM_HEAP, Console, Firmware, image_room
from microtill.bench.microcontrollers import MICROCONTROLLERS, mask
from microtill.bench.prompt import Prompt
from microtill.bench.protocol import ANSWER, EVENT, EVENTS_WAIT, REQUEST, Event, Op
from microtill.bench.relay import Network
from microtill.bench.serial_port import SerialPort
from microtill.bench.storage import Storage
from microtill.bench.virtual_board import HARD_RESET, PWRON_RESET, SOFT_RESET, WDT_RESET, Answer, VirtualBoard
from microtill.bench.wlan import SENDING, AccessPoint, Wlan
from microtill.paths import BOARDS, FIRMWARE

_BUFFER = 1 << 20
_LOOKS = 20  # times the bus is looked at before the loop sleeps: a round trip costs less than the sleep would
_BUSY = 500  # requests taken in before the loop looks at anything else
_BACKLOG = 64 << 20  # an owner that stops reading loses notifications beyond this
_EIO = 5
_HELD_S = 0.005
_STRIKE_S = 0.002  # after that at the latest, a Ctrl-C that has to wait is tried again
_TYPED = 64 << 10  # octets the firmware has not read, beyond which the serial port takes none
_HELD_INTERRUPTS = 8  # beyond a full stream; the ESP32's own queue is no longer
_RTC_MEMORY = 2048
_UNKNOWN_HOST = 202  # EAI_FAIL, as lwIP numbers it
_STAGE_FILES = 1
# What the chip's ROM says at a reset.
_ROM = {
    PWRON_RESET: b"ESP-ROM:esp32s3-20210327\r\nrst:0x1 (POWERON),boot:0x8 (SPI_FAST_FLASH_BOOT)\r\n",
    HARD_RESET: b"ESP-ROM:esp32s3-20210327\r\nrst:0xc (RTC_SW_CPU_RST),boot:0x8 (SPI_FAST_FLASH_BOOT)\r\n",
    WDT_RESET: b"ESP-ROM:esp32s3-20210327\r\nrst:0x7 (TG0WDT_SYS_RST),boot:0x8 (SPI_FAST_FLASH_BOOT)\r\n",
}

_BROWNED_OUT = (
    b"\r\nBrownout detector was triggered\r\n\r\n"
    b"ESP-ROM:esp32s3-20210327\r\nrst:0xf (BROWNOUT_RST),boot:0x8 (SPI_FAST_FLASH_BOOT)\r\n"
)


class CommandError(Exception):
    """The owner asked for something that cannot be done; the text goes back to them."""


class Server:
    """Serves one control socket until it closes. `config` is what `client.Bench` was given."""

    def __init__(self, control: socket.socket, config: dict):
        sys.path += config["chip_path"]
        self.control = control
        self.selector = selectors.DefaultSelector()
        self.clock = Clock(config["speed"])
        self.image = Path(config["image"]) if config["image"] else None
        self.sim = Path(config["sim"])
        self.script = config["script"]
        self.unique_id = bytes.fromhex(config["unique_id"]).hex()
        board = BOARDS / config["board"]
        self.path = [str(FIRMWARE), str(board), str(BOARDS), *config["path"]]
        self.port: SerialPort | None = None
        self.prompt: Prompt | None = None
        if config["serial"]:
            link = config["serial"]["link"]
            name = f"{config['board']} on the bench"
            self.port = SerialPort(Path(link) if link else None, self._watch, self._from_computer)
            self.prompt = Prompt(name, self._type_in)
        self._cable = True
        self._strike_at = 0.0  # when a Ctrl-C that had to wait is tried again
        self.heap = config["heap"] or (PSRAM_HEAP if self.port and not self.image else HEAP)
        self.firmware: Firmware | None = None
        self.console = Console()
        self.exit_status: int | None = None
        self.powered = False
        self.resets: list[int] = []
        self._subscribed: set[str] = set()
        self._changed: set[str] = set()
        self._decoder = Decoder()
        self._output = bytearray()
        self._typed = bytearray()
        self._buffer = bytearray(_BUFFER)
        self._have = 0
        self._events_sent = False
        self._held: list[bytes] = []  # events that found the stream full
        self._rtc_us = 0
        self._rtc_memory = b""
        self._restart: int | None = None
        self._browned_out = False
        self._running = True
        self.board = VirtualBoard(
            Path(config["wiring"]) if config["wiring"] else board / "wiring.toml", self.clock, self
        )
        description = json.loads((board / "board.json").read_text("utf-8"))
        chip = MICROCONTROLLERS[description["mcu"]]
        self.gpios = [mask(chip.pins), mask(chip.outputs)]
        self.description = description
        self.module = self.board.module
        state = Path(config["state"]) if config["state"] else None
        self.storage = Storage(board / "partitions.csv", description["flash_bytes"], state, self, config["seed"])
        counters = Path(config["cards"]) if config["cards"] else state and state / "cards.json"
        if counters:
            cards.keep_counters(counters)
        hosts = {name: (host, port) for name, (host, port) in config["hosts"].items()}
        self.network = Network(hosts, self._watch, self._unwatch)
        points = config["access_points"]
        self.wlan: Wlan | None = None
        self.wlan = Wlan(self.clock, self, [AccessPoint(**point) for point in points])
        self.operations = {**self.board.operations, **self.storage.operations, **self.wlan.operations}
        self.operations |= {
            Op.RESOLVE: self._resolve,
            Op.HELLO: self._hello,
            Op.WLAN: self._transmit,
            Op.SYNC: lambda _obj, _data: (0, b""),
            Op.RESET: self._reset,
            Op.RTC_SET: self._rtc_set,
            Op.RTC_MEMORY: self._rtc_memory_access,
            Op.STAGE: self._stage,
        }

    def run(self) -> None:
        """Until the owner hangs up or says stop. The firmware never outlives this."""
        self.control.setblocking(False)
        self.selector.register(self.control, selectors.EVENT_READ, self._on_control)
        try:
            while self._running:
                wait = self.clock.wait()
                if self._held and self.firmware:
                    wait = _HELD_S if wait is None else min(wait, _HELD_S)
                    self._event(b"")
                for key, mask in self.selector.select(self._serial_wait(wait)):
                    if self.selector.get_map().get(key.fd) is key and self._running:
                        key.data(mask)
                self.clock.run_due()
                self._carry_out_restart()
                self._serve_serial()
                while self._changed:  # once a round, however many rows of a picture came in it
                    name = self._changed.pop()
                    self.notify("changed", chip=name, seen=self.board.chips[name].seen())
        finally:
            if self.firmware:
                self.firmware.kill()
            if self.port:
                self.port.unplug()
            self.network.close()
            self.storage.close()

    def _watch(self, sock: socket.socket | int, mask: int, call: Callable[[int], None]) -> None:
        watched = sock in self.selector.get_map()
        if not mask:
            if watched:
                self.selector.unregister(sock)
        elif watched:
            self.selector.modify(sock, mask, call)
        else:
            self.selector.register(sock, mask, call)

    def _unwatch(self, sock: socket.socket) -> None:
        if sock in self.selector.get_map():
            self.selector.unregister(sock)

    # Power and the firmware process

    def power_on(self) -> None:
        if self.powered:
            raise CommandError("the power is on")
        self.powered = True
        self._rtc_us = -self.clock.now_us()
        self.board.power_on()
        if self.port and self._cable:
            self.port.plug()
        self._spawn(PWRON_RESET)

    def power_cut(self) -> None:
        """The supply is gone: firmware and chips stop where they are."""
        if not self.powered:
            raise CommandError("the power is off")
        self.powered = False
        self._kill()
        if self.port:
            self.port.unplug()  # the chip's own USB
        self._rtc_memory = b""
        self.storage.cut_in = None
        self._stop_peripherals()
        self.board.power_off()
        self.board.tell("bench", "power cut")
        self.notify("power", on=False)

    def restart(self, cause: int) -> None:
        """Reset the microcontroller as soon as the current request is done with (it is never answered)."""
        self._restart = cause

    def _carry_out_restart(self) -> None:
        if self._restart is None:
            return
        cause, self._restart = self._restart, None
        if not self.powered:
            return
        self._kill()
        if cause == SOFT_RESET and self.prompt:
            self._soft_reset()
            return
        self._stop_peripherals()
        self.board.restart()
        self.board.tell("bench", f"reset, cause {cause}")
        self._spawn(cause)

    def _soft_reset(self) -> None:
        """Python ends and starts again; the microcontroller, its radio and its clock run on."""
        self._print(b"MPY: soft reboot\r\n")
        self.board.soft_reset()
        self.board.tell("bench", "soft reset")
        self._spawn(SOFT_RESET)

    def _stop_peripherals(self) -> None:
        assert self.wlan
        self.wlan.stop()
        self.storage.restart()

    def _spawn(self, cause: int) -> None:
        self.resets.append(cause)
        self.exit_status = None
        self._have = 0
        self._held.clear()
        self._typed.clear()
        self.firmware = firmware = Firmware(
            self.sim,
            self.heap + SIM_HEAP + image_room(self.sim) + image_room(self.image),
            prompt=self.prompt is not None,
        )
        if self.prompt:
            if cause != SOFT_RESET:
                self.prompt.raw = False
                self._print(_BROWNED_OUT if self._browned_out else _ROM[cause])
                self._browned_out = False
            self.prompt.started(firmware.process.pid)
        self.selector.register(firmware.bus, selectors.EVENT_READ, self._on_bus)
        self.selector.register(firmware.events, selectors.EVENT_READ, self._on_events)
        self.selector.register(firmware.stdout, selectors.EVENT_READ, self._on_console)
        self.notify("power", on=True, cause=cause)

    def _let_go(self) -> Firmware:
        firmware = self.firmware
        assert firmware
        self.firmware = None
        for stream in (firmware.bus, firmware.events, firmware.stdout, firmware.stdin):
            with contextlib.suppress(KeyError):
                self.selector.unregister(stream)
        return firmware

    def _kill(self) -> None:
        if self.firmware:
            self._drain_console()
            self._let_go().kill()

    def _ended(self) -> None:
        """The firmware process ended by itself, or crashed."""
        assert self.firmware
        self.firmware.process.wait()
        self._drain_console()
        firmware = self._let_go()
        if not self.prompt:
            self._tell_lines(self.console.flush())
        self.exit_status = firmware.close()
        if not self.prompt:
            self.notify("exit", status=self.exit_status)
        elif self.exit_status < 0:  # a crash
            self.board.tell("bench", f"the firmware was ended by signal {-self.exit_status}")
            self.restart(HARD_RESET)
        else:
            self._soft_reset()

    # Requests of the firmware

    def _on_bus(self, _mask: int) -> None:
        """Handle what has come, and stay for a moment: the next request is usually a few microseconds away."""
        looks = _LOOKS
        for _ in range(_BUSY):
            firmware = self.firmware
            if firmware is None or self._restart is not None:
                return
            if self._strike_at and time.monotonic() >= self._strike_at:
                return
            try:
                n = firmware.bus.recv_into(memoryview(self._buffer)[self._have :], 0, socket.MSG_DONTWAIT)
            except BlockingIOError:
                looks -= 1
                if not looks:
                    return
                continue
            except ConnectionResetError:
                n = 0
            if not n:
                self._ended()
                return
            looks = _LOOKS
            self._have += n
            self._handle_all(firmware)

    def _handle_all(self, firmware: Firmware) -> None:
        view = memoryview(self._buffer)
        have = self._have
        at = 0
        while have - at >= REQUEST.size:
            op, sequence, obj, length = REQUEST.unpack_from(view, at)
            end = at + REQUEST.size + length
            if end > have:
                break
            self._handle(firmware, op, sequence, obj, view[at + REQUEST.size : end])
            if self.firmware is not firmware or self._restart is not None:
                return  # cut or reset by this very request
            at = end
        self._have = have - at
        if at and self._have:
            view[: self._have] = bytes(view[at:have])
        if self._have == _BUFFER:
            self.board.violate("bench: a request larger than any")
            self._kill()

    def _handle(self, firmware: Firmware, op: int, sequence: int, obj: int, data: memoryview) -> None:
        self.clock.run_due()
        try:
            answer = self.operations[op](obj, data)
        except Exception:  # noqa: BLE001 - a fault of the bench is reported, and the firmware goes on
            text = traceback.format_exc()
            self.board.violations.append(f"bench: {text}")
            print(text, file=sys.stderr)  # noqa: T201
            answer = (-_EIO, b"") if sequence else None
        if answer is None or self.firmware is not firmware:
            return
        status, payload = answer
        flags = EVENTS_WAIT if self._events_sent else 0
        self._events_sent = False
        with contextlib.suppress(BrokenPipeError):
            firmware.bus.sendall(ANSWER.pack(sequence, flags, status, len(payload)) + payload)

    def _on_events(self, _mask: int) -> None:
        """A Ctrl-C struck inside an exchange: do all that has come, then say how much of the request is missing."""
        firmware = self.firmware
        assert firmware
        try:
            asked = firmware.events.recv(256)
        except (BlockingIOError, ConnectionResetError):
            return
        if not asked:
            self.selector.unregister(firmware.events)  # it has ended; the bus tells
            return
        self._on_bus(0)
        missing = 0
        if self._have >= REQUEST.size:
            missing = REQUEST.size + REQUEST.unpack_from(self._buffer)[3] - self._have
        self._event(EVENT.pack(Event.RESUME, asked[-1], 0, missing, 0, 0, 0))

    def interrupt(self, kind: Event, obj: int, value: int) -> None:
        if len(self._held) < _HELD_INTERRUPTS:
            self._event(EVENT.pack(kind, value, obj, 0, 0, 0, 0))
        else:
            self.board.tell("bench", "an interrupt was lost: the firmware takes none")

    def _event(self, event: bytes) -> None:
        """Send what must arrive (in order, later if need be); an empty event sends only what waits."""
        if not self.firmware:
            return
        if event:
            self._held.append(event)
        try:
            while self._held:
                self.firmware.events.send(self._held[0])
                self._events_sent = True
                del self._held[0]
        except BlockingIOError:
            return  # the firmware takes none just now
        except BrokenPipeError:
            self._held.clear()

    def _hello(self, _obj: int, _data: memoryview) -> Answer:
        if self.script:
            path, run = self.path, [self.script]
        else:
            path, run = ["/rom"], ["boot", "main"]
        raw = bool(self.prompt and self.prompt.raw)
        return 0, json.dumps(
            {
                "clock": self.clock.state(),
                "rtc_us": self._rtc_us,
                "path": [*path, ".frozen"],
                "image": str(self.image) if self.image else "",
                "run": run,
                "files": self.prompt is not None,
                "raw": raw,
                "reset_cause": self.resets[-1],
                "unique_id": self.unique_id,
                "flash_bytes": self.module.flash_bytes or self.description["flash_bytes"],
                "psram_bytes": self.description.get("psram_bytes", 0) if self.module.psram else 0,
                "gpios": self.gpios,
            }
        ).encode()

    def _transmit(self, obj: int, data: memoryview) -> Answer | None:
        """The radio. With the reader's field it takes more than a weak supply gives, and the detector resets."""
        assert self.wlan
        if self.module.weak_supply and obj in SENDING and self.board.field:
            self.board.tell("supply", "fell below the detector's level")
            self._browned_out = True
            self.restart(PWRON_RESET)  # which is what MicroPython makes of it
            return None
        return self.wlan.operations[Op.WLAN](obj, data)

    def _reset(self, soft: int, _data: memoryview) -> None:
        self.restart(SOFT_RESET if soft else HARD_RESET)

    def _stage(self, stage: int, data: memoryview) -> Answer:
        assert self.prompt
        self._drain_console()
        if stage == _STAGE_FILES:
            self.prompt.files(int.from_bytes(data, "little"))
        else:
            self.prompt.booted()
        return 0, b""

    def _rtc_set(self, _obj: int, data: memoryview) -> None:
        self._rtc_us = int.from_bytes(data, "little", signed=True)

    def _rtc_memory_access(self, write: int, data: memoryview) -> Answer:
        if write:
            self._rtc_memory = bytes(data)[:_RTC_MEMORY]
        return 0, self._rtc_memory

    # Wi-Fi and what it reaches

    def link_changed(self) -> None:
        if self.wlan:
            self.network.link_changed(self.wlan.connected, self.wlan.carries)
            self.notify("wlan", **self.wlan.state(), carries=self.wlan.carries)

    def address_lost(self) -> None:
        self.network.forget_terminal()

    def _resolve(self, _datagram: int, data: memoryview) -> Answer:
        assert self.wlan
        port = self.network.resolve(bytes(data).decode()) if self.wlan.carries else None
        if port is None:
            return -_UNKNOWN_HOST, b""
        return 0, port.to_bytes(2, "little")

    def tell(self, who: str, text: str) -> None:
        self.board.tell(who, text)

    def violate(self, text: str) -> None:
        self.board.violate(text)

    # The console

    def _on_console(self, _mask: int) -> None:
        assert self.firmware
        if not self._drain_console():
            # It closed its console, most likely by ending; what it still asked of the bus comes first.
            with contextlib.suppress(KeyError):
                self.selector.unregister(self.firmware.stdout)

    def _drain_console(self) -> bool:
        """Take in what was printed; False at the end of it."""
        assert self.firmware
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.firmware.stdout, 65536):
                self._print(self.prompt.shown(data) if self.prompt else data)
                if self.port and self.port.full:
                    with contextlib.suppress(KeyError):
                        self.selector.unregister(self.firmware.stdout)
                    break
            else:
                return False
        return True

    def _print(self, data: bytes) -> None:
        if self.port:
            self.port.write(data)
        self._tell_lines(self.console.feed(data))

    def _tell_lines(self, lines: list[str]) -> None:
        for line in lines:
            self.notify("console", line=line)

    def _type_in(self, data: bytes) -> None:
        self._typed += data
        self._type()

    def _type(self, _mask: int = 0) -> None:
        firmware = self.firmware
        if not firmware:
            return
        try:
            while self._typed:
                del self._typed[: os.write(firmware.stdin, self._typed)]
        except BlockingIOError:
            pass
        except BrokenPipeError:
            self._typed.clear()
        registered = firmware.stdin in self.selector.get_map()
        if self._typed and not registered:
            self.selector.register(firmware.stdin, selectors.EVENT_WRITE, self._type)
        elif not self._typed and registered:
            self.selector.unregister(firmware.stdin)

    # The serial port

    def _from_computer(self, data: bytes) -> None:
        assert self.prompt
        if self.powered:
            self.prompt.typed(data)

    def _serial_wait(self, wait: float | None) -> float | None:
        waits = [wait, self.port.wait() if self.port else None]
        if self.prompt and self.prompt.waiting:
            waits.append(max(0.0, self._strike_at - time.monotonic()))
        return min((w for w in waits if w is not None), default=None)

    def _serve_serial(self) -> None:
        if not self.port or not self.prompt:
            return
        self.port.tick()
        if self.prompt.waiting and time.monotonic() >= self._strike_at:
            self.prompt.strike()
            # At odd times: else it would find the firmware at the same place again and again.
            self._strike_at = time.monotonic() + random.uniform(0, _STRIKE_S) if self.prompt.waiting else 0.0
        self.port.pause(len(self._typed) >= _TYPED)
        firmware = self.firmware
        if firmware and not self.port.full and firmware.stdout not in self.selector.get_map():
            self.selector.register(firmware.stdout, selectors.EVENT_READ, self._on_console)

    # The owner

    def _on_control(self, _mask: int) -> None:
        try:
            data = self.control.recv(1 << 16)
        except BlockingIOError:
            data = None
        except ConnectionResetError:
            data = b""
        if data == b"":
            self._running = False
            return
        for message, _ in self._decoder.feed(data or b""):
            self._obey(message)
        self._flush()

    def _obey(self, message: dict) -> None:
        blob = b""
        try:
            command = getattr(self, "do_" + message["do"], None)
            if command is None:
                raise CommandError(f"no command {message['do']!r}")
            result = command(**message.get("with", {}))
            if isinstance(result, tuple):
                result, blob = result
            reply = {"id": message["id"], "result": result}
        except (CommandError, ValueError, TypeError) as e:
            reply = {"id": message["id"], "error": str(e)}
        except Exception:  # noqa: BLE001 - a fault of the bench goes back to the owner whole
            reply = {"id": message["id"], "error": traceback.format_exc()}
        self._output += encode(reply, blob)

    def changed(self, chip: str) -> None:
        self._changed.add(chip)

    def notify(self, what: str, **fields) -> None:
        if what in self._subscribed and len(self._output) < _BACKLOG:
            self._output += encode({"event": what, **fields})
            self._flush()

    def _flush(self) -> None:
        try:
            while self._output:
                del self._output[: self.control.send(self._output)]
        except BlockingIOError:
            pass
        except (BrokenPipeError, ConnectionResetError):
            self._running = False
            return
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._output else 0)
        if self.selector.get_key(self.control).events != events:
            self.selector.modify(self.control, events, self._on_control)

    def _chip(self, method: str, name: str | None = None) -> Any:
        """The chip that can do `method`."""
        for chip in self.board.chips.values():
            if hasattr(chip, method) and name in (None, chip.name):
                return chip
        raise CommandError(f"no chip on this board can {method}")

    def do_stop(self) -> None:
        self._running = False

    def do_state(self) -> dict:
        return {
            "powered": self.powered,
            "running": self.firmware is not None,
            "exit_status": self.exit_status,
            "resets": self.resets,
            "pid": self.firmware.process.pid if self.firmware else None,
            "now_us": self.clock.now_us(),
            "speed": self.clock.speed / 1000,
            "wlan": self.wlan.state() if self.wlan else None,
        }

    def do_subscribe(self, kinds: list[str]) -> None:
        self._subscribed = set(kinds)

    def do_tap(self, card: str) -> None:
        reader = self._chip("present")
        reader.present(cards.make(card))
        self.board.tell("person", f"holds {card} to the reader")

    def do_remove(self) -> None:
        self._chip("present").remove()
        self.board.tell("person", "takes every card away")

    def do_wifi(self, up: bool, ssid: str | None) -> None:
        assert self.wlan
        self.wlan.set_up(up, ssid)

    def do_access_points(self, points: list[dict]) -> None:
        assert self.wlan
        self.wlan.access_points[:] = [AccessPoint(**point) for point in points]
        self.wlan.air_changed()

    def do_hosts(self, hosts: dict[str, list]) -> None:
        self.network.hosts = {name: (host, port) for name, (host, port) in hosts.items()}

    def do_drop_connections(self) -> None:
        self.network.drop_all()

    def do_press(self, key: str) -> None:
        self._chip("press").press(key)

    def do_release(self, key: str) -> None:
        self._chip("release").release(key)

    def do_hand(self, chip: str, act: str, arguments: dict) -> None:
        named = self.board.chips.get(chip)
        if named is None or act not in named.hands:
            raise CommandError(f"nobody can {act!r} a chip {chip!r}")
        getattr(named, act)(**arguments)

    def do_frame(self) -> tuple[dict, bytes]:
        chip = self._chip("frame")
        return {"width": chip.glass.width, "height": chip.glass.height}, chip.frame()

    def do_seen(self) -> dict:
        return self.board.seen()

    def do_console_write(self, text: str) -> None:
        if not self.firmware:
            raise CommandError("the firmware is not running")
        if self.prompt:
            self.prompt.typed(text.encode())
        else:
            self._type_in(text.encode())

    def do_console(self, since: int) -> dict:
        first = self.console.total - len(self.console.lines)
        return {"lines": list(self.console.lines)[max(0, since - first) :], "total": self.console.total}

    def do_power_on(self) -> None:
        self.power_on()

    def do_power_cut(self, after: int | None) -> None:
        if after is None:
            self.power_cut()
        elif after < 1:
            raise CommandError("after must be 1 or more")
        else:
            self.storage.cut_in = after

    def do_port(self) -> dict:
        return {"path": self._port().path, "link": str(self._port().link or ""), "taken": self._port().taken}

    def do_plug(self) -> None:
        self._cable = True
        if self.powered:
            self._port().plug()

    def do_unplug(self, after: int | None) -> None:
        if after is not None and after < 1:
            raise CommandError("after must be 1 or more")
        if not self._port().path:
            raise CommandError("no cable is plugged in")
        self._cable = after is not None
        self._port().unplug(after)

    def _port(self) -> SerialPort:
        if not self.port:
            raise CommandError("this bench has no serial port")
        return self.port

    def do_reset(self) -> None:
        if not self.powered:
            raise CommandError("the power is off")
        self.restart(HARD_RESET)

    def do_speed(self, speed: float) -> None:
        self.clock.set_speed(speed)
        base_us, base_real, thousandths = self.clock.state()
        self._event(EVENT.pack(Event.CLOCK, 0, 0, thousandths, base_us, base_real, 0))

    def do_counters(self) -> dict:
        counts = {name: dict(entry) for name, entry in self.board.counts.items()}
        return {**counts, "storage": self.storage.counters(), **self.network.counters()}

    def do_trace(self, since: int) -> list:
        return [entry for entry in self.board.traces if entry[0] > since]

    def do_violations(self) -> list[str]:
        return self.board.violations


def main(descriptor: int) -> None:
    """Serve the owner at the other end of this inherited descriptor."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is the owner's to handle
    control = socket.socket(fileno=descriptor)
    decoder = Decoder()
    greeting: list = []
    while not greeting:
        data = control.recv(1 << 16)
        if not data:
            return
        greeting = decoder.feed(data)
    try:
        server = Server(control, greeting[0][0])
    except Exception as e:  # noqa: BLE001 - the owner is told why there is no bench
        control.sendall(encode({"id": 0, "error": f"{type(e).__name__}: {e}"}))
        return
    control.sendall(encode({"id": 0, "result": None}))
    server.run()
