"""Whole readings against cards written out by hand: what each kernel demands, and what it makes of it."""

from till.core.errors import CardBlocked, CardDeclined, CardError, CardLimit, CardOther, CardTryAgain
from till.emv.entry_point import read_card
from till.emv.parameters import Terminal, Transaction

H = bytes.fromhex
VISA = "A0000000031010"
MASTERCARD = "A0000000041010"
UNIONPAY = "A000000333010101"
TERMINAL = Terminal("TILL0001")


def T(tag, *parts):
    value = "".join(parts).replace(" ", "")
    n = len(value) // 2
    return tag + ("%02X" % n if n < 128 else "81%02X" % n) + value


def entry(aid, priority="01", more=""):
    return T("61", T("4F", aid), T("50", "41"), T("87", priority) if priority else "", more)


def ppse(*entries):
    return T("6F", T("84", "325041592E5359532E4444463031"), T("A5", T("BF0C", *entries))) + "9000"


def fci(aid, pdol="9F6604"):
    return T("6F", T("84", aid), T("A5", T("50", "43415244"), T("9F38", pdol) if pdol else "")) + "9000"


QVSDC = [
    T("82", "0000"),
    T("9F36", "0007"),
    T("9F26", "1122334455667788"),
    T("9F10", "06011203A00000"),
    T("57", "4761739001010119D49122010000000000F"[:34] + "0F"),
]


def without(parts, tag):
    return [p for p in parts if not p.startswith(tag)]


def gpo(*parts):
    return T("77", *parts) + "9000"


def transaction(amount=1234, date="260701", type=0, other=0):
    return Transaction(amount, "156", type, H(date), H("120000"), H("CAFE0001"), 7, other)


def run(answers, **kwargs):
    """The reading, and the commands sent in hex. `answers` in turn; the reading must take them all."""
    reader = read_card(TERMINAL, transaction(**kwargs))
    sent = [next(reader).hex().upper()]
    answers = list(answers)
    try:
        while True:
            sent.append(reader.send(memoryview(H(answers.pop(0)))).hex().upper())
    except StopIteration as done:
        assert not answers, answers
        return done.value, sent


def error(answers, **kwargs):
    try:
        run(answers, **kwargs)
    except CardError as e:
        assert bytes(TERMINAL.card.view) == bytes(len(TERMINAL.card.view)), "not wiped"
        return e
    raise AssertionError("accepted")


def visa(*parts, **kwargs):
    return run([ppse(entry(VISA)), fci(VISA), gpo(*parts)], **kwargs)


def visa_error(*parts, **kwargs):
    return error([ppse(entry(VISA)), fci(VISA), gpo(*parts)], **kwargs)


# Entry point


def test_priorities_decide_and_the_next_application_is_tried():
    names = (entry(VISA, "03"), entry(MASTERCARD, "02"), entry(UNIONPAY, "81"))
    reading, sent = run([ppse(*names), "6A82", "6283", fci(VISA), gpo(*QVSDC)])
    assert [s[10:-2] for s in sent[1:4]] == [UNIONPAY, MASTERCARD, VISA]
    assert reading.aid == H(VISA)


def test_no_priority_comes_last_and_equals_keep_the_order_of_the_card():
    names = (entry(VISA, ""), entry(MASTERCARD, "00"), entry(UNIONPAY, "0F"))
    e = error([ppse(*names), "6A82", "6A82", "6A82"])
    assert type(e) is CardOther
    reader = read_card(TERMINAL, transaction())
    next(reader)
    order = [reader.send(H(ppse(*names)))] + [reader.send(H("6A82")) for _ in range(2)]
    assert [s.hex().upper()[10:-2] for s in order] == [UNIONPAY, VISA, MASTERCARD]
    reader.close()


