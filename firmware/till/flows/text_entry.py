"""Keying text on twelve keys: each digit key gives its letters in turn, as on a telephone."""

from micropython import const

from till.core.errors import Cancelled
from till.ui.counter import CLEAR_ALL

_PATIENCE_MS = const(90000)
_LETTER_MS = const(1100)  # after which the same key begins a new letter
_HELD_MS = const(400)  # from then on MENU shows the text instead of changing the mode
_LOOK_MS = const(50)

_MODES = ("abc", "ABC", "123")
# What a key gives, in turn, in the mode abc; ABC is the same in capitals, 123 the digit alone.
_TAPS = (
    " 0!\"#$%&'()*+,;<=>?[\\]^`{|}~",
    "1.-_@/:",
    "abc2",
    "def3",
    "ghi4",
    "jkl5",
    "mno6",
    "pqrs7",
    "tuv8",
    "wxyz9",
)
_DOT = "•"
_HERE = "│"


class Typing:
    """What has been typed: `text`, the `cursor` in it, and whether the letter before it may still change."""

    def __init__(self, most: int):
        self.text = ""
        self.cursor = 0
        self.mode = 0
        self._most = most
        self._key = ""  # whose letters are being gone through
        self._turn = 0

    @property
    def open(self) -> bool:
        """Whether another tap on the same key changes the letter before the cursor."""
        return self._key != ""

    def settle(self) -> None:
        """The letter before the cursor stays as it is."""
        self._key = ""

    def tap(self, digit: str) -> bool:
        """A digit key; False when there is no room for another letter."""
        letters = digit if self.mode == 2 else _TAPS[int(digit)]
        again = digit == self._key and len(letters) > 1
        if not again and len(self.text) >= self._most:
            return False
        self._turn = (self._turn + 1) % len(letters) if again else 0
        letter = letters[self._turn]
        if self.mode == 1:
            letter = letter.upper()
        start = self.cursor - 1 if again else self.cursor
        self.text = self.text[:start] + letter + self.text[self.cursor :]
        self.cursor = start + 1
        self._key = digit if len(letters) > 1 else ""
        return True

    def move(self, by: int) -> None:
        """The cursor goes one to the left (-1) or to the right (1)."""
        self.settle()
        self.cursor = min(max(self.cursor + by, 0), len(self.text))

    def delete(self) -> None:
        """Take away the letter before the cursor."""
        self.settle()
        if self.cursor:
            self.text = self.text[: self.cursor - 1] + self.text[self.cursor :]
            self.cursor -= 1

    def clear(self) -> None:
        """Take away everything."""
        self.settle()
        self.text = ""
        self.cursor = 0

    def change_mode(self) -> None:
        """abc, ABC, 123, and from the start."""
        self.settle()
        self.mode = (self.mode + 1) % len(_MODES)

    def shown(self, plain: bool) -> str:
        """For the screen: dots, but for a letter that is being chosen; `plain`: as it is. The cursor, where it is not
        at the end."""
        text = self.text
        if not plain:
            dots = _DOT * len(text)
            at = self.cursor - 1
            text = dots[:at] + text[at] + dots[at + 1 :] if self.open else dots
        return text if self.cursor == len(text) else text[: self.cursor] + _HERE + text[self.cursor :]


async def enter_secret(counter, title_key: str, hint: str, least: int, most: int) -> str:
    """Text of `least` to `most` characters, in dots; MENU held shows it. Cancelled by CANCEL, or after 90 s."""
    typing = Typing(most)
    hint += "\n" + counter.screen.text("screen.reveal_hint")
    show = counter.screen.entry
    while True:
        show(title_key, typing.shown(False), hint, False, _MODES[typing.mode])
        key = await counter.key(_LETTER_MS if typing.open else _PATIENCE_MS)
        if key is None and typing.open:
            typing.settle()
        elif key is None or key == "CANCEL":
            raise Cancelled()
        elif key == "OK":
            if len(typing.text) >= least:
                return typing.text
            counter.buzzer.alert()
        elif key == "MENU":
            if await _held(counter, key):
                typing.settle()
                show(title_key, typing.shown(True), hint, False, _MODES[typing.mode])
                while counter.held(key):
                    await counter.pause(_LOOK_MS)
            else:
                typing.change_mode()
        elif key == "CLEAR":
            typing.delete()
        elif key == CLEAR_ALL:
            typing.clear()
        elif key in ("UP", "DOWN"):
            typing.move(-1 if key == "UP" else 1)
        elif not typing.tap(key):
            counter.buzzer.alert()


async def _held(counter, key: str) -> bool:
    while 0 < counter.held(key) < _HELD_MS:
        await counter.pause(_LOOK_MS)
    return counter.held(key) > 0
