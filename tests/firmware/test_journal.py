import gc
import json

from nor import PATTERNS, Nor, Overlay, PowerCut
from till.core.errors import InvalidValue, JournalFull, StorageError, Tampered
from till.storage import records as r
from till.storage.journal import Journal

HEAP = "4M"
REQ = "5c" * 32


def intent(k, **more):
    return r.intent(
        seq=(1 << 32) + k, req=REQ, type="sale", stan="%06d" % k, batch="000001", time=1800000000 + k,
        amount=1250, currency="156", operator="01", entry="072", pan="476173******0119", scheme="visa", **more
    )  # fmt: skip


def raises(kind, call, *args):
    try:
        call(*args)
    except kind as e:
        return e
    raise AssertionError("no " + kind.__name__)


def sale(journal, k):
    n = journal.append(r.INTENT, intent(k), 1800000000 + k)
    journal.append(r.RESULT, r.result(n, "approved", rc="00", rrn="0" * 12, auth="A1B2C3"), 1800000000 + k)
    journal.append(r.SHOWN, r.shown(n), 1800000001 + k)
    return n


def settle(journal, t):
    journal.append(r.SETTLE_BEGIN, b"{}", t)
    journal.append(r.SETTLED, r.settled("000001"), t)


def same(a, b):
    return (a.count, a.head, a.open_intents(), a.reversing(), a.unshown(), a.unscrubbed(), a.unsettled, a.settling) == (
        b.count, b.head, b.open_intents(), b.reversing(), b.unshown(), b.unscrubbed(), b.unsettled, b.settling,
    )  # fmt: skip


def test_a_sale_is_there_after_a_restart():
    flash = Nor(16)
    journal = Journal(flash)
    assert (journal.count, journal.head, journal.unsettled) == (0, bytes(32), False)
    n = sale(journal, 7)
    again = Journal(flash)
    assert same(journal, again) and again.damaged == 0 and again.verify() == again.count == n + 2
    assert again.stan == "000007" and again.last_time == 1800000008 and again.unsettled
    record = again.record(n)
    assert (record.n, record.kind, record.time, record.profile, record.intact) == (n, r.INTENT, 1800000007, 0, True)
    assert record.data()["amount"] == 1250 and record.data()["pan"] == "476173******0119"
    assert again.record(n + 1).flags == r.MONEY
    assert [x.kind for x in again.records(n)] == [r.INTENT, r.RESULT, r.SHOWN]
    assert [x.n for x in again.records(kinds=(r.SHOWN,))] == [n + 2]


def test_unfinished_business_is_known_after_a_restart():
    flash = Nor(16)
    journal = Journal(flash)
    a = journal.append(r.INTENT, intent(1), 1)
    b = journal.append(r.INTENT, intent(2), 2)
    c = journal.append(r.INTENT, intent(3), 3)
    journal.append(r.REVERSING, r.reversing(b, "timeout"), 4)
    journal.append(r.REVERSING, r.reversing(b, "timeout", 2), 5)
    result = journal.append(r.RESULT, r.result(c, "declined", rc="51"), 6)
    again = Journal(flash)
    assert again.open_intents() == [a, b] and again.reversing() == [(b, 2)] and again.unshown() == [(c, result)]
    assert again.unsettled
    again.append(r.RESULT, r.result(b, "reversed", ack="not_found"), 7)
    assert again.open_intents() == [a] and again.reversing() == [] and [x for x, _ in again.unshown()] == [b, c]


