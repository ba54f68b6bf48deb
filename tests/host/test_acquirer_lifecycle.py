"""A terminal's life after its first day: moved, replaced, copied, set back, dead with an open batch."""

import copy
import itertools
import threading

import pytest
from microtill.acquirer import dukpt
from microtill.acquirer.admin import LOCAL
from microtill.acquirer.batches import Batches
from microtill.acquirer.process import DEMO_MID, AcquirerProcess
from microtill.acquirer.tables import Terminal as Row
from support.acquirer import Desk, local_acquirer, new_card
from support.terminal import Terminal

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def acquirer():
    with AcquirerProcess() as process:
        process.add_merchant("898210154110055", "Next door")
        yield process


@pytest.fixture(scope="module")
def administrator(acquirer):
    return Desk(acquirer, acquirer.new_session("administrator", "boss"))


@pytest.fixture(scope="module")
def li(acquirer):
    return Desk(acquirer, acquirer.new_session("technician", "li"))


@pytest.fixture(scope="module")
def wang(acquirer):
    return Desk(acquirer, acquirer.new_session("technician", "wang"))


@pytest.fixture
def tid(acquirer):
    return new_tid(acquirer)


def new_tid(acquirer, mid=DEMO_MID) -> str:
    name = f"M{next(_numbers):07d}"
    acquirer.add_terminal(name, mid)
    return name


def unit(acquirer, serial="") -> Terminal:
    return Terminal(acquirer.port, acquirer.ca_der, acquirer.trust, serial=serial or f"N{next(_numbers)}")


def ask(terminal, tid, **values) -> dict:
    return {"keyreq": terminal.key_request(), "tid": tid} | values


def installed(desk, acquirer, tid, serial="", **values) -> Terminal:
    terminal = unit(acquirer, serial)
    terminal.install(desk.post("/v1/tickets", ask(terminal, tid, **values))["ticket"])
    return terminal


def selling(desk, acquirer, tid) -> Terminal:
    terminal = installed(desk, acquirer, tid)
    assert terminal.send(terminal.sign_on())["outcome"] == "approved"
    return terminal


def alarms(acquirer, tid) -> list[str]:
    return [r["kind"] for r in acquirer.events(alarms=True) if r["tid"] == tid]


def clone(terminal: Terminal) -> Terminal:
    """What a reader of the flash makes: the same keys, counter and journal."""
    return copy.copy(terminal)


# -- moving ------------------------------------------------------------------------------------------------------------


def test_a_unit_moves_when_nothing_is_open(acquirer, li, tid):
    terminal = selling(li, acquirer, tid)
    sale = terminal.sale(500, new_card())
    terminal.send(sale)
    target = new_tid(acquirer, "898210154110055")
    mover = unit(acquirer, terminal.serial)
    status, answer = li.ask("POST", "/v1/tickets", ask(mover, target))
    assert (status, answer["code"], answer["tid"]) == (409, "serial_bound", tid)
    status, answer = li.ask("POST", "/v1/tickets", ask(mover, target, mode="move"))
    assert (status, answer["code"], answer["open"]) == (409, "not_settled", {"count": 1, "amount": 500})
    assert terminal.send(terminal.sale(100, new_card()))["outcome"] == "approved", "a refusal left it as it was"
    assert terminal.send(terminal.reversal(sale))["result"] == "reversed"
    acquirer.suspend(tid)
    closed = Desk(acquirer, acquirer.new_session("administrator", "boss")).post(f"/v1/terminals/{tid}/close-batch")
    assert (closed["count"], closed["amount"]) == (1, 100)
    made = li.post("/v1/tickets", ask(mover, target, mode="move"))
    mover.install(made["ticket"])
    assert (mover.ticket["mode"], mover.ticket["mid"], made["merchant"]["name"]) == (
        "new",
        "898210154110055",
        "Next door",
    )
    assert mover.send(mover.sale(100, new_card()))["outcome"] == "approved"
    assert acquirer.terminal(tid)["serial"] == ""
    assert acquirer.terminal(target)["serial"] == terminal.serial
    assert [r["detail"] for r in acquirer.events() if r["kind"] == "unit_left" and r["tid"] == tid] == [
        f"to terminal {target}"
    ]
    # The keys it had are good for nothing but closing.
    acquirer.resume(tid)
    assert terminal.send(terminal.sale(100, new_card()))["action"] == "revoked"
    # And the terminal ID it left takes another unit, as a new one with a higher version.
    fresh = installed(li, acquirer, tid)
    assert (fresh.ticket["mode"], fresh.ticket["version"], fresh.ticket["batch"]) == ("new", 2, "000002")
    assert fresh.send(fresh.sign_on())["outcome"] == "approved"


