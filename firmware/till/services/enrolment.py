"""How a blank unit becomes a merchant's terminal: a key request goes out, a ticket comes back, and all of it counts.

Nothing here talks to anybody: tokens come in and go out as bytes, over USB or Wi-Fi, and a person confirms the offer.
"""

import json

from micropython import const

from till.core.errors import CryptoError, InvalidValue, TicketError, TillError
from till.core.identifiers import split_mid
from till.crypto import jose, p256
from till.crypto.dukpt import Dukpt
from till.crypto.hmac import equal
from till.services.identity import Identity, load_identity
from till.services.ticket import Ticket
from till.services.trust import keep_trust, load_trust

_PENDING = "pending"
_FORMAT = const(1)  # of the records below
_PENDING_LENGTH = const(82)  # format 1, whether the key is new 1, nonce 16, one-shot key 32, signing key 32


class Offer:
    """A ticket that this unit could take: show `ticket.merchant`, `ticket.mid` and the rest, then `install` it."""

    def __init__(self, ticket: Ticket, payload: bytes, state: bytes):
        self.ticket = ticket
        self.payload = payload
        self.state = state

    def rows(self) -> list:
        """What a person reads before it is taken: `(label key, value)`, the parts of the MID one by one."""
        ticket = self.ticket
        acquirer, area, mcc, serial = split_mid(ticket.mid)
        return [
            ("label.merchant", ticket.merchant["name"]),
            ("label.mid", ticket.mid),
            ("label.acquirer", acquirer),
            ("label.area", area),
            ("label.mcc", mcc),
            ("label.serial", serial),
            ("label.tid", ticket.tid),
        ]


