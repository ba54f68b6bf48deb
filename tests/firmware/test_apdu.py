from till.core.errors import CardBlocked, CardDeclined, CardError, CardOther, CardSeePhone, CardTryAgain
from till.emv import apdu
from till.emv.card_data import CardData

H = bytes.fromhex


def play(generator, answers):
    """Run `generator` against `answers` (hex); return its result and the commands it sent (hex)."""
    sent = []
    command = next(generator)
    for answer in answers:
        sent.append(command.hex())
        try:
            command = generator.send(memoryview(H(answer)))
        except StopIteration as done:
            return done.value, sent
    raise AssertionError("it wants more: " + command.hex())


def error(generator, answers):
    try:
        play(generator, answers)
    except CardError as e:
        return e
    raise AssertionError("accepted")


def test_commands_octet_by_octet():
    assert apdu.select(b"2PAY.SYS.DDF01") == H("00A404000E325041592E5359532E444446303100")
    assert apdu.select(H("A0000000031010"), following=True) == H("00A4040207A000000003101000")
    assert apdu.get_processing_options(b"") == H("80A8000002830000")
    assert apdu.get_processing_options(H("AABB")) == H("80A80000048302AABB00")
    long = apdu.get_processing_options(bytes(0x80))
    assert long[:8] == H("80A8000083838180") and len(long) == 5 + 0x83 + 1
    assert len(apdu.get_processing_options(bytes(252))) == 261
    try:
        apdu.get_processing_options(bytes(253))
        raise AssertionError("253")
    except CardOther:
        pass
    assert apdu.read_record(2, 1) == H("00B2011400")
    assert apdu.generate_ac(apdu.ARQC, H("0102")) == H("80AE8000020102 00".replace(" ", ""))


def test_the_answer_is_collected_in_the_card_data():
    card = CardData()
    card.append(b"before")
    (position, sw), sent = play(apdu.exchange(b"\x00\xb2\x01\x0c\x00", card), ["7003AABBCC9000"])
    assert sw == 0x9000 and sent == ["00b2010c00"]
    assert bytes(card.view[position >> 12 : (position >> 12) + (position & 0xFFF)]) == H("7003AABBCC")


def test_61_is_followed_and_6c_is_corrected():
    card = CardData()
    (position, sw), sent = play(apdu.exchange(H("00B2010C00"), card), ["6103", "AABB6101", "CC9000"])
    assert sent == ["00b2010c00", "00c0000003", "00c0000001"]
    assert sw == 0x9000 and bytes(card.view[: position & 0xFFF]) == H("AABBCC")
    card.clear()
    (position, sw), sent = play(apdu.exchange(H("00B2010C00"), card), ["6C05", "01020304059000"])
    assert sent == ["00b2010c00", "00b2010c05"] and position == 5


def test_a_card_cannot_keep_the_terminal_busy():
    assert isinstance(error(apdu.exchange(H("00B2010C00"), CardData()), ["6101"] * 20), CardOther)
    result, sent = play(apdu.exchange(H("00B2010C00"), CardData()), ["6C01", "6C02"])
    assert result[1] == 0x6C02 and len(sent) == 2
    card = CardData()
    for _ in range(apdu.COMMANDS_MAX):
        play(apdu.exchange(H("00B2010C00"), card), ["6A83"])
    try:
        next(apdu.exchange(H("00B2010C00"), card))
        raise AssertionError("a 65th command")
    except CardOther as e:
        assert "too many commands" in e.detail


def test_a_card_cannot_fill_the_heap():
    card = CardData(64)
    e = error(apdu.exchange(H("00B2010C00"), card), ["00" * 65 + "9000"])
    assert isinstance(e, CardOther) and "too much" in e.detail
    play(apdu.exchange(H("00B2010C00"), card), ["00" * 64 + "9000"])


def test_an_answer_without_a_status_word():
    for answer in ("", "90"):
        assert isinstance(error(apdu.exchange(H("00B2010C00"), CardData()), [answer]), CardTryAgain)


def test_status_words_by_command():
    select, gpo, read, generate = H("00A4"), H("80A8"), H("00B2"), H("80AE")
    for command, sw, kind in (
        (select, 0x6283, CardBlocked),
        (select, 0x6A81, CardBlocked),
        (select, 0x6A82, CardOther),
        (gpo, 0x6984, CardOther),
        (gpo, 0x6985, CardOther),
        (gpo, 0x6986, CardSeePhone),
        (read, 0x6A83, CardOther),
        (read, 0x6A81, CardOther),
        (read, 0x6986, CardOther),
        (generate, 0x6985, CardOther),
        (generate, 0x6983, CardBlocked),
        (read, 0x6F00, CardTryAgain),
        (read, 0x6400, CardTryAgain),
        (read, 0x6581, CardTryAgain),
        (read, 0x6700, CardOther),
        (read, 0x6E00, CardOther),
        (read, 0x6D00, CardOther),
        (read, 0x1234, CardTryAgain),
    ):
        e = apdu.error_of(command, sw)
        assert type(e) is kind, (command, hex(sw), type(e))
        assert "%04X" % sw in e.detail


def test_every_status_word_is_a_card_error_with_a_catalogue_key():
    for ins in (0xA4, 0xA8, 0xB2, 0xAE, 0xC0):
        for sw1 in range(256):
            for sw2 in (0x00, 0x01, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0xFF):
                e = apdu.error_of(bytes((0, ins)), sw1 << 8 | sw2)
                assert isinstance(e, CardError) and e.key.startswith("error.card_")
    assert issubclass(CardBlocked, CardDeclined) and issubclass(CardSeePhone, CardTryAgain)


def test_must_takes_9000_only():
    card = CardData()
    position, _ = play(apdu.must(H("00B2010C00"), card), ["70009000"])
    assert position == 2
    assert isinstance(error(apdu.must(H("00B2010C00"), card), ["6A83"]), CardOther)
    assert isinstance(error(apdu.must(H("00B2010C00"), card), ["AABB6282"]), CardTryAgain)


def test_card_data_is_wiped():
    card = CardData(16)
    card.append(b"5413330089600119")
    card.forget_to(4)
    card.append(b"ab")
    assert card.length == 6
    card.clear()
    assert bytes(card.view) == bytes(16) and card.length == 0 and card.get(0x57) is None


def test_format_1_answers_are_cut_by_position():
    card = CardData()
    card.append(H("8011" + "80" + "0041" + "4573436B1E4B95DD" + "06010A03A0A0"))
    card.split(2 << 12 | 17, ((0x9F27, 1), (0x9F36, 2), (0x9F26, 8), (0x9F10, None)))
    assert bytes(card.need(0x9F26, 8, 8)).hex() == "4573436b1e4b95dd"
    assert bytes(card.get(0x9F10)).hex() == "06010a03a0a0"
    try:
        card.split(2 << 12 | 10, ((0x9F27, 1), (0x9F36, 2), (0x9F26, 8), (0x9F10, None)))
        raise AssertionError("short")
    except CardOther:
        pass
    for tag, shortest, longest in ((0x57, 1, 2), (0x9F26, 1, 7), (0x9F26, 9, 9)):
        try:
            card.need(tag, shortest, longest)
            raise AssertionError(hex(tag))
        except CardOther:
            pass