def test_a_move_that_lost_its_ticket_is_asked_for_again(acquirer, li, tid):
    terminal = selling(li, acquirer, tid)
    target = new_tid(acquirer)
    for version in (1, 2):
        mover = unit(acquirer, terminal.serial)
        mover.install(li.post("/v1/tickets", ask(mover, target, mode="move"))["ticket"])
        assert (mover.ticket["mode"], mover.ticket["version"]) == ("new", version)
    assert mover.send(mover.sign_on())["outcome"] == "approved"


def test_a_move_to_a_terminal_that_has_a_unit(acquirer, li, tid):
    terminal, target = selling(li, acquirer, tid), new_tid(acquirer)
    selling(li, acquirer, target)
    mover = unit(acquirer, terminal.serial)
    assert li.refused("POST", "/v1/tickets", ask(mover, target, mode="move")) == (409, "tid_taken")
    assert acquirer.terminal(tid)["serial"] == terminal.serial, "it did not leave"
    mover.install(li.post("/v1/tickets", ask(mover, target, mode="replace"))["ticket"])
    assert acquirer.terminal(tid)["serial"] == ""


def test_a_ticket_for_the_wrong_terminal_id_that_was_never_used(acquirer, li, tid):
    """A technician who mistyped the terminal ID, and cancelled at the keypad, just asks for the right one."""
    wrong = new_tid(acquirer)
    terminal = installed(li, acquirer, wrong)
    right = installed(li, acquirer, tid, terminal.serial)
    assert right.ticket["mode"] == "new"
    assert acquirer.terminal(wrong)["serial"] == ""


def test_work_says_the_mode(acquirer, li, administrator, tid):
    terminal, target = selling(li, acquirer, tid), new_tid(acquirer)
    move = administrator.post("/v1/work", {"tid": target, "kind": "move", "serial": terminal.serial})
    moved = installed(li, acquirer, target, terminal.serial, work=move["id"])
    assert moved.send(moved.sign_on())["outcome"] == "approved"
    replace = administrator.post("/v1/work", {"tid": target, "kind": "replace"})
    spare = installed(li, acquirer, target, work=replace["id"])
    assert spare.ticket["mode"] == "replace"


# -- two at once -------------------------------------------------------------------------------------------------------


def race(calls) -> list[str]:
    outcomes: list[str] = []

    def work(desk, body):
        status, answer = desk.ask("POST", "/v1/tickets", body)
        outcomes.append("ticket" if status == 200 else answer["code"])

    threads = [threading.Thread(target=work, args=call) for call in calls]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return sorted(outcomes)


def test_two_technicians_at_one_terminal_id(acquirer, li, wang, tid):
    outcomes = race([(li, ask(unit(acquirer), tid)), (wang, ask(unit(acquirer), tid))])
    assert outcomes == ["in_hand", "ticket"]


def test_two_technicians_with_one_unit(acquirer, li, wang, tid):
    serial = f"N{next(_numbers)}"
    assert race([(d, ask(unit(acquirer, serial), tid)) for d in (li, wang)]) == ["in_hand", "ticket"]
    serial, targets = f"N{next(_numbers)}", (new_tid(acquirer), new_tid(acquirer))
    calls = [(d, ask(unit(acquirer, serial), t)) for d, t in zip((li, wang), targets, strict=True)]
    assert race(calls) == ["in_hand", "ticket"]


