"""Whatever comes on the line, the UART link raises ReaderError at most, and hears the next good frame."""

from hypothesis import given, settings
from hypothesis import strategies as st
from microtill.bench.chips.pn532_core import ACK, frame
from support.fuzz import examples
from support.port import Port

SOURCE = """
from till.core.errors import ReaderError
from till.drivers.pn532.frame import SIZE
from till.drivers.pn532.uart import UARTTransport

class Line:
    waiting = b""
    def any(self):
        return len(self.waiting)
    def readinto(self, into):
        n = min(len(into), len(self.waiting))
        into[:n] = self.waiting[:n]
        self.waiting = self.waiting[n:]
        return n or None
    def write(self, data):
        return len(data)

def heard(pieces, again):
    line = Line()
    link = UARTTransport(line)
    buffer = bytearray(SIZE)
    view = memoryview(buffer)
    bodies = []
    polls = 0
    for piece in list(pieces) + [None] + list(again):
        if piece is None:
            link.write(view[:7])  # a new command: what is left of the old is dropped
            bodies = []
            continue
        line.waiting += piece
        while line.waiting or link.ready():
            polls += 1
            if polls > 5000:
                raise RuntimeError("it never ends")
            if link.ready():
                try:
                    at, length = link.read(buffer, view, False)
                    bodies.append(bytes(buffer[at : at + length]))
                except ReaderError:
                    bodies.append(None)
    return bodies
"""

pieces = st.lists(
    st.one_of(
        st.binary(min_size=1, max_size=300),
        st.just(ACK),
        st.binary(min_size=1, max_size=265).map(frame),
        st.binary(min_size=1, max_size=265).map(lambda body: frame(body)[:-4]),
        st.sampled_from([b"\x00\xff", b"\x00\xff\xff\xff", b"\x00" * 400, b"\xff" * 400]),
    ),
    max_size=8,
)


def test_fuzz_the_link_hears_the_next_frame_after_anything():
    with Port(SOURCE) as port:

        @given(pieces, st.binary(min_size=1, max_size=265))
        def run(noise, body):
            assert port.call("heard", noise, [ACK, frame(body)])[-2:] == [b"", body]

        settings(max_examples=examples(200), deadline=None)(run)()
