"""Faults between the acquirer and the terminal, for tests: ASGI middleware outside the acquirer's own code."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from microtill.acquirer import jose

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_PORTAL = b"<!doctype html><title>Free Wi-Fi</title><p>Accept the terms to go online."


class Faults:
    """Wraps `app`; `cut(scope)` closes the connection of a request at once.

    Faults act on POST requests only, so the connection and its pings stay well. Several may be set; each holds for
    its next `times` requests, or until `clear()`.
    """

    NAMES = (
        "slow",
        "drop_request",
        "drop_response",
        "tamper",
        "truncate",
        "oversize",
        "status",
        "stale",
        "captive",
        "chunked",
    )

    def __init__(self, app: App, cut: Callable[[Scope], None]):
        self._app = app
        self._cut = cut
        self._active: dict[str, dict[str, Any]] = {}
        self._answers = [b"", b""]  # the last two that differ
        self.acted = 0

    def set(self, name: str, times: int | None = None, **options: Any) -> None:
        """Raises KeyError for a fault that is not in NAMES."""
        if name not in self.NAMES:
            raise KeyError(name)
        self._active[name] = {"times": times, **options}

    def clear(self) -> None:
        self._active.clear()

    def _take(self) -> dict[str, dict[str, Any]]:
        """The faults of a request that has just come: taken then, or one left over would take the next one's."""
        taken = {}
        for name, fault in list(self._active.items()):
            taken[name] = fault
            if fault["times"] is not None:
                fault["times"] -= 1
                if fault["times"] <= 0:
                    del self._active[name]
        self.acted += len(taken)
        return taken

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        faults = self._take()
        body = await _read(receive)
        if "drop_request" in faults:
            await self._lose(scope, receive, faults["drop_request"])
            return
        status, headers, answer = await self._call(scope, body)
        if "slow" in faults:
            await asyncio.sleep(faults["slow"]["ms"] / 1000)
        if "drop_response" in faults:
            await self._lose(scope, receive, faults["drop_response"])
            return
        if answer != self._answers[-1]:  # a repeated request has the same answer
            self._answers = [self._answers[-1], answer]
        if "stale" in faults and self._answers[0]:
            answer = self._answers[0]
        if "tamper" in faults:
            answer = _tampered(answer, faults["tamper"].get("part", "payload"))
        if "oversize" in faults:
            answer = answer.ljust(faults["oversize"].get("size", 5000), b"A")
        if "status" in faults:
            status, answer = faults["status"]["code"], b"{}"
        if "captive" in faults:
            answer, headers = _PORTAL, [(b"content-type", b"text/html; charset=utf-8")]
        headers = [h for h in headers if h[0].lower() != b"content-length"]
        if "chunked" not in faults:
            headers.append((b"content-length", str(len(answer)).encode()))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        if "truncate" in faults:
            await send({"type": "http.response.body", "body": answer[: len(answer) // 2], "more_body": True})
            await asyncio.sleep(0.05)  # let the half reach the peer before the connection is closed under it
            self._cut(scope)
            return
        await send({"type": "http.response.body", "body": answer, "more_body": False})

    async def _call(self, scope: Scope, body: bytes) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        sent: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            sent.append(message)

        await self._app(scope, receive, send)
        answer = b"".join(m.get("body", b"") for m in sent[1:])
        return sent[0]["status"], list(sent[0]["headers"]), answer

    async def _lose(self, scope: Scope, receive: Receive, fault: dict[str, Any]) -> None:
        """Never answer: close at once, or say nothing until the terminal gives up."""
        if fault.get("close"):
            self._cut(scope)
        while (await receive())["type"] != "http.disconnect":
            continue


async def _read(receive: Receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return body
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


def _tampered(token: bytes, part: str) -> bytes:
    """The answer with its outcome turned round, or with a bit of its signature changed."""
    parts = token.decode("ascii", "replace").split(".")
    if len(parts) != 3:
        return token
    if part == "signature":
        signature = bytearray(jose.unb64url(parts[2]))
        signature[0] ^= 1
        parts[2] = jose.b64url(bytes(signature))
    else:
        payload = json.loads(jose.unb64url(parts[1]))
        payload["outcome"] = "declined" if payload["outcome"] == "approved" else "approved"
        parts[1] = jose.b64url(jose.compact(payload))
    return ".".join(parts).encode()
