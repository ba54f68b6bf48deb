"""The PN532 on I2C: the virtual chip alone, hosts that it refuses, and the reader's driver on it."""

import pytest
from microtill.bench.chips.pn532_core import ACK, NACK, frame
from pn532_host import SAM, VERSION, TestCard
from pn532_hosts import I2cHost
from pn532_links import start, trace_card


@pytest.fixture
def host():
    host = I2cHost()
    host.start()
    yield host
    assert host.seam.violations == []


def test_a_reading_is_a_status_byte_and_then_the_frame(host):
    host.write(frame(b"\xd4\x02"))
    assert host.fetch(1) == b"\x00"
    assert host.wait_ready()
    assert host.fetch(7) == b"\x01" + ACK
    assert host.fetch(1) == b"\x00"
    assert host.wait_ready()
    assert host.fetch(14) == bytes.fromhex("01 0000ff06fad50332010607e800")


def test_the_status_byte_alone_leaves_the_frame_where_it_is(host):
    host.write(frame(b"\xd4\x02"))
    assert host.wait_ready()
    for _ in range(3):
        assert host.fetch(1) == b"\x01"
    assert host.read(6) == ACK


def test_behind_the_frame_comes_what_is_no_frame(host):
    host.write(frame(b"\xd4\x02"))
    host.wait_ready()
    assert host.fetch(10)[7:].strip(b"\x00") != b""


def test_a_frame_read_in_part_is_gone_until_a_nack(host):
    host.write(frame(b"\xd4\x02"))
    host.wait_ready()
    host.read(6)
    assert host.wait_ready()
    assert host.read(5) == bytes.fromhex("0000ff06fa")
    assert not host.wait_ready(100_000)
    host.write(NACK)
    assert host.wait_ready()
    assert host.read(13) == frame(VERSION)


def test_irq_falls_for_each_frame_and_rises_when_it_is_read(host):
    host.write(frame(b"\xd4\x02"))
    seen = []
    for length in (6, 13):
        host.seam.advance(2_000)
        seen.append(host.seam.levels["nfc", "IRQ"])
        host.fetch(1)
        seen.append(host.seam.levels["nfc", "IRQ"])
        host.read(length)
        seen.append(host.seam.levels["nfc", "IRQ"])
    assert seen == [0, 0, 1, 0, 0, 1]


def test_the_longest_apdus_take_extended_frames(host):
    longest = bytes(range(256)) + bytes(6)
    host.chip.present(TestCard(answer=lambda capdu: capdu))
    host.list_targets()
    assert host.command(b"\x40\x01" + longest) == b"\xd5\x41\x00" + longest


def test_an_address_wakes_it_and_is_held_for_a_millisecond():
    host = I2cHost()
    assert host.chip.addressed(True) == 1_000
    assert host.chip.core.power == "waking"
    host.seam.advance(2_000)
    assert host.chip.addressed(True) == 440
    host.start()
    assert host.seam.violations == []


def test_power_down_sleeps_until_addressed_and_keeps_its_configuration(host):
    assert host.command("16 80") == b"\xd5\x17\x00"
    host.seam.advance(2_000)
    assert not host.chip.core.awake
    host.wake()
    host.chip.present(TestCard())
    assert host.list_targets()[2] == 1


def test_a_chip_in_reset_or_without_supply_acknowledges_nothing(host):
    host.chip.pin_changed("RSTPD_N", 0)
    assert host.gone()
    host.chip.pin_changed("RSTPD_N", 1)
    assert host.gone()  # its oscillator starts
    host.seam.advance(5_000)
    host.start()
    host.chip.power_off()
    assert host.gone()


# Faults


def test_a_dead_chip_lets_its_address_go_by(host):
    host.chip.fault("dead")
    assert host.gone()
    host.chip.fault(None)
    host.seam.advance(10_000)
    host.start()


