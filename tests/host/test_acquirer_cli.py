"""`microtill acquirer …` as an administrator types it."""

import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest
from microtill.acquirer import totp
from microtill.acquirer.activation import well_formed
from microtill.cli import app
from support.acquirer import new_card
from support.terminal import Terminal, compact
from typer.testing import CliRunner

MICROTILL = str(Path(sys.executable).with_name("microtill"))
MID = "898210154110002"


@pytest.fixture
def data(tmp_path):
    assert run("init", data=tmp_path / "a").exit_code == 0
    return tmp_path / "a"


def run(*words, data=None, **options):
    at = ["--data", str(data)] if data else []
    return CliRunner().invoke(app, ["acquirer", *words, *at], env={"COLUMNS": "200"}, **options)


def shown(*words, data):
    done = run(*words, "--json", data=data)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def signed_in(unit: Terminal, account: dict) -> str:
    """The token that an operator gets for name, password and code."""
    said = {"name": account["name"], "password": account["password"]}
    said["totp"] = totp.code(totp.secret_of(account["totp_uri"]), time.time())
    status, _, body = unit.https.request("POST", "/v1/sessions", compact(said), {"Content-Type": "application/json"})
    assert status == 201, body
    return json.loads(body)["token"]


def test_init_makes_a_directory_once(data):
    assert {p.name for p in data.iterdir()} >= {"acquirer.json", "secrets.json", "acquirer.db", "trust.jws", "pki"}
    again = run("init", data=data)
    assert again.exit_code == 6
    assert "already" in again.stderr


def test_without_a_directory(tmp_path):
    for words in (("merchant", "list"), ("serve",), ("trust",), ("transactions",)):
        done = run(*words, data=tmp_path / "none")
        assert done.exit_code == 6, words
        assert "microtill acquirer init" in done.stderr
        assert "Traceback" not in done.stderr


def test_directory_from_the_environment(data):
    done = CliRunner().invoke(app, ["acquirer", "merchant", "list"], env={"MICROTILL_ACQUIRER": str(data)})
    assert done.exit_code == 0


def test_damaged_key_file(data):
    (data / "secrets.json").write_text("{}")
    done = run("merchant", "list", data=data)
    assert done.exit_code == 6 and "damaged" in done.stderr


def test_merchants(data):
    done = run("merchant", "add", MID, "--name", "微店", "--phone", "400", data=data)
    assert done.exit_code == 0
    assert "area 2101, category 5411" in done.output
    assert run("merchant", "add", MID, "--name", "x", data=data).exit_code == 6
    assert run("merchant", "add", "123", "--name", "x", data=data).exit_code == 2
    assert run("merchant", "add", "898210154110003", "--name", "", data=data).exit_code == 2
    assert "微店" in run("merchant", "list", data=data).output
    assert shown("merchant", "show", MID, data=data)["name"] == "微店"
    assert run("merchant", "show", "898210154110009", data=data).exit_code == 6
    run("merchant", "suspend", MID, data=data)
    assert shown("merchant", "list", data=data)[0]["status"] == "suspended"
    run("merchant", "resume", MID, data=data)
    assert shown("merchant", "list", data=data)[0]["status"] == "active"


def test_terminals(data):
    run("merchant", "add", MID, "--name", "x", data=data)
    assert run("terminal", "add", MID, "10000001", data=data).exit_code == 0
    assert run("terminal", "add", MID, "10000001", data=data).exit_code == 6
    assert run("terminal", "add", MID, "1000000a", data=data).exit_code == 2
    assert run("terminal", "add", "898210154110009", "10000002", data=data).exit_code == 6
    assert run("terminal", "resume", "10000001", data=data).exit_code == 6
    assert run("terminal", "suspend", "10000001", data=data).exit_code == 0
    assert shown("terminal", "show", "10000001", data=data)["status"] == "suspended"
    assert run("terminal", "resume", "10000001", data=data).exit_code == 0
    assert run("terminal", "revoke", "10000001", data=data, input="n\n").exit_code == 6
    assert run("terminal", "revoke", "10000001", data=data, input="y\n").exit_code == 0
    assert run("terminal", "resume", "10000001", data=data).exit_code == 6
    assert run("terminal", "show", "NOSUCH00", data=data).exit_code == 6
    assert [r["status"] for r in shown("terminal", "list", data=data)] == ["revoked"]
    kinds = [e["kind"] for e in shown("audit", data=data)]
    assert kinds == [
        "merchant_added",
        "terminal_added",
        "terminal_suspend",
        "terminal_resume",
        "terminal_revoke",
    ]
    assert shown("audit", "--alarms", data=data) == []


