"""The operators' HTTP API: one table of paths, who may ask, and what must be sent.

A request passes, in this order: rate limit, session, role, form, and then its handler, which runs in a worker thread.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import Response

from microtill.acquirer import jose
from microtill.acquirer.activation import Activation
from microtill.acquirer.admin import Admin
from microtill.acquirer.audit import Actor
from microtill.acquirer.batches import Batches
from microtill.acquirer.database import Database
from microtill.acquirer.operators import ADMINISTRATOR, AUDITOR, ROLES, TECHNICIAN, Operators
from microtill.acquirer.problems import Problem, malformed
from microtill.acquirer.shapes import LABEL, Check, ShapeError, integer, one_of, printable, record, text
from microtill.acquirer.throttle import Buckets
from microtill.acquirer.tickets import MODES, MOVE, TicketOffice
from microtill.acquirer.work import KINDS, RESULTS, WorkList

_READ, _ACT = frozenset({ADMINISTRATOR, AUDITOR}), frozenset({ADMINISTRATOR})
_FIELD = frozenset({TECHNICIAN, ADMINISTRATOR})
_ALL = frozenset(ROLES)

_PAGE = 100
_PAGE_MAX = 1000

_TID, _MID = r"[0-9A-Z]{8}", r"[0-9]{15}"
_HEAD = r"[0-9]{1,16}:[0-9a-f]{64}"  # of the audit log, as a check tells it
_CLIENT = printable(0, 80)
_TOKEN = text(r"[A-Za-z0-9_.-]{0,8000}")
_NOTE = printable(0, 120)
_NAME = text(r"[a-z][a-z0-9._-]{0,31}")
_PATH = {"tid": _TID, "mid": _MID, "name": r"[a-z][a-z0-9._-]{0,31}", "id": r"[1-9][0-9]{0,15}"}


@dataclass(frozen=True)
class Call:
    """A request that passed every check. `actor` is nobody where no session is asked for."""

    actor: Actor
    address: str
    token: str = ""
    expires: int = 0
    body: dict[str, Any] = field(default_factory=dict)
    path: dict[str, str] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)


Handler = Callable[[Call], Any]


@dataclass(frozen=True)
class Endpoint:
    """`roles`: who may; none at all asks for no session. `anonymous`: the body with which nobody need sign in."""

    method: str
    path: str
    roles: frozenset[str]
    handle: Handler
    body: Check | None = None
    anonymous: Check | None = None
    query: dict[str, Check] = field(default_factory=dict)
    status: int = 200


class Api:
    """The endpoints over one acquirer's parts."""

    def __init__(self, database: Database, operators: Operators, office: TicketOffice, activation: Activation):
        self._database = database
        self._operators = operators
        self._office = office
        self._activation = activation
        self._work = WorkList(database)
        self._batches = Batches(database)
        self._by_address = Buckets(rate=10, burst=60)
        self._by_operator = Buckets(rate=50, burst=200)

    def endpoints(self) -> list[Endpoint]:
        """Every path of the API."""
        page = {"limit": integer(1, _PAGE_MAX)}
        numbered = page | {"after": integer(0, 2**53)}
        tid = {"tid": text(_TID)}
        return [
            Endpoint("POST", "/v1/sessions", frozenset(), self._sign_in, _SIGN_IN, status=201),
            Endpoint("GET", "/v1/sessions", _READ, lambda c: {"sessions": self._operators.sessions()}),
            Endpoint("GET", "/v1/sessions/current", _ALL, self._current),
            Endpoint("DELETE", "/v1/sessions/current", _ALL, self._sign_out, status=204),
            Endpoint("POST", "/v1/sessions/current/password", _ALL, self._change_password, _PASSWORD, status=204),
            Endpoint("POST", "/v1/tickets", _FIELD, self._ticket, _TICKET, anonymous=_CODE_TICKET),
            Endpoint("GET", "/v1/trust", _ALL, lambda c: {"token": self._office.trust}),
            Endpoint("POST", "/v1/activation-codes", _FIELD, self._code, _CODE, status=201),
            Endpoint("GET", "/v1/work", _ALL, self._list_work),
            Endpoint("POST", "/v1/work", _ACT, self._add_work, _WORK, status=201),
            Endpoint("POST", "/v1/work/{id}/cancel", _ACT, self._cancel_work, status=204),
            Endpoint("POST", "/v1/outcomes", _FIELD, self._report, _OUTCOME, status=201),
            Endpoint("GET", "/v1/outcomes", _READ, self._outcomes, query=numbered | tid),
            Endpoint("GET", "/v1/merchants", _READ, lambda c: {"merchants": self._admin(c).merchants()}),
            Endpoint("POST", "/v1/merchants", _ACT, self._add_merchant, _MERCHANT, status=201),
            *(
                Endpoint("POST", f"/v1/merchants/{{mid}}/{act}", _ACT, self._set_merchant(act))
                for act in ("suspend", "resume")
            ),
            Endpoint("GET", "/v1/merchants/{mid}", _ALL, lambda c: self._admin(c).merchant(c.path["mid"])),
            Endpoint("GET", "/v1/terminals", _READ, self._terminals, query=page | {"after": text(_TID)}),
            Endpoint("POST", "/v1/terminals", _ACT, self._add_terminal, _TERMINAL, status=201),
            Endpoint("GET", "/v1/terminals/{tid}", _ALL, lambda c: self._admin(c).terminal(c.path["tid"])),
            *(
                Endpoint("POST", f"/v1/terminals/{{tid}}/{act}", _ACT, self._set_terminal(act))
                for act in ("suspend", "resume", "revoke")
            ),
            Endpoint("POST", "/v1/terminals/{tid}/clear", _ACT, self._clear, _REASON),
            Endpoint("POST", "/v1/terminals/{tid}/close-batch", _ACT, self._close_batch),
            Endpoint("GET", "/v1/closed-batches", _READ, self._closed_batches, query=tid),
            Endpoint("GET", "/v1/suspense", _READ, self._suspense, query=tid | {"all": one_of("0", "1")}),
            Endpoint("POST", "/v1/suspense/{id}/resolve", _ACT, self._resolve, _REASON),
            Endpoint("GET", "/v1/operators", _READ, lambda c: {"operators": self._operators.accounts()}),
            Endpoint("POST", "/v1/operators", _ACT, self._add_operator, _OPERATOR, status=201),
            Endpoint("POST", "/v1/operators/{name}/disable", _ACT, self._disable, status=204),
            Endpoint("POST", "/v1/operators/{name}/reset", _ACT, self._reset),
            Endpoint("POST", "/v1/operators/{name}/revoke-sessions", _ACT, self._revoke_sessions),
            Endpoint("GET", "/v1/audit/check", _READ, self._check_audit, query={"since": text(_HEAD)}),
            Endpoint("GET", "/v1/audit", _READ, self._audit, query=numbered | {"alarms": one_of("0", "1")}),
        ]

    # -- the way in ------------------------------------------------------------------------------------------------

    async def answer(self, endpoint: Endpoint, request: Request, body: bytes) -> Response:
        """Raises Problem."""
        call = await self._admit(endpoint, request, body)
        told = await to_thread.run_sync(endpoint.handle, call)
        headers = {"cache-control": "no-store"}
        if endpoint.status == 204:
            return Response(status_code=204, headers=headers)
        return Response(jose.compact(told), endpoint.status, headers, "application/json")

    async def _admit(self, endpoint: Endpoint, request: Request, body: bytes) -> Call:
        address = request.client.host if request.client else ""
        token = _bearer(request)
        if token is None:
            self._by_address.take(address)
            if endpoint.roles and not endpoint.anonymous:
                raise _sign_in_first()
            call = Call(Actor("?", "", address), address)
        else:
            if len(token) > 100:
                raise _sign_in_first()
            actor, expires = await to_thread.run_sync(self._operators.identify, token)
            self._by_operator.take(actor.name)
            if endpoint.roles and actor.role not in endpoint.roles:
                who = " or ".join(sorted(endpoint.roles))
                raise Problem(403, "forbidden", f"this is for: {who}")
            call = Call(replace(actor, address=address), address, token, expires)
        return replace(
            call,
            body=_body(endpoint, body, token is not None),
            path=_path(request),
            query=_query(endpoint, request),
        )

    def _admin(self, call: Call) -> Admin:
        return Admin(self._database, call.actor)

    # -- sessions --------------------------------------------------------------------------------------------------

    def _sign_in(self, call: Call) -> dict[str, Any]:
        said = call.body
        client = said.get("client", "")
        made = self._operators.sign_in(said["name"], said["password"], said["totp"], call.address, client)
        return {"token": made.token, "expires": made.expires, "name": made.name, "role": made.role}

    def _current(self, call: Call) -> dict[str, Any]:
        return {"name": call.actor.name, "role": call.actor.role, "expires": call.expires}

    def _sign_out(self, call: Call) -> None:
        self._operators.sign_out(call.actor, call.token)

    def _change_password(self, call: Call) -> None:
        said = call.body
        self._operators.change_password(call.actor, call.token, said["password"], said["totp"], said["new"])

    # -- a technician's day ----------------------------------------------------------------------------------------

    def _ticket(self, call: Call) -> dict[str, Any]:
        said = call.body
        if "code" in said:
            return self._office.activate(said["code"], said["keyreq"], call.address).members()
        return self._office.issue(
            call.actor, said["tid"], said["keyreq"], said.get("mode"), said.get("work"), said.get("mid")
        ).members()

    def _code(self, call: Call) -> dict[str, Any]:
        made = self._activation.issue(call.actor, call.body["tid"], call.body["serial"])
        return {"code": made.code, "expires": made.expires}

    def _list_work(self, call: Call) -> dict[str, Any]:
        name = call.actor.name if call.actor.role == TECHNICIAN else None
        return {"work": self._work.open_items(name)}

    def _report(self, call: Call) -> dict[str, Any]:
        said = call.body
        return self._work.report(
            call.actor,
            said["tid"],
            said["serial"],
            said["version"],
            said["result"],
            said.get("detail", ""),
            said.get("client", call.actor.client),
        )

    # -- administration --------------------------------------------------------------------------------------------

    def _add_work(self, call: Call) -> dict[str, Any]:
        return self._work.add(call.actor, **call.body)

    def _cancel_work(self, call: Call) -> None:
        self._work.cancel(call.actor, int(call.path["id"]))

    def _outcomes(self, call: Call) -> dict[str, Any]:
        query = call.query
        found = self._work.outcomes(query.get("tid"), query.get("after", 0), query.get("limit", _PAGE))
        return {"outcomes": found}

    def _terminals(self, call: Call) -> dict[str, Any]:
        return {"terminals": self._admin(call).terminals(call.query.get("after", ""), call.query.get("limit", _PAGE))}

    def _add_merchant(self, call: Call) -> dict[str, Any]:
        return self._admin(call).add_merchant(**call.body)

    def _set_merchant(self, act: str) -> Handler:
        return lambda call: self._admin(call).set_merchant(call.path["mid"], act)

    def _add_terminal(self, call: Call) -> dict[str, Any]:
        return self._admin(call).add_terminal(call.body["mid"], call.body["tid"])

    def _set_terminal(self, act: str) -> Handler:
        return lambda call: self._admin(call).set_terminal(call.path["tid"], act)

    def _clear(self, call: Call) -> dict[str, Any]:
        return self._admin(call).clear_terminal(call.path["tid"], call.body["note"])

    def _close_batch(self, call: Call) -> dict[str, Any]:
        return self._batches.close(call.actor, call.path["tid"])

    def _closed_batches(self, call: Call) -> dict[str, Any]:
        return {"batches": self._batches.closed_batches(call.query.get("tid"))}

    def _suspense(self, call: Call) -> dict[str, Any]:
        return {"suspense": self._batches.suspense(call.query.get("all") == "1", call.query.get("tid"))}

    def _resolve(self, call: Call) -> dict[str, Any]:
        return self._batches.resolve(call.actor, int(call.path["id"]), call.body["note"])

    def _add_operator(self, call: Call) -> dict[str, Any]:
        return vars(self._operators.add(call.actor, call.body["name"], call.body["role"]))

    def _disable(self, call: Call) -> None:
        self._operators.disable(call.actor, call.path["name"])

    def _reset(self, call: Call) -> dict[str, Any]:
        return vars(self._operators.reset(call.actor, call.path["name"]))

    def _revoke_sessions(self, call: Call) -> dict[str, Any]:
        return {"ended": self._operators.revoke_sessions(call.actor, call.path["name"])}

    def _audit(self, call: Call) -> dict[str, Any]:
        query = call.query
        return {
            "audit": self._admin(call).audit_rows(
                query.get("after", 0), query.get("limit", _PAGE), query.get("alarms") == "1"
            )
        }

    def _check_audit(self, call: Call) -> dict[str, Any]:
        n, _, chain = call.query.get("since", "").partition(":")
        return vars(self._admin(call).verify_audit((int(n), chain) if chain else None))