def test_money_rules_hold_in_the_journal():
    journal = Journal(Nor(16))
    n = journal.append(r.INTENT, intent(1), 1)
    before = journal.count
    raises(InvalidValue, journal.append, r.SHOWN, r.shown(n), 1)
    raises(InvalidValue, journal.append, r.RESULT, r.result(n, "reversed", ack="reversed"), 1)
    raises(InvalidValue, journal.append, r.RESULT, b'{"of":%d,"outcome":"unknown"}' % n, 1)
    raises(InvalidValue, journal.append, r.RESULT, b'{"of":[1],"outcome":"approved"}', 1)
    raises(InvalidValue, journal.append, r.SETTLE_BEGIN, b"{}", 1)
    raises(StorageError, journal.append, r.RESULT, b"[]", 1)
    assert journal.count == before
    journal.append(r.REVERSING, r.reversing(n, "timeout"), 2)
    raises(InvalidValue, journal.append, r.RESULT, r.result(n, "approved"), 3)  # no late answer
    raises(InvalidValue, journal.append, r.RESULT, r.result(n, "declined"), 3)
    journal.append(r.RESULT, r.result(n, "reversed", ack="reversed"), 3)
    raises(InvalidValue, journal.append, r.RESULT, r.result(n, "reversed", ack="reversed"), 3)  # one RESULT
    raises(InvalidValue, journal.append, r.REVERSING, r.reversing(n, "timeout"), 3)
    journal.append(r.SHOWN, r.shown(n), 4)
    assert not journal.unsettled  # nothing was charged
    m = sale(journal, 2)
    raises(InvalidValue, journal.append, r.REVERSING, r.reversing(m, "restart"), 5)  # approved is never reversed
    journal.append(r.SETTLE_BEGIN, b"{}", 6)
    assert journal.settling and not journal.accepts_intent()
    raises(InvalidValue, journal.append, r.INTENT, intent(3), 6)
    journal.append(r.SETTLED, r.settled("000001"), 7)
    assert journal.accepts_intent() and not journal.unsettled


def test_bodies_are_checked():
    good = {"seq": 1, "req": REQ, "type": "sale", "stan": "000001", "batch": "000001", "time": 1}
    good.update({"amount": 1, "currency": "156", "operator": "01"})
    assert json.loads(r.intent(**good)) == good
    for name, value in (
        ("seq", 2**53), ("req", "5C" * 32), ("req", "5c" * 31), ("stan", "1"), ("batch", "00000a"), ("time", -1),
        ("amount", 10**12), ("amount", 1.0), ("amount", True), ("currency", "CNY "), ("operator", ""),
        ("pan", "4761739001010119"), ("pan", "47617390******19"), ("pan", "476173"), ("fp", "zz" * 8),
        ("entry", "07\n"),
    ):  # fmt: skip
        raises(InvalidValue, lambda name=name, value=value: r.intent(**dict(good, **{name: value})))
    raises(InvalidValue, r.result, 1, "pending")
    raises(InvalidValue, r.result, 1, "reversed")
    raises(InvalidValue, lambda: r.result(1, "approved", ack="reversed"))
    raises(InvalidValue, r.result, 0, "approved")
    raises(InvalidValue, r.reversing, 1, "because")
    raises(InvalidValue, lambda: r.result(1, "declined", reason="a\x1b[2J"))


def test_history_wraps_and_what_is_needed_stays():
    flash = Nor(16)
    journal = Journal(flash)
    k = 0
    while journal.record(journal.count).kind if journal.count else True:
        k += 1
        n = sale(journal, k)
        if k % 8 == 0:
            settle(journal, k)
        if n > 700:
            break
    assert flash.erases > 20 and journal.verify() < journal.count
    raises(InvalidValue, journal.record, 2)
    raises(InvalidValue, journal.record, journal.count + 1)
    first = next(journal.records())
    assert first.kind == r.CHECKPOINT and [x.n for x in journal.records()] == list(range(first.n, journal.count + 1))
    assert same(journal, Journal(flash))
    # Unsettled from here on: the ring fills, and no sale of this batch is erased to make room.
    kept = sale(journal, 900)
    taken = [kept]
    while journal.accepts_intent():
        taken.append(sale(journal, 901))
    raises(JournalFull, journal.append, r.INTENT, intent(1), 1)
    assert len(taken) > 50
    for n in taken:
        assert journal.record(n).data()["amount"] == 1250
    settle(journal, 1)
    assert journal.accepts_intent() and same(journal, Journal(flash))


