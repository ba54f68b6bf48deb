"""The schema and its migrations, on SQLite and, where it is installed, on PostgreSQL."""

import threading
import time

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from microtill.acquirer import audit, passwords, totp
from microtill.acquirer.activation import with_check_digits
from microtill.acquirer.admin import LOCAL
from microtill.acquirer.audit import Actor
from microtill.acquirer.batches import Batches
from microtill.acquirer.database import HEAD, Database, DatabaseError, alembic_config, next_counter
from microtill.acquirer.operators import Operators
from microtill.acquirer.problems import Problem
from microtill.acquirer.process import DEMO_MID
from microtill.acquirer.tables import Base, Terminal, Ticket
from microtill.acquirer.work import WorkList
from sqlalchemy import inspect, select, text
from sqlalchemy.dialects import postgresql
from support.acquirer import Direct, local_acquirer, new_card
from support.terminal import Terminal as Unit


def test_head_is_the_newest_migration():
    assert ScriptDirectory.from_config(alembic_config(None)).get_current_head() == HEAD


def test_migrations_make_the_schema_that_the_code_expects(url):
    database = Database(url)
    assert database.revision() is None
    database.migrate()
    database.migrate()
    assert database.revision() == HEAD
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
    database.close()


def test_migrations_go_back(url):
    database = Database(url)
    database.migrate()
    with database.engine.begin() as connection:
        command.downgrade(alembic_config(connection), "base")
    with database.engine.connect() as connection:
        assert set(inspect(connection).get_table_names()) == {"alembic_version"}
    database.migrate()
    database.close()


def test_what_the_first_schema_held_is_kept(url):
    """Tickets keep who got them, replaced units how far they came, and old events begin the audit log."""
    database = Database(url)
    merchant = "'898210154110002', 'Shop', '', '', 'active', '{}', 1"
    ticket = "'T0000001', {n}, 'new', 'S', 'b', 'f', 'j{n}', 'k', 'i{n}', 'n{n}', 1, {retired}, 1"
    names = "tid, version, mode, serial, board, fw, jkt, public_key, ikid, nonce, credential_id, retired, issued"
    with database.engine.begin() as connection:
        command.upgrade(alembic_config(connection), "0001")
        for statement in (
            f"INSERT INTO merchants (mid, name, address, phone, status, parameters, created) VALUES ({merchant})",
            "INSERT INTO terminals VALUES ('T0000001', '898210154110002', 'active', '000007', 8589934601, 12, 'ab',"
            " '000009', 2, 2, '0.1', TRUE, 5, 1)",
            "INSERT INTO credentials (id, name, digest, created) VALUES (1, 'li', 'd', 1)",
            f"INSERT INTO tickets (id, expires, {names}) VALUES (1, 2, {ticket.format(n=1, retired='TRUE')})",
            f"INSERT INTO tickets (id, expires, {names}) VALUES (2, 2, {ticket.format(n=2, retired='FALSE')})",
            "INSERT INTO events (time, kind, alarm, detail) VALUES (1, 'merchant_added', FALSE, '店')",
            "INSERT INTO events (time, kind, alarm, tid, seq, detail) VALUES (2, 'late', TRUE, 'T0000001', 7, '')",
        ):
            connection.execute(text(statement))
    database.migrate()
    with database.read() as session:
        tickets = session.scalars(select(Ticket).order_by(Ticket.id)).all()
        assert [(t.issued_by, t.last_seq, t.last_n) for t in tickets] == [("li", 8589934601, 12), ("li", 0, -1)]
        assert session.get_one(Terminal, "T0000001").flag is None
        found = audit.rows(session)
        assert [(r["n"], r["kind"], r["alarm"], r["detail"]) for r in found] == [
            (1, "merchant_added", False, "店"),
            (2, "late", True, ""),
        ]
        assert audit.verify(session).broken is None
    with database.begin() as session:
        audit.note(session, audit.ACQUIRER, "after")
    with database.engine.begin() as connection:
        command.downgrade(alembic_config(connection), "0001")
        kinds = connection.execute(text("SELECT kind FROM events ORDER BY id")).scalars().all()
        assert kinds == ["merchant_added", "late", "after"]
        holder = "SELECT name FROM credentials JOIN tickets ON credential_id = credentials.id WHERE tickets.id = 2"
        assert connection.execute(text(holder)).scalar() == "li"
    database.migrate()
    with database.read() as session:
        assert audit.verify(session).broken is None
    database.close()


def test_two_technicians_on_either_database(url):
    """Tickets for one unit or one terminal ID, asked for by many at once: one each, and no deadlock."""
    with local_acquirer(url) as local:
        office, admin = local.running.office, local.running.admin
        tids = ["D0000001", "D0000002"]
        for tid in tids:
            admin.add_terminal(DEMO_MID, tid)
        outcomes: list[str] = []

        def work(n: int):
            unit = Unit(0, local.home.ca.der, local.home.trust, serial="ONE")
            try:
                office.issue(Actor(f"tech{n}", "technician"), tids[n % 2], unit.key_request())
                outcomes.append("ticket")
            except Problem as e:
                outcomes.append(e.code)

        threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert sorted(outcomes) == ["in_hand"] * 7 + ["ticket"]
        assert sum(bool(admin.terminal(tid)["serial"]) for tid in tids) == 1
        assert admin.verify_audit().broken is None


