"""Customer Ann against customer Beta: every route of the portal and every model, over HTTP.

Routes, models and methods are those that the running portal has: who adds one is tried as well.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from support.saas_fleet import SaasFleet
from support.visitors import Visitor

SCRIPT = Path(__file__).parents[1] / "support" / "in_odoo_strangers.py"
MARK = "zebra"
# What each argument of a path is when Beta's is meant.
WORDS = {"code": "small", "token": "no-token", "page": "1"}
BETAS = {"uuid", "access_id"}
# Whoever is refused is in the log.
ALLOWED = (r"odoo\.http: ", r"odoo\.addons\.base\.models\.ir_(model|rule): ")
ALLOWED += (r"odoo\.addons\.http_routing", r"odoo\.addons\.rpc")
# Rows that come and go by themselves: who asks is counted, and logs in.
COUNTED = {"saas_signup_limit"}


@pytest.fixture(scope="module")
def saas() -> Iterator[SaasFleet]:
    with SaasFleet("saas_strangers", servers=(), allowed=ALLOWED) as saas:
        # Nothing shall change but by what is asked for here.
        saas.rows("UPDATE ir_cron SET active = false RETURNING id")
        yield saas


@pytest.fixture(scope="module")
def known(saas: SaasFleet) -> dict[str, Any]:
    output = saas.portal.script("portal", SCRIPT.read_text())
    return json.loads(output.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def ann(saas: SaasFleet, known: dict[str, Any]) -> Visitor:
    visitor, login = Visitor(saas.portal.url("portal")), known["ann"]["login"]
    asked = {"db": saas.portal.database("portal"), "login": login, "password": login}
    assert visitor.rpc("/web/session/authenticate", **asked)["uid"]
    return visitor


def content(saas: SaasFleet) -> dict[str, set[str]]:
    """Return every row of the tables that hold what customers have."""
    tables = saas.rows(
        "SELECT tablename FROM pg_tables WHERE tablename LIKE 'saas\\_%%' "
        "OR tablename LIKE 'databases\\_%%' OR tablename IN ('project_project', 'account_move', "
        "'res_partner', 'mail_message', 'ir_attachment') AND schemaname = 'public'"
    )
    return {
        table: {row[0] for row in saas.rows(f'SELECT to_jsonb(t)::text FROM "{table}" t')}
        for (table,) in tables
        if table not in COUNTED
    }


def assert_kept(saas: SaasFleet, before: dict[str, set[str]]) -> None:
    """Check that nothing of anybody's was changed or taken away, and nothing of Beta's was made."""
    after = content(saas)
    for table, rows in before.items():
        lost = [row for row in rows - after[table] if '"owner@acme' not in row]
        assert not lost, (table, lost)
        new = [row for row in after[table] - rows if MARK in row]
        assert not new, (table, new)


def fill(route: dict[str, Any], beta: dict[str, Any]) -> str:
    """Return the path of a route with what is Beta's."""

    def value(found: re.Match[str]) -> str:
        name = found[1].rpartition(":")[2]
        number = found[1].startswith("int")
        return str(beta.get(name) or WORDS.get(name) or (1 if number else beta["uuid"]))

    return re.sub(r"<([^>]+)>", value, route["path"])


def ask(
    ann: Visitor, route: dict[str, Any], method: str, path: str, csrf: str
) -> requests.Response:
    if route["type"] != "http":
        return ann.session.post(ann.url + path, json={"params": {}}, timeout=60)
    if method == "GET":
        return ann.get(path, allow_redirects=False)
    # Every value that the route takes by name; where a name must be typed it is the right one.
    name = MARK if BETAS & set(route["arguments"]) else "ann-two"
    fields = dict.fromkeys(route["parameters"], "1") | {"name": name, "csrf_token": csrf}
    fields |= {"role": "owner", "email": "ann@acme.example", "answer": "grant", "hours": "1"}
    fields |= {"backup": f"backup-{MARK}"}
    return ann.session.post(ann.url + path, fields, timeout=60, allow_redirects=False)


def test_no_route_shows_or_changes_what_is_another_customers(
    saas: SaasFleet, known: dict[str, Any], ann: Visitor
) -> None:
    page = ann.get(f"/my/databases/{known['ann']['uuid']}")
    csrf = re.search(r'csrf_token[^>]*value="([^"]+)"', page.text)[1]
    assert MARK not in page.text
    before, asked = content(saas), set()
    for route in known["routes"]:
        path = fill(route, known["beta"])
        for method in route["methods"]:
            answer = ask(ann, route, method, path, csrf)
            asked.add(route["path"])
            what = f"{method} {path}: {answer.status_code}"
            assert answer.status_code < 500, what
            assert MARK not in answer.text, what
            if BETAS & set(route["arguments"]):
                assert answer.status_code in (403, 404), what
    assert_kept(saas, before)
    assert {"/my/databases/<string:uuid>", "/my/databases/connect/<string:uuid>"} <= asked
    assert {"/saas/access/<int:access_id>", "/start/progress"} <= asked


