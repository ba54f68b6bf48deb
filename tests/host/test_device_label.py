"""The label as a printer gets it: its code read by an independent reader, its words, and SVG and PNG alike."""

import io
import re
from xml.etree import ElementTree

import pytest
import zxingcpp
from microtill.bench.reading import read_lines
from microtill.device import label, texts
from microtill.device.probe import Unit
from PIL import Image

UNIT = Unit(
    serial="34851810AB01", mid="898********0002", tid="10000001", board="TILL_ESP32S3", state="provisioned", fw="0.1.0"
)


@pytest.fixture(autouse=True, params=texts.LANGUAGES)
def language(request):
    texts.set_language(request.param)
    yield request.param
    texts.set_language(None)


def codes(picture: Image.Image) -> list[str]:
    return [code.text for code in zxingcpp.read_barcodes(picture.convert("L"))]


def test_the_code_is_read_at_any_size_it_may_be_printed_or_photographed_in():
    drawn = label.draw(UNIT)
    assert drawn.code == "MICROTILL SN:34851810AB01 TID:10000001 MID:898********0002 FW:0.1.0"
    for width in (200, 300, 400, 573, 1200):
        picture = drawn.picture.convert("L").resize((width, width * 3 // 5), Image.Resampling.BILINEAR)
        assert codes(picture) == [drawn.code], width


def test_it_is_50_by_30_millimetres_and_its_modules_are_half_of_one():
    drawn = label.draw(UNIT)
    with Image.open(io.BytesIO(drawn.png())) as png:
        assert [round(n / dpi * 25.4, 1) for n, dpi in zip(png.size, png.info["dpi"], strict=True)] == [50, 30]
    root = ElementTree.fromstring(drawn.svg())
    assert (root.get("width"), root.get("height"), root.get("viewBox")) == ("50mm", "30mm", "0 0 400 240")
    corner = drawn.picture.crop((400 - 164 + 16, 16, 400 - 164 + 16 + 7 * 4, 20)).getcolors()
    assert corner == [(7 * 4 * 4, 0)]  # the finder pattern's upper edge: 7 modules of 4 dots


def test_the_svg_has_exactly_the_dots_of_the_picture():
    drawn = label.draw(UNIT)
    again = Image.new("1", drawn.picture.size, 1)
    path = ElementTree.fromstring(drawn.svg()).findall("{*}path")[-1].get("d") or ""
    rectangles = re.findall(r"M(\d+) (\d+)h(\d+)v(\d+)h-(\d+)z", path)
    assert "".join("M{} {}h{}v{}h-{}z".format(*r) for r in rectangles) == path
    for x, y, width, height, back in (map(int, r) for r in rectangles):
        assert width == back
        assert again.crop((x, y, x + width, y + height)).getcolors() == [(width * height, 1)]  # none twice
        again.paste(0, (x, y, x + width, y + height))
    assert again.tobytes() == drawn.picture.tobytes()


def test_the_captions_are_in_the_technicians_language(language):
    said = [line[3] for line in read_lines(label.draw(UNIT).picture.convert("RGB"))]
    captions = {
        "zh": ["终端号", "序列号", "商户号", "固件"],
        "en": ["Terminal ID", "Serial number", "Merchant ID", "Firmware"],
    }
    assert [line for line in said if line in captions[language]] == captions[language]


@pytest.mark.parametrize(
    "unit",
    [
        Unit(serial="34851810AB01", fw="0.1.0"),
        Unit(serial="34851810AB01", tid="T1234567", mid="898********0002", fw="12.34.56-dev+build7"),
        Unit(),
        Unit(serial="字" * 400, tid="x" * 400, mid="y" * 400, fw="z" * 400),
    ],
    ids=["blank", "long version", "nothing", "absurd"],
)
def test_every_unit_has_a_label_with_its_margins_and_a_readable_code(unit):
    drawn = label.draw(unit)
    assert codes(drawn.picture) == [drawn.code]
    width, height = drawn.picture.size
    for edge in ((0, 0, 8, height), (width - 8, 0, width, height), (0, 0, width, 8), (0, height - 8, width, height)):
        assert drawn.picture.crop(edge).getcolors() == [((edge[2] - edge[0]) * (edge[3] - edge[1]), 1)]


@pytest.mark.parametrize(
    ("unit", "name"),
    [
        (UNIT, "10000001"),
        (Unit(serial="34851810AB01"), "34851810AB01"),
        (Unit(tid="../../x"), "______x"),
        (Unit(), "unit"),
    ],
)
def test_a_file_is_named_for_the_unit_and_nothing_else(unit, name):
    assert label.file_name(unit) == name