def test_room_for_the_closing_records_is_kept():
    flash = Nor(16)
    journal = Journal(flash, reserve=3)
    opened = []
    while journal.accepts_intent():
        opened.append(journal.append(r.INTENT, intent(1), 1))
        if len(opened) % 2 == 0 and journal.accepts_intent():
            journal.append(r.EVENT, b'{"x":"' + b"y" * 2500 + b'"}', 1)
    assert len(opened) >= 4
    for n in opened:
        journal.append(r.REVERSING, r.reversing(n, "timeout"), 1)
    for n in opened:
        journal.append(r.RESULT, r.result(n, "reversed", ack="not_approved", reason="r" * 60), 1)
        journal.append(r.SHOWN, r.shown(n), 1)
    settle(journal, 1)
    assert same(journal, Journal(flash))


def test_outstanding_intents_are_bounded():
    journal = Journal(Nor(64))
    n = 0
    while journal.accepts_intent():
        journal.append(r.INTENT, intent(1), 1)
        n += 1
    assert n == 16
    raises(JournalFull, journal.append, r.INTENT, intent(1), 1)


def test_unknown_kinds_and_members_survive():
    flash = Nor(16)
    journal = Journal(flash)
    n = journal.append(200, b'{"new":"thing","of":["not","ours"]}', 5, flags=0x80, profile=3)
    again = Journal(flash)
    record = again.record(n)
    assert (record.kind, record.flags, record.profile, record.data()["new"]) == (200, 0x80, 3, "thing")
    assert again.damaged == 0 and again.verify() == n


def test_headers_are_checked():
    journal = Journal(Nor(16))
    for args in (
        (r.EVENT, b"{}", -1),
        (r.EVENT, b"{}", 2**40),
        (0, b"{}", 1),
        (255, b"{}", 1),
        (r.EVENT, b"{}", 1, 256),
    ):
        raises(InvalidValue, journal.append, *args)
    raises(InvalidValue, journal.append, r.CHECKPOINT, b"{}", 1)
    raises(InvalidValue, journal.append, r.EVENT, b'{"x":"' + b"y" * 3000 + b'"}', 1)
    raises(InvalidValue, journal.append, r.IDENTITY, b'{"mid":"898210154110002","tid":"T0000001"}', 1)
    assert journal.count == 0
    raises(StorageError, Journal, Nor(4))
    other = Nor(16)
    sale(Journal(other), 1)
    raises(StorageError, Journal, Nor(24, other.memory + bytearray(b"\xff" * 8 * 4096)))


def test_the_identity_is_remembered_across_sectors():
    flash = Nor(16)
    journal = Journal(flash)
    journal.append(r.IDENTITY, r.identity("898210154110002", "T0000001", 3), 1)
    for k in range(30):
        sale(journal, k + 1)
    assert Journal(flash).identity == {"mid": "898210154110002", "tid": "T0000001", "version": 3}


def test_scrub_destroys_only_the_scrub_part():
    flash = Nor(16)
    journal = Journal(flash)
    n = journal.append(r.INTENT, intent(1), 1, scrub=b"inner message " * 20)
    raises(InvalidValue, journal.scrub, n)  # still open
    assert b"inner message" in flash.memory and journal.unscrubbed() == []
    journal.append(r.RESULT, r.result(n, "approved"), 1)
    assert journal.unscrubbed() == [n] == Journal(flash).unscrubbed()
    assert journal.record(n).scrub == b"inner message " * 20
    journal.scrub(n)
    assert b"inner" not in flash.memory and journal.unscrubbed() == [] == Journal(flash).unscrubbed()
    assert not any(journal.record(n).scrub) and journal.verify() == journal.count
    raises(InvalidValue, journal.scrub, n)


def test_each_byte_is_programmed_once_and_nothing_is_erased_while_a_sector_was_prepared():
    flash = Nor(16)
    journal = Journal(flash)
    assert journal.prepare() and not journal.prepare()
    at_append = 0
    for k in range(120):
        erases = flash.erases
        sale(journal, k + 1)
        at_append += flash.erases - erases
        if k % 8 == 7:
            settle(journal, 1)
        journal.prepare()
        if k == 30:
            size = sum(18 + 32 + len(x.body) + 1 for x in journal.records())  # the commit byte is its own program
            assert flash.programmed_bytes == size + 56 * (flash.erases - 1), flash.programmed_bytes
    assert at_append == 0 and flash.erases > 16


