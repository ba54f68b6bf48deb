"""`microtill activate`: a code with which a unit is bound at its own keypad, without a computer."""

from typing import Annotated

import typer

from microtill.cli import common
from microtill.cli.login import clock
from microtill.device import provisioning_texts as _texts  # noqa: F401 - what it says
from microtill.device import session
from microtill.device.mid import tid as check_tid
from microtill.device.provisioning import look_up
from microtill.device.texts import t


def activate(
    tid: Annotated[str, typer.Option("--tid", "-t", help=t("option.tid"))],
    serial: Annotated[str, typer.Option("--serial", "-s", help=t("option.serial"))],
    dry_run: common.DryRunOption = False,
    as_json: common.JsonOption = False,
    language: common.LanguageOption = None,
) -> None:
    """Have the acquirer issue an activation code."""
    with common.command(as_json, language) as out:
        check_tid(tid)
        profile, token = session.current()
        with profile.acquirer(token) as acquirer:
            merchant = str(look_up(acquirer, tid, None)["merchant"]["name"])
            if dry_run:
                out.say(t("activate.would", tid=tid, serial=serial, merchant=merchant))
                out.result({"ok": True, "dry_run": True, "tid": tid, "serial": serial, "merchant": merchant})
                return
            code, expires = acquirer.activation_code(tid, serial)
        out.say(t("activate.for", tid=tid, serial=serial, merchant=merchant))
        out.say(f"  {code[:5]} {code[5:]}", "bold")
        out.say(t("activate.until", until=clock(expires)))
        told = {"tid": tid, "serial": serial, "merchant": merchant, "code": code, "expires": expires}
        out.result({"ok": True, **told})
