"""The virtual cards of the bench: `make("visa")`.

| spec | card |
|---|---|
| `visa` `mastercard` `unionpay` | a card that asks for an online decision |
| `phone` | a phone: random UID, the holder verified on the device; `phone:locked` asks to look at the phone (6986) |
| `nofunds` | its issuer declines with 51 |
| `expired` | past its expiry date |
| `declined` | the card itself declines (AAC) |
| `blocked` | SELECT is answered 6A81; `blocked:6283` so, `blocked:6985` at GET PROCESSING OPTIONS |
| `pulled:N` | `visa`, pulled away instead of answering command N+1 |
| `trace:FILE` | replays a recording (see `trace`) |

`@N` after any of them pulls it away after N commands: `mastercard@3`.
"""

from pathlib import Path

from microtill.acquirer import issuers
from microtill.bench.cards.card import Card
from microtill.bench.cards.counters import Counters
from microtill.bench.cards.emv import Account, EmvCard, MastercardCard, PhoneCard, UnionPayCard, VisaCard
from microtill.bench.cards.trace import TraceCard, TraceError, load

__all__ = ["NAMES", "Account", "Card", "Counters", "EmvCard", "TraceCard", "TraceError", "keep_counters", "make"]

NAMES = ("visa", "mastercard", "unionpay", "phone", "nofunds", "expired", "declined", "blocked", "pulled", "trace")

# A card made again is the same card: its counter goes on.
_COUNTERS = Counters()


def keep_counters(path: Path) -> None:
    """From now on this process's cards keep their counters in the file `path`."""
    global _COUNTERS
    _COUNTERS = Counters(path)


def make(spec: str, counters: Counters | None = None) -> Card:
    """The card that `spec` names (see the table above); its ATC goes on from `counters`, by default this process's.

    Raises ValueError with what is wrong (TraceError with file and line), OSError for a trace that cannot be read.
    """
    counters = counters or _COUNTERS
    leaves_after = None
    body, at, count = spec.rpartition("@")
    if at and count.isdigit():
        leaves_after = int(count)
    else:
        body = spec
    name, _, option = body.partition(":")
    if name == "pulled":
        if not option.isdigit():
            raise ValueError(f"card {spec!r}: pulled:N needs a number of commands")
        return VisaCard(Account(issuers.VISA_PAN), counters, int(option))
    if name == "trace":
        return TraceCard(load(Path(option)), leaves_after)
    if option and (name, option) not in (
        ("phone", "locked"),
        ("blocked", "6A81"),
        ("blocked", "6283"),
        ("blocked", "6985"),
    ):
        raise ValueError(f"card {spec!r}: {name} has no option {option!r}")
    match name:
        case "visa":
            return VisaCard(Account(issuers.VISA_PAN), counters, leaves_after)
        case "mastercard":
            return MastercardCard(Account(issuers.MASTERCARD_PAN), counters, leaves_after)
        case "unionpay":
            return UnionPayCard(Account(issuers.UNIONPAY_PAN), counters, leaves_after)
        case "phone":
            return PhoneCard(Account(issuers.PHONE_PAN), counters, leaves_after, locked=option == "locked")
        case "nofunds":
            return UnionPayCard(Account(issuers.NO_FUNDS_PAN), counters, leaves_after)
        case "expired":
            return VisaCard(Account(issuers.EXPIRED_PAN, expiry="201231"), counters, leaves_after)
        case "declined":
            return MastercardCard(Account(issuers.MASTERCARD_PAN, psn="02"), counters, leaves_after, declines=True)
        case "blocked":
            account = Account(issuers.BLOCKED_PAN)
            if option == "6985":
                return MastercardCard(account, counters, leaves_after, gpo_sw=0x6985)
            return MastercardCard(account, counters, leaves_after, select_sw=int(option or "6A81", 16))
    raise ValueError(f"card {spec!r}: the cards are {', '.join(NAMES)}")
