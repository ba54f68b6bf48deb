"""A terminal in Python, as independent of the acquirer as can be: joserfc for JOSE, its own DUKPT, http.client for TLS.

It knows the wire and nothing of the acquirer's code, but for the test issuers' keys with which its cards are made.
Every message can be bent before it is signed (`change`) or after (`raw`).
"""

import base64
import hashlib
import http.client
import json
import os
import secrets
import ssl
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from joserfc import jwe, jws
from joserfc.jwk import ECKey, OctKey
from microtill.acquirer import issuers

HOST_NAME = "acquirer.microtill.test"
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def compact(value: dict) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def dukpt_key(initial: bytes, ikid: bytes, counter: int, usage: int, algorithm: int) -> bytes:
    """X9.24-3 in a dozen lines: AES-256 throughout."""

    def step(key: bytes, use: int, alg: int, count: int) -> bytes:
        tail = ikid[4:] + count.to_bytes(4, "big")
        data = use.to_bytes(2, "big") + alg.to_bytes(2, "big") + b"\1\0" + tail
        return Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(b"\1\1" + data + b"\1\2" + data)

    key, count = initial, 0
    for bit in range(31, -1, -1):
        if counter >> bit & 1:
            count |= 1 << bit
            key = step(key, 0x8000, 4, count)
    return step(key, usage, algorithm, counter)


def es256(payload: bytes, header: dict, key: ECKey, high_s: bool = False) -> str:
    """joserfc signs; s is brought to the lower half, or the upper."""
    registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
    token = jws.serialize_compact(header, payload, key, registry=registry)
    token = token if isinstance(token, str) else token.decode()
    head, _, signature = token.rpartition(".")
    r, s = unb64(signature)[:32], int.from_bytes(unb64(signature)[32:], "big")
    s = max(s, N - s) if high_s else min(s, N - s)
    return f"{head}.{b64(r + s.to_bytes(32, 'big'))}"


@dataclass
class Card:
    """A test card that makes a new cryptogram on each reading."""

    pan: str = issuers.UNIONPAY_PAN
    psn: str = "01"
    expiry: str = "4912"
    aid: str = "A000000333010101"
    scheme: str = "unionpay"
    iad: bytes = bytes.fromhex("07000103A00000010A010000000000")
    atc: int = 1

    def read(self, amount: int, day: str, cashback: int = 0, **bend: bytes) -> dict[str, bytes]:
        """Field 55 as {tag: value}; `bend` overrides values before the cryptogram is made."""
        issuer = issuers.issuer_of(self.pan)
        tags = {
            "9F27": b"\x80",
            "9F10": self.iad,
            "9F37": os.urandom(4),
            "9F36": self.atc.to_bytes(2, "big"),
            "95": bytes(5),
            "9A": bytes.fromhex(day),
            "9C": b"\x09" if cashback else b"\x00",
            "9F02": bytes.fromhex(f"{amount:012d}"),
            "5F2A": bytes.fromhex("0156"),
            "82": bytes.fromhex("0000"),
            "9F1A": bytes.fromhex("0156"),
            "9F03": bytes.fromhex(f"{cashback:012d}"),
            "9F33": bytes.fromhex("E0E1C8"),
            "5F34": bytes.fromhex(self.psn),
            "84": bytes.fromhex(self.aid),
        } | bend
        self.atc += 1
        cryptogram = issuers.compute_cryptogram(issuer, self.pan, self.psn, tags) if issuer else bytes(8)
        return {"9F26": cryptogram} | tags

    def track2(self) -> str:
        text = f"{self.pan}D{self.expiry}2011234567"
        return text + "F" * (len(text) % 2)

    def masked(self) -> str:
        return self.pan[:6] + "*" * (len(self.pan) - 10) + self.pan[-4:]


def tlv(tags: dict[str, bytes]) -> str:
    return "".join(f"{tag}{len(value):02X}{value.hex().upper()}" for tag, value in tags.items())


