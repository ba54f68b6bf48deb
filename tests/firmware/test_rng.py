import os

from till.core.errors import CryptoError
from till.crypto.rng import Rng


class Source:
    """Counts from a seed (healthy to both tests) until told to go wrong."""

    def __init__(self):
        self.n = 0
        self.fault = None

    def __call__(self, n):
        if self.fault:
            return self.fault(n)
        self.n += n
        return bytes((self.n + i) * 167 + (self.n >> 3) & 255 for i in range(n))


def fails(call, *args):
    try:
        call(*args)
    except CryptoError:
        return True
    return False


def test_rng_gives_what_was_asked_and_never_twice_the_same():
    rng = Rng(os.urandom)
    for n in (0, 1, 31, 32, 33, 64, 1000, 1024):
        assert len(rng.bytes(n)) == n
    drawn = {rng.bytes(16) for _ in range(200)}
    assert len(drawn) == 200
    blocks = rng.bytes(1024)
    assert len({blocks[i : i + 32] for i in range(0, 1024, 32)}) == 32


def test_rng_is_not_the_raw_source_and_remembers():
    a, b = Source(), Source()
    first, second = Rng(a), Rng(b)
    raw = Source()
    raw.n = a.n
    assert first.bytes(32) == second.bytes(32)  # the same source from the start
    one = first.bytes(64)
    assert one != raw(64)
    b.n = a.n + 64  # other samples once: the streams stay apart although the samples are the same again
    second.bytes(64)
    a.n = b.n = 5000
    assert first.bytes(32) != second.bytes(32)


def test_rng_refuses_a_bad_length():
    rng = Rng(Source())
    assert fails(rng.bytes, -1)
    assert fails(rng.bytes, 1025)
    assert rng.bytes(1)


def test_rng_finds_a_stuck_source_at_the_start():
    for value in (0, 0xFF, 0x5A):
        assert fails(Rng, lambda n, value=value: bytes([value]) * n), value


def test_rng_finds_a_source_that_gets_stuck_and_stays_silent():
    source = Source()
    rng = Rng(source)
    rng.bytes(32)
    source.fault = lambda n: bytes([7]) * n
    assert fails(rng.bytes, 16)
    source.fault = None
    assert fails(rng.bytes, 16)
    assert fails(rng.self_test)
    assert fails(rng.bytes, 0)


def test_rng_repetition_count_runs_across_reads():
    """Eight equal samples may be chance, nine are not (SP 800-90B §4.4.1), wherever the reads cut."""
    for run, healthy in ((8, True), (9, False)):
        source = Source()
        rng = Rng(source)
        head = bytes(range(60)) + b"\xee" * 4
        tail = b"\xee" * (run - 4) + bytes(range(100, 168 - run))
        source.fault = lambda n, head=head: head
        rng.bytes(1)
        source.fault = lambda n, tail=tail: tail
        assert fails(rng.bytes, 1) != healthy, run


def test_rng_adaptive_proportion():
    """One value in six of all samples, never twice in a row, passes the repetition count and must not pass this."""
    source = Source()
    rng = Rng(source)
    source.fault = lambda n: bytes(0xAA if i % 6 == 0 else i & 255 for i in range(n))

    def draw_windows():
        for _ in range(24):
            rng.bytes(1)

    assert fails(draw_windows)


def test_rng_source_that_raises_or_answers_short():
    def raising(n):
        raise OSError(5)

    assert fails(Rng, raising)
    assert fails(Rng, lambda n: os.urandom(n - 1))
    assert fails(Rng, lambda n: os.urandom(n + 1))
    source = Source()
    rng = Rng(source)
    source.fault = raising
    assert fails(rng.bytes, 4)
