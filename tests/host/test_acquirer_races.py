"""What happens while a sale is being decided: repeats, reversals, enquiries, and the end of the process."""

import threading
import time
from pathlib import Path

import pytest
from microtill.acquirer.process import DEMO_MID, AcquirerProcess
from microtill.acquirer.tables import Message
from support.acquirer import local_acquirer, new_card, new_terminal
from support.terminal import Terminal

PAN = "6200000000000005"


@pytest.fixture(scope="module")
def acquirer():
    with AcquirerProcess() as process:
        yield process


@pytest.fixture
def terminal(acquirer):
    acquirer.clear()
    unit = new_terminal(acquirer)
    yield unit
    unit.close()
    acquirer.clear()


class Sending(threading.Thread):
    """Sends on a connection of its own."""

    def __init__(self, acquirer, terminal, message):
        super().__init__(daemon=True)
        self.line = Terminal(acquirer.port, acquirer.ca_der, acquirer.trust)
        self.line.ticket = terminal.ticket
        self.message = message
        self.answer = None
        self.failed: Exception | None = None
        self.start()

    def run(self):
        try:
            self.answer = self.line.send(self.message)
        except Exception as e:  # noqa: BLE001 (told to the test)
            self.failed = e
        finally:
            self.line.close()

    def result(self):
        self.join(30)
        assert self.failed is None, self.failed
        assert self.answer is not None
        return self.answer


def until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "never happened"
        time.sleep(0.005)


def in_progress(acquirer, terminal) -> bool:
    return any(r["state"] == "in_progress" for r in acquirer.transactions(terminal.ticket["tid"]))


def test_identical_requests_at_once_are_one_decision(acquirer, terminal):
    acquirer.set_account(PAN, balance=10_000)
    acquirer.issuer_delay(200)
    sale = terminal.sale(4000, new_card(pan=PAN))
    answers = [s.result().raw for s in [Sending(acquirer, terminal, sale) for _ in range(6)]]
    assert len(set(answers)) == 1
    assert acquirer.balance(PAN) == 6000
    acquirer.set_account(PAN)
    assert len(acquirer.transactions(terminal.ticket["tid"])) == 1


def test_reversal_that_meets_a_sale_in_progress_waits_for_it(acquirer, terminal):
    acquirer.set_account(PAN, balance=10_000)
    acquirer.issuer_delay(600)
    sale = terminal.sale(4000, new_card(pan=PAN))
    reversal = terminal.reversal(sale)
    selling = Sending(acquirer, terminal, sale)
    until(lambda: in_progress(acquirer, terminal))
    start = time.monotonic()
    reversing = [Sending(acquirer, terminal, reversal) for _ in range(2)]
    assert {r.result()["result"] for r in reversing} == {"reversed"}
    assert time.monotonic() - start > 0.2, "it did wait"
    assert selling.result()["outcome"] == "approved", "decided first, taken back then"
    assert acquirer.balance(PAN) == 10_000
    acquirer.set_account(PAN)
    assert acquirer.transactions(terminal.ticket["tid"])[0]["reversed"]


def test_reversal_of_a_sale_that_is_being_declined(acquirer, terminal):
    acquirer.set_account(PAN, balance=1)
    acquirer.issuer_delay(400)
    sale = terminal.sale(4000, new_card(pan=PAN))
    reversal = terminal.reversal(sale)
    selling = Sending(acquirer, terminal, sale)
    until(lambda: in_progress(acquirer, terminal))
    assert Sending(acquirer, terminal, reversal).result()["result"] == "not_approved"
    assert selling.result()["rc"] == "51"
    acquirer.set_account(PAN)


def test_status_waits_too(acquirer, terminal):
    acquirer.issuer_delay(400)
    sale = terminal.sale(100, new_card())
    status = terminal.status(sale)
    selling = Sending(acquirer, terminal, sale)
    until(lambda: in_progress(acquirer, terminal))
    assert Sending(acquirer, terminal, status).result()["result"] == "approved"
    selling.result()


def test_a_slow_issuer_holds_up_nobody_else(acquirer, terminal):
    acquirer.issuer_delay(1500)
    selling = Sending(acquirer, terminal, terminal.sale(100, new_card()))
    until(lambda: in_progress(acquirer, terminal))
    other = new_terminal(acquirer)
    start = time.monotonic()
    assert other.send(other.plain("echo"))["outcome"] == "approved"
    assert time.monotonic() - start < 1
    acquirer.clear()
    selling.result()
    other.close()


