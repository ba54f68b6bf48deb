"""The screens on a 240×320 colour panel, as columns of bands: a band that is as it was is neither drawn nor sent."""

from array import array

from micropython import const

from till.ui.bands import Bands

# Colours by their place in the palette.
_INK = const(0)
_PAPER = const(1)
_MIST = const(2)  # footers, key caps, fields
_LINE = const(3)
_GREY = const(4)  # second-rank text on paper
_NAVY = const(5)
_SLATE = const(6)  # second-rank text on navy; a light that is off
_BLUE = const(7)
_GREEN = const(8)
_LIGHT = const(9)  # a light that is on
_RED = const(10)
_AMBER = const(11)
_SHADE_GREEN = const(12)  # rims of round shapes on the ground of that name: halfway, so that they look smooth
_SHADE_RED = const(13)
_SHADE_AMBER = const(14)
_SKY = const(15)

PALETTE = (
    (0x101C28, 0xFFFFFF, 0xEDF1F4, 0xC8D2DA, 0x5A6A78, 0x12304A, 0x8FA6B8, 0x0B66B0)
    + (0x0A7A3C, 0x2FD07A, 0xB4231F, 0xF5B014, 0x6FB58C, 0xD68482, 0x83661E, 0xDCEBF7)
)  # fmt: skip

_STATUS = const(22)
_FOOTER = const(32)
_MARGIN = const(12)
_NARROW = const(8)  # for what fills a line: a block of large text, a field

# On a ground: its colour, text, second-rank text, the rim between ground and text.
_GROUNDS = {
    "approved": (_GREEN, _PAPER, _PAPER, _SHADE_GREEN),
    "declined": (_RED, _PAPER, _PAPER, _SHADE_RED),
    "unknown": (_AMBER, _INK, _INK, _SHADE_AMBER),
}
_KINDS = {"ok": _GREEN, "error": _RED, "warn": _AMBER, "info": _BLUE, "wait": _BLUE}

# Points from lists, which are let go: tuples of constants would stay in the heap.
_TICK = array("h", [-19, 1, -13, -5, -5, 3, 13, -15, 19, -9, -5, 15])
_CROSS_A = array("h", [-17, -11, -11, -17, 17, 11, 11, 17])
_CROSS_B = array("h", [11, -17, 17, -11, -11, 17, -17, 11])