def test_a_spot_that_does_not_hold_is_left_behind():
    flash = Nor(16)
    journal = Journal(flash)
    sale(journal, 1)
    flash.broken = [(0, at) for at in range(1500, 1520)] + [(1, 30), (4, 100)]
    for k in range(2, 40):
        sale(journal, k)
    assert journal.verify() == journal.count
    flash.broken = ()
    again = Journal(flash)
    assert same(journal, again) and again.damaged == 0 and again.verify() == again.count
    flash.broken = [(b, 70) for b in range(16)]
    raises(StorageError, lambda: [sale(again, 1) for _ in range(60)])


def test_start_up_is_flat_in_journal_length():
    flash = Nor(64)
    journal = Journal(flash)
    costs = []
    for k in range(1, 500):
        sale(journal, k)
        if k % 8 == 0:
            settle(journal, k)
        if k in (10, 100, 490):
            reads, count = flash.reads, flash.read_bytes
            assert same(journal, Journal(flash))
            costs.append((flash.reads - reads, flash.read_bytes - count))
    assert max(c[0] for c in costs) <= 64 + 6 and max(c[1] for c in costs) <= 64 * 56 + 4 * 4096, costs


def test_a_flipped_bit_is_found_with_its_record():
    flash = Nor(16)
    journal = Journal(flash)
    for k in range(1, 60):
        sale(journal, k)
        if k % 8 == 0:
            settle(journal, k)
    assert flash.erases > 5
    held = journal.verify()
    first = journal.count - held + 1
    places = []  # (n, start, end) of every record, read from the raw image
    for b in range(16):
        at = 56
        while flash.memory[b * 4096] == 0x4D and at < 4096 - 50 and flash.memory[b * 4096 + at] == 0:
            base = b * 4096 + at
            size = 50 + (flash.memory[base + 14] << 8 | flash.memory[base + 15])
            places.append((int.from_bytes(flash.memory[base + 4 : base + 8], "big"), base, base + size))
            at += size
    assert len(places) == held
    step = 7
    for n, start, end in places[3::5]:
        for at in list(range(start + 1, start + 18)) + list(range(start + 18, end, step)) + [end - 1]:
            bit = 1 << at % 8
            flash.memory[at] ^= bit
            again = Journal(flash)
            error = raises(Tampered, again.verify)
            assert error.n == n, (n, at - start, error.n)
            flash.memory[at] ^= bit
            step = step % 11 + 3
    again = Journal(flash)
    assert again.verify() == held and again.damaged == 0 and first > 0


def test_damage_loses_no_later_record_and_no_open_intent():
    flash = Nor(16)
    journal = Journal(flash)
    n = sale(journal, 1)
    open_n = journal.append(r.INTENT, intent(2), 2)
    places = []
    at = 56
    while flash.memory[at] == 0:
        size = 50 + (flash.memory[at + 14] << 8 | flash.memory[at + 15])
        places.append((int.from_bytes(flash.memory[at + 4 : at + 8], "big"), at, size))
        at += size
    _, at, size = next(p for p in places if p[0] == n + 1)
    for offset in list(range(1, 50)) + [size - 1, size - 20, 100]:
        flash.memory[at + offset] ^= 0x10
        again = Journal(flash)
        assert again.damaged == n + 1 and again.count == journal.count, offset
        assert open_n in again.open_intents() and again.record(open_n).data()["stan"] == "000002"
        raises(Tampered, again.record, n + 1)
        assert [x.intact for x in again.records(n)] == [True, False, True, True]
        flash.memory[at + offset] ^= 0x10
    # The last record of all, damaged: known as damaged, not taken for a torn write, and its n is not used again.
    _, at, size = places[-1]
    flash.memory[at + 40] ^= 1
    again = Journal(flash)
    assert again.damaged == open_n and again.count == open_n
    assert again.append(r.EVENT, b"{}", 3) == open_n + 2  # a checkpoint of a new sector came between