def test_unknown_applications_and_foreign_kernels_are_passed_over():
    for more in ("9F2A0102", "9F2A0181", "9F2A01C3"):  # Mastercard's kernel for a Visa AID; domestic kernels
        assert "in common" in error([ppse(entry(VISA, "01", more))]).detail
    for more in ("9F2A0103", "9F2A0143", "9F2A0100", "9F2A00", "9F2A080300000000000000"):
        reader = read_card(TERMINAL, transaction())
        next(reader)
        assert reader.send(H(ppse(entry(VISA, "01", more))))[1] == 0xA4
        reader.close()
    assert "in common" in error([ppse(entry("A0000000651010"), entry("A0000000"))]).detail
    assert "in common" in error([ppse()]).detail


def test_a_longer_name_than_the_terminals_aid_is_selected_as_the_card_has_it():
    name = VISA + "0102"
    reading, sent = run([ppse(entry(name)), fci(name), gpo(*QVSDC)])
    assert sent[1] == "00A4040009" + name + "00" and reading.aid == H(name)


def test_a_blocked_application_is_told_when_nothing_else_is_left():
    assert type(error([ppse(entry(VISA)), "6283"])) is CardBlocked
    assert type(error([ppse(entry(VISA), entry(MASTERCARD, "02")), "6A82", "6A81"])) is CardBlocked


def test_what_is_no_directory():
    for answer in ("6A82", "9000", "6F009000", "6F02A5009000", "7700" + "9000", "6F028400009000"):
        assert isinstance(error([answer]), CardError)
    assert isinstance(error(["6F3084" + "9000"]), CardTryAgain)


def test_another_application_answers():
    assert "another application" in error([ppse(entry(VISA)), fci(MASTERCARD)]).detail
    assert isinstance(error([ppse(entry(VISA)), T("6F", T("84", VISA)) + "9000"]), CardOther)


# Kernel 3 and 7


def test_a_reading_of_a_visa_card():
    reading, sent = visa(*QVSDC)
    assert sent[2] == "80A80000068304" + "20804000" + "00"
    assert (reading.pan, reading.expiry, reading.psn, reading.atc) == ("4761739001010119", "4912", "00", 7)
    assert (reading.cryptogram, reading.cvm, reading.label) == ("ARQC", "none", "CARD")
    assert reading.pan_masked == "476173******0119"
    assert "9F270180" in reading.field55.hex().upper()


def test_what_the_quick_kernels_demand():
    for tag in ("9F36", "9F26", "9F10", "82", "57"):
        e = visa_error(*without(QVSDC, tag))
        assert isinstance(e, CardOther), tag
        assert tag in e.detail or tag == "57", e.detail
    with_pan = without(QVSDC, "57") + [T("5A", "4761739001010119")]
    assert "5F24" in visa_error(*with_pan).detail
    reading, _ = visa(*with_pan + [T("5F24", "491231")])
    assert reading.track2 is None and reading.pan == "4761739001010119" and reading.expiry == "4912"
    for tag, value in (("9F36", "07"), ("9F26", "1122"), ("9F10", "0601"), ("82", "00"), ("57", "4761D4912201")):
        assert isinstance(visa_error(*without(QVSDC, tag) + [T(tag, value)]), CardOther), tag


def test_a_pdol_without_terminal_qualifiers_is_not_contactless():
    for pdol in ("", "9F0206", "9F37049505"):
        assert "qualifiers" in error([ppse(entry(VISA)), fci(VISA, pdol)]).detail


def test_the_cryptogram_type_with_and_without_9f27():
    iad = without(QVSDC, "9F10")
    for data, kind in (
        ("06011203A00000", "ARQC"),
        ("06010A03A0A000", "ARQC"),
        ("07010103A0A00001", "ARQC"),
        ("1F2201A0" + "00" * 28, "ARQC"),
        ("06011203800000", "AAC"),
        ("06011203900000", "TC"),
        ("1F220180" + "00" * 28, "AAC"),
        ("1F220190" + "00" * 28, "TC"),
    ):
        parts = iad + [T("9F10", data)]
        if kind == "ARQC":
            assert visa(*parts)[0].cryptogram == "ARQC", data
        else:
            e = visa_error(*parts)
            assert type(e) is (CardDeclined if kind == "AAC" else CardOther), data
    # 9F27 counts before 9F10.
    assert type(visa_error(*QVSDC + [T("9F27", "00")])) is CardDeclined
    assert type(visa_error(*QVSDC + [T("9F27", "40")])) is CardOther
    assert type(visa_error(*QVSDC + [T("9F27", "8080")])) is CardOther
    assert visa(*iad + [T("9F10", "06011203800000"), T("9F27", "80")])[0].cryptogram == "ARQC"


