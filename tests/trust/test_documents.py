"""What a hosted database believes of its server."""

from __future__ import annotations

import base64
import json
import os
import threading
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm
from trust import (
    NOTHING,
    SENTENCES,
    State,
    TrustError,
    judge,
    local_path,
    read_anchor,
    read_document,
    read_keys,
)

KEY, OTHER = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
LEAST = {"iss": "server", "aud": "database", "iat": 1_700_000_000, "seq": 7}


def jwk(key: Ed25519PrivateKey, kid: str = "k1", **more: Any) -> dict[str, Any]:
    found = json.loads(OKPAlgorithm.to_jwk(key.public_key()))
    return {name: found[name] for name in ("kty", "crv", "x")} | {"kid": kid} | more


def part(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def sign(payload: Any, key: Ed25519PrivateKey = KEY, **header: Any) -> str:
    head = {"alg": "EdDSA", "kid": "k1", "typ": "fleet-document+jwt"} | header
    text = f"{part(head)}.{part(payload)}"
    return f"{text}.{part(key.sign(text.encode()))}"


KEYS = read_keys(json.dumps({"keys": [jwk(KEY)]}))


def read(**content: Any) -> Any:
    return read_document(sign(LEAST | content), KEYS)


def refused(code: str, *, token: Any = None, **content: Any) -> None:
    with pytest.raises(TrustError) as caught:
        read_document(sign(LEAST | content) if token is None else token, KEYS)
    assert caught.value.code == code
    assert str(caught.value)  # its sentence has all its values


def test_the_least_document_is_an_active_database_without_limits() -> None:
    found = read()
    assert (found.issuer, found.audience, found.sequence) == ("server", "database", 7)
    assert (found.state, found.plan, found.ends, found.portal, found.notices) == (
        State.ACTIVE, "", None, None, (),
    )  # fmt: skip
    limits = found.limits
    assert limits.users is limits.users_soft is limits.storage_mb is limits.apps is None


def test_every_field_is_read() -> None:
    found = read(
        plan="Starter",
        state="trial",
        ends="2026-05-01",
        limits={
            "users": 5,
            "users_soft": 4,
            "storage_mb": 10,
            "storage_soft_mb": 9,
            "apps": ["crm"],
        },
        portal={
            "url": "https://portal.example/",
            "iss": "portal",
            "keys": [jwk(OTHER)],
            "upgrade": "/my/databases/1",
            "name": "Hoster",
        },
        notices=[
            {
                "id": "a",
                "kind": "news",
                "text": "t",
                "link": "https://x.example",
                "link_text": "l",
                "start": "2026-05-01T12:00:00+02:00",
                "end": "2026-05-02T00:00:00Z",
                "post": True,
            }
        ],
    )
    assert (found.plan, found.state, found.ends) == ("Starter", State.TRIAL, date(2026, 5, 1))
    assert found.limits.apps == frozenset(["crm"])
    assert found.portal.upgrade == "https://portal.example/my/databases/1"
    assert list(found.portal.keys) == ["k1"]
    [notice] = found.notices
    assert (notice.start, notice.end) == (datetime(2026, 5, 1, 10), datetime(2026, 5, 2))
    assert notice.is_due(datetime(2026, 5, 1, 10)) and not notice.is_due(datetime(2026, 5, 2))


def test_a_document_is_as_good_in_years_as_on_its_day() -> None:
    assert read(iat=1, exp=2, nbf=4_000_000_000).sequence == 7
    assert read(iat=4_000_000_000).sequence == 7


@pytest.mark.parametrize(
    "content",
    [
        {"iss": None}, {"aud": ""}, {"aud": ["database"]}, {"iss": 1}, {"seq": "7"}, {"seq": -1},
        {"seq": True}, {"state": "closed"}, {"state": None}, {"limits": [5]},
        {"limits": {"users": "5"}}, {"limits": {"users": -1}}, {"limits": {"users": 5.5}},
        {"limits": {"storage_mb": True}}, {"limits": {"apps": "crm"}}, {"limits": {"apps": [1]}},
    ],
    ids=str,
)  # fmt: skip
def test_a_document_of_a_wrong_shape_is_refused(content: dict[str, Any]) -> None:
    refused("bad_claims", **content)


def test_what_is_only_shown_is_left_out_when_it_is_odd() -> None:
    assert read(plan=1, ends="soon", portal="x").portal is None
    assert (read(plan=1).plan, read(ends="soon").ends, read(ends=5).ends) == ("", None, None)
    assert read(portal={"url": "javascript:x", "iss": "p", "keys": [jwk(OTHER)]}).portal is None


@pytest.mark.parametrize(
    "odd", [{"keys": []}, {"keys": None}, {"keys": [jwk(OTHER, d="x")]}, {"iss": None}, {"iss": 5}]
)
def test_a_portal_that_cannot_sign_is_still_where_the_plan_is_changed(odd: dict[str, Any]) -> None:
    good = {"url": "https://p.example", "iss": "p", "keys": [jwk(OTHER)], "upgrade": "/my"}
    found = read(portal=good | odd).portal
    assert (found.upgrade, dict(found.keys)) == ("https://p.example/my", {})


def test_what_was_signed_by_others_or_altered_is_refused() -> None:
    token = sign(LEAST)
    head, body, signature = token.split(".")
    refused("bad_signature", token=sign(LEAST, OTHER))
    refused("bad_signature", token=f"{head}.{part(LEAST | {'seq': 8})}.{signature}")
    refused("unknown_key", token=sign(LEAST, kid="k2"))
    refused("bad_header", token=sign(LEAST, typ="fleet-ticket+jwt"))
    refused("bad_header", token=sign(LEAST, jku="https://evil.example"))
    refused(
        "bad_header", token=f"{part({'alg': 'none', 'typ': 'x', 'kid': 'k1'})}.{body}.{signature}"
    )
    for broken in (None, 5, b"x", "", "a.b", token + "=", token + "\n", " " + token, "x" * 200_000):
        refused("not_a_token", token=broken) if broken is not None else None
    refused("not_a_token", token=f"{head}.{body}.{signature[:-1]}{chr(ord(signature[-1]) + 1)}")


def test_a_deep_or_odd_body_is_refused_without_a_traceback() -> None:
    refused("bad_claims", token=sign(b"[" * 5000 + b"]" * 5000))
    refused("bad_claims", token=sign([1]))
    refused("bad_claims", token=sign(b"\xff"))


@pytest.mark.parametrize(
    "keys",
    [
        "x", "[]", "{}", '{"keys": []}', '{"keys": 5}', '{"keys": [5]}',
        json.dumps({"keys": [jwk(KEY, kid="")]}),
        json.dumps({"keys": [json.loads(OKPAlgorithm.to_jwk(KEY)) | {"kid": "k1"}]}),
        json.dumps({"keys": [jwk(KEY), jwk(OTHER)]}),
        json.dumps({"keys": [jwk(KEY, x="AAAA")]}),
        json.dumps({"keys": [jwk(KEY, x=5)]}),
        json.dumps({"keys": [jwk(KEY, crv="X25519")]}),
        json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "k1"}]}),
        json.dumps({"keys": [json.loads(RSAAlgorithm.to_jwk(generate_private_key(65537, 2048).public_key())) | {"kid": "k1"}]}),
    ],
)  # fmt: skip
def test_only_public_ed25519_keys_with_ids_of_their_own_make_a_set(keys: str) -> None:
    with pytest.raises(TrustError) as caught:
        read_keys(keys)
    assert caught.value.code == "bad_keys"


