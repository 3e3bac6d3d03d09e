"""Another system logs people in by the portal, with real processes: a code that comes ten times at once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from support.saas_fleet import SaasFleet
from support.visitors import Visitor

ISSUER = "https://portal.example.com"
CALLBACK = "https://wiki.example.com/callback"
RIVALS = 10
# Whoever comes second waits for the first, and is run again.
ALLOWED = (r"odoo\.sql_db: bad query", r"odoo\.service\.model: ", r"odoo\.http: ")
MAKE = f"""
import json
from odoo import Command
env["ir.config_parameter"].set_param("web.base.url", "{ISSUER}")
env["ir.config_parameter"].set_param("web.base.url.freeze", "True")
env["res.users"].with_context(no_reset_password=True).create({{
    "name": "Ann", "login": "ann@acme.example", "password": "ann@acme.example",
    "group_ids": [Command.set(env.ref("base.group_portal").ids)],
}})
client = env["saas.openid.client"].create(
    {{"name": "Wiki", "redirect_uris": "{CALLBACK}", "asks_consent": False}}
)
secret = client.action_new_secret()["context"]["default_secret"]
env.cr.commit()
print(json.dumps({{"id": client.identifier, "secret": secret}}))
"""


@pytest.fixture(scope="module")
def saas() -> Iterator[SaasFleet]:
    with SaasFleet("saas_openid", servers=(), allowed=ALLOWED) as saas:
        yield saas


@pytest.fixture(scope="module")
def wiki(saas: SaasFleet) -> dict[str, str]:
    return json.loads(saas.portal.script("portal", MAKE).strip().splitlines()[-1])


def new_code(saas: SaasFleet, wiki: dict[str, str]) -> str:
    """Have Ann's browser go through the portal, and return what it brings to the wiki."""
    visitor = Visitor(saas.portal.url("portal"))
    asked = {"db": saas.portal.database("portal")}
    login = "ann@acme.example"
    assert visitor.rpc("/web/session/authenticate", **asked, login=login, password=login)["uid"]
    values = {"response_type": "code", "client_id": wiki["id"], "redirect_uri": CALLBACK}
    values |= {"scope": "openid", "state": "s", "nonce": "n"}
    answer = visitor.get(f"/openid/authorize?{urlencode(values)}", allow_redirects=False)
    assert answer.status_code == 303, answer.text
    location = urlsplit(answer.headers["Location"])
    assert location.netloc == "wiki.example.com"
    return parse_qs(location.query)["code"][0]


def take(saas: SaasFleet, wiki: dict[str, str], code: str) -> requests.Response:
    values = {"grant_type": "authorization_code", "code": code, "redirect_uri": CALLBACK}
    url = f"{saas.portal.url('portal')}/openid/token"
    return requests.post(url, values, auth=(wiki["id"], wiki["secret"]), timeout=60)


def who(saas: SaasFleet, token: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {token}"}
    return requests.get(f"{saas.portal.url('portal')}/openid/userinfo", headers=headers, timeout=60)


def test_a_code_logs_in_once_and_the_token_opens_what_it_may(
    saas: SaasFleet, wiki: dict[str, str]
) -> None:
    tokens: dict[str, Any] = take(saas, wiki, new_code(saas, wiki)).json()
    assert who(saas, tokens["access_token"]).status_code == 200


def test_a_code_that_comes_ten_times_at_once_logs_in_once_and_is_taken_back(
    saas: SaasFleet, wiki: dict[str, str]
) -> None:
    code = new_code(saas, wiki)
    with ThreadPoolExecutor(RIVALS) as pool:
        answers = list(pool.map(lambda _turn: take(saas, wiki, code), range(RIVALS)))
    [won] = [answer.json() for answer in answers if answer.ok]
    others = [answer for answer in answers if not answer.ok]
    assert {answer.json()["error"] for answer in others} == {"invalid_grant"}
    assert who(saas, won["access_token"]).status_code == 401
