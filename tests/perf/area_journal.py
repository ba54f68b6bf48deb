"""Journal append: what a durable record costs the flash, beside a file appended and synced on littlefs."""

from pathlib import Path

from figure import Figure, port_run

_FAKES = str(Path(__file__).parents[1] / "firmware")

# The same records, of the sizes that sales have, on the same NOR model: each must be durable before the next.
_SOURCE = """
import vfs
from nor import Nor
from till.storage import records as r
from till.storage.journal import Journal

SALES = 300
T = 1800000000

def bodies(k):
    n = 3 * k
    yield r.INTENT, r.intent(seq=(1 << 32) + k, req="5c" * 32, type="sale", stan="%06d" % k, batch="000001", time=T,
        amount=1250, currency="156", operator="01", entry="072", pan="620000******0003", scheme="unionpay")
    yield r.RESULT, r.result(1, "approved", rc="00", rrn="0" * 12, auth="A1B2C3", token="t" * 32, time=T)
    yield r.SHOWN, r.shown(1)

def ours():
    flash = Nor(64)
    journal = Journal(flash)
    count = 0
    for k in range(1, SALES + 1):
        n = 0
        for kind, body in bodies(k):
            if kind != r.INTENT:
                body = body.replace(b'"of":1', b'"of":%d' % n)
            m = journal.append(kind, body, T)
            n = n or m
            count += 1
        if k % 50 == 0:
            journal.append(r.SETTLE_BEGIN, b"{}", T)
            journal.append(r.SETTLED, r.settled("000001"), T)
            count += 2
    return flash, count

def littlefs():
    flash = Nor(64)
    vfs.VfsLfs2.mkfs(flash)
    fs = vfs.VfsLfs2(flash)
    vfs.mount(fs, "/f")
    flash.erases = flash.programmed_bytes = flash.programs = 0
    count = 0
    with open("/f/journal", "ab") as f:
        for k in range(1, SALES + 1):
            for kind, body in bodies(k):
                f.write(bytes(50) + body)
                f.flush()
                count += 1
    vfs.umount("/f")
    return flash, count

for name, run in (("ours", ours), ("littlefs", littlefs)):
    flash, count = run()
    print(name, count, flash.erases, flash.programmed_bytes)
"""


def measure() -> list[Figure]:
    rows = {}
    for line in port_run(_SOURCE, heap="2M", extra_path=_FAKES).splitlines():
        name, count, erases, programmed = line.split()
        rows[name] = int(erases) / int(count), int(programmed) / int(count)
    ours, peer = rows["ours"], rows["littlefs"]
    what = (("journal_append", "erases/record"), ("journal_append_bytes", "bytes programmed/record"))
    return [
        Figure(area, ours[i], peer[i], "littlefs file", peer[i] / ours[i], unit, "300 sales, 900 records each durable")
        for i, (area, unit) in enumerate(what)
    ]
