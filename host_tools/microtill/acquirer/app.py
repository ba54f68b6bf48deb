"""The acquirer's HTTP interface: terminals' messages, and the operators' API; small bodies, nothing compressed."""

from collections.abc import Awaitable, Callable

from anyio import fail_after, to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from microtill.acquirer import jose
from microtill.acquirer.api import Api, Endpoint
from microtill.acquirer.log import Log
from microtill.acquirer.problems import Problem
from microtill.acquirer.service import REQUEST_MAX, Acquirer

BODY_S = 20.0  # a request has one packet or a few; a connection that dribbles is dropped


def _answer(problem: Problem) -> Response:
    """RFC 9457."""
    members = {"type": "about:blank", "title": problem.title, "status": problem.status, "code": problem.code}
    headers = {"retry-after": str(problem.retry_after)} if problem.retry_after else None
    return Response(
        jose.compact(members | problem.members), problem.status, headers, media_type="application/problem+json"
    )


async def _body(request: Request, media_type: str, optional: bool = False) -> bytes:
    """The body, never more than REQUEST_MAX octets of it. Raises Problem."""
    if "content-encoding" in request.headers:
        raise Problem(415, "media_type", "content encoding")
    named = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if named != media_type and not (optional and not named):
        raise Problem(415, "media_type", f"content type is not {media_type}")
    body = b""
    try:
        with fail_after(BODY_S):
            async for chunk in request.stream():
                body += chunk
                if len(body) > REQUEST_MAX:
                    raise Problem(413, "too_large", "request exceeds 8 KiB")
    except TimeoutError as e:
        raise Problem(408, "too_slow", "request did not arrive in time") from e
    return body


def make_app(acquirer: Acquirer, api: Api, log: Log) -> Starlette:
    """The ASGI application. Database and issuer block, so each request runs in a worker thread."""

    def guarded(handle: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                return await handle(request)
            except Problem as e:
                where = request.scope["route"].path  # as it is written in the table: nothing that a caller chose
                log.event("problem", status=e.status, problem=e.code, reason=e.title, where=where)
                return _answer(e)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody is there to read it
            except Exception as e:  # noqa: BLE001 (the last line: logged by type and place, answered without detail)
                log.failure("failed", e)
                return _answer(Problem(500, "internal", "internal error"))

        return endpoint

    async def messages(request: Request) -> Response:
        token = await _body(request, "application/jose")
        answer = await to_thread.run_sync(acquirer.message, token)
        return Response(answer, media_type="application/jose")

    async def ping(request: Request) -> Response:
        return Response(status_code=204)

    def operators(endpoint: Endpoint) -> Route:
        async def handle(request: Request) -> Response:
            body = b""
            if request.method == "POST":
                body = await _body(request, "application/json", optional=endpoint.body is None)
            return await api.answer(endpoint, request, body)

        return Route(endpoint.path, guarded(handle), methods=[endpoint.method])

    async def nowhere(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 405:
            return _answer(Problem(405, "method", "this path does not take this method"))
        return _answer(Problem(404, "path_unknown", "no such path"))

    return Starlette(
        routes=[
            Route("/v1/messages", guarded(messages), methods=["POST"]),
            Route("/v1/ping", ping, methods=["GET"]),
            *(operators(endpoint) for endpoint in api.endpoints()),
        ],
        exception_handlers={404: nowhere, 405: nowhere},
    )
