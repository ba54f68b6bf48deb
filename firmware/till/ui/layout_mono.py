"""The screens on a 128×64 mono panel: the status line and three lines below it, that turn over if there are more."""

from micropython import const

from till.ui.bands import Bands

_LINE = const(16)
_ROOM = const(3)  # lines below the status line
_TURN = const(4)  # the status line is set twice a second: a page stands for two

_LEFT = const(0)
_CENTRE = const(1)


class MonoLayout(Bands):
    """Draws what Screen asks for. Texts come ready in the chosen language, in the short words that mono panels have.

    A screen is one or more pages of rows `(lines it takes, method that draws it, its arguments…)`. Nothing is cut: what
    finds no room on a page is on the next one.
    """

    words = "mono"

    def __init__(self, canvas):
        super().__init__(canvas, (0, _LINE, MonoLayout._draw_status, "", "", "", False, ""))
        self._width = canvas.width
        self._pages: list = []
        self._page = 0
        self._ticks = 0

    def status(self, operator, link_text, link, pending_text, pending, clock) -> None:
        """The line that is always there; setting it is also what turns the pages."""
        self._status = (0, _LINE, MonoLayout._draw_status, operator, link_text, pending_text, pending, clock)
        if len(self._pages) > 1:
            self._ticks += 1
            if self._ticks >= _TURN:
                self._ticks = 0
                self._page = (self._page + 1) % len(self._pages)
                self._wanted = self._bands(self._pages[self._page])
        self._show(self._wanted)

    # Screens

    def picture(self, draw) -> None:
        self._pages = []
        super().picture(draw)

    def idle(self, merchant, terminal_id, hint, second_hint, notice) -> None:
        top, note = self._wrapped(merchant), self._wrapped(notice)
        if len(top) + len(note) < _ROOM:
            blocks = [top + note]
        else:
            blocks = _pieces(top, _ROOM - 1) + _pieces(note, _ROOM - 1)
        last = (1, MonoLayout._draw_text, hint, _CENTRE, True)
        self._turn([[(2, MonoLayout._draw_block, "\n".join(block)), last] for block in blocks])

    def amount(self, title, text, hint, zeros, clear, cancel, ok) -> None:
        self._turn([[(1, MonoLayout._draw_keys, title, zeros, clear), (2, MonoLayout._draw_field, text)]])

    def present(self, title, amount, lights, prompt, cancel) -> None:
        self._turn(self._paged([(1, MonoLayout._draw_lights, title, lights)], self._rows(amount, prompt)))

    def processing(self, text, amount, lights) -> None:
        if amount:
            self._turn(self._paged([(1, MonoLayout._draw_lights, "", lights)], self._rows(amount, text)))
        else:
            pages = _pieces(self._canvas.font.balance(text, self._width), _ROOM)
            self._turn([[(_ROOM, MonoLayout._draw_block, "\n".join(page))] for page in pages])

    def result(self, outcome, word, lines, amount, cancel, ok) -> None:
        body = self._rows(*lines)
        beside = self._fits(word, amount)
        if amount and not beside:
            body.append((1, MonoLayout._draw_text, amount, _CENTRE, False))
        bar = [(1, MonoLayout._draw_pair, word, amount if beside else "", True)]
        pages = self._paged(bar, body, cancel, ok)
        if outcome == "approved":
            # The word alone is what matters; what went wrong needs its advice at once.
            ok = "#" + ok if ok and not cancel and self._fits(amount, "#" + ok) else ""
            last = (1, MonoLayout._draw_pair, amount, ok, False)
            pages.insert(0, [(2, MonoLayout._draw_block, word), last])
        self._turn(pages)

    def message(self, kind, title, lines, cancel, ok) -> None:
        head = self._canvas.font.balance(title, self._width)
        if len(head) < _ROOM:
            body = self._rows(*lines)
            head = [(1, MonoLayout._draw_text, line, _CENTRE, True) for line in head]
            self._turn(self._paged(head, body, cancel, ok))
        else:
            self._turn(self._paged([], self._rows(title, *lines), cancel, ok))

    def confirm(self, title, rows, first, cancel, ok, more) -> int:
        """Returns the index of the first row that found no place."""
        head = [] if first else [(1, MonoLayout._draw_text, title, _LEFT, True)]
        lines = []
        at = first
        while at < len(rows):
            row = self._row(*rows[at])
            # A line is left for what the keys do, unless one row alone takes it.
            if at > first and len(head) + len(lines) + len(row) > _ROOM - 1:
                break
            lines.extend(row)
            at += 1
        self._turn(self._paged(head, lines, cancel, more if at < len(rows) else ok))
        return at

    def menu(self, title, items, selected, move, cancel, ok) -> None:
        # A list that begins with its title; the selected item is kept in the middle.
        first = max(0, min(selected, len(items) + 1 - _ROOM))
        turns = self._canvas.font.wrap(items[selected], self._width - 24) if items else [""]
        pages = []
        for turn in turns:
            rows = []
            for i in range(first, min(first + _ROOM, len(items) + 1)):
                if i == 0:
                    rows.append((1, MonoLayout._draw_text, title, _LEFT, False))
                    continue
                n = i - 1
                more = -1 if i == first else 1 if i == first + _ROOM - 1 and i < len(items) else 0
                text = turn if n == selected else items[n]
                rows.append((1, MonoLayout._draw_item, str(i) if i < 10 else "", text, n == selected, more))
            pages.append(rows)
        self._turn(pages)

    def entry(self, title, text, hint, mode, cancel, ok, mode_text) -> None:
        field = (2, MonoLayout._draw_entry, text)
        width = self._width - (self._canvas.font.width(mode_text) + 8 if mode_text else 0)
        heads = self._canvas.font.wrap(title, width) + (self._canvas.font.wrap(hint, width) if hint else [])
        self._turn([[(1, MonoLayout._draw_pair, head, mode_text, False), field] for head in heads])

    # Pages

    def _turn(self, pages) -> None:
        """Show these pages from the first, unless they are there already."""
        if pages != self._pages:
            self._pages = pages
            self._page = self._ticks = 0
        self._show(self._bands(pages[self._page]))

    def _bands(self, page) -> list:
        bands = []
        y = _LINE
        for row in page:
            y1 = y + _LINE * row[0]
            bands.append((y, y1) + row[1:])
            y = y1
        if y < self._canvas.height:
            bands.append((y, self._canvas.height, None))
        return bands

    def _paged(self, head, body, cancel="", ok="") -> list:
        """Pages of `head` and as much of `body` as fits. What OK does is told where a line is free, what CANCEL does
        always."""
        room = _ROOM - len(head)
        pages = [head + page for page in _pieces(body, room)]
        if not cancel and not ok:
            return pages
        if len(pages[-1]) == _ROOM:
            if not cancel:
                return pages
            pages.append(list(head))
        last = pages[-1]
        if len(last) < _ROOM - 1:
            last.append((_ROOM - 1 - len(last), MonoLayout._draw_block, ""))
        last.append((1, MonoLayout._draw_pair, "*" + cancel if cancel else "", "#" + ok if ok else "", False))
        return pages

    def _wrapped(self, text) -> list:
        return self._canvas.font.wrap(text, self._width) if text else []

    def _rows(self, *texts) -> list:
        rows = []
        for text in texts:
            for part in text.split("\n") if text else ():
                for line in self._canvas.font.balance(part, self._width):
                    rows.append((1, MonoLayout._draw_text, line, _CENTRE, False))
        return rows

    def _row(self, label, value) -> list:
        """A label and its value on one line, or running on over as many as they need."""
        if self._fits(label, value):
            return [(1, MonoLayout._draw_pair, label, value, False)]
        if " " in value:  # a name
            lines = self._wrapped(label + " " + value)
        else:
            # Not at words: it is compared character by character, and must not look shorter than it is.
            width, lines, line = self._canvas.font.width, [], label + " "
            for c in value:
                if width(line + c) > self._width:
                    lines.append(line)
                    line = ""
                line += c
            lines.append(line)
        return [(1, MonoLayout._draw_text, line, _LEFT, False) for line in lines]

    def _fits(self, left, right) -> bool:
        """Whether both stand on one line, apart."""
        return self._canvas.font.width(left) + 8 + self._canvas.font.width(right) <= self._width

    # Drawing

    def _draw_status(self, y0, y1, _draw, operator, link, pending_text, pending, clock) -> None:
        c = self._canvas
        texts = (operator, link, pending_text, clock)
        gap = (self._width - sum([c.font.width(text) for text in texts])) // 3
        if gap < 0:
            texts, gap = texts[:3], 2
        x = 0
        for i in range(len(texts)):
            if i == 3:
                x = self._width - c.font.width(clock)
            x = c.text(x, y0, texts[i], i == 2 and pending) + gap

    def _draw_text(self, y0, y1, _draw, text, place, inverse) -> None:
        c = self._canvas
        if inverse:
            c.rect(0, y0, self._width, y1 - y0, 1)
        c.text((self._width - c.font.width(text)) * place // 2, y0, text, inverse)

    def _draw_pair(self, y0, y1, _draw, left, right, inverse) -> None:
        c = self._canvas
        if inverse:
            c.rect(0, y0, self._width, y1 - y0, 1)
        if inverse and not right:
            c.text((self._width - c.font.width(left)) // 2, y0, left, True)
        else:
            c.text(0, y0, left, inverse)
            c.text(self._width - c.font.width(right), y0, right, inverse)

    def _draw_block(self, y0, y1, _draw, text) -> None:
        """Lines in the middle of the band, twice as large where there is one and it fits."""
        c = self._canvas
        lines = text.split("\n")
        scale = 2 if len(lines) == 1 and y1 - y0 > _LINE and c.font.width(text, 2) <= self._width else 1
        y = y0 + (y1 - y0 - _LINE * scale * len(lines)) // 2
        for line in lines:
            c.text((self._width - c.font.width(line, scale)) // 2, y, line, False, scale)
            y += _LINE

    def _draw_keys(self, y0, y1, _draw, title, zeros, clear) -> None:
        """What is being keyed, and as far as there is room what the letter keys do."""
        c = self._canvas
        behind = c.text(0, y0, title)
        x = self._width
        for cap, text in (("C", clear), ("A", zeros)):
            x -= 8 + c.font.width(text)
            if x < behind + 8:
                break
            c.text(c.text(x, y0, cap, True), y0, text)
            x -= 4

    def _draw_field(self, y0, y1, _draw, text) -> None:
        """The amount being keyed: its end at the right, as on a calculator."""
        c = self._canvas
        scale = 2 if c.font.width(text, 2) <= self._width else 1
        c.text(self._width - c.font.width(text, scale), (y0 + y1) // 2 - 8 * scale, text, False, scale)

    def _draw_lights(self, y0, y1, _draw, title, lights) -> None:
        """The four lights of a contactless reader, beside what is paid for."""
        c = self._canvas
        c.text(0, y0, title)
        x = self._width - 45
        for n in range(4):
            if n < lights:
                c.rect(x, y0 + 4, 9, 9, 1)
            else:
                c.outline(x, y0 + 4, 9, 9)
            x += 12

    def _draw_item(self, y0, y1, _draw, digit, text, selected, more) -> None:
        c = self._canvas
        if selected:
            c.rect(0, y0, self._width, y1 - y0, 1)
        c.text(0, y0, digit, selected)
        c.text(16, y0, c.font.fit(text, self._width - 24), selected)
        if more:
            ink = 0 if selected else 1
            for n in range(4):  # an arrow head, up or down
                c.rect(self._width - 5 - n, y0 + (5 + n if more < 0 else 11 - n), 2 * n + 1, 1, ink)

    def _draw_entry(self, y0, y1, _draw, text) -> None:
        """Text being keyed in: the end of it, two lines, and the cursor."""
        c = self._canvas
        lines = [""]
        for letter in text:  # not at words: every character counts in a password
            if c.font.width(lines[-1] + letter) > self._width - 8:
                lines.append("")
            lines[-1] += letter
        lines = lines[-2:]
        if len(lines) == 1 and c.font.width(text, 2) <= self._width - 8:
            c.rect(c.text(0, y0, text, False, 2) + 2, y0, 4, 2 * _LINE, 1)
            return
        y, x = y0, 0
        for line in lines:
            x = c.text(0, y, line)
            y += _LINE
        c.rect(x + 2, y - _LINE, 2, _LINE, 1)


def _pieces(rows, size) -> list:
    """`rows` in lists of at most `size`; one empty list of none."""
    return [list(rows[i : i + size]) for i in range(0, len(rows), size)] or [[]]
