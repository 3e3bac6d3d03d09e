"""What a hosted database believes of its portal."""

from __future__ import annotations

import base64
import json
import time
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from freezegun import freeze_time
from trust import Ticket, TrustError, read_ticket

KEY = Ed25519PrivateKey.generate()
KEYS = {"p1": KEY.public_key()}
NOW = 1_800_000_000


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign(**claims: Any) -> str:
    payload = {
        "iss": "portal",
        "aud": "database",
        "sub": "marc@example.com",
        "jti": "0123456789abcdefABCDEF",
        "iat": NOW,
        "exp": NOW + 60,
    } | claims
    payload = {name: value for name, value in payload.items() if value is not None}
    head = {"alg": "EdDSA", "kid": "p1", "typ": "fleet-ticket+jwt"}
    text = f"{part(head)}.{part(payload)}"
    return f"{text}.{part(KEY.sign(text.encode()))}"


def read(token: str, at: int = NOW) -> Ticket:
    with freeze_time(_moment(at)):
        return read_ticket(token, KEYS, issuer="portal", audience="database")


def _moment(at: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(at))


def refused(code: str, token: str, at: int = NOW) -> None:
    with pytest.raises(TrustError) as caught:
        read(token, at)
    assert caught.value.code == code
    assert str(caught.value)


def test_the_least_ticket_leads_home() -> None:
    found = read(sign())
    assert found == Ticket(
        number="0123456789abcdefABCDEF",
        login="marc@example.com",
        uid=None,
        expires=NOW + 60,
        redirect="/odoo",
        operator="",
        reason="",
    )


def test_an_operators_ticket_says_who_and_why_on_one_line() -> None:
    found = read(sign(uid=7, operator=" Olga\n(o@x) ", reason="mail\x00", redirect="/odoo/users"))
    assert (found.uid, found.operator, found.reason) == (7, "Olga (o@x)", "mail")
    assert found.redirect == "/odoo/users"


def test_a_ticket_lives_a_minute_and_clocks_may_differ_by_five_seconds() -> None:
    for at in (NOW - 5, NOW, NOW + 60, NOW + 64):
        assert read(sign(), at).uid is None
    refused("not_yet", sign(), NOW - 6)
    refused("expired", sign(), NOW + 65)
    refused("too_long_lived", sign(exp=NOW + 61))
    refused("too_long_lived", sign(exp=NOW))
    refused("too_long_lived", sign(iat=NOW - 3600))
    refused("not_yet", sign(nbf=NOW + 6))


def test_a_ticket_is_for_one_database_of_one_portal() -> None:
    refused("wrong_audience", sign(aud="other"))
    refused("wrong_audience", sign(aud=["database"]))
    refused("wrong_issuer", sign(iss="other"))


@pytest.mark.parametrize(
    "claims",
    [
        {"jti": "0123456789abcdefABCDE"}, {"jti": 5}, {"jti": "x" * 129}, {"jti": "x" * 21 + " "},
        {"sub": ""}, {"sub": "\n"}, {"uid": 0}, {"uid": -1}, {"uid": True}, {"uid": "7"}, {"uid": 7.0},
        {"iat": NOW + 0.5}, {"exp": float(NOW + 60)}, {"iat": True}, {"operator": 5}, {"reason": "x" * 1001},
    ],
    ids=str,
)  # fmt: skip
def test_a_ticket_of_a_wrong_shape_is_refused(claims: dict[str, Any]) -> None:
    refused("bad_claims", sign(**claims))


@pytest.mark.parametrize("claim", ["iss", "aud", "sub", "jti", "iat", "exp"])
def test_a_ticket_without_one_of_its_claims_is_refused(claim: str) -> None:
    refused("bad_claims", sign(**{claim: None}))


def test_a_huge_ticket_is_not_even_read() -> None:
    refused("not_a_token", sign(reason="x" * 8000))


@pytest.mark.parametrize("until", ["tomorrow", True, 0, -1, NOW + 0.5, [NOW]])
def test_an_end_of_the_session_that_is_none_is_refused(until: Any) -> None:
    refused("bad_claims", sign(until=until))
    assert read(sign(until=NOW + 600)).until == NOW + 600


def test_an_end_beyond_all_time_is_refused_without_a_traceback() -> None:
    refused("bad_claims", sign(exp=float("inf")))
    refused("bad_claims", sign(iat=float("inf")))


@pytest.mark.parametrize("evil", ["//evil.example", "https://evil.example", "javascript:alert(1)"])
def test_a_ticket_leads_nowhere_else(evil: str) -> None:
    assert read(sign(redirect=evil)).redirect == "/odoo"
