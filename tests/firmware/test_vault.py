import json
import os

from fake_nvs import FakeNvs, PowerCut
from till.core.errors import CryptoError, InvalidValue, StorageError, Tampered
from till.crypto.siv import seal
from till.services.session import Session
from till.storage.migrations import migrate
from till.storage.vault import SCHEMA, Vault


class Rng:
    """Random enough here; counts what is drawn."""

    def __init__(self):
        self.drawn = 0

    def bytes(self, n):
        self.drawn += n
        return os.urandom(n)


def vault(nvs, serial="SIM-1"):
    return Vault(nvs, serial, Rng())


def contents(v):
    return {name: v.get(name) for name in v.names()}


def raises(kind, call, *args):
    try:
        call(*args)
    except kind as e:
        return e
    raise AssertionError("no " + kind.__name__)


def test_records_are_kept_sealed():
    nvs = FakeNvs()
    v = vault(nvs)
    assert v.names() == [] and v.get("wifi") is None and nvs.operations == 0
    v.put("wifi", b"the password")
    v.put("device", b"k" * 32)
    v.put("wifi", b"another password")
    assert contents(v) == {"wifi": b"another password", "device": b"k" * 32} == contents(vault(nvs))
    for value in nvs.durable.values():
        assert not isinstance(value, bytes) or (b"password" not in value and b"kkkk" not in value)
    v.delete("wifi")
    v.delete("wifi")
    assert v.names() == ["device"] == vault(nvs).names() and vault(nvs).get("wifi") is None
    assert [k for k in nvs.durable if k.startswith("wifi")] == [] and nvs.pending == []
    v.put("wifi", b"")
    assert vault(nvs).get("wifi") == b""


def test_old_versions_are_erased():
    nvs = FakeNvs()
    v = vault(nvs)
    for k in range(20):
        v.put("dukpt", bytes([k]) * 1038)
    assert len([k for k in nvs.durable if k.startswith("dukpt")]) == 1 and v.get("dukpt") == bytes([19]) * 1038


def test_the_root_is_made_once_and_only_when_needed():
    nvs = FakeNvs()
    rng = Rng()
    v = Vault(nvs, "SIM-1", rng)
    assert rng.drawn == 0
    v.put("a", b"1")
    v.put("b", b"2")
    assert rng.drawn == 32 and len(nvs.durable["/root"]) == 32
    again = Vault(nvs, "SIM-1", None)
    again.put("c", b"3")
    assert contents(again) == {"a": b"1", "b": b"2", "c": b"3"}


def test_names_and_sizes_are_bounded():
    nvs = FakeNvs()
    v = vault(nvs)
    for name in ("", "a" * 14, "A", "a.b", "a/b", "/root", "é", None, b"a"):
        raises(InvalidValue, v.put, name, b"")
        raises(InvalidValue, v.delete, name)
    raises(InvalidValue, v.put, "a", b"x" * 8193)
    assert nvs.operations == 0
    for k in range(24):
        v.put("r%02d" % k, b"x")
    raises(InvalidValue, v.put, "one_more", b"x")
    v.put("r00", b"y")
    assert len(vault(nvs).names()) == 24


def test_transaction_rules():
    v = vault(FakeNvs())
    raises(StorageError, v.commit)
    v.begin()
    raises(StorageError, v.begin)
    v.put("a", b"1")
    assert v.get("a") == b"1" and v.names() == []
    v.abort()
    assert v.get("a") is None
    v.begin()
    v.commit()
    v.abort()
    v.begin()
    v.put("a", b"1")
    v.put("a", b"2")
    v.delete("b")
    v.commit()
    assert contents(v) == {"a": b"2"}
    v.begin()
    v.delete("a")
    assert v.get("a") is None
    v.abort()
    assert v.get("a") == b"2"


def test_an_error_in_a_lone_put_leaves_no_transaction_open():
    class Full(FakeNvs):
        def set_blob(self, key, value):
            raise OSError(-0x1105)

    nvs = FakeNvs()
    vault(nvs).put("a", b"1")
    v = vault(Full(nvs.durable))
    assert raises(StorageError, v.put, "a", b"2").detail == "nvs -4357"
    assert raises(StorageError, v.put, "a", b"2").detail == "nvs -4357" and v.get("a") == b"1"


