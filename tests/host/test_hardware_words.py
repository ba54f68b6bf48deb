"""What the laptop has a terminal show while its hardware is tried: the golden screens have the same words."""

import runpy
from pathlib import Path

import pytest
from microtill.device import hardware_texts
from microtill.device.texts import LANGUAGES, Language, t

SCREENS = Path(__file__).parents[1] / "ui" / "screens.py"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_golden_screens_have_the_laptops_words(language: Language):
    assert hardware_texts
    shown = runpy.run_path(str(SCREENS))
    picture = ("red", "green", "blue", "picture_1", "picture_2", "picture_3")
    assert shown["_PICTURE"][language] == tuple(t(f"hw.{name}", language) for name in picture)
    assert shown["_ANSWERS"][language] == tuple(t(f"hw.key_{n}", language) for n in range(1, 7))
    assert shown["_MONO_ANSWERS"][language] == tuple(t(f"hw.mono_{n}", language) for n in range(1, 4))
    title, line = shown["_PRESS"][language]
    assert t("hw.press", language, key="B", n=8).partition("|")[0] == f"{title.format('B')}\n{line}"
    title, line = shown["_GREEN"][language]
    said = line.format("#", "*")
    assert t("hw.look_green", language, yes="#", no="*").partition("|")[0] == f"{title}\n{said}"
    one = shown["_GREEN_ONE"][language]
    assert t("hw.look_green_one", language, yes="#", no="*").partition("|")[0] == f"{one}\n{said}"
