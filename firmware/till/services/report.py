"""What a terminal tells a technician's laptop about itself: state, self-tests, a copy of its journal. No secrets.

Loaded when it is asked for.
"""

import asyncio
import json
import time
from binascii import hexlify

from micropython import const

from till.core.errors import TillError
from till.core.fields import integer
from till.crypto.jose import b64url, sign_es256
from till.storage.records import N_MAX

_PAGE = const(2048)  # octets of journal in one answer


class Report:
    """`about`: members of `status` that do not change. `shop`: (payments, link, signer) of a merchant's terminal."""

    def __init__(self, about: dict, vault, journal, clock, wifi, shop: "tuple | None" = None):
        self._about = about
        self._vault = vault
        self._journal = journal
        self._clock = clock
        self._wifi = wifi
        self._shop = shop

    def status(self, trusted: "tuple | None", idle: bool, language: str) -> dict:
        """Everything at a glance; `trusted`: version and fingerprints of the trust held, or None."""
        journal, clock = self._journal, self._clock
        members = dict(self._about)
        members["state"] = "provisioned" if self._shop else "trusted" if trusted else "blank"
        members["language"] = language
        members["idle"] = idle
        members["uptime"] = clock.uptime()
        members["time"] = clock.now() if clock.known else None
        members["wifi"] = "" if self._wifi.connected else self._wifi.reason
        members["online"] = False
        members["unsent"] = len(journal.open_intents())
        members["open_batch"] = journal.open_batch
        members["unseen"] = bool(journal.unshown())
        members["damaged"] = journal.damaged
        members["version"] = {"trust": trusted[0] if trusted else None, "ticket": None}
        members["fingerprints"] = trusted[1] if trusted else []
        if self._shop:
            payments, link, _ = self._shop
            identity = payments.identity
            members["online"] = link.connected
            members["reason"] = link.reason
            members["host"] = identity.url
            members["tid"] = identity.tid
            members["mid"] = identity.mid[:3] + "********" + identity.mid[11:]
            members["merchant"] = identity.merchant["name"]
            members["batch"] = payments.batch
            members["pending"] = payments.reversals_pending()
            members["standing"] = payments.standing
            members["version"]["ticket"] = identity.version
        return members

    async def echo(self) -> dict:
        """A signed echo test to the acquirer: how long it took, and the acquirer's signed time."""
        if self._shop is None:
            raise TillError("echo", key="error.not_provisioned")
        started = time.ticks_ms()
        when = await self._shop[0].echo()
        return {"ms": time.ticks_diff(time.ticks_ms(), started), "time": when}

    async def selftest(self, rng, reader) -> dict:
        """Every self-test, none skipped for another's failure: `[[name, "ok" or what is wrong], …]`."""
        from till.core.memory import forget
        from till.crypto import selftest

        forget("till.crypto.selftest")
        results = []
        for name, test in selftest.TESTS:
            results.append([name, _outcome(selftest.check, name, test, rng)])
            await asyncio.sleep_ms(0)
        results.append(["vault", _outcome(self._open_every_record)])
        results.append(["journal", await self._verify_journal()])
        try:
            await reader.recover()
            results.append(["reader", "ok"])
        except TillError as e:
            results.append(["reader", e.detail or e.key])
        results.append(["wifi", "ok" if self._wifi.connected else self._wifi.reason])
        results.append(["clock", "ok" if self._clock.known else "no signed time yet"])
        return {"results": results}

    async def backup(self, request: dict) -> dict:
        """A page of the journal from record `from` on, as `Journal.exported` gives it.

        `before`: chain value before the first of `records`, hex, by which each page verifies alone (null: not known);
        `next`: where the next page begins; on the last page `seal`, by which the device signs the whole.
        """
        first = integer(request.get("from", 1), 1, N_MAX, "from")
        journal = self._journal
        records, size, n, before, at = [], 0, first, None, 0
        for n, octets, previous in journal.exported(first):
            if not records:
                at, before = n, previous
            elif size + len(octets or b"") > _PAGE:
                break
            records.append(None if octets is None else b64url(octets))
            size += len(octets or b"")
            n += 1
        more = bool(records) and n <= journal.count
        answer = {"records": records, "first": at, "next": n if more else None, "count": journal.count}
        answer["before"] = None if before is None else hexlify(before).decode()
        answer["head"] = hexlify(journal.head).decode()
        answer["seal"] = None if more or not self._shop else self._seal(*self._shop)
        return answer

    def _seal(self, payments, _link, signer) -> str:
        identity, journal = payments.identity, self._journal
        payload = {
            "v": 1,
            "mid": identity.mid,
            "tid": identity.tid,
            "n": journal.count,
            "head": hexlify(journal.head).decode(),
            "batch": payments.batch,
            "time": self._clock.now(),
        }
        octets = json.dumps(payload, separators=(",", ":")).encode()
        return sign_es256(octets, "mt-seal", identity.kid, signer.sign).decode()

    def _open_every_record(self) -> None:
        for name in self._vault.names():
            self._vault.get(name)

    async def _verify_journal(self) -> str:
        try:
            for n in self._journal.verify_steps():
                if n % 16 == 0:
                    await asyncio.sleep_ms(0)
        except TillError as e:
            return e.detail
        return "record %d was damaged" % self._journal.damaged if self._journal.damaged else "ok"


def _outcome(test, *args) -> str:
    try:
        test(*args)
    except TillError as e:
        return e.detail or e.key
    return "ok"
