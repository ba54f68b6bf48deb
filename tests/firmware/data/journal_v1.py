# Made journal-v1.bin: MICROPYPATH=firmware:.frozen:tests/firmware micropython -X heapsize=1M THIS OUTPUT
import sys

from nor import Nor, PowerCut
from till.storage import records as r
from till.storage.journal import Journal

T = 1800000000
flash = Nor(16)
journal = Journal(flash)
journal.append(r.IDENTITY, r.identity("898210154110002", "T0000001", 1), T)


def intent(k, **more):
    body = r.intent(
        seq=(1 << 32) + k, req="5c" * 32, type="sale", stan="%06d" % k, batch="000001", time=T + k,
        amount=100 * k, currency="156", operator="01", entry="072", pan="620000******0003", scheme="unionpay",
    )  # fmt: skip
    return journal.append(r.INTENT, body, T + k, **more)


def end(n, outcome, **more):
    journal.append(r.RESULT, r.result(n, outcome, **more), T + n)
    journal.append(r.SHOWN, r.shown(n), T + n)


for k in range(1, 31):
    n = intent(k)
    if k % 5 == 0:
        end(n, "declined", rc="51")
    elif k % 7 == 0:
        journal.append(r.REVERSING, r.reversing(n, "timeout"), T + n)
        end(n, "reversed", ack="not_found")
    else:
        end(n, "approved", rc="00", rrn="%012d" % k, auth="A1B2C3", token="tok%d" % k)
journal.append(r.SETTLE_BEGIN, b"{}", T + 200)
journal.append(r.SETTLED, r.settled("000001"), T + 201)
n = intent(31, scrub=b"to be scrubbed " * 9)
end(n, "approved", rc="00")
journal.scrub(n)
n = intent(32, scrub=b"still standing " * 9)
end(n, "approved", rc="00")
journal.append(200, b'{"kind":"of a later firmware"}', T + 300, flags=0x40, profile=2)
declined = intent(33)
journal.append(r.RESULT, r.result(declined, "declined", rc="54"), T + 301)
reversing = intent(34)
journal.append(r.REVERSING, r.reversing(reversing, "timeout"), T + 302)
intent(35)


def cut(operation, block, offset, data):
    flash.before = None
    flash.writeblocks(block, data[: len(data) // 2], offset)
    raise PowerCut()


flash.before = cut
try:
    intent(36)
except PowerCut:
    pass
with open(sys.argv[1], "wb") as f:
    f.write(flash.memory)
again = Journal(flash)
print(again.count, again.head, again.open_intents(), again.reversing(), again.unshown(), again.unscrubbed())
