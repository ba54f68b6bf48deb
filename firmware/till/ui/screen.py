"""What the device shows: one facade over the layouts, in the chosen language."""

import sys

from till.ui.font import Font

LANGUAGES = ("zh", "en")

# The outcomes as signs: refused is declined to the person, pending is not yet known.
_SIGNS = {
    "approved": "approved",
    "declined": "declined",
    "refused": "declined",
    "unknown": "unknown",
    "pending": "unknown",
}


def _layout(display, font):
    """The layout for the panel's size; no other is loaded. Raises ValueError for a size that none is made for."""
    if display.width >= 240 and display.height >= 320:
        from till.ui.canvas import Canvas
        from till.ui.layout_colour import PALETTE, ColourLayout

        display.palette = PALETTE
        canvas = Canvas(display, font)
        if getattr(display, "keys_height", 0):
            from till.ui.layout_touch import TouchLayout

            return TouchLayout(canvas, display.keys_height)
        return ColourLayout(canvas)
    if display.width == 128 and display.height == 64:
        from till.ui.canvas_mono import MonoCanvas
        from till.ui.layout_mono import MonoLayout

        return MonoLayout(MonoCanvas(display, font))
    raise ValueError("no layout for %d x %d" % (display.width, display.height))


def _catalogue(language: str) -> dict:
    name = "catalogue_" + language
    texts = __import__("till.ui." + name, None, None, ("TEXTS",)).TEXTS
    # One catalogue at a time: where the firmware runs from files, its strings are in the heap.
    del sys.modules["till.ui." + name]
    delattr(sys.modules["till.ui"], name)
    return texts


def _entry(texts: str, name: str) -> str | None:
    at = texts.find("\n" + name + " ")
    if at < 0:
        return None
    start = at + len(name) + 2
    return texts[start : texts.find("\n", start)].replace("|", "\n")


