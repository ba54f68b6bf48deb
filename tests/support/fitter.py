"""A technician with both hands at a fresh board, for `microtill doctor --hardware`: does what it says, in English."""

import threading
import time

from microtill.bench.client import Bench
from PIL import Image, ImageChops, ImageOps

NAMES = {"A": "UP", "B": "DOWN", "C": "CLEAR", "D": "MENU", "*": "CANCEL", "#": "OK"}
DRAWN = {"↑": "UP", "↓": "DOWN", "删除": "CLEAR", "菜单": "MENU", "取消": "CANCEL", "确认": "OK"}
"""What drawn keys say on a terminal that speaks Chinese."""

_FAST = 4.0  # nobody's finger is on a key


class Fitter:
    """Presses the key it is told, looks at the panel and the lights, listens, holds a card.

    `good`: the test picture as it should be. Answers are typed; with `by_keys` they are pressed at the terminal, whose
    keypad is a `matrix` or gives names.
    """

    def __init__(self, bench: Bench, good: Image.Image | None = None, by_keys: bool = False, matrix: bool = True):
        self.bench = bench
        self.good = good
        self.asked: list[str] = []
        self.picture: Image.Image | None = None
        self._by_keys = by_keys
        self._matrix = matrix
        self._typed: list[str] = []
        self._hand: threading.Thread | None = None
        self._leaves = False

    def told(self, text: str) -> None:
        """Do what `text` wants."""
        self.asked.append(text)
        self.rest()
        alone = text.startswith(("Scanning", "Testing", "Hold a card"))
        pressing = text.startswith(("Press ", "Hands off")) or (self._by_keys and not alone)
        self.bench.set_speed(1.0 if pressing else _FAST)
        if text.startswith("Press "):
            cap = text.split()[1].rstrip(":")
            self._press(NAMES.get(cap) or DRAWN.get(cap) or cap)
        elif text.startswith("Look at the panel"):
            self.picture = self.bench.frame()
            self._answer(self._judge(self.picture))
        elif text.startswith("Is there a picture"):
            self._answer("#" if self.bench.frame().getbbox() else "*")
        elif text.startswith("Heard "):
            self._answer("#")
        elif text.startswith(("4 ", "Is it ")):
            self._answer("#" if self._lit(text) else "*")
        elif text.startswith("Hold a card"):
            self.bench.tap("visa")

    def answered(self) -> str | None:
        """As `Person`."""
        return self._typed.pop(0) if self._typed else None

    def rest(self) -> None:
        """Until the hands have done what they were told, once."""
        self._leaves = True
        if self._hand:
            self._hand.join()
        self._leaves = False

    def _answer(self, cap: str) -> None:
        if self._by_keys:
            self._press(NAMES.get(cap, cap))
        else:
            self._typed.append({"#": "", "*": "n"}.get(cap, cap))

    def _lit(self, text: str) -> bool:
        lights = self.bench.seen()["leds"]["lights"]
        return all((light[1] > 0, light[0] > 0) == ("green" in text, "red" in text) for light in lights)

    def _press(self, key: str) -> None:
        self._hand = threading.Thread(target=self._hold, args=(key,))
        self._hand.start()

    def _hold(self, key: str) -> None:
        asked = len(self.asked)
        if self._matrix and self.asked[-1].startswith("Press "):
            for _ in range(3):  # again, as anybody would, when nothing comes of it
                self._touch(key)
                deadline = time.monotonic() + 2
                while len(self.asked) == asked and not self._leaves and time.monotonic() < deadline:
                    time.sleep(0.005)
                if len(self.asked) > asked or self._leaves:
                    return
            return
        # Until it clicks, or until something else is wanted: while another tone sounds there is no click.
        clicks, since = self._clicks(), self.bench.now_us()
        self.bench.press(key)
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and len(self.asked) == asked:
            if self.bench.now_us() - since > 100_000 and self._clicks() > clicks:
                break
            time.sleep(0.005)
        self.bench.release(key)
        since = self.bench.now_us()
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            if self.bench.now_us() - since > 60_000 and self.bench.seen()["keypad"]["rests"]:
                return
            time.sleep(0.005)

    def _touch(self, key: str) -> None:
        # The rows are all selected while the terminal only waits; it looks at contacts with them let go.
        deadline = time.monotonic() + 3
        while self.bench.seen()["keypad"]["rests"] and time.monotonic() < deadline:
            time.sleep(0.005)
        self.bench.key(key, hold_ms=170, gap_ms=20)

    def _clicks(self) -> int:
        return self.bench.seen()["buzzer"]["tones"]

    def _judge(self, seen: Image.Image) -> str:
        if not seen.getbbox():
            return "7" if self.bench.counters()["panel"]["bytes"] else "8"
        good = self.good or seen
        blue, green, red = seen.split()[::-1]
        for answer, right in (
            ("1", seen),
            ("2", ImageOps.mirror(seen)),
            ("3", seen.rotate(180)),
            ("4", ImageOps.invert(seen)),
            ("5", Image.merge("RGB", (blue, green, red))),
            ("6", ImageChops.offset(seen, -8, 0)),
        ):
            if not ImageChops.difference(right, good).getbbox():
                return answer
        return "7"
