"""`microtill acquirer`: the reference acquirer's keys, merchants, terminals and server.

Exit status: 0 done; 2 a wrong option or value; 6 the acquirer's data do not allow it (or there are none).
"""

import asyncio
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from microtill.acquirer.config import DEFAULT_NAME, DEFAULT_PORT, Config

if TYPE_CHECKING:
    from microtill.acquirer.admin import Admin

# The acquirer's libraries are slow to import, so each command imports what it runs.

WRONG_VALUE = 2
NOT_POSSIBLE = 6

app = typer.Typer(no_args_is_help=True, help="The reference acquirer: keys, merchants, terminals, server.")
merchant = typer.Typer(no_args_is_help=True, help="Merchants: who is paid.")
terminal = typer.Typer(no_args_is_help=True, help="Terminal IDs, and the units that hold them.")
credential = typer.Typer(no_args_is_help=True, help="Technicians' provisioning credentials.")
app.add_typer(merchant, name="merchant")
app.add_typer(terminal, name="terminal")
app.add_typer(credential, name="credential")

Data = Annotated[Path, typer.Option("--data", "-d", envvar="MICROTILL_ACQUIRER", help="The acquirer's data directory.")]
Json = Annotated[bool, typer.Option("--json", help="JSON in place of a table.")]
Tid = Annotated[str, typer.Argument(help="Terminal ID, 8 digits or capital letters.")]
Mid = Annotated[str, typer.Argument(help="Merchant ID, 15 digits.")]

DATA = Path("acquirer-data")

# Into a pipe or a file a table is as wide as it needs to be.
_WIDE = 160


def _console(stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else _WIDE)


@contextmanager
def _told() -> Iterator[None]:
    """Turn expected errors into one line and an exit status."""
    from microtill.acquirer.admin import AdminError, InvalidArgument
    from microtill.acquirer.database import DatabaseError
    from microtill.acquirer.datadir import DataDirError

    try:
        yield
    except InvalidArgument as e:
        _console(stderr=True).print(f"[red]error:[/] {e}", highlight=False, soft_wrap=True)
        raise typer.Exit(WRONG_VALUE) from e
    except (AdminError, DataDirError, DatabaseError) as e:
        _console(stderr=True).print(f"[red]error:[/] {e}", highlight=False, soft_wrap=True)
        raise typer.Exit(NOT_POSSIBLE) from e


@contextmanager
def _admin(data: Path) -> "Iterator[Admin]":
    from microtill.acquirer.admin import Admin
    from microtill.acquirer.database import Database
    from microtill.acquirer.datadir import DataDir

    with _told():
        database = Database(DataDir(data).database_url)
        try:
            database.migrate()
            yield Admin(database)
        finally:
            database.close()


def _time(value: int | None) -> str:
    return datetime.fromtimestamp(value).astimezone().strftime("%y-%m-%d %H:%M:%S") if value else ""


def _money(value: int | None) -> str:
    return "" if value is None else f"¥{value // 100}.{value % 100:02d}"


_FORMS: dict[str, Callable[[Any], str]] = {
    "created": _time,
    "revoked": _time,
    "last_seen": _time,
    "time": _time,
    "amount": _money,
    "alarm": lambda v: "ALARM" if v else "",
}


def _cell(name: str, value: Any) -> str:
    if name in _FORMS:
        return _FORMS[name](value)
    if value is None:
        return ""
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else str(value)


def _json(value: Any) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=1) + "\n")


def _rows(rows: list[dict[str, Any]], names: str, as_json: bool) -> None:
    if as_json:
        _json(rows)
        return
    table = Table(header_style="bold", box=None, pad_edge=False)
    for name in names.split():
        table.add_column(name, overflow="fold", justify="right" if name == "amount" else "left")
    for row in rows:
        table.add_row(*(_cell(n, row[n]) for n in names.split()))
    _console().print(table)


