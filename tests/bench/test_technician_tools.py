"""`microtill ports, status, doctor, logs, label` at virtual boards with the real firmware."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from types import SimpleNamespace

import pytest
import zxingcpp
from microtill.acquirer.issuers import VISA_PAN
from microtill.acquirer.process import DEMO_MID, DEMO_TID, AcquirerProcess
from microtill.bench.partitions import load
from microtill.cli.sim import prepare
from microtill.device import doctor as device_doctor
from microtill.paths import BOARDS
from microtill.simulator.board import VirtualBoard
from microtill.simulator.script import WAIT_SPEED
from microtill.simulator.world import NETWORK, PASSWORD
from PIL import Image
from rich.cells import cell_len
from support.search import forms, found, pan_forms, vault_contents, vault_secrets
from support.serial_board import Stream, mpremote, typing
from support.technician import process, run
from support.worlds import key_amount, sell, until

MASKED = DEMO_MID[:3] + "********" + DEMO_MID[-4:]
MICROTILL = os.path.join(os.path.dirname(sys.executable), "microtill")


@pytest.fixture(scope="module")
def boards(tmp_path_factory):
    """A merchant's terminal at `till`, and a bare MicroPython at `bare`."""
    folder = tmp_path_factory.mktemp("boards")
    with (
        AcquirerProcess() as acquirer,
        VirtualBoard(folder / "state", acquirer=acquirer, link=folder / "till") as till,
        VirtualBoard(folder / "blank", blank=True, link=folder / "bare") as bare,
    ):
        prepare(till.world, "zh")
        yield SimpleNamespace(till=till, bare=bare, acquirer=acquirer, world=till.world)
        assert till.bench.violations() == []


@pytest.fixture
def shop(boards, monkeypatch):
    """The boards, as healthy as they were; the environment names both ports."""
    monkeypatch.setenv("MICROTILL_PORTS", os.pathsep.join([boards.till.port, boards.bare.port]))
    world = boards.world
    if not world.shows("联机") or world.console.request("status")["wifi"]:
        boards.acquirer.clear()
        world.bench.wifi(True)
        until(world, "screen.idle", "status.online", seconds=300)
    yield boards
    boards.acquirer.clear()
    boards.acquirer.set_certificate("good")
    boards.acquirer.up()
    world.bench.access_points([{"ssid": NETWORK, "password": PASSWORD}])
    world.bench.wifi(True)
    world.bench.hand("nfc", "fault", kind=None)
    world.bench.set_speed(1.0)


def findings(done) -> dict[str, list[dict]]:
    found: dict[str, list[dict]] = {}
    for finding in done.json["findings"]:
        found.setdefault(finding["check"], []).append(finding)
    return found


def examine(shop, status: int) -> dict[str, list[dict]]:
    return findings(run("doctor", "--port", shop.till.port, "--json", status=status))


# Which terminal


def test_ports_are_named_by_serial_terminal_and_masked_merchant(shop):
    done = run("ports")
    assert done.lines[0].split() == ["Port", "Serial", "State", "Terminal", "Merchant", "ID", "Firmware"]
    assert done.lines[1].split() == [shop.till.port, "02005E100001", "provisioned", DEMO_TID, MASKED, "0.1.0"]
    assert done.lines[2].split() == [shop.bare.port, "no", "firmware"]
    assert "microtill flash" in done.err
    assert DEMO_MID not in done.out + done.err


def test_ports_for_programs(shop):
    till, bare = run("ports", "--json").json
    assert till["port"] == shop.till.port
    assert till["unit"]["mid"] == MASKED
    assert (till["unit"]["tid"], till["unit"]["state"]) == (DEMO_TID, "provisioned")
    assert (bare["unit"], bare["ok"], bare["error"], bare["exit"]) == (None, False, "error.micropython_prompt", 7)


@pytest.mark.parametrize("name", ["02005E100001", "02005e100001", "02:00:5e:10:00:01", DEMO_TID])
def test_a_unit_is_chosen_by_its_serial_or_terminal_id(shop, name):
    assert run("status", "--port", name, "--json").json["port"] == shop.till.port