def test_terminals_at_once(acquirer):
    """Eight terminals, ten sales each, all at the same time: every sale counted once."""
    before = acquirer.sales()
    units = [new_terminal(acquirer) for _ in range(8)]
    messages = [[u.sale(100, new_card()) for _ in range(10)] for u in units]
    outcomes: list[str] = []

    def work(unit, mine):
        for message in mine:
            outcomes.append(unit.send(message)["outcome"])

    threads = [threading.Thread(target=work, args=pair) for pair in zip(units, messages, strict=True)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    after = acquirer.sales()
    assert outcomes == ["approved"] * 80
    assert after["approved"] - before["approved"] == 80
    assert after["amount"] - before["amount"] == 8000
    rrns = [r["rrn"] for r in acquirer.transactions()]
    assert len(set(rrns)) == len(rrns)


def test_same_card_at_two_terminals_at_once(acquirer):
    """The race for one card counter has one winner."""
    units = [new_terminal(acquirer) for _ in range(4)]
    atc = new_card().atc
    messages = [u.sale(100, new_card(atc=atc)) for u in units]
    sending = [Sending(acquirer, u, m) for u, m in zip(units, messages, strict=True)]
    assert sorted(s.result()["outcome"] for s in sending) == ["approved", "declined", "declined", "declined"]


# -- the process ends --------------------------------------------------------------------------------------------------


@pytest.fixture
def own():
    with AcquirerProcess() as process:
        yield process


def killed_while_deciding(own):
    """A terminal, and the sale that was in progress when the power went."""
    unit = new_terminal(own)
    own.set_account(PAN, balance=10_000)
    done = unit.sale(1000, new_card(pan=PAN))
    unit.send(done)
    own.issuer_delay(60_000)
    sale = unit.sale(4000, new_card(pan=PAN))
    sending = Sending(own, unit, sale)
    until(lambda: in_progress(own, unit))
    return unit, done, sale, sending


def test_what_was_in_progress_is_declined_at_the_next_start(own):
    unit, done, sale, sending = killed_while_deciding(own)
    own.kill()
    sending.join(10)
    assert sending.failed is not None, "nobody heard an answer"
    own.restart()
    unit.close()
    assert not in_progress(own, unit)
    assert own.log_lines()[0]["event"] == "recovered"
    answer = unit.send(sale)
    assert (answer["outcome"], answer["rc"]) == ("declined", "96")
    assert unit.send(done)["outcome"] == "approved"
    assert unit.send(unit.reversal(sale))["result"] == "not_approved"
    assert own.balance(PAN) == 9000
    assert own.sales()["approved"] == 1


def test_reversal_that_waited_is_answered_after_the_restart(own):
    unit, _, sale, sending = killed_while_deciding(own)
    reversal = unit.reversal(sale)
    waiting = Sending(own, unit, reversal)
    until(lambda: len([r for r in own.transactions() if r["state"] == "in_progress"]) == 2)
    own.kill()
    for thread in (sending, waiting):
        thread.join(10)
        assert thread.failed is not None
    own.restart()
    unit.close()
    assert not in_progress(own, unit)
    assert unit.send(reversal)["result"] == "not_approved"
    assert own.balance(PAN) == 9000


def test_a_debit_without_a_decision_is_given_back(own):
    """The issuer had taken the money, and the acquirer fell before it stored the decision."""
    from microtill.acquirer.database import Database
    from microtill.acquirer.tables import Account, Debit
    from microtill.acquirer.tables import Terminal as Row

    unit, _, sale, sending = killed_while_deciding(own)
    own.kill()
    sending.join(10)
    database = Database(own.home.database_url)
    with database.begin() as session:
        account = session.get_one(Account, own.home.secrets.pan_hash(PAN))
        account.balance -= 4000
        reference = f"{unit.ticket['tid']}-{sale.payload['seq']}"
        session.add(Debit(reference=reference, pan_hash=account.pan_hash, amount=4000))
        assert session.get_one(Row, unit.ticket["tid"]).mid == DEMO_MID
        assert session.query(Message).filter_by(seq=sale.payload["seq"]).one().state == "in_progress"
    database.close()
    own.restart()
    assert own.balance(PAN) == 9000


def test_reversal_half_done_is_finished_at_the_next_start(own):
    """Marked as reversed, but the issuer was not told: the restart tells it."""
    from microtill.acquirer.database import Database

    unit = new_terminal(own)
    own.set_account(PAN, balance=10_000)
    sale = unit.sale(4000, new_card(pan=PAN))
    unit.send(sale)
    reversal = unit.reversal(sale)
    own.kill()
    database = Database(own.home.database_url)
    with database.begin() as session:
        original = session.query(Message).filter_by(seq=sale.payload["seq"]).one()
        original.reversed_by = reversal.payload["seq"]
        session.add(
            Message(
                tid=original.tid,
                seq=reversal.payload["seq"],
                mid=original.mid,
                type="reversal",
                req=reversal.req,
                state="in_progress",
                created=original.created,
                original_seq=original.seq,
                original_req=original.req,
            )
        )
    database.close()
    own.restart()
    unit.close()
    assert own.balance(PAN) == 10_000
    assert unit.send(reversal)["result"] == "reversed"


def test_a_decision_that_could_not_be_stored(monkeypatch):
    """The disk was full at the wrong moment: the sale is undone by whoever asks next, without a restart."""
    from microtill.acquirer import service

    with local_acquirer() as local:
        unit = local.terminal()
        local.running.issuer.set_account(PAN, balance=10_000)
        first, second = unit.sale(4000, new_card(pan=PAN)), unit.sale(3000, new_card(pan=PAN))

        def full(*_):
            raise OSError("disk full")

        for sale in (first, second):
            with monkeypatch.context() as patch:
                patch.setattr(service, "decide_sale", full)
                with pytest.raises(OSError, match="disk full"):
                    unit.send(sale)
        assert local.running.issuer.balance(PAN) == 3000
        assert unit.send(first)["rc"] == "96"
        assert local.running.issuer.balance(PAN) == 7000
        assert unit.send(unit.reversal(second))["result"] == "not_approved"
        assert local.running.issuer.balance(PAN) == 10_000
        assert not local.running.acquirer._deciding


def test_a_decision_just_stored_is_not_given_up():
    """A waiter saw the sale in progress, and by the time it looks who decides it the decision is there."""
    with local_acquirer() as local:
        unit = local.terminal()
        local.running.issuer.set_account(PAN, balance=10_000)
        sale = unit.sale(4000, new_card(pan=PAN))
        unit.send(sale)
        with local.running.database.read() as session:
            row = session.query(Message).filter_by(seq=sale.payload["seq"]).one()
        row.state = "in_progress"  # as the waiter saw it
        local.running.acquirer._give_up(row)
        assert local.running.issuer.balance(PAN) == 6000
        assert unit.send(sale)["outcome"] == "approved"


def test_the_issuer_takes_once_by_reference():
    from datetime import date

    from microtill.acquirer.card import Card

    with local_acquirer() as local:
        issuer = local.running.issuer
        issuer.set_account(PAN, balance=1000)
        made = new_card(pan=PAN)
        atc = made.atc
        card = Card(PAN, "01", "4912", atc, made.read(600, "260101"))
        assert [issuer.authorise("A", card, 600, date(2026, 1, 1)).rc for _ in range(3)] == ["00"] * 3
        assert issuer.balance(PAN) == 400
        issuer.reverse("A")
        issuer.reverse("A")
        issuer.reverse("unheard of")
        assert issuer.balance(PAN) == 1000


def test_an_issuer_that_fails(monkeypatch):
    with local_acquirer() as local:
        unit = local.terminal()
        undone = []

        def fail(*_):
            raise ConnectionError("6200000000000005")

        monkeypatch.setattr(local.running.issuer, "authorise", fail)
        monkeypatch.setattr(local.running.issuer, "reverse", undone.append)
        sale = unit.sale(100, new_card())
        answer = unit.send(sale)
        assert (answer["outcome"], answer["rc"]) == ("declined", "91")
        assert undone == [f"{unit.ticket['tid']}-{sale.payload['seq']}"]
        assert "620000" not in local.home.log_path.read_text()


def test_two_processes_on_one_directory(own):
    import subprocess
    import sys

    microtill = str(Path(sys.executable).with_name("microtill"))
    second = subprocess.run(
        [microtill, "acquirer", "serve", "--data", str(own.home.path), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert second.returncode == 6
    assert "in use" in second.stderr
