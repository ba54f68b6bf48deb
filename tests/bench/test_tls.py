"""Whom the terminal talks to, and what it believes: every wrong host or answer ends without a charge, and says why.

The reasons are read from the panel's pixels.
"""

import pytest
from support.worlds import key_amount, sell, until

CERTIFICATES = {
    "other_name": "reason.tls_name",
    "other_ca": "reason.tls_ca",
    "expired": "reason.tls_expired",
    "not_yet_valid": "reason.tls_not_yet",
    "plain HTTP": "reason.tls",
}

ANSWERS = {
    "truncated": (lambda acquirer: acquirer.truncate(), "reason.truncated"),
    "oversized": (lambda acquirer: acquirer.oversize(), "reason.oversized"),
    "chunked": (lambda acquirer: acquirer.chunked(), "reason.malformed"),
    "captive portal": (lambda acquirer: acquirer.captive(), "reason.malformed"),
    "status": (lambda acquirer: acquirer.status(500), "reason.http_status"),
    "stale": (lambda acquirer: acquirer.stale(), "reason.signature"),
    "tampered payload": (lambda acquirer: acquirer.tamper("payload"), "reason.signature"),
    "tampered signature": (lambda acquirer: acquirer.tamper("signature"), "reason.signature"),
}


@pytest.fixture
def acquirer(world):
    """The right certificate comes back at the end, and what the tests did is not held against the next one."""
    yield world.acquirer
    world.acquirer.clear()
    world.acquirer.set_certificate("good")


def present(acquirer, kind: str) -> None:
    """From now on the port answers with a certificate of this kind; every connection is closed."""
    if kind == "plain HTTP":
        acquirer.plain_http()
    else:
        acquirer.set_certificate(kind)


def counts(acquirer) -> tuple[int, int]:
    """Sales that were approved and stand, and what they come to."""
    sales = acquirer.sales()
    return sales["approved"] - sales["reversed"], sales["amount"]


def reversed_when_good_again(world, acquirer) -> None:
    """From UNKNOWN on the panel to "not charged", without help."""
    world.bench.remove()
    acquirer.clear()
    acquirer.set_certificate("good")
    until(world, "screen.reversed", seconds=200)
    world.key("OK")
    until(world, "screen.idle", "status.online")


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_no_sale_begins_with_an_impostor(world, acquirer, kind):
    """The terminal starts and finds somebody else: whoever keys an amount is told who is there, before any card."""
    before = acquirer.sales()
    present(acquirer, kind)
    world.bench.reset()
    until(world, "screen.idle", "status.connecting")
    world.key("1", "OK")
    until(world, CERTIFICATES[kind])
    world.key("OK")
    acquirer.clear()
    acquirer.set_certificate("good")
    until(world, "screen.idle", "status.online")
    assert acquirer.sales() == before
    sell(world)


@pytest.mark.parametrize("kind", CERTIFICATES)
def test_struck_during_a_sale(world, acquirer, kind):
    """The connection goes after the card was asked for, and who answers next is an impostor."""
    before = counts(acquirer)
    key_amount(world, "3")
    present(acquirer, kind)
    world.bench.tap("visa")
    until(world, "outcome.unknown", CERTIFICATES[kind])
    reversed_when_good_again(world, acquirer)
    assert counts(acquirer) == before


@pytest.mark.parametrize("fault", ANSWERS)
def test_an_answer_that_is_none(world, acquirer, fault):
    """Whatever stands in it, it decides nothing: unknown with the reason, reversed, nothing charged."""
    before = counts(acquirer)
    trouble, reason = ANSWERS[fault]
    key_amount(world, "4")
    trouble(acquirer)
    world.bench.tap("visa")
    until(world, "outcome.unknown", reason)
    reversed_when_good_again(world, acquirer)
    assert counts(acquirer) == before
