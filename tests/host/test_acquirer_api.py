"""The operators' HTTP API: who may ask for what, and in which form."""

import itertools
import json
import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from microtill.acquirer.process import DEMO_MID, DEMO_NAME, AcquirerProcess
from support.acquirer import Desk, new_card
from support.fuzz import examples
from support.terminal import Terminal

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def acquirer():
    with AcquirerProcess() as process:
        yield process


@pytest.fixture(scope="module")
def technician(acquirer):
    return Desk(acquirer, acquirer.new_session("technician", "li"))


@pytest.fixture(scope="module")
def administrator(acquirer):
    return Desk(acquirer, acquirer.new_session("administrator", "boss"))


@pytest.fixture(scope="module")
def auditor(acquirer):
    return Desk(acquirer, acquirer.new_session("auditor", "eye"))


@pytest.fixture
def tid(acquirer):
    name = f"A{next(_numbers):07d}"
    acquirer.add_terminal(name)
    return name


def unit(acquirer, serial="") -> Terminal:
    return Terminal(acquirer.port, acquirer.ca_der, acquirer.trust, serial=serial or f"U{next(_numbers)}")


def get_ticket(desk, unit, tid, **values) -> dict:
    answer = desk.post("/v1/tickets", {"keyreq": unit.key_request(), "tid": tid} | values)
    unit.install(answer["ticket"])
    return answer


# -- who may -----------------------------------------------------------------------------------------------------------

# What each path answers to each role when it is asked with nothing in it: 403 is a closed door, all else an open one.
PATHS = {
    ("GET", "/v1/sessions"): "administrator auditor",
    ("GET", "/v1/sessions/current"): "technician administrator auditor",
    ("POST", "/v1/sessions/current/password"): "technician administrator auditor",
    ("POST", "/v1/tickets"): "technician administrator",
    ("POST", "/v1/activation-codes"): "technician administrator",
    ("GET", "/v1/trust"): "technician administrator auditor",
    ("GET", "/v1/work"): "technician administrator auditor",
    ("POST", "/v1/work"): "administrator",
    ("POST", "/v1/work/999999/cancel"): "administrator",
    ("POST", "/v1/outcomes"): "technician administrator",
    ("GET", "/v1/outcomes"): "administrator auditor",
    ("GET", "/v1/merchants"): "administrator auditor",
    ("POST", "/v1/merchants"): "administrator",
    ("POST", "/v1/merchants/999999999999999/suspend"): "administrator",
    ("POST", "/v1/merchants/999999999999999/resume"): "administrator",
    ("GET", f"/v1/merchants/{DEMO_MID}"): "technician administrator auditor",
    ("GET", "/v1/terminals"): "administrator auditor",
    ("POST", "/v1/terminals"): "administrator",
    ("GET", "/v1/terminals/10000001"): "technician administrator auditor",
    ("POST", "/v1/terminals/NOSUCH00/suspend"): "administrator",
    ("POST", "/v1/terminals/NOSUCH00/resume"): "administrator",
    ("POST", "/v1/terminals/NOSUCH00/revoke"): "administrator",
    ("POST", "/v1/terminals/NOSUCH00/clear"): "administrator",
    ("POST", "/v1/terminals/NOSUCH00/close-batch"): "administrator",
    ("GET", "/v1/closed-batches"): "administrator auditor",
    ("GET", "/v1/suspense"): "administrator auditor",
    ("POST", "/v1/suspense/999999/resolve"): "administrator",
    ("GET", "/v1/operators"): "administrator auditor",
    ("POST", "/v1/operators"): "administrator",
    ("POST", "/v1/operators/nobody/disable"): "administrator",
    ("POST", "/v1/operators/nobody/reset"): "administrator",
    ("POST", "/v1/operators/nobody/revoke-sessions"): "administrator",
    ("GET", "/v1/audit"): "administrator auditor",
    ("GET", "/v1/audit/check"): "administrator auditor",
}


@pytest.mark.parametrize(("method", "path"), PATHS)
def test_roles(acquirer, technician, administrator, auditor, method, path):
    body = {} if method == "POST" else None
    for role, desk in {"technician": technician, "administrator": administrator, "auditor": auditor}.items():
        status, answer = desk.ask(method, path, body)
        if role in PATHS[method, path].split():
            assert status in (200, 400, 404), answer
        else:
            assert (status, answer["code"]) == (403, "forbidden"), role
    for token in ("", "no-such-token", "x" * 5000):
        assert Desk(acquirer, token).refused(method, path, body) == (401, "session_unknown")