def test_card_qualifiers_and_the_limit():
    assert visa(*QVSDC + [T("9F6C", "0080")], amount=100001)[0].cvm == "device"
    for qualifiers in ("8000", "4000"):
        assert type(visa_error(*QVSDC + [T("9F6C", qualifiers)])) is CardLimit
    assert type(visa_error(*QVSDC, amount=100001)) is CardLimit
    assert type(visa_error(*QVSDC + [T("9F6C", "00")])) is CardOther


def test_gpo_status_words():
    start = [ppse(entry(VISA)), fci(VISA)]
    assert "6985" in error(start + ["6985"]).detail
    assert error(start + ["6986"]).key == "error.card_see_phone"
    assert type(error(start + ["6984"])) is CardOther
    # 6985 lets the next application have its turn.
    both = [ppse(entry(UNIONPAY, "01"), entry(VISA, "02")), fci(UNIONPAY), "6985", fci(VISA), gpo(*QVSDC)]
    assert run(both)[0].aid == H(VISA)


def test_format_1_has_no_cryptogram_here():
    assert "9F36" in error([ppse(entry(VISA)), fci(VISA), T("80", "0000") + "9000"]).detail
    assert isinstance(error([ppse(entry(VISA)), fci(VISA), T("80", "00") + "9000"]), CardOther)
    assert isinstance(error([ppse(entry(VISA)), fci(VISA), T("81", "0000") + "9000"]), CardOther)


def test_dates():
    def dated(expiry, effective=""):
        return QVSDC + [T("5F24", expiry)] + ([T("5F25", effective)] if effective else [])

    assert visa(*dated("260701", "260701"))[0].psn == "00"
    for expiry, effective in (("260630", ""), ("991231", ""), ("261231", "260702"), ("500101", "")):
        assert visa_error(*dated(expiry, effective)).key == "error.card_expired", expiry
    assert isinstance(visa_error(*dated("2612")), CardOther)


def test_two_answers_that_differ():
    assert isinstance(visa_error(*QVSDC + [T("9F36", "0008")]), CardTryAgain)
    assert visa(*QVSDC + [T("9F36", "0007")])[0].atc == 7
    assert "two PANs" in visa_error(*QVSDC + [T("5A", "4761739001010127")]).detail


def test_field_55_never_holds_more_than_it_may():
    hidden = (T("5F20", "41"), T("9F1F", "4142"), T("56", "42"), T("9F6B", "43"), T("5A", "4761739001010119"))
    reading, _ = visa(*QVSDC + list(hidden) + [T("9F6E", "20700000"), T("5F34", "01")])
    text = reading.field55.hex().upper()
    for tag in ("5F20", "9F1F", "9F6B", "4761739001010119"):
        assert tag not in text
    assert text.endswith("9F6E0420700000" + "5F340101")
    assert isinstance(visa_error(*QVSDC + [T("9F6E", "00" * 33)]), CardOther)
    assert isinstance(visa_error(*QVSDC + [T("5F34", "0A")]), CardOther)


def test_a_strange_label_is_not_shown():
    for label in ("C3A9", "", "0A", "20" * 2, "41" * 17):
        odd = T("6F", T("84", VISA), T("A5", T("50", label), T("9F38", "9F6604"))) + "9000"
        assert run([ppse(entry(VISA)), odd, gpo(*QVSDC)])[0].label == "Visa"


# Kernel 2

