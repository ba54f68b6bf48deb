"""The audit log: who did what, in rows that cannot be changed, put in or cut off unseen."""

import threading

import pytest
from microtill.acquirer import audit
from microtill.acquirer.audit import Actor
from microtill.acquirer.database import Database
from microtill.acquirer.tables import AuditHead, AuditRow
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

LI = Actor("li", "technician", "10.0.0.7", "laptop")


@pytest.fixture
def database(url):
    database = Database(url)
    database.migrate()
    yield database
    database.close()


def add(database, *kinds: str) -> None:
    for kind in kinds:
        with database.begin() as session:
            audit.note(session, LI, kind, tid="10000001", serial="U1", detail="现金台", now=1_800_000_000)


def verify(database, since=None) -> audit.Verified:
    with database.read() as session:
        return audit.verify(session, since)


def without_triggers(database, *statements: str) -> None:
    """What somebody does who may do everything in the database."""
    with database.engine.begin() as connection:
        if connection.dialect.name == "sqlite":
            for act in ("UPDATE", "DELETE"):
                connection.execute(text(f"DROP TRIGGER IF EXISTS audit_no_{act}"))
        else:
            connection.execute(text("ALTER TABLE audit DISABLE TRIGGER ALL"))
        for statement in statements:
            connection.execute(text(statement))


def test_an_empty_log_is_whole(database):
    assert verify(database) == audit.Verified(0, audit.START)


def test_rows_say_who_what_which_and_from_where(database):
    add(database, "ticket")
    with database.read() as session:
        (row,) = audit.rows(session)
    assert {k: row[k] for k in ("n", "actor", "role", "address", "client", "kind", "tid", "serial", "detail")} == {
        "n": 1,
        "actor": "li",
        "role": "technician",
        "address": "10.0.0.7",
        "client": "laptop",
        "kind": "ticket",
        "tid": "10000001",
        "serial": "U1",
        "detail": "现金台",
    }


def test_pages(database):
    add(database, *(f"k{n}" for n in range(1, 8)))
    with database.read() as session:
        assert [r["n"] for r in audit.rows(session)] == [1, 2, 3, 4, 5, 6, 7]
        assert [r["n"] for r in audit.rows(session, after=3, limit=2)] == [4, 5]
        assert [r["n"] for r in audit.rows(session, limit=2, newest=True)] == [6, 7]
        assert audit.rows(session, alarms=True) == []


def test_what_is_rolled_back_is_not_in_the_log(database):
    with pytest.raises(ZeroDivisionError), database.begin() as session:
        audit.note(session, LI, "never")
        raise ZeroDivisionError
    add(database, "after")
    with database.read() as session:
        assert [(r["n"], r["kind"]) for r in audit.rows(session)] == [(1, "after")]


def test_one_chain_whoever_writes(database):
    def work():
        add(database, *["ticket"] * 10)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert verify(database).n == 40 and verify(database).broken is None


def test_the_database_refuses_changes(database):
    add(database, "a", "b")
    for statement in ("UPDATE audit SET actor = 'wang'", "DELETE FROM audit WHERE n = 1", "DELETE FROM audit"):
        with pytest.raises(DBAPIError, match="never changed"), database.engine.begin() as connection:
            connection.execute(text(statement))
    assert verify(database).n == 2


CHANGES = {
    "actor": ("UPDATE audit SET actor = 'wang' WHERE n = 3", 3, "changed"),
    "time": ("UPDATE audit SET time = time - 1 WHERE n = 1", 1, "changed"),
    "alarm": ("UPDATE audit SET alarm = TRUE WHERE n = 5", 5, "changed"),
    "nothing for something": ("UPDATE audit SET tid = NULL WHERE n = 2", 2, "changed"),
    "chain": ("UPDATE audit SET chain = '" + "0" * 64 + "' WHERE n = 4", 4, "changed"),
    "swapped": ("UPDATE audit SET detail = 'x' WHERE n = 4", 4, "changed"),
    "taken out": ("DELETE FROM audit WHERE n = 3", 3, "missing"),
    "first taken out": ("DELETE FROM audit WHERE n = 1", 1, "missing"),
    "cut off": ("DELETE FROM audit WHERE n >= 4", 4, "end is missing"),
    "all": ("DELETE FROM audit", 1, "end is missing"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changes_show(database, change):
    add(database, *"abcde")
    statement, row, why = CHANGES[change]
    without_triggers(database, statement)
    found = verify(database)
    assert found.broken == row and why in found.why


def test_a_row_put_in_shows(database):
    add(database, *"abc")
    names = "time, actor, role, address, client, kind, alarm, mid, tid, seq, serial, detail, chain"
    without_triggers(database, f"INSERT INTO audit (n, {names}) SELECT 4, {names} FROM audit WHERE n = 3")
    assert verify(database).broken == 4


def test_a_log_made_anew_does_not_continue_from_a_head_that_was_written_down(database):
    add(database, *"abc")
    written = verify(database)
    add(database, *"de")
    assert verify(database, (written.n, written.chain)).broken is None
    # The whole chain again with another row 2, by somebody who knows how it is made.
    with database.read() as session:
        rows = audit.rows(session)
    rows[1]["actor"], chain, statements = "wang", audit.START, []
    for row in rows:
        chain = audit.link(chain, row)
        statements.append(f"UPDATE audit SET actor = '{row['actor']}', chain = '{chain}' WHERE n = {row['n']}")
    without_triggers(database, *statements, f"UPDATE audit_head SET chain = '{chain}'")
    assert verify(database).broken is None
    found = verify(database, (written.n, written.chain))
    assert found.broken == 3 and "another" in found.why
    without_triggers(database, "DELETE FROM audit", f"UPDATE audit_head SET n = 0, chain = '{audit.START}'")
    assert verify(database).broken is None
    assert "shorter" in verify(database, (written.n, written.chain)).why


def test_the_head_is_one_row(database):
    add(database, "a")
    with database.read() as session:
        assert session.get_one(AuditHead, 1).n == 1
        assert session.get_one(AuditRow, 1).chain == session.get_one(AuditHead, 1).chain
