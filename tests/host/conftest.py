"""Databases for tests: SQLite and, where it is installed, PostgreSQL."""

import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest
from microtill.acquirer.database import Database, DatabaseError
from sqlalchemy import text


@pytest.fixture(scope="module")
def cluster():
    """A PostgreSQL of this test's own, on a Unix socket."""
    if not shutil.which("initdb") or importlib.util.find_spec("psycopg") is None:
        pytest.skip("PostgreSQL (initdb) or psycopg is not installed")
    # Straight under /tmp: a socket's path is limited to about 100 characters.
    path = Path(tempfile.mkdtemp(prefix="microtill-pg-", dir="/tmp"))
    run: dict = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, "cwd": path}
    if os.geteuid() == 0:  # PostgreSQL refuses to run as root
        shutil.chown(path, "postgres")
        run["user"] = "postgres"
    try:
        made = subprocess.run(["initdb", "-D", "db", "-A", "trust", "-U", "till", "-N"], **run)
        assert made.returncode == 0, made.stderr
        options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={path}", "-c", "fsync=off"]
        server = subprocess.Popen(["postgres", "-D", "db", *options], **run)
        try:
            url = f"postgresql+psycopg://till@/postgres?host={path}"
            _wait_for(url, server)
            yield url
        finally:
            server.terminate()
            server.communicate(timeout=30)
    finally:
        shutil.rmtree(path)


def _wait_for(url: str, server: subprocess.Popen) -> None:
    database = Database(url)
    deadline = time.monotonic() + 30
    while True:
        try:
            database.revision()
            break
        except DatabaseError:
            assert server.poll() is None, server.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.05)
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'a.db'}"
        return
    url = request.getfixturevalue("cluster")
    database = Database(url)
    with database.engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    database.close()
    yield url