@dataclass
class Answer:
    """A verified answer; `raw` is the token as it came."""

    raw: str
    payload: dict[str, Any]

    def __getitem__(self, name: str) -> Any:
        return self.payload[name]

    def get(self, name: str) -> Any:
        return self.payload.get(name)


class HttpProblem(Exception):
    def __init__(self, status: int, body: bytes, content_type: str):
        super().__init__(f"{status} {body.decode('utf-8', 'replace')}")
        self.status = status
        self.content_type = content_type
        self.body = body


@dataclass
class Signed:
    """A message that may be sent more than once."""

    payload: dict[str, Any]
    octets: bytes
    token: str
    mac_key: bytes

    @property
    def req(self) -> str:
        return hashlib.sha256(self.octets).hexdigest()


class Https:
    """Keep-alive HTTPS to 127.0.0.1:port, verified as the acquirer's host name against `ca_der`."""

    def __init__(self, port: int, ca_der: bytes, timeout: float = 30):
        self._context = ssl.create_default_context(cadata=ca_der)
        self._port = port
        self._timeout = timeout
        self._connection: http.client.HTTPSConnection | None = None

    def _connect(self) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection("127.0.0.1", self._port, timeout=self._timeout)
        import socket

        plain = socket.create_connection(("127.0.0.1", self._port), self._timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            connection.sock = self._context.wrap_socket(plain, server_hostname=HOST_NAME)
        except BaseException:
            plain.close()
            raise
        return connection

    def request(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None):
        """(status, content type, body); the connection is dropped on any failure."""
        if self._connection is None:
            self._connection = self._connect()
        try:
            self._connection.request(method, path, body, headers or {})
            response = self._connection.getresponse()
            answer = response.status, response.headers.get("content-type", ""), response.read()
            if response.will_close:
                self.close()
            return answer
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None


class Terminal:
    """One unit: keys, ticket, counters, journal position."""

    def __init__(self, port: int, ca_der: bytes, trust: str, serial: str = "SIM-0001", timeout: float = 30):
        self.https = Https(port, ca_der, timeout)
        self._trust = trust
        self.serial = serial
        self.key = ECKey.generate_key("P-256")
        self.ecdh = ECKey.generate_key("P-256")
        self.nonce = b64(os.urandom(16))
        self.n, self.head = 0, hashlib.sha256(serial.encode()).hexdigest()
        self.stan = 0
        self.batch = "000001"
        self.counter = 0
        self.ticket: dict[str, Any] = {}

    # -- becoming a terminal ---------------------------------------------------------------------------------------

    @property
    def kid(self) -> str:
        return self.key.thumbprint()

    def public(self, key: ECKey) -> dict[str, Any]:
        members = key.as_dict(private=False)
        return {name: members[name] for name in ("crv", "kty", "x", "y")}

    def key_request(self, change=None, signer: ECKey | None = None, **header: Any) -> str:
        payload = {
            "v": 1,
            "serial": self.serial,
            "board": "SIM",
            "fw": "0.1.0",
            "key": self.public(self.key),
            "ecdh": self.public(self.ecdh),
            "nonce": self.nonce,
            "versions": [1],
        }
        if change:
            change(payload)
        head = {"alg": "ES256", "kid": self.kid, "typ": "mt-keyreq"} | header
        return es256(compact(payload), head, signer or self.key)

    def ask_ticket(self, session: str, tid: str, keyreq: str | None = None, mode: str | None = None) -> dict:
        """The verified ticket; also installs it. Raises HttpProblem."""
        body = {"keyreq": keyreq or self.key_request(), "tid": tid} | ({"mode": mode} if mode else {})
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {session}"}
        status, content_type, answer = self.https.request("POST", "/v1/tickets", compact(body), headers)
        if status != 200:
            raise HttpProblem(status, answer, content_type)
        self.install(json.loads(answer)["ticket"])
        return self.ticket

    def install(self, token: str) -> None:
        trusted = [ECKey.import_key(k) for k in self.trust()["keys"]]
        head = json.loads(unb64(token.split(".")[0]))
        assert set(head) == {"alg", "kid", "typ"} and head["typ"] == "mt-ticket"
        key = next(k for k in trusted if k.thumbprint() == head["kid"])
        registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
        self.ticket = json.loads(jws.deserialize_compact(token, key, registry=registry).payload)
        assert self.ticket["jkt"] == self.kid
        assert self.ticket["nonce"] == self.nonce
        wrapped = self.ticket["dukpt"]
        algorithms_ = ["ECDH-ES", "A128CBC-HS256"]
        opened = jwe.decrypt_compact(wrapped["key"], self.ecdh, registry=jwe.JWERegistry(algorithms=algorithms_))
        assert opened.protected["typ"] == "mt-ticket" and opened.protected["kid"] == wrapped["ikid"]
        assert opened.plaintext is not None
        self._initial, self._ikid = opened.plaintext, bytes.fromhex(wrapped["ikid"])
        self.counter = 0
        self.batch = self.ticket["batch"]
        self.stan = self.ticket["stan_floor"]

    def trust(self) -> dict[str, Any]:
        """The trust object's payload, its own signature checked."""
        payload = json.loads(unb64(self._trust.split(".")[1]))
        key = ECKey.import_key(payload["keys"][0])
        registry = jws.JWSRegistry(algorithms=["ES256"], strict_check_header=False)
        jws.deserialize_compact(self._trust, key, registry=registry)
        return payload

    # -- messages --------------------------------------------------------------------------------------------------

    def burn(self) -> str:
        """The next KSN."""
        self.counter += 1
        while self.counter.bit_count() > 16:
            self.counter += 1
        return (self._ikid + self.counter.to_bytes(4, "big")).hex().upper()

    def base(self, kind: str, skew: int = 0) -> dict[str, Any]:
        ksn = self.burn()
        utc = int(time.time()) + skew
        day = (datetime.fromtimestamp(utc, UTC) + timedelta(minutes=480)).strftime("%Y%m%d")
        if kind in ("sale", "reversal"):
            self.stan = self.stan % 999999 + 1
        return {
            "v": 1,
            "aud": self.ticket["host"]["aud"],
            "type": kind,
            "tkt": self.ticket["version"],
            "tid": self.ticket["tid"],
            "mid": self.ticket["mid"],
            "seq": self.ticket["version"] * 2**32 + self.counter,
            "stan": f"{self.stan:06d}",
            "batch": self.batch,
            "time": {"utc": utc, "offset": 480, "date": day},
            "ksn": ksn,
            "journal": {"n": self.n, "head": self.head},
            "fw": "0.1.0",
            "operator": {"id": "01", "role": "cashier", "shift": 1},
        }

    def _key(self, ksn: str, usage: int, algorithm: int) -> bytes:
        return dukpt_key(self._initial, self._ikid, int(ksn[16:], 16), usage, algorithm)

    def encrypt(self, clear: dict | bytes, ksn: str, key: bytes | None = None, **header: Any) -> str:
        key = key or self._key(ksn, 0x3000, 4)
        head = {"alg": "dir", "enc": "A128CBC-HS256", "kid": ksn, "typ": "mt-req"} | header
        octets = clear if isinstance(clear, bytes) else compact(clear)
        token = jwe.encrypt_compact(
            head, octets, OctKey.import_key(key), algorithms=["dir", "A128CBC-HS256"], registry=_lax_jwe()
        )
        return token if isinstance(token, str) else token.decode()

    def sale(self, amount: int = 1250, card: Card | None = None, change=None, clear: Any = None, **bend: Any) -> Signed:
        """A signed sale. `change(payload)` bends it before signing, `clear` replaces the encrypted card data."""
        card = card or Card(atc=secrets.randbelow(60000) + 1)
        payload = self.base("sale", bend.pop("skew", 0))
        cashback = bend.pop("cashback", 0)
        tags = card.read(amount, payload["time"]["date"][2:], cashback, **bend)
        payload["amount"] = amount
        payload["currency"] = "156"
        payload["instrument"] = {
            "entry": "072",
            "card": {
                "aid": card.aid,
                "scheme": card.scheme,
                "psn": card.psn,
                "cvm": "none",
                "pan": card.masked(),
                "emv": tlv(tags),
                "enc": self.encrypt(clear or {"t2": card.track2()}, payload["ksn"]),
            },
        }
        if cashback:
            payload["parts"] = {"goods": amount - cashback, "cashback": cashback}
        return self.sign(payload, change)

    def reversal(self, original: Signed, change=None, kind: str = "reversal") -> Signed:
        payload = self.base(kind)
        was = original.payload
        payload["original"] = {
            "seq": was["seq"],
            "req": original.req,
            "type": was["type"],
            "stan": was["stan"],
            "batch": was["batch"],
            "time": was["time"]["utc"],
            "amount": was.get("amount", 0),
            "currency": was.get("currency", "156"),
        }
        return self.sign(payload, change)

    def status(self, original: Signed, change=None) -> Signed:
        return self.reversal(original, change, "status")

    def sign_on(self, change=None) -> Signed:
        return self.sign(self.base("sign_on") | {"versions": [1]}, change)

    def plain(self, kind: str, change=None, **extra: Any) -> Signed:
        return self.sign(self.base(kind) | extra, change)

    def sign(self, payload: dict[str, Any], change=None, octets: bytes | None = None, **bend: Any) -> Signed:
        """`octets` replaces the payload's serialisation; `bend`: key, high_s, header."""
        mac_key = self._key(payload["ksn"], 0x2001, 5)
        if change:
            change(payload)
        if octets is None:
            octets = compact(payload)
        header = {"alg": "ES256", "kid": self.kid, "typ": "mt-req"} | bend.get("header", {})
        token = es256(octets, header, bend.get("key", self.key), bend.get("high_s", False))
        self.n += 1
        self.head = hashlib.sha256(octets).hexdigest()
        return Signed(payload, octets, token, mac_key)

    def post(self, token: str | bytes, content_type: str = "application/jose") -> tuple[int, str, bytes]:
        body = token if isinstance(token, bytes) else token.encode()
        return self.https.request("POST", "/v1/messages", body, {"Content-Type": content_type})

    def send(self, message: Signed) -> Answer:
        """The verified answer. Raises HttpProblem for a plain HTTP error, AssertionError for a wrong answer."""
        status, content_type, body = self.post(message.token)
        if status != 200:
            raise HttpProblem(status, body, content_type)
        assert content_type == "application/jose"
        return self.verify(message, body.decode())

    def verify(self, message: Signed, token: str) -> Answer:
        assert len(token) <= 4096
        registry = jws.JWSRegistry(algorithms=["HS256"], strict_check_header=False)
        opened = jws.deserialize_compact(token, OctKey.import_key(message.mac_key), registry=registry)
        assert opened.protected == {"alg": "HS256", "kid": message.payload["ksn"], "typ": "mt-ans"}
        answer = json.loads(opened.payload)
        assert answer["req"] == message.req
        assert (answer["tid"], answer["seq"]) == (message.payload["tid"], message.payload["seq"])
        assert answer["outcome"] in ("approved", "declined", "pending", "refused", "unknown")
        return Answer(token, answer)

    def close(self) -> None:
        self.https.close()


def _lax_jwe() -> jwe.JWERegistry:
    return jwe.JWERegistry(algorithms=["dir", "A128CBC-HS256"], strict_check_header=False)


def rs(token: str) -> tuple[int, int]:
    """(r, s) of a compact ES256 token."""
    signature = unb64(token.split(".")[2])
    return int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big")


__all__ = ["Answer", "Card", "HttpProblem", "Https", "Signed", "Terminal", "decode_dss_signature", "es256", "field"]