def test_operators(data):
    first = shown("operator", "add", "li", data=data)
    assert len(first["password"]) >= 24 and first["totp_uri"].startswith("otpauth://totp/")
    assert run("operator", "add", "li", "--generate", data=data).exit_code == 6
    assert run("operator", "add", "Li", "--generate", data=data).exit_code == 2
    assert run("operator", "add", "wang", "--role", "boss", "--generate", data=data).exit_code == 2
    assert run("operator", "disable", "wang", data=data).exit_code == 6
    assert run("operator", "disable", "li", data=data).exit_code == 0
    (row,) = shown("operator", "list", data=data)
    assert row["disabled"] and first["password"] not in json.dumps(row)
    again = shown("operator", "reset", "li", data=data)
    assert again["password"] != first["password"] and again["totp_uri"] != first["totp_uri"]
    assert shown("operator", "list", data=data)[0]["disabled"] is None


def test_an_operator_as_a_person_adds_one(data):
    done = run("operator", "add", "li", data=data, input="correct horse battery\ncorrect horse battery\n")
    assert done.exit_code == 0, done.output
    assert "otpauth://totp/" in done.output and "█" in done.output, "a QR code to scan"
    assert "correct horse" not in done.output
    made = run("operator", "add", "zhao", "--generate", "--role", "auditor", data=data)
    assert re.search(r"password  [a-z2-7]{6}(-[a-z2-7]{6}){3}", made.output)
    assert run("operator", "add", "wang", data=data, input="short\nshort\n").exit_code == 2


def test_sessions(data):
    assert shown("session", "list", data=data) == []
    run("operator", "add", "li", "--generate", data=data)
    assert run("session", "revoke", "li", data=data).output == "0 sessions of li ended.\n"
    assert run("session", "revoke", "nobody", data=data).exit_code == 6


def test_work_and_codes(data):
    run("merchant", "add", MID, "--name", "店 [x]", data=data)
    run("terminal", "add", MID, "10000001", data=data)
    run("operator", "add", "li", "--generate", data=data)
    done = run("work", "add", "10000001", "--for", "li", "--note", "front [desk]", data=data)
    assert done.output == "Work item 1: install 10000001 at 店 [x].\n"
    assert "front [desk]" in run("work", "list", data=data).output
    (item,) = shown("work", "list", data=data)
    assert (item["assigned"], item["kind"], item["merchant"]["name"]) == ("li", "install", "店 [x]")
    assert run("work", "add", "10000001", "--kind", "paint", data=data).exit_code == 2
    assert run("work", "add", "10000001", "--for", "nobody", data=data).exit_code == 6
    assert run("work", "add", "NOSUCH00", data=data).exit_code == 6
    assert run("work", "cancel", "1", data=data).exit_code == 0
    assert run("work", "cancel", "1", data=data).exit_code == 6
    assert shown("work", "list", data=data) == shown("work", "outcomes", data=data) == []
    done = run("code", "issue", "10000001", "SIM-1", data=data)
    assert re.match(r"Activation code of SIM-1 for 10000001: \d{5} \d{5}, until ", done.output)
    assert well_formed(shown("code", "issue", "10000001", "SIM-1", data=data)["code"])
    assert run("code", "issue", "NOSUCH00", "SIM-1", data=data).exit_code == 6


def test_audit_is_verified(data):
    run("merchant", "add", MID, "--name", "x", data=data)
    run("terminal", "add", MID, "10000001", data=data)
    done = run("audit", "--verify", data=data)
    assert done.exit_code == 0
    found = re.search(r"2 rows, none changed. Head: (2:[0-9a-f]{64})", done.output)
    assert found
    run("terminal", "suspend", "10000001", data=data)
    assert run("audit", "--verify", "--since", found[1], data=data).exit_code == 0
    assert run("audit", "--verify", "--since", "2:" + "0" * 64, data=data).exit_code == 5
    assert run("audit", "--verify", "--since", "nonsense", data=data).exit_code == 2
    with sqlite3.connect(data / "acquirer.db") as database:
        database.execute("DROP TRIGGER audit_no_UPDATE")
        database.execute("UPDATE audit SET actor = 'somebody else' WHERE n = 2")
    database.close()
    done = run("audit", "--verify", data=data)
    assert done.exit_code == 5 and "row 2: the row was changed" in done.stderr
    assert json.loads(run("audit", "--verify", "--json", data=data).stdout)["broken"] == 2


def test_a_key_file_of_an_earlier_version_gets_what_it_lacks(data):
    path = data / "secrets.json"
    old = json.loads(path.read_text())
    del old["code_key"], old["totp_key"]
    path.write_text(json.dumps(old))
    assert run("merchant", "list", data=data).exit_code == 0
    new = json.loads(path.read_text())
    assert new.items() >= old.items() and len(new["code_key"]) == 64 and len(new["totp_key"]) == 128
    assert path.stat().st_mode & 0o777 == 0o600
    assert run("merchant", "list", data=data).exit_code == 0
    assert json.loads(path.read_text()) == new


