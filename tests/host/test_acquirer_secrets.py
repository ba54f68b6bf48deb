"""No card number, no track data and no key in the database or the log."""

import base64
import json
import os
import stat
from pathlib import Path

import pytest
from microtill.acquirer import totp
from microtill.acquirer.activation import with_check_digits
from microtill.acquirer.card import Card, luhn
from microtill.acquirer.log import Log
from microtill.acquirer.process import DEMO_TID, AcquirerProcess
from support.acquirer import Desk, new_card, new_terminal
from support.terminal import Terminal, b64


def _pan(prefix: str, middle: str) -> str:
    """A card number of a test issuer whose digits cannot turn up by chance."""
    return next(f"{prefix}{middle}{d}" for d in range(10) if luhn(f"{prefix}{middle}{d}"))


PANS = [_pan("620000", "739146285"), _pan("476173", "852963741"), _pan("541333", "918273645")]

SCHEMES = {
    "4": {"aid": "A0000000031010", "scheme": "visa", "iad": bytes.fromhex("06010A03A00000")},
    "5": {
        "aid": "A0000000041010",
        "scheme": "mastercard",
        "iad": bytes.fromhex("0110A00001220000") + bytes(10),
    },
}


def _forms(pan: str, expiry: str = "4912") -> list[bytes]:
    """A card number in every dress it could have slipped through in."""
    track = f"{pan}D{expiry}2011234567"
    track += "F" * (len(track) % 2)
    bcd = bytes.fromhex(pan + "F" * (len(pan) % 2))
    return [
        pan.encode(),
        pan.encode("utf-16-le"),
        bcd,
        bytes.fromhex(track),
        base64.b64encode(pan.encode())[:-4],
        base64.b64encode(b" " + pan.encode())[4:-4],
        base64.b64encode(b"  " + pan.encode())[4:-4],
        base64.b64encode(bytes.fromhex(track))[:10],
        b64(f'{{"t2":"{track}"}}'.encode())[:24].encode(),
        " ".join(pan[i : i + 4] for i in range(0, 16, 4)).encode(),
        pan[6:12].encode(),
    ]


def operators(acquirer) -> dict[str, bytes]:
    """A day of an operator's, with every mistake that puts a secret where it does not belong; the secrets."""
    account = acquirer.new_operator("administrator")
    secret = totp.secret_of(account.totp_uri)
    code, mistaken = acquirer.totp(account), "a-password-in-the-name-field"
    desk = Desk(acquirer)
    said = {"name": account.name, "password": account.password, "totp": code, "client": "test"}
    desk.refused("POST", "/v1/sessions", said | {"password": "quite-another-password"})
    desk.refused("POST", "/v1/sessions", said | {"name": mistaken})
    desk.refused("POST", "/v1/sessions", said | {"totp": account.password[:6]})
    desk.token = desk.post("/v1/sessions", said)["token"]
    told = {"password": account.password.encode(), "token": desk.token.encode(), "mistaken": mistaken.encode()}
    told |= {"wrong password": b"quite-another-password", "totp secret": secret}
    told |= {"totp secret, base32": base64.b32encode(secret), "totp secret, hex": secret.hex().encode()}
    reset = desk.post(f"/v1/operators/{account.name}/reset")
    told |= {"new password": reset["password"].encode(), "new secret": totp.secret_of(reset["totp_uri"])}
    desk.token = acquirer.new_session("technician")
    told["second token"] = desk.token.encode()
    activation = desk.post("/v1/activation-codes", {"tid": DEMO_TID, "serial": "SECRETS"})["code"]
    unit = Terminal(acquirer.port, acquirer.ca_der, acquirer.trust, serial="SECRETS")
    wrong = with_check_digits(f"{(int(activation[:8]) + 1) % 10**8:08d}")
    desk.token = ""
    for tried in (wrong, activation):
        desk.ask("POST", "/v1/tickets", {"keyreq": unit.key_request(), "code": tried})
    told |= {"code": activation.encode(), "digits of the code": activation[:8].encode()}
    return told | {"wrong code": wrong.encode()}


