"""The acquirer from the technician's side: its HTTP API, over TLS to the authority that was pinned."""

import json
import ssl
from dataclasses import dataclass
from typing import Any

import httpx

from microtill import __version__
from microtill.device import provisioning_texts, texts
from microtill.device.errors import (
    AcquirerRefused,
    AcquirerUnreachable,
    UsageError,
    VerificationFailed,
)
from microtill.device.probe import clean

CLIENT = f"microtill {__version__}"
ANSWER_SECONDS = 15.0
_DETAIL_MAX = 120
_BODY_MAX = 1 << 20


class SignInAgain(AcquirerRefused):
    """The session is unknown, has expired or was revoked: whatever else is asked with it is refused too."""


@dataclass(frozen=True)
class Issued:
    """A ticket, and whose terminal it makes a unit."""

    token: str
    version: int
    mid: str
    tid: str
    merchant: str


class Acquirer:
    """How the laptop reaches the acquirer. May be used from several threads.

    `ca_pem`: the only authority that is believed; None: those of the system. `session`: token of an operator's session.
    `sni`: the name in the acquirer's certificate, where `url` has an address. Every method raises AcquirerRefused,
    AcquirerUnreachable, or VerificationFailed when whoever answers is not the acquirer.
    """

    def __init__(self, url: str, ca_pem: str | None, session: str = "", sni: str | None = None):
        self.url = url.rstrip("/")
        self._session = session
        self._extensions = {"sni_hostname": sni} if sni else {}
        self._host = {"Host": sni} if sni else {}
        try:
            context = ssl.create_default_context(cadata=ca_pem)
        except (ssl.SSLError, ValueError) as e:
            raise UsageError("error.not_ca", path="CA") from e
        self._client = httpx.Client(verify=context, timeout=ANSWER_SECONDS, follow_redirects=False)

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> "Acquirer":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # -- sessions --------------------------------------------------------------------------------------------------

    def sign_in(self, name: str, password: str, totp: str) -> dict[str, Any]:
        """A session: `token`, `expires` (Unix seconds), `name`, `role`."""
        body = {"name": name, "password": password, "totp": totp, "client": CLIENT}
        return self._ask("POST", "/v1/sessions", body)

    def sign_out(self) -> None:
        """End the session."""
        self._ask("DELETE", "/v1/sessions/current")

    # -- what a technician does ------------------------------------------------------------------------------------

    def work(self) -> list[dict[str, Any]]:
        """The open items of the work list."""
        return self._ask("GET", "/v1/work")["work"]

    def terminal(self, tid: str) -> dict[str, Any]:
        """What the acquirer knows of `tid`."""
        return self._ask("GET", f"/v1/terminals/{tid}")

    def merchant(self, mid: str) -> dict[str, Any]:
        return self._ask("GET", f"/v1/merchants/{mid}")

    def trust(self) -> str:
        """The mt-trust object for blank units."""
        return self._ask("GET", "/v1/trust")["token"]

    def issue(
        self, key_request: str, tid: str, mode: str | None = None, work: int | None = None, mid: str | None = None
    ) -> Issued:
        """The ticket that binds the unit of `key_request` to `tid`."""
        wishes = {"mode": mode, "work": work, "mid": mid}
        body = {"keyreq": key_request, "tid": tid} | {k: v for k, v in wishes.items() if v is not None}
        told = self._ask("POST", "/v1/tickets", body)
        return Issued(told["ticket"], told["version"], told["mid"], told["tid"], str(told["merchant"].get("name", "")))

    def ticket(self, key_request: str, tid: str) -> str:
        """As `issue`; the ticket alone."""
        return self.issue(key_request, tid).token

    def report(self, tid: str, serial: str, version: int, done: bool, detail: str = "") -> None:
        """Record how an installation ended."""
        body = {
            "tid": tid,
            "serial": serial,
            "version": version,
            "result": "done" if done else "failed",
            "detail": clean(detail)[:_DETAIL_MAX],
            "client": CLIENT,
        }
        self._ask("POST", "/v1/outcomes", body)

    def activation_code(self, tid: str, serial: str) -> tuple[str, int]:
        """A new code for that unit's keypad, and until when it is good (Unix seconds)."""
        told = self._ask("POST", "/v1/activation-codes", {"tid": tid, "serial": serial})
        return told["code"], told["expires"]

    # Inside.

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        headers = dict(self._host)
        if self._session:
            headers["Authorization"] = f"Bearer {self._session}"
        try:
            answer = self._client.request(
                method, self.url + path, json=body, headers=headers, extensions=self._extensions
            )
            content = answer.content
        except (httpx.HTTPError, httpx.InvalidURL) as e:
            raise self._transport_error(e) from e
        try:
            said = json.loads(content) if content and len(content) <= _BODY_MAX else {}
        except (ValueError, RecursionError):
            said = None
        if answer.is_success and isinstance(said, dict):
            return said
        raise self._refusal(answer, said if isinstance(said, dict) else {})

    def _transport_error(self, e: Exception) -> Exception:
        # The certificate's fault is a cause of the connection's.
        cause: BaseException | None = e
        while cause is not None:
            if isinstance(cause, ssl.SSLCertVerificationError):
                return VerificationFailed("error.acquirer_certificate", url=self.url, detail=cause.verify_message)
            cause = cause.__cause__ or cause.__context__
        return AcquirerUnreachable(url=self.url, detail=clean(str(e))[:_DETAIL_MAX] or type(e).__name__)

    def _refusal(self, answer: httpx.Response, said: dict[str, Any]) -> Exception:
        code, title = said.get("code"), said.get("title")
        title = clean(title)[:_DETAIL_MAX] if isinstance(title, str) else ""
        if answer.status_code >= 500 or not isinstance(code, str):
            return AcquirerUnreachable(url=self.url, detail=f"HTTP {answer.status_code} {title}".strip())
        if code == "too_many_attempts":
            wait = answer.headers.get("retry-after", "")
            return AcquirerRefused("error.acquirer.too_many_attempts", seconds=wait if wait.isdigit() else "?")
        key = f"error.acquirer.{code}"
        kind = SignInAgain if code in ("session_unknown", "session_expired", "session_revoked") else AcquirerRefused
        if key in provisioning_texts.ACQUIRER and key in texts.TEXTS:
            return kind(key, detail=title)
        return kind(detail=title or clean(code)[:40])
