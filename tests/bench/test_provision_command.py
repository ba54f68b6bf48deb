"""The technician's commands as processes: a person types password, code and Wi-Fi; what comes out and what not."""

import base64
import contextlib
import json
import os
import pty
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from microtill.acquirer import totp
from microtill.acquirer.process import DEMO_MID, HOST, AcquirerProcess
from microtill.device.ports import Port, ask
from microtill.simulator.world import NETWORK, PASSWORD
from support.provisioning import Laptop, Person, new_board, new_tid, wifi_file
from support.search import forms, found, vault_contents, vault_secrets
from support.serial_board import Stream
from support.worlds import until

TESTS = Path(__file__).parents[1]
SPARE_PASSWORD = "of-the-network-upstairs"


@pytest.fixture(scope="module")
def acquirer():
    with AcquirerProcess() as process:
        yield process


class Typist:
    """A person at a terminal window who runs one command; `said` is all that came."""

    def __init__(self, fd: int, pid: int):
        self._stream = Stream(fd)
        self._fd, self._pid = fd, pid
        self.said = b""
        self.status: int | None = None

    def expect(self, text: str) -> None:
        self.said += self._stream.expect(text.encode(), 60)

    def type(self, text: str) -> None:
        self._stream.send(text.encode() + b"\n")

    def end(self) -> int:
        """The exit status."""
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            if select.select([self._fd], [], [], 0.2)[0]:
                try:
                    self.said += os.read(self._fd, 65536)
                except OSError:  # the other end is closed
                    break
        self.said += self._stream._have
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        return os.waitstatus_to_exitcode(status)


@contextlib.contextmanager
def typing(environment: dict[str, str], *words: str | Path) -> Iterator[Typist]:
    command = [sys.executable, "-m", "microtill.cli", *map(str, words)]
    pid, fd = pty.fork()
    if not pid:
        os.execve(command[0], command, environment)
    typist = Typist(fd, pid)
    try:
        yield typist
    finally:
        if typist._pid:
            os.kill(pid, 9)
            os.waitpid(pid, 0)
        os.close(fd)


def keyring(folder: Path) -> dict[str, str]:
    return {
        "PYTHON_KEYRING_BACKEND": "support.kept_keyring.KeptKeyring",
        "KEPT_KEYRING": str(folder / "keyring.json"),
        "PYTHONPATH": os.pathsep.join([str(TESTS), *sys.path]),
        "MICROTILL_SESSION": "",
        "MICROTILL_HOME": str(folder / "home"),
        "COLUMNS": "200",
        "TERM": "dumb",
    }


def login(acquirer: AcquirerProcess, folder: Path, *more: str) -> list[str | Path]:
    (folder / "ca.pem").write_bytes(acquirer.home.ca.certificate_pem)
    return ["login", acquirer.url, "--ca", folder / "ca.pem", "--connect", f"{HOST}:{acquirer.port}", *more]


