"""A provisioning office in forty lines, for enrolment tests: joserfc and cryptography, nothing of ours."""

import base64
import hashlib
import json
import secrets
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from joserfc import jwe, jws
from joserfc.jwk import ECKey

N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
NOW = 1_800_000_000


def b64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def compact(value) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def public(key: ECKey) -> dict:
    data = key.as_dict(private=False)
    return {name: data[name] for name in ("kty", "crv", "x", "y")}


def thumbprint(jwk: dict) -> str:
    return b64(hashlib.sha256(json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode()).digest())


def signed(payload: bytes, header: dict, key: ECKey, high_s: bool = False) -> str:
    registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
    head, _, signature = jws.serialize_compact(header, payload, key, registry=registry).rpartition(".")
    r, s = unb64(signature)[:32], int.from_bytes(unb64(signature)[32:], "big")
    s = max(s, N - s) if high_s else min(s, N - s)
    return f"{head}.{b64(r + s.to_bytes(32, 'big'))}"


def certificate() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Test CA")])
    start = datetime.fromtimestamp(NOW, UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = builder.not_valid_before(start).not_valid_after(start + timedelta(days=3650)).sign(key, hashes.SHA256())
    return built.public_bytes(serialization.Encoding.DER)


class Office:
    """One provisioning key; makes trust objects and tickets, bent as a test wants them."""

    def __init__(self):
        self.key = ECKey.generate_key("P-256", private=True)
        self.kid = thumbprint(public(self.key))
        self.ca = certificate()
        self.initial = secrets.token_bytes(32)

    def header(self, of: str, **changes) -> dict:
        header = {"alg": "ES256", "kid": self.kid, "typ": of} | changes
        return {k: v for k, v in header.items() if v is not None}

    def trust(self, signer: "Office | None" = None, holders: "list[Office] | None" = None, **changes) -> str:
        payload = {
            "v": 1,
            "version": 1,
            "name": "Campus Acquirer",
            "url": "https://acquirer.test:8443",
            "ca": [b64(self.ca)],
            "keys": [public(office.key) for office in (holders or [self])],
        } | changes
        signer = signer or self
        return signed(compact(payload), signer.header("mt-trust"), signer.key)

    def sealed(self, initial: bytes, ikid: str, ecdh: dict, **changes) -> str:
        header = {"alg": "ECDH-ES", "enc": "A128CBC-HS256", "kid": ikid, "typ": "mt-ticket"} | changes
        registry = jwe.JWERegistry(algorithms=["ECDH-ES", "A128CBC-HS256"], strict_check_header=False)
        return jwe.encrypt_compact(header, initial, ECKey.import_key(ecdh), registry=registry)

    def payload(self, keyreq: dict, **changes) -> dict:
        ikid = changes.pop("ikid", "0102030400000001")
        initial = changes.pop("initial", self.initial)
        return {
            "v": 1,
            "mid": "898210154110002",
            "tid": "T0000001",
            "merchant": {"name": "校园超市", "address": "1 Campus Road", "phone": "010-1234"},
            "serial": keyreq["serial"],
            "jkt": thumbprint(keyreq["key"]),
            "nonce": keyreq["nonce"],
            "version": 1,
            "mode": "new",
            "batch": "000001",
            "stan_floor": 0,
            "iat": NOW,
            "exp": NOW + 86400,
            "host": {"url": "https://acquirer.test:8443", "aud": "acquirer.test"},
            "currency": {"code": "156", "exponent": 2, "symbol": "¥"},
            "parameters": {"sale_limit": 100000},
            "dukpt": {"ikid": ikid, "key": self.sealed(initial, ikid, keyreq["ecdh"])},
        } | changes

    def ticket(self, keyreq: dict, **changes) -> str:
        return self.sign(self.payload(keyreq, **changes))

    def sign(self, payload: dict | bytes, high_s: bool = False, **header) -> str:
        octets = payload if isinstance(payload, bytes) else compact(payload)
        return signed(octets, self.header("mt-ticket", **header), self.key, high_s)


def read_key_request(token: str) -> dict:
    """Payload of an mt-keyreq, its own signature checked by joserfc."""
    header = json.loads(unb64(token.split(".")[0]))
    payload = json.loads(unb64(token.split(".")[1]))
    registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
    jws.deserialize_compact(token, ECKey.import_key(payload["key"]), registry=registry)
    assert header == {"alg": "ES256", "kid": thumbprint(payload["key"]), "typ": "mt-keyreq"}
    assert int.from_bytes(unb64(token.split(".")[2])[32:], "big") <= N // 2
    return payload
