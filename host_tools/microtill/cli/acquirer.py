"""`microtill acquirer`: the reference acquirer's keys, merchants, terminals and server.

Exit status: 0 done; 2 a wrong option or value; 5 the audit log does not verify; 6 the acquirer's data do not allow it
(or there are none).
"""

import asyncio
import getpass
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from microtill.acquirer.config import DEFAULT_NAME, DEFAULT_PORT, Config

if TYPE_CHECKING:
    from microtill.acquirer.activation import Activation
    from microtill.acquirer.admin import Admin
    from microtill.acquirer.audit import Actor
    from microtill.acquirer.batches import Batches
    from microtill.acquirer.operators import Account, Operators
    from microtill.acquirer.shapes import Check
    from microtill.acquirer.work import WorkList

# The acquirer's libraries are slow to import, so each command imports what it runs.

WRONG_VALUE = 2
VERIFICATION_FAILED = 5
NOT_POSSIBLE = 6

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The reference acquirer: keys, merchants, terminals, server."
)
merchant = typer.Typer(no_args_is_help=True, add_completion=False, help="Merchants: who is paid.")
terminal = typer.Typer(no_args_is_help=True, add_completion=False, help="Terminal IDs, and the units that hold them.")
operator = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Accounts of technicians, administrators and auditors."
)
session = typer.Typer(no_args_is_help=True, add_completion=False, help="Who is signed in.")
work = typer.Typer(no_args_is_help=True, add_completion=False, help="What technicians are to do, and how it ended.")
code = typer.Typer(no_args_is_help=True, add_completion=False, help="Activation codes for a terminal's keypad.")
suspense = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Money that arrived for a batch that was closed here."
)
for group, named in (
    (merchant, "merchant"),
    (terminal, "terminal"),
    (operator, "operator"),
    (session, "session"),
    (work, "work"),
    (code, "code"),
    (suspense, "suspense"),
):
    app.add_typer(group, name=named)

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
    from microtill.acquirer.database import DatabaseError
    from microtill.acquirer.datadir import DataDirError
    from microtill.acquirer.problems import Problem

    try:
        yield
    except (Problem, DataDirError, DatabaseError) as e:
        _console(stderr=True).print(f"[red]error:[/] {escape(str(e))}", highlight=False, soft_wrap=True)
        wrong = isinstance(e, Problem) and e.status == 400
        raise typer.Exit(WRONG_VALUE if wrong else NOT_POSSIBLE) from e


@dataclass
class _Desk:
    """The acquirer's parts, for whoever sits at its own machine."""

    actor: "Actor"
    admin: "Admin"
    operators: "Operators"
    work: "WorkList"
    activation: "Activation"
    batches: "Batches"


@contextmanager
def _desk(data: Path) -> Iterator[_Desk]:
    from microtill.acquirer.activation import Activation
    from microtill.acquirer.admin import Admin
    from microtill.acquirer.audit import Actor
    from microtill.acquirer.batches import Batches
    from microtill.acquirer.database import Database
    from microtill.acquirer.datadir import DataDir
    from microtill.acquirer.operators import Operators
    from microtill.acquirer.work import WorkList

    with _told():
        home = DataDir(data)
        database = Database(home.database_url)
        actor = Actor(getpass.getuser()[:40], "local", client="microtill acquirer")
        try:
            database.migrate()
            yield _Desk(
                actor,
                Admin(database, actor),
                Operators(home, database),
                WorkList(database),
                Activation(database, home.secrets),
                Batches(database),
            )
        finally:
            database.close()


@contextmanager
def _admin(data: Path) -> "Iterator[Admin]":
    with _desk(data) as desk:
        yield desk.admin


def _checked(check: "Check", value: str, name: str) -> None:
    from microtill.acquirer.problems import malformed
    from microtill.acquirer.shapes import ShapeError

    try:
        check(value, name)
    except ShapeError as e:
        raise malformed(f"{name} is of a wrong form") from e