def test_who_has_it_in_hand_is_told_and_for_how_long(acquirer, li, wang, tid):
    terminal = installed(li, acquirer, tid)
    status, answer = wang.ask("POST", "/v1/tickets", ask(unit(acquirer), tid, mode="replace"))
    assert (status, answer["code"]) == (409, "in_hand")
    assert "li fetched a ticket" in answer["title"] and terminal.serial in answer["title"]
    again = unit(acquirer, terminal.serial)
    again.install(li.post("/v1/tickets", ask(again, tid))["ticket"])
    assert again.ticket["version"] == 2, "whoever has it in hand may try again"
    said = {"tid": tid, "serial": terminal.serial, "version": 2, "result": "failed", "detail": "gave up"}
    li.post("/v1/outcomes", said)
    assert wang.refused("POST", "/v1/tickets", ask(unit(acquirer), tid, mode="replace")) == (409, "in_hand")
    li.post("/v1/outcomes", said | {"version": 1})
    assert wang.post("/v1/tickets", ask(unit(acquirer), tid, mode="replace"))["version"] == 3


def test_a_unit_that_was_heard_of_is_in_nobodys_hand(acquirer, li, wang, tid):
    terminal = selling(li, acquirer, tid)
    assert wang.post("/v1/tickets", ask(unit(acquirer, terminal.serial), tid))["version"] == 2


# -- replacement -------------------------------------------------------------------------------------------------------


def test_a_replaced_unit_still_reverses_after_the_new_one_sold(acquirer, li, tid):
    old = selling(li, acquirer, tid)
    sale, lost = old.sale(500, new_card()), old.sale(600, new_card())
    old.send(sale)
    new = installed(li, acquirer, tid, mode="replace")
    assert new.send(new.sale(700, new_card()))["outcome"] == "approved"
    assert old.send(old.reversal(sale))["result"] == "reversed"
    assert old.send(old.reversal(lost))["result"] == "not_found"
    assert old.send(old.sale(100, new_card()))["action"] == "revoked"
    assert old.send(old.plain("echo"))["action"] == "revoked"
    assert new.send(new.sale(700, new_card()))["outcome"] == "approved", "the new one is not touched by it"
    assert acquirer.terminal(tid)["flag"] is None


def test_an_old_unit_set_back_does_not_flag_the_new_one(acquirer, li, tid):
    old = selling(li, acquirer, tid)
    sale = old.sale(500, new_card())
    set_back = clone(old)
    old.send(sale)
    new = installed(li, acquirer, tid, mode="replace")
    assert new.send(new.sign_on())["outcome"] == "approved"
    set_back.n = 0
    assert set_back.send(set_back.reversal(sale))["outcome"] == "refused"
    assert acquirer.terminal(tid)["flag"] is None
    assert new.send(new.sale(100, new_card()))["outcome"] == "approved"


# -- copied and set-back units -----------------------------------------------------------------------------------------


def test_two_units_with_one_key(acquirer, li, administrator, tid):
    terminal = selling(li, acquirer, tid)
    twin = clone(terminal)
    assert terminal.send(terminal.sale(100, new_card()))["outcome"] == "approved"
    refused = twin.send(twin.sale(200, new_card()))
    assert (refused["outcome"], refused["action"]) == ("refused", "call")
    assert alarms(acquirer, tid) == ["seq_reused", "flagged"]
    for who in (terminal, twin):
        for _ in range(2):
            assert who.send(who.sale(100, new_card()))["action"] == "call", "nobody knows which is the right one"
    assert administrator.get(f"/v1/terminals/{tid}")["flag"] == "seq"
    assert li.refused("POST", "/v1/tickets", ask(unit(acquirer, terminal.serial), tid)) == (409, "terminal_flagged")


def test_old_flash_put_back(acquirer, li, administrator, tid):
    """Vault and journal of yesterday: its counter and its journal are behind what the acquirer has seen."""
    terminal = selling(li, acquirer, tid)
    yesterday = clone(terminal)
    for _ in range(3):
        assert terminal.send(terminal.sale(100, new_card()))["outcome"] == "approved"
    refused = yesterday.send(yesterday.sale(100, new_card()))
    assert (refused["outcome"], refused["action"]) == ("refused", "call")
    assert acquirer.terminal(tid)["flag"] == "seq"
    administrator.post(f"/v1/terminals/{tid}/clear", {"note": "flash was put back; renewed"})
    renewed = installed(li, acquirer, tid, terminal.serial)
    assert renewed.ticket["mode"] == "renew"
    renewed.n, renewed.head = yesterday.n, yesterday.head
    assert renewed.send(renewed.sign_on())["action"] == "call", "its journal is still yesterday's"
    assert acquirer.terminal(tid)["flag"] == "journal"
    administrator.post(f"/v1/terminals/{tid}/clear", {"note": "taken out of service"})
    fresh = installed(li, acquirer, tid, terminal.serial, mode="replace")
    assert fresh.send(fresh.sale(100, new_card()))["outcome"] == "approved"
    trail = [r["detail"] for r in acquirer.events() if r["kind"] == "terminal_cleared" and r["tid"] == tid]
    assert trail == ["seq: flash was put back; renewed", "journal: taken out of service"]


