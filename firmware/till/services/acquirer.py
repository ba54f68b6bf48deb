"""Messages to the acquirer: built, signed, sent, and their answers verified. Knows the wire, not the money."""

import json
from binascii import hexlify
from hashlib import sha256

from micropython import const

from till.core import outcome
from till.core.errors import AnswerError, CryptoError, InvalidValue
from till.crypto import jose

VERSION = const(1)
ANSWER_MS = const(15000)

_PAYLOAD_MAX = const(5800)  # base64url and two signatures' room keep the request within 8 KiB
_TIME_MAX = const(2**40 - 1)


class Message:
    """A message whose key is burned. `payload` exists once it is closed; only then may it be journalled and sent."""

    def __init__(self, type: str, transaction, seq: int, stan: str):
        self.type = type
        self.seq = seq
        self.stan = stan
        self.ksn = hexlify(transaction.ksn).decode().upper()
        self.time = 0
        self.payload = b""
        self.digest = b""
        self.token: "bytes | bytearray" = b""
        self._transaction = transaction

    @property
    def req(self) -> str:
        """Hex SHA-256 of the payload octets: how answers, reversals and the journal name this message."""
        return hexlify(self.digest).decode()

    def data_key(self) -> bytes:
        """The DUKPT data key of this message (usage 3000)."""
        return self._transaction.data_key()

    def mac_key(self) -> bytes:
        """The DUKPT key its answer is authenticated with (usage 2001)."""
        return self._transaction.mac_key()


class Answer:
    """A verified answer: `outcome`, `rc`, and the rest of its members by `get`."""

    def __init__(self, members: dict):
        self._members = members
        self.outcome = members["outcome"]
        self.rc = members["rc"]
        self.time = members["time"]

    def get(self, name, default=None):
        """Member `name` of the payload."""
        return self._members.get(name, default)

    def text(self, name: str, most: int) -> str:
        """Member `name` as a str of at most `most` printable characters; "" when absent. AnswerError when not."""
        value = self._members.get(name, "")
        if not isinstance(value, str) or len(value) > most:
            raise AnswerError(name, key="reason.malformed")
        for c in value:
            if c < " " or "\x7f" <= c <= "\x9f":
                raise AnswerError(name, key="reason.malformed")
        return value


class Acquirer:
    """One terminal's side of the conversation.

    `identity` says who we are, `keys.burn()` makes the next key durably and returns its DUKPT transaction,
    `signer.sign(digest)` signs with the device key, `operator` is who stands at the counter.
    """

    def __init__(self, identity, keys, signer, journal, clock, link, operator, firmware: str):
        self.identity = identity
        self._keys = keys
        self._signer = signer
        self._journal = journal
        self._clock = clock
        self._link = link
        self.operator = operator
        self._firmware = firmware

    def open(self, type: str, stan: str) -> Message:
        """Burn a key for a new message of `type`. A burned key is never used again, sent or not."""
        transaction = self._keys.burn()
        seq = (self.identity.version << 32) + transaction.counter
        return Message(type, transaction, seq, stan)

    def close(self, message: Message, batch: str, members: dict) -> Message:
        """Fix the payload of `message`, with the `members` its type needs. Nothing is sent yet."""
        identity = self.identity
        clock = self._clock
        message.time = clock.now()
        year, month, day = clock.local(message.time)[:3]
        payload = {
            "v": VERSION,
            "aud": identity.aud,
            "type": message.type,
            "tkt": identity.version,
            "tid": identity.tid,
            "mid": identity.mid,
            "seq": message.seq,
            "stan": message.stan,
            "batch": batch,
            "time": {"utc": message.time, "offset": clock.offset, "date": "%04d%02d%02d" % (year, month, day)},
            "ksn": message.ksn,
            "journal": {"n": self._journal.count, "head": hexlify(self._journal.head).decode()},
            "fw": self._firmware,
            "operator": self.operator.members(),
        }
        payload.update(members)
        message.payload = json.dumps(payload, separators=(",", ":")).encode()
        if len(message.payload) > _PAYLOAD_MAX:
            raise InvalidValue("message of %d bytes" % len(message.payload))
        message.digest = sha256(message.payload).digest()
        return message

    async def send(self, message: Message, timeout_ms: int = ANSWER_MS) -> Answer:
        """Send the bytes of `message` (the same each time) and return its verified answer.

        LinkError for every other ending: nothing is decided then, and its key says why.
        """
        if not message.token:
            # Signed when sent, once: a second try sends the same octets.
            message.token = jose.sign_es256(message.payload, "mt-req", self.identity.kid, self._signer.sign)
        body = await self._link.exchange(message.token, timeout_ms)
        answer = verify_answer(body, message, self.identity.tid)
        self._clock.raise_floor(answer.time)
        return answer

    async def exchange(self, type: str, stan: str, batch: str, members: dict, timeout_ms: int = ANSWER_MS) -> Answer:
        """A message that moves no money, in one step."""
        return await self.send(self.close(self.open(type, stan), batch, members), timeout_ms)


def verify_answer(token, message: Message, tid: str) -> Answer:
    """The Answer in `token`, if it is authentic and answers exactly `message`; else AnswerError."""
    try:
        octets = jose.verify_hs256(token, "mt-ans", message.ksn, message.mac_key())
        members = jose.parse_json(octets)
    except (CryptoError, InvalidValue) as e:
        raise AnswerError(e.detail, key="reason.signature")
    if members.get("tid") != tid or members.get("seq") != message.seq or members.get("req") != message.req:
        raise AnswerError("an answer to something else", key="reason.signature")
    rc = members.get("rc")
    if members.get("outcome") not in outcome.ALL or not isinstance(rc, str) or len(rc) != 2:
        raise AnswerError("outcome", key="reason.malformed")
    when = members.get("time")
    if not isinstance(when, int) or isinstance(when, bool) or not 0 <= when <= _TIME_MAX:
        raise AnswerError("time", key="reason.malformed")
    return Answer(members)
