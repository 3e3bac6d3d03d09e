"""``make demo`` does what the README says, under another name and port than the developer's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from support.odoo_fleet import XMLRPC_IS_OLD, services

from fleetdev import demo_facts, demo_sync, hosted, odoo_log, odoo_run, postgres
from fleetdev.demo import Demo
from fleetdev.demo_fleet import TEMPLATE
from fleetdev.demo_server import LABEL
from fleetdev.demo_visitor import Visitor

# The first test waits for the whole demo, whose templates may have to be made too.
pytestmark = pytest.mark.timeout(600)
STATES = {"ok": "ok", "credentials": "credentials", "unreachable": "unreachable"}


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    services()
    demo = Demo("demotest", odoo_run.free_port())
    try:
        demo.run()
        yield demo
    finally:
        server = hosted.server_of(demo.hosting.database)
        demo.stop()
        demo.remove()
        demo.json_path.unlink(missing_ok=True)
        assert not demo.folder.exists()
        assert [name for name, mark in hosted.marks().items() if mark == server] == []


@pytest.fixture(scope="module")
def facts(demo: Demo) -> dict[str, Any]:
    return json.loads(demo.json_path.read_text())


@pytest.fixture(scope="module")
def portal(demo: Demo) -> dict[str, dict[str, Any]]:
    """The databases in the portal, by name."""
    fields = [*demo_sync.FIELDS, "database_state", "database_url", "database_protocol"]
    rows = demo_sync.Portal(demo).call(
        "project.project", "search_read", demo_sync.IS_DATABASE, fields
    )
    return {row["name"]: row for row in rows}


def test_the_facts_have_the_promised_shape(demo: Demo, facts: dict[str, Any]) -> None:
    parts = {"portal", "server", "hosted", "customers", "signup", "people", "databases"}
    assert set(facts) == parts
    for label in ("portal", "server"):
        assert set(facts[label]) == {"url", "base", "database", "login", "password"}
        assert facts[label]["url"] == f"http://{label}.localhost:{demo.port}"
        assert facts[label]["base"] == f"http://127.0.0.1:{demo.port}"
    for entry in facts["hosted"]:
        assert set(entry) == {"name", "url", "base", "purpose", "login", "password"}
        assert entry["url"] == f"http://{entry['name']}.localhost:{demo.hosting.port}"
    assert {"customer", "trial", "staging"} <= {entry["purpose"] for entry in facts["hosted"]}
    assert [entry["state"] for entry in facts["customers"]] == ["trial", "active"]
    for entry in facts["customers"]:
        assert entry["url"] == f"http://{entry['name']}.localhost:{demo.hosting.port}"
        assert entry["portal"] == f"{facts['portal']['url']}/my/databases"
    for entry in facts["databases"]:
        assert set(entry) == {"name", "url", "hosting", "expected"}
        assert entry["expected"] in STATES
    assert {entry["expected"] for entry in facts["databases"]} == set(STATES)


def test_each_database_is_in_the_state_that_the_facts_expect(
    facts: dict[str, Any], portal: dict[str, dict[str, Any]]
) -> None:
    expected = {entry["name"]: STATES[entry["expected"]] for entry in facts["databases"]}
    assert {name: row["database_state"] for name, row in portal.items()} == expected


def test_one_client_is_reached_by_xmlrpc_and_the_others_by_json2(
    portal: dict[str, dict[str, Any]],
) -> None:
    protocols = {
        name: row["database_protocol"]
        for name, row in portal.items()
        if row["database_state"] == "ok"
    }
    assert protocols.pop("Cedar Woodworks") == "xmlrpc"
    assert set(protocols.values()) == {"json2"}


def test_the_kpis_are_those_of_the_clients_own_records(portal: dict[str, dict[str, Any]]) -> None:
    kpis = portal["Alpine Outdoor"]["database_kpi_properties"]
    # What only other databases have is there without a value.
    alpine = {kpi["string"]: kpi.get("value") for kpi in kpis}
    assert alpine["Sales"] == 12
    assert alpine["Purchase"] == 7
    assert alpine["Inbox"] == 14
    assert alpine["VAT Return"] == "late"
    assert portal["Alpine Outdoor"]["database_nb_users"] == 7


def sign_in(place: dict[str, Any], database: str) -> Any:
    """Sign in with the login of the facts; return what the server answers."""
    parameters = {"db": database, "login": place["login"], "password": place["password"]}
    answer = requests.post(
        f"{place['base']}/web/session/authenticate",
        json={"params": parameters},
        headers={"Host": place["url"].removeprefix("http://")},
        timeout=60,
    )
    return answer.json()["result"]


@pytest.mark.parametrize("label", ["portal", "server"])
def test_the_login_of_the_facts_opens_the_control_databases(
    facts: dict[str, Any], label: str
) -> None:
    assert sign_in(facts[label], facts[label]["database"])["uid"] == 2


def test_the_login_of_the_facts_opens_every_hosted_database(facts: dict[str, Any]) -> None:
    assert {entry["name"]: sign_in(entry, entry["name"])["uid"] for entry in facts["hosted"]} == {
        entry["name"]: 2 for entry in facts["hosted"]
    }


def test_the_server_knows_the_other_databases_that_were_made_here(demo: Demo) -> None:
    demo.hosting.run("reconcile", "server")
    differences = demo_sync.Portal(demo, "server").call(
        "saas.difference", "search_read", [("solved", "=", False)], ["what", "name"]
    )
    made_here = [each for each in differences if each["name"].startswith(postgres.prefix())]
    assert postgres.exists(demo.database("portal"))
    assert made_here == []


def test_the_hosted_databases_are_those_that_the_server_made(
    demo: Demo, facts: dict[str, Any]
) -> None:
    rows = demo_sync.Portal(demo, "server").call(
        "saas.database", "search_read", [], ["name", "state", "is_neutralized"]
    )
    there = [*facts["hosted"], *facts["customers"]]
    assert {row["name"] for row in rows} == {entry["name"] for entry in there}
    assert {row["state"] for row in rows} == {"active"}
    neutralised = [row["name"] for row in rows if row["is_neutralized"]]
    assert neutralised == [demo.hosting.hosted_name(demo.staging_label)]


def test_the_runner_took_the_operations_at_once_and_all_are_done(demo: Demo) -> None:
    asked = ("adopt", "template_build", "create", "duplicate", "backup")
    rows = demo_sync.Portal(demo, "server").call(
        "saas.operation",
        "search_read",
        [["key", "=like", "demo:%"]],
        ["kind", "state", "attempt"],
    )
    # A test may have asked for more.
    assert {row["kind"] for row in rows} >= set(asked)
    assert {row["state"] for row in rows} == {"done"}
    jobs = demo_sync.Portal(demo, "server").call(
        "queue.job", "search_count", [["state", "=", "done"]]
    )
    assert jobs >= len(rows)


def test_the_steps_that_are_shown_have_seconds_and_evidence(demo: Demo) -> None:
    name = demo.address(demo.hosted[0])[1]
    shown = demo_facts.steps(demo, "create", name)
    assert len(shown) == 9
    assert sum(float(seconds) for _step, seconds, _evidence in shown) > 0
    assert shown[-1][0] == "Open its first page"
    assert "/web/login" in shown[-1][2]


# --- what is sold


def test_the_portal_has_the_server_and_a_ready_template_for_every_plan(demo: Demo) -> None:
    call = demo_sync.Portal(demo).call
    [server] = call("saas.server", "search_read", [], ["state", "name"])
    assert (server["state"], server["name"]) == ("ok", "Northwind Hosting")
    plans = call("saas.plan", "search_read", [], ["template_id"])
    assert len(plans) == 3
    ready = call("saas.template", "search_read", [["line_ids.state", "=", "ready"]], ["id"])
    assert {plan["template_id"][0] for plan in plans} <= {row["id"] for row in ready}


def test_the_template_says_what_it_is_for(demo: Demo) -> None:
    for label, model in (("portal", "saas.template"), (LABEL, "saas.database.template")):
        call = demo_sync.Portal(demo, label).call
        [row] = call(model, "search_read", [["code", "=", TEMPLATE]], ["description"])
        assert row["description"], label


def test_the_customers_signed_up_one_is_on_trial_and_one_has_paid(
    demo: Demo, facts: dict[str, Any]
) -> None:
    call = demo_sync.Portal(demo).call
    signups = call("saas.signup", "search_read", [], ["name", "state", "instance_id", "proven"])
    assert {row["name"] for row in signups} == {each["name"] for each in facts["customers"]}
    assert all(row["state"] == "done" and row["proven"] for row in signups)
    fields = ["name", "state", "invoice_ids"]
    rows = {row["name"]: row for row in call("saas.subscription", "search_read", [], fields)}
    for customer in facts["customers"]:
        assert rows[customer["name"]]["state"] == customer["state"]
    trial, paying = (rows[customer["name"]] for customer in facts["customers"])
    assert trial["invoice_ids"] == []
    [invoice] = call(
        "account.move", "read", paying["invoice_ids"], ["payment_state", "amount_total"]
    )
    assert invoice["payment_state"] in ("paid", "in_payment")
    assert invoice["amount_total"] > 0


def test_the_customers_go_into_their_databases_and_see_what_their_plan_is(
    demo: Demo, facts: dict[str, Any]
) -> None:
    call = demo_sync.Portal(demo).call
    banners = {}
    for customer in facts["customers"]:
        [row] = call("saas.instance", "search_read", [["name", "=", customer["name"]]], ["uuid"])
        visitor = Visitor(facts["portal"]["url"])
        visitor.send(
            "/web/login", "/web/login", login=customer["login"], password=customer["password"]
        )
        assert customer["name"] in visitor.get("/my/databases")
        visitor.send(f"/my/databases/connect/{row['uuid']}", customer["url"])
        found = visitor.call(f"{customer['url']}/fleet/notices")
        banners[customer["state"]] = [notice["text"] for notice in found["notices"]]
    assert any("Your trial has" in text for text in banners["trial"]), banners
    assert not any("trial" in text for text in banners["active"]), banners


def test_each_of_the_people_finds_a_page_behind_the_login(
    demo: Demo, facts: dict[str, Any]
) -> None:
    for person in facts["people"]:
        root = person["url"].split("/", 3)
        visitor = Visitor("/".join(root[:3]))
        access = {"login": person["login"], "password": person["password"]}
        visitor.send("/web/login", "/web/login", **access)
        page = visitor.get(f"/{root[3]}")
        assert "o_web_client" in page or "/web/session/logout" in page, person["who"]


def test_the_table_names_every_database(demo: Demo, facts: dict[str, Any]) -> None:
    table = demo_sync.table(demo_sync.fleet(demo))
    assert [
        name for name in (entry["name"] for entry in facts["databases"]) if name not in table
    ] == []


def test_the_logs_hold_no_unexpected_warning(demo: Demo) -> None:
    text = "".join(log.read_text(errors="replace") for log in (demo.log, demo.hosting.log))
    assert odoo_log.unexpected(text, (XMLRPC_IS_OLD,)) == []