def test_a_counter_below_the_last_one_but_never_used(acquirer, li, tid):
    """A gap in the old unit's counters hides no second unit: what was made later cannot have a lower number."""
    terminal = selling(li, acquirer, tid)
    twin = clone(terminal)
    for _ in range(5):
        terminal.burn()
    assert terminal.send(terminal.sale(100, new_card()))["outcome"] == "approved"
    later = twin.sale(100, new_card(), lambda p: p["time"].update(utc=p["time"]["utc"] + 5))
    assert twin.send(later)["action"] == "call"
    assert alarms(acquirer, tid) == ["cloned", "flagged"]


def test_a_message_that_is_only_late_flags_nobody(acquirer, li, tid):
    terminal = selling(li, acquirer, tid)
    late = terminal.sale(100, new_card())
    assert terminal.send(terminal.plain("echo"))["outcome"] == "approved"
    assert terminal.send(late)["outcome"] == "refused"
    assert acquirer.terminal(tid)["flag"] is None
    assert terminal.send(terminal.sale(100, new_card()))["outcome"] == "approved"


def test_a_flagged_terminal_may_still_close(acquirer, li, tid):
    terminal = selling(li, acquirer, tid)
    sale = terminal.sale(100, new_card())
    terminal.send(sale)
    terminal.send(terminal.sign(sale.payload | {"fw": "0.1.1"}))
    assert acquirer.terminal(tid)["flag"] == "seq"
    assert terminal.send(terminal.sign_on())["action"] == "call"
    assert terminal.send(terminal.reversal(sale))["result"] == "reversed"
    assert terminal.send(terminal.status(sale))["result"] == "reversed"


# -- a dead unit with an open batch ------------------------------------------------------------------------------------


def test_counters_as_units_take_them():
    counter, seen = 0, []
    for _ in range(70000):
        counter = dukpt.next_counter(counter)
        seen.append(counter)
    assert seen == [c for c in range(1, seen[-1] + 1) if c.bit_count() <= 16]
    assert dukpt.next_counter(0xFFFF) == 0x10000
    assert dukpt.next_counter(0x1FFFE) == 0x20000