def test_with_several_ports_one_must_be_chosen(shop):
    done = run("status", status=2)
    assert f"{shop.till.port} ({DEMO_TID})" in done.err
    assert shop.bare.port in done.err
    assert "--all" in done.err
    assert run("status", "--port", DEMO_TID, "--all", status=2).out == ""
    assert "--all" not in run("logs", status=2).err


def test_an_only_port_needs_no_name(shop, monkeypatch):
    monkeypatch.setenv("MICROTILL_PORTS", shop.till.port)
    assert run("status", "--json").json["tid"] == DEMO_TID


def test_what_is_not_there(shop, monkeypatch):
    for name in ("99999999", "/dev/ttyACM99", "---"):
        done = run("status", "--port", name, "--json", status=3)
        assert (done.json["error"], done.json["exit"]) == ("error.no_such_port", 3)
    monkeypatch.setenv("MICROTILL_PORTS", "")
    monkeypatch.setattr("microtill.device.ports.list_ports.comports", list)
    assert "plugged in" in run("status", status=3).err
    assert "plugged in" in run("ports").err
    assert run("ports", "--json").json == []


def test_all_gives_each_its_own_result_and_the_first_failures_status(shop):
    till, bare = run("status", "--all", "--json", status=7).json
    assert (till["ok"], till["tid"]) == (True, DEMO_TID)
    assert (bare["ok"], bare["error"]) == (False, "error.micropython_prompt")


def test_the_shell_completes_ports_and_units(shop):
    environment = {"_MICROTILL_COMPLETE": "complete_bash", "COMP_WORDS": "microtill status --port ", "COMP_CWORD": "3"}
    done = subprocess.run([MICROTILL], capture_output=True, text=True, env=os.environ | environment, timeout=60)
    assert done.stdout.split() == [DEMO_TID, "02005E100001", shop.till.port, shop.bare.port]
    environment |= {"COMP_WORDS": "microtill sta", "COMP_CWORD": "1"}
    done = subprocess.run([MICROTILL], capture_output=True, text=True, env=os.environ | environment, timeout=60)
    assert done.stdout.split() == ["status"]


# status


def test_status_in_both_languages(shop):
    en = run("status", "--port", shop.till.port)
    zh = run("status", "--port", shop.till.port, language="zh")
    assert [line.split(" ")[0] for line in zh.lines[:4]] == ["终端", "端口", "状态", "商户"]
    assert re.search(r"^State +provisioned$", en.out, re.M)
    assert re.search(r"^状态 +已绑定$", zh.out, re.M)
    assert re.search(rf"^Merchant ID +{re.escape(MASKED)}$", en.out, re.M)
    assert re.search(r"^收单行 +已连接", zh.out, re.M)
    assert len(en.lines) == len(zh.lines)
    for done in (en, zh):  # the second column begins in one place, whatever the characters are wide
        starts = {cell_len(re.match(r".*?\S {2,}", line)[0]) for line in done.lines}
        assert len(starts) == 1, starts


def test_status_for_programs_is_what_the_terminal_says(shop):
    told = run("status", "--port", shop.till.port, "--json").json
    said = shop.world.console.request("status")
    changing = {"id", "free", "uptime", "time", "idle"}
    assert {k: v for k, v in told.items() if k not in changing | {"port"}} == {
        k: v for k, v in said.items() if k not in changing
    }