def test_a_set_holds_the_old_key_and_the_new_one() -> None:
    keys = read_keys(json.dumps({"keys": [jwk(KEY), jwk(OTHER, "k2")]}))
    assert read_document(sign(LEAST, OTHER, kid="k2"), keys).sequence == 7
    assert read_document(sign(LEAST), keys).sequence == 7


def test_a_notice_that_is_odd_closes_no_database() -> None:
    odd = [5, {}, {"id": "a"}, {"id": "a", "text": 5}, {"id": "", "text": "t"}]
    assert read(notices=odd).notices == ()
    assert read(notices="x").notices == ()
    [notice] = read(notices=[{"id": "a", "text": "t", "link": "javascript:alert(1)"}]).notices
    assert notice.link == ""
    assert len(read(notices=[{"id": str(n), "text": "t"} for n in range(100)]).notices) == 20


def test_what_cannot_be_believed_closes_and_what_is_released_opens() -> None:
    anchor = json.dumps({"keys": [jwk(KEY)]})
    limits = {"users": 5, "apps": ["crm"], "storage_mb": 3}
    held = judge(sign(LEAST | {"limits": limits}), anchor)
    assert (held.users, held.apps, held.storage_bytes) == (5, frozenset(["crm"]), 3 << 20)
    broken = judge("x.y.z", anchor)
    assert broken.is_enforced and (broken.users, broken.apps) == (0, frozenset())
    assert broken.storage_bytes is None and not broken.is_suspended
    assert judge(sign(LEAST), "no JSON").error.code == "bad_keys"
    free = judge(sign(LEAST | {"state": "released", "limits": limits}), anchor)
    assert free.is_known and not free.is_enforced
    assert free.users is free.apps is free.storage_bytes is None
    assert not NOTHING.is_known and not NOTHING.is_enforced and NOTHING.users is None