def _time(value: int | None) -> str:
    return datetime.fromtimestamp(value).astimezone().strftime("%y-%m-%d %H:%M:%S") if value else ""


def _money(value: int | None) -> str:
    return "" if value is None else f"¥{value // 100}.{value % 100:02d}"


_FORMS: dict[str, Callable[[Any], str]] = {
    "created": _time,
    "expires": _time,
    "disabled": _time,
    "resolved": _time,
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
        table.add_row(*(escape(_cell(n, row.get(n))) for n in names.split()))
    _console().print(table)


def _one(row: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _json(row)
        return
    table = Table(show_header=False, box=None, pad_edge=False)
    for name, value in row.items():
        table.add_row(f"[bold]{name}[/]", escape(_cell(name, value)))
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
    from microtill.acquirer.database import Database
    from microtill.acquirer.datadir import DataDir
    from microtill.acquirer.problems import malformed

    with _told():
        if not url.startswith("https://") or "/" in url[8:]:
            raise malformed("--url: https://name[:port], without a path")
        if not 1 <= len(name) <= 40:
            raise malformed("--name: 1 to 40 characters")
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
    _console().print("Next: `microtill acquirer merchant add`, `terminal add`, `operator add`, `serve`.")


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
def audit(
    data: Data = DATA,
    alarms: Annotated[bool, typer.Option("--alarms", help="Alarms only.")] = False,
    after: Annotated[int, typer.Option(min=0, help="After this number.")] = 0,
    limit: Annotated[int, typer.Option(min=1, help="The newest so many.")] = 50,
    verify: Annotated[bool, typer.Option("--verify", help="Check that no row was changed, put in or cut off.")] = False,
    since: Annotated[str, typer.Option(help="With --verify: a head that was written down, N:HASH.")] = "",
    as_json: Json = False,
) -> None:
    """Who did what to which unit, from where; and alarms. Rows are chained, so that changes show."""
    if verify:
        _verify_audit(data, since, as_json)
        return
    with _admin(data) as admin:
        rows = admin.audit_rows(after, limit, alarms, newest=True)
    _rows(rows, "n time actor role address kind alarm mid tid serial seq detail", as_json)


def _verify_audit(data: Path, since: str, as_json: bool) -> None:
    from microtill.acquirer.problems import malformed

    with _told():
        n, _, head = since.partition(":")
        if since and not (n.isdecimal() and len(head) == 64):
            raise malformed("--since: N:HASH, as --verify prints it")
    with _admin(data) as admin:
        found = admin.verify_audit((int(n), head) if since else None)
    if as_json:
        _json(vars(found))
    elif found.broken is None:
        _console().print(
            f"{found.n} rows, none changed. Head: {found.n}:{found.chain}", highlight=False, soft_wrap=True
        )
    else:
        _console(stderr=True).print(f"[red]error:[/] row {found.broken}: {found.why}", highlight=False)
    if found.broken is not None:
        raise typer.Exit(VERIFICATION_FAILED)


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
    parts = f"acquirer {mid[:3]}, area {mid[3:7]}, category {mid[7:11]}, no. {mid[11:]}"
    _console().print(f"Merchant added: [bold]{escape(name)}[/], {parts}.", highlight=False)


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
    for row in rows if not as_json else ():
        row["state"] = f"flagged: {row['flag']}" if row["flag"] else row["status"]
        row["sales"], row["amount"] = row["open"]["count"], row["open"]["amount"]
    _rows(rows, "tid mid state serial version batch sales amount fw last_seen", as_json)


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


@terminal.command("clear")
def terminal_clear(
    tid: Tid,
    note: Annotated[str, typer.Option(prompt=True, help="What was found.")],
    data: Data = DATA,
) -> None:
    """Let a flagged terminal sell again: a copied or set-back unit was looked for, and dealt with."""
    with _admin(data) as admin:
        admin.clear_terminal(tid, note)
    _console().print(f"Terminal {tid} is clear.", highlight=False)


@terminal.command("close-batch")
def terminal_close_batch(
    tid: Tid,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Close the open batch of a dead unit here. The terminal must be suspended or revoked."""
    with _desk(data) as desk:
        row = desk.admin.terminal(tid)
        count, amount = row["open"]["count"], _money(row["open"]["amount"])
        asked = f"Close batch {row['batch']} of {tid}, {count} sales, {amount}? Its unit can no longer settle it."
        if not yes and not typer.confirm(asked):
            raise typer.Exit(NOT_POSSIBLE)
        closed = desk.batches.close(desk.actor, tid)
    if as_json:
        _json(closed)
        return
    told = f"Batch {closed['batch']} of {tid} is closed: {closed['count']} sales, {_money(closed['amount'])}."
    _console().print(f"{told} Next is {closed['next']}.", highlight=False)
    for seq in closed["missing"]:
        _console().print(f"  never came: seq {seq} (ticket {seq >> 32}, counter {seq & 0xFFFFFFFF})", highlight=False)


@terminal.command("closed")
def terminal_closed(
    tid: Annotated[str | None, typer.Option(help="Of this terminal only.")] = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Batches that were closed here."""
    with _desk(data) as desk:
        rows = desk.batches.closed_batches(tid)
    _rows(rows, "time tid batch count amount missing_count closed_by", as_json)


# -- suspense ----------------------------------------------------------------------------------------------------------


@suspense.command("list")
def suspense_list(
    tid: Annotated[str | None, typer.Option(help="Of this terminal only.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="What was resolved too.")] = False,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """What waits for an administrator."""
    with _desk(data) as desk:
        rows = desk.batches.suspense(everything, tid)
    _rows(rows, "id time tid batch type seq original_seq amount state note resolved_by", as_json)


@suspense.command("resolve")
def suspense_resolve(
    number: Annotated[int, typer.Argument(min=1, help="Of the list.")],
    note: Annotated[str, typer.Option(prompt=True, help="What was done about it.")],
    data: Data = DATA,
) -> None:
    """Take an entry off the list."""
    from microtill.acquirer.shapes import printable

    with _desk(data) as desk:
        _checked(printable(1, 120), note, "--note")
        desk.batches.resolve(desk.actor, number, note)
    _console().print(f"Suspense entry {number} is resolved.", highlight=False)


# -- operators ---------------------------------------------------------------------------------------------------------

Name = Annotated[str, typer.Argument(help="Account name, small letters.")]
Generate = Annotated[bool, typer.Option("--generate", help="Make a random password and show it once.")]


def _password(generate: bool) -> str:
    return "" if generate else typer.prompt("Password", hide_input=True, confirmation_prompt=True)


def _tell(account: "Account", generate: bool, as_json: bool) -> None:
    """The one time that the secrets are shown."""
    if as_json:
        _json(vars(account))
        return
    out = _console()
    out.print(f"Operator {account.name}, {account.role}. What follows is shown this once.", highlight=False)
    if generate:
        out.print(f"  password  {account.password}", highlight=False)
    out.print("  authenticator: scan this, or type the secret in the address below it")
    import segno

    segno.make(account.totp_uri, error="m").terminal(out=sys.stdout, compact=True)
    out.print(f"  {account.totp_uri}", highlight=False, soft_wrap=True)


@operator.command("add")
def operator_add(
    name: Name,
    role: Annotated[str, typer.Option(help="technician, administrator or auditor")] = "technician",
    generate: Generate = False,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Add an account. Its password is asked for, or made; the authenticator's QR code is shown once."""
    with _desk(data) as desk:
        made = desk.operators.add(desk.actor, name, role, _password(generate or as_json))
    _tell(made, generate, as_json)


@operator.command("list")
def operator_list(data: Data = DATA, as_json: Json = False) -> None:
    """All accounts."""
    with _desk(data) as desk:
        rows = desk.operators.accounts()
    _rows(rows, "name role sessions created disabled", as_json)


@operator.command("disable")
def operator_disable(name: Name, data: Data = DATA) -> None:
    """Let an operator in no longer, and end the open sessions."""
    with _desk(data) as desk:
        desk.operators.disable(desk.actor, name)
    _console().print(f"Operator {name} is disabled.", highlight=False)


@operator.command("reset")
def operator_reset(name: Name, generate: Generate = False, data: Data = DATA, as_json: Json = False) -> None:
    """A new password and authenticator, for who lost them; ends open sessions, a lock-out, and a disabling."""
    with _desk(data) as desk:
        made = desk.operators.reset(desk.actor, name, _password(generate or as_json))
    _tell(made, generate, as_json)


@session.command("list")
def session_list(data: Data = DATA, as_json: Json = False) -> None:
    """Open sessions."""
    with _desk(data) as desk:
        rows = desk.operators.sessions()
    _rows(rows, "id name created expires address client", as_json)


@session.command("revoke")
def session_revoke(name: Name, data: Data = DATA) -> None:
    """End every session of an operator, as when a laptop was lost."""
    with _desk(data) as desk:
        ended = desk.operators.revoke_sessions(desk.actor, name)
    _console().print(f"{ended} sessions of {name} ended.", highlight=False)


# -- work and codes ----------------------------------------------------------------------------------------------------


@work.command("add")
def work_add(
    tid: Tid,
    kind: Annotated[str, typer.Option(help="install, replace or move")] = "install",
    serial: Annotated[str | None, typer.Option(help="Of the unit, when it must be that one.")] = None,
    assigned: Annotated[str | None, typer.Option("--for", help="The technician; without, whoever takes it.")] = None,
    note: Annotated[str, typer.Option(help="For the technician.")] = "",
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """Put something on the work list."""
    from microtill.acquirer.shapes import LABEL, one_of, printable
    from microtill.acquirer.work import KINDS

    with _desk(data) as desk:
        _checked(one_of(*KINDS), kind, "--kind")
        _checked(printable(0, 120), note, "--note")
        if serial is not None:
            _checked(LABEL, serial, "--serial")
        item = desk.work.add(desk.actor, tid, kind, serial, assigned, note)
    if as_json:
        _json(item)
    else:
        _console().print(
            f"Work item {item['id']}: {kind} {tid} at {escape(item['merchant']['name'])}.", highlight=False
        )


@work.command("list")
def work_list(data: Data = DATA, as_json: Json = False) -> None:
    """Open items."""
    with _desk(data) as desk:
        rows = desk.work.open_items()
    for row in rows if not as_json else ():
        row["merchant"] = row["merchant"]["name"]
    _rows(rows, "id tid mid merchant kind serial assigned note created", as_json)


@work.command("cancel")
def work_cancel(number: Annotated[int, typer.Argument(min=1, help="Of the list.")], data: Data = DATA) -> None:
    """Take an item off the list."""
    with _desk(data) as desk:
        desk.work.cancel(desk.actor, number)
    _console().print(f"Work item {number} is cancelled.", highlight=False)


@work.command("outcomes")
def work_outcomes(
    tid: Annotated[str | None, typer.Option(help="Of this terminal only.")] = None,
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """What technicians reported."""
    with _desk(data) as desk:
        rows = desk.work.outcomes(tid, limit=1000)
    _rows(rows, "time operator tid serial version result detail client address", as_json)


@code.command("issue")
def code_issue(
    tid: Tid,
    serial: Annotated[str, typer.Argument(help="Of the unit, as its panel shows it.")],
    data: Data = DATA,
    as_json: Json = False,
) -> None:
    """A one-time code that makes the unit that terminal, typed at its keypad within 24 hours."""
    from microtill.acquirer.shapes import LABEL

    with _desk(data) as desk:
        _checked(LABEL, serial, "serial")
        made = desk.activation.issue(desk.actor, tid, serial)
    if as_json:
        _json(vars(made))
        return
    shown = f"{made.code[:5]} {made.code[5:]}"
    _console().print(
        f"Activation code of {escape(serial)} for {tid}: [bold]{shown}[/], until {_time(made.expires)}.",
        highlight=False,
    )