def test_tables_fit_a_screen_of_80_columns_and_a_pipe_gets_no_colours(shop):
    import fcntl
    import struct
    import termios

    code = (
        "import sys; from microtill.cli import app; sys.stdin.readline(); app(sys.argv[1:])",
        *("doctor", "--port", shop.till.port),
    )
    for language in ("zh", "en"):
        environment = ("/usr/bin/env", "TERM=xterm-256color", f"MICROTILL_LANGUAGE={language}", "COLUMNS=80")
        with typing(*environment, sys.executable, "-c", *code) as person:
            fcntl.ioctl(person.fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
            person.send(b"\n")
            said = person.expect({"zh": "没有发现问题", "en": "Nothing is wrong"}[language].encode()).decode()
        assert "\x1b[" in said
        shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", said).splitlines()
        assert all(cell_len(line) <= 80 for line in shown), shown
    assert "\x1b" not in run("doctor", "--port", shop.till.port).out


# doctor


def test_a_healthy_terminal_has_nothing_wrong(shop):
    done = run("doctor", "--port", DEMO_TID, "--json")
    assert done.json["ok"] is True
    found = findings(done)
    assert list(found) == ["port", "answer", "firmware", "start", "selftest", "clock", "wifi", "acquirer", "sales"]
    assert {f["level"] for fs in found.values() for f in fs} == {"ok"}
    assert "Nothing is wrong" in run("doctor", "--port", DEMO_TID).out
    assert "没有发现问题" in run("doctor", "--port", DEMO_TID, language="zh").out


def test_doctor_finds_a_board_without_firmware(shop):
    done = run("doctor", "--port", shop.bare.port, "--json", status=7)
    (finding,) = findings(done)["answer"]
    assert "microtill does not run there" in finding["text"]
    assert "TILL_ESP32S3 on the bench" in finding["text"]
    assert "microtill flash" in finding["next"]


def test_doctor_finds_who_has_the_port(shop):
    code = "import serial, sys; p = serial.Serial(sys.argv[1], exclusive=True); print(1, flush=True); sys.stdin.read()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code, shop.till.port], **pipes) as holder:
        assert holder.stdout
        holder.stdout.readline()
        (finding,) = examine(shop, 4)["port"]
        assert f"({holder.pid})" in finding["text"]
        assert run("status", "--port", shop.till.port, status=4).out == ""
        assert "in use" in run("ports").out
        holder.communicate()


def test_doctor_finds_a_port_that_is_not_there(shop):
    shop.till.unplug()
    try:
        assert examine(shop, 3)["port"][0]["level"] == "fault"
        assert "gone" in run("ports").out
    finally:
        shop.till.plug()
    examine(shop, 0)


def test_a_cable_pulled_in_the_middle(shop):
    for after in (1, 20):
        shop.till.unplug(after_bytes=after)
        done = run("doctor", "--port", shop.till.port, "--json", status=7)
        assert done.json["findings"][-1]["level"] == "fault"
        assert "went away" in done.json["findings"][-1]["text"]
        shop.till.plug()
        examine(shop, 0)


def wait_for(shop, name: str, value) -> None:
    shop.world.bench.set_speed(WAIT_SPEED)
    shop.world.bench.wait(lambda: shop.world.console.request("status")[name] == value, f"{name} {value}", 90)
    shop.world.bench.set_speed(1.0)


def test_doctor_tells_the_terminals_own_reason_for_having_no_wifi(shop):
    for points, reason, word in (
        ([], "reason.wifi_not_found", "not found"),
        ([{"ssid": NETWORK, "password": "another-password"}], "reason.wifi_password", "password is wrong"),
    ):
        shop.world.bench.access_points(points)
        wait_for(shop, "wifi", reason)
        found = examine(shop, 7)
        assert (found["wifi"][0]["level"], found["acquirer"][0]["level"]) == ("fault", "skipped")
        assert word in found["wifi"][0]["text"]
        assert found["wifi"][0]["next"]


def test_doctor_finds_that_the_acquirer_is_not_reached(shop):
    shop.acquirer.down()
    found = examine(shop, 7)
    assert found["wifi"][0]["level"] == "ok"
    assert "acquirer.microtill.test" in found["acquirer"][0]["text"]
    assert found["acquirer"][0]["next"]


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        ("other_name", "host name"),
        ("other_ca", "authority"),
        ("expired", "expired"),
        ("not_yet_valid", "not valid yet"),
    ],
)
def test_doctor_finds_what_is_wrong_with_the_certificate(shop, kind, word):
    shop.acquirer.set_certificate(kind)
    finding = examine(shop, 5)["acquirer"][0]
    assert word in finding["text"]
    assert "certificate" in finding["text"]


def test_doctor_finds_a_suspended_terminal(shop):
    shop.acquirer.suspend()
    try:
        finding = examine(shop, 6)["acquirer"][0]
        assert "suspended" in finding["text"]
        assert "call the acquirer" in finding["next"]
    finally:
        shop.acquirer.resume()
        shop.world.bench.reset()
        prepare(shop.world, "zh")


