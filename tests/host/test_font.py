"""The committed font is what Unifont gives, whole, and reads back."""

import pytest
from microtill.release import font


def test_the_blob_reads_back_as_it_was_built(tmp_path):
    glyphs = {0x20: bytes(16), 0x41: bytes(range(16)), 0x4E00: bytes(range(32)), 0xFFE5: bytes(32), 0x2F: b"\xff" * 16}
    path = tmp_path / "font.bin"
    path.write_bytes(font.build(glyphs))
    assert font.read_blob(path) == glyphs
    assert path.read_bytes().endswith(font.NOTICE.read_bytes())


def test_a_glyph_of_another_size_and_another_file_are_refused(tmp_path):
    with pytest.raises(ValueError, match="15 bytes"):
        font.build({0x41: bytes(15)})
    path = tmp_path / "other.bin"
    path.write_bytes(bytes(300))
    with pytest.raises(ValueError, match="not a font"):
        font.read_blob(path)


def test_the_selection_holds_all_of_gb2312_and_latin():
    points = set(font.code_points())
    assert sum(0x4E00 <= code <= 0x9FFF for code in points) == 6763
    assert {ord(c) for c in "¥￥€·…—“”，。！？；：（）【】→✓✗×ÀÿĀſ□０Ａ～"} <= points


def test_the_committed_font_has_every_glyph_and_nothing_else():
    assert sorted(font.read_blob()) == font.code_points()
    assert "SIL OPEN FONT LICENSE" in font.NOTICE.read_text("utf-8")
    assert font.BLOB.read_bytes().endswith(font.NOTICE.read_bytes())


@pytest.mark.skipif(not font.SOURCE.exists(), reason=f"{font.SOURCE} is not installed (Debian package `unifont`)")
def test_the_committed_font_is_built_from_unifont():
    glyphs = font.read_hex(font.SOURCE)
    changed = [f"U+{code:04X}" for code, rows in font.read_blob().items() if glyphs.get(code) != rows]
    assert changed == []
    assert font.BLOB.read_bytes() == font.build(font.selection())