def test_the_same_routes_open_for_who_they_are_meant_for(
    saas: SaasFleet, known: dict[str, Any]
) -> None:
    bob, login = Visitor(saas.portal.url("portal")), f"owner@{MARK}.example"
    asked = {"db": saas.portal.database("portal"), "login": login, "password": login}
    assert bob.rpc("/web/session/authenticate", **asked)["uid"]
    for path in ("/my/databases", f"/my/databases/{known['beta']['uuid']}"):
        assert MARK in bob.get(path).text
    assert bob.get(f"/my/databases/access/{known['beta']['access_id']}").status_code == 200


READ = {
    "search": {"domain": []},
    "search_read": {"domain": [], "fields": []},
    "search_count": {"domain": []},
    "name_search": {"name": ""},
    "formatted_read_group": {"domain": [], "groupby": ["create_uid"], "aggregates": ["__count"]},
    "web_search_read": {"domain": [], "specification": {"display_name": {}}},
}
OF_IDS = {
    "read": {"fields": []},
    "web_read": {"specification": {"display_name": {}}},
    "write": {"vals": {"create_date": False}},
    "web_save": {"vals": {}, "specification": {}},
    "export_data": {"fields_to_export": ["id"]},
    "copy": {},
    "unlink": {},
}


def ways(found: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give the methods and arguments by which RPC reads and changes a model of ours."""
    yield from READ.items()
    yield "create", {"vals_list": [{}]}
    if found["ids"]:
        for method, arguments in OF_IDS.items():
            yield method, {"ids": found["ids"], **arguments}


def test_no_model_of_the_portal_is_read_or_changed_by_a_customer(
    saas: SaasFleet, known: dict[str, Any]
) -> None:
    before, key = content(saas), known["ann"]["key"]
    ours = {name: found for name, found in known["models"].items() if found["ours"]}
    assert len(ours) > 25 and ours["saas.instance"]["ids"] and ours["saas.key"]["ids"]
    for model, found in ours.items():
        for method, arguments in ways(found):
            answer = saas.portal.ask("portal", key, model, method, **arguments)
            assert answer.status_code in (403, 404, 422), f"{model}.{method}: {answer.text[:300]}"
            assert MARK not in answer.text
    assert_kept(saas, before)


def test_no_button_of_the_portal_works_for_a_customer(
    saas: SaasFleet, known: dict[str, Any]
) -> None:
    before, key, count = content(saas), known["ann"]["key"], 0
    beta = known["beta"]
    theirs = {"project.project": [beta["project"]], "account.move": [beta["invoice"]]}
    theirs |= {"res.partner": [beta["partner_id"]]}
    for model, found in known["models"].items():
        for method, parameters in found["methods"].items():
            needed = {name: 1 for name, is_needed in parameters.items() if is_needed}
            needed.pop("self", None)
            ids = found["ids"] or theirs.get(model) or [1]
            answer = saas.portal.ask("portal", key, model, method, ids=ids, **needed)
            what = f"{model}.{method}: {answer.status_code} {answer.text[:300]}"
            assert MARK not in answer.text.replace(f'"{model}"', ""), what
            # What only opens a screen may be asked for: its records are read by the one who asks.
            if found["ours"] and '"ir.actions.act_window"' not in answer.text:
                assert not answer.ok, what
            count += 1
    assert count > 60
    assert_kept(saas, before)


def test_no_model_at_all_tells_of_another_customer(saas: SaasFleet, known: dict[str, Any]) -> None:
    key = known["ann"]["key"]
    for model in known["models"]:
        answer = saas.portal.ask("portal", key, model, "search_read", domain=[], fields=[])
        assert MARK not in answer.text, f"{model}: {answer.text[:300]}"
    beta = known["beta"]
    theirs = {"project.project": beta["project"], "account.move": beta["invoice"]}
    for model, record in (theirs | {"res.partner": beta["partner_id"]}).items():
        answer = saas.portal.ask("portal", key, model, "read", ids=[record], fields=["name"])
        assert answer.status_code == 403, f"{model}: {answer.text[:300]}"