def test_the_anchor_is_read_anew_when_its_file_is_another(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    assert read_anchor(path) is None
    assert read_anchor(path / "below") is None
    for text in ("one", "two"):
        new = tmp_path / "new"
        new.write_text(text)
        new.replace(path)
        assert read_anchor(path) == text
        assert read_anchor(path) == text
    path.unlink()
    assert read_anchor(path) is None


def test_an_anchor_that_cannot_be_read_is_an_error_and_no_absence(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    path.mkdir()
    with pytest.raises(TrustError):
        read_anchor(path)
    path.rmdir()
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(TrustError):
        read_anchor(path)
    path.write_bytes(b" " * 2_000_000)
    with pytest.raises(TrustError):
        read_anchor(path)


def test_a_pipe_in_the_anchors_place_holds_nobody_up(tmp_path: Path) -> None:
    path = tmp_path / "trust.json"
    os.mkfifo(path)
    found: list[object] = []

    def look() -> None:
        try:
            found.append(read_anchor(path))
        except TrustError as error:
            found.append(error.code)

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    thread.join(5)
    assert found == ["no_anchor"]


@pytest.mark.parametrize(
    "path",
    [
        "//evil.example", "///evil.example", "/\\evil.example", "\\/evil.example", "https://evil",
        "https:/evil", "javascript:alert(1)", "data:text/html,x", "evil.example", "", " /odoo", "/ /x",
        "/%2fevil", "/%2Fevil", "/%5cevil", "/%255cevil", "/%25252fevil", "/\tx", "/%09/evil", "/%00",
        "/\r\nSet-Cookie: a", "/%0d%0aSet-Cookie:a", "/odoo\x7f", "/\u2028x", "/\u200b/evil", "/x" * 2000,
        "/%2525252525252fevil", "//", None, 5, ["/odoo"],
    ],
)  # fmt: skip
def test_a_redirect_that_leaves_the_database_leads_home(path: Any) -> None:
    assert local_path(path) == "/odoo"


@pytest.mark.parametrize(
    "path",
    [
        "/", "/odoo", "/odoo/action-5/7?debug=1&x=a%20b#id=3", "/web#menu_id=1", "/odoo/caf%C3%A9",
        "/odoo?next=https://example.com", "/odoo?x=//y", "/my/invoices?filter=a:b",
    ],
)  # fmt: skip
def test_a_page_of_the_database_is_kept_as_it_was_given(path: str) -> None:
    assert local_path(path) == path


def test_every_error_has_a_sentence_of_its_own() -> None:
    assert len(set(SENTENCES.values())) == len(SENTENCES)


def test_an_error_stays_on_one_short_line() -> None:
    text = str(TrustError("bad_claims", claim="a\r\n2026-01-01 INFO forged\x1b[2J" + "x" * 500))
    assert text.isprintable() and len(text) < 400


def test_headers_that_are_no_texts_or_deep_are_refused_without_a_traceback() -> None:
    for kid in (["k1"], {"k1": 1}, 1):
        refused("bad_header", token=sign(LEAST, kid=kid))
    _head, body, signature = sign(LEAST).split(".")
    deep = part(b'{"a":' * 9_000 + b"1" + b"}" * 9_000)
    refused("bad_header", token=f"{deep}.{body}.{signature}")
    with pytest.raises(TrustError):
        read_keys('{"keys":' + "[" * 100_000)


def test_a_huge_document_is_not_even_read() -> None:
    refused("not_a_token", plan="x" * 100_000)


@pytest.mark.parametrize("claim", LEAST)
def test_a_document_without_one_of_its_claims_is_refused(claim: str) -> None:
    refused("bad_claims", token=sign({name: LEAST[name] for name in LEAST if name != claim}))


@pytest.mark.parametrize(
    "upgrade", ["@evil.example/", ".evil.example/", ":80@evil.example", "//evil.example", "x"]
)
def test_the_page_of_the_plan_is_one_of_the_portal(upgrade: str) -> None:
    portal = {"url": "https://portal.example.com", "upgrade": upgrade}
    assert read(portal=portal).portal.upgrade == "https://portal.example.com/odoo"


@pytest.mark.parametrize(
    "url",
    [
        "https:///evil.example",
        "https://\\evil.example",
        "https://portal.example.com/a b",
        "https://portal.example.com/\n",
        "https://portal.example.com/\u202e",
        "javascript:alert(1)//https://portal.example.com",
        "https://[portal",
    ],
)
def test_a_portal_whose_address_is_none_is_left_out(url: str) -> None:
    assert read(portal={"url": url}).portal is None


def test_a_notice_waits_for_its_start_and_goes_at_its_end() -> None:
    times = {"start": "2026-05-01T08:00:00", "end": "2026-05-01T10:00:00"}
    [notice] = read(notices=[{"id": "n", "kind": "news", "text": "x", **times}]).notices
    for hour, due in ((7, False), (8, True), (9, True), (10, False)):
        assert notice.is_due(datetime(2026, 5, 1, hour)) is due
