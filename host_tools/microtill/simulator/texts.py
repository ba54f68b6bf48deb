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
            found[f"{section}.{name}"] = text.split("|")[0]
    return found


def texts(key: str) -> tuple[str, ...]:
    """The first line of catalogue entry `key` in every language. KeyError when there is none."""
    return tuple(_catalogue(language)[key] for language in LANGUAGES)
