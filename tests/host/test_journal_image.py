"""The host's own reader of journal images beside the firmware: same records, same faults, found in the same place."""

import random
from pathlib import Path

import pytest
from microtill.device.journal_image import SECTOR, JournalImage, Kind
from support.fuzz import examples
from support.port import Port

FIRMWARE_TESTS = Path(__file__).parents[1] / "firmware"
GOLDEN = FIRMWARE_TESTS / "data" / "journal-v1.bin"

SOURCE = """
from nor import Nor, Overlay, PATTERNS, PowerCut
from till.core.errors import InvalidValue, JournalFull, StorageError, Tampered
from till.storage import records as r
from till.storage.journal import Journal

def fill(sales, settle_every, pad, cut_at, pattern):
    "A journal of `sales`, cut at flash operation `cut_at` (-1: never); the image that is left."
    flash = Nor(16)
    left = []
    at = [0]
    def before(operation, block, offset, data):
        if at[0] == cut_at:
            cut = Overlay(flash)
            cut.tear(PATTERNS[pattern], operation, block, offset, data)
            for b, sector in cut.changed.items():
                flash.memory[b * 4096 : b * 4096 + 4096] = sector
            flash.before = None
            raise PowerCut()
        at[0] += 1
    flash.before = before
    journal = Journal(flash)
    try:
        for k in range(1, sales + 1):
            n = journal.append(r.INTENT, r.intent(seq=k, req="ab" * 32, type="sale", stan="%06d" % k, batch="000001",
                time=k, amount=k, currency="156", operator="01"), k, scrub=b"x" * (k % 3 * 20))
            if pad:
                journal.append(r.EVENT, b'{"pad":"' + b"." * pad + b'"}', k)
            if k % 5:
                journal.append(r.RESULT, r.result(n, "approved" if k % 2 else "declined"), k)
                journal.append(r.SHOWN, r.shown(n), k)
            else:
                journal.append(r.REVERSING, r.reversing(n, "timeout"), k)
                journal.append(r.RESULT, r.result(n, "reversed", ack="reversed"), k)
                if k % 10:
                    journal.append(r.SHOWN, r.shown(n), k)
            while journal.unscrubbed():
                journal.scrub(journal.unscrubbed()[0])
            if settle_every and k % settle_every == 0:
                for m, _ in journal.unshown():
                    journal.append(r.SHOWN, r.shown(m), k)
                journal.append(r.SETTLE_BEGIN, b"{}", k)
                journal.append(r.SETTLED, r.settled("000001"), k)
            journal.prepare()
    except PowerCut:
        pass
    return [at[0], bytes(flash.memory)]

def read(image):
    journal = Journal(Nor(16, bytearray(image)))
    records = [[x.n, x.kind, x.flags, x.time, x.profile, x.body, x.scrub, x.intact] for x in journal.records()]
    try:
        journal.verify()
        bad = 0
    except Tampered as e:
        bad = e.n
    return [journal.count, journal.head, journal.open_intents(), [n for n, _ in journal.unshown()], bad, records]

class CutNor(Nor):
    "The power goes in operation `cut_in`, counted down; what it leaves is in memory. Then nothing works any more."
    cut_in = -1
    pattern = ""
    def writeblocks(self, block, data, offset):
        self.count_down("program", block, offset, data)
        super().writeblocks(block, data, offset)
    def ioctl(self, operation, argument):
        if operation == 6:
            self.count_down("erase", argument, 0, None)
        return super().ioctl(operation, argument)
    def count_down(self, operation, block, offset, data):
        if self.cut_in == 0:
            cut = Overlay(self)
            cut.tear(self.pattern, operation, block, offset, data)
            for b, sector in cut.changed.items():
                self.memory[b * 4096 : b * 4096 + 4096] = sector
            raise PowerCut()
        self.cut_in -= 1

def soak(seed, cuts):
    "One flash through `cuts` power cuts with random business in between; the model says what must be known after each."
    x = [seed * 2 + 1]
    def rnd(n):
        x[0] = (x[0] * 6364136223846793005 + 1442695040888963407) & (1 << 64) - 1
        return (x[0] >> 33) % n
    flash = CutNor(16 + rnd(9))
    opened, unshown, settling, count, appended, refused = {}, [], False, 0, 0, 0
    for _ in range(cuts):
        flash.cut_in, flash.pattern = rnd(60), PATTERNS[rnd(len(PATTERNS))]
        doing = None
        try:
            journal = Journal(flash)
            assert journal.damaged == 0, "damaged"
            known = (journal.open_intents(), [n for n, _ in journal.reversing()], [n for n, _ in journal.unshown()])
            expected = (sorted(opened), [n for n in sorted(opened) if opened[n]], sorted(unshown))
            assert known == expected, (known, expected)
            assert journal.settling == settling and journal.count >= count
            for n in list(opened) + unshown:
                assert journal.record(n).kind == r.INTENT
            while True:
                count = journal.count
                kind, of = rnd(12), 0
                if kind < 4 and not settling:
                    doing = r.INTENT
                    body = r.intent(seq=1, req="ab" * 32, type="sale", stan="000001", batch="000001", time=1, amount=1,
                        currency="156", operator="01")
                elif kind < 5:
                    doing, body = r.EVENT, b'{"pad":"' + b"." * rnd(2800) + b'"}'
                elif kind < 7 and opened:
                    of = list(opened)[rnd(len(opened))]
                    doing, body = r.REVERSING, r.reversing(of, "timeout")
                elif kind < 9 and opened:
                    of = list(opened)[rnd(len(opened))]
                    doing = r.RESULT
                    body = r.result(of, "reversed", ack="reversed") if opened[of] else r.result(of, "approved")
                elif kind < 11 and unshown:
                    of = unshown[rnd(len(unshown))]
                    doing, body = r.SHOWN, r.shown(of)
                elif settling:
                    doing, body = r.SETTLED, r.settled("000001")
                elif not opened and not unshown:
                    doing, body = r.SETTLE_BEGIN, b"{}"
                else:
                    journal.prepare()
                    continue
                try:
                    n = journal.append(doing, body, 1)
                except JournalFull:
                    refused += 1
                    doing = None
                    continue
                settling = learn(doing, n, of, opened, unshown, settling)
                count, appended, doing = n, appended + 1, None
        except PowerCut:
            pass
        # The record that was being written is there or not; both are right, so look, as the next start will.
        flash.cut_in = -1
        if doing:
            after = Journal(flash)
            last = after.record(after.count) if after.count > count else None
            if last and last.kind == doing:
                settling = learn(doing, last.n, of, opened, unshown, settling)
    journal = Journal(flash)
    journal.verify()
    return [journal.count, appended, refused, flash.erases, bytes(flash.memory)]

def learn(kind, n, of, opened, unshown, settling):
    if kind == r.INTENT:
        opened[n] = 0
    elif kind == r.REVERSING:
        opened[of] += 1
    elif kind == r.RESULT:
        del opened[of]
        unshown.append(of)
    elif kind == r.SHOWN:
        unshown.remove(of)
    return kind == r.SETTLE_BEGIN or settling and kind != r.SETTLED

def survive(image):
    "Open any bytes at all: what the firmware says of them."
    try:
        flash = Nor(len(image) // 4096, bytearray(image))
        journal = Journal(flash)
        for x in journal.records():
            pass
        try:
            journal.verify()
        except Tampered as e:
            pass
        before = journal.count
        try:
            journal.append(r.EVENT, b"{}", 1)
        except StorageError as e:
            return [before, str(type(e))]
        return [before, journal.record(journal.count).kind]
    except StorageError as e:
        return [-1, e.detail]
"""


