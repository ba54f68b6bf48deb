from till.core.errors import AnswerError
from till.services.http import HttpAnswer, request


def feed(answer, data, step=1000):
    answer.start()
    at = 0
    while at < len(data):
        space = answer.space()
        part = data[at : at + min(step, len(space))]
        space[: len(part)] = part
        at += len(part)
        if answer.filled(len(part)):
            return at
    return None


def reason(data, limit=64, step=1000, end=False):
    answer = HttpAnswer(limit)
    try:
        feed(answer, data, step)
        if end:
            answer.filled(0)
    except AnswerError as e:
        return e.key
    return None


GOOD = b"HTTP/1.1 200 OK\r\nContent-Type: application/jose\r\ncontent-length: 5\r\n\r\nhello"


def test_an_answer_arrives_whole_however_it_is_cut():
    for step in (1, 2, 3, 7, 64, 1000):
        answer = HttpAnswer(64)
        assert feed(answer, GOOD, step) == len(GOOD)
        assert answer.status == 200 and bytes(answer.body()) == b"hello"
        assert answer.content_type == b"application/jose" and answer.keep_alive


def test_the_buffer_serves_again():
    answer = HttpAnswer(64)
    feed(answer, GOOD)
    feed(answer, b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
    assert answer.status == 204 and bytes(answer.body()) == b"" and not answer.keep_alive


def test_a_long_answer_has_room_and_the_next_gives_it_back():
    body = bytes([i & 0xFF for i in range(4096)])
    answer = HttpAnswer(4096)
    for step in (1, 700, 5000):
        assert feed(answer, b"HTTP/1.1 200 OK\r\nContent-Length: 4096\r\n\r\n" + body, step)
        assert bytes(answer.body()) == body
        assert feed(answer, GOOD, step) and bytes(answer.body()) == b"hello"
        assert len(answer.space()) < 1300


def test_what_is_not_a_plain_answer_is_refused():
    line = b"HTTP/1.1 200 OK\r\n"
    assert reason(b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n") == "reason.malformed"
    assert reason(b"HTTP/1.1 2x0 OK\r\nContent-Length: 0\r\n\r\n") == "reason.malformed"
    assert reason(b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n") == "reason.malformed"
    assert reason(line + b"\r\n") == "reason.malformed"
    assert reason(line + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0") == "reason.malformed"
    assert reason(line + b"Content-Encoding: gzip\r\nContent-Length: 1\r\n\r\n0") == "reason.malformed"
    assert reason(line + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n00") == "reason.malformed"
    assert reason(line + b"Content-Length: -1\r\n\r\n") == "reason.malformed"
    assert reason(line + b"Content-Length: 0x1\r\n\r\n") == "reason.malformed"
    assert reason(line + b" folded\r\n\r\n") == "reason.malformed"
    assert reason(line + b"Content-Length: 1\r\n\r\nab") == "reason.malformed"


def test_size_is_bounded_before_it_is_read():
    line = b"HTTP/1.1 200 OK\r\nContent-Length: "
    assert reason(line + b"65\r\n\r\n") == "reason.oversized"
    assert reason(line + b"99999999999999999999\r\n\r\n") == "reason.malformed"
    assert reason(b"HTTP/1.1 200 OK\r\nA: " + b"a" * 2000) == "reason.oversized"


def test_a_cut_answer_is_truncated():
    for n in range(1, len(GOOD)):
        assert reason(GOOD[:n], end=True) == "reason.truncated", n


def test_a_request_is_one_buffer():
    assert bytes(request("POST", "/v1/messages", "a.test:8443", "application/jose", b"abc")) == (
        b"POST /v1/messages HTTP/1.1\r\nHost: a.test:8443\r\n"
        b"Content-Type: application/jose\r\nContent-Length: 3\r\n\r\nabc"
    )
    assert bytes(request("GET", "/v1/ping", "a.test:1", "", None)) == b"GET /v1/ping HTTP/1.1\r\nHost: a.test:1\r\n\r\n"
