"""The support of the fleet tests works: two databases, two clients that are not ours, a clean log."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from support.odoo_fleet import OdooFleet

from fleetdev import odoo_run, paths


@pytest.fixture(scope="module")
def fleet() -> Iterator[OdooFleet]:
    with OdooFleet("support", alpine="client", cedar="legacy") as fleet:
        yield fleet


def test_json2_reaches_the_database_of_the_host_name(fleet: OdooFleet) -> None:
    key = fleet.api_keys("alpine", "cedar")["alpine"]
    assert (
        fleet.call("alpine", key, "res.users", "search_count", domain=[["share", "=", False]]) == 1
    )
    kpis = fleet.call("alpine", key, "kpi.provider", "get_kpi_summary")
    assert [kpi["id"] for kpi in kpis] == ["documents.inbox"]


def test_a_server_without_json2_answers_404_with_a_page(fleet: OdooFleet) -> None:
    for path in ("/json/2/res.users/search_count", "/json/version", "/web/version"):
        host = {"Host": f"cedar.localhost:{fleet.port}"}
        answer = requests.get(f"http://127.0.0.1:{fleet.port}{path}", headers=host, timeout=30)
        assert answer.status_code == 404
        assert answer.headers["Content-Type"].startswith("text/html")


def test_odooly_speaks_json2(fleet: OdooFleet) -> None:
    client = fleet.odooly("alpine", fleet.api_keys("alpine")["alpine"])
    assert client.env["res.users"].search_count([("share", "=", False)]) == 1


def test_the_processes_of_the_tests_live_as_long_as_the_readme_says() -> None:
    """One that Odoo starts again after two minutes does not come back here."""
    [line] = [each for each in odoo_run.CONFIGURATION.splitlines() if "limit_time_real" in each]
    readme = paths.ADDONS / "fleet_saas_server/readme/CONFIGURE.md"
    assert line in readme.read_text().splitlines()
