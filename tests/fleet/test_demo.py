"""``make demo`` does what the README says, under another name and port than the developer's own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from support.odoo_fleet import XMLRPC_IS_OLD, services

from fleetdev import databases, demo_sync, odoo_log, odoo_run, postgres
from fleetdev.demo import Demo

STATES = {"ok": "ok", "credentials": "credentials", "unreachable": "unreachable"}


@pytest.fixture(scope="module")
def demo() -> Iterator[Demo]:
    services()
    demo = Demo("demotest", odoo_run.free_port())
    try:
        demo.run()
        yield demo
    finally:
        demo.stop()
        for name in postgres.names(f"{demo.name}_"):
            databases.drop(name)
        demo.json_path.unlink(missing_ok=True)


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
    assert set(facts) == {"portal", "databases"}
    assert set(facts["portal"]) == {"url", "base", "database", "login", "password"}
    assert facts["portal"]["url"] == f"http://portal.localhost:{demo.port}"
    assert facts["portal"]["base"] == f"http://127.0.0.1:{demo.port}"
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
    alpine = {
        kpi["string"]: kpi["value"] for kpi in portal["Alpine Outdoor"]["database_kpi_properties"]
    }
    assert alpine["Sales"] == 12
    assert alpine["Purchase"] == 7
    assert alpine["Inbox"] == 14
    assert alpine["VAT Return"] == "late"
    assert portal["Alpine Outdoor"]["database_nb_users"] == 7


def test_the_login_of_the_facts_opens_the_portal(facts: dict[str, Any]) -> None:
    portal = facts["portal"]
    answer = requests.post(
        f"{portal['base']}/web/session/authenticate",
        json={
            "params": {
                "db": portal["database"],
                "login": portal["login"],
                "password": portal["password"],
            }
        },
        headers={"Host": portal["url"].removeprefix("http://")},
        timeout=30,
    )
    assert answer.json()["result"]["uid"] == 2


def test_the_table_names_every_database(demo: Demo, facts: dict[str, Any]) -> None:
    table = demo_sync.table(demo_sync.fleet(demo))
    assert [
        name for name in (entry["name"] for entry in facts["databases"]) if name not in table
    ] == []


def test_the_servers_log_holds_no_unexpected_warning(demo: Demo) -> None:
    text = demo.log.read_text(errors="replace")
    assert odoo_log.unexpected(text, (XMLRPC_IS_OLD,)) == []