class Screen:
    """Each method draws a whole screen and sends the rows that changed. `language` may be set at any time.

    `display`: as the board contract says. Texts passed as `…_key` are catalogue keys, all others are shown as they are.
    """

    def __init__(self, display, language="zh", font=None):
        self._font = font or Font()
        self._layout = _layout(display, self._font)
        self._texts = {}
        self._language = ""
        self._status = ("", "offline", 0, "")
        self._again: tuple | None = None
        self.language = language

    def close(self) -> None:
        """Close the font's file. Nothing can be drawn afterwards."""
        self._font.close()

    @property
    def language(self) -> str:
        """`zh` or `en`; setting it draws the status line and the last screen again. Others raise ValueError."""
        return self._language

    @language.setter
    def language(self, language: str) -> None:
        if language not in LANGUAGES:
            raise ValueError("language")
        if language == self._language:
            return
        self._texts = _catalogue(language)
        self._language = language
        self._layout.speak(self.text)
        if self._again:
            method, args = self._again
            method(*args)
            self.status(*self._status)

    def text(self, key: str, **fields) -> str:
        """The text of a catalogue key with its {names} filled in. An unknown key comes back as it is, to be seen."""
        text = self._find(key)
        if text is None:
            return key
        for name, value in fields.items():
            text = text.replace("{" + name + "}", str(value))
        return text

    def has(self, key: str) -> bool:
        return self._find(key) is not None

    def _find(self, key: str) -> str | None:
        own = self._layout.words
        text = _entry(self._texts[own], key) if own else None
        if text is None:
            section, _, name = key.partition(".")
            text = _entry(self._texts.get(section, ""), name)
        return text

    def reason_lines(self, rc: str) -> list:
        """The two lines for the cashier of a response code (F39)."""
        key = "rc." + rc
        return self.text(key if self.has(key) else "rc.other").split("\n")

    def status(self, operator: str, link: str, pending: int, clock: str) -> None:
        """The line that is always there: operator number ("" when none is logged in), link `online`, `connecting` or
        `offline`, how many messages wait, the time as `14:05`."""
        self._status = (operator, link, pending, clock)
        who = self.text("status.operator", operator=operator) if operator else self.text("status.signed_off")
        waiting = self.text("status.pending", count=pending if pending < 100 else "99+")
        self._layout.status(who, self.text("status." + link), link, waiting, pending > 0, clock)

    def idle(self, merchant: str, terminal_id: str = "", notice: str = "", hint_key: str = "screen.idle") -> None:
        """Waiting for an amount. `notice`: what stands in the way of the next sale, if anything."""
        self._again = self.idle, (merchant, terminal_id, notice, hint_key)
        self._layout.idle(merchant, terminal_id, self.text(hint_key), self.text("screen.idle_menu"), notice)

    def amount(self, title_key: str, text: str, hint_key: str = "screen.amount") -> None:
        """An amount being keyed in; `text` as it stands, with its currency sign."""
        self._again = self.amount, (title_key, text, hint_key)
        t = self.text
        self._layout.amount(
            t(title_key), text, t(hint_key), t("footer.zeros"), t("footer.clear"), t("footer.cancel"), t("footer.ok")
        )

    def present(
        self, title_key: str, amount_text: str, lights: int = 1, prompt_key: str = "screen.present", cancel: bool = True
    ) -> None:
        """The card is asked for; `lights` of the four are green."""
        self._again = self.present, (title_key, amount_text, lights, prompt_key, cancel)
        foot = self.text("footer.cancel") if cancel else ""
        self._layout.present(self.text(title_key), amount_text, lights, self.text(prompt_key), foot)

    def processing(self, key: str = "screen.processing", amount_text: str = "", lights: int = 4) -> None:
        """Nothing to do but wait."""
        self._again = self.processing, (key, amount_text, lights)
        self._layout.processing(self.text(key), amount_text, lights)

    def result(self, outcome: str, lines=(), amount_text: str = "", footer_key: str = "footer.ok") -> None:
        """An outcome of core/outcome.py, and at most three lines about it."""
        self._again = self.result, (outcome, lines, amount_text, footer_key)
        cancel, ok = self._foot(footer_key)
        word = self.text("outcome." + outcome)
        self._layout.result(_SIGNS[outcome], word, lines, amount_text, cancel, ok)

    def message(self, kind: str, title: str, lines=(), footer_key: str = "footer.ok") -> None:
        """`kind`: ok, info, warn, error or wait."""
        self._again = self.message, (kind, title, lines, footer_key)
        cancel, ok = self._foot(footer_key)
        self._layout.message(kind, title, lines, cancel, ok)

    def error(self, key: str, detail_key: str = "", footer_key: str = "footer.ok") -> None:
        """An error by its catalogue key: the first line large, what to do below, then the reason."""
        self._again = self.error, (key, detail_key, footer_key)
        lines = self.text(key).split("\n")
        rest = lines[1:] + (self.text(detail_key).split("\n") if detail_key else [])
        cancel, ok = self._foot(footer_key)
        self._layout.message("error", lines[0], rest, cancel, ok)

    def picture(self, draw) -> None:
        """The whole panel, status line and all, is what `draw(canvas)` makes it, until the next screen."""
        self._again = self.picture, (draw,)
        self._layout.picture(draw)

    def confirm(self, title: str, rows, first: int = 0, footer_key: str = "footer.both") -> int:
        """`rows` of (label, value) from `first` on; returns the index of the first that found no place: while there
        is one, OK stands for seeing more."""
        self._again = self.confirm, (title, rows, first, footer_key)
        cancel, ok = self._foot(footer_key)
        return self._layout.confirm(title, rows, first, cancel, ok, self.text("footer.more"))

    def menu(self, title: str, items, selected: int = 0) -> None:
        """`items` chosen by digit (the first nine) or by moving."""
        self._again = self.menu, (title, items, selected)
        t = self.text
        self._layout.menu(title, items, selected, t("footer.move"), t("footer.back"), t("footer.ok"))

    def entry(self, title_key: str, text: str, hint: str = "", masked: bool = False, mode: str = "") -> None:
        """Text or digits being keyed in. `masked` shows • for each; `mode` (abc, ABC, 123): what the D key changes."""
        self._again = self.entry, (title_key, text, hint, masked, mode)
        t = self.text
        shown = "•" * len(text) if masked else text
        self._layout.entry(t(title_key), shown, hint, mode, t("footer.cancel"), t("footer.ok"), mode)

    def _foot(self, footer_key) -> tuple:
        """The texts beside the CANCEL and the OK key. A table of them would stay in the heap."""
        if not footer_key:
            return "", ""
        name = footer_key[7:]
        cancel = "cancel" if name in "retry cancel both" else name if name in "back void" else ""
        ok = name if name in "ok retry" else "ok" if name in "void both" else ""
        if not cancel and not ok:
            raise KeyError(footer_key)
        return self.text("footer." + cancel) if cancel else "", self.text("footer." + ok) if ok else ""
