from till.ui.font import Font


def rows(font, character):
    slot = font.load(ord(character))
    return slot // 128 + 1, bytes(font.bits(slot)).hex()


def test_glyphs_are_unifonts():
    # From unifont.hex 15.0.01.
    font = Font()
    assert rows(font, "0") == (1, "00000000182442464a52624224180000")
    assert rows(font, "¥") == (1, "00000000412214087f087f0808080000")
    assert rows(font, "￥") == (2, "000000000000000060061818066001807ffe01807ffe01800180018000000000")
    assert rows(font, "。") == (2, "000000000000000000000000000000000c00120012000c000000000000000000")
    font.close()


def test_a_missing_character_is_a_box():
    font = Font()
    box = rows(font, "□")
    assert box == (1, "0000000000007f41414141417f000000")
    for character in ("\U0001f600", "\u0001", "\ue000", "궁"):
        assert rows(font, character) == box
        assert not font.has(ord(character))
    assert font.has(ord("□")) and font.has(ord("商"))
    font.close()


def test_width_counts_half_and_full():
    font = Font()
    assert font.width("") == 0
    assert font.width("AB") == 16
    assert font.width("商户01") == 48
    assert font.width("商户01", 2) == 96
    assert font.width("é¥") == 16
    font.close()


def test_decode_gives_code_points():
    font = Font()
    for text in ("", "A商é€\U0001f600z", "商" * 100):
        n = font.decode(text)
        assert [font.codes[i] for i in range(n)] == [0xFFFD if ord(c) > 0xFFFF else ord(c) for c in text]
    font.close()


def test_more_glyphs_than_are_kept():
    font = Font()
    first = rows(font, "一")
    for code in range(0x4E00, 0x4E00 + 400):
        font.load(code)
    assert rows(font, "一") == first
    assert len(font.kept) <= 96
    font.close()


def test_not_a_font():
    for path in (__file__, "/dev/null"):
        try:
            Font(path)
        except ValueError:
            continue
        raise AssertionError(path)


def test_allocates_nothing_for_a_kept_glyph():
    import gc

    font = Font()
    font.load(0x5546)
    gc.collect()
    before = gc.mem_alloc()
    for _ in range(100):
        font.load(0x5546)
    assert gc.mem_alloc() - before < 200
    font.close()
