# The money rules on a real journal: what is durable when, and how each ending of a message ends the sale.
import asyncio
import json

from nor import Nor
from till.core import outcome
from till.core.errors import AnswerError, JournalFull, LinkError, StorageError, TillError
from till.core.money import Currency
from till.services.acquirer import Answer
from till.services.payments import Payments
from till.storage import records
from till.storage.journal import Journal

Payments.between_tries_ms = 0
HEAP = "1M"


class Clock:
    offset = 480

    def now(self):
        return 1800000000


class Session:
    batch = "000001"
    stan_floor = "000041"


class Link:
    connected = True


class Message:
    def __init__(self, type, seq, stan):
        self.type = type
        self.seq = seq
        self.stan = stan
        self.time = 0
        self.members = None
        self.req = ""


class Operator:
    id = "01"


class Identity:
    currency = Currency("156", 2, "¥")


class Acquirer:
    """Answers as it is told to, and looks into the journal at the moment a message leaves."""

    identity = Identity()
    operator = Operator()

    def __init__(self, journal, *answers):
        self.journal = journal
        self.answers = list(answers)
        self.sent = []
        self.open_when_sent = []
        self.keys = 0

    def open(self, type, stan):
        self.keys += 1
        return Message(type, (1 << 32) + self.keys, stan)

    def close(self, message, batch, members):
        message.time = 1800000000
        message.members = members
        message.req = "%064x" % message.seq
        return message

    async def send(self, message, timeout_ms=0):
        self.sent.append(message)
        self.open_when_sent.append((self.journal.open_intents(), self.journal.reversing()))
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return Answer(answer)


class Reading:
    pan_masked = "476173******0119"
    scheme = "visa"


def answer(decision, rc, **more):
    members = {"outcome": decision, "rc": rc, "rrn": "123456789012", "auth": "A1B2C3", "time": 1800000001}
    members.update(more)
    return members


def acknowledged(how="reversed"):
    return answer("approved", "00", result=how)


def desk(*answers):
    journal = Journal(Nor(16))
    acquirer = Acquirer(journal, *answers)
    return journal, acquirer, Payments(acquirer, journal, Clock(), Session(), Link())


def instrument(message, reading):
    return {"entry": "072", "card": {}}


async def sell(payments, amount=1234):
    return await payments.sale(amount, Reading(), instrument)


def kinds(journal):
    return [record.kind for record in journal.records() if record.kind != records.CHECKPOINT]


async def test_intent_is_durable_before_the_first_byte_and_result_before_it_is_told():
    journal, acquirer, payments = desk(answer("approved", "00"))
    settled = await sell(payments)
    assert acquirer.open_when_sent[0][0], "nothing was journalled when the message left"
    intent = journal.record(acquirer.open_when_sent[0][0][0]).data()
    assert intent["req"] == acquirer.sent[0].req and intent["seq"] == acquirer.sent[0].seq
    assert settled.outcome == outcome.APPROVED and settled.auth == "A1B2C3" and settled.amount == 1234
    assert kinds(journal) == [records.INTENT, records.RESULT]
    assert payments.has_unseen() and not payments.reversals_pending()
    payments.seen(settled.n)
    assert not payments.has_unseen()


async def test_declined_and_refused_are_results_too():
    for result, rc, action in (("declined", "51", None), ("refused", "97", "sign_on")):
        more = {"action": action} if action else {}
        journal, _, payments = desk(answer(result, rc, **more))
        settled = await sell(payments)
        assert settled.outcome == result and settled.rc == rc and settled.action == (action or "")
        assert kinds(journal) == [records.INTENT, records.RESULT]


async def test_identical_message_goes_again_at_most_twice():
    journal, acquirer, payments = desk(
        LinkError("gone", key="reason.closed"),
        AnswerError("tampered", key="reason.signature"),
        answer("approved", "00"),
    )
    settled = await sell(payments)
    assert settled.outcome == outcome.APPROVED
    assert len(acquirer.sent) == 3 and acquirer.sent[0] is acquirer.sent[1] is acquirer.sent[2]
    assert acquirer.keys == 1


async def test_no_answer_is_unknown_and_reversing_is_durable_before_it_is_told():
    journal, acquirer, payments = desk(*[LinkError("down", key="reason.refused") for _ in range(3)])
    settled = await sell(payments)
    assert settled.outcome == outcome.UNKNOWN and settled.reason == "reason.refused"
    assert kinds(journal) == [records.INTENT, records.REVERSING]
    assert payments.is_open(settled.n) and payments.reversals_pending() == 1