class ColourLayout(Bands):
    """Draws what Screen asks for. Texts come ready in the chosen language; nothing here knows the catalogue.

    Bands have at most 96 rows.
    """

    blank = _PAPER

    def __init__(self, canvas):
        super().__init__(canvas, (0, _STATUS, ColourLayout._draw_status, "", "", "", "", False, ""))
        self._width = canvas.width
        self._bottom = canvas.height - _FOOTER

    def status(self, operator, link_text, link, pending_text, pending, clock) -> None:
        """The line that is always there. `link` is online, connecting or offline; `pending` whether any wait."""
        self._status = (0, _STATUS, ColourLayout._draw_status, operator, link_text, link, pending_text, pending, clock)
        self._show(self._wanted)

    # Screens

    def idle(self, merchant, terminal_id, hint, second_hint, notice) -> None:
        bottom = self._canvas.height
        self._show(
            (
                (_STATUS, 118, ColourLayout._draw_merchant, merchant),
                (118, 206, ColourLayout._draw_pictogram, _SKY),
                (206, 250, ColourLayout._draw_block, hint, _NAVY, _PAPER, 2),
                (250, bottom - _FOOTER, ColourLayout._draw_block, notice, _RED, _PAPER, 1),
                (bottom - _FOOTER, bottom, ColourLayout._draw_idle_foot, terminal_id, second_hint),
            )
        )

    def amount(self, title, text, hint, zeros, clear, cancel, ok) -> None:
        self._show(
            (
                (_STATUS, 70, ColourLayout._draw_title, title),
                (70, 166, ColourLayout._draw_field, text),
                (166, 206, ColourLayout._draw_block, hint, _GREY, _PAPER, 1),
                (206, self._bottom, ColourLayout._draw_hints, (("A", zeros), ("C", clear))),
                self._footer(cancel, ok),
            )
        )

    def present(self, title, amount, lights, prompt, cancel) -> None:
        self._show(
            (
                (_STATUS, 52, ColourLayout._draw_lights, lights),
                (52, 136, ColourLayout._draw_amount, title, amount),
                (136, 214, ColourLayout._draw_pictogram, _PAPER),
                (214, self._bottom, ColourLayout._draw_block, prompt, _NAVY, _PAPER, 2),
                self._footer(cancel, ""),
            )
        )

    def processing(self, text, amount, lights) -> None:
        self._show(
            (
                (_STATUS, 52, ColourLayout._draw_lights, lights),
                (52, 136, ColourLayout._draw_amount, "", amount),
                (136, 214, ColourLayout._draw_hourglass),
                (214, self._bottom, ColourLayout._draw_block, text, _NAVY, _PAPER, 2),
                self._footer("", ""),
            )
        )

    def result(self, outcome, word, lines, amount, cancel, ok) -> None:
        ground, ink, _, _ = _GROUNDS[outcome]
        split = 210 if len(lines) < 3 else 194
        self._show(
            (
                (_STATUS, 106, ColourLayout._draw_sign, outcome),
                (106, 158, ColourLayout._draw_block, word, ink, ground, 3),
                (158, split, ColourLayout._draw_block, amount, ink, ground, 3),
                (split, self._bottom, ColourLayout._draw_lines, "\n".join(lines), ink, ground, 2),
                self._footer(cancel, ok),
            )
        )

    def message(self, kind, title, lines, cancel, ok) -> None:
        self._show(
            (
                (_STATUS, 112, ColourLayout._draw_badge, kind),
                (112, 192, ColourLayout._draw_block, title, _INK, _PAPER, 2),
                (192, self._bottom, ColourLayout._draw_lines, "\n".join(lines), _GREY, _PAPER, 2),
                self._footer(cancel, ok),
            )
        )

    def confirm(self, title, rows, first, cancel, ok, more) -> int:
        """Returns the index of the first row that found no place."""
        bands, at = self._rows(title, rows, first, 66)
        bands.append(self._footer(cancel, more if at < len(rows) else ok))
        self._show(bands)
        return at

    def menu(self, title, items, selected, move, cancel, ok) -> None:
        bands = self._items(title, items, selected, 68)
        bands.append(self._footer(cancel, ok, move))
        self._show(bands)

    def entry(self, title, text, hint, mode, cancel, ok, mode_text) -> None:
        self._show(
            (
                (_STATUS, 70, ColourLayout._draw_title, title),
                (70, 166, ColourLayout._draw_entry, text),
                (166, 250, ColourLayout._draw_block, hint, _GREY, _PAPER, 1),
                (250, self._bottom, None),
                self._footer(cancel, ok, mode_text, "D") if mode else self._footer(cancel, ok),
            )
        )

    # Bands

    def _footer(self, left, right, middle="", middle_cap="A B"):
        return (self._bottom, self._canvas.height, ColourLayout._draw_footer, left, right, middle, middle_cap)

    def _rows(self, title, rows, first, y) -> tuple:
        """Bands of the title, down to `y`, and of the rows from `first` on; and the first row that found no place."""
        bands: list = [(_STATUS, y, ColourLayout._draw_title, title)]
        at = first
        while at < len(rows):
            label, value = rows[at]
            height = self._row_height(label, value)
            if y + height > self._bottom:
                break
            bands.append((y, y + height, ColourLayout._draw_row, label, value))
            y += height
            at += 1
        bands.append((y, self._bottom, None))
        return bands, at

    def _items(self, title, items, selected, y) -> list:
        """Bands of the title, down to `y`, and of as many items as find room, the selected one among them."""
        pitch = 24
        room = (self._bottom - y) // pitch
        first = max(0, min(selected - room // 2, len(items) - room))
        bands: list = [(_STATUS, y, ColourLayout._draw_title, title)]
        for i in range(first, min(first + room, len(items))):
            digit = str(i + 1) if i < 9 else ""
            more = "↑" if i == first and first else "↓" if i == first + room - 1 and i + 1 < len(items) else ""
            bands.append((y, y + pitch, ColourLayout._draw_item, digit, items[i], i == selected, more))
            y += pitch
        bands.append((y, self._bottom, None))
        return bands

    def _row_height(self, label, value) -> int:
        font = self._canvas.font
        inner = self._width - 2 * _MARGIN
        if font.width(label) + 8 + font.width(value) <= inner:
            return 24
        return 24 + 18 * len(self._canvas.font.wrap(value, inner))

    def _clear(self, y0, y1, colour) -> None:
        self._canvas.rect(0, y0, self._width, y1 - y0, colour)

    def _draw_status(self, y0, y1, _draw, operator, link_text, link, pending_text, pending, clock) -> None:
        c = self._canvas
        self._clear(y0, y1, _NAVY)
        y = y0 + 3
        clock_x = self._width - 4 - c.font.width(clock)
        c.text(clock_x, y, clock, _PAPER, _NAVY)
        x = c.text(4, y, c.font.fit(operator, 64), _PAPER, _NAVY)
        # What is left is shared out between three gaps.
        used = 10 + c.font.width(link_text) + c.font.width(pending_text)
        gap = max(4, (clock_x - x - used) // 3)
        x += gap
        if link:  # a terminal that is starting, or cannot, has none
            c.disc(x + 3, y + 8, 3, {"online": _LIGHT, "connecting": _AMBER}.get(link, _SHADE_RED))
        x = c.text(x + 10, y, link_text, _PAPER, _NAVY) + gap
        if pending:
            c.box(x - 3, y0 + 2, c.font.width(pending_text) + 6, 18, 4, _AMBER)
            c.text(x, y, pending_text, _INK, _AMBER)
        else:
            c.text(x, y, pending_text, _SLATE, _NAVY)

    def _draw_block(self, y0, y1, _draw, text, ink, paper, scale) -> None:
        """Centred text in both directions, at the largest size up to `scale` at which all of it fits."""
        self._clear(y0, y1, paper)
        if text:
            self._text_block(y0, y1, text, ink, paper, scale)

    def _draw_lines(self, y0, y1, _draw, text, ink, paper, scale) -> None:
        """As `_draw_block`, but a line is rather drawn smaller than broken, and a third one small at the bottom."""
        self._clear(y0, y1, paper)
        if text:
            lines = text.split("\n")
            if len(lines) == 3:
                y1 -= 20
                self._text_block(y1 - 2, y1 + 18, lines.pop(), ink, paper, 1)
            while scale > 1 and self._canvas.width - 2 * _NARROW < max(
                [self._canvas.font.width(line, scale) for line in lines]
            ):
                scale -= 1
            self._text_block(y0, y1, "\n".join(lines), ink, paper, scale)

    def _text_block(self, y0, y1, text, ink, paper, scale) -> None:
        c = self._canvas
        inner = self._width - 2 * _NARROW
        while True:
            lines = []
            for part in text.split("\n"):
                lines.extend(c.font.balance(part, inner, scale))
            pitch = 16 * scale + 4
            if scale == 1 or (len(lines) * pitch - 4 <= y1 - y0 and c.font.widest(text, scale) <= inner):
                break
            scale -= 1
        room = max(1, (y1 - y0 + 4) // pitch)
        if len(lines) > room:
            lines = lines[: room - 1] + [c.font.fit(" ".join(lines[room - 1 :]), inner, scale)]
        y = y0 + (y1 - y0 - (len(lines) * pitch - 4)) // 2
        for line in lines:
            c.text((self._width - c.font.width(line, scale)) // 2, y, line, ink, paper, scale)
            y += pitch

    def _largest(self, text, width, most) -> int:
        """The largest scale up to `most` at which `text` is at most `width` pixels wide."""
        while most > 1 and self._canvas.font.width(text, most) > width:
            most -= 1
        return most

    def _draw_title(self, y0, y1, _draw, title) -> None:
        c = self._canvas
        self._clear(y0, y1, _PAPER)
        inner = self._width - 12 - 2
        scale = self._largest(title, inner, 2)
        y = (y0 + y1) // 2
        c.rect(4, y - 13, 4, 26, _BLUE)
        c.text(12, y - 8 * scale, c.font.fit(title, inner, scale), _NAVY, _PAPER, scale)

    def _draw_merchant(self, y0, y1, _draw, merchant) -> None:
        self._clear(y0, y1, _SKY)
        self._text_block(y0, y1, merchant, _NAVY, _SKY, 2)

    def _draw_idle_foot(self, y0, y1, _draw, terminal_id, hint) -> None:
        c = self._canvas
        self._clear(y0, y1, _MIST)
        c.rect(0, y0, self._width, 1, _LINE)
        y = y0 + 8
        c.text(_MARGIN, y, terminal_id, _GREY, _MIST)
        c.text(self._width - _MARGIN - c.font.width(hint), y, hint, _GREY, _MIST)

    def _draw_field(self, y0, y1, _draw, text) -> None:
        """The amount being keyed in: as large as it fits, its end at the right as on a calculator."""
        c = self._canvas
        self._clear(y0, y1, _PAPER)
        c.box(4, y0 + 4, self._width - 8, y1 - y0 - 8, 8, _MIST)
        inner = self._width - 2 * _NARROW
        scale = self._largest(text, inner, 4)
        text = c.font.fit(text, inner, scale)
        x = self._width - _NARROW - c.font.width(text, scale)
        c.text(x, (y0 + y1) // 2 - 8 * scale, text, _INK, _MIST, scale)

    def _draw_entry(self, y0, y1, _draw, text) -> None:
        """Text being keyed in: its end and the cursor are always in view."""
        c = self._canvas
        self._clear(y0, y1, _PAPER)
        c.box(4, y0 + 4, self._width - 8, y1 - y0 - 8, 8, _MIST)
        inner = self._width - 2 * _NARROW - 16
        scale = 2 if c.font.width(text, 2) + 16 <= 2 * inner else 1
        lines = [""]
        for letter in text:  # not at words: every character counts in a password
            if c.font.width(lines[-1] + letter, scale) > inner - 8 * scale:
                lines.append("")
            lines[-1] += letter
        lines = lines[-(2 if scale == 2 else 4) :]
        pitch = 16 * scale + 4
        y = (y0 + y1) // 2 - (len(lines) * pitch - 4) // 2
        x = 0
        for line in lines:
            x = c.text(_NARROW + 8, y, line, _INK, _MIST, scale)
            y += pitch
        c.rect(x + 2, y - pitch, 2 * scale, 16 * scale, _BLUE)

    def _draw_hints(self, y0, y1, _draw, hints) -> None:
        """What the letter keys do here, side by side."""
        c = self._canvas
        self._clear(y0, y1, _PAPER)
        column = (self._width - 2 * _MARGIN) // len(hints)
        y = (y0 + y1) // 2
        x = _MARGIN
        for cap, text in hints:
            self._key_cap(x, y - 11, cap, _GREY)
            c.text(x + 28, y - 8, text, _GREY, _PAPER)
            x += column

    def _draw_lights(self, y0, y1, _draw, lights) -> None:
        """The four lights of a contactless reader (EMV Book A §9.2): from the left, green."""
        c = self._canvas
        self._clear(y0, y1, _NAVY)
        width, gap = 40, 14
        x = (self._width - 4 * width - 3 * gap) // 2
        y = (y0 + y1) // 2 - 6
        for n in range(4):
            on = n < lights
            c.box(x, y, width, 12, 5, _LIGHT if on else _SLATE)
            if not on:
                c.box(x + 2, y + 2, width - 4, 8, 3, _NAVY)
            x += width + gap

    def _draw_amount(self, y0, y1, _draw, title, amount) -> None:
        c = self._canvas
        self._clear(y0, y1, _PAPER)
        inner = self._width - 2 * _NARROW
        scale = self._largest(amount, inner, 4)
        top = 20 if title else 0
        if title:
            c.text((self._width - c.font.width(title)) // 2, y0 + 3, title, _GREY, _PAPER)
        y = y0 + top + (y1 - y0 - top - 16 * scale) // 2
        c.text(
            (self._width - c.font.width(amount, scale)) // 2, y, c.font.fit(amount, inner, scale), _INK, _PAPER, scale
        )

    def _draw_pictogram(self, y0, y1, _draw, paper) -> None:
        """A card and a phone, brought to a reader between them."""
        c = self._canvas
        self._clear(y0, y1, paper)
        y = (y0 + y1) // 2
        # The card.
        c.box(14, y - 22, 66, 44, 6, _BLUE)
        c.rect(14, y - 13, 66, 8, _NAVY)
        c.box(22, y + 3, 14, 11, 3, _AMBER)
        c.rect(44, y + 6, 26, 2, _PAPER)
        c.rect(44, y + 11, 18, 2, _PAPER)
        # The reader.
        c.box(112, y - 28, 38, 56, 6, _NAVY)
        c.box(117, y - 22, 28, 20, 2, _LIGHT)
        for row in range(3):
            for column in range(3):
                c.rect(118 + 10 * column, y + 3 + 7 * row, 6, 4, _SLATE)
        # The phone.
        c.box(184, y - 33, 40, 66, 7, _NAVY)
        c.box(188, y - 26, 32, 48, 2, _SKY if paper == _PAPER else _PAPER)
        c.rect(198, y + 26, 12, 2, _SLATE)
        c.disc(204, y - 2, 9, _BLUE)
        c.rect(200, y - 3, 9, 3, _PAPER)
        # The way.
        c.polygon(88, y, array("h", [0, -8, 12, 0, 0, 8]), _BLUE)
        c.polygon(162, y, array("h", [12, -8, 0, 0, 12, 8]), _BLUE)

    def _draw_hourglass(self, y0, y1, _draw) -> None:
        c = self._canvas
        self._clear(y0, y1, _PAPER)
        x, y = self._width // 2, (y0 + y1) // 2
        c.box(x - 21, y - 32, 42, 7, 3, _NAVY)
        c.box(x - 21, y + 26, 42, 7, 3, _NAVY)
        c.polygon(
            x,
            y,
            array("h", [-16, -25, 16, -25, 16, -18, 3, 0, 16, 18, 16, 25, -16, 25, -16, 18, -3, 0, -16, -18]),
            _SKY,
        )
        c.polygon(x, y, array("h", [-10, -12, 10, -12, 1, 0, -1, 0]), _BLUE)
        c.polygon(x, y, array("h", [0, 6, 12, 20, 12, 25, -12, 25, -12, 20]), _BLUE)

    def _draw_sign(self, y0, y1, _draw, outcome) -> None:
        """Tick, cross or question mark in a circle, on the colour of the outcome."""
        ground, ink, _, rim = _GROUNDS[outcome]
        self._clear(y0, y1, ground)
        self._sign(self._width // 2, (y0 + y1) // 2 + 3, 35, outcome, ink, ground, rim)

    def _sign(self, x, y, radius, outcome, disc, mark, rim) -> None:
        c = self._canvas
        c.disc(x, y, radius + 1, rim)
        c.disc(x, y, radius, disc)
        if outcome == "approved":
            c.polygon(x, y, _TICK, mark)
        elif outcome == "declined":
            c.polygon(x, y, _CROSS_A, mark)
            c.polygon(x, y, _CROSS_B, mark)
        else:
            c.text(x - 16, y - 31, "?", mark, disc, 4)

    def _draw_badge(self, y0, y1, _draw, kind) -> None:
        c = self._canvas
        self._clear(y0, y1, _PAPER)
        x, y = self._width // 2, (y0 + y1) // 2 + 4
        colour = _KINDS[kind]
        if kind == "ok":
            self._sign(x, y, 30, "approved", colour, _PAPER, _SHADE_GREEN)
            return
        if kind == "error":
            self._sign(x, y, 30, "declined", colour, _PAPER, _SHADE_RED)
            return
        if kind == "wait":
            self._dots(x, y)
            return
        if kind == "warn":
            c.polygon(x, y, array("h", [0, -32, 36, 28, -36, 28]), colour)
            c.rect(x - 3, y - 10, 6, 20, _INK)
            c.rect(x - 3, y + 15, 6, 6, _INK)
            return
        c.disc(x, y, 30, colour)
        c.rect(x - 3, y - 17, 7, 7, _PAPER)
        c.rect(x - 3, y - 5, 7, 24, _PAPER)

    def _dots(self, x, y) -> None:
        for n, colour in ((-1, _NAVY), (0, _BLUE), (1, _SLATE)):
            self._canvas.disc(x + 28 * n, y, 9, colour)

    def _draw_row(self, y0, y1, _draw, label, value) -> None:
        c = self._canvas
        self._clear(y0, y1, _PAPER)
        inner = self._width - 2 * _MARGIN
        c.text(_MARGIN, y0 + 4, label, _GREY, _PAPER)
        if y1 - y0 == 24:
            c.text(self._width - _MARGIN - c.font.width(value), y0 + 4, value, _INK, _PAPER)
        else:
            y = y0 + 22
            for line in c.font.wrap(value, inner):
                c.text(_MARGIN, y, line, _INK, _PAPER)
                y += 18
        c.rect(_MARGIN, y1 - 1, inner, 1, _LINE)

    def _draw_item(self, y0, y1, _draw, digit, text, selected, more) -> None:
        c = self._canvas
        self._clear(y0, y1, _PAPER)
        paper, ink = (_BLUE, _PAPER) if selected else (_PAPER, _INK)
        if selected:
            c.box(_NARROW - 2, y0, self._width - 2 * _NARROW + 4, y1 - y0, 6, _BLUE)
        if digit:
            c.text(_MARGIN + 6, y0 + 4, digit, ink if selected else _BLUE, paper)
        inner = self._width - 2 * _MARGIN - 44
        c.text(_MARGIN + 26, y0 + 4, c.font.fit(text, inner), ink, paper)
        if more:
            c.text(self._width - _MARGIN - 16, y0 + 4, more, ink if selected else _SLATE, paper)

    def _key_cap(self, x, y, cap, colour) -> int:
        """A key as it looks on the pad, 22 pixels high; returns the x behind it."""
        c = self._canvas
        width = c.font.width(cap) + 14
        c.box(x, y, width, 22, 5, colour)
        c.text(x + 7, y + 3, cap, _PAPER, colour)
        return x + width

    def _draw_footer(self, y0, y1, _draw, left, right, middle, middle_cap) -> None:
        c = self._canvas
        self._clear(y0, y1, _MIST)
        c.rect(0, y0, self._width, 1, _LINE)
        y = y0 + 5
        if left:
            c.text(self._key_cap(6, y, "*", _RED) + 6, y + 3, left, _INK, _MIST)
        if right:
            x = self._width - 6 - c.font.width(right)
            c.text(x, y + 3, right, _INK, _MIST)
            self._key_cap(x - 28, y, "#", _GREEN)
        if middle:
            width = c.font.width(middle) + 6 + c.font.width(middle_cap) + 14
            x = (self._width - width) // 2
            c.text(self._key_cap(x, y, middle_cap, _GREY) + 6, y + 3, middle, _GREY, _MIST)
