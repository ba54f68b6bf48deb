"""HTTP answers from a hostile or broken host, into the terminal's reader on the Unix port."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.fuzz import examples
from support.port import Port, PortRaised

LIMIT = 256
ROOM = 1024 + LIMIT  # what the reader's buffer holds: head and body

SOURCE = """
from till.services.http import HttpAnswer
_answer = HttpAnswer(256)

def feed(data, cuts):
    # As the link does: whatever has arrived goes into what room there is, in the pieces the network made of it.
    _answer.start()
    at = 0
    while at < len(data):
        space = _answer.space()
        step = min(cuts[at % len(cuts)] if cuts else len(data), len(space), len(data) - at)
        assert step > 0, "no room, and yet not whole"
        space[:step] = data[at : at + step]
        at += step
        if _answer.filled(step):
            return [_answer.status, bytes(_answer.body()), _answer.keep_alive, at]
    _answer.filled(0)
"""

GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: application/jose\r\nContent-Length: %d\r\n\r\n%s"

cuts = st.lists(st.integers(1, 300), max_size=5)
bodies = st.binary(max_size=LIMIT)
FUZZ = settings(
    max_examples=examples(1500),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@pytest.fixture(scope="module")
def port():
    with Port(SOURCE, heap="128K") as port:
        yield port


def outcome(port: Port, data: bytes, pieces: list[int]):
    """What the reader made of it; only an AnswerError may come out, and only as itself."""
    try:
        return port.call("feed", data, pieces)
    except PortRaised as e:
        assert e.names[0] == "AnswerError", e
        return None


@FUZZ
@given(body=bodies, pieces=cuts)
def test_fuzz_a_good_answer_is_read_the_same_however_it_is_cut(port, body, pieces):
    whole = GOOD % (len(body), body)
    assert outcome(port, whole, pieces) == [200, body, True, len(whole)]


@FUZZ
@given(data=st.binary(max_size=2 * ROOM), pieces=cuts)
def test_fuzz_anything_at_all(port, data, pieces):
    outcome(port, data, pieces)


@FUZZ
@given(body=bodies, pieces=cuts, at=st.integers(0, 2000), new=st.binary(max_size=8), drop=st.integers(0, 8))
def test_fuzz_a_good_answer_changed_somewhere(port, body, pieces, at, new, drop):
    whole = GOOD % (len(body), body)
    at %= len(whole)
    changed = whole[:at] + new + whole[at + drop :]
    found = outcome(port, changed, pieces)
    if found is not None:
        # It reads as an answer: then as what stands there, and never more than that.
        assert found[1] in changed
        assert found[3] <= len(changed)


@FUZZ
@given(length=st.integers(0, 10**9), body=st.binary(max_size=2 * ROOM), pieces=cuts)
def test_fuzz_a_length_that_lies(port, length, body, pieces):
    found = outcome(port, GOOD % (length, body), pieces)
    if found is not None:
        assert length == len(found[1]) <= LIMIT
        assert body.startswith(found[1])


@FUZZ
@given(
    lines=st.lists(st.tuples(st.binary(min_size=1, max_size=30), st.binary(max_size=60)), max_size=20),
    body=bodies,
    pieces=cuts,
)
def test_fuzz_header_lines(port, lines, body, pieces):
    head = b"".join(name + b":" + value + b"\r\n" for name, value in lines)
    outcome(port, b"HTTP/1.1 200 OK\r\n" + head + b"Content-Length: %d\r\n\r\n" % len(body) + body, pieces)
