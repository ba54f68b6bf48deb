"""The PN532 on its high-speed UART: the virtual chip alone, hosts that it refuses, and the reader's driver on it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from microtill.bench.chips.pn532_core import ACK, NACK, frame
from pn532_host import SAM, VERSION, TestCard
from pn532_hosts import HsuHost
from pn532_links import start, trace_card
from support.fuzz import examples


@pytest.fixture
def host():
    host = HsuHost()
    host.start()
    yield host
    assert host.seam.violations == []


def test_frames_come_by_themselves(host):
    host.write(frame(b"\xd4\x02"))
    host.seam.advance(10_000)
    assert host.received == ACK + frame(VERSION)


def test_characters_take_their_time_on_the_wire(host):
    host.write(frame(b"\xd4\x02"))  # 9 characters, 781 µs; then the chip's 300, then 6 characters, 521 µs
    host.seam.advance(1_500)
    assert host.received == b""
    host.seam.advance(200)
    assert host.received == ACK


def test_the_longest_apdus_take_extended_frames_and_24_ms_each_way(host):
    longest = bytes(range(256)) + bytes(6)
    host.chip.present(TestCard(answer=lambda capdu: capdu))
    host.list_targets()
    began = host.seam.us
    host.write(frame(b"\xd4\x40\x01" + longest))
    assert host.wait_ready(50_000)
    assert host.seam.us - began > 23_000
    assert host.read(6) == ACK
    assert host.response() == b"\xd5\x41\x00" + longest


def test_a_nack_brings_the_answer_again(host):
    host.command("02")
    host.write(NACK)
    assert host.wait_ready()
    assert host.read() == frame(VERSION)


def test_an_abort_stops_an_answer_that_is_on_its_way(host):
    host.chip.present(TestCard(answer=lambda capdu: bytes(200)))
    host.list_targets()
    host.write(frame(b"\xd4\x40\x01\x00"))
    host.wait_ready()
    host.read(6)
    while len(host.received) < 32:
        host.seam.advance(100)
    host.chip.receive(ACK, 115_200)
    host.seam.advance(50_000)
    assert 32 <= len(host.received) < 64


def test_a_frame_may_come_in_pieces_that_follow_each_other(host):
    whole = frame(b"\xd4\x02")
    host.write(whole[:4])
    host.chip.receive(whole[4:], 115_200)
    assert host.wait_ready(15_000)
    assert host.read(6) == ACK
    assert host.response() == VERSION


@pytest.mark.parametrize(("sent", "wakes"), [("55", True), ("0000000000", True), ("00000000", False), ("f0f0", False)])
def test_five_rising_edges_wake_it(sent, wakes):
    host = HsuHost()
    host.write(bytes.fromhex(sent))
    host.seam.advance(10_000)
    assert host.chip.core.awake == wakes
    assert host.seam.violations == []


def test_a_preamble_does_an_awake_chip_no_harm(host):
    host.wake()
    assert host.command("02") == VERSION


def test_power_down_sleeps_until_the_line_moves_and_keeps_its_configuration(host):
    assert host.command("16 10") == b"\xd5\x17\x00"
    host.seam.advance(2_000)
    assert not host.chip.core.awake
    host.wake()
    host.chip.present(TestCard())
    assert host.list_targets()[2] == 1


# Faults


def test_a_dead_chip_is_silent_and_lives_again(host):
    host.chip.fault("dead")
    assert host.command("02") == b""
    host.chip.fault(None)
    host.seam.advance(10_000)
    host.start()


def test_a_wedged_chip_is_freed_by_reset_only(host):
    host.chip.fault("wedged")
    assert host.command("02") == b""
    host.wake()
    assert host.command("02") == b""
    host.chip.pin_changed("RSTPD_N", 0)
    host.chip.pin_changed("RSTPD_N", 1)
    host.seam.advance(10_000)
    host.start()


def test_a_stuck_chip_is_freed_by_an_abort(host):
    host.chip.fault("stuck")
    host.write(frame(b"\xd4\x02"))
    assert host.wait_ready(15_000)
    assert host.read(6) == ACK
    assert not host.wait_ready(500_000)
    host.write(ACK)
    assert host.command("02") == VERSION


# Hosts that do something wrong, one each.


class NoWake(HsuHost):
    def wake(self):
        pass


class Hasty(HsuHost):
    def wake(self):
        self.write(self.preamble)
        self.seam.advance(500)


class OneBreath(HsuHost):
    """Preamble and frame in one go, as some examples have it: the oscillator may not run yet."""

    def wake(self):
        pass

    def make_frame(self, body):
        return self.preamble + frame(body)


class WrongBaud(HsuHost):
    baudrate = 9_600


class Stutters(HsuHost):
    def write(self, data):
        self.received.clear()
        self.chip.receive(data[:4], self.baudrate)
        self.seam.advance(4 * 87 + 2_000)
        self.chip.receive(data[4:], self.baudrate)


class BadLcs(HsuHost):
    def make_frame(self, body):
        data = bytearray(frame(body))
        data[4] ^= 1
        return bytes(data)


class BadDcs(HsuHost):
    def make_frame(self, body):
        data = bytearray(frame(body))
        data[-2] ^= 1
        return bytes(data)


class SendsADirectionByte(HsuHost):
    def make_frame(self, body):
        return b"\x01" + frame(body)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (NoWake, "frame sent while asleep"),
        (Hasty, "frame sent while waking"),
        (OneBreath, "frame sent while waking"),
        (WrongBaud, "HSU at 9600 baud"),
        (Stutters, "inside a frame, at most 1000"),
        (BadLcs, "LCS"),
        (BadDcs, "DCS"),
        (SendsADirectionByte, "before a start code: 01"),
    ],
)
def test_broken_hosts_are_refused(kind, words):
    host = kind()
    host.wake()
    host.command(SAM)
    assert any(words in violation for violation in host.seam.violations)


@pytest.mark.parametrize("kind", [NoWake, Hasty, OneBreath, WrongBaud, Stutters, BadLcs, BadDcs])
def test_broken_hosts_get_no_answer(kind):
    host = kind()
    host.wake()
    assert host.command(SAM) == b""


def test_fuzz_the_chip_takes_any_characters_without_falling_over():
    host = HsuHost()
    host.start()

    @given(st.lists(st.binary(min_size=1, max_size=40), max_size=8))
    def run(pieces):
        for data in pieces:
            host.write(data)
            host.seam.advance(50)

    settings(max_examples=examples(200), deadline=None)(run)()
    host.seam.advance(5_000_000)
    host.chip.pin_changed("RSTPD_N", 0)
    host.chip.pin_changed("RSTPD_N", 1)
    host.seam.advance(10_000)
    host.start()


# The driver: what is so on this link only


def test_a_wrong_baud_rate_is_told_as_a_reader_that_does_not_answer(tmp_path):
    with start(tmp_path, "hsu", "print(await tried(nfc.start()))", BAUD=9600) as bench:
        assert "not answering" in bench.wait_line("ReaderError")
        bench.wait_line("done")
        assert any("HSU at 9600 baud" in violation for violation in bench.violations())


def test_what_is_left_of_a_cancelled_exchange_is_passed_over(tmp_path):
    """The rest of the old answer is still on the wire when the next command goes out."""
    capdu = bytes.fromhex("00b2010c00")
    rapdu = bytes(250) + b"\x90\x00"
    body = f"""
    await nfc.start()
    for wait in (3, 10, 20, 30):
        await card()
        task = asyncio.create_task(nfc.transceive(bytes.fromhex("{capdu.hex()}")))
        await asyncio.sleep_ms(wait)
        task.cancel()
        try:
            await task
        except asyncio.CancelledError:
            print("cancelled")
        await nfc.release()
    await card()
    print("answer", len(await nfc.transceive(bytes.fromhex("{capdu.hex()}"))))
    """
    with start(tmp_path, "hsu", body) as bench:
        bench.wait_line("listening")
        bench.hand("nfc", "present", card=trace_card(tmp_path, *[(capdu, rapdu)] * 2))
        assert bench.wait_line("answer") == "answer 252"
        assert bench.violations() == []