def test_close_batch(acquirer, li, administrator, tid):
    dead = selling(li, acquirer, tid)
    kept, undone = dead.sale(500, new_card()), dead.sale(300, new_card())
    for sale in (kept, undone):
        dead.send(sale)
    dead.send(dead.reversal(undone))
    never = dead.sale(250, new_card())
    dead.burn()
    last = dead.sale(100, new_card())
    assert dead.send(last)["outcome"] == "approved"
    path = f"/v1/terminals/{tid}/close-batch"
    assert administrator.refused("POST", path) == (409, "terminal_active")
    acquirer.suspend(tid)
    closed = administrator.post(path)
    assert (closed["batch"], closed["next"], closed["count"], closed["amount"]) == ("000001", "000002", 2, 600)
    gap = never.payload["seq"]
    assert closed["missing"] == [gap, gap + 1] and closed["missing_count"] == 2
    assert administrator.refused("POST", path) == (409, "batch_empty")
    (row,) = administrator.get(f"/v1/closed-batches?tid={tid}")["batches"]
    assert row["closed_by"] == "boss" and row["missing"] == closed["missing"]
    assert [r["detail"] for r in acquirer.events() if r["kind"] == "batch_closed" and r["tid"] == tid] == [
        "batch 000001, 2 sales, amount 600, 2 seqs missing"
    ]
    # The unit comes back to life: what it reverses is given back, and waits for an administrator.
    assert administrator.get(f"/v1/suspense?tid={tid}")["suspense"] == []
    assert dead.send(dead.reversal(kept))["result"] == "reversed"
    (held,) = administrator.get(f"/v1/suspense?tid={tid}")["suspense"]
    assert (held["type"], held["batch"], held["amount"], held["original_seq"]) == (
        "reversal",
        "000001",
        500,
        kept.payload["seq"],
    )
    assert alarms(acquirer, tid) == ["suspense"]
    # Again, and of what was undone or never came: no money moves, nothing waits.
    for sale in (kept, undone, never):
        assert dead.send(dead.reversal(sale))["outcome"] == "approved"
    assert len(administrator.get(f"/v1/suspense?tid={tid}")["suspense"]) == 1
    # A late advice is not taken, and waits too.
    advice = dead.sign(dead.base("advice") | {"inner": "…"})
    assert dead.send(advice)["action"] == "call"
    assert [h["type"] for h in administrator.get(f"/v1/suspense?tid={tid}")["suspense"]] == ["reversal", "advice"]
    resolve = f"/v1/suspense/{held['id']}/resolve"
    assert administrator.refused("POST", resolve, {}) == (400, "malformed")
    assert administrator.post(resolve, {"note": "deducted in May"})["resolved_by"] == "boss"
    assert administrator.refused("POST", resolve, {"note": "again"}) == (409, "suspense_resolved")
    assert administrator.refused("POST", "/v1/suspense/99999/resolve", {"note": "x"}) == (404, "suspense_unknown")
    assert [h["type"] for h in administrator.get(f"/v1/suspense?tid={tid}")["suspense"]] == ["advice"]
    assert len(administrator.get(f"/v1/suspense?tid={tid}&all=1")["suspense"]) == 2
    # Alive again, it sells in the next batch only.
    acquirer.resume(tid)
    assert dead.send(dead.sale(100, new_card()))["action"] == "sign_on"
    assert dead.send(dead.sign_on())["batch"] == "000002"
    dead.batch = "000002"
    assert dead.send(dead.sale(100, new_card()))["outcome"] == "approved"


def test_missing_seqs_are_of_that_batch_only(acquirer, li, administrator, tid):
    terminal = selling(li, acquirer, tid)
    terminal.burn()
    terminal.send(terminal.sale(100, new_card()))
    acquirer.suspend(tid)
    first = administrator.post(f"/v1/terminals/{tid}/close-batch")
    assert first["missing_count"] == 1
    acquirer.resume(tid)
    terminal.batch = "000002"
    terminal.send(terminal.sign_on())
    terminal.send(terminal.sale(100, new_card()))
    acquirer.suspend(tid)
    assert administrator.post(f"/v1/terminals/{tid}/close-batch")["missing"] == []
    acquirer.resume(tid)
    renewed = installed(li, acquirer, tid, terminal.serial)
    renewed.n, renewed.head, renewed.batch = terminal.n, terminal.head, "000003"
    renewed.burn()
    renewed.send(renewed.sign_on())
    acquirer.suspend(tid)
    missing = administrator.post(f"/v1/terminals/{tid}/close-batch")["missing"]
    assert missing == [(renewed.ticket["version"] << 32) + 1], "counted from the ticket's first"


def test_no_batch_is_closed_under_a_sale_being_decided(acquirer, li, administrator, tid):
    terminal = selling(li, acquirer, tid)
    acquirer.issuer_delay(1500)
    line = clone(terminal)
    line.https = Terminal(acquirer.port, acquirer.ca_der, acquirer.trust).https
    sale = terminal.sale(100, new_card())
    thread = threading.Thread(target=line.send, args=(sale,))
    thread.start()
    while not any(r["state"] == "in_progress" for r in acquirer.transactions(tid)):
        assert thread.is_alive()
    acquirer.suspend(tid)
    assert administrator.refused("POST", f"/v1/terminals/{tid}/close-batch") == (409, "undecided")
    acquirer.clear()
    thread.join()
    assert administrator.post(f"/v1/terminals/{tid}/close-batch")["count"] == 1


def test_a_batch_number_goes_round():
    with local_acquirer() as local:
        terminal = local.terminal()
        tid = terminal.ticket["tid"]
        with local.running.database.begin() as session:
            session.get_one(Row, tid).batch = "999999"
        terminal.batch = "999999"
        assert terminal.send(terminal.sale(100, new_card()))["outcome"] == "approved"
        local.running.admin.set_terminal(tid, "suspend")
        assert Batches(local.running.database).close(LOCAL, tid)["next"] == "000001"
