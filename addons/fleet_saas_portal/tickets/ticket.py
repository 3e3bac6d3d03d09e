"""A ticket: a compact JWS (RFC 7515) with EdDSA."""

from __future__ import annotations

import secrets
import time
from dataclasses import dataclass, field

import jwt

from .keys import public_key, read_key
from .paths import local_path

TYPE = "fleet-ticket+jwt"
ALGORITHM = "EdDSA"
LIFE_S = 60  # more is refused by who reads it
MAX_REASON = 1000


@dataclass(frozen=True)
class Ticket:
    """A signed ticket.

    :param token: what is posted to the database; who has it can log in, so it is never stored
    :param number: of this ticket, the same in both databases' logs
    :param expires: seconds since 1970
    """

    token: str = field(repr=False)
    number: str
    expires: int


def sign(
    key: str,
    *,
    issuer: str,
    audience: str,
    login: str,
    redirect: object = None,
    operator: str = "",
    reason: str = "",
    until: int | None = None,
) -> Ticket:
    """Return a ticket for ``login``, valid from now for `LIFE_S` seconds.

    :param key: a private key as `new_key` gives it
    :param issuer: uuid of this portal
    :param audience: uuid of the database
    :param redirect: a path of that database; anything else becomes its home page
    :param operator: who of the provider comes in as that user, empty for the user in person
    :param until: seconds since 1970 when that operator's session ends
    """
    number, now = secrets.token_urlsafe(24), int(time.time())
    claims = {
        "iss": issuer,
        "aud": audience,
        "sub": login,
        "jti": number,
        "iat": now,
        "exp": now + LIFE_S,
        "redirect": local_path(redirect),
    }
    if operator:
        claims |= {"operator": operator, "reason": reason[:MAX_REASON]}
        if until:
            claims["until"] = until
    headers = {"kid": public_key(key)["kid"], "typ": TYPE}
    token = jwt.encode(claims, read_key(key), algorithm=ALGORITHM, headers=headers)
    return Ticket(token=token, number=number, expires=now + LIFE_S)
