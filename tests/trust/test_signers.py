"""What the hosting server signs is what a hosted database believes."""

from __future__ import annotations

import json

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hosting import document
from trust import judge

KEY = Ed25519PrivateKey.generate()


def anchor(*keys: Ed25519PrivateKey) -> str:
    return json.dumps({"keys": [document.jwk(key.public_key()) for key in keys]})


def test_a_servers_document_is_believed_under_its_own_key_only() -> None:
    content = document.check_content(
        {
            "plan": "Starter",
            "state": "trial",
            "ends": "2026-05-01",
            "limits": {"users": 5, "users_soft": None, "storage_mb": 10, "apps": ["crm"]},
            "portal": None,
            "notices": [],
        }
    )
    token = document.sign(content, KEY, issuer="server", audience="database")
    found = judge(token, anchor(KEY)).document
    assert (found.issuer, found.audience, found.plan) == ("server", "database", "Starter")
    assert (found.limits.users, found.limits.apps) == (5, frozenset(["crm"]))
    other = Ed25519PrivateKey.generate()
    assert judge(token, anchor(other)).error.code == "unknown_key"
    assert judge(token, anchor(other, KEY)).document == found


def test_every_state_that_a_server_may_sign_is_known() -> None:
    for state in document.STATES:
        token = document.sign({"state": state}, KEY, issuer="s", audience="d")
        assert judge(token, anchor(KEY)).document.state.value == state


def test_the_least_document_is_believed() -> None:
    token = document.sign({}, KEY, issuer="s", audience="d")
    assert judge(token, anchor(KEY)).is_enforced
