"""`microtill login` and `microtill logout`: a technician's session at the acquirer."""

import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from microtill.cli import asking, common
from microtill.device import provisioning_texts as _texts  # noqa: F401 - what it says
from microtill.device import session
from microtill.device.errors import AcquirerRefused, AcquirerUnreachable, UsageError
from microtill.device.session import Profile
from microtill.device.texts import t

_TOTP = re.compile(r"[0-9]{6}", re.ASCII)
_CONNECT = re.compile(r"[^\s/@]+:[0-9]{1,5}", re.ASCII)


def login(
    url: Annotated[str | None, typer.Argument(help=t("option.url"), show_default=False)] = None,
    name: Annotated[str | None, typer.Option("--name", "-n", help=t("option.operator"))] = None,
    ca: Annotated[Path | None, typer.Option(help=t("option.ca"))] = None,
    connect: Annotated[str | None, typer.Option(help=t("option.connect"))] = None,
    shell: Annotated[bool, typer.Option("--shell", help=t("option.shell"))] = False,
    as_json: common.JsonOption = False,
    language: common.LanguageOption = None,
) -> None:
    """Sign in to the acquirer."""
    with common.command(as_json, language) as out:
        profile = _profile(url, ca, connect)
        if not shell and not session.has_keyring():
            raise UsageError("error.no_keyring")
        profile, token = _sign_in(profile, name)
        try:
            session.remember(profile)
            if not shell:
                session.keep(profile, token)
        except UsageError:
            _sign_out(profile, token)  # nobody could use it any more
            raise
        if shell:
            _in_a_shell(out, profile, token)
            return
        out.say(t("login.done", name=profile.name, role=profile.role, until=clock(profile.expires)), "green")
        out.result({"ok": True, **_told(profile)})


def logout(as_json: common.JsonOption = False, language: common.LanguageOption = None) -> None:
    """End the session."""
    with common.command(as_json, language) as out:
        profile, token = session.current()
        ended = True
        try:
            with profile.acquirer(token) as acquirer:
                acquirer.sign_out()
        except AcquirerRefused:
            ended = True  # it had ended there already
        except AcquirerUnreachable:
            ended = False
        session.forget(profile)
        session.remember(replace(profile, expires=0))
        out.say(t("logout.done", name=profile.name))
        if not ended:
            out.warn(t("logout.not_told", url=profile.url, until=clock(profile.expires)))
        out.result({"ok": True, "ended": ended, **_told(profile)})


def clock(when: int) -> str:
    """A moment as this computer's wall clock shows it."""
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(when))


def _told(profile: Profile) -> dict[str, object]:
    return {"url": profile.url, "name": profile.name, "role": profile.role, "expires": profile.expires}


def _profile(url: str | None, ca: Path | None, connect: str | None) -> Profile:
    before = session.remembered()
    if url is None:
        if before is None:
            raise UsageError("error.url", url="?")
        url = before.url
    url = _checked(url)
    if connect is not None and not _CONNECT.fullmatch(connect):
        raise UsageError("error.connect")
    profile = Profile(url, connect=connect or "")
    if before is not None and before.url == url:
        profile = replace(profile, ca=before.ca, ca_fingerprint=before.ca_fingerprint)
        profile = replace(profile, connect=connect or before.connect, name=before.name)
    if ca is not None:
        _, fingerprint = session.read_ca(ca)
        profile = replace(profile, ca=str(ca.resolve()), ca_fingerprint=fingerprint)
    return profile


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as e:
        raise UsageError("error.url", url=url[:80]) from e
    plain = not (parts.username or parts.password or parts.query or parts.fragment or parts.path.strip("/"))
    if parts.scheme != "https" or not parts.hostname or not plain:
        # A password in it must not be repeated.
        raise UsageError("error.url", url="…" if "@" in url else url[:80])
    return f"https://{parts.hostname}" + (f":{port}" if port else "")


def _sign_in(profile: Profile, name: str | None) -> tuple[Profile, str]:
    with profile.acquirer() as acquirer:
        name = name or asking.ask(t("login.name"), profile.name)
        password = asking.ask_secret(t("login.password"))
        totp = asking.ask_secret(t("login.totp")).replace(" ", "")
        if not _TOTP.fullmatch(totp):
            raise UsageError("error.totp_form")
        told = acquirer.sign_in(name, password, totp)
    made = replace(profile, name=str(told["name"]), role=str(told["role"]), expires=int(told["expires"]))
    return made, str(told["token"])


def _in_a_shell(out: common.Output, profile: Profile, token: str) -> None:
    """A shell that knows the session; when it ends, the session does."""
    shell = os.environ.get("COMSPEC", "cmd.exe") if os.name == "nt" else os.environ.get("SHELL", "/bin/sh")
    out.say(t("login.shell", name=profile.name, role=profile.role, until=clock(profile.expires)), "green")
    sys.stdout.flush()
    try:
        status = subprocess.run([shell], env={**os.environ, session.ENVIRONMENT: token}, check=False).returncode
    finally:
        _sign_out(profile, token)
    out.say(t("login.shell_ended"))
    raise typer.Exit(max(status, 0))


def _sign_out(profile: Profile, token: str) -> None:
    with suppress(AcquirerRefused), profile.acquirer(token) as acquirer:  # refused: it has ended already
        acquirer.sign_out()
