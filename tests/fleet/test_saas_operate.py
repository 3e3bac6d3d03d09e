"""What an operator presses in the portal happens to the database, on a real server."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import requests
from support.saas_fleet import SaasFleet

from fleetdev import postgres

REFUSED = (
    r"odoo\.http: Type picked to confirm",
    r"odoo\.registry: Failed to load registry",
)


@pytest.fixture(scope="module")
def saas() -> Iterator[SaasFleet]:
    with SaasFleet("saas_operate", allowed=REFUSED) as saas:
        yield saas


def press(saas: SaasFleet, instance: int, kind: str, **values: object) -> None:
    """Fill in the wizard of an instance and press its button."""
    vals = {"instance_id": instance, "kind": kind, **values}
    [wizard] = saas.call("saas.instance.wizard", "create", vals_list=[vals])
    saas.call("saas.instance.wizard", "action_submit", ids=[wizard])


def points(saas: SaasFleet, instance: int, kind: str) -> list[int]:
    """Return the snapshots or backups of an instance once there is one."""
    end = time.monotonic() + 60
    while True:
        server = saas.read("saas.instance", instance, "server_id")["server_id"][0]
        saas.call("saas.server", "action_synchronize", ids=[server])
        domain = [("instance_id", "=", instance), ("kind", "=", kind)]
        if found := saas.call("saas.instance.point", "search", domain=domain):
            return found
        assert time.monotonic() < end
        time.sleep(0.5)


def test_a_database_goes_back_to_its_snapshot(saas: SaasFleet) -> None:
    instance = saas.create("goback")
    saas.wait_state(instance, "active")
    press(saas, instance, "parameters", key="fruit.basket", value="apples")
    saas.wait_state(instance, "active")
    press(saas, instance, "snapshot", reason="With apples")
    saas.wait_state(instance, "active")
    press(saas, instance, "parameters", key="fruit.basket")
    saas.wait_state(instance, "active")
    assert basket("goback") == []
    [snapshot] = points(saas, instance, "snapshot")
    press(saas, instance, "revert", point_id=snapshot)
    assert saas.wait_state(instance, "active")["problem"] is False
    assert basket("goback") == [("apples",)]


def basket(name: str) -> list[tuple]:
    with postgres.cursor(name) as cursor:
        cursor.execute("SELECT value FROM ir_config_parameter WHERE key = 'fruit.basket'")
        return cursor.fetchall()


def test_a_backup_brings_back_what_was_changed_since(saas: SaasFleet) -> None:
    instance = saas.create("restorer")
    saas.wait_state(instance, "active")
    press(saas, instance, "parameters", key="fruit.basket", value="apples")
    saas.wait_state(instance, "active")
    saas.call("saas.instance", "action_backup", ids=[instance])
    saas.wait_state(instance, "active")
    press(saas, instance, "parameters", key="fruit.basket", value="pears")
    saas.wait_state(instance, "active")
    assert basket("restorer") == [("pears",)]
    [backup] = points(saas, instance, "backup")
    press(saas, instance, "restore", point_id=backup)
    assert saas.wait_state(instance, "active")["problem"] is False
    assert basket("restorer") == [("apples",)]
    assert saas.servers["one"].get("restorer").status_code == 200


def test_a_module_is_installed_upgraded_and_uninstalled(saas: SaasFleet) -> None:
    instance = saas.create("modules")
    saas.wait_state(instance, "active")
    query = "SELECT state FROM ir_module_module WHERE name = %s"
    for action, state in (
        ("install", "installed"),
        ("upgrade", "installed"),
        ("uninstall", "uninstalled"),
    ):
        press(saas, instance, "modules", modules="base_sparse_field", module_action=action)
        assert saas.wait_state(instance, "active", timeout=180)["problem"] is False
        assert rows("modules", query, "base_sparse_field") == [(state,)]


def test_another_plan_then_the_archive_and_back(saas: SaasFleet) -> None:
    plans = [
        {"name": code, "code": code, "template_id": saas.template, "max_users": users}
        for code, users in (("small", 3), ("large", 9))
    ]
    small, large = saas.call("saas.plan", "create", vals_list=plans)
    [partner] = saas.call("res.partner", "create", vals_list=[{"name": "Picky"}])
    instance = saas.create("picked", plan_id=small, partner_id=partner)
    saas.wait_state(instance, "active")
    press(saas, instance, "plan", plan_id=large)
    assert saas.read("saas.instance", instance, "max_users")["max_users"] == 9
    saas.call("saas.instance", "action_archive_database", ids=[instance])
    saas.wait_state(instance, "archived")
    assert saas.servers["one"].get("picked").status_code in (404, 503)
    saas.call("saas.instance", "action_undelete", ids=[instance])
    saas.wait_state(instance, "active")
    assert saas.servers["one"].get("picked").status_code == 200
    with pytest.raises(requests.HTTPError, match="422"):
        press(saas, instance, "delete", typed="peeked")
    assert saas.wait_state(instance, "active")["request_id"] is False


def test_a_staging_copy_and_a_new_name(saas: SaasFleet) -> None:
    instance = saas.create("bakery")
    saas.wait_state(instance, "active")
    press(saas, instance, "duplicate", name="bakery-test")
    [copy] = saas.call("saas.instance", "search", domain=[("parent_id", "=", instance)])
    saas.wait_state(copy, "active")
    assert saas.servers["one"].get("bakery-test").status_code == 200
    press(saas, copy, "rename", name="bakery-old")
    assert "bakery-old" in saas.wait_state(copy, "active")["url"]
    assert saas.servers["one"].get("bakery-old").status_code == 200


def test_a_password_that_was_reset_opens_the_database(saas: SaasFleet) -> None:
    instance = saas.create("forgetful", admin_login="ann@example.com")
    saas.wait_state(instance, "active")
    press(saas, instance, "administrator", password="a good password", reason="Lost")
    saas.wait_state(instance, "active")
    [(stored,)] = rows(
        "forgetful", "SELECT password FROM res_users WHERE login = %s", "ann@example.com"
    )
    assert stored.startswith("$pbkdf2-sha512$")
    kept = saas.rows("SELECT secrets, arguments FROM saas_request WHERE kind = 'administrator'")
    assert kept in ([(None, {})], [(None, None)])


def rows(name: str, query: str, *values: object) -> list[tuple]:
    with postgres.cursor(name) as cursor:
        cursor.execute(query, values)
        return cursor.fetchall()


def test_what_the_server_refuses_is_said_in_its_words(saas: SaasFleet) -> None:
    instance = saas.create("modular")
    saas.wait_state(instance, "active")
    press(saas, instance, "modules", modules="no_such_module")
    assert "no_such_module" in saas.wait_state(instance, "active")["problem"]


def test_many_are_backed_up_and_one_is_deleted(saas: SaasFleet) -> None:
    instances = [saas.create(f"many-{number}") for number in range(2)]
    for instance in instances:
        saas.wait_state(instance, "active")
    vals = {"kind": "backup", "instance_ids": [(6, 0, instances)]}
    [wizard] = saas.call("saas.instance.bulk.wizard", "create", vals_list=[vals])
    bulk = saas.call("saas.instance.bulk.wizard", "action_preview", ids=[wizard])["res_id"]
    saas.call("saas.instance.bulk", "action_start", ids=[bulk])
    end = time.monotonic() + 120
    while saas.read("saas.instance.bulk", bulk, "state")["state"] in ("canary", "running"):
        assert time.monotonic() < end
        time.sleep(0.3)
    found = saas.read("saas.instance.bulk", bulk, "state", "done_count", "stop_reason")
    assert (found["state"], found["done_count"]) == ("done", 2), found
    assert points(saas, instances[0], "backup")
    press(saas, instances[1], "delete", typed="many-1")
    saas.wait_state(instances[1], "deleted", timeout=180)
    assert not postgres.exists("many-1")
