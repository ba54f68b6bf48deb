"""An mt-trust object as the acquirer gives it out: checked on the laptop before it travels, and its fingerprint."""

import json
from dataclasses import dataclass

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from microtill.device.errors import UsageError
from microtill.device.texts import add

TRUST_MAX = 16384

add(
    {
        "error.not_trust": (
            "这不是信任文件：{detail}|用 `microtill acquirer trust --out 文件` 取得",
            "this is no trust object: {detail}|`microtill acquirer trust --out FILE` gives one",
        ),
    }
)


@dataclass(frozen=True)
class TrustObject:
    """`fingerprint`: what the panel shows too, 16 hex digits in fours."""

    name: str
    url: str
    version: int
    fingerprint: str
    payload: bytes


def read(token: str) -> TrustObject:
    """What an mt-trust says, once it is seen to be signed by a key that it names. UsageError."""
    try:
        if len(token) > TRUST_MAX or not token.isascii():
            raise ValueError("its size")
        parsed = jws.extract_compact(token.encode())
        header = parsed.headers()
        body = json.loads(parsed.payload)
        if header.get("typ") != "mt-trust" or header.get("alg") != "ES256" or not isinstance(body, dict):
            raise ValueError("its type")
        keys = [ECKey.import_key(key) for key in body["keys"]]
        key = next((key for key in keys if key.thumbprint() == header.get("kid")), None)
        if key is None:
            raise ValueError("its signer is not among its keys")
        jws.deserialize_compact(token, key, algorithms=["ES256"])
        return TrustObject(
            str(body["name"]), str(body["url"]), int(body["version"]), _fingerprint(key.thumbprint()), parsed.payload
        )
    except (JoseError, ValueError, TypeError, KeyError, AttributeError) as e:
        raise UsageError("error.not_trust", detail=str(e)[:80] or type(e).__name__) from e


def _fingerprint(kid: str) -> str:
    from base64 import urlsafe_b64decode

    digits = urlsafe_b64decode(kid + "=" * (-len(kid) % 4))[:8].hex().upper()
    return " ".join(digits[i : i + 4] for i in range(0, 16, 4))