def test_doctor_finds_a_wrong_clock(shop, monkeypatch):
    for shift, word in ((-7200, "ahead"), (7200, "behind")):
        monkeypatch.setattr(device_doctor, "time", SimpleNamespace(time=lambda shift=shift: time.time() + shift))
        found = examine(shop, 5)["clock"]
        assert f"2 h 0 min {word}" in found[0]["text"] or f"1 h 59 min {word}" in found[0]["text"]
        assert "this computer's clock is" in found[1]["text"]  # the acquirer's signed time takes the terminal's side


def test_doctor_finds_a_dead_reader(shop):
    shop.world.bench.hand("nfc", "fault", kind="dead")
    found = examine(shop, 5)["selftest"]
    assert ["reader" in f["text"] for f in found] == [True]
    assert "PN532" in found[0]["next"]
    shop.world.bench.hand("nfc", "fault", kind=None)
    shop.world.bench.reset()
    prepare(shop.world, "zh")


def test_doctor_and_status_tell_of_open_transactions(shop):
    key_amount(shop.world, "5")
    shop.acquirer.drop_response()
    shop.world.bench.tap("visa")
    until(shop.world, "outcome.unknown", seconds=120)
    shop.world.bench.remove()
    finding = run("doctor", "--port", shop.till.port, "--json", status=None).json["findings"][-1]
    assert (finding["check"], finding["level"]) == ("sales", "note")
    assert "to be reversed" in finding["text"]
    assert "do not flash" in finding["next"]
    assert "to be reversed" in run("status", "--port", shop.till.port).out
    shop.acquirer.clear()
    until(shop.world, "screen.reversed", seconds=300)
    shop.world.key("OK")
    until(shop.world, "screen.idle", "status.online")


def test_nobody_is_interrupted(shop):
    """While a sale is on the screen, doctor leaves the tests out that would take the terminal's time."""
    key_amount(shop.world, "5")
    found = findings(run("doctor", "--port", shop.till.port, "--json", status=None))
    assert found["selftest"][0]["level"] == found["acquirer"][0]["level"] == "skipped"
    assert "busy" in found["selftest"][0]["text"]
    until(shop.world, "screen.present")
    shop.world.key("CANCEL")
    until(shop.world, "screen.idle")


def altered_copy(shop, folder, label: str, find) -> None:
    """A copy of the terminal's flash, with one bit of partition `label` flipped: `find(its octets)` says where."""
    shop.world.bench.power_cut()
    shutil.copytree(shop.till.state, folder)
    shop.world.bench.power_on()
    size = (folder / "flash.bin").stat().st_size
    part = next(p for p in load(BOARDS / "TILL_ESP32S3" / "partitions.csv", size) if p.label == label)
    with (folder / "flash.bin").open("r+b") as f:
        f.seek(part.offset)
        octets = f.read(part.size)
        at = find(octets)
        f.seek(part.offset + at)
        f.write(bytes([octets[at] ^ 4]))


def sealed_key(nvs: bytes) -> int:
    """Inside the device's key: 40 octets behind the entry of that name, which is a chunk of a blob (type 0x42)."""
    return next(m.start() - 8 + 40 for m in re.finditer(rb"device[^\0]*\0", nvs) if nvs[m.start() - 7] == 0x42)


@pytest.mark.parametrize(
    ("label", "find", "word"),
    [("nvs", sealed_key, "altered"), ("journal", lambda octets: octets.index(b'"amount"'), "journal")],
)
def test_doctor_finds_what_was_altered_in_the_flash(shop, tmp_path, label, find, word):
    sell(shop.world)
    altered_copy(shop, tmp_path / "state", label, find)
    with VirtualBoard(tmp_path / "state", link=tmp_path / "port") as vb:
        vb.world.console.wait_ready()
        done = run("doctor", "--port", vb.port, "--json", status=5)
        faults = [f for f in done.json["findings"] if f["level"] == "fault" and f["check"] == "selftest"]
        assert any(word in f["text"] for f in faults), faults
        assert all(f["next"] for f in faults)
    prepare(shop.world, "zh")


# logs


def test_logs_are_what_the_terminal_has_kept(shop):
    said = shop.world.console.request("logs")["lines"]
    told = run("logs", "--port", shop.till.port, "--json").json["lines"]
    assert [f"{line['time'] or '-'} {line['source']}: {line['text']}" for line in told] == said
    assert len(run("logs", "--port", shop.till.port).lines) == len(said)


