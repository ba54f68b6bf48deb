"""A terminal's life after its first ticket: renewed, moved, suspended, revoked, copied."""

import base64
import json
import shutil

import pytest
from microtill.acquirer import jose
from microtill.acquirer.process import DEMO_MID, AcquirerProcess
from microtill.bench.partitions import load
from microtill.device.console import ConsoleError
from microtill.device.provisioning import Acquirer
from microtill.paths import BOARDS
from microtill.simulator.texts import texts
from microtill.simulator.world import NETWORK, PASSWORD, World
from support.acquirer import Desk, new_card
from support.terminal import Https, Terminal
from support.worlds import key_amount, sell, until


def office_of(acquirer: AcquirerProcess) -> Acquirer:
    home = acquirer.home
    return Acquirer(
        f"https://127.0.0.1:{acquirer.port}", home.ca.certificate_pem.decode(), acquirer.session, home.config.hosts[0]
    )


def take(world: World, ticket: str) -> None:
    """Deliver a ticket and agree to it at the keypad; the terminal starts anew with it."""
    number = world.console.send("ticket", token=ticket)
    until(world, "screen.ticket")
    resets = len(world.bench.state()["resets"])
    while world.console.poll(number) is None:
        world.key("OK")
    world.bench.wait(lambda: len(world.bench.state()["resets"]) > resets, "the restart")
    world.wait_at_rest()


def why_not(world: World, ticket: str) -> str:
    with pytest.raises(ConsoleError) as e:
        world.console.request("ticket", token=ticket)
    return e.value.error


@pytest.fixture
def own():
    """A terminal and an acquirer of their own: what happens to them is for ever."""
    with AcquirerProcess() as acquirer, World(acquirer=acquirer) as world:
        world.provision()
        world.wait_at_rest()
        yield world
        assert world.bench.violations() == []


def test_a_terminal_is_renewed_by_a_higher_version_only(own):
    office = office_of(own.acquirer)
    first = own.console.request("status")["version"]["ticket"]
    sell(own)
    request = own.console.request("key_request")["token"]
    ticket = office.ticket(request, own.acquirer.tid)
    take(own, ticket)  # sales are open, and stay so: it is the same terminal
    assert own.console.request("status")["version"]["ticket"] == first + 1
    assert own.console.request("status")["open_batch"] is True
    assert why_not(own, ticket) == "error.ticket", "its key request is spent"
    # For a key request of now, and signed by the acquirer itself: not with the version it has, nor a lower one.
    ticket = office.ticket(own.console.request("key_request")["token"], own.acquirer.tid)
    for version in (first, first + 1):
        assert why_not(own, altered(own.acquirer, ticket, version=version)) == "error.ticket_old"
    assert own.console.request("status")["version"]["ticket"] == first + 1
    sell(own)


def test_a_terminal_with_open_sales_is_not_moved(own):
    own.acquirer.add_merchant("898210154110078", "另一商户")
    own.acquirer.add_terminal("50000002", "898210154110078")
    sell(own)
    request = own.console.request("key_request", new_key=True)["token"]
    status, answer = ask_ticket(own.acquirer, {"keyreq": request, "tid": "50000002", "mode": "move"})
    assert (status, answer["code"]) == (409, "not_settled")
    # Nor if the acquirer did not mind: the terminal knows what it has sold.
    status, answer = ask_ticket(own.acquirer, {"keyreq": request, "tid": own.acquirer.tid})
    assert status == 200, answer
    elsewhere = {"mid": "898210154110078", "tid": "50000002", "version": 1, "mode": "new"}
    assert why_not(own, altered(own.acquirer, answer["ticket"], **elsewhere)) == "error.unsettled"
    assert own.console.request("status")["tid"] == own.acquirer.tid


def altered(acquirer: AcquirerProcess, ticket: str, **members) -> str:
    """The same ticket with other `members`, signed with the acquirer's own key."""
    home = acquirer.home
    payload = json.loads(base64.urlsafe_b64decode(ticket.split(".")[1] + "=="))
    payload |= members
    return jose.sign_es256(jose.compact(payload), "mt-ticket", home.provisioning_kid, home.provisioning)


