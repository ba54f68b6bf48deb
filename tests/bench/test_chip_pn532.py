"""The virtual PN532 alone: what it does for a correct host, and that it refuses each of the usual broken ones."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from microtill.bench.chips.base import SpiSettings
from microtill.bench.chips.pn532_core import ACK, FrameError, frame, parse
from pn532_host import VERSION, Host, TestCard
from support.fuzz import examples

SELECT_PPSE = "00a404000e325041592e5359532e444446303100"


@pytest.fixture
def host():
    host = Host()
    host.start()
    yield host
    assert host.seam.violations == []


def test_firmware_version_as_the_manual_prints_it(host):
    host.write(bytes.fromhex("0000ff02fed4022a00"))
    assert host.wait_ready(15_000)
    assert host.read(6) == ACK
    assert host.wait_ready()
    assert host.read(13) == bytes.fromhex("0000ff06fad50332010607e800")


def test_status_is_not_ready_before_the_acknowledgement_and_between_it_and_the_answer(host):
    host.write(frame(b"\xd4\x02"))
    assert host.transaction(b"\x02\x00\x00")[1:] == b"\x00\x00"
    assert host.wait_ready()
    host.read(6)
    assert host.transaction(b"\x02\x00")[1] == 0


def test_irq_falls_for_each_frame_and_rises_when_it_is_read(host):
    host.write(frame(b"\xd4\x02"))
    seen = []
    for _ in range(2):
        host.seam.advance(2_000)
        seen.append(host.seam.levels["nfc", "IRQ"])
        host.read(6 if not seen[1:] else 13)
        seen.append(host.seam.levels["nfc", "IRQ"])
    assert seen == [0, 1, 0, 1]


def test_irq_stays_high_when_sam_configuration_says_so(host):
    assert host.command("14 01 14 00") == bytes.fromhex("d515")
    host.write(frame(b"\xd4\x02"))
    host.seam.advance(5_000)
    assert host.seam.levels["nfc", "IRQ"] == 1


def test_one_card_is_listed_with_its_ats(host):
    host.chip.present(TestCard())
    assert host.list_targets() == bytes.fromhex("d54b 01 01 0044 20 07 04a1b2c3d4e5f6 0578807002")


def test_two_cards_are_listed_as_two(host):
    host.chip.present(TestCard("01020304"))
    host.chip.present(TestCard("05060708"))
    assert host.list_targets()[2] == 2


def test_endless_listening_finds_a_card_that_comes_later(host):
    host.write(frame(b"\xd4\x4a\x02\x00"))
    host.wait_ready()
    host.read(6)
    host.seam.advance(60_000_000)
    assert not host.wait_ready(1)
    host.chip.present(TestCard())
    assert host.response()[2] == 1


def test_finite_retries_end_with_no_target(host):
    assert host.command("32 05 ff 01 04") == b"\xd5\x33"
    began = host.seam.us
    assert host.list_targets() == b"\xd5\x4b\x00"
    assert host.seam.us - began >= 100_000


def test_listening_is_ended_by_an_ack_from_the_host(host):
    host.write(frame(b"\xd4\x4a\x02\x00"))
    host.wait_ready()
    host.read(6)
    host.write(ACK)
    host.chip.present(TestCard())
    assert not host.wait_ready(500_000)
    assert host.command("02") == VERSION


def test_a_new_command_ends_the_one_before(host):
    host.write(frame(b"\xd4\x4a\x02\x00"))
    host.wait_ready()
    host.read(6)
    assert host.command("02") == VERSION


def test_apdus_go_to_the_card_and_into_the_trace(host):
    card = TestCard()
    host.chip.present(card)
    host.list_targets()
    assert host.command("40 01" + SELECT_PPSE) == bytes.fromhex("d54100" + SELECT_PPSE + "9000")
    assert card.seen == [bytes.fromhex(SELECT_PPSE)]
    assert f"nfc: => {SELECT_PPSE}" in host.seam.traces
    assert f"nfc: <= {SELECT_PPSE}9000" in host.seam.traces


def test_the_longest_apdus_take_extended_frames(host):
    longest = bytes(range(256)) + bytes(6)
    card = TestCard(answer=lambda capdu: capdu)
    host.chip.present(card)
    host.list_targets()
    assert len(longest) == 262
    assert host.command(b"\x40\x01" + longest) == b"\xd5\x41\x00" + longest


def test_a_response_longer_than_the_chip_holds_comes_in_parts(host):
    host.chip.present(TestCard(answer=lambda capdu: bytes(300) + b"\x90\x00"))
    host.list_targets()
    first = host.command(b"\x40\x01\x00")
    assert (first[2], len(first)) == (0x40, 265)
    rest = host.command(b"\x40\x01")
    assert (rest[2], len(rest)) == (0x00, 3 + 40)


def test_an_apdu_may_be_chained_to_the_card(host):
    card = TestCard()
    host.chip.present(card)
    host.list_targets()
    assert host.command(b"\x40\x41\x00\xa4") == b"\xd5\x41\x00"
    host.command(b"\x40\x01\x04\x00")
    assert card.seen == [b"\x00\xa4\x04\x00"]


def test_a_card_pulled_away_times_out(host):
    host.chip.present(TestCard(), leaves_after=1)
    host.list_targets()
    assert host.command(b"\x40\x01\x00")[2] == 0x00
    assert host.command(b"\x40\x01\x00") == b"\xd5\x41\x01"
    assert host.command("00 06") == b"\xd5\x01\x01"


def test_presence_is_asked_without_an_apdu(host):
    card = TestCard()
    host.chip.present(card)
    host.list_targets()
    assert host.command("00 06") == b"\xd5\x01\x00"
    assert card.seen == []
    host.chip.remove()
    assert host.command("00 06") == b"\xd5\x01\x01"


def test_an_exchange_without_a_target_is_out_of_context(host):
    assert host.command(b"\x40\x01\x00") == b"\xd5\x41\x27"


def test_rf_errors_come_as_status_bytes(host):
    host.chip.present(TestCard())
    host.list_targets()
    for status in (0x02, 0x05, 0x0B):
        host.chip.core.rf_error(status)
        assert host.command(b"\x40\x01\x00") == bytes((0xD5, 0x41, status))


def test_a_card_in_its_protocol_is_found_again_only_after_the_field_was_off(host):
    assert host.command("32 05 ff 01 00") == b"\xd5\x33"
    host.chip.present(TestCard())
    assert host.list_targets()[2] == 1
    assert host.list_targets()[2] == 0
    host.command("52 00")
    assert host.list_targets()[2] == 0
    host.command("32 01 00")
    assert host.list_targets()[2] == 0  # too short a gap for the card to forget
    host.command("32 01 00")
    host.seam.advance(5_100)
    assert host.list_targets()[2] == 1


def test_general_status_tells_field_and_targets(host):
    assert host.command("04") == bytes.fromhex("d505 00 00 00 00")
    host.chip.present(TestCard())
    host.list_targets()
    assert host.command("04") == bytes.fromhex("d505 00 01 01 01000000 00")
    host.command("44 01")
    assert host.command("54 01") == b"\xd5\x55\x00"


def test_a_nack_brings_the_answer_again(host):
    host.chip.fault("garbled")
    assert host.command("02") == VERSION
    garbled = host.chip.core._response
    host.write(bytes.fromhex("0000ffff0000"))
    assert host.wait_ready()
    assert host.read(13) == garbled == frame(VERSION)


def test_power_down_sleeps_until_selected_and_keeps_its_configuration(host):
    assert host.command("16 20") == b"\xd5\x17\x00"
    host.seam.advance(2_000)
    assert not host.chip.core.awake
    host.wake()
    host.chip.present(TestCard())
    assert host.list_targets()[2] == 1


# Hosts that do something wrong, one each. `refused`: the chip recorded the violation and did not do what was asked.


def refused(host: Host, words: str) -> bool:
    return any(words in violation for violation in host.seam.violations)


def test_broken_host_that_does_not_wake_the_chip():
    class NoWake(Host):
        def wake(self):
            pass

    host = NoWake()
    assert host.command("14 01") == b""
    assert refused(host, "clocked while waking")


def test_broken_host_that_does_not_wait_for_the_oscillator():
    class Hasty(Host):
        def wake(self):
            self.select()
            self.seam.advance(500)
            self.deselect()

        def wait_ready(self, us=0):
            return False

    host = Hasty()
    assert host.command("14 01") == b""
    assert refused(host, "clocked while waking")


def test_broken_host_that_reads_before_the_chip_is_ready():
    class Early(Host):
        def wait_ready(self, us=0):
            return True

    host = Early()
    host.wake()
    assert host.command("14 01") == b""
    assert refused(host, "read before the status byte or IRQ said ready")


def test_broken_host_with_a_wrong_length_checksum():
    class BadLcs(Host):
        def make_frame(self, body):
            data = bytearray(frame(body))
            data[4] ^= 1
            return bytes(data)

    host = BadLcs()
    host.wake()
    assert host.command("14 01") == b""
    assert refused(host, "LCS")


def test_broken_host_with_a_wrong_data_checksum():
    class BadDcs(Host):
        def make_frame(self, body):
            data = bytearray(frame(body))
            data[-2] ^= 1
            return bytes(data)

    host = BadDcs()
    host.wake()
    assert host.command("14 01") == b""
    assert refused(host, "DCS")


def test_broken_host_with_the_wrong_bit_order():
    class MsbFirst(Host):
        settings = SpiSettings(baudrate=1_000_000, polarity=0, phase=0, lsb_first=False)

        def wait_ready(self, us=0):
            return super().wait_ready(1_000)

    host = MsbFirst()
    host.wake()
    assert host.command("14 01") == b""
    assert refused(host, "direction byte 80")


def test_broken_host_with_an_oversized_frame():
    host = Host()
    host.start()
    host.chip.present(TestCard())
    host.list_targets()
    assert host.command(b"\x40\x01" + bytes(263)) == b""
    assert refused(host, "266 bytes of packet data, at most 265")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (SpiSettings(10_000_000, 0, 0, True), "SPI clock 10000000 Hz"),
        (SpiSettings(1_000_000, 0, 1, True), "SPI mode 01"),
        (SpiSettings(1_000_000, 1, 1, True), "SPI mode 11"),
    ],
)
def test_broken_host_with_the_wrong_spi_settings(settings, words):
    host = Host()
    host.settings = settings
    host.wake()
    host.write(frame(b"\xd4\x14\x01"))
    assert refused(host, words)


def test_a_host_that_turns_the_bits_itself_is_understood():
    class Turning(Host):
        settings = SpiSettings(1_000_000, 0, 0, False)

        def clock(self, data):
            turned = bytes(int(f"{b:08b}"[::-1], 2) for b in data)
            return bytes(int(f"{b:08b}"[::-1], 2) for b in super().clock(turned))

    host = Turning()
    host.start()
    assert host.command("02") == VERSION
    assert host.seam.violations == []


def test_broken_host_that_asks_for_cards_in_low_battery_mode():
    host = Host()
    host.wake()
    assert host.list_targets() == b"\x7f"
    assert refused(host, "SAMConfiguration comes first")


@pytest.mark.parametrize("body", ["4a0300", "4a01", "3205ff01", "14", "0203", "5203", "99", "0006ff"])
def test_wrong_parameters_bring_the_syntax_error_frame(body):
    host = Host()
    host.start()
    assert host.command(body) == b"\x7f"
    assert len(host.seam.violations) == 1


def test_power_down_without_this_interface_as_a_source_never_wakes():
    host = Host()
    host.start()
    host.command("16 10")
    host.seam.advance(2_000)
    host.wake()
    assert host.command("02") == b""
    assert refused(host, "did not enable a wake-up")


# Faults


def test_a_dead_chip_floats_the_bus_and_lives_again_when_it_is_plugged_in(host):
    host.chip.fault("dead")
    assert host.transaction(b"\x02\x00") == b"\xff\xff"
    host.chip.pin_changed("RSTPD_N", 0)
    host.chip.pin_changed("RSTPD_N", 1)
    host.seam.advance(10_000)
    assert host.transaction(b"\x02\x00") == b"\xff\xff"
    host.chip.fault(None)
    host.seam.advance(10_000)
    host.start()


def test_clocks_are_lost_on_a_chip_whose_supply_has_just_returned_until_it_was_woken(host):
    host.chip.fault("dead")
    host.chip.fault(None)
    for _ in range(3):
        assert host.transaction(b"\x02\x00") == b"\x00\x00"
    assert host.seam.violations == []
    host.start()


def test_broken_host_that_clocks_a_chip_it_has_just_reset():
    host = Host()
    host.start()
    host.chip.fault("dead")
    host.chip.fault(None)
    host.chip.pin_changed("RSTPD_N", 0)
    host.chip.pin_changed("RSTPD_N", 1)
    host.transaction(b"\x02\x00")
    assert refused(host, "clocked while booting")


def test_a_wedged_chip_is_freed_by_reset_only(host):
    host.chip.fault("wedged")
    assert host.command("02") == b""
    host.write(ACK)
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


def test_reset_forgets_everything(host):
    host.chip.present(TestCard())
    host.list_targets()
    host.chip.pin_changed("RSTPD_N", 0)
    assert host.chip.seen() == {"field": False, "cards": 1}
    host.chip.pin_changed("RSTPD_N", 1)
    host.seam.advance(10_000)
    host.wake()
    assert host.chip.core.low_vbat
    host.start()
    assert host.list_targets()[2] == 1


@given(st.binary(min_size=1, max_size=300))
def test_frames_survive_the_round_trip(body):
    if len(body) > 265:
        with pytest.raises(FrameError):
            parse(frame(body))
    else:
        assert parse(frame(body)) == body


def test_fuzz_the_chip_takes_any_bytes_without_falling_over():
    host = Host()
    host.start()

    @given(st.lists(st.binary(max_size=40), max_size=8))
    def run(transactions):
        for data in transactions:
            if data:
                host.transaction(data)
            host.seam.advance(50)

    settings(max_examples=examples(200), deadline=None)(run)()
    host.seam.advance(1_000_000)
    host.chip.pin_changed("RSTPD_N", 0)
    host.chip.pin_changed("RSTPD_N", 1)
    host.seam.advance(10_000)
    host.start()
