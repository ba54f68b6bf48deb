"""The acquirer's HTTP interface: three paths, small bodies, nothing compressed."""

from collections.abc import Callable
from typing import Any

from anyio import fail_after, to_thread
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from microtill.acquirer import jose
from microtill.acquirer.log import Log
from microtill.acquirer.service import REQUEST_MAX, Acquirer, Problem
from microtill.acquirer.tickets import TicketError, TicketOffice

BODY_S = 20.0  # a request has one packet or a few; a connection that dribbles is dropped


def _problem(status: int, title: str) -> Response:
    """RFC 9457."""
    body = jose.compact({"type": "about:blank", "title": title, "status": status})
    return Response(body, status, media_type="application/problem+json")


async def _body(request: Request, media_type: str) -> bytes:
    """The body, never more than REQUEST_MAX octets of it. Raises Problem."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != media_type:
        raise Problem(415, f"content type is not {media_type}")
    if "content-encoding" in request.headers:
        raise Problem(415, "content encoding")
    body = b""
    try:
        with fail_after(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > REQUEST_MAX:
                    raise Problem(413, "request exceeds 8 KiB")
    except TimeoutError as e:
        raise Problem(408, "request did not arrive in time") from e
    return body


def make_app(acquirer: Acquirer, office: TicketOffice, log: Log) -> Starlette:
    """The ASGI application. Database and issuer block, so each request runs in a worker thread."""

    def guarded(handle: Callable[[Request], Any]) -> Callable[[Request], Any]:
        async def endpoint(request: Request) -> Response:
            try:
                return await handle(request)
            except (Problem, TicketError) as e:
                log.event("problem", status=e.status, reason=e.title, where=request.url.path)
                return _problem(e.status, e.title)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody is there to read it
            except Exception as e:  # noqa: BLE001 (the last line: logged by type and place, answered without detail)
                log.failure("failed", e)
                return _problem(500, "internal error")

        return endpoint

    async def messages(request: Request) -> Response:
        token = await _body(request, "application/jose")
        answer = await to_thread.run_sync(acquirer.message, token)
        return Response(answer, media_type="application/jose")

    async def tickets(request: Request) -> Response:
        scheme, _, credential = request.headers.get("authorization", "").partition(" ")
        body = await _body(request, "application/json")
        if scheme.lower() != "bearer" or not credential:
            raise TicketError(401, "provisioning credential is missing")
        try:
            asked = jose.parse_json(body, 1)
        except jose.JoseError as e:
            raise TicketError(400, str(e)) from e
        if not {"keyreq", "tid"} <= set(asked) <= {"keyreq", "tid", "mode"}:
            raise TicketError(400, "members are keyreq, tid and, if need be, mode")
        if not all(isinstance(v, str) for v in asked.values()):
            raise TicketError(400, "members are strings")
        ticket = await to_thread.run_sync(office.issue, credential, asked["tid"], asked["keyreq"], asked.get("mode"))
        return Response(jose.compact({"ticket": ticket}), media_type="application/json")

    async def ping(request: Request) -> Response:
        return Response(status_code=204)

    return Starlette(
        routes=[
            Route("/v1/messages", guarded(messages), methods=["POST"]),
            Route("/v1/tickets", guarded(tickets), methods=["POST"]),
            Route("/v1/ping", ping, methods=["GET"]),
        ]
    )
