"""The service console at work: what it tells, what it refuses while somebody is at the terminal, and what ends it."""

import base64
import hashlib
import json

import pytest
from joserfc import jws
from joserfc.jwk import ECKey
from microtill.bench.chips.flash import NorFlash
from microtill.bench.nvs import Nvs
from microtill.bench.partitions import load
from microtill.device.console import ConsoleError
from microtill.paths import BOARDS
from microtill.simulator.texts import LANGUAGES, texts
from microtill.simulator.world import World
from support.worlds import key_amount, sell, until

PARTS = {p.label: p for p in load(BOARDS / "TILL_ESP32S3" / "partitions.csv", 8 << 20)}


def refused(world: World, do: str, **members) -> str:
    with pytest.raises(ConsoleError) as e:
        world.console.request(do, **members)
    return e.value.error


def ask(world: World, do: str, question: str, *keys: str, **members) -> int:
    """Send a request that asks at the keypad, and press `keys` there; returns its number."""
    until(world, "screen.idle")
    number = world.console.send(do, **members)
    until(world, question)
    world.key(*keys)
    return number


def test_status_tells_a_technician_what_counts(world):
    world.wait_at_rest()
    world.bench.wait(lambda: world.console.request("status")["time"], "a signed time")
    before = world.console.request("status")
    assert before["state"] == "provisioned"
    assert before["idle"] is True
    assert (before["unsent"], before["selftest"], before["files"]) == (0, "ok", None)
    assert before["reset"] in ("power", "restart")
    assert before["version"] == {"trust": 1, "ticket": world.acquirer.terminal()["version"]}
    assert len(before["fingerprints"]) == 1
    assert before["standing"] == ""
    assert before["mid"].count("*") == 8
    sell(world)
    after = world.console.request("status")
    assert after["open_batch"] is True
    assert after["uptime"] >= before["uptime"]
    assert after["time"] >= before["time"]


def test_selftest_and_echo(world):
    results = world.console.request("selftest")["results"]
    assert {name for name, _ in results} >= {"AES DUKPT", "P-256 sign", "random source", "vault", "journal", "reader"}
    assert [result for _, result in results] == ["ok"] * len(results)
    before = len(world.acquirer.transactions())
    answer = world.console.request("echo")
    assert answer["ms"] >= 0
    assert abs(answer["time"] - world.console.request("status")["time"]) < 60
    assert [t["type"] for t in world.acquirer.transactions()[before:]] == ["echo"]
    world.bench.wifi(False)
    assert refused(world, "echo", timeout=60).startswith("reason.")


def test_a_backup_is_the_whole_chain_signed_and_has_no_scrub_part(world):
    """Checked with joserfc and hashlib: chain value by chain value, from the first record to the seal."""
    for _ in range(6):
        sell(world)
    records, first, head, seal = [], 1, None, None
    while True:
        page = world.console.request("backup", **{"from": first})
        assert page["records"], "a page has at least one record"
        before = bytes.fromhex(page["before"])
        assert head in (None, before)
        for text in page["records"]:
            octets = base64.urlsafe_b64decode(text + "==")
            length, scrub = int.from_bytes(octets[13:15], "big"), int.from_bytes(octets[15:17], "big")
            assert len(octets) == 17 + length + (32 if scrub else 0) + 32
            assert hashlib.sha256(before + octets[:-32]).digest() == octets[-32:]
            before = octets[-32:]
            records.append(octets)
        head = before
        if page["next"] is None:
            seal = page["seal"]
            break
        assert page["seal"] is None
        assert page["next"] == page["first"] + len(page["records"])
        first = page["next"]
    assert len(records) == page["count"] > 20
    assert [int.from_bytes(octets[3:7], "big") for octets in records] == list(range(1, len(records) + 1))
    assert head.hex() == page["head"]
    key = key_of(world)
    registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
    sealed = jws.deserialize_compact(seal, ECKey.import_key(key), registry=registry)
    assert sealed.headers()["typ"] == "mt-seal"
    said = json.loads(sealed.payload)
    assert (said["n"], said["head"], said["tid"]) == (page["count"], page["head"], world.acquirer.tid)
    assert refused(world, "backup", **{"from": 0}) == "error.invalid_value"
    assert world.console.request("backup", **{"from": page["count"] + 1})["records"] == []