def test_the_table_above_is_complete(acquirer):
    from microtill.acquirer.api import Api

    api = Api.__new__(Api)
    listed = {(e.method, e.path) for e in api.endpoints()}
    listed -= {("POST", "/v1/sessions"), ("DELETE", "/v1/sessions/current")}  # tested by signing in and out
    assert len(listed) == len(PATHS)


# -- forms -------------------------------------------------------------------------------------------------------------


def test_forms_that_are_wrong(acquirer, technician, tid):
    nobody = Desk(acquirer)
    good = {"name": "li", "password": "x", "totp": "123456"}
    for body in (
        b"",
        b"[]",
        b"{",
        b'{"name":"li","name":"li","password":"x","totp":"123456"}',
        good | {"extra": 1},
        good | {"totp": 123456},
        good | {"totp": "12345"},
        good | {"totp": "１２３４５６"},
        good | {"name": ""},
        good | {"name": "x" * 65},
        good | {"password": "x" * 257},
        good | {"client": "a\nb"},
        {"name": "li"},
    ):
        assert nobody.refused("POST", "/v1/sessions", body) == (400, "malformed"), body
    outcome = {"tid": tid, "serial": "S", "version": 1, "result": "done"}
    for bad in (
        {"result": "perhaps"},
        {"version": 0},
        {"version": True},
        {"version": 1.0},
        {"detail": "x" * 121},
        {"detail": "\x1b[31m"},
        {"serial": ""},
        {"tid": "lower000"},
        {"tid": tid + "0"},
        {"who": "me"},
    ):
        assert technician.refused("POST", "/v1/outcomes", outcome | bad) == (400, "malformed"), bad


def test_paths_and_methods(technician, administrator):
    assert technician.refused("GET", "/v1/nonsense") == (404, "path_unknown")
    assert technician.refused("GET", "/v1/tickets") == (405, "method")
    assert technician.refused("DELETE", "/v1/work") == (405, "method")
    assert technician.refused("GET", "/v1/terminals/short") == (400, "malformed")
    assert technician.refused("GET", "/v1/terminals/NOSUCH00") == (404, "tid_unknown")
    assert technician.refused("GET", "/v1/merchants/12345") == (400, "malformed")
    assert technician.refused("GET", "/v1/merchants/898210154119999") == (404, "mid_unknown")
    assert administrator.refused("POST", "/v1/work/0/cancel") == (400, "malformed")
    assert administrator.refused("POST", "/v1/work/99999999/cancel") == (404, "work_unknown")


def test_queries(administrator):
    for query in ("limit=0", "limit=1001", "limit=x", "limit=-1", "limit=1&limit=2", "after=1.5", "what=1", "limit=01"):
        assert administrator.refused("GET", f"/v1/audit?{query}") == (400, "malformed"), query
    first = administrator.get("/v1/audit?limit=2")["audit"]
    assert [row["n"] for row in first] == [1, 2]
    assert administrator.get("/v1/audit?after=2&limit=1")["audit"][0]["n"] == 3
    assert len(administrator.get("/v1/terminals?limit=1")["terminals"]) == 1
    tids = [t["tid"] for t in administrator.get("/v1/terminals?after=10000000")["terminals"]]
    assert tids == sorted(tids) and "10000001" in tids


def test_bodies(technician):
    for body, headers in ((b"{}", {"Content-Type": "text/plain"}), (b"{}", {"Content-Encoding": "gzip"})):
        assert technician.ask("POST", "/v1/outcomes", body, **headers)[1]["code"] == "media_type"
    assert technician.refused("POST", "/v1/outcomes", b'{"detail":"' + b"x" * 9000 + b'"}') == (413, "too_large")


def test_nothing_is_cached(technician):
    connection = technician._https._connect()
    connection.request("GET", "/v1/work", headers={"Authorization": f"Bearer {technician.token}"})
    assert connection.getresponse().headers["cache-control"] == "no-store"
    connection.close()


def test_requests_without_end_are_slowed(acquirer):
    with AcquirerProcess() as other:
        desk = Desk(other)
        codes = [desk.refused("GET", "/v1/work")[1]]
        while codes[-1] == "session_unknown" and len(codes) < 2000:
            codes.append(desk.refused("GET", "/v1/work")[1])
    assert len(codes) > 60 and codes[-1] == "too_many_attempts"


