"""A ticket by an activation code, fetched over the network by the terminal itself. Loaded while somebody types one."""

import asyncio
import json

from micropython import const

from till.core.errors import AnswerError, InvalidValue, TillError
from till.crypto import jose
from till.services import http
from till.services.link import Link
from till.services.trust import load_trust

DIGITS = const(10)

_ANSWER_MAX = const(12288)
_PATIENCE_MS = const(30000)
_WIFI_S = const(25)
# What the acquirer may say, by its stable code, and the texts for the person. A wrong, a used, an expired and a burned
# code are one and the same to it, so that nobody learns by trying.
_REFUSALS = {
    "code_mistyped": "error.activation_code",
    "code_invalid": "error.activation_refused",
    "too_many_attempts": "error.activation_wait",
    "serial_bound": "error.activation_bound",
    "tid_taken": "error.activation_taken",
    "terminal_revoked": "action.revoked",
    "terminal_flagged": "action.cloned",
    "merchant_suspended": "action.suspended",
}


def check_code(code: str) -> str:
    """`code` if it is ten digits whose check digits (ISO 7064, MOD 97-10) fit; else InvalidValue."""
    if len(code) != DIGITS or [c for c in code if not "0" <= c <= "9"] or int(code) % 97 != 1:
        raise InvalidValue("activation code", key="error.activation_code")
    return code


class Activation:
    """`enrolment`: makes the key request and takes the ticket; `wifi`: brings us to the network."""

    def __init__(self, vault, journal, clock, wifi, enrolment):
        self._vault = vault
        self._journal = journal
        self._clock = clock
        self._wifi = wifi
        self._enrolment = enrolment

    async def fetch(self, code: str):
        """The Offer that `code` opens. LinkError: not reached, the same code may be tried again; TillError: refused.

        The key request that is out is sent again, not a new one: had its answer been lost, the code is spent on it.
        """
        check_code(code)
        trust = load_trust(self._vault)
        if trust is None:
            raise TillError("activation", key="error.no_trust")
        await self._online()
        link = _TicketLink(trust.url, trust.ca, self._wifi, _ANSWER_MAX)
        try:
            answer = await self._ask(link, code, True)
            if answer.get("code") == "keyreq_used":
                answer = await self._ask(link, code, False)
        finally:
            link.close()
        token, said = answer.get("ticket"), answer.get("code")
        if isinstance(said, str):
            raise TillError("activation: " + said[:40], key=_REFUSALS.get(said, "error.activation"))
        if not isinstance(token, str):
            raise AnswerError("neither a ticket nor a refusal", key="reason.malformed")
        return self._enrolment.examine(token, self._journal, self._clock.floor)

    def install(self, offer) -> None:
        """The person has agreed."""
        self._enrolment.install(offer, self._journal)

    def suggest_date(self, year: int, month: int, day: int) -> None:
        """The person says what day it is: certificates are judged by it until the first signed time comes."""
        if not 2000 <= year < 2100 or not 1 <= month <= 12 or not 1 <= day <= 31:
            raise InvalidValue("date")
        # Days from 1970 to the year, by the Gregorian rule, at noon.
        past = year - 1
        days = past * 365 + past // 4 - past // 100 + past // 400 - 719162
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        for n in range(1, month):
            days += (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)[n - 1]
        self._clock.suggest((days + day - 1) * 86400 + 43200)

    async def _online(self) -> None:
        for _ in range(_WIFI_S * 5):
            if self._wifi.connected or self._wifi.reason == "reason.no_wifi":
                return  # the link says what is wrong
            await asyncio.sleep_ms(200)

    async def _ask(self, link, code: str, again: bool) -> dict:
        body = {"keyreq": self._enrolment.key_request(again=again).decode(), "code": code}
        status, answer = await link.ask("/v1/tickets", json.dumps(body).encode(), _PATIENCE_MS)
        if status >= 500:
            raise AnswerError("status %d" % status, key="reason.http_status")
        try:
            return jose.parse_json(answer)
        except TillError as e:
            raise AnswerError(e.detail, key="reason.malformed")


class _TicketLink(Link):
    async def ask(self, path: str, body, timeout_ms: int) -> tuple:
        """POST a JSON `body`; `(status, body of the answer)`, whatever the status."""
        message = http.request("POST", path, self._host, "application/json", body)
        return await self._guard(self._exchange(message), timeout_ms)

    async def _exchange(self, message):
        if not self.connected:
            await self._open()
        await self._send(message)
        answer = await self._receive()
        if answer.content_type not in (b"application/json", b"application/problem+json"):
            raise AnswerError("content type", key="reason.malformed")
        return answer.status, bytes(answer.body())