class Enrolment:
    """`serial`, `board`, `firmware`: as the key request names them; `rng`: self-tested, its radio on."""

    def __init__(self, vault, serial: str, board: str, firmware: str, rng):
        self._vault = vault
        self._serial = serial
        self._board = board
        self._firmware = firmware
        self._rng = rng

    def key_request(self, new_key: bool = False, again: bool = False) -> bytes:
        """A signed mt-keyreq. Only a ticket for the last one can be installed; `again`: the last one, if it is out yet.

        The signing key is the device's own; a blank unit makes one and keeps it until its ticket comes. `new_key`
        makes another, as a move to another terminal ID needs; the old one serves until the ticket is installed.
        """
        pending = self._pending() if again else None
        if pending is None:
            pending = self._begin(new_key)
        _, nonce, one_shot, signing = pending
        public = p256.public_key(signing, self._rng)
        request = {
            "v": 1,
            "serial": self._serial,
            "board": self._board,
            "fw": self._firmware,
            "key": jose.jwk(public),
            "ecdh": jose.jwk(p256.public_key(one_shot, self._rng)),
            "nonce": jose.b64url(nonce),
            "versions": [1],
        }
        payload = json.dumps(request, separators=(",", ":")).encode()
        kid = jose.thumbprint(public)
        return bytes(jose.sign_es256(payload, "mt-keyreq", kid, lambda digest: p256.sign(signing, digest, self._rng)))

    def _begin(self, new_key: bool) -> tuple:
        """As `_pending`, of a new key request. Durable before it leaves: the ticket must find its one-shot key,
        whatever happens meanwhile."""
        held = self._device_key()
        fresh = new_key or held is None
        signing = self._new_signing_key(new_key) if held is None or new_key else held
        one_shot = p256.generate(self._rng)
        nonce = self._rng.bytes(16)
        record = bytes((_FORMAT, fresh)) + nonce + one_shot.to_bytes(32, "big") + signing.to_bytes(32, "big")
        self._vault.put(_PENDING, record)
        return fresh, nonce, one_shot, signing

    def examine(self, token, journal, floor: int) -> Offer:
        """Check the mt-ticket `token` against everything this unit knows, changing nothing.

        `journal`: what it holds decides whether the terminal may change hands; `floor`: Unix seconds before which it
        cannot be now. TicketError says what is wrong.
        """
        try:
            return self._examine(token, journal, floor)
        except (InvalidValue, CryptoError) as e:
            raise _refusal(e)

    def install(self, offer: Offer, journal) -> Identity:
        """Take the offer: ticket, device key and transaction keys, all or nothing; the one-shot key is gone then.

        What was only true of the old ticket (the session) goes with it. Afterwards call `record` of the Identity.
        """
        pending = self._pending()
        ticket = offer.ticket
        if pending is None or jose.b64url(pending[1]) != ticket.nonce:
            raise TicketError("ticket: the key request was made anew")
        try:
            self._check_standing(ticket, journal)
        except InvalidValue as e:
            raise _refusal(e)
        vault = self._vault
        vault.begin()
        try:
            if pending[0]:
                vault.put("device", bytes((_FORMAT,)) + pending[3].to_bytes(32, "big"))
            keep_trust(vault)
            vault.put("ticket", offer.payload)
            vault.put("dukpt", offer.state)
            vault.delete("session")
            vault.delete(_PENDING)
            vault.commit()
        finally:
            vault.abort()
        return Identity(ticket)

    # Inside.

    def _examine(self, token, journal, floor: int) -> Offer:
        trust = load_trust(self._vault)
        if trust is None:
            raise InvalidValue("nothing is trusted yet")
        kid = jose.peek_kid(token, "mt-ticket")
        if kid not in trust.keys:
            raise CryptoError("not signed by a trusted key")
        payload = bytes(jose.verify_es256(token, "mt-ticket", kid, trust.keys[kid]))
        ticket = Ticket(payload)
        pending = self._pending()
        if pending is None:
            raise InvalidValue("no key request is out")
        _, nonce, one_shot, signing = pending
        if ticket.serial != self._serial:
            raise InvalidValue("for another unit")
        if ticket.jkt != jose.thumbprint(p256.public_key(signing, self._rng)):
            raise InvalidValue("for another key")
        if not equal(jose.unb64url(ticket.nonce), nonce):
            raise InvalidValue("for another key request")
        if ticket.expires <= floor:
            raise InvalidValue("expired", key="error.ticket_expired")
        self._check_standing(ticket, journal)
        ikid = ticket.ikid
        initial = jose.decrypt_ecdh_es(ticket.initial_key, "mt-ticket", "".join(["%02X" % b for b in ikid]), one_shot)
        if len(initial) != 32:
            raise InvalidValue("initial key length")
        held = self._vault.get("dukpt")
        if held is not None and Dukpt(held).ikid == ikid:
            raise InvalidValue("initial key is not new")
        return Offer(ticket, payload, Dukpt.load(ikid, initial).state())

    def _check_standing(self, ticket: Ticket, journal) -> None:
        """Whether this unit, with what it is and holds, may become what the ticket says."""
        identity = load_identity(self._vault, self._serial)
        owner = journal.identity
        if identity is None:
            if ticket.mode == "renew":
                raise InvalidValue("nothing to renew: ask for mode new, recover or replace")
            if journal.unsettled and ticket.mode != "recover":
                raise InvalidValue("journal is not settled: ask for mode recover", key="error.unsettled")
        elif (ticket.mid, ticket.tid) != (identity.mid, identity.tid):
            if ticket.mode in ("renew", "recover"):
                raise InvalidValue("for another terminal ID")
            if journal.unsettled:
                raise InvalidValue("journal is not settled", key="error.unsettled")
        if owner is not None and journal.unsettled and (ticket.mid, ticket.tid) != (owner["mid"], owner["tid"]):
            raise InvalidValue("journal is not settled", key="error.unsettled")
        # Never a version twice: it is the upper half of every message's sequence number.
        for tid, version in (
            (identity.tid, identity.version) if identity else ("", 0),
            (owner["tid"], owner["version"]) if owner else ("", 0),
        ):
            if ticket.tid == tid and ticket.version <= version:
                raise InvalidValue("version is not newer", key="error.ticket_old")

    def _new_signing_key(self, another: bool) -> int:
        pending = self._pending()
        return pending[3] if pending and pending[0] and not another else p256.generate(self._rng)

    def _device_key(self) -> "int | None":
        record = self._vault.get("device")
        if record is None:
            return None
        if len(record) != 33 or record[0] != _FORMAT:
            raise CryptoError("device key")
        return int.from_bytes(record[1:], "big")

    def _pending(self) -> "tuple | None":
        """`(whether the signing key is new, nonce, one-shot key, signing key)` of the request that is out."""
        record = self._vault.get(_PENDING)
        if record is None:
            return None
        if len(record) != _PENDING_LENGTH or record[0] != _FORMAT:
            raise CryptoError("pending key request")
        one_shot = int.from_bytes(record[18:50], "big")
        return record[1] != 0, record[2:18], one_shot, int.from_bytes(record[50:], "big")


def _refusal(error: TillError) -> TicketError:
    """`error` as the person is told of it: in general, where it has no words of its own."""
    general = error.key in (InvalidValue.key, CryptoError.key)
    return TicketError("ticket: " + error.detail, key=TicketError.key if general else error.key)