async def test_what_the_issuer_never_answered_is_unknown():
    for rc, result in (("68", "declined"), ("98", "declined"), ("00", "unknown"), ("00", "pending")):
        journal, acquirer, payments = desk(answer(result, rc))
        settled = await sell(payments)
        assert settled.outcome == outcome.UNKNOWN, (rc, result)
        assert len(acquirer.sent) == 1, "a decided non-answer is not asked for again"


async def test_an_approval_with_unusable_fields_is_reversed_not_lost():
    bad = answer("approved", "00", auth="TOOLONGFORF38")
    journal, _, payments = desk(bad, bad, bad)
    settled = await sell(payments)
    assert settled.outcome == outcome.UNKNOWN
    assert kinds(journal) == [records.INTENT, records.REVERSING]


async def test_a_reversal_is_a_new_message_about_the_original():
    for how in records.ACKNOWLEDGEMENTS:
        journal, acquirer, payments = desk(*[LinkError("x") for _ in range(3)], acknowledged(how))
        settled = await sell(payments)
        await payments.reverse_all()
        sale, reversal = acquirer.sent[0], acquirer.sent[-1]
        assert reversal.type == "reversal" and reversal.seq > sale.seq
        original = reversal.members["original"]
        assert original["seq"] == sale.seq and original["req"] == sale.req and original["amount"] == 1234
        assert not payments.reversals_pending() and not payments.is_open(settled.n)
        assert payments.settled(settled.n).outcome == records.REVERSED
        assert payments.has_unseen(), "somebody must see that nothing was charged"


async def test_a_reversal_that_is_not_acknowledged_stays():
    failures = (
        LinkError("down"),
        answer("refused", "96", action="call"),
        acknowledged("maybe"),
        answer("declined", "00"),
    )
    for failure in failures:
        journal, acquirer, payments = desk(*[LinkError("x") for _ in range(3)], failure, acknowledged())
        settled = await sell(payments)
        try:
            await payments.reverse_all()
        except TillError:
            assert payments.is_open(settled.n)
        else:
            raise AssertionError("it was taken for an acknowledgement")
        await payments.reverse_all()
        assert not payments.reversals_pending()
        assert acquirer.keys == 3, "each attempt has a key of its own"


async def test_after_a_restart_an_open_intent_is_reversed_never_sent_again():
    flash = Nor(16)
    journal = Journal(flash)
    body = records.intent(
        seq=(1 << 32) + 1,
        req="5c" * 32,
        type="sale",
        stan="000042",
        batch="000001",
        time=1800000000,
        amount=500,
        currency="156",
        operator="01",
    )
    journal.append(records.INTENT, body, 1800000000)
    journal = Journal(flash)
    acquirer = Acquirer(journal, acknowledged("not_found"))
    acquirer.keys = 1
    payments = Payments(acquirer, journal, Clock(), Session(), Link())
    assert payments.reversals_pending() == 1
    await payments.reverse_all()
    assert [m.type for m in acquirer.sent] == ["reversal"]
    assert acquirer.open_when_sent[0][1], "REVERSING was not durable when the reversal left"
    assert kinds(journal) == [records.INTENT, records.REVERSING, records.RESULT]


async def test_the_background_reverses_at_once_and_then_gives_up_never():
    journal, acquirer, payments = desk(*[LinkError("x") for _ in range(3)], LinkError("still down"), acknowledged())
    settled = await sell(payments)
    task = asyncio.create_task(payments.run())
    for _ in range(100):
        await asyncio.sleep_ms(1)
        if len(acquirer.sent) == 4:
            break
    assert payments.is_open(settled.n)
    payments.nudge()
    for _ in range(100):
        await asyncio.sleep_ms(1)
        if not payments.reversals_pending():
            break
    task.cancel()
    assert not payments.reversals_pending()


async def test_nothing_is_sent_when_the_journal_takes_no_intent():
    journal, acquirer, payments = desk(answer("approved", "00"))

    def full(*args, **more):
        raise JournalFull("test")

    journal.append = full
    try:
        await sell(payments)
    except StorageError:
        assert not acquirer.sent
    else:
        raise AssertionError("sold without a journal")


async def test_stan_goes_on_from_the_ticket_and_from_the_journal():
    journal, acquirer, payments = desk(answer("approved", "00"), answer("approved", "00"))
    for expected in ("000042", "000043"):
        settled = await sell(payments)
        payments.seen(settled.n)
        assert acquirer.sent[-1].stan == expected
        assert json.loads(journal.record(settled.n).body)["stan"] == expected
