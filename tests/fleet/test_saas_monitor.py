"""Every instance is in the portal's fleet list with its figures, by a key that the server never saw."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.saas_fleet import SaasFleet

FIELDS = (
    "database_state",
    "database_last_error",
    "database_last_synchro",
    "database_nb_users",
    "database_kpi_properties",
    "database_url",
    "database_is_resting",
)
WORKER = "Databases: Work in the Background"


@pytest.fixture(scope="module")
def saas() -> Iterator[SaasFleet]:
    with SaasFleet("saas_monitor", source="hosted") as saas:
        saas.rows("UPDATE ir_cron SET active = true WHERE cron_name = %s RETURNING id", WORKER)
        yield saas


def wait_for(what: Callable[[], Any], seconds: float = 90) -> Any:
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"it did not come within {seconds} s"
        time.sleep(0.2)
    return found


def project(saas: SaasFleet, instance: int) -> dict[str, Any]:
    """Return the instance's line in the fleet list."""
    record = saas.read("saas.instance", instance, "project_id")["project_id"]
    return saas.read("project.project", record[0], *FIELDS)


def figures(found: dict[str, Any]) -> dict[str, Any]:
    return {each["string"]: each.get("value") for each in found["database_kpi_properties"]}


def synchronize(saas: SaasFleet, instance: int) -> dict[str, Any]:
    record = saas.read("saas.instance", instance, "project_id")["project_id"][0]
    saas.call("project.project", "action_synchronize", ids=[record])
    return project(saas, instance)


def wait_read(saas: SaasFleet, instance: int) -> dict[str, Any]:
    """Have the list read the figures, and return its line once it could."""

    def read() -> dict[str, Any] | None:
        # One that is just being read by itself is not read twice.
        found = synchronize(saas, instance)
        return found if found["database_state"] == "ok" else None

    return wait_for(read)


def keys(saas: SaasFleet, name: str) -> list[str]:
    query = (
        "SELECT k.index FROM res_users_apikeys k JOIN res_users u ON u.id = k.user_id "
        "WHERE u.login = '__fleet_monitor__'"
    )
    return [index for (index,) in saas.servers["one"].rows(query, database=name)]


def set_up(saas: SaasFleet, instance: int) -> None:
    before = saas.read("saas.instance", instance, "monitor_date")["monitor_date"]
    time.sleep(1)  # the date has whole seconds
    saas.call("saas.instance", "action_monitor", ids=[instance])
    wait_for(lambda: saas.read("saas.instance", instance, "monitor_date")["monitor_date"] != before)


def test_the_figures_of_a_new_instance_arrive_by_themselves(saas: SaasFleet) -> None:
    instance = saas.create("watched", admin_login="ann@example.com")
    saas.wait_state(instance, "active")
    found = wait_for(lambda: (p := project(saas, instance))["database_last_synchro"] and p)
    assert found["database_state"] == "ok", found["database_last_error"]
    assert figures(found)["Users"] == 1
    assert found["database_nb_users"] == 1
    # Nowhere on the server, and in clear nowhere in the portal.
    [index] = keys(saas, "watched")
    [(kept,)] = saas.rows("SELECT count(*) FROM saas_instance WHERE monitor_secret IS NOT NULL")
    assert kept == 0
    told = saas.servers["one"].rows(
        "SELECT request::text FROM saas_operation WHERE kind = 'create'"
    )
    assert any(index in text for (text,) in told)


def test_a_new_key_replaces_the_one_before(saas: SaasFleet) -> None:
    instance = saas.create("rotated")
    saas.wait_state(instance, "active")
    before = keys(saas, "rotated")
    set_up(saas, instance)
    assert len(before) == 1
    assert keys(saas, "rotated") != before
    wait_read(saas, instance)


def test_the_list_follows_a_new_name_and_leaves_a_suspended_one_alone(saas: SaasFleet) -> None:
    instance = saas.create("before-name")
    saas.wait_state(instance, "active")
    values = {"instance_id": instance, "kind": "rename", "name": "after-name"}
    [wizard] = saas.call("saas.instance.wizard", "create", vals_list=[values])
    saas.call("saas.instance.wizard", "action_submit", ids=[wizard])
    saas.wait_state(instance, "active")
    assert "after-name" in wait_read(saas, instance)["database_url"]
    saas.call("saas.instance", "action_suspend", ids=[instance])
    saas.wait_state(instance, "suspended")
    assert project(saas, instance)["database_is_resting"]
    saas.call("saas.instance", "action_resume", ids=[instance])
    saas.wait_state(instance, "active")
    wait_read(saas, instance)


def test_a_staging_copy_has_a_key_of_its_own(saas: SaasFleet) -> None:
    instance = saas.create("source")
    saas.wait_state(instance, "active")
    values = {"instance_id": instance, "kind": "duplicate", "name": "source-copy"}
    [wizard] = saas.call("saas.instance.wizard", "create", vals_list=[values])
    saas.call("saas.instance.wizard", "action_submit", ids=[wizard])
    [copy] = saas.call("saas.instance", "search", domain=[("parent_id", "=", instance)])
    saas.wait_state(copy, "active")
    wait_for(lambda: saas.read("saas.instance", copy, "monitor_date")["monitor_date"])
    assert len(keys(saas, "source-copy")) == 1
    assert keys(saas, "source-copy") != keys(saas, "source")
    wait_read(saas, copy)
    wait_read(saas, instance)
