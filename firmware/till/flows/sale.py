"""A sale: amount, card, authorisation, outcome."""

from till.core import outcome
from till.core.errors import CardError, InvalidValue, SalesStopped, TillError
from till.emv.parameters import SALE
from till.flows.amount import key_amount
from till.flows.card import take_card
from till.flows.outcome import show_outcome

_TITLE = "menu.sale"


async def sale(counter, reader, payments, terminal, instruments, first: str = "") -> None:
    """From the first digit to an outcome that a person has seen."""
    currency = payments.currency
    amount = await key_amount(counter, _TITLE, currency, first)
    if amount > payments.identity.parameter("sale_limit"):
        raise InvalidValue("sale limit", key="error.limit")
    await make_ready(counter, payments)
    text = currency.format(amount)

    def transaction():
        return instruments.transaction(amount, currency.code, SALE, payments.next_stan())

    try:
        reading = await take_card(counter, reader, terminal, transaction, _TITLE, text)
    except CardError as e:
        counter.buzzer.alert()
        await decline_at_card(counter, e, text)
        return
    counter.screen.processing("screen.online", text, 4)
    settled = await payments.sale(amount, reading, instruments.card)
    await show_outcome(counter, payments, settled)


async def make_ready(counter, payments) -> None:
    """Nothing open from before, room in the journal, a clock that can be right, and an acquirer that answers now.

    A TillError otherwise: better no sale than one that cannot end well.
    """
    payments.check()
    if payments.standing:
        counter.screen.processing("screen.signing_on", "", 0)
        await payments.sign_on()  # says in words when it is still so
    if payments.reversals_pending():
        counter.screen.processing("screen.reversing", "", 0)
        try:
            await payments.reverse_all()
        except TillError as e:
            raise SalesStopped(e.key)
    if not payments.online:
        counter.screen.processing("screen.please_wait", "", 0)
        await payments.connect()


async def decline_at_card(counter, error: CardError, amount_text: str) -> None:
    """The card ended it: nothing was sent, nothing is charged."""
    counter.screen.result(outcome.DECLINED, counter.screen.text(error.key).split("\n"), amount_text)
    counter.forget_keys()
    while await counter.key() not in ("OK", "CANCEL"):
        counter.buzzer.alert()
