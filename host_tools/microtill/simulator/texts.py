"""The texts of the terminal's screen, from its own catalogues: what to wait for on the panel, in whichever language."""

import runpy
from functools import cache

from microtill.paths import FIRMWARE

LANGUAGES = ("zh", "en")


@cache
def _catalogue(language: str) -> dict[str, str]:
    sections = runpy.run_path(str(FIRMWARE / "till" / "ui" / f"catalogue_{language}.py"))["TEXTS"]
    found = {}
    for section, lines in sections.items():
        for line in lines.strip().splitlines():
            name, _, text = line.partition(" ")
            found[f"{section}.{name}"] = text
    return found


def texts(key: str) -> tuple[str, ...]:
    """The first line of catalogue entry `key` in every language. KeyError when there is none."""
    return tuple(_catalogue(language)[key].split("|")[0] for language in LANGUAGES)


@cache
def short(text: str) -> tuple[str, ...]:
    """What a small panel may show where others show a text that holds this one; nothing where it has no other words."""
    found = []
    for language in LANGUAGES:
        catalogue = _catalogue(language)
        for key, words in catalogue.items():
            if not key.startswith("mono."):
                continue
            lines = words.split("|")
            for n, line in enumerate(catalogue[key.removeprefix("mono.")].split("|")):
                if text in line and "{" not in line:
                    found.append(lines[min(n, len(lines) - 1)])
    return tuple(found)