@pytest.fixture(scope="module")
def port():
    with Port(SOURCE, heap="4M", extra_path=str(FIRMWARE_TESTS)) as port:
        yield port


def same(port, raw: bytes) -> JournalImage:
    """What both readers say of a journal that is whole."""
    image = JournalImage(raw)
    count, head, opened, unshown, bad, records = port.call("read", raw)
    assert not image.problems and bad == 0
    assert (image.count, image.head) == (count, head)
    found = [[x.n, x.kind, x.flags, x.time, x.profile, x.body, x.scrub or b"", True] for x in image.records]
    assert found == records
    known = {x.n for x in image.of_kind(Kind.INTENT)}
    assert image.open_intents() == opened
    assert [n for n in image.unshown() if n in known] == unshown
    return image


def test_the_golden_image():
    image = JournalImage(GOLDEN.read_bytes())
    assert not image.problems
    assert image.count == 114 and image.head.hex() == "3cfa8d714e0d473b3e5b081342c1aeb0933cb408fc6cb77558eb28e61d5412b9"
    assert [x.n for x in image.records] == list(range(1, 115))
    assert (image.open_intents(), image.unshown()) == ([112, 114], [110])
    first = next(image.of_kind(Kind.IDENTITY))
    assert (first.name, first.data()["mid"], first.time) == ("IDENTITY", "898210154110002", 1_800_000_000)
    assert [x.name for x in image.records if x.kind == 200] == ["200"]
    assert all(x.committed for x in image.records)