RESTING = ("selftest", "echo", "backup", "key_request", "wifi", "trust", "ticket", "wipe", "repl")


def test_nothing_interrupts_a_sale(world):
    """One rule for all that would take time, or the keypad, or the terminal itself."""
    key_amount(world, "7")
    for do in RESTING:
        assert refused(world, do, words="wipe everything") == "error.busy", do
    status = world.console.request("status")
    assert status["idle"] is False
    world.bench.tap("visa")
    until(world, "outcome.approved")
    world.bench.remove()
    assert refused(world, "repl") == "error.busy", "nobody has seen the outcome yet"
    world.key("OK")
    until(world, "screen.idle")
    assert world.console.request("status")["idle"] is True


def test_one_question_at_a_time_and_status_answers_meanwhile(world):
    number = world.console.send("repl")
    until(world, "screen.service")
    assert world.console.request("status")["idle"] is False
    assert refused(world, "selftest") == "error.busy"
    world.key("CANCEL")
    with pytest.raises(ConsoleError) as e:
        world.console.answer(number)
    assert e.value.error == "error.cancelled"
    sell(world)


def test_a_request_waits_a_moment_for_the_person_to_finish(world):
    world.key("1")
    number = world.console.send("selftest")
    assert world.console.poll(number) is None
    world.key("CANCEL")
    assert world.console.answer(number)["results"]


def test_what_nobody_knows_is_refused(world):
    assert refused(world, "run") == "error.invalid_value"
    assert refused(world, "__init__") == "error.invalid_value"
    assert refused(world, "_end") == "error.invalid_value"


def test_the_prompt_is_given_at_the_keypad_only_and_the_terminal_ends_in_order(world):
    number = ask(world, "repl", "screen.service", "OK")
    world.console.answer(number)
    world.bench.wait_exit(20)
    assert world.bench.state()["exit_status"] == 0
    world.bench.wait(lambda: world.shows(*texts("screen.serviced")), "the panel says so")
    # The watchdog lets whoever is at the prompt be.
    assert not any("watchdog" in text for *_, text in world.bench.trace())
    world.bench.power_cut()
    world.bench.power_on()
    world.wait_at_rest()
    sell(world)


def test_a_wipe_wants_the_right_words_and_consent(world):
    serial = world.console.request("status")["serial"]
    sell(world)
    assert refused(world, "wipe") == "error.invalid_value"
    assert refused(world, "wipe", words="wipe another") == "error.invalid_value"
    assert refused(world, "wipe", words=f"wipe {serial}") == "error.unsettled"
    number = world.console.send("wipe", words=f"wipe {serial} and lose its sales")
    until(world, "screen.wipe")
    rows = world.read_screen()
    sales = next(rows[n + 1] for n, row in enumerate(rows) if row in texts("label.unsettled"))
    assert int(sales) == world.console.request("status")["unsent"] + world.acquirer.sales()["approved"]
    world.key("CANCEL")
    with pytest.raises(ConsoleError) as e:
        world.console.answer(number)
    assert e.value.error == "error.cancelled"
    until(world, "screen.idle")
    sell(world)


@pytest.mark.parametrize("cut", [None, 3, 270])
def test_a_wipe_leaves_no_secret_in_the_flash_and_a_cut_does_not_stop_it(tmp_path, cut):
    """The raw image: what NVS has marked as erased too, and the whole journal, is gone."""
    with World(state=tmp_path) as world:
        world.provision()
        world.wait_at_rest()
        sell(world)
        key = key_of(world)
        sealed = secrets(tmp_path)
        assert len(sealed) > 8
        serial = world.console.request("status")["serial"]
        if cut:
            world.bench.power_cut(after=cut)
        number = ask(world, "wipe", "screen.wipe", "OK", words=f"wipe {serial} and lose its sales")
        if cut:
            world.bench.wait(lambda: not world.bench.state()["powered"], "the cut", 60)
            world.bench.power_on()
        else:
            world.console.answer(number)
        until(world, "screen.not_provisioned", seconds=300)
        status = world.console.wait_ready()
        assert (status["state"], status["version"]) == ("blank", {"trust": None, "ticket": None})
        assert world.bench.violations() == []
        flash = (tmp_path / "flash.bin").read_bytes()
        assert not [name for name, value in sealed.items() if value in flash]
        nvs, journal = (flash[PARTS[label].offset : PARTS[label].end] for label in ("nvs", "journal"))
        # The start after it has made the firmware's namespace anew: a page's head, its table and one entry.
        assert (len(nvs.rstrip(b"\xff")), nvs.count(b"till")) == (3 * 32 - 7, 1)
        assert not journal.strip(b"\xff")
        # It is a unit like any other again, with a key of its own.
        assert key_of(world) != key


