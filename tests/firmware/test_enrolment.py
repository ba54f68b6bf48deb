# What needs no ticket from outside; tests/host/test_enrolment_tickets.py has those, made by independent code.
import json
import os
from hashlib import sha256

from fake_nvs import FakeNvs, PowerCut
from nor import Nor
from till.core.errors import CryptoError, InvalidValue, StorageError, Tampered, TicketError
from till.core.fields import check_url
from till.crypto import jose, p256
from till.crypto.dukpt import Dukpt
from till.crypto.rng import Rng
from till.services.enrolment import Enrolment
from till.services.identity import load_identity
from till.services.keys import TransactionKeys
from till.services.signer import device_signer
from till.services.trust import fingerprint, load_trust
from till.storage.journal import Journal
from till.storage.vault import Vault

HEAP = "512K"
IKID = b"\1\2\3\4\0\0\0\1"


def raises(kind, call, *args):
    try:
        call(*args)
    except kind as e:
        return e
    raise AssertionError("no " + kind.__name__)


def vault(nvs, rng=None):
    return Vault(nvs, "SIM-1", rng or Rng(os.urandom))


def test_a_blank_unit():
    v = vault(FakeNvs())
    assert load_identity(v, "SIM-1") is None and load_trust(v) is None
    raises(CryptoError, TransactionKeys, v)
    raises(CryptoError, device_signer, v, "kid", None)
    error = raises(TicketError, Enrolment(v, "SIM-1", "SIM", "0.1", None).examine, "a.b.c", Journal(Nor(16)), 0)
    assert error.key == "error.ticket" and error.detail == "ticket: nothing is trusted yet"


def test_the_key_request_proves_its_key():
    nvs = FakeNvs()
    enrolment = Enrolment(vault(nvs), "SIM-1", "TILL", "1.2.3", Rng(os.urandom))
    first = enrolment.key_request()
    kid = jose.peek_kid(first, "mt-keyreq")
    request = json.loads(jose.unb64url(bytes(first).decode().split(".")[1]))
    public = jose.public_from_jwk(request["key"])
    assert jose.thumbprint(public) == kid
    jose.verify_es256(first, "mt-keyreq", kid, public)
    raises(CryptoError, jose.verify_es256, first, "mt-keyreq", kid, jose.public_from_jwk(request["ecdh"]))
    # The same key over a restart, until another is asked for.
    again = Enrolment(vault(nvs), "SIM-1", "TILL", "1.2.3", Rng(os.urandom))
    assert jose.peek_kid(again.key_request(), "mt-keyreq") == kid
    assert jose.peek_kid(again.key_request(True), "mt-keyreq") != kid
    for value in nvs.durable.values():
        assert not isinstance(value, bytes) or jose.unb64url(request["nonce"]) not in value


def test_a_random_source_that_fails_makes_no_keys():
    class Failing:
        def bytes(self, n):
            raise CryptoError("random source")

    nvs = FakeNvs()
    raises(CryptoError, Enrolment(vault(nvs), "SIM-1", "SIM", "0.1", Failing()).key_request)
    assert nvs.durable == {}


def test_a_ticket_of_another_unit_or_a_bad_one_is_tampering():
    v = vault(FakeNvs())
    v.put("ticket", b"{}")
    raises(Tampered, load_identity, v, "SIM-1")


def test_fingerprints_are_for_people():
    assert fingerprint(jose.b64url(bytes(range(0x9A, 0x9A + 32)))) == "9A9B 9C9D 9E9F A0A1"


def test_urls():
    for url in ("https://a", "https://acquirer.test:8443", "https://10.0.0.1:1", "https://A-b.example"):
        assert check_url(url) == url
    for url in (
        "https://", "http://a", "https://a/", "https://a:", "https://a:0", "https://a:65536", "https://a:8a",
        "https://a b", "https://a?x", "https://-a", "https://a@b", "https://é.test", "ftp://abcdefg",
    ):  # fmt: skip
        raises(InvalidValue, check_url, url)


def loaded():
    nvs = FakeNvs()
    vault(nvs).put("dukpt", Dukpt.load(IKID, bytes(range(32))).state())
    return nvs.durable


def test_a_burned_key_never_comes_again_whenever_the_power_goes():
    start = loaded()
    keys = TransactionKeys(vault(FakeNvs(start)))
    expected = [keys.burn().mac_key() for _ in range(6)]
    assert keys.counter == 6 and len(set(expected)) == 6
    for cut_at in range(40):
        nvs = FakeNvs(start, cut_at)
        used = []
        try:
            keys = TransactionKeys(vault(nvs))
            for _ in range(5):
                used.append(keys.burn().mac_key())
        except PowerCut:
            pass
        assert used == expected[: len(used)]
        for left in nvs.leftovers():
            again = TransactionKeys(vault(FakeNvs(left))).burn()
            assert again.mac_key() not in used and again.counter in (len(used) + 1, len(used) + 2)
        if len(used) == 5:
            break
    assert cut_at > 15


def test_a_key_that_could_not_be_burned_is_not_handed_out():
    class Full(FakeNvs):
        def commit(self):
            raise OSError(-0x1105)

    keys = TransactionKeys(vault(Full(loaded())))
    raises(StorageError, keys.burn)
    raises(StorageError, keys.burn)


def test_the_signer_uses_each_prepared_nonce_once():
    v = vault(FakeNvs())
    rng = Rng(os.urandom)
    private = p256.generate(rng)
    public = p256.public_key(private)
    v.put("device", b"\1" + private.to_bytes(32, "big"))
    signer = device_signer(v, jose.thumbprint(public), rng)
    digest = sha256(b"message").digest()
    seen = set()
    for prepared in (False, True, True):
        if prepared:
            signer.prepare()
            signer.prepare()
        assert signer.prepared == prepared
        signature = signer.sign(digest)
        assert p256.verify(public, digest, signature) and not signer.prepared
        seen.add(signature[:32])
    assert len(seen) == 3
    v.put("device", b"\2" + private.to_bytes(32, "big"))
    raises(CryptoError, device_signer, v, "kid", rng)