def test_a_wedged_chip_holds_the_bus_until_it_is_reset(host):
    host.chip.fault("wedged")
    with pytest.raises(TimeoutError):
        host.command("02")
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


def refused(host: I2cHost, words: str) -> bool:
    return any(words in violation for violation in host.seam.violations)


class NoWake(I2cHost):
    def wake(self):
        pass


class Hasty(I2cHost):
    def wake(self):
        self.fetch(1)
        self.seam.advance(500)


class Early(I2cHost):
    def wait_ready(self, us=0):
        return True


class NoStatusByte(I2cHost):
    def read(self, length=280):
        return self.fetch(length)


class BadLcs(I2cHost):
    def make_frame(self, body):
        data = bytearray(frame(body))
        data[4] ^= 1
        return bytes(data)


class BadDcs(I2cHost):
    def make_frame(self, body):
        data = bytearray(frame(body))
        data[-2] ^= 1
        return bytes(data)


class SendsADirectionByte(I2cHost):
    def write(self, data):
        super().write(b"\x01" + data)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (NoWake, "frame sent while it wakes"),
        (Hasty, "frame sent while it wakes"),
        (Early, "read before the status byte or IRQ said ready"),
        (BadLcs, "LCS"),
        (BadDcs, "DCS"),
        (SendsADirectionByte, "no preamble and start code"),
    ],
)
def test_broken_hosts_are_refused(kind, words):
    host = kind()
    host.wake()
    assert host.command(SAM) == b""
    assert refused(host, words)


def test_a_host_that_forgets_the_status_byte_understands_nothing():
    host = NoStatusByte()
    host.wake()
    assert host.command(SAM) == b""


def test_a_host_with_little_patience_is_not_served():
    class Impatient(I2cHost):
        patience_us = 100

    host = Impatient()
    with pytest.raises(TimeoutError):
        host.wake()
    host.seam.advance(5_000)
    with pytest.raises(TimeoutError):
        host.command(SAM)


def test_a_frame_that_is_too_long_is_refused(host):
    host.chip.present(TestCard())
    host.list_targets()
    assert host.command(b"\x40\x01" + bytes(263)) == b""
    assert refused(host, "266 bytes of packet data, at most 265")
    host.seam.violations.clear()


# The driver: what is so on this link only


@pytest.mark.parametrize("length", [54, 55, 56, 255, 258])
def test_answers_of_every_length_come_whole(tmp_path, length):
    capdu = bytes.fromhex("00b2010c00")
    rapdu = bytes(i * 7 & 255 for i in range(length - 2)) + b"\x90\x00"
    body = f"""
    await nfc.start()
    await card()
    for _ in range(3):
        answer = bytes(await nfc.transceive(bytes.fromhex("{capdu.hex()}")))
        print("whole", answer == bytes.fromhex("{rapdu.hex()}"))
    """
    with start(tmp_path, "i2c", body, "irq=irq, reset=reset") as bench:
        bench.wait_line("listening")
        bench.hand("nfc", "present", card=trace_card(tmp_path, (capdu, rapdu)))
        bench.wait_line("done")
        assert [line for line in bench.console_lines() if "whole" in line] == ["whole True"] * 3
        assert bench.violations() == []


def test_a_bus_that_waits_too_little_for_scl_never_starts(tmp_path):
    body = """
    print(await tried(nfc.start()))
    """
    with start(tmp_path, "i2c", body, TIMEOUT=100) as bench:
        assert bench.wait_line("ReaderError") == "ReaderError: not answering: I2C error 116"
        bench.wait_line("done")
        assert any("SCL low for 1000 µs, the master waits 100" in text for _, _, text in bench.trace())


def test_a_bus_that_waits_for_running_but_not_for_waking_is_helped_by_trying_again(tmp_path):
    with start(tmp_path, "i2c", "print(await tried(nfc.start()))", TIMEOUT=600) as bench:
        bench.wait_line("done")
        assert not any("ReaderError" in line for line in bench.console_lines())