@settings(max_examples=examples(40), deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from([p for p in PATHS if p[0] == "POST"]),
    st.one_of(
        st.binary(max_size=200),
        st.dictionaries(
            st.sampled_from(
                [
                    "tid",
                    "serial",
                    "keyreq",
                    "code",
                    "mode",
                    "work",
                    "kind",
                    "note",
                    "name",
                    "role",
                    "result",
                    "version",
                    "detail",
                    "extra",
                ]
            ),
            st.one_of(st.text(max_size=40), st.integers(), st.none(), st.booleans(), st.lists(st.text(max_size=3))),
            max_size=6,
        ),
    ),
)
def test_fuzz_nothing_that_is_sent_is_an_internal_error(acquirer, administrator, at, body):
    method, path = at
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    status, answer = administrator.ask(method, path, octets)
    if status == 429:  # it did ask often
        return
    assert status < 500, answer
    if status >= 400:
        assert re.fullmatch(r"[a-z_]+", answer["code"])


# -- a technician's day ------------------------------------------------------------------------------------------------


def test_from_work_to_outcome(acquirer, technician, administrator, tid):
    item = administrator.post("/v1/work", {"tid": tid, "kind": "install", "note": "front desk", "assigned": "li"})
    (mine,) = [w for w in technician.get("/v1/work")["work"] if w["tid"] == tid]
    assert mine == item
    assert mine["merchant"] == {"name": DEMO_NAME, "address": "示范路 1 号"}
    assert (mine["mid"], mine["kind"], mine["note"], mine["assigned"]) == (DEMO_MID, "install", "front desk", "li")
    terminal = unit(acquirer)
    answer = get_ticket(technician, terminal, tid, work=item["id"], mid=DEMO_MID)
    assert (answer["version"], answer["mid"], answer["tid"]) == (1, DEMO_MID, tid)
    assert answer["merchant"]["name"] == DEMO_NAME
    assert terminal.send(terminal.sign_on())["outcome"] == "approved"
    said = {"tid": tid, "serial": terminal.serial, "version": 1, "result": "done", "client": "test"}
    assert technician.post("/v1/outcomes", said)["closed"] == [item["id"]]
    assert all(w["tid"] != tid for w in technician.get("/v1/work")["work"])
    (outcome,) = administrator.get(f"/v1/outcomes?tid={tid}")["outcomes"]
    assert (outcome["operator"], outcome["serial"], outcome["result"]) == ("li", terminal.serial, "done")
    assert outcome["address"] == "127.0.0.1"
    trail = [r for r in administrator.get("/v1/audit?limit=1000")["audit"] if r["tid"] == tid]
    assert [(r["kind"], r["actor"]) for r in trail] == [
        ("terminal_added", "local"),
        ("work_added", "boss"),
        ("ticket", "li"),
        ("outcome", "li"),
    ]
    assert trail[2]["serial"] == terminal.serial and trail[2]["address"] == "127.0.0.1"


def test_state_of_a_terminal(acquirer, technician, tid):
    state = technician.get(f"/v1/terminals/{tid}")
    assert (state["status"], state["serial"], state["version"], state["flag"]) == ("new", "", 0, None)
    assert state["merchant"]["name"] == DEMO_NAME
    terminal = unit(acquirer)
    get_ticket(technician, terminal, tid)
    terminal.send(terminal.sign_on())
    for amount in (100, 250):
        terminal.send(terminal.sale(amount, new_card()))
    state = technician.get(f"/v1/terminals/{tid}")
    assert (state["status"], state["serial"], state["version"]) == ("active", terminal.serial, 1)
    assert state["open"] == {"count": 2, "amount": 350}
    assert state["batch"] == "000001" and state["fw"] == "0.1.0" and state["last_seen"]


def test_work_of_others(acquirer, technician, administrator, tid):
    acquirer.new_operator("technician", "wang")
    item = administrator.post("/v1/work", {"tid": tid, "kind": "install", "assigned": "wang", "serial": "THATONE"})
    assert item["id"] not in [w["id"] for w in technician.get("/v1/work")["work"]]
    assert item["id"] in [w["id"] for w in administrator.get("/v1/work")["work"]]
    ask = {"keyreq": unit(acquirer).key_request(), "tid": tid, "work": item["id"]}
    assert technician.refused("POST", "/v1/tickets", ask) == (403, "work_not_yours")
    wang = Desk(acquirer, acquirer.new_session("technician", "wang"))
    assert wang.refused("POST", "/v1/tickets", ask) == (409, "serial_wrong")
    assert wang.refused("POST", "/v1/tickets", ask | {"work": 99999999}) == (404, "work_unknown")
    assert wang.refused("POST", "/v1/tickets", ask | {"tid": "10000001"}) == (404, "work_unknown")
    administrator.post(f"/v1/work/{item['id']}/cancel")
    assert wang.refused("POST", "/v1/tickets", ask) == (409, "work_closed")
    assert administrator.refused("POST", f"/v1/work/{item['id']}/cancel") == (409, "work_closed")


