"""Compact JWS (RFC 7515) with EdDSA, read as strictly as it can be.

PyJWT checks the signature. What it leaves to its callers is checked here: that nothing but the
three expected headers is there, that the type is the wanted one, and that the text is the only one
that says what it says (base64 has several spellings of the same bytes).
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

import jwt

from .errors import TrustError, sentences
from .keys import Keys

MAX_LENGTH = 100_000
HEADERS = {"alg", "kid", "typ"}
sentences(
    not_a_token="This is no signed text.",
    bad_header="The signed text is of another kind than the one that belongs here.",
    unknown_key="It is signed with a key that nobody here knows.",
    bad_signature="Its signature is wrong.",
    bad_claims="What was signed is incomplete or of the wrong shape: %(claim)s.",
    expired="It is too old.",
    not_yet="It is from the future: the clocks of two machines differ.",
    wrong_audience="It was made for another database.",
    wrong_issuer="It was made by somebody else.",
)


def read_token(token: object, typ: str, keys: Keys, **checks: Any) -> dict[str, Any]:
    """Return what ``token`` says once its signature and header are right.

    :param typ: the wanted type, such as ``fleet-ticket+jwt``
    :param checks: for ``jwt.decode``: ``audience``, ``issuer``, ``leeway``, ``options``
    :raises TrustError:
    """
    text = _check_text(token)
    header = _read_header(text)
    if set(header) != HEADERS or header["alg"] != "EdDSA" or header["typ"] != typ:
        raise TrustError("bad_header")
    key = keys.get(header["kid"]) if isinstance(header["kid"], str) else None
    if key is None:
        raise TrustError("unknown_key")
    return _decode(text, key, checks)


def _check_text(token: object) -> str:
    if not isinstance(token, str) or len(token) > MAX_LENGTH or token.count(".") != 2:
        raise TrustError("not_a_token")
    for part in token.split("."):
        try:
            raw = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
        except (binascii.Error, ValueError) as error:
            raise TrustError("not_a_token") from error
        if not part or base64.urlsafe_b64encode(raw).rstrip(b"=").decode() != part:
            raise TrustError("not_a_token")
    return token


def _read_header(token: str) -> dict[str, Any]:
    try:
        header = jwt.get_unverified_header(token)
    except (jwt.PyJWTError, RecursionError) as error:
        raise TrustError("bad_header") from error
    return header if isinstance(header, dict) else {}


def _decode(token: str, key: Any, checks: dict[str, Any]) -> dict[str, Any]:
    try:
        return jwt.decode(token, key, algorithms=["EdDSA"], **checks)
    except jwt.InvalidSignatureError as error:
        raise TrustError("bad_signature") from error
    except jwt.ExpiredSignatureError as error:
        raise TrustError("expired") from error
    except jwt.ImmatureSignatureError as error:
        raise TrustError("not_yet") from error
    except jwt.InvalidAudienceError as error:
        raise TrustError("wrong_audience") from error
    except jwt.InvalidIssuerError as error:
        raise TrustError("wrong_issuer") from error
    except (jwt.PyJWTError, RecursionError, ValueError) as error:
        raise TrustError("bad_claims", claim=type(error).__name__) from error
