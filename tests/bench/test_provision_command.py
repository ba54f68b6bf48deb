"""The technician's commands as processes: a person types password, code and Wi-Fi; what comes out and what not."""

import contextlib
import json
import os
import pty
import re
import select
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from microtill.acquirer.process import DEMO_MID, HOST, AcquirerProcess
from microtill.device.ports import Port, ask
from microtill.simulator.world import NETWORK, PASSWORD
from support.provisioning import Laptop, Person, new_board, new_tid, wifi_file
from support.serial_board import Stream

TESTS = Path(__file__).parents[1]


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
    """Sign in, look at the work, provision with the Wi-Fi typed, sign out; and nothing secret is left anywhere."""
    account = acquirer.new_operator("technician")
    tid = new_tid(acquirer)
    laptop = Laptop(tmp_path, acquirer)
    environment = laptop.environment(**keyring(tmp_path))
    code = acquirer.totp(account)
    said = b""
    with typing(environment, *login(acquirer, tmp_path)) as typist:
        type_in(typist, account.name, account.password, code)
        assert typist.end() == 0, typist.said
        assert f"{account.name} (technician) is signed in until".encode() in typist.said
        said += typist.said
    token = json.loads((tmp_path / "keyring.json").read_text())[f"microtill {acquirer.url}"]
    with new_board(tmp_path, acquirer) as vb:
        serial = ask(Port(vb.port), 30).serial
        acquirer.add_work(tid, "install", serial=serial, note="front desk")
        environment["MICROTILL_PORTS"] = vb.port
        run = laptop.run("work", **keyring(tmp_path))
        assert run.returncode == 0, run.stderr
        assert tid in run.stdout and "front desk" in run.stdout and "grocery" in run.stdout
        with Person(vb), typing(environment, "provision") as typist:
            typist.expect("Is this the merchant?")
            assert b"5411  grocery stores, supermarkets" in typist.said and DEMO_MID.encode() in typist.said
            typist.type("y")
            typist.expect("Wi-Fi network: ")
            typist.type(NETWORK)
            typist.expect("(not shown): ")
            typist.type(PASSWORD)
            typist.expect("second network (Enter: none): ")
            typist.type("")
            assert typist.end() == 0, typist.said
            said += typist.said
        assert f"{serial} is {tid}".encode() in said
        status = laptop.run("provision", "--tid", tid, "--yes", "--json", **keyring(tmp_path), MICROTILL_PORTS=vb.port)
        assert status.returncode == 0, status.stderr
        assert json.loads(status.stdout)["already"] is True
    assert laptop.run("work", "--json", **keyring(tmp_path)).stdout.strip() == "[]", "the item is closed"
    with typing(environment, "logout") as typist:
        assert typist.end() == 0, typist.said
    after = laptop.run("work", **keyring(tmp_path))
    assert (after.returncode, token in (tmp_path / "keyring.json").read_text()) == (6, False)
    noted = [json.loads(line) for line in (tmp_path / "home" / "provisioning.log").read_text().splitlines()]
    first = noted[0]
    assert (first["operator"], first["serial"], first["tid"], first["result"]) == (account.name, serial, tid, "done")
    assert first["mid"] == "898********0002" and first["recorded"]
    assert (tmp_path / "home" / "provisioning.log").stat().st_mode & 0o777 == 0o600
    secrets = [account.password, token, PASSWORD, code, account.totp_uri.partition("secret=")[2].partition("&")[0]]
    everything = {**files_below(tmp_path / "home"), "typed": said, "json": status.stdout.encode()}
    for name, content in everything.items():
        for secret in secrets:
            assert secret.encode() not in content, name


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