def test_an_operators_day_on_either_database(url):
    """Sign-in, code, activation, closing of a batch: the parts with locks of their own."""
    with local_acquirer(url) as local:
        running, home = local.running, local.home
        operators = Operators(home, running.database, cost=passwords.CHEAP)
        account = operators.add(LOCAL, "li", "technician")
        secret = totp.secret_of(account.totp_uri)
        with pytest.raises(Problem):
            operators.sign_in("li", "wrong password", "000000", "10.0.0.1", "")
        token = operators.sign_in("li", account.password, totp.code(secret, time.time()), "10.0.0.1", "").token
        li, _ = operators.identify(token)
        running.admin.add_terminal(DEMO_MID, "D0000009")
        item = WorkList(running.database).add(LOCAL, "D0000009", "install")
        unit = Unit(0, home.ca.der, home.trust, serial="NINE")
        unit.https = Direct(running)
        code = running.activation.issue(li, "D0000009", "NINE").code
        wrong = with_check_digits(f"{(int(code[:8]) + 1) % 10**8:08d}")
        with pytest.raises(Problem):
            running.office.activate(wrong, unit.key_request(), "10.0.0.2")
        unit.install(running.office.activate(code, unit.key_request(), "10.0.0.2").ticket)
        sale = unit.sale(100, new_card())
        assert unit.send(sale)["outcome"] == "approved"
        assert WorkList(running.database).report(li, "D0000009", "NINE", 1, "done", "", "")["closed"] == [item["id"]]
        running.admin.set_terminal("D0000009", "suspend")
        batches = Batches(running.database)
        assert batches.close(LOCAL, "D0000009")["amount"] == 100
        assert unit.send(unit.reversal(sale))["result"] == "reversed"
        (held,) = batches.suspense()
        batches.resolve(LOCAL, held["id"], "paid back")
        assert operators.revoke_sessions(LOCAL, "li") == 1
        assert running.admin.verify_audit().broken is None


def test_schema_of_a_later_version(url):
    database = Database(url)
    database.migrate()
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match="9999"):
        database.migrate()
    database.close()


def test_unreachable_database(tmp_path):
    with pytest.raises(DatabaseError):
        Database(f"sqlite:///{tmp_path}/none/a.db").revision()
    with pytest.raises(DatabaseError):
        Database("no-such-database://x")


def test_sqlite_is_durable(tmp_path):
    database = Database(f"sqlite:///{tmp_path}/a.db")
    with database.engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == 2
        assert connection.execute(text("PRAGMA foreign_keys")).scalar() == 1
    database.close()


def test_rows_are_locked_on_postgresql():
    query = select(Terminal).where(Terminal.tid == "x").with_for_update()
    assert "FOR UPDATE" in str(query.compile(dialect=postgresql.dialect()))


def test_counters_never_repeat(url):
    database = Database(url)
    database.migrate()
    with database.begin() as session:
        assert next_counter(session, "x") == 1
    seen: list[int] = []

    def take():
        for _ in range(20):
            with database.begin() as session:
                seen.append(next_counter(session, "x"))

    threads = [threading.Thread(target=take) for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(seen) == list(range(2, 82))
    database.close()


def test_a_failed_transaction_leaves_nothing(url):
    database = Database(url)
    database.migrate()
    with pytest.raises(ZeroDivisionError), database.begin() as session:
        next_counter(session, "x")
        raise ZeroDivisionError
    with database.begin() as session:
        assert next_counter(session, "x") == 1
    database.close()


def test_selling_on_either_database(url):
    """Sale, repeat, reversal, tombstone, and one card at many terminals at once."""
    with local_acquirer(url) as local:
        unit = local.terminal()
        sale = unit.sale(500, new_card())
        assert len({unit.send(sale).raw for _ in range(2)}) == 1
        assert unit.send(unit.reversal(sale))["result"] == "reversed"
        lost = unit.sale(500, new_card())
        assert unit.send(unit.reversal(lost))["result"] == "not_found"
        assert unit.send(lost)["outcome"] == "refused"
        units = [local.terminal() for _ in range(6)]
        atc = new_card().atc
        messages = [u.sale(100, new_card(atc=atc)) for u in units]
        outcomes: list[str] = []
        threads = [
            threading.Thread(target=lambda u=u, m=m: outcomes.append(u.send(m)["outcome"]))
            for u, m in zip(units, messages, strict=True)
        ]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        assert sorted(outcomes) == ["approved"] + ["declined"] * 5
        totals = local.running.admin.sales()
        assert (totals["approved"], totals["reversed"], totals["amount"]) == (2, 1, 100)
        local.restart()
        assert local.running.admin.sales() == totals
