"""What is written into a message's row: what the terminal said, and the answer that a repeat gets again."""

import secrets as random
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from microtill.acquirer import jose
from microtill.acquirer.card import Card, mask
from microtill.acquirer.issuer import Decision
from microtill.acquirer.messages import REVERSAL
from microtill.acquirer.tables import CardUse, Message

# States of a message. A tombstone was reversed, or reported as not found, before it came.
IN_PROGRESS, DONE, TOMBSTONE = "in_progress", "done", "tombstone"


def reference(message: Message) -> str:
    """What the issuer knows an authorisation by."""
    return f"{message.tid}-{message.seq}"


def rrn(number: int, now: int) -> str:
    """F37 as hosts build it: last digit of the year, day of the year, hour, and a number of six digits."""
    at = datetime.fromtimestamp(now, UTC)
    return f"{at.year % 10}{at:%j%H}{number % 1_000_000:06d}"


def note(message: Message, payload: dict[str, Any]) -> None:
    message.stan, message.batch = payload["stan"], payload["batch"]
    message.utc, message.offset = payload["time"]["utc"], payload["time"]["offset"]
    message.business_date = payload["time"]["date"]
    message.operator, message.shift = payload["operator"]["id"], payload["operator"]["shift"]
    message.amount, message.currency = payload.get("amount"), payload.get("currency")
    message.parts, message.items = payload.get("parts"), payload.get("items")


def keep_card(message: Message, payload: dict[str, Any], card: Card) -> None:
    said = payload["instrument"]["card"]
    message.entry = payload["instrument"]["entry"]
    message.aid, message.scheme, message.cvm = said["aid"], said["scheme"], said["cvm"]
    message.pan, message.psn, message.atc = mask(card.pan), card.psn, card.atc
    message.emv = said["emv"]


def first_use(session: Session, message: Message) -> bool:
    """Claim (PAN, PSN, ATC); False when a terminal, any terminal, brought it before."""
    if session.get(CardUse, (message.pan_hash, message.psn, message.atc)) is not None:
        return False
    try:
        with session.begin_nested():
            session.add(
                CardUse(pan_hash=message.pan_hash, psn=message.psn, atc=message.atc, tid=message.tid, seq=message.seq)
            )
    except IntegrityError:  # another terminal's transaction was first
        return False
    return True


def close(
    message: Message,
    now: int,
    outcome: str,
    rc: str,
    action: str | None = None,
    reason: str | None = None,
    result: str | None = None,
    **extra: Any,
) -> bytes:
    """Store the answer and return its octets, which a repeat gets again."""
    message.state, message.decided = DONE, now
    message.outcome, message.rc, message.action, message.result = outcome, rc, action, result
    message.reason = reason[:80] if reason else None
    answer: dict[str, Any] = {
        "tid": message.tid,
        "seq": message.seq,
        "req": message.req,
        "outcome": outcome,
        "rc": rc,
        "rrn": message.rrn,
        "auth": message.auth,
        "time": now,
        "action": action,
        "reason": message.reason,
        "result": result,
    }
    octets = jose.compact({k: v for k, v in (answer | extra).items() if v is not None})
    message.answer = octets.decode()
    return octets


def decide_sale(message: Message, now: int, decision: Decision) -> bytes:
    if decision.approved:
        message.auth = f"{random.randbelow(10**6):06d}"
        return close(message, now, "approved", "00", token=message.token)
    return close(message, now, "declined", decision.rc, reason=decision.why, token=message.token)


def close_closing(message: Message, original: Message, now: int) -> bytes:
    """Answer a reversal or status whose original is decided, or is a tombstone."""
    if message.type == REVERSAL:
        if original.state == TOMBSTONE:
            result = "not_found"
        else:
            result = "reversed" if original.outcome == "approved" else "not_approved"
        return close(message, now, "approved", "00", result=result)
    if original.state == TOMBSTONE:
        return close(message, now, "approved", "00", result="not_found")
    told = {"seq": original.seq, "rc": original.rc, "rrn": original.rrn, "auth": original.auth}
    result = "reversed" if original.reversed_by else original.outcome
    return close(message, now, "approved", "00", result=result, original={k: v for k, v in told.items() if v})


def tombstone(message: Message, original: dict[str, Any], now: int) -> Message:
    """What refuses a message that arrives after it was reversed or reported as not found."""
    stone = Message(
        tid=message.tid,
        seq=original["seq"],
        mid=message.mid,
        type=original["type"],
        req=original["req"],
        stan=original["stan"],
        batch=original["batch"],
        utc=original["time"],
        amount=original["amount"],
        currency=original["currency"],
        created=now,
    )
    close(stone, now, "refused", "94", action="call", reason="closed before it came")
    stone.state = TOMBSTONE
    return stone