CDOL = T("8C", "9F02069505")
MCHIP = [
    T("57", "5413330089600119D49122010000000000F"[:34] + "0F"),
    T("5F24", "491231"),
    T("5F34", "01"),
    CDOL,
    T("8E", "0000000000000000" + "1F03"),
]
AC = T("77", T("9F27", "80"), T("9F36", "0002"), T("9F26", "1122334455667788"), T("9F10", "0110A00003240000")) + "9000"


def mchip(record=MCHIP, aip="1880", afl="10010100", ac=AC):
    return [
        ppse(entry(MASTERCARD)),
        fci(MASTERCARD, ""),
        gpo(T("82", aip), T("94", afl)),
        T("70", *record) + "9000",
        ac,
    ]


def test_a_reading_of_a_mastercard():
    reading, sent = run(mchip())
    assert sent[2:4] == ["80A8000002830000", "00B2011400"]
    assert sent[4] == "80AE80000B" + "000000001234" + "8000008000" + "00"
    assert (reading.pan, reading.psn, reading.expiry, reading.atc) == ("5413330089600119", "01", "4912", 2)
    assert (reading.cvm, reading.cryptogram) == ("none", "ARQC")
    assert "9F34031F0302" in reading.field55.hex().upper()
    assert "95058000008000" in reading.field55.hex().upper()


def test_generate_ac_format_1():
    reading, _ = run(mchip(ac=T("80", "80", "0003", "1122334455667788", "0110A00003240000") + "9000"))
    assert reading.atc == 3 and reading.cryptogram == "ARQC"
    assert isinstance(error(mchip(ac=T("80", "80", "0003", "11223344556677") + "9000")), CardOther)
    assert "9F10" in error(mchip(ac=T("80", "80", "0003", "1122334455667788") + "9000")).detail


def test_what_kernel_2_demands():
    assert "magnetic stripe" in error(mchip(aip="0000")[:3]).detail
    assert "8C" in error(mchip([p for p in MCHIP if not p.startswith("8C")])[:4]).detail
    for tag in ("57", "5F24"):
        record = [p for p in MCHIP if not p.startswith(tag)]
        answers = mchip(record)
        if tag == "57":
            assert "5A" in error(answers).detail
        else:
            assert run(answers)[0].expiry == "4912"
    for tag in ("9F27", "9F36", "9F26", "9F10"):
        parts = [T("9F27", "80"), T("9F36", "0002"), T("9F26", "1122334455667788"), T("9F10", "0110A00003240000")]
        left = [p for p in parts if not p.startswith(tag)]
        assert tag in error(mchip(ac=T("77", *left) + "9000")).detail
    assert "94" in error(mchip()[:2] + [gpo(T("82", "1880"))]).detail


def test_the_card_declines():
    declined = AC.replace("9F270180", "9F270100")
    assert type(error(mchip(ac=declined))) is CardDeclined
    assert run(mchip(ac=declined), type=0x20)[0].cryptogram == "AAC"
    assert run(mchip(ac=declined), type=0x20)[1][4].startswith("80AE00")
    assert type(error(mchip(ac=AC.replace("9F270180", "9F270140")))) is CardOther


def test_the_issuers_action_code_denial_asks_for_an_aac():
    # "Offline data authentication was not performed" is among the reasons to deny.
    reader = read_card(TERMINAL, transaction())
    answers = mchip(MCHIP + [T("9F0E", "8000000000")])
    command = next(reader)
    for answer in answers[:4]:
        command = reader.send(H(answer))
    assert command.hex().upper().startswith("80AE00")
    reader.close()


def test_file_locators():
    for afl in ("", "100101", "10010100FF", "11010100", "00010100", "F8010100", "10000100", "10020100", "10010102"):
        assert isinstance(error(mchip(afl=afl)[:3]), CardError), afl
    assert "too many" in error(mchip(afl="1001FF00")[:3]).detail
    assert "too many" in error(mchip(afl="10011800" + "18010100")[:3] + [T("70", "9F0D00") + "9000"] * 24).detail
    # A record of the issuer's own files need not be TLV; one of files 1 to 10 must be.
    own = mchip(afl="10010100" + "58010100")
    own.insert(4, "FFFFFF9000")
    assert run(own)[0].atc == 2
    assert "template" in error(mchip(afl="10010100")[:3] + [T("77", *MCHIP) + "9000"]).detail