def test_an_empty_terminal_becomes_another_merchants(own):
    own.acquirer.add_merchant("898210154110078", "另一商户")
    own.acquirer.add_terminal("50000002", "898210154110078")
    assert own.console.request("status")["mid"].startswith(DEMO_MID[:3])
    request = own.console.request("key_request", new_key=True)["token"]
    status, answer = ask_ticket(own.acquirer, {"keyreq": request, "tid": "50000002", "mode": "move"})
    assert status == 200, answer
    take(own, answer["ticket"])
    after = own.console.request("status")
    assert (after["tid"], after["merchant"]) == ("50000002", "另一商户")
    sell(own)


def ask_ticket(acquirer: AcquirerProcess, body: dict) -> tuple[int, dict]:
    https = Https(acquirer.port, acquirer.ca_der)
    headers = {"Authorization": f"Bearer {acquirer.session}", "Content-Type": "application/json"}
    try:
        status, _, answer = https.request("POST", "/v1/tickets", json.dumps(body).encode(), headers)
    finally:
        https.close()
    return status, json.loads(answer)


def test_a_suspension_is_kept_over_a_restart_until_a_sign_on_says_otherwise(own):
    own.acquirer.suspend()
    key_amount(own, "9")
    own.bench.tap("visa")
    until(own, "outcome.refused", "action.suspended")
    own.bench.remove()
    own.key("OK")
    until(own, "screen.idle", "action.suspended")
    own.bench.wifi(False)
    own.bench.power_cut()
    own.bench.power_on()
    until(own, "screen.idle", "action.suspended")
    assert own.console.wait_ready()["standing"] == "suspended"
    own.acquirer.resume()
    own.bench.wifi(True)
    own.bench.wait(lambda: own.console.request("status")["standing"] == "", "the sign-on", 60)
    until(own, "screen.idle", "status.online")
    assert not own.shows(*texts("action.suspended"))
    sell(own)


def test_while_it_is_suspended_a_sale_asks_the_acquirer_first_and_no_card(own):
    own.acquirer.suspend()
    own.key("MENU", "1")
    until(own, "action.suspended")
    own.key("OK")
    until(own, "screen.idle", "action.suspended")
    before = own.acquirer.sales()
    own.key("9", "OK")
    until(own, "action.suspended", "footer.ok")
    assert not own.shows(*texts("screen.present"))
    own.key("OK")
    until(own, "screen.idle")
    assert own.acquirer.sales() == before
    own.acquirer.resume()
    sell(own)


def test_a_revoked_terminal_says_so_after_a_restart(own):
    own.acquirer.revoke()
    own.key("MENU", "1")
    until(own, "action.revoked")
    own.key("OK")
    own.bench.power_cut()
    own.bench.power_on()
    until(own, "screen.idle", "action.revoked")
    assert own.console.wait_ready()["standing"] == "revoked"


def test_a_dead_unit_is_replaced_and_refused_when_it_comes_back(own):
    acquirer = own.acquirer
    sell(own)
    own.bench.power_cut()
    administrator = Desk(acquirer, acquirer.new_session("administrator"))
    acquirer.suspend()
    closed = administrator.post(f"/v1/terminals/{acquirer.tid}/close-batch")
    assert (closed["count"], closed["amount"], closed["missing"]) == (1, 1, [])
    acquirer.resume()
    spare = Terminal(acquirer.port, acquirer.ca_der, acquirer.trust, serial="SPARE-1")
    wanted = {"keyreq": spare.key_request(), "tid": acquirer.tid, "mode": "replace"}
    spare.install(Desk(acquirer, acquirer.new_session()).post("/v1/tickets", wanted)["ticket"])
    assert spare.send(spare.sign_on())["batch"] == closed["next"]
    spare.batch = closed["next"]
    own.bench.power_on()
    until(own, "screen.idle", "action.revoked")
    assert own.console.wait_ready()["standing"] == "revoked"
    own.key("9", "OK")
    until(own, "action.revoked", "footer.ok")
    own.key("OK")
    assert acquirer.sales()["amount"] == 1
    assert spare.send(spare.sale(100, new_card()))["outcome"] == "approved", "the spare is not touched by it"


