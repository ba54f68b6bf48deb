"""Whom the terminal talks to, and what it believes: every wrong host or answer ends without a charge, and says why.

The reasons are read from the panel's pixels.
"""

import pytest
from microtill.simulator.script import Player, parse
from microtill.simulator.texts import texts

PROMPT = 'wait "请挥卡" 30'


@pytest.fixture
def player(world, tmp_path):
    yield Player(world, tmp_path, tmp_path)
    world.acquirer.set_certificate("good")
    world.acquirer.clear()
    world.acquirer.up()


def wait_for(world, key: str, seconds: float = 40) -> None:
    world.bench.set_speed(4)
    world.bench.wait(lambda: world.shows(*texts(key)), f"{key} on the panel", seconds)
    world.bench.set_speed(1)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("other_name", "reason.tls_name"),
        ("other_ca", "reason.tls_ca"),
        ("expired", "reason.tls_expired"),
        ("not_yet_valid", "reason.tls_not_yet"),
    ],
)
def test_a_wrong_certificate_stops_the_sale_before_it_begins(world, player, kind, reason):
    before = world.acquirer.sales()
    world.acquirer.set_certificate(kind)  # closes the connection; every new one presents it
    player.play(parse("wifi down\nwait 脱机 60\nwifi up\nwait 连接 60\nkey 1 OK"))
    wait_for(world, reason)
    world.key("OK")
    assert world.acquirer.sales() == before
    world.acquirer.set_certificate("good")
    player.play(parse(f'wait "联机" 90\nkey 1 OK\n{PROMPT}\ntap visa\nwait "交易成功"\nremove\nkey OK'))


def test_plain_http_is_no_acquirer(world, player):
    before = world.acquirer.sales()
    world.acquirer.plain_http()
    player.play(parse("wifi down\nwait 脱机 60\nwifi up\nwait 连接 60\nkey 1 OK"))
    wait_for(world, "reason.tls")
    world.key("OK")
    assert world.acquirer.sales() == before


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("tamper", "reason.signature"),
        ("truncate", "reason.truncated"),
        ("oversize", "reason.oversized"),
        ("chunked", "reason.malformed"),
        ("captive", "reason.malformed"),
    ],
)
def test_a_wrong_answer_is_unknown_with_its_reason_and_then_reversed(world, player, fault, reason):
    before = world.acquirer.sales()
    player.play(parse(f"key 1 2 OK\n{PROMPT}"))
    getattr(world.acquirer, fault)()
    player.play(parse('tap visa\nwait "结果未知" 60'))
    assert world.shows(*texts(reason)), world.read_screen()
    assert not world.shows("交易成功")
    world.bench.remove()
    world.acquirer.clear()
    player.play(parse('wait "上笔已冲正" 120\nkey OK\nwait "输入金额收款"'))
    after = world.acquirer.sales()
    assert after["amount"] == before["amount"]
    assert after["approved"] - after["reversed"] == before["approved"] - before["reversed"]


def test_a_status_in_place_of_the_answer_is_unknown(world, player):
    before = world.acquirer.sales()
    player.play(parse(f"key 1 2 OK\n{PROMPT}"))
    world.acquirer.status(502)
    player.play(parse('tap visa\nwait "结果未知" 60'))
    assert world.shows(*texts("reason.http_status")), world.read_screen()
    world.bench.remove()
    world.acquirer.clear()
    player.play(parse('wait "上笔已冲正" 120\nkey OK'))
    assert world.acquirer.sales()["amount"] == before["amount"]


def test_a_host_that_turns_wrong_during_the_sale_is_unknown(world, player):
    before = world.acquirer.sales()
    player.play(parse(f"key 1 2 OK\n{PROMPT}"))
    world.acquirer.set_certificate("other_ca")
    player.play(parse('tap visa\nwait "结果未知" 60'))
    assert world.shows(*texts("reason.tls_ca")), world.read_screen()
    world.bench.remove()
    world.acquirer.set_certificate("good")
    player.play(parse('wait "上笔已冲正" 120\nkey OK'))
    assert world.acquirer.sales()["amount"] == before["amount"]