def test_work_that_cannot_be(administrator, tid):
    assert administrator.refused("POST", "/v1/work", {"tid": "NOSUCH00", "kind": "install"}) == (404, "tid_unknown")
    said = {"tid": tid, "kind": "install", "assigned": "nobody"}
    assert administrator.refused("POST", "/v1/work", said) == (404, "operator_unknown")
    assert administrator.refused("POST", "/v1/work", {"tid": tid, "kind": "paint"}) == (400, "malformed")


def test_outcomes_of_no_ticket(acquirer, technician, tid):
    said = {"tid": tid, "serial": "S", "version": 1, "result": "failed", "detail": "cable pulled"}
    assert technician.refused("POST", "/v1/outcomes", said) == (404, "ticket_unknown")
    terminal = unit(acquirer)
    get_ticket(technician, terminal, tid)
    assert technician.refused("POST", "/v1/outcomes", said) == (404, "ticket_unknown"), "another serial"
    said["serial"] = terminal.serial
    assert technician.post("/v1/outcomes", said)["closed"] == []


def test_a_failed_outcome_leaves_the_work_open(acquirer, technician, administrator, tid):
    item = administrator.post("/v1/work", {"tid": tid, "kind": "install"})
    terminal = unit(acquirer)
    get_ticket(technician, terminal, tid, work=item["id"])
    said = {"tid": tid, "serial": terminal.serial, "version": 1, "result": "failed", "detail": "cable pulled"}
    technician.post("/v1/outcomes", said)
    assert item["id"] in [w["id"] for w in technician.get("/v1/work")["work"]]


def test_the_merchant_a_technician_believes_in(acquirer, technician, tid):
    acquirer.add_merchant("898210154110077", "Other shop")
    keyreq = unit(acquirer).key_request()
    ask = {"keyreq": keyreq, "tid": tid}
    assert technician.refused("POST", "/v1/tickets", ask | {"mid": "898210154110077"}) == (409, "mid_wrong")
    assert technician.refused("POST", "/v1/tickets", ask | {"mid": "898210154110078"}) == (404, "mid_unknown")
    assert technician.refused("POST", "/v1/tickets", ask | {"mid": "12"}) == (400, "malformed")
    assert technician.post("/v1/tickets", ask | {"mid": DEMO_MID})["version"] == 1, "a refusal burned nothing"


def test_every_refusal_of_a_ticket_has_its_own_code(acquirer, technician, administrator, tid):
    terminal = unit(acquirer)
    ask = {"keyreq": terminal.key_request(), "tid": tid}
    assert technician.refused("POST", "/v1/tickets", ask | {"tid": "NOSUCH00"}) == (404, "tid_unknown")
    assert technician.refused("POST", "/v1/tickets", ask | {"mode": "renew"}) == (409, "tid_empty")
    assert technician.refused("POST", "/v1/tickets", ask | {"mode": "steal"}) == (400, "malformed")
    assert technician.refused("POST", "/v1/tickets", ask | {"keyreq": "a.b.c"}) == (400, "keyreq_invalid")
    assert technician.refused("POST", "/v1/tickets", ask | {"keyreq": "a" * 5000}) == (413, "keyreq_too_long")
    technician.post("/v1/tickets", ask)
    assert technician.refused("POST", "/v1/tickets", ask) == (409, "keyreq_used")
    spare = {"keyreq": unit(acquirer).key_request(), "tid": tid}
    assert technician.refused("POST", "/v1/tickets", spare) == (409, "tid_taken")
    acquirer.suspend_merchant()
    assert technician.refused("POST", "/v1/tickets", spare) == (409, "merchant_suspended")
    acquirer.resume_merchant()
    acquirer.revoke(tid)
    assert technician.refused("POST", "/v1/tickets", spare) == (409, "terminal_revoked")
    expired = Desk(acquirer, acquirer.new_session(name="gone"))
    acquirer.disable("gone")
    assert expired.refused("POST", "/v1/tickets", spare) == (401, "session_revoked")


# -- administration ----------------------------------------------------------------------------------------------------


