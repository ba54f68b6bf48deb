from till.core.errors import InvalidValue
from till.crypto.strict_json import parse_json

HEAP = "512K"


def refused(octets, *args):
    try:
        parse_json(octets, *args)
    except InvalidValue as e:
        assert isinstance(e.detail, str) and e.detail.startswith("JSON")
        return True
    return False


def test_json_reads_what_the_wire_carries():
    assert parse_json(b"{}") == {}
    assert parse_json(b' \t\r\n{ "a" :\n[ 1 , -2 , 0 ] , "b" : { } , "c" : [ ] } \n') == {
        "a": [1, -2, 0],
        "b": {},
        "c": [],
    }
    assert parse_json(b'{"t":true,"f":false,"n":null,"s":""}') == {"t": True, "f": False, "n": None, "s": ""}
    assert parse_json(memoryview(b'x{"a":1}')[1:]) == {"a": 1}
    assert parse_json(bytearray(b'{"a":"b"}')) == {"a": "b"}


def test_json_ints_are_bounded():
    for n in (0, 9, 1 << 31, 1 << 40, (1 << 53) - 1, -(1 << 53) + 1):
        assert parse_json(b'{"n":%d}' % n) == {"n": n}
    for n in (1 << 53, -(1 << 53), 10**16, 10**17, 10**400):
        assert refused(b'{"n":%d}' % n)
    for text in (
        b"01",
        b"-01",
        b"00",
        b"-",
        b"+1",
        b".5",
        b"1.",
        b"1.0",
        b"1e3",
        b"1E3",
        b"0x1",
        b"1_0",
        b"--1",
        b"1-",
    ):
        assert refused(b'{"n":' + text + b"}"), text
    for text in (b"NaN", b"Infinity", b"-Infinity", b"nan", b"True", b"nul", b"undefined", b"'a'"):
        assert refused(b'{"n":' + text + b"}"), text


def test_json_refuses_a_member_twice():
    assert refused(b'{"a":1,"a":1}')
    assert refused(b'{"a":1,"\\u0061":1}')
    assert refused(b'{"x":{"a":1,"b":2,"a":3}}')
    assert parse_json(b'{"a":{"a":1},"b":{"a":1}}') == {"a": {"a": 1}, "b": {"a": 1}}


def test_json_depth():
    for depth in range(1, 9):
        for opening, closing in ((b"[", b"]"), (b'{"a":', b"}")):
            inner = opening * (depth - 1) + b"1" + closing * (depth - 1)
            text = b'{"a":' + inner + b"}"
            for most in (1, 2, 6):
                assert refused(text, most) == (depth > most), (depth, most)
            assert refused(text) == (depth > 6)


def test_json_grammar():
    for text in (
        b"",
        b" ",
        b"{",
        b"}",
        b"{}{}",
        b"{}x",
        b"{},",
        b"[]",
        b"1",
        b'"a"',
        b"null",
        b"{a:1}",
        b'{"a"}',
        b'{"a":}',
        b'{"a" 1}',
        b'{"a":1 "b":2}',
        b'{"a":1,}',
        b'{,"a":1}',
        b'{"a":1,,"b":2}',
        b'{"a":[1 2]}',
        b'{"a":[1,]}',
        b'{"a":[,1]}',
        b'{"a":[1,,2]}',
        b'{"a":[1}',
        b'{"a":[1}]',
        b'{"a":{"b":1]}',
        b'{"a":1',
        b'{"a":"b',
        b'{"a":"b\\"}',
        b'{"a":tru',
        b"{1:2}",
        b'{"a":1}\x00',
        b"\xef\xbb\xbf{}",
        b'{"a":1}//',
        b'{"a":/**/1}',
    ):
        assert refused(text), text


def test_json_strings():
    text = '{"a":"中 \\"\\\\\\/\\b\\f\\n\\r\\t\\u4e2D\\ud83d\\uDE00\\u0000 é"}'
    assert parse_json(text.encode()) == {"a": '中 "\\/\b\f\n\r\t中\U0001f600\x00 é'}
    assert parse_json('{"é":"\U0010ffff"}'.encode()) == {"é": "\U0010ffff"}
    for raw in (
        b"\x00",
        b"\x1f",
        b"\n",
        b"\\n\n",
        b"\\x41",
        b"\\",
        b"\\u12",
        b"\\u12g4",
        b"\\u 123",
        b"\\'",
        b"\\U0041",
    ):
        assert refused(b'{"a":"' + raw + b'"}'), raw
    for raw in (b"\\ud800", b"\\udc00", b"\\ud83dx", b"\\ud83d\\u0041", b"\\udc00\\ud800", b"\\ud83d\\n"):
        assert refused(b'{"a":"' + raw + b'"}'), raw
    for raw in (
        b"\x80",
        b"\xc3",
        b"\xc3(",
        b"\xc0\x80",
        b"\xe0\x80\xaf",
        b"\xf0\x80\x80\x80",
        b"\xed\xa0\x80",
        b"\xed\xb0\x80",
        b"\xf4\x90\x80\x80",
        b"\xf8\x88\x80\x80\x80",
        b"\xff",
        b"\\n\xed\xa0\x80",
    ):
        assert refused(b'{"a":"' + raw + b'"}'), raw
        assert refused(b'{"' + raw + b'":1}'), raw


def test_json_size_is_bounded():
    assert parse_json(b'{"a":"%s"}' % (b"x" * (16384 - 8)))
    assert refused(b'{"a":"%s"}' % (b"x" * (16385 - 8)))
    assert len(parse_json(b'{"a":[%s1]}' % (b"1," * 510))["a"]) == 511
    assert refused(b'{"a":[%s1]}' % (b"1," * 511))
    assert refused(b'{"a":[%s[]]}' % (b"[]," * 2000))
