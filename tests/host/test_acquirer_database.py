"""The schema and its migrations, on SQLite and, where it is installed, on PostgreSQL."""

import threading

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from microtill.acquirer.database import HEAD, Database, DatabaseError, alembic_config, next_counter
from microtill.acquirer.tables import Base, Terminal
from sqlalchemy import inspect, select, text
from sqlalchemy.dialects import postgresql
from support.acquirer import local_acquirer, new_card


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
