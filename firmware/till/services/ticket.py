"""What an mt-ticket says, checked member by member. Loaded when one is read: at start, and when a new one comes."""

from binascii import unhexlify

from micropython import const

from till.core.errors import InvalidValue
from till.core.fields import check_url, hexadecimal, integer, members, text
from till.core.identifiers import check_batch, check_mid, check_tid
from till.core.money import Currency
from till.crypto import jose
from till.services.identity import PARAMETERS

MODES = ("new", "renew", "recover", "replace")
VERSION_MAX = const(0x1FFFFF)  # 21 bits: seq = version · 2³² + counter stays within 2⁵³ - 1

_TIME_MAX = const(2**40 - 1)
_VALID_MAX_S = const(90 * 86400)
_PARAMETERS_MAX = const(48)


class Ticket:
    """The members of an mt-ticket's payload, each of the type and within the bounds that the wire gives it.

    InvalidValue names the member that is wrong. Members it does not know are ignored, as in answers. Who signed it,
    and whether it is for this unit, is checked elsewhere.
    """

    def __init__(self, payload: bytes | bytearray):
        data = jose.parse_json(payload)
        integer(data.get("v"), 1, 1, "v")
        self.mid = check_mid(data.get("mid"))
        self.tid = check_tid(data.get("tid"))
        self.merchant = _merchant(data.get("merchant"))
        self.serial = text(data.get("serial"), 40, "serial")
        self.jkt = text(data.get("jkt"), 43, "jkt", 43)
        self.nonce = text(data.get("nonce"), 22, "nonce", 22)
        self.version = integer(data.get("version"), 1, VERSION_MAX, "version")
        self.mode = data.get("mode")
        if self.mode not in MODES:
            raise InvalidValue("mode")
        self.batch = check_batch(data.get("batch"))
        self.stan_floor = integer(data.get("stan_floor"), 0, 999999, "stan_floor")
        self.issued = integer(data.get("iat"), 0, _TIME_MAX, "iat")
        self.expires = integer(data.get("exp"), self.issued + 1, min(self.issued + _VALID_MAX_S, _TIME_MAX), "exp")
        host = members(data.get("host"), "host")
        self.url = check_url(host.get("url"))
        self.aud = text(host.get("aud"), 100, "aud")
        currency = members(data.get("currency"), "currency")
        code = text(currency.get("code"), 3, "currency code", 3)
        exponent = integer(currency.get("exponent"), 0, 4, "currency exponent")
        self.currency = Currency(code, exponent, text(currency.get("symbol"), 3, "currency symbol", 0))
        self.parameters = _parameters(data.get("parameters"))
        dukpt = members(data.get("dukpt"), "dukpt")
        self.ikid = unhexlify(hexadecimal(dukpt.get("ikid"), 16, "ikid", "0123456789ABCDEF"))
        self.initial_key = text(dukpt.get("key"), 2048, "dukpt key")  # JWE to the one-shot key
        backup = data.get("backup_key")
        self.backup_key = None if backup is None else jose.public_from_jwk(backup)


def _merchant(value: object) -> dict:
    data = members(value, "merchant")
    merchant = {"name": text(data.get("name"), 40, "merchant name")}
    for name, most in (("address", 80), ("phone", 24)):
        if data.get(name) is not None:
            merchant[name] = text(data[name], most, "merchant " + name, 0)
    return merchant


def _parameters(value: object) -> dict:
    parameters = members(value, "parameters", _PARAMETERS_MAX)
    for name, item in parameters.items():
        text(name, 32, "parameter name")
        if name in PARAMETERS:
            integer(item, PARAMETERS[name][1], PARAMETERS[name][2], name)
    return parameters