def key_of(world: World) -> dict:
    """The unit's public signing key."""
    request = world.console.request("key_request")["token"]
    return json.loads(base64.urlsafe_b64decode(request.split(".")[1] + "=="))["key"]


def secrets(state) -> dict[str, bytes]:
    """Every value that NVS holds, as it stands in the flash now."""
    flash = NorFlash(8 << 20, state / "flash.bin")
    try:
        values = Nvs(flash, PARTS["nvs"].offset, PARTS["nvs"].size).values
        return {str(where): value for where, value in values.items() if isinstance(value, bytes)}
    finally:
        flash.close()


def test_a_byte_changed_in_the_vault_is_said_on_the_panel(tmp_path):
    """By somebody with a programmer who also mends the checksums of NVS: any record, also one that no start needs."""
    with World(state=tmp_path) as world:
        world.provision()
        world.wait_at_rest()
        sell(world)
        good = []
        for language in LANGUAGES:
            world.set_language(language)
            until(world, "screen.idle")
            good.append(vault_image(tmp_path))
        for n, record in enumerate(("/root", "/marker", "device", "dukpt", "ticket", "trust", "session", "wifi")):
            world.bench.power_cut()
            vault_image(tmp_path, good[n % 2])
            change(tmp_path, record)
            world.bench.power_on()
            until(world, "error.tampered", "label.support")
            assert world.shows(texts("error.tampered")[n % 2])
            assert world.shows(("请联系支持", "Call support")[n % 2])
            status = world.console.wait_ready()
            assert (status["state"], status["error"]) == ("fault", "error.tampered"), record
            assert status["detail"].startswith("vault"), record
        assert status["open_batch"] is True
        assert refused(world, "ticket", token="x") == "error.invalid_value"
        # Wiped with consent it is a blank unit again; what it sold is lost only by who says so.
        words = "wipe " + status["serial"]
        assert refused(world, "wipe", words=words) == "error.unsettled"
        # Or its keys alone, and the journal stays: it is nobody's, and may be recovered.
        number = world.console.send("wipe", words=words + " and keep its sales")
        until(world, "screen.erase_keys")
        world.key("OK")
        world.console.answer(number)
        until(world, "screen.not_provisioned")
        kept = world.console.wait_ready()
        assert (kept["state"], kept["open_batch"]) == ("blank", True)
        assert refused(world, "wipe", words=words + " and keep its sales") == "error.invalid_value"
        assert refused(world, "wipe", words=words) == "error.unsettled"
        world.console.request("wipe", words=words + " and lose its sales")
        world.bench.wait(lambda: not world.console.wait_ready()["open_batch"], "the wipe", 60)
        assert world.bench.violations() == []


def vault_image(state, put: bytes = b"") -> bytes:
    """The octets of NVS, as they are; `put` takes their place first."""
    with (state / "flash.bin").open("r+b") as flash:
        if put:
            flash.seek(PARTS["nvs"].offset)
            flash.write(put)
        flash.seek(PARTS["nvs"].offset)
        return flash.read(PARTS["nvs"].size)


def change(state, record: str) -> None:
    flash = NorFlash(8 << 20, state / "flash.bin")
    nvs = Nvs(flash, PARTS["nvs"].offset, PARTS["nvs"].size)
    changed = [(where, value) for where, value in nvs.values.items() if where[1].startswith(record)]
    assert changed
    for where, value in changed:
        assert isinstance(value, bytes)
        middle = len(value) // 2
        nvs.set(*where, value[:middle] + bytes([value[middle] ^ 4]) + value[middle + 1 :])
    flash.close()