def type_in(typist: Typist, name: str, password: str, code: str) -> None:
    typist.expect("Name: ")
    typist.type(name)
    typist.expect("Password: ")
    typist.type(password)
    typist.expect("Code of the authenticator: ")
    typist.type(code)


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_technicians_day(tmp_path, acquirer):
    """Sign in, a Wi-Fi file, a code typed at the keypad, the work list with Wi-Fi typed, a batch, sign out.

    What was typed and fetched is nowhere afterwards: in no output, no file of the laptop, no log and no database.
    """
    account = acquirer.new_operator("technician")
    first, second = new_tid(acquirer), new_tid(acquirer)
    laptop = Laptop(tmp_path, acquirer)
    ring = keyring(tmp_path)
    environment = laptop.environment(**ring)
    code = acquirer.totp(account)
    said: dict[str, bytes] = {}
    with typing(environment, *login(acquirer, tmp_path)) as typist:
        type_in(typist, account.name, account.password, code)
        assert typist.end() == 0, typist.said
        assert f"{account.name} (technician) is signed in until".encode() in typist.said
        said["login"] = typist.said
    token = json.loads((tmp_path / "keyring.json").read_text())[f"microtill {acquirer.url}"]
    wifi = wifi_file(tmp_path, (NETWORK, PASSWORD), ("upstairs", SPARE_PASSWORD))
    with new_board(tmp_path, acquirer) as vb:
        environment["MICROTILL_PORTS"] = ring["MICROTILL_PORTS"] = vb.port

        def run(name: str, *words: str | Path) -> subprocess.CompletedProcess[str]:
            done = laptop.run(*words, **ring)
            said[name] = (done.stdout + done.stderr).encode()
            return done

        def refuse(asked: str) -> bool:
            if asked == "ticket":
                vb.world.key("CANCEL")
            return asked != "ticket"

        serial = ask(Port(vb.port), 30).serial
        with Person(vb, when=refuse):
            assert run("refused", "provision", "--tid", first, "--yes", "--wifi-file", wifi).returncode == 6
        shown = laptop.run("activate", "--tid", first, "--serial", serial, **ring)
        assert shown.returncode == 0, shown.stderr
        activation = "".join(re.findall(r"^  (\d{5}) (\d{5})$", shown.stdout, re.M)[0])
        until(vb.world, "screen.not_provisioned")
        vb.world.key("MENU", "1")
        until(vb.world, "screen.activation_code")
        vb.world.key(*activation, "OK")
        with Person(vb):
            vb.bench.wait(lambda: ask(Port(vb.port), 30).tid == first, "the terminal that it becomes", 90)
        acquirer.add_work(second, "move", serial=serial, note="front desk")
        done = run("work", "work")
        assert second in done.stdout and "front desk" in done.stdout and "grocery" in done.stdout
        with Person(vb), typing(environment, "provision", "--ask-wifi", "--mode", "move") as typist:
            typist.expect("Wi-Fi network: ")
            typist.type(NETWORK)
            typist.expect("(not shown): ")
            typist.type(PASSWORD)
            typist.expect("second network (Enter: none): ")
            typist.type("")
            typist.expect("Is this the merchant?")
            assert b"5411  grocery stores, supermarkets" in typist.said and DEMO_MID.encode() in typist.said
            typist.type("y")
            assert typist.end() == 0, typist.said
            said["provision"] = typist.said
        assert f"{serial} is {second}".encode() in typist.said
        assert run("work left", "work", "--json").stdout.strip() == "[]", "the item is closed"
        (tmp_path / "list.csv").write_text(f"tid,mid,mode,wifi\n{second},{DEMO_MID},renew,wifi.toml\n")
        with Person(vb):
            done = run("batch", "batch", tmp_path / "list.csv", "--yes", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)[0]["version"] == acquirer.terminal(second)["version"] == 2
        for do in ("status", "logs"):
            assert run(do, do, "--json").returncode == 0
        with typing(environment, "logout") as typist:
            assert typist.end() == 0, typist.said
            said["logout"] = typist.said
        after = laptop.run("work", **ring)
        assert (after.returncode, token in (tmp_path / "keyring.json").read_text()) == (6, False)
        said["the terminal's line"] = "\n".join(vb.bench.console_lines()).encode()
        vb.bench.power_cut()
        held = vault_contents(vb.state, serial)
    diary = tmp_path / "home" / "provisioning.log"
    noted = [json.loads(line) for line in diary.read_text("utf-8").splitlines()]
    assert [(n["operator"], n["serial"], n["tid"], n["result"]) for n in noted] == [
        (account.name, serial, first, "failed"),
        (account.name, serial, second, "done"),
        (account.name, serial, second, "done"),
    ]
    assert {n["mid"] for n in noted} == {"898********0002"} and all(n["recorded"] for n in noted)
    assert diary.stat().st_mode & 0o777 == 0o600
    seed = totp.secret_of(account.totp_uri)
    secrets = vault_secrets(held) | {
        "Wi-Fi password": forms(PASSWORD.encode()),
        "second Wi-Fi password": forms(SPARE_PASSWORD.encode()),
        "technician's password": forms(account.password.encode()),
        "TOTP secret": forms(seed) | {base64.b32encode(seed).rstrip(b"=")},
        "session": forms(token.encode()),
        "activation code": {activation.encode(), f"{activation[:5]} {activation[5:]}".encode()},
    }
    here = said | files_below(tmp_path / "home") | {"results": (tmp_path / "list.results.csv").read_bytes()}
    assert found(here, secrets | {"TOTP code": {code.encode()}}) == []
    theirs = {p.name: p.read_bytes() for p in (*acquirer.home.path.glob("*.db*"), *acquirer.home.path.glob("*.log"))}
    assert {"acquirer.db", "acquirer.log"} <= theirs.keys()
    assert found(theirs, secrets) == []
    # Where they must be, the search finds them.
    assert found({"shown": shown.stdout.encode()}, secrets) == ["activation code in shown"]
    assert found({"file": wifi.read_bytes()}, secrets) == ["Wi-Fi password in file", "second Wi-Fi password in file"]


def test_wrong_words_and_an_account_that_was_revoked(tmp_path, acquirer):
    account = acquirer.new_operator("technician")
    laptop = Laptop(tmp_path, acquirer)
    environment = laptop.environment(**keyring(tmp_path))
    with typing(environment, *login(acquirer, tmp_path)) as typist:
        type_in(typist, account.name, "wrong password here", acquirer.totp(account))
        assert typist.end() == 6
        assert b"wrong name, password or code" in typist.said
    with typing(environment, *login(acquirer, tmp_path)) as typist:
        type_in(typist, account.name, account.password, "12345")
        assert typist.end() == 2
    assert not (tmp_path / "keyring.json").exists()
    with typing(environment, *login(acquirer, tmp_path)) as typist:
        type_in(typist, account.name, account.password, acquirer.totp(account, 1))
        assert typist.end() == 0, typist.said
    acquirer.revoke_sessions(account.name)
    run = laptop.run("work", **keyring(tmp_path))
    assert run.returncode == 6
    assert "revoked" in run.stderr and "microtill login" in run.stderr


