"""From a blank unit to a merchant's terminal: trust, Wi-Fi, key request, ticket, and consent at the keypad."""

import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx

from microtill.device.console import Console, ConsoleError

CONSENT_SECONDS = 120.0


class ProvisioningError(Exception):
    """A step failed; the text says which and why. The unit is as it was before that step."""


@dataclass
class Acquirer:
    """How the laptop reaches the acquirer: its URL, its CA as PEM, and the token of a technician's session."""

    url: str
    ca_pem: str
    session: str
    sni: str | None = None

    def ticket(self, key_request: str, tid: str) -> str:
        """Ask for the ticket that binds the unit of `key_request` to `tid`."""
        context = ssl.create_default_context(cadata=self.ca_pem)
        headers = {"Authorization": f"Bearer {self.session}"}
        extensions = {"sni_hostname": self.sni} if self.sni else {}
        try:
            with httpx.Client(verify=context, timeout=15) as client:
                answer = client.post(
                    f"{self.url}/v1/tickets",
                    json={"keyreq": key_request, "tid": tid},
                    headers=headers,
                    extensions=extensions,
                )
        except httpx.HTTPError as e:
            raise ProvisioningError(f"acquirer not reached: {e}") from e
        if answer.status_code != 200:
            try:
                title = answer.json().get("title", "")
            except ValueError:
                title = ""
            raise ProvisioningError(f"acquirer refuses the ticket: {title or answer.status_code}")
        return answer.json()["ticket"]


def provision(
    console: Console,
    acquirer: Acquirer,
    trust: str,
    tid: str,
    networks: list[tuple[str, str]],
    consent: Callable[[str], None],
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Provision the unit on `console`.

    `trust`: the acquirer's mt-trust object; `networks`: Wi-Fi names and passwords, best first; `consent(what)` is
    called while the terminal asks the person at its keypad ("trust" or "ticket"), until it goes on.
    """
    try:
        status = console.wait_ready()
        if status["state"] == "blank":
            say("trust object delivered; the panel shows its fingerprint")
            _with_consent(console, console.send("trust", token=trust), "trust", consent)
        console.request("wifi", networks=[list(n) for n in networks])
        say("Wi-Fi set; the terminal makes its key pair and a key request")
        key_request = console.request("key_request")["token"]
        ticket = acquirer.ticket(key_request, tid)
        say("ticket fetched from the acquirer; the panel shows merchant and decoded MID")
        _with_consent(console, console.send("ticket", token=ticket), "ticket", consent)
        deadline = time.monotonic() + CONSENT_SECONDS
        while console.wait_ready()["state"] != "provisioned":
            if time.monotonic() > deadline:
                raise ProvisioningError("the terminal took the ticket and does not come up with it")
            time.sleep(0.05)
    except ConsoleError as e:
        raise ProvisioningError(f"the terminal refuses: {e}") from e


def _with_consent(console: Console, number: int, what: str, consent: Callable[[str], None]) -> None:
    deadline = time.monotonic() + CONSENT_SECONDS
    while console.poll(number) is None:
        if time.monotonic() > deadline:
            raise ProvisioningError(f"nobody confirmed the {what} at the keypad")
        consent(what)
        time.sleep(0.02)
