from till.emv import tlv
from till.emv.tlv import TlvError

H = bytes.fromhex


def values(text):
    data = memoryview(H(text))
    found = tlv.index(data, 0, len(data), {})
    return {tag: bytes(tlv.slice_of(data, place)).hex() for tag, place in found.items()}


def refused(text, end=None):
    data = H(text)
    try:
        tlv.index(data, 0, len(data) if end is None else end, {})
    except TlvError:
        return True
    return False


def test_primitive_objects_by_tag():
    assert values("") == {}
    assert values("8201AA950102") == {0x82: "aa", 0x95: "02"}
    assert values("9F2701809F360200FF") == {0x9F27: "80", 0x9F36: "00ff"}
    assert values("DF810101 07".replace(" ", "")) == {0xDF8101: "07"}
    assert values("8200") == {0x82: ""}


def test_constructed_objects_are_entered_at_any_depth():
    assert values("6F0B 8402AABB A505 BF0C02 5000".replace(" ", "")) == {0x84: "aabb", 0x50: ""}
    assert values("7006 6102 5000 8200".replace(" ", "")) == {0x50: "", 0x82: ""}
    assert values("6100 8201AA".replace(" ", "")) == {0x82: "aa"}
    # After an inner template the outer one goes on.
    assert values("700E A506 BF0C03 500141 8201AA 950100".replace(" ", "")) == {0x50: "41", 0x82: "aa", 0x95: "00"}


def test_lengths_of_one_to_three_octets():
    for size, head in ((0x7F, "7F"), (0x80, "8180"), (0xFF, "81FF"), (0x100, "820100"), (4000, "820FA0")):
        data = H("90" + head) + bytes(size)
        found = tlv.index(data, 0, len(data), {})
        assert len(tlv.slice_of(data, found[0x90])) == size
    assert values("90810141") == {0x90: "41"}  # EMV does not ask for the shortest form


def test_padding_of_zeros_between_objects():
    assert values("00008201AA0000950102 00".replace(" ", "")) == {0x82: "aa", 0x95: "02"}


def test_what_is_not_tlv_is_refused():
    for text in (
        "82",  # no length
        "8202AA",  # value cut
        "9F",  # tag cut
        "9F27",
        "9F80010 0".replace(" ", ""),  # tag number with a leading zero
        "DF81820100",  # tag of 4 octets
        "8280",  # indefinite length
        "82830000 01AA".replace(" ", ""),  # length of 3 octets
        "8284000000 01AA".replace(" ", ""),
        "8281",  # length cut
        "828201",
        "70038202AA",  # inner value past its template
        "7004820395AA",
        "70029F27 0180".replace(" ", ""),  # inner header past its template
        "7003 8201AABB82".replace(" ", ""),
    ):
        assert refused(text), text


def test_an_inner_object_may_not_borrow_from_behind_its_template():
    # The octets exist in the buffer, but not inside the template.
    assert refused("700382 02AA BB8200".replace(" ", ""))
    assert refused("70 02 82 01 AA".replace(" ", ""))
    assert refused("A5 03 70 02 82 01 AA".replace(" ", ""))


def test_a_tag_twice_needs_the_same_value():
    assert values("8201AA8201AA") == {0x82: "aa"}
    assert refused("8201AA8201AB")
    assert refused("8201AA8202AAAA")
    assert refused("70038201AA" + "8201AB")


def test_bounds():
    assert refused("82" + "01AA", end=5)  # past the data
    try:
        tlv.index(bytes(5000), 0, 5000, {})
        raise AssertionError("too long")
    except TlvError:
        pass
    deep = b""
    for _ in range(10):
        deep = b"\x61" + bytes((len(deep) + 2,)) + deep + b"\x82\x00"
    assert refused(deep.hex())


def test_positions_and_walking_one_level():
    data = memoryview(H("FFFF" + "6F0E 8402AABB A508 5001 41 5001 42 8700 00".replace(" ", "")))
    tag, place = tlv.only(data, 2 << 12 | len(data) - 3)
    assert tag == 0x6F
    inner = tlv.first(data, place, 0xA5)
    assert [bytes(tlv.slice_of(data, p)) for p in tlv.children(data, inner, 0x50)] == [b"A", b"B"]
    assert tlv.first(data, place, 0x50) is None  # one level only
    for position in (2 << 12 | len(data) - 4, 2 << 12 | len(data) - 2):  # an octet short, an octet more
        try:
            tlv.only(data, position)
            raise AssertionError("not exactly one object")
        except TlvError:
            pass


def test_header_reads_what_index_reads_and_refuses_what_it_refuses():
    for text in ("8201AA", "9F2701AA", "DF810101AA", "908103414243", "9082000141", "7000"):
        data = H(text)
        tag, start, end = tlv.header(data, 0, len(data))
        assert end == len(data)
        if not text.startswith("70"):
            place = tlv.index(data, 0, len(data), {})[tag]
            assert (place >> 12, place & 0xFFF) == (start, end - start)
    for text in ("82", "8202AA", "9F", "9F800100", "DF81820100", "8280", "828300000141", "8281", "DF81828100"):
        data = H(text)
        try:
            tlv.header(data, 0, len(data))
            raise AssertionError(text)
        except TlvError:
            pass


def test_append_is_read_back():
    out = bytearray()
    for tag, size in ((0x82, 2), (0x9F10, 0), (0xDF8101, 127), (0x90, 128), (0x9F4B, 255)):
        tlv.append(out, tag, bytes((size & 0xFF,)) * size)
    found = tlv.index(out, 0, len(out), {})
    assert {tag: len(tlv.slice_of(out, p)) for tag, p in found.items()} == {
        0x82: 2,
        0x9F10: 0,
        0xDF8101: 127,
        0x90: 128,
        0x9F4B: 255,
    }
    try:
        tlv.append(out, 0x82, bytes(256))
        raise AssertionError("256 octets")
    except TlvError:
        pass


def test_indexing_allocates_no_copies():
    import gc

    data = memoryview(b"\x70\x82\x03\xe8" + (b"\x90\x82\x03\xe4" + bytes(996)))
    into = {0x90: 0}
    into.clear()
    gc.collect()
    before = gc.mem_alloc()
    tlv.index(data, 0, len(data), into)
    assert gc.mem_alloc() - before < 500  # a dictionary, not the value