def test_without_a_keyring_a_shell_has_the_session_and_no_file(tmp_path, acquirer):
    account = acquirer.new_operator("technician")
    laptop = Laptop(tmp_path, acquirer)
    for ring in ("keyring.backends.fail.Keyring", "support.kept_keyring.PlainFile"):
        environment = laptop.environment(**keyring(tmp_path) | {"PYTHON_KEYRING_BACKEND": ring})
        with typing(environment, *login(acquirer, tmp_path)) as typist:
            assert typist.end() == 2
            assert b"--shell" in typist.said
    environment |= {"SHELL": "/bin/sh", "PS1": "in-the-shell> "}
    with typing(environment, *login(acquirer, tmp_path, "--shell")) as typist:
        type_in(typist, account.name, account.password, acquirer.totp(account))
        typist.expect("in-the-shell> ")
        typist.type(f'test -n "$MICROTILL_SESSION" && {sys.executable} -m microtill.cli work --json; echo "left $?"')
        typist.expect("left 0")
        typist.type("exit")
        assert typist.end() == 0, typist.said
        assert b"the session has ended" in typist.said
    assert not (tmp_path / "keyring.json").exists()
    kept = b"".join(files_below(tmp_path / "home").values())
    assert not re.search(rb'"token"|[A-Za-z0-9_-]{43}', kept.replace(laptop.profile.ca_fingerprint.encode(), b""))


def test_where_nobody_can_be_asked(tmp_path, acquirer):
    laptop = Laptop(tmp_path, acquirer)
    run = laptop.run(*login(acquirer, tmp_path, "--name", "li", "--shell"))
    assert (run.returncode, "only typed" in run.stderr) == (2, True)
    run = laptop.run("provision", "--tid", "10000001")
    assert (run.returncode, "--yes" in run.stderr) == (2, True)


def test_another_certificate_than_was_pinned(tmp_path, acquirer):
    laptop = Laptop(tmp_path, acquirer)
    (tmp_path / "ca.pem").write_bytes((acquirer.home.path / "pki" / "server.pem").read_bytes())
    run = laptop.run("work")
    assert (run.returncode, "another certificate" in run.stderr) == (5, True)


@pytest.mark.parametrize("words, status, says", [
    (("provision", "--tid", "1", "--yes"), 2, "8 digits"),
    (("provision", "--tid", "10000001", "--mid", "89821015411000X", "--yes"), 2, "15 digits"),
    (("provision", "--tid", "10000001", "--yes", "--port", "/dev/none"), 3, "no /dev/none"),
    (("activate", "--tid", "99999999", "--serial", "X"), 6, "no such terminal ID"),
    (("login", "http://acquirer"), 2, "https://"),
    (("login", "https://li:secret@acquirer"), 2, "https://"),
])  # fmt: skip
def test_what_is_mistyped(tmp_path, acquirer, words, status, says):
    run = Laptop(tmp_path, acquirer).run(*words)
    assert run.returncode == status, run.stderr
    assert says in run.stderr and "Next:" in run.stderr
    assert "secret" not in run.stderr


def test_an_activation_code_is_shown_once_in_groups(tmp_path, acquirer):
    tid = new_tid(acquirer)
    laptop = Laptop(tmp_path, acquirer)
    dry = laptop.run("activate", "--tid", tid, "--serial", "02005E1000AA", "--dry-run")
    assert dry.returncode == 0 and not re.search(r"\d{5} \d{5}", dry.stdout), dry.stdout
    run = laptop.run("activate", "--tid", tid, "--serial", "02005E1000AA")
    assert run.returncode == 0, run.stderr
    assert re.search(r"^  \d{5} \d{5}$", run.stdout, re.M), run.stdout
    told = json.loads(laptop.run("activate", "--tid", tid, "--serial", "02005E1000AA", "--json").stdout)
    assert int(told["code"]) % 97 == 1 and told["expires"] > time.time() + 23 * 3600
    assert "microtill" not in "".join(map(str, laptop.diary()))


def test_a_wifi_file_that_others_can_read_is_refused_before_anybody_is_asked(tmp_path, acquirer):
    laptop = Laptop(tmp_path, acquirer)
    path = wifi_file(tmp_path)
    path.chmod(0o640)
    run = laptop.run("provision", "--tid", "10000001", "--yes", "--wifi-file", path)
    assert (run.returncode, "chmod 600" in run.stderr, PASSWORD in run.stderr) == (2, True, False)


def test_a_laptop_that_can_keep_no_record_begins_nothing(tmp_path, acquirer):
    laptop = Laptop(tmp_path, acquirer)
    (laptop.home / "provisioning.log").mkdir()
    (tmp_path / "list.csv").write_text(f"tid,mid\n{new_tid(acquirer)},{DEMO_MID}\n")
    for words in (("provision", "--tid", "10000001", "--port", "/dev/none"), ("batch", tmp_path / "list.csv")):
        run = laptop.run(*words, "--yes")
        assert (run.returncode, "provisioning.log" in run.stderr, "free some space" in run.stderr) == (2, True, True)