def test_the_usual_locator_reads_the_data_record_alone():
    reading, sent = run(mchip(afl="08010100100101011801020020010200"))
    assert sent[3] == "00B2011400" and len(sent) == 5
    reading, sent = run(mchip(afl="0801010010010100"))
    assert sent[3] == "00B2011400" and len(sent) == 5


def cvm(rules, amount=1234, more=(), aip="1880", other=0):
    record = [p for p in MCHIP if not p.startswith("8E")] + list(more)
    if rules is not None:
        record.append(T("8E", rules))
    record = [p if not p.startswith("8C") else T("8C", "9F34039505") for p in record]
    try:
        reading, sent = run(mchip(record, aip=aip), amount=amount, other=other)
    except CardLimit:
        return "limit"
    return reading.cvm + " " + sent[4][10:16] + " " + sent[4][16:26]


XY = "000003E8" + "00000BB8"  # X = 1000, Y = 3000


def test_cardholder_verification_by_the_cards_list():
    none = "0000000000000000"
    assert cvm(none + "1F03") == "none 1F0302 8000008000"
    assert cvm(none + "42031E031F00") == "none 1F0002 8000008000"  # PIN and signature if supported: passed over
    assert cvm(none + "4200" + "1F00") == "none 1F0002 8000008000"  # online PIN fails here, the next rule applies
    assert cvm(none + "0200" + "1F00") == "none 3F0001 8000808000"  # … unless the rule forbids it
    assert cvm(none + "4000" + "1F00") == "none 3F0001 8000808000"  # "fail" ends it whatever its bit says
    assert cvm(none + "6A00" + "1F00") == "none 1F0002 8000408000"  # unrecognised, then no CVM
    assert cvm(none + "4203") == "none 3F0001 8000808000"  # nothing applied
    assert cvm(None) == "none 3F0000 A000008000"
    assert cvm(none + "1F03", aip="0880") == "none 3F0000 8000008000"  # the card supports no verification
    assert cvm(none + "1F03", aip="1A80") == "none 3F0002 8000008000"
    for bad in ("0000", none, none + "1F"):
        try:
            cvm(bad)
            raise AssertionError(bad)
        except CardOther:
            pass


def test_cvm_conditions_on_amounts_need_the_same_currency():
    same, other = (T("9F42", "0156"),), (T("9F42", "0840"),)
    for condition, amount, applies in (
        ("06", 999, True),
        ("06", 1000, False),
        ("07", 1001, True),
        ("07", 1000, False),
        ("08", 2999, True),
        ("08", 3000, False),
        ("09", 3001, True),
        ("09", 3000, False),
        ("01", 1, False),
        ("04", 1, False),
        ("05", 1, False),
        ("0A", 1, False),
    ):
        result = cvm(XY + "1F" + condition, amount, same)
        assert result.startswith("none 1F" if applies else "none 3F0001"), (condition, amount, result)
        assert cvm(XY + "1F" + condition, amount, other).startswith("none 3F0001")
        assert cvm(XY + "1F" + condition, amount).startswith("none 3F0001")


def test_cvm_conditions_on_cashback():
    none = "0000000000000000"
    assert cvm(none + "1F02").startswith("none 1F02")
    assert cvm(none + "1F05").startswith("none 3F0001")
    assert cvm(none + "1F02", other=100).startswith("none 3F0001")
    assert cvm(none + "1F05", other=100).startswith("none 1F05")


def test_above_the_limit_the_device_must_have_verified():
    none = "0000000000000000"
    assert cvm(none + "1F03", amount=100001) == "limit"
    assert cvm(none + "1F03", amount=100001, aip="1A80") == "device 010002 8000008000"
    assert cvm(None, amount=100001) == "limit"
