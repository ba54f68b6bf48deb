"""A world for one terminal: the bench with the real firmware, an acquirer, and the way from blank to provisioned."""

import time
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from microtill.acquirer.process import HOST as ACQUIRER_HOST
from microtill.acquirer.process import AcquirerProcess
from microtill.bench import reading
from microtill.bench.client import Bench
from microtill.device.console import Console
from microtill.device.desk import Acquirer
from microtill.device.provisioning import ConsoleLink, Wishes, provision
from microtill.device.texts import t
from microtill.device.watch import Quiet
from microtill.device.wifi_file import Network
from microtill.simulator.texts import short, texts

NETWORK = "till-demo"
PASSWORD = "demo-network-password"  # of a network that exists on the bench only


class World:
    """Use as a context manager: leaving it ends all processes.

    `acquirer=False`: a terminal alone; one that runs already is used and left running. `state`: folder of the
    terminal's flash (None: forgotten at the end). `data_dir`: the acquirer's (None: a fresh one with the demo
    merchant). `heap`: the terminal's, bytes beside the image. `unique_id`: of its
    microcontroller, 12 hex digits. `serial`: as `Bench`'s. The cards belong
    to the acquirer's test issuers: their counters are kept beside its database.
    """

    def __init__(
        self,
        *,
        board: str = "TILL_ESP32S3",
        state: Path | None = None,
        acquirer: bool | AcquirerProcess = True,
        data_dir: Path | None = None,
        speed: float = 1.0,
        image: Path | None = None,
        heap: int | None = None,
        unique_id: str = "02005e100001",
        serial: bool | Path = False,
    ):
        self.acquirer: AcquirerProcess | None = acquirer if isinstance(acquirer, AcquirerProcess) else None
        self._own_acquirer = acquirer is True
        self._bench: Bench | None = None
        try:
            if acquirer is True:
                self.acquirer = AcquirerProcess(data_dir)
            self._bench = Bench(
                board,
                image=image,
                state=state,
                speed=speed,
                hosts=self.acquirer.hosts if self.acquirer else {},
                access_points=[{"ssid": NETWORK, "password": PASSWORD}],
                heap=heap,
                unique_id=unique_id,
                serial=serial,
                cards=self.acquirer.home.path / "cards.json" if self.acquirer else None,
            )
        except BaseException:
            self.stop()
            raise
        self.console = Console(self.bench.console_write, self.bench.console_lines)

    @property
    def bench(self) -> Bench:
        assert self._bench
        return self._bench

    def stop(self) -> None:
        """End the terminal, and the acquirer that was started for it."""
        if self._bench:
            self._bench.stop()
        if self.acquirer and self._own_acquirer:
            self.acquirer.stop()

    def __enter__(self) -> "World":
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def provision(self, say: Callable[[str], None] = lambda line: None) -> None:
        """Make the blank terminal the demo merchant's, by the ticket path, pressing OK where the terminal asks."""
        assert self.acquirer
        desk = Acquirer(
            url=f"https://{ACQUIRER_HOST}:{self.acquirer.port}",
            ca_pem=self.acquirer.home.ca.certificate_pem.decode(),
            session=self.acquirer.session,
            sni=self.acquirer.home.config.hosts[0],
        )

        asked = False

        def press() -> None:
            nonlocal asked
            shown = self.shows(*texts("screen.trust"), *texts("screen.ticket"))
            asked = asked or shown
            # A small panel shows what it asks on several pages, and its title on the first of them.
            if shown or (asked and self.turns_pages()):
                self.key("OK")

        wishes = Wishes(
            self.acquirer.tid,
            trust=self.acquirer.trust,
            networks=[Network(NETWORK, PASSWORD)],
            prove=False,  # who plays with this world waits for the connection when it wants one
            waiting=press,
        )
        with desk:
            provision(ConsoleLink(self.console), desk, wishes, _Teller(say))

    def shows(self, *wanted: str) -> bool:
        """Whether any of `wanted` is on the panel; on a small one, in the words it has for them."""
        frame = self.bench.frame()
        pixels = frame.tobytes()
        if is_small(frame):
            wanted = tuple(word for text in wanted for word in (text, *short(text)))
        return any(reading.contains(pixels, text, frame.width) for text in wanted)

    def turns_pages(self) -> bool:
        """Whether the panel is so small that a text may be on a page that comes up in a moment."""
        return is_small(self.bench.frame())

    def read_screen(self) -> list[str]:
        """The lines of text on the panel, read from its pixels, top to bottom."""
        frame = self.bench.frame()
        return [line[3] for line in reading.read_lines(frame.tobytes(), frame.width)]

    def wait_at_rest(self, timeout: float = 30.0) -> None:
        """Until the idle screen shows and the terminal is connected to its acquirer."""
        self.bench.wait(lambda: self.shows(*texts("screen.idle")), "the idle screen", timeout)
        if self.acquirer:
            self.bench.wait(lambda: self.shows(*texts("status.online")), "the connection", timeout)

    def key(self, *keys: str) -> None:
        """Press keys one after the other, as a person does: each is held until it clicks, at least 80 ms.

        A terminal that makes no sound, or does not look at its keys, is given up after a second and a half; one
        without power at once.
        """
        for key in keys:
            self.press(key)
            self.bench.release(key)
            self._after(60, lambda: self.bench.seen()["keypad"]["rests"])

    def press(self, key: str) -> None:
        """Push a key down and leave it there, once the terminal has clicked; given up as `key` is.

        A terminal that was busy when the last key went up must have seen that first: else it is the same press to it.
        """
        self._after(0, lambda: self.bench.seen()["keypad"]["rests"])
        clicks = self._tones()
        self.bench.press(key)
        self._after(80, lambda: self._tones() > clicks)

    def _tones(self) -> int:
        return self.bench.seen()["buzzer"]["tones"]

    def _after(self, least_ms: int, holds: Callable[[], bool]) -> None:
        start = self.bench.now_us()
        while True:
            passed = self.bench.now_us() - start
            if passed >= 1_500_000 or (passed >= least_ms * 1000 and holds()) or not self.bench.state()["powered"]:
                return
            time.sleep(0.005)

    def set_language(self, language: str) -> None:
        """By the menu, as a person does it; the terminal must be at rest."""
        self.key("MENU", "3", "1" if language == "zh" else "2")

    def save_screen(self, path: Path, scale: int = 1) -> None:
        """The panel as PNG, each pixel `scale` wide."""
        path.parent.mkdir(parents=True, exist_ok=True)
        frame = self.bench.frame()
        frame.resize((frame.width * scale, frame.height * scale), 0).save(path)


def is_small(frame: Image.Image) -> bool:
    """Whether a panel shows the catalogue's short words, and turns pages."""
    return frame.width < 240


class _Teller(Quiet):
    """Tells the steps of a provisioning."""

    def __init__(self, say: Callable[[str], None]):
        self._say = say

    def stage(self, text: str, **fields: object) -> None:
        self._say(t(text, "en", **fields))

    ask = stage
