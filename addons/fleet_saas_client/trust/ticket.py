"""A ticket of the portal: it lets one person into one database, once, within a minute."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .errors import TrustError, sentences
from .keys import Keys
from .paths import local_path
from .tokens import read_token

TYPE = "fleet-ticket+jwt"
LIFE_S = 60
SKEW_S = 5
MAX_LENGTH = 8_000
MAX_TEXT = 1_000
# 128 bits are 22 characters of base64.
NUMBER = re.compile(r"[A-Za-z0-9_-]{22,128}")
CLAIMS = ["iss", "aud", "sub", "jti", "iat", "exp"]
sentences(too_long_lived="It would be valid for longer than %(seconds)s seconds.")


@dataclass(frozen=True)
class Ticket:
    """What a portal has signed.

    :param number: different in every ticket; who has seen it refuses it
    :param login: of the user who comes in
    :param uid: his id, when the portal knows it
    :param expires: seconds since 1970
    :param redirect: a path of this database
    :param operator: who of the provider comes in as that user, empty for the user himself
    :param reason: why
    :param until: seconds since 1970 when the session that it begins ends; None for no end of its own
    """

    number: str
    login: str
    uid: int | None
    expires: int
    redirect: str
    operator: str
    reason: str
    until: int | None = None


def read_ticket(token: object, keys: Keys, *, issuer: str, audience: str) -> Ticket:
    """Return the ticket in ``token`` once everything about it is right.

    Whether it was used before is not known here.

    :param keys: the portal's
    :param issuer: the portal's uuid
    :param audience: this database's uuid
    :raises TrustError:
    """
    if isinstance(token, str) and len(token) > MAX_LENGTH:
        raise TrustError("not_a_token")
    claims = read_token(
        token,
        TYPE,
        keys,
        audience=audience,
        issuer=issuer,
        leeway=SKEW_S,
        options={"require": CLAIMS, "strict_aud": True},
    )
    _check_times(claims)
    return _parse(claims)


def _check_times(claims: Mapping[str, Any]) -> None:
    for name in ("iat", "exp"):
        if type(claims[name]) is not int:
            raise TrustError("bad_claims", claim=name)
    if not 0 < claims["exp"] - claims["iat"] <= LIFE_S:
        raise TrustError("too_long_lived", seconds=LIFE_S)


def _parse(claims: Mapping[str, Any]) -> Ticket:
    number, uid = claims["jti"], claims.get("uid")
    if not isinstance(number, str) or not NUMBER.fullmatch(number):
        raise TrustError("bad_claims", claim="jti")
    if uid is not None and (type(uid) is not int or uid <= 0):
        raise TrustError("bad_claims", claim="uid")
    until = claims.get("until")
    if until is not None and (type(until) is not int or until <= 0):
        raise TrustError("bad_claims", claim="until")
    login = _text(claims, "sub")
    if not login:
        raise TrustError("bad_claims", claim="sub")
    return Ticket(
        number=number,
        login=login,
        uid=uid,
        expires=claims["exp"],
        redirect=local_path(claims.get("redirect")),
        operator=_text(claims, "operator"),
        reason=_text(claims, "reason"),
        until=until,
    )


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise TrustError("bad_claims", claim=name)
    return "".join(char if char.isprintable() else " " for char in value).strip()