@pytest.fixture(scope="module")
def used():
    """A directory that has seen good and bad sales with each card, and the process's own output."""
    with AcquirerProcess() as acquirer:
        unit = new_terminal(acquirer)
        enc = []
        for pan in PANS:
            values = {"pan": pan} | SCHEMES.get(pan[0], {})
            messages = [
                unit.sale(100, new_card(**values)),
                unit.sale(100, new_card(**values), clear={"pan": pan, "exp": "4912"}),
                unit.sale(100, new_card(**values), clear={"t2": pan}),
                unit.sale(100, new_card(**values), lambda p: p.update(extra=1)),
                unit.sale(100, new_card(**values), **{"9F02": bytes(6)}),
            ]
            for message in messages:
                answer = unit.send(message)
                assert message is not messages[0] or answer["outcome"] == "approved"
                enc.append(message.payload["instrument"]["card"]["enc"].encode())
            unit.send(unit.reversal(messages[0]))
        acquirer.set_account(PANS[0], balance=5)
        told = operators(acquirer)
        acquirer._end(15)
        contents = {p.name: p.read_bytes() for p in Path(acquirer.home.path).rglob("*") if p.is_file()}
        yield acquirer, contents, enc, told


def test_there_is_something_to_search(used):
    _, contents, _, _ = used
    assert PANS[0][:6].encode() + b"******" in contents["acquirer.db"]
    assert b'"event":"message"' in contents["acquirer.log"]
    # The searcher finds what it looks for.
    assert all(form in b"x" + form + b"y" for form in _forms(PANS[0]))


@pytest.mark.parametrize("pan", PANS)
def test_no_card_number_in_any_form(used, pan):
    _, contents, _, _ = used
    for name, data in contents.items():
        for form in _forms(pan):
            assert form not in data, f"{name} holds {form!r}"


def test_no_encrypted_card_data_either(used):
    _, contents, enc, _ = used
    for name, data in contents.items():
        for token in enc:
            assert token[-40:] not in data, name


def test_keys_are_in_their_file_only(used):
    acquirer, contents, _, _ = used
    secrets = acquirer.home.secrets
    keys = {"bdk": secrets.bdk, "pan": secrets._pan_key, "token": secrets._token_key, "code": secrets._code_key}
    keys["totp"] = bytes.fromhex(json.loads(contents["secrets.json"])["totp_key"])
    for name, data in contents.items():
        if name == "secrets.json":
            continue
        for key in keys.values():
            for form in (key, key.hex().encode(), key.hex().upper().encode(), base64.b64encode(key)[:-2]):
                assert form not in data, name


def test_modes_of_key_files(used):
    acquirer, *_ = used
    path = acquirer.home.path
    for name in ("acquirer.json", "secrets.json", "pki/ca.key", "pki/server.key", "pki/provisioning.key"):
        assert stat.S_IMODE(os.stat(path / name).st_mode) == 0o600, name


def test_session_tokens_are_hashed_at_rest(used):
    acquirer, contents, _, _ = used
    token = vars(acquirer)["session"]
    assert len(token) >= 32
    for name, data in contents.items():
        assert token.encode() not in data, name


def test_operators_secrets_are_nowhere(used):
    """Passwords, authenticator secrets, tokens and codes: not in the database, nor the log, nor the audit log."""
    _, contents, _, told = used
    assert b"sign_in_failed" in contents["acquirer.db"] and b"code_refused" in contents["acquirer.db"]
    assert b'"problem":"code_invalid"' in contents["acquirer.log"], "the search looked at what the day wrote"
    for what, secret in told.items():
        assert len(secret) >= 8
        for name, data in contents.items():
            assert secret not in data, f"{what} in {name}"


def test_log_takes_known_fields_only(tmp_path):
    log = Log(tmp_path / "log")
    with pytest.raises(ValueError, match="pan"):
        log.event("message", pan="6200000000000005")
    log.close()


def test_log_of_an_error_does_not_quote_it(tmp_path):
    log = Log(tmp_path / "log")
    try:
        raise ValueError("6200000000000005")
    except ValueError as e:
        log.failure("failed", e)
    log.close()
    text = (tmp_path / "log").read_text()
    assert "620000" not in text
    assert '"error":"ValueError","where":"test_acquirer_secrets.py:' in text


def test_card_has_no_repr():
    card = Card("6200000000000005", "01", "4912", 1, {})
    assert "6200" not in repr(card) and "6200" not in str(card)


def test_luhn():
    assert all(luhn(pan) for pan in PANS)
    assert not luhn("6200000000000004")
