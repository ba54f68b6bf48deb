"""The screens on a 240×320 colour panel whose lower half is the keypad, whose keys say what they do just now."""

from micropython import const

from till.ui import layout_colour as _colour
from till.ui.layout_colour import ColourLayout

_STATUS = const(22)
_MARGIN = const(8)

# By their place in the palette of layout_colour.
_INK = const(0)
_PAPER = const(1)
_MIST = const(2)
_LINE = const(3)
_GREY = const(4)
_NAVY = const(5)
_SLATE = const(6)
_BLUE = const(7)
_GREEN = const(8)
_RED = const(10)
_AMBER = const(11)

# What is on the caps, row by row; the last of a row, and both sides of the zero, say what a screen has them do.
_DIGITS = ("123", "456", "789", " 0 ")
_LETTERS = ((".-@", "abc", "def"), ("ghi", "jkl", "mno"), ("pqrs", "tuv", "wxyz"), ("", "sp!?", ""))


class TouchLayout(ColourLayout):
    """ColourLayout in the rows that the keys leave. Bands have at most 80 rows."""

    words = "touch"

    def __init__(self, canvas, keys_height: int):
        super().__init__(canvas)
        self._bottom = canvas.height - keys_height
        self._key_height = keys_height // 4
        self._caps = ("", "", "", "")  # up, down, clear, menu
        self._wanted = ((_STATUS, self._bottom, None),)

    def speak(self, text) -> None:
        self._caps = ("↑", "↓", text("footer.clear"), text("footer.menu"))

    # Screens

    def idle(self, merchant, terminal_id, hint, second_hint, notice) -> None:
        foot = (126, self._bottom, TouchLayout._draw_block)
        foot += (notice, _RED, _PAPER, 1) if notice else (terminal_id, _GREY, _MIST, 1)
        self._put(
            (
                (_STATUS, 92, TouchLayout._draw_merchant, merchant),
                (92, 126, TouchLayout._draw_block, hint, _NAVY, _PAPER, 2),
                foot,
            ),
            "",
            "",
        )

    def amount(self, title, text, hint, zeros, clear, cancel, ok) -> None:
        self._put(
            (
                (_STATUS, 56, TouchLayout._draw_title, title),
                (56, 128, TouchLayout._draw_field, text),
                (128, self._bottom, TouchLayout._draw_block, hint, _GREY, _PAPER, 1),
            ),
            cancel,
            ok,
            zeros,
        )

    def present(self, title, amount, lights, prompt, cancel) -> None:
        self._wait(title, amount, lights, prompt, cancel)

    def processing(self, text, amount, lights) -> None:
        self._wait("", amount, lights, text, "")

    def _wait(self, title, amount, lights, text, cancel) -> None:
        self._put(
            (
                (_STATUS, 46, TouchLayout._draw_lights, lights),
                (46, 84, TouchLayout._draw_pair, title, amount, _GREY, _INK, _PAPER, 2),
                (84, self._bottom, TouchLayout._draw_block, text, _NAVY, _PAPER, 2),
            ),
            cancel,
            "",
        )

    def result(self, outcome, word, lines, amount, cancel, ok) -> None:
        ground, ink, _, _ = _colour._GROUNDS[outcome]
        text = "\n".join(lines)
        if outcome == "approved":
            bands = [
                (_STATUS, 74, TouchLayout._draw_block, word, ink, ground, 3),
                (74, 112, TouchLayout._draw_block, amount, ink, ground, 2),
                (112, self._bottom, TouchLayout._draw_lines, text, ink, ground, 1),
            ]
        else:
            # What to do now is what matters, and stands largest.
            split = 84 if len(lines) > 2 else 80
            bands = [
                (_STATUS, 60, TouchLayout._draw_block, word, ink, ground, 2),
                (60, split, TouchLayout._draw_block, amount, ink, ground, 1),
                (split, self._bottom, TouchLayout._draw_lines, text, ink, ground, 2),
            ]
        self._put(bands, cancel, ok)

    def message(self, kind, title, lines, cancel, ok) -> None:
        ground = _colour._KINDS[kind]
        ink = _INK if ground == _AMBER else _PAPER
        c = self._canvas
        split = 72 if len(c.font.balance(title, self._width - 2 * _MARGIN, 2)) == 1 else 92
        self._put(
            (
                (_STATUS, split, TouchLayout._draw_block, title, ink, ground, 2),
                (split, self._bottom, TouchLayout._draw_block, "\n".join(lines), _INK, _PAPER, 2),
            ),
            cancel,
            ok,
        )

    def confirm(self, title, rows, first, cancel, ok, more) -> int:
        """Returns the index of the first row that found no place."""
        bands, at = self._rows(title, rows, first, 56)
        self._put(bands, cancel, more if at < len(rows) else ok)
        return at

    def menu(self, title, items, selected, move, cancel, ok) -> None:
        self._put(self._items(title, items, selected, 56), cancel, ok)

    def entry(self, title, text, hint, mode, cancel, ok, mode_text) -> None:
        """In a `mode` the keys have letters, and the arrows move in the text."""
        self._put(
            (
                (_STATUS, 56, TouchLayout._draw_title, title),
                (56, 128, TouchLayout._draw_entry, text),
                (128, self._bottom, TouchLayout._draw_block, hint, _GREY, _PAPER, 1),
            ),
            cancel,
            ok,
            "←" if mode else "",
            "→" if mode else "",
            mode_text,
        )

    # Bands

    def _put(self, bands, cancel, ok, up="", down="", mode="") -> None:
        """Show `bands`, and below them the keypad; CANCEL and OK are dim where they do nothing."""
        caps = self._caps
        right = (up or caps[0], down or caps[1], caps[2], mode or caps[3])
        height = self._key_height
        y = self._bottom
        bands = list(bands)
        for row in range(4):
            left, third = (cancel, ok) if row == 3 else ("", "")
            letters = _LETTERS[row] if mode[:1] in ("a", "A") else ()
            if mode[:1] == "A":
                letters = tuple([text.upper() for text in letters])
            bands.append((y, y + height, TouchLayout._draw_keys, _DIGITS[row], left, third, right[row], letters))
            y += height
        self._show(bands)

    def _draw_pair(self, y0, y1, _draw, left, right, ink, large, paper, scale) -> None:
        """What is paid for, and how much of it."""
        c = self._canvas
        self._clear(y0, y1, paper)
        inner = self._width - 2 * _MARGIN
        room = inner - (c.font.width(left) + 8 if left else 0)
        scale = self._largest(right, room, scale)
        if not left:
            x = (self._width - c.font.width(right, scale)) // 2
        else:
            c.text(_MARGIN, (y0 + y1) // 2 - 8, left, ink, paper)
            x = self._width - _MARGIN - c.font.width(right, scale)
        c.text(x, (y0 + y1) // 2 - 8 * scale, right, large, paper, scale)

    def _draw_keys(self, y0, y1, _draw, digits, left, third, right, letters) -> None:
        c = self._canvas
        self._clear(y0, y1, _LINE)
        width = self._width // 4
        last = digits[0] == " "
        for column in range(4):
            x = column * width
            paper, ink, text = _PAPER, _INK, digits[column : column + 1]
            scale = 2
            if column == 3:
                paper, text, scale = _SLATE, right, 2 if right == "00" else 1
            elif last and column != 1:
                text, scale = (left, 1) if column == 0 else (third, 1)
                paper, ink = ((_RED if column == 0 else _GREEN), _PAPER) if text else (_MIST, _GREY)
            elif letters and letters[column]:
                text, scale = text + "\n" + letters[column], 1
            c.box(x + 2, y0 + 2, width - 4, y1 - y0 - 4, 6, paper)
            lines = []
            for part in text.split("\n") if text else ():
                lines.extend(c.font.balance(part, width - 8, scale))
            y = (y0 + y1) // 2 - 8 * scale * len(lines)
            for line in lines:
                c.text(x + (width - c.font.width(line, scale)) // 2, y, line, ink, paper, scale)
                y += 16 * scale