def test_a_damaged_sector_header_hides_nothing():
    flash = Nor(16)
    journal = Journal(flash)
    for k in range(1, 40):
        sale(journal, k)
    newest = [b for b in range(16) if flash.memory[b * 4096] == 0x4D][-1]
    assert newest >= 4
    for b in range(newest + 1):
        for offset in (0, 5, 9, 20, 50):
            flash.memory[b * 4096 + offset] ^= 4
            again = Journal(flash)
            assert same(journal, again), (b, offset)
            assert [x.n for x in again.records()] == list(range(1, journal.count + 1)), (b, offset)
            assert sum(not x.intact for x in again.records()) == 1
            assert again.record(2).kind == r.INTENT and again.record(journal.count).kind == r.SHOWN
            raises(Tampered, again.verify)
            flash.memory[b * 4096 + offset] ^= 4
    assert same(journal, Journal(flash))


def test_a_damaged_checkpoint_is_made_good_from_the_sector_before():
    flash = Nor(16)
    journal = Journal(flash)
    journal.append(r.IDENTITY, r.identity("898210154110002", "T0000001", 3), 1)
    for k in range(1, 30):
        sale(journal, k)
    a = journal.append(r.INTENT, intent(40), 1)
    b = journal.append(r.INTENT, intent(41), 1)
    journal.append(r.REVERSING, r.reversing(b, "timeout"), 1)
    sectors = flash.erases
    while flash.erases == sectors:
        journal.append(r.EVENT, b'{"pad":"' + b"." * 900 + b'"}', 1)
    newest = (flash.erases - 1) * 4096
    size = 50 + (flash.memory[newest + 70] << 8 | flash.memory[newest + 71])
    for offset in list(range(1, 18)) + list(range(18, size, 7)):
        flash.memory[newest + 56 + offset] ^= 0x20
        again = Journal(flash)
        assert same(journal, again) and again.identity == journal.identity, offset
        assert again.open_intents() == [a, b] and again.damaged and again.damaged < again.count
        flash.memory[newest + 56 + offset] ^= 0x20
    assert Journal(flash).damaged == 0


def check_after_cut(flash, done, doing, where):
    """`flash` as the cut left it holds exactly the records `done`, or those and `doing`; and it goes on from there."""
    journal = Journal(flash)
    assert journal.damaged == 0, where
    found = [(x.n, x.kind, bytes(x.body)) for x in journal.records() if x.kind != r.CHECKPOINT]
    oldest = found[0][0] if found else journal.count + 1
    wanted = [x for x in done if x[0] >= oldest]
    if found != wanted:
        assert doing and found[:-1] == wanted and found[-1][1:] == doing, where
    journal.verify()
    state = model(found if not done else done + [x for x in found if x not in done])
    assert (journal.open_intents(), journal.reversing(), [x for x, _ in journal.unshown()]) == state[:3], where
    assert oldest <= min(state[0] + state[3] + [journal.count + 1]), where  # nothing needed is gone
    return journal


def model(found):
    opened, unshown, keep = {}, [], []
    for n, kind, body in found:
        data = json.loads(body)
        if kind == r.INTENT:
            opened[n] = 0
        elif kind == r.RESULT:
            del opened[data["of"]]
            unshown.append(data["of"])
            if data["outcome"] == "approved":
                keep.append(data["of"])
        elif kind == r.SHOWN:
            unshown.remove(data["of"])
        elif kind == r.REVERSING:
            opened[data["of"]] += 1
        elif kind == r.SETTLED:
            keep = []
    return sorted(opened), [(n, opened[n]) for n in sorted(opened) if opened[n]], sorted(unshown), keep


AFTER = b'{"after":"the cut' + b"." * 1900 + b'"}'  # as long as what may lie torn


def every_tear(flash, where, into):
    def before(operation, block, offset, data):
        for pattern in PATTERNS:
            cut = Overlay(flash)
            cut.changed = {b: bytearray(s) for b, s in flash.changed.items()}
            cut.tear(pattern, operation, block, offset, data)
            into.append((cut, where + (operation, block, offset, pattern)))

    return before