def test_where_nvs_fails_at_the_marker_nothing_is_touched_until_a_start_has_seen_which_counts():
    class Failing(FakeNvs):
        fails = ""

        def set_blob(self, key, value):
            if self.fails == "before" and key.startswith("/marker"):
                raise OSError(-0x1105)
            super().set_blob(key, value)
            if self.fails == "after" and key.startswith("/marker"):
                raise OSError(-0x105)

        def commit(self):
            super().commit()
            if self.fails == "commit" and self.trace[-1][0].startswith("/marker"):
                raise OSError(-0x105)

    for fails, stands in (("before", b"old"), ("after", b"new"), ("commit", b"new")):
        nvs = Failing()
        v = vault(nvs)
        v.put("dukpt", b"old")
        nvs.fails = fails
        raises(StorageError, v.put, "dukpt", b"new")
        nvs.fails = ""
        assert raises(StorageError, v.put, "dukpt", b"newer").detail == "vault transaction"
        v = vault(FakeNvs(nvs._now()))
        assert v.get("dukpt") == stands, fails
        v.put("dukpt", b"newer")
        assert v.get("dukpt") == b"newer"


def test_tampering_is_found():
    nvs = FakeNvs()
    v = vault(nvs)
    v.put("device", b"first")
    first = dict(nvs.durable)
    v.put("device", b"second")
    v.put("other", b"second")
    good = dict(nvs.durable)
    for key in good:
        if not key.endswith(("0", "1")) or key.startswith("/"):
            continue
        for at in range(len(good[key])):
            bad = dict(good)
            bad[key] = good[key][:at] + bytes([good[key][at] ^ 1]) + good[key][at + 1 :]
            raises(Tampered, vault(FakeNvs(bad)).get, key[:-2])
        for value in (good[key] + b"\0", good[key][:-1], b"x", None):
            bad = dict(good)
            bad[key] = value
            if value is None:
                del bad[key]
            raises(Tampered, vault(FakeNvs(bad)).get, key[:-2])
    # Another unit's serial, a swapped record, an older record put back, a lost root or no marker at all.
    raises(Tampered, vault, FakeNvs(good), "SIM-2")
    device, other = (next(k for k in good if k.startswith(name)) for name in ("device", "other"))
    swapped = dict(good)
    swapped[device], swapped[other] = good[other], good[device]
    raises(Tampered, vault(FakeNvs(swapped)).get, "device")
    old = dict(good)
    old[device] = first[next(k for k in first if k.startswith("device"))]
    raises(Tampered, vault(FakeNvs(old)).get, "device")
    for keys in (["/root"], ["/marker.0", "/marker.1"]):
        bad = dict(good)
        for key in keys:
            if key == "/root":
                del bad[key]
            else:
                bad[key] = b"\0" * len(bad[key])
        raises(Tampered, vault, FakeNvs(bad))
    bad = dict(good)
    bad["/root"] = b"\1" * 32
    raises(Tampered, vault, FakeNvs(bad))


def test_any_byte_of_anything_changed_is_found():
    """Root, both markers, every record, every byte: none may be another than it was written."""
    nvs = FakeNvs()
    v = vault(nvs)
    for name, data in (
        ("device", b"key"),
        ("wifi", b"one"),
        ("device", b"key 2"),
        ("wifi", b"two"),
        ("dukpt", b"d" * 40),
    ):
        v.put(name, data)
    good = dict(nvs.durable)
    assert len(good) == 1 + 2 + 3
    for key, value in good.items():
        for at in range(len(value)):
            for mask in (1, 0x80, 0xFF):
                bad = dict(good)
                bad[key] = value[:at] + bytes([value[at] ^ mask]) + value[at + 1 :]
                error = raises(Tampered, lambda bad=bad: contents(vault(FakeNvs(bad))))
                assert error.key == "error.tampered" and error.detail.startswith("vault "), (key, at)


def test_a_marker_set_back_is_found():
    nvs = FakeNvs()
    v = vault(nvs)
    v.put("dukpt", b"counter 1")
    v.put("dukpt", b"counter 2")
    v.put("dukpt", b"counter 3")
    newest = max(("/marker.0", "/marker.1"), key=lambda k: nvs.durable[k][:4])
    for value in (b"\0" * 40, None):
        bad = dict(nvs.durable)
        bad[newest] = value
        if value is None:
            del bad[newest]
            raises(Tampered, vault(FakeNvs(bad)).get, "dukpt")
        else:
            raises(Tampered, vault, FakeNvs(bad))


SCRIPT = (
    (("put", "device", b"key" * 11),),
    (("put", "wifi", b"one"),),
    (("put", "wifi", b"two"),),
    (("put", "ticket", b"t" * 300), ("put", "dukpt", b"d" * 400), ("delete", "device"), ("put", "wifi", b"three")),
    (("put", "dukpt", b"e" * 400),),
    (("delete", "wifi"), ("put", "device", b"back")),
    (("delete", "dukpt"),),
)


def play(v, steps, done):
    """Run `steps`; `done` gets the number of those that returned."""
    for number, step in enumerate(steps):
        v.begin()
        for operation in step:
            if operation[0] == "put":
                v.put(operation[1], operation[2])
            else:
                v.delete(operation[1])
        v.commit()
        done[0] = number + 1