def test_a_vault_that_was_lost_is_recovered_and_what_was_open_is_reversed(tmp_path):
    """The journal knows what was sold: without the vault the unit is nobody's, but not free for anybody."""
    with World(state=tmp_path) as world:
        acquirer = world.acquirer
        world.provision()
        world.wait_at_rest()
        sell(world)
        acquirer.drop_response(close=True)
        key_amount(world, "9")
        world.bench.tap("mastercard")
        until(world, "outcome.unknown")
        world.bench.power_cut()
        world.bench.remove()
        nvs = next(p for p in load(BOARDS / "TILL_ESP32S3" / "partitions.csv", 8 << 20) if p.label == "nvs")
        with (tmp_path / "flash.bin").open("r+b") as flash:
            flash.seek(nvs.offset)
            flash.write(b"\xff" * nvs.size)
        acquirer.clear()
        world.bench.power_on()
        until(world, "screen.not_provisioned")
        status = world.console.wait_ready()
        assert (status["state"], status["unsent"], status["open_batch"]) == ("blank", 1, True)
        number = world.console.send("trust", token=acquirer.trust)
        until(world, "screen.trust")
        while world.console.poll(number) is None:
            world.key("OK")
        until(world, "screen.not_provisioned")
        world.console.request("wifi", networks=[[NETWORK, PASSWORD]])
        request = world.console.request("key_request")["token"]
        status, answer = ask_ticket(acquirer, {"keyreq": request, "tid": acquirer.tid, "mode": "recover"})
        assert status == 200, answer
        for members in ({"mode": "new"}, {"mode": "replace"}, {"tid": "50000002", "version": 9}):
            assert why_not(world, altered(acquirer, answer["ticket"], **members)) == "error.unsettled"
        take(world, answer["ticket"])
        world.bench.wait(lambda: acquirer.sales()["reversed"] == 1, "the reversal", 60)
        until(world, "screen.reversed")
        world.key("OK")
        until(world, "screen.idle")
        sell(world)
        assert acquirer.sales()["amount"] == 2


def test_old_flash_put_back_is_found_by_the_acquirer_and_said_on_the_panel(tmp_path):
    """Nobody can tell the copy from the unit: both sell nothing until an administrator has looked."""
    with AcquirerProcess() as acquirer:
        with World(acquirer=acquirer, state=tmp_path / "a") as world:
            world.provision()
            world.wait_at_rest()
            sell(world)
            world.bench.power_cut()
            shutil.copytree(tmp_path / "a", tmp_path / "b")
            world.bench.power_on()
            world.wait_at_rest()
            sell(world)
            sell(world)
        before = acquirer.sales()["amount"]
        with World(acquirer=acquirer, state=tmp_path / "b") as copy:
            copy.wait_at_rest()
            # Its sign-on may be the very message that the unit sent, and gets that one's answer; a sale never is.
            copy.key("9", "OK")
            copy.bench.wait(lambda: copy.shows(*texts("screen.present"), *texts("action.cloned")), "what it says", 60)
            if copy.shows(*texts("screen.present")):
                copy.bench.tap("mastercard")
                until(copy, "outcome.refused", "action.call")
                copy.bench.remove()
            copy.key("OK")
            until(copy, "screen.idle", "action.cloned")
            assert copy.console.request("status")["standing"] == "cloned"
            copy.key("9", "OK")
            until(copy, "action.cloned", "footer.ok")
            copy.key("OK")
        alarms = {alarm["kind"] for alarm in acquirer.events(alarms=True)}
        assert "flagged" in alarms and alarms & {"cloned", "seq_reused"}, alarms
        with World(acquirer=acquirer, state=tmp_path / "a") as world:
            until(world, "screen.idle", "action.cloned")
            assert acquirer.sales()["amount"] == before
            acquirer.clear_terminal()
            sign_on(world)
            sell(world)
        assert acquirer.sales()["amount"] == before + 1


def sign_on(world: World) -> None:
    """By the menu."""
    world.key("MENU", "1")
    until(world, "screen.signed_on")
    world.key("OK")
    until(world, "screen.idle")