# -- forms -------------------------------------------------------------------------------------------------------------

_SIGN_IN = record(
    {"name": printable(1, 64), "password": printable(1, 256), "totp": text(r"[0-9]{6}")}, {"client": _CLIENT}
)
_PASSWORD = record({"password": printable(1, 256), "totp": text(r"[0-9]{6}"), "new": printable(1, 256)})
_TICKET = record(
    {"keyreq": _TOKEN, "tid": text(_TID)},
    {"mid": text(_MID), "mode": one_of(*MODES, MOVE), "work": integer(1, 2**53)},
)
_CODE_TICKET = record({"keyreq": _TOKEN, "code": text(r"[0-9]{10}")})
_CODE = record({"tid": text(_TID), "serial": LABEL})
_WORK = record({"tid": text(_TID), "kind": one_of(*KINDS)}, {"serial": LABEL, "assigned": _NAME, "note": _NOTE})
_OUTCOME = record(
    {"tid": text(_TID), "serial": LABEL, "version": integer(1, 2**21 - 1), "result": one_of(*RESULTS)},
    {"detail": _NOTE, "client": _CLIENT},
)
_OPERATOR = record({"name": _NAME, "role": one_of(*ROLES)})
_MERCHANT = record(
    {"mid": text(_MID), "name": printable(1, 40)}, {"address": printable(0, 80), "phone": printable(0, 24)}
)
_TERMINAL = record({"mid": text(_MID), "tid": text(_TID)})
_REASON = record({"note": printable(1, 120)})


