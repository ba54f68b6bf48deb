"""What pays: from a card reading to the wire's instrument, what identifies the card under the message's own key."""

import json
from binascii import hexlify

from till.crypto import jose
from till.emv.parameters import Transaction, bcd

CONTACTLESS_NO_PIN = "072"  # F22: contactless chip, no PIN entered


class Instruments:
    """Makes EMV transactions and wire instruments. `rng.bytes(n)` gives unpredictable numbers and IVs."""

    def __init__(self, clock, rng):
        self._clock = clock
        self._rng = rng

    def transaction(self, amount: int, currency: str, type: int, stan: str) -> Transaction:
        """An EMV transaction of now, with a fresh unpredictable number: one for each tap."""
        year, month, day, hour, minute, second = self._clock.local()
        return Transaction(
            amount,
            currency,
            type,
            bcd(year % 100 * 10000 + month * 100 + day, 3),
            bcd(hour * 10000 + minute * 100 + second, 3),
            self._rng.bytes(4),
            int(stan),
        )

    def card(self, message, reading) -> dict:
        """The `instrument` member for `reading`: PAN masked, EMV data in the open, track 2 under the DUKPT data key.

        Online the JWE carries the track-2 equivalent; a card without one gives PAN and expiry.
        """
        if reading.track2 is not None:
            secret = {"t2": hexlify(reading.track2).decode().upper()}
        else:
            secret = {"pan": reading.pan, "exp": reading.expiry}
        sealed = jose.encrypt_dir(
            json.dumps(secret, separators=(",", ":")).encode(), "mt-req", message.ksn, message.data_key(), self._rng
        )
        return {
            "entry": CONTACTLESS_NO_PIN,
            "card": {
                "aid": hexlify(reading.aid).decode().upper(),
                "scheme": reading.scheme,
                "psn": reading.psn,
                "cvm": reading.cvm,
                "pan": reading.pan_masked,
                "emv": hexlify(reading.field55).decode().upper(),
                "enc": sealed.decode(),
            },
        }