def test_logs_follow_over_a_restart_and_an_unplugged_cable(shop):
    with process("logs", "--follow", "--port", shop.till.port) as follower:
        try:
            assert follower.stdout and follower.stderr
            out, err = Stream(follower.stdout.fileno()), Stream(follower.stderr.fileno())
            seen = out.expect(b"link: connected\n")  # what was kept
            shop.world.bench.reset()
            seen += out.expect(b"link: connected\n", 60)
            shop.till.unplug()
            err.expect(b"waiting for it to come back")
            shop.till.plug()
            shop.world.bench.reset()
            seen += out.expect(b"link: connected\n", 60)
            follower.send_signal(signal.SIGINT)
            assert follower.wait(20) == 0
            seen += os.read(out.fd, 1 << 16)
        finally:
            follower.kill()
    assert PASSWORD.encode() not in seen


# What a laptop learns


def test_the_tools_get_no_secret_out_of_a_merchants_terminal(shop, tmp_path):
    """Each tool in its own way, every request of the console that nobody is asked for, Ctrl-C, and stock mpremote."""
    world, port = shop.world, ("--port", shop.till.port)
    sell(world)
    said = [
        run(*words, *port, status=None).out
        for words in (
            ("status", "--json"), ("doctor", "--json"), ("logs", "--json"), ("ports", "--json"),
            ("label", "--output", tmp_path / "label"), ("flash", "--dry-run"), ("wipe", "--dry-run"),
        )
    ]  # fmt: skip
    for do in ("selftest", "echo", "key_request"):
        world.console.request(do)
    page = 1
    while page:
        page = world.console.request("backup", **{"from": page})["next"]
    said.append(mpremote(shop.till.port, "exec", "import esp32; print(esp32.NVS('till'))", status=1))
    assert "could not enter raw repl" in said[-1]
    until(world, "screen.idle")
    sell(world)
    world.bench.power_cut()
    held = vault_contents(shop.till.state)
    world.bench.power_on()
    told = {"tools": "".join(said), "line": "\n".join(world.bench.console_lines())}
    told |= {path.name: path.read_text("utf-8", "replace") for path in (tmp_path / "label").iterdir()}
    wanted = vault_secrets(held) | {"root": forms(held["/root"]), "Wi-Fi password": forms(PASSWORD.encode())}
    wanted["PAN"] = pan_forms(VISA_PAN)
    assert found({name: text.encode() for name, text in told.items()}, wanted) == []
    assert DEMO_TID in told["tools"] and '"seal": "' in told["line"], "it was told"
    names = {name for name in wanted if name != "PAN"}
    assert {line.removesuffix(" in vault") for line in found({"vault": b"".join(held.values())}, wanted)} == names


# label


def test_the_label_is_readable_and_holds_no_more_than_it_should(shop, tmp_path):
    run("label", "--port", DEMO_TID, "--output", tmp_path / "new" / "folder")
    folder = tmp_path / "new" / "folder"
    assert sorted(os.listdir(folder)) == [f"label-{DEMO_TID}.png", f"label-{DEMO_TID}.svg"]
    (code,) = zxingcpp.read_barcodes(Image.open(folder / f"label-{DEMO_TID}.png").convert("L"))
    assert code.text == f"MICROTILL SN:02005E100001 TID:{DEMO_TID} MID:{MASKED} FW:0.1.0"
    assert DEMO_MID not in (folder / f"label-{DEMO_TID}.svg").read_text()


def test_a_dry_run_writes_no_label(shop, tmp_path):
    done = run("label", "--port", DEMO_TID, "--output", tmp_path / "none", "--dry-run")
    assert "would write" in done.out
    assert not (tmp_path / "none").exists()


def test_a_label_that_cannot_be_written(shop, tmp_path):
    (tmp_path / "file").write_text("")
    done = run("label", "--port", DEMO_TID, "--output", tmp_path / "file", status=2)
    assert "cannot write" in done.err
    assert "--output" in done.err


def test_labels_of_all(shop, tmp_path):
    done = run("label", "--all", "--output", tmp_path, "--json", status=7)
    assert [told["ok"] for told in done.json] == [True, False]
    assert len(os.listdir(tmp_path)) == 2