def test_states_by_http(acquirer, administrator, tid):
    assert administrator.post(f"/v1/terminals/{tid}/suspend")["status"] == "suspended"
    assert administrator.post(f"/v1/terminals/{tid}/resume", {})["status"] == "active"
    assert administrator.refused("POST", f"/v1/terminals/{tid}/resume") == (409, "not_suspended")
    assert administrator.refused("POST", f"/v1/terminals/{tid}/resume", {"x": 1}) == (400, "malformed")
    assert administrator.refused("POST", f"/v1/terminals/{tid}/clear", {"note": "?"}) == (409, "not_flagged")
    assert administrator.post(f"/v1/terminals/{tid}/revoke")["status"] == "revoked"
    assert administrator.refused("POST", f"/v1/terminals/{tid}/resume") == (409, "terminal_revoked")
    trail = [r for r in acquirer.events() if r["tid"] == tid and r["actor"] == "boss"]
    assert [r["kind"] for r in trail] == ["terminal_suspend", "terminal_resume", "terminal_revoke"]


def test_merchants_by_http(acquirer, administrator, technician):
    shop = {"mid": "898210154110099", "name": "新店", "address": "1 Road"}
    assert administrator.post("/v1/merchants", shop)["status"] == "active"
    assert administrator.refused("POST", "/v1/merchants", shop) == (409, "mid_exists")
    assert administrator.refused("POST", "/v1/merchants", shop | {"mid": "12"}) == (400, "malformed")
    wanted = {"mid": shop["mid"], "tid": "NEWSHOP1"}
    assert administrator.post("/v1/terminals", wanted)["status"] == "new"
    assert administrator.refused("POST", "/v1/terminals", wanted) == (409, "tid_exists")
    assert administrator.refused("POST", "/v1/terminals", wanted | {"mid": "9" * 15}) == (404, "mid_unknown")
    (listed,) = [m for m in administrator.get("/v1/merchants")["merchants"] if m["mid"] == shop["mid"]]
    assert (listed["name"], listed["terminals"]) == ("新店", 1)
    assert administrator.post(f"/v1/merchants/{shop['mid']}/suspend")["status"] == "suspended"
    body = {"keyreq": unit(acquirer).key_request(), "tid": "NEWSHOP1"}
    assert technician.refused("POST", "/v1/tickets", body) == (409, "merchant_suspended")
    assert administrator.post(f"/v1/merchants/{shop['mid']}/resume")["status"] == "active"
    trail = [r["kind"] for r in acquirer.events() if r["mid"] == shop["mid"] and r["actor"] == "boss"]
    assert trail == ["merchant_added", "terminal_added", "merchant_suspend", "merchant_resume"]


def test_the_audit_log_is_checked_by_http(administrator):
    first = administrator.get("/v1/audit/check")
    assert (first["broken"], first["why"]) == (None, "") and first["n"] > 0
    head = f"{first['n']}:{first['chain']}"
    assert administrator.get(f"/v1/audit/check?since={head}")["broken"] is None
    other = f"{first['n']}:{'0' * 64}"
    assert administrator.get(f"/v1/audit/check?since={other}")["broken"] == first["n"]
    assert administrator.refused("GET", "/v1/audit/check?since=1") == (400, "malformed")


def test_operators_by_http(acquirer, administrator):
    made = administrator.post("/v1/operators", {"name": "zhao", "role": "technician"})
    assert set(made) == {"name", "role", "password", "totp_uri"}
    twice = {"name": "zhao", "role": "auditor"}
    assert administrator.refused("POST", "/v1/operators", twice) == (409, "operator_exists")
    assert administrator.refused("POST", "/v1/operators", {"name": "zh", "role": "boss"}) == (400, "malformed")
    zhao = Desk(acquirer, acquirer.new_session("technician", "zhao"))
    assert zhao.get("/v1/sessions/current")["name"] == "zhao"
    assert "zhao" in [s["name"] for s in administrator.get("/v1/sessions")["sessions"]]
    assert administrator.post("/v1/operators/zhao/revoke-sessions") == {"ended": 1}
    assert zhao.refused("GET", "/v1/work") == (401, "session_revoked")
    again = administrator.post("/v1/operators/zhao/reset")
    assert again["password"] != made["password"]
    administrator.post("/v1/operators/zhao/disable")
    (row,) = [o for o in administrator.get("/v1/operators")["operators"] if o["name"] == "zhao"]
    assert row["disabled"] and "password" not in row
    assert administrator.refused("POST", "/v1/operators/nobody/reset") == (404, "operator_unknown")