SIZES = [(0, 0, 0), (1, 0, 0), (10, 0, 0), (170, 8, 0), (60, 4, 700), (33, 3, 1900)]


@pytest.mark.parametrize(("sales", "settle", "pad"), SIZES)
def test_both_readers_agree(port, sales, settle, pad):
    image = same(port, port.call("fill", sales, settle, pad, -1, 0)[1])
    assert image.count >= 3 * sales and (image.records == []) == (sales == 0)


def test_both_readers_agree_after_power_cuts(port):
    rng = random.Random(3)
    operations = port.call("fill", 40, 4, 900, -1, 0)[0]
    for _ in range(40):
        raw = port.call("fill", 40, 4, 900, rng.randrange(operations), rng.randrange(8))[1]
        same(port, raw)


def test_both_readers_find_a_flipped_bit_at_the_same_record(port):
    raw = port.call("fill", 60, 8, 100, -1, 0)[1]
    whole = same(port, raw)
    rng = random.Random(5)
    for record in rng.sample(whole.records, 40):
        size = 50 + len(record.body)
        offset = record.sector * SECTOR + record.offset + rng.randrange(1, size)
        bent = bytearray(raw)
        bent[offset] ^= 1 << rng.randrange(8)
        image = JournalImage(bytes(bent))
        count, _, _, _, bad, records = port.call("read", bytes(bent))
        assert bad == record.n == image.problems[0].n, (record, image.problems)
        assert [x.n for x in image.records] == [x[0] for x in records if x[7]], "as much is saved by both"
        assert count == whole.count
        if record.n != whole.count:
            assert record.n not in {x.n for x in image.records} and image.head == whole.head


def test_a_rewritten_history_does_not_follow():
    raw = bytearray(GOLDEN.read_bytes())
    whole = JournalImage(bytes(raw))
    other = bytearray(raw)
    record = next(x for x in whole.of_kind(Kind.INTENT) if x.sector == 2)
    place = record.sector * SECTOR + record.offset
    other[place + 18 : place + 18 + len(record.body)] = record.body.replace(b'"amount":', b'"AMOUNT":')
    assert [p.n for p in JournalImage(bytes(other)).problems] == [record.n]
    # One sector taken out, as if it had never been there.
    raw[2 * SECTOR : 3 * SECTOR] = b"\xff" * SECTOR
    problems = JournalImage(bytes(raw)).problems
    assert len(problems) == 1 and "missing" in problems[0].text and "header" in str(problems[0])


@pytest.mark.parametrize("raw", [b"", b"x" * 100, b"\xff" * (SECTOR + 1)])
def test_what_is_no_image(raw):
    with pytest.raises(ValueError, match="not a journal image"):
        JournalImage(raw)


def test_an_image_of_another_size():
    with pytest.raises(ValueError, match="24 sectors, the journal 16"):
        JournalImage(GOLDEN.read_bytes() + b"\xff" * SECTOR * 8)
    assert JournalImage(b"\xff" * SECTOR * 16).records == []


def test_fuzz_images(port):
    """Any damage at all: both readers end, and the firmware either opens it and goes on, or says StorageError."""
    rng = random.Random(9)
    golden = GOLDEN.read_bytes()
    wrapped = port.call("fill", 60, 4, 700, -1, 0)[1]
    for _ in range(examples(120)):
        raw = bytearray(rng.choice((golden, wrapped)))
        for _ in range(rng.choice((1, 3, 30))):
            at = rng.randrange(len(raw))
            kind = rng.randrange(4)
            if kind == 0:
                raw[at] ^= 1 << rng.randrange(8)
            elif kind == 1:
                length = rng.choice((1, 16, 300, SECTOR))
                raw[at : at + length] = rng.choice((b"\0", b"\xff", b"M")) * len(raw[at : at + length])
            elif kind == 2:
                block, other = rng.randrange(16), rng.randrange(16)
                raw[block * SECTOR : (block + 1) * SECTOR] = raw[other * SECTOR : (other + 1) * SECTOR]
            else:
                raw[at : at + 40] = rng.randbytes(len(raw[at : at + 40]))
        count, kind = port.call("survive", bytes(raw))
        assert count >= -1 and kind is not None
        JournalImage(bytes(raw))


def test_fuzz_power_cuts_one_after_the_other(port):
    """Random business through hundreds of power cuts on one flash; nothing known is ever lost, nothing comes up new."""
    written = erases = 0
    for seed in range(examples(80) // 10):  # each is 80 cuts
        count, appended, _, erased, raw = port.call("soak", seed, 80)
        image = JournalImage(raw)
        assert not image.problems and image.count == count, seed
        written, erases = written + appended, erases + erased
    assert written > 500 and erases > 200