def expected(steps):
    values = {}
    for step in steps:
        for operation in step:
            if operation[0] == "put":
                values[operation[1]] = operation[2]
            else:
                values.pop(operation[1], None)
    return values


def test_power_cut_at_every_operation_leaves_all_old_or_all_new():
    operations = FakeNvs()
    play(vault(operations), SCRIPT, [0])
    assert operations.operations > 30
    cuts = 0
    for cut_at in range(operations.operations):
        nvs = FakeNvs(cut_at=cut_at)
        done = [0]
        try:
            play(vault(nvs), SCRIPT, done)
        except PowerCut:
            pass
        old, new = expected(SCRIPT[: done[0]]), expected(SCRIPT[: done[0] + 1])
        for left in nvs.leftovers():
            cuts += 1
            again = FakeNvs(left)
            v = vault(again)
            found = contents(v)
            assert found in (old, new), (cut_at, found)
            # No stale version is left of anything that stands, and it goes on from there, cut again at its start too.
            for name in found:
                assert len([k for k in again.durable if k.startswith(name + ".")]) == 1
            for second in range(4):
                nvs2 = FakeNvs(left, second)
                try:
                    vault(nvs2).put("wifi", b"later")
                except PowerCut:
                    pass
                for left2 in nvs2.leftovers():
                    found2 = contents(vault(FakeNvs(left2)))
                    later = dict(found)
                    later["wifi"] = b"later"
                    assert found2 in (found, later), (cut_at, second)
    assert cuts > 60


def test_a_failing_random_source_seals_nothing():
    class Failing:
        def bytes(self, n):
            raise CryptoError("random source")

    nvs = FakeNvs()
    raises(CryptoError, Vault(nvs, "SIM-1", Failing()).put, "device", b"key")
    assert nvs.durable == {} and nvs.pending == []


def image_of_schema_1():
    """What the first released vault wrote for the unit SIM-1: made by that firmware, and kept."""
    with open("firmware/data/vault-v1.json") as f:
        return {key: bytes.fromhex(value) for key, value in json.load(f).items()}


BEFORE = {
    "device": b"\1" + b"k" * 32,
    "session": b'{"offset": 480, "batch": "000042"}',
    "wifi": b'[["net", "password-1"], ["net2", "password-2"]]',
}


def migrated(v):
    members = contents(v)
    session = json.loads(members["session"])
    return session == {"batch": "000042", "offset": 480, "standing": ""} and members["wifi"] == BEFORE["wifi"]


def test_the_vault_of_an_older_firmware_is_migrated():
    nvs = FakeNvs(image_of_schema_1())
    v = vault(nvs)
    assert v.schema == 1 and contents(v) == BEFORE
    migrate(v)
    assert v.schema == SCHEMA == 2 and migrated(v) and migrated(vault(nvs)) and vault(nvs).schema == 2
    assert Session(vault(nvs), "000001", 0).batch == "000042"
    operations = nvs.operations
    migrate(vault(nvs))
    assert nvs.operations == operations, "a second time changes nothing"


def test_a_cut_at_every_operation_of_a_migration_leaves_the_old_or_the_new():
    whole = FakeNvs(image_of_schema_1())
    migrate(vault(whole))
    seen = set()
    for cut_at in range(whole.operations):
        nvs = FakeNvs(image_of_schema_1(), cut_at)
        try:
            migrate(vault(nvs))
            raise AssertionError("no cut")
        except PowerCut:
            for left in nvs.leftovers():
                v = vault(FakeNvs(left))
                assert migrated(v) if v.schema == 2 else contents(v) == BEFORE, cut_at
                seen.add(v.schema)
                migrate(v)
                assert migrated(v)
    assert seen == {1, 2}


def test_an_empty_vault_has_todays_schema():
    v = vault(FakeNvs())
    assert v.schema == SCHEMA
    migrate(v)
    assert v.names() == []


def test_the_vault_of_a_newer_firmware_is_refused_in_words_and_left_alone():
    nvs = FakeNvs()
    v = vault(nvs)
    v.put("device", b"key")
    marker = json.dumps({"v": SCHEMA + 1, "of": "another form"}).encode()
    sealed = seal(v._key, v._associated("/marker", 2), marker)
    nvs.set_blob("/marker.0", (2).to_bytes(4, "big") + sealed)
    nvs.commit()
    durable = dict(nvs.durable)
    error = raises(StorageError, vault, nvs)
    assert error.key == "error.newer" and error.detail == "vault schema 3"
    assert not isinstance(error, Tampered) and nvs.durable == durable