def _sign_in_first() -> Problem:
    return Problem(401, "session_unknown", "sign in first")


def _bearer(request: Request) -> str | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token if scheme.lower() == "bearer" and token else None


def _body(endpoint: Endpoint, body: bytes, signed_in: bool) -> dict[str, Any]:
    if not body:
        if endpoint.body is None:
            return {}
        if endpoint.anonymous and not signed_in:
            raise _sign_in_first()
        raise malformed("a JSON object is missing")
    try:
        said = jose.parse_json(body, 2)
        if signed_in or not endpoint.anonymous:
            return (endpoint.body or record({}))(said, "")
        if "code" not in said:
            raise _sign_in_first()
        return endpoint.anonymous(said, "")
    except (jose.JoseError, ShapeError) as e:
        raise malformed(f"request: {e}") from e


def _path(request: Request) -> dict[str, str]:
    found = request.path_params
    for name, value in found.items():
        if not re.fullmatch(_PATH[name], value, re.ASCII):
            raise malformed(f"{name} in the path")
    return found


def _query(endpoint: Endpoint, request: Request) -> dict[str, Any]:
    said: dict[str, Any] = {}
    for name, value in request.query_params.multi_items():
        check = endpoint.query.get(name)
        if check is None or name in said:
            raise malformed("unknown or repeated query parameter")
        # A number is what its check takes as a number.
        number = int(value) if re.fullmatch(r"0|[1-9][0-9]{0,15}", value, re.ASCII) else value
        try:
            said[name] = check(value, name)
        except ShapeError:
            try:
                said[name] = check(number, name)
            except ShapeError as e:
                raise malformed(f"query parameter {name}") from e
    return said