def test_trust(data, tmp_path):
    payload = shown("trust", data=data)
    assert payload["url"] == "https://acquirer.microtill.test:8443"
    assert run("trust", "--out", str(tmp_path / "t.jws"), data=data).exit_code == 0
    assert (tmp_path / "t.jws").read_text().count(".") == 2


def test_init_for_a_name_of_ones_own(tmp_path):
    done = run("init", "--url", "https://pay.example:9443", "--host", "127.0.0.1", data=tmp_path / "a")
    assert done.exit_code == 0
    from cryptography import x509

    certificate = x509.load_pem_x509_certificate((tmp_path / "a/pki/server.pem").read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["pay.example", "acquirer.microtill.test"]
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert run("init", "--url", "http://pay.example", data=tmp_path / "b").exit_code == 2
    assert run("init", "--database", "nonsense", data=tmp_path / "c").exit_code == 6


def test_wrong_options():
    assert run("serve", "--port", "99999").exit_code == 2
    assert run("nonsense").exit_code == 2


def test_help_of_every_command():
    def walk(command, words):
        done = CliRunner().invoke(app, [*words, "--help"])
        assert done.exit_code == 0, words
        for name in getattr(command, "commands", {}):
            walk(command.commands[name], [*words, name])

    import typer

    walk(typer.main.get_command(app).commands["acquirer"], ["acquirer"])


def test_serve_sell_and_look(data):
    """A whole life by the command line: serve, provision, sell, list; Ctrl-C ends it in order."""
    run("merchant", "add", MID, "--name", "x", data=data)
    run("terminal", "add", MID, "10000001", data=data)
    li = shown("operator", "add", "li", data=data)
    server = subprocess.Popen(
        [MICROTILL, "acquirer", "serve", "--data", str(data), "--port", "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout and server.stderr
        line = json.loads(server.stdout.readline())
        assert line["event"] == "listening"
        from microtill.acquirer.datadir import DataDir

        home = DataDir(data)
        unit = Terminal(line["port"], home.ca.der, home.trust)
        unit.ask_ticket(signed_in(unit, li), "10000001")
        sale = unit.sale(1250, new_card())
        assert unit.send(sale)["outcome"] == "approved"
        assert [r["type"] for r in shown("transactions", data=data)] == ["sale"]
        table = run("transactions", data=data).output
        assert "¥12.50" in table and "620000******0005" in table
        assert shown("totals", data=data)["amount"] == 1250
        run("terminal", "suspend", "10000001", data=data)
        refused = unit.send(unit.sale(1250, new_card()))
        assert refused["action"] == "suspended", "an administrator's word holds at once"
        closed = run("terminal", "close-batch", "10000001", data=data, input="y\n")
        assert "Batch 000001 of 10000001 is closed: 1 sales, ¥12.50. Next is 000002." in closed.output
        assert unit.send(unit.reversal(sale))["result"] == "reversed"
        (held,) = shown("suspense", "list", data=data)
        assert (held["type"], held["amount"]) == ("reversal", 1250)
        assert "¥12.50" in run("suspense", "list", data=data).output
        assert run("suspense", "resolve", "1", "--note", "deducted", data=data).exit_code == 0
        assert shown("suspense", "list", data=data) == []
        assert shown("terminal", "closed", data=data)[0]["amount"] == 1250
        assert unit.send(unit.sign(sale.payload | {"fw": "2"}))["action"] == "call"
        assert "flagged: seq" in run("terminal", "list", data=data).output
        assert run("terminal", "clear", "10000001", "--note", "looked at", data=data).exit_code == 0
        assert run("terminal", "clear", "10000001", "--note", "again", data=data).exit_code == 6
        unit.close()
        start = time.monotonic()
        server.send_signal(signal.SIGINT)
        assert server.wait(10) == 0
        assert time.monotonic() - start < 5
        assert re.search(r"Serving https://acquirer.microtill.test:8443 on 127.0.0.1:\d+", server.stderr.read())
    finally:
        server.kill()
        server.wait()
        for pipe in (server.stdout, server.stderr):
            if pipe:
                pipe.close()


def test_serve_on_a_port_that_is_taken(data):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = subprocess.run(
            [MICROTILL, "acquirer", "serve", "--data", str(data), "--port", str(taken.getsockname()[1])],
            capture_output=True,
            text=True,
            timeout=30,
        )
    assert done.returncode == 6
    assert "is taken" in done.stderr and "Traceback" not in done.stderr