def drive(steps, from_step, cut_in_recovery=False):
    """Run a mix of sales on a small ring; from `from_step` on, try every tear of every flash operation."""
    flash = Nor(16)
    journal = Journal(flash)
    done = []
    doing = [None]
    tried = [0]

    def tear(operation, block, offset, data):
        for pattern in PATTERNS:
            cut = Overlay(flash)
            cut.tear(pattern, operation, block, offset, data)
            where = (operation, block, offset, pattern, doing[0])
            if cut_in_recovery:
                second = []
                cut.before = every_tear(cut, where, second)
            after = check_after_cut(cut, done, doing[0], where)
            known = [(x.n, x.kind, bytes(x.body)) for x in after.records() if x.kind != r.CHECKPOINT]
            n = after.append(r.EVENT, AFTER, 1)
            assert after.record(n).body == AFTER and same(after, Journal(cut)), where
            tried[0] += 1
            if cut_in_recovery:
                everything = done + [x for x in known if x not in done]
                for again, twice in second:
                    check_after_cut(again, everything, (r.EVENT, AFTER), twice)
                    tried[0] += 1

    def append(kind, body):
        doing[0] = (kind, body)
        n = journal.append(kind, body, 1800000000)
        done.append((n, kind, body))
        doing[0] = None
        return n

    for step in range(steps):
        flash.before = tear if step >= from_step else None
        n = append(r.INTENT, intent(step + 1))
        if step % 3 == 0:
            append(r.EVENT, b'{"pad":"' + b"." * 1900 + b'"}')
        if step % 4 == 3:
            append(r.REVERSING, r.reversing(n, "timeout"))
            append(r.RESULT, r.result(n, "reversed", ack="not_found"))
        else:
            append(r.RESULT, r.result(n, "approved", rc="00"))
        append(r.SHOWN, r.shown(n))
        if step % 6 == 5:
            append(r.SETTLE_BEGIN, b"{}")
            append(r.SETTLED, r.settled("000001"))
        if step % 2:
            journal.prepare()
    return tried[0], flash.erases


def test_power_cut_at_every_operation_of_a_new_journal():
    tried, _ = drive(5, 0)
    assert tried > 300


def test_power_cut_at_every_operation_after_the_ring_wrapped():
    tried, erases = drive(60, 55)
    assert tried > 300 and erases > 16, (tried, erases)


def test_power_cut_at_every_operation_and_again_at_every_operation_of_the_recovery():
    tried, _ = drive(3, 1, True)
    assert tried > 2000


def test_power_cut_while_scrubbing():
    flash = Nor(16)
    journal = Journal(flash)
    n = journal.append(r.INTENT, intent(1), 1, scrub=b"secret" * 40)
    journal.append(r.RESULT, r.result(n, "declined"), 1)
    tried = []

    def tear(operation, block, offset, data):
        for pattern in PATTERNS:
            cut = Overlay(flash)
            cut.tear(pattern, operation, block, offset, data)
            again = Journal(cut)
            assert again.damaged == 0 and again.verify() == journal.count
            if again.unscrubbed():
                again.scrub(n)
            assert not any(again.record(n).scrub), pattern
            tried.append(pattern)

    flash.before = tear
    journal.scrub(n)
    assert len(tried) >= 5 * len(PATTERNS)


def test_power_cut_while_a_scrub_part_is_written():
    flash = Nor(16)
    journal = Journal(flash)
    sale(journal, 1)
    count, tried = journal.count, []

    def tear(operation, block, offset, data):
        for cut_bytes in (0, 1, len(data) - 1, len(data) - 200, len(data)):
            cut = Overlay(flash)
            if data and 0 <= cut_bytes <= len(data):
                cut.writeblocks(block, data[:cut_bytes], offset)
            again = Journal(cut)
            assert again.damaged == 0 and again.verify() == again.count
            if again.count > count:
                assert again.record(again.count).scrub == b"secret" * 40
            tried.append(again.count)

    flash.before = tear
    journal.append(r.INTENT, intent(2), 1, scrub=b"secret" * 40)
    assert set(tried) == {count, count + 1}