def _one(row: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _json(row)
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in row.items():
        table.add_row(f"[bold]{name}[/]", _cell(name, value))
    _console().print(table)


# -- the acquirer ------------------------------------------------------------------------------------------------------


@app.command()
def init(
    data: Data = DATA,
    host: Annotated[list[str] | None, typer.Option(help="A further host name or address of the server.")] = None,
    url: Annotated[str, typer.Option(help="Where terminals reach it.")] = f"https://{DEFAULT_NAME}:{DEFAULT_PORT}",
    name: Annotated[str, typer.Option(help="The acquirer's name, shown to technicians.")] = Config.name,
    database: Annotated[str, typer.Option(help="SQLAlchemy URL; SQLite in the data directory if not given.")] = "",
    offset: Annotated[int, typer.Option(min=-840, max=840, help="Minutes east of UTC.")] = Config.offset,
) -> None:
    """Make certificate authority, server certificate, keys and database."""
    from microtill.acquirer.admin import InvalidArgument
    from microtill.acquirer.database import Database
    from microtill.acquirer.datadir import DataDir

    with _told():
        if not url.startswith("https://") or "/" in url[8:]:
            raise InvalidArgument("--url: https://name[:port], without a path")
        if not 1 <= len(name) <= 40:
            raise InvalidArgument("--name: 1 to 40 characters")
        named = url[8:].partition(":")[0]
        hosts = [named]
        hosts += [h for h in (DEFAULT_NAME, *(host or ())) if h not in hosts]
        home = DataDir.create(data, Config(name=name, hosts=hosts, url=url, database_url=database, offset=offset))
        opened = Database(home.database_url)
        opened.migrate()
        opened.close()
    _console().print(f"Acquirer made in [bold]{data}[/] for {', '.join(hosts)}.")
    _console().print(f"  trust object    {data / 'trust.jws'}  (give it to blank terminals)")
    _console().print(f"  key file        {data / 'secrets.json'}  (keep it; production keeps these keys in an HSM)")
    _console().print("Next: `microtill acquirer merchant add`, `terminal add`, `credential add`, `serve`.")


@app.command()
def serve(
    data: Data = DATA,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = DEFAULT_PORT,
) -> None:
    """Serve terminals until Ctrl-C. The structured log goes to the data directory and to standard output."""
    from microtill.acquirer.datadir import DataDir
    from microtill.acquirer.server import Listener, Running
    from microtill.acquirer.server import serve as run

    with _told():
        running = Running(DataDir(data), sys.stdout)

        def ready(listener: Listener) -> None:
            _console(stderr=True).print(
                f"Serving {running.home.config.url} on {host}:{listener.port}; Ctrl-C ends it.", highlight=False
            )

        try:
            asyncio.run(run(running, host, port, ready))
        finally:
            running.close()


@app.command()
def trust(
    data: Data = DATA,
    out: Annotated[Path | None, typer.Option(help="Write the signed object here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The payload, for people.")] = False,
) -> None:
    """The trust object that a blank terminal needs: authority, provisioning key, address."""
    from microtill.acquirer.datadir import DataDir

    with _told():
        home = DataDir(data)
        text = json.dumps(home.trust_payload(), ensure_ascii=False, indent=1) if as_json else home.trust
        if out:
            out.write_text(text, "utf-8")
        else:
            sys.stdout.write(text + "\n")


@app.command()
def transactions(
    data: Data = DATA,
    tid: Annotated[str | None, typer.Option(help="Of this terminal only.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 50,
    as_json: Json = False,
) -> None:
    """Messages and what was answered, oldest first."""
    with _admin(data) as admin:
        rows = admin.transactions(tid, limit)
    if not as_json:
        for row in rows:
            row["note"] = "reversed" if row["reversed"] else row["result"] or row["action"] or row["reason"]
    _rows(rows, "created tid type stan amount outcome rc note pan", as_json)


@app.command()
def totals(data: Data = DATA, as_json: Json = False) -> None:
    """Sales: how many were approved, declined, reversed; the amount that stands."""
    with _admin(data) as admin:
        _one(dict(admin.sales()), as_json)


@app.command()
def events(
    data: Data = DATA,
    alarms: Annotated[bool, typer.Option("--alarms", help="Alarms only.")] = False,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 50,
    as_json: Json = False,
) -> None:
    """The audit trail: alarms, and what administrators did."""
    with _admin(data) as admin:
        rows = admin.events(alarms, limit)
    _rows(rows, "time kind alarm mid tid seq detail", as_json)


app.command("audit", hidden=True)(events)


# -- merchants ---------------------------------------------------------------------------------------------------------


@merchant.command("add")
def merchant_add(
    mid: Mid,
    name: Annotated[str, typer.Option(prompt=True, help="As customers see it.")],
    address: Annotated[str, typer.Option()] = "",
    phone: Annotated[str, typer.Option()] = "",
    data: Data = DATA,
) -> None:
    """Add a merchant. A merchant ID has no check digit: read the parts back before you go on."""
    with _admin(data) as admin:
        admin.add_merchant(mid, name, address, phone)
    _console().print(
        f"Merchant added: [bold]{name}[/], acquirer {mid[:3]}, area {mid[3:7]}, category {mid[7:11]}, no. {mid[11:]}.",
        highlight=False,
    )


@merchant.command("list")
def merchant_list(data: Data = DATA, as_json: Json = False) -> None:
    """All merchants."""
    with _admin(data) as admin:
        rows = admin.merchants()
    _rows(rows, "mid name status terminals phone created", as_json)


@merchant.command("show")
def merchant_show(mid: Mid, data: Data = DATA, as_json: Json = False) -> None:
    """One merchant."""
    with _admin(data) as admin:
        _one(admin.merchant(mid), as_json)


@merchant.command("suspend")
def merchant_suspend(mid: Mid, data: Data = DATA) -> None:
    """Stop a merchant's terminals from selling."""
    with _admin(data) as admin:
        admin.set_merchant(mid, "suspend")
    _console().print(f"Merchant {mid} is suspended.", highlight=False)


@merchant.command("resume")
def merchant_resume(mid: Mid, data: Data = DATA) -> None:
    """Let a suspended merchant's terminals sell again."""
    with _admin(data) as admin:
        admin.set_merchant(mid, "resume")
    _console().print(f"Merchant {mid} is active.", highlight=False)


# -- terminals ---------------------------------------------------------------------------------------------------------


@terminal.command("add")
def terminal_add(mid: Mid, tid: Tid, data: Data = DATA) -> None:
    """Reserve a terminal ID for a merchant; provisioning then binds a unit to it."""
    with _admin(data) as admin:
        admin.add_terminal(mid, tid)
    _console().print(f"Terminal {tid} added for merchant {mid}; it waits for a unit.", highlight=False)


@terminal.command("list")
def terminal_list(data: Data = DATA, as_json: Json = False) -> None:
    """All terminals."""
    with _admin(data) as admin:
        rows = admin.terminals()
    _rows(rows, "tid mid status serial ticket_version batch fw last_seen", as_json)


@terminal.command("show")
def terminal_show(tid: Tid, data: Data = DATA, as_json: Json = False) -> None:
    """One terminal."""
    with _admin(data) as admin:
        _one(admin.terminal(tid), as_json)


def _set(action: str, told: str) -> Callable[[Tid, Data], None]:
    def command(tid: Tid, data: Data = DATA) -> None:
        with _admin(data) as admin:
            admin.set_terminal(tid, action)
        _console().print(f"Terminal {tid} is {told}.", highlight=False)

    return command


terminal.command("suspend", help="Stop a terminal from selling; it may still reverse.")(_set("suspend", "suspended"))
terminal.command("resume", help="Let a suspended terminal sell again.")(_set("resume", "active"))


@terminal.command("revoke")
def terminal_revoke(
    tid: Tid,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = DATA,
) -> None:
    """Refuse everything from a terminal, for ever: for a stolen unit."""
    with _admin(data) as admin:
        admin.terminal(tid)
        if not yes and not typer.confirm(f"Revoke {tid}? This cannot be undone."):
            raise typer.Exit(NOT_POSSIBLE)
        admin.set_terminal(tid, "revoke")
    _console().print(f"Terminal {tid} is revoked.", highlight=False)


# -- credentials -------------------------------------------------------------------------------------------------------


@credential.command("add")
def credential_add(
    name: Annotated[str, typer.Argument(help="Whose it is.")], data: Data = DATA, as_json: Json = False
) -> None:
    """A new provisioning credential, shown this once and kept only as a hash."""
    with _admin(data) as admin:
        made = admin.add_credential(name)
    if as_json:
        _json({"name": name, "credential": made})
    else:
        _console().print(made, highlight=False, soft_wrap=True)


@credential.command("list")
def credential_list(data: Data = DATA, as_json: Json = False) -> None:
    """All credentials, by name."""
    with _admin(data) as admin:
        rows = admin.credentials()
    _rows(rows, "name created revoked", as_json)


@credential.command("revoke")
def credential_revoke(name: Annotated[str, typer.Argument(help="Whose it is.")], data: Data = DATA) -> None:
    """Accept a credential no longer."""
    with _admin(data) as admin:
        admin.revoke_credential(name)
    _console().print(f"Credential {name} is revoked.", highlight=False)
