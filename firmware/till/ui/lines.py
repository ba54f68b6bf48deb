"""Text on lines: how wide it is, where it may break, what is cut off. Every canvas is one of these."""

_CLOSING = "，。、！？：；）」』》】…·,.!?:;)]%"
_OPENING = "（「『《【([¥￥$"
_ELLIPSIS = "…"


def _is_wide(c: str) -> bool:
    # Scripts written without spaces: a line may break after any of their characters.
    return ord(c) >= 0x2E80


def _units(text: str) -> list:
    """Pieces that a line may not break inside: words with their space, single Chinese characters with punctuation."""
    units = []
    word = ""
    for c in text:
        last = word[-1:]
        glued = not word or c == " " or c in _CLOSING or last in _OPENING
        if not glued and (last == " " or _is_wide(c) or _is_wide(last)):
            units.append(word)
            word = ""
        word += c
    if word:
        units.append(word)
    return units


def _clauses(text: str) -> list:
    """`text` cut behind its commas."""
    clauses = []
    start = 0
    for i, c in enumerate(text):
        if c in "，；。" or (c in ",;." and text[i + 1 : i + 2] == " "):
            clauses.append(text[start : i + 1].strip())
            start = i + 1
    if text[start:].strip():
        clauses.append(text[start:].strip())
    return clauses


class Lines:
    """Measures by `font`, a till.ui.font.Font; widths are pixels."""

    def __init__(self, font):
        self.font = font

    def fit(self, text: str, width: int, scale: int = 1) -> str:
        """`text`, cut and ended with … where it is wider than `width` pixels."""
        if self.font.width(text, scale) <= width:
            return text
        room = width - self.font.width(_ELLIPSIS, scale)
        kept = ""
        for c in text:
            room -= self.font.width(c, scale)
            if room < 0:
                break
            kept += c
        return kept + _ELLIPSIS

    def wrap(self, text: str, width: int, scale: int = 1) -> list:
        """Lines of at most `width` pixels: broken at spaces and between Chinese characters, not before punctuation."""
        lines = []
        for paragraph in text.split("\n"):
            line = ""
            for unit in _units(paragraph):
                if self.font.width((line + unit).rstrip(), scale) <= width:
                    line += unit
                    continue
                if line.strip():
                    lines.append(line.rstrip())
                    line = ""
                for c in unit:  # a word wider than a line is broken where it must
                    if self.font.width((line + c).rstrip(), scale) > width:
                        lines.append(line)
                        line = ""
                    line += c
            lines.append(line.rstrip())
        return lines

    def widest(self, text: str, scale: int = 1) -> int:
        """Pixels of the widest piece of `text` that a line should not break inside."""
        measure = self.font.width
        return max([measure(unit.rstrip(), scale) for part in text.split("\n") for unit in _units(part)] or [0])

    def balance(self, text: str, width: int, scale: int = 1) -> list:
        """`wrap` with as few lines as `width` allows: broken after a comma if that takes no more, else equally long."""
        lines = self.wrap(text, width, scale)
        if len(lines) == 1:
            return lines
        clauses = _clauses(text)
        if 1 < len(clauses) <= len(lines):
            by_clause = []
            for clause in clauses:
                by_clause.extend(self.balance(clause, width, scale))
            if len(by_clause) == len(lines):
                return by_clause
        measure = self.font.width
        least = self.widest(text, scale)
        while True:
            width = max([measure(line, scale) for line in lines]) - 8 * scale
            if width < least:
                return lines
            narrower = self.wrap(text, width, scale)
            if len(narrower) > len(lines):
                return lines
            lines = narrower