def test_a_record_cut_off_before_its_commit_byte_is_committed_at_start():
    flash = Nor(16)
    journal = Journal(flash)
    sale(journal, 1)
    seen = []

    def before(operation, block, offset, data):
        if len(data) == 1:  # the commit byte
            cut = Overlay(flash)
            again = Journal(cut)
            assert again.count == 5 and again.open_intents() == [5]
            assert flash.memory[offset] == 0xFF and cut.changed[block][offset] == 0
            programs = cut.programs
            assert same(again, Journal(cut)) and cut.programs == programs
            seen.append(offset)

    flash.before = before
    journal.append(r.INTENT, intent(2), 1)
    assert seen


def test_cuts_while_a_sector_is_opened_use_none_up():
    flash = Nor(16)
    journal = Journal(flash)
    while flash.erases < 3:
        sale(journal, 1)
    free = journal.free_sectors()

    for i in range(60):
        operations = []

        def before(operation, block, offset, data, operations=operations, i=i):
            operations.append(operation)
            if operation == "program" and offset == (0, 56)[i % 2]:
                flash.before = None
                flash.writeblocks(block, data[: len(data) // 2], offset)
                raise PowerCut()

        flash.before = before
        try:
            journal = Journal(flash)
            while True:
                journal.append(r.EVENT, AFTER, 1)
        except PowerCut:
            pass
        assert operations
    flash.before = None
    journal = Journal(flash)
    assert journal.damaged == 0 and journal.verify() == journal.count and journal.free_sectors() >= free - 1


def test_a_full_journal_erases_nothing_it_needs():
    journal = Journal(Nor(16), reserve=2)
    first = sale(journal, 1)
    error = None
    while error is None:
        try:
            journal.append(r.SETTLE_UPLOADED, AFTER, 1)
        except JournalFull as e:
            error = e
    assert journal.free_sectors() == 0 and not journal.prepare()
    assert journal.record(first).kind == r.INTENT and journal.verify() == journal.count


def test_it_keeps_one_sector_buffer_and_little_else_in_memory():
    flash = Nor(64)
    journal = Journal(flash)
    for k in range(1, 200):
        sale(journal, k)
        if k % 8 == 0:
            settle(journal, k)
    for k in range(16):
        journal.append(r.INTENT, intent(k + 1), 1)
    journal = None
    gc.collect()
    before = gc.mem_alloc()
    journal = Journal(flash)
    gc.collect()
    assert gc.mem_alloc() - before < 4096 + 4096, gc.mem_alloc() - before
    assert len(journal.open_intents()) == 16


def test_the_first_version_opens_for_ever():
    with open(__file__.rsplit("/", 1)[0] + "/data/journal-v1.bin", "rb") as f:
        flash = Nor(16, bytearray(f.read()))
    journal = Journal(flash)
    assert (journal.count, journal.damaged, journal.verify()) == (114, 0, 114)
    assert journal.head.hex() == "3cfa8d714e0d473b3e5b081342c1aeb0933cb408fc6cb77558eb28e61d5412b9"
    assert journal.open_intents() == [112, 114] and journal.reversing() == [(112, 1)]
    assert journal.unshown() == [(110, 111)] and journal.unscrubbed() == [106] and journal.unsettled
    assert journal.stan == "000035" and journal.last_time == 1800000302
    assert journal.identity == {"mid": "898210154110002", "tid": "T0000001", "version": 1}
    assert not any(journal.record(103).scrub) and journal.record(106).scrub == b"still standing " * 9
    approved = [x.data()["of"] for x in journal.records(kinds=(r.RESULT,)) if x.flags & r.MONEY]
    assert len(approved) == 22 and journal.record(approved[0]).data()["amount"] == 100
    other = next(journal.records(kinds=(200,)))
    assert (other.flags, other.profile, other.data()) == (0x40, 2, {"kind": "of a later firmware"})
    n = journal.append(r.REVERSING, r.reversing(114, "restart"), 1800000400)
    assert n == 116 and Journal(flash).verify() == 116  # the torn tail closed its sector
