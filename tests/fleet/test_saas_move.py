"""A database moves from one hosting server to another, asked by the portal; real processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
from support.odoo_fleet import resolve_localhost_names
from support.saas_fleet import SaasFleet

pytestmark = pytest.mark.timeout(1500)  # two servers, each with a PostgreSQL of its own

PASSWORD = "a good password"
# What the tests provoke on purpose: a name that the other server has, a password that is not known.
EXPECTED = (r"odoo\.http: The name .* is taken", r"odoo\.http: Access Denied")


@pytest.fixture(scope="module")
def saas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SaasFleet]:
    """Two servers that have nothing in common but the folder of their backups."""
    resolve_localhost_names()
    made = SaasFleet("saas_move", servers=("one", "two"), allowed=EXPECTED, apart=True)
    shared = tmp_path_factory.mktemp("backups")
    for server in made.servers.values():
        server._environment["FLEET_BACKUP_DIR"] = str(shared)
    with made:
        yield made


def wait_for(what: Callable[[], Any], seconds: float = 120) -> Any:
    end = time.monotonic() + seconds
    while not (found := what()):
        assert time.monotonic() < end, f"it did not come within {seconds} s"
        time.sleep(0.2)
    return found


def rows(saas: SaasFleet, label: str, database: str, query: str, *values: Any) -> list[tuple]:
    """Return what a query finds in a database of one of the servers."""
    server = saas.servers[label]
    with server.reached():
        return server.rows(query, *values, database=database)


def log_in(saas: SaasFleet, label: str, name: str) -> Any:
    """Return the user that the password of the administrator opens, None without one."""
    server = saas.servers[label]
    url = f"http://127.0.0.1:{server.hosted.port}/web/session/authenticate"
    asked = {"params": {"db": name, "login": "ann@example.com", "password": PASSWORD}}
    host = {"Host": f"{name}.localhost:{server.hosted.port}"}
    answer = requests.post(url, json=asked, headers=host, timeout=60)
    return answer.ok and answer.json().get("result", {}).get("uid")


def prepared(saas: SaasFleet, name: str) -> int:
    """Have a database made on the first server, with a password and an attachment of its own."""
    one = saas.records["one"]
    instance = saas.create(name, server_id=one, admin_login="ann@example.com")
    assert saas.wait_state(instance, "active", "failed")["state"] == "active"
    wizard = {"instance_id": instance, "kind": "administrator", "password": PASSWORD}
    wizard["reason"] = "He has forgotten it"
    [wizard] = saas.call("saas.instance.wizard", "create", vals_list=[wizard])
    saas.call("saas.instance.wizard", "action_submit", ids=[wizard])
    saas.wait_state(instance, "active")
    attach = (
        "env['ir.attachment'].create({'name': 'letter', 'raw': b'a letter' * 5000})\n"
        "env.cr.commit()"
    )
    saas.servers["one"].script(attach, database=name)

    def known() -> Any:
        for record in saas.records.values():
            saas.call("saas.server", "action_synchronize", ids=[record])
        return saas.read("saas.instance", instance, "uuid")["uuid"]

    wait_for(known)
    return instance


def move(saas: SaasFleet, instance: int) -> None:
    values = {"instance_id": instance, "server_id": saas.records["two"]}
    [wizard] = saas.call("saas.instance.move.wizard", "create", vals_list=[values])
    found = saas.read("saas.instance.move.wizard", wizard, "refusal", "preview")
    assert not found["refusal"], found
    assert "off the air" in found["preview"]
    saas.call("saas.instance.move.wizard", "action_move", ids=[wizard])


FACTS = """
SELECT (SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'),
       (SELECT string_agg(store_fname, ',' ORDER BY id) FROM ir_attachment WHERE name = 'letter'),
       (SELECT count(*) FROM res_partner), (SELECT count(*) FROM ir_model_data),
       (SELECT count(*) FROM ir_cron WHERE active)"""


def test_a_database_moves_and_its_people_log_in_as_before(saas: SaasFleet) -> None:
    instance = prepared(saas, "acme")
    before = saas.read("saas.instance", instance, "uuid", "url")
    facts = rows(saas, "one", "acme", FACTS)
    assert log_in(saas, "one", "acme")
    begun = time.monotonic()
    move(saas, instance)
    down = wait_for(lambda: saas.servers["one"].get("acme").status_code == 503 and time.monotonic())
    up = wait_for(lambda: saas.servers["two"].get("acme").status_code == 200 and time.monotonic())
    found = saas.wait_state(instance, "active", timeout=180)
    print(f"\n  moved in {up - begun:.1f} s, {up - down:.1f} s of them off the air")
    assert (found["server_id"][0], found["problem"]) == (saas.records["two"], False)
    assert found["url"] != before["url"] and str(saas.servers["two"].hosted.port) in found["url"]
    assert rows(saas, "two", "acme", FACTS) == facts
    assert facts[0][0] == before["uuid"] == found["uuid"]
    stored = facts[0][1]
    assert (saas.servers["two"].filestore("acme") / stored).read_bytes() == b"a letter" * 5000
    assert log_in(saas, "two", "acme")
    assert not log_in(saas, "one", "acme")
    assert saas.servers["one"].get("acme").status_code == 503
    base = "SELECT value FROM ir_config_parameter WHERE key = 'web.base.url'"
    assert rows(saas, "two", "acme", base) == [(found["url"],)]
    wait_for(lambda: former(saas, instance)["state"] == "kept")
    assert saas.servers["one"].get("acme").status_code == 503


def former(saas: SaasFleet, instance: int) -> dict[str, Any]:
    domain = [("instance_id", "=", instance)]
    [found] = saas.call("saas.instance.former", "search", domain=domain)
    return saas.read("saas.instance.former", found, "state", "problem")


def test_the_former_copy_goes_for_good_and_the_database_goes_on(saas: SaasFleet) -> None:
    [instance] = saas.call("saas.instance", "search", domain=[("name", "=", "acme")])
    [copy] = saas.call("saas.instance.former", "search", domain=[("instance_id", "=", instance)])
    saas.call("saas.instance.former", "action_drop", ids=[copy])
    wait_for(lambda: former(saas, instance)["state"] == "dropped", 180)
    state = "SELECT state FROM saas_database WHERE name = 'acme'"
    with saas.servers["one"].reached():
        assert saas.servers["one"].rows(state) == [("dropped",)]
    assert log_in(saas, "two", "acme")


def test_a_move_that_the_other_server_cannot_finish_gives_the_database_back(
    saas: SaasFleet,
) -> None:
    instance = prepared(saas, "bakery")
    two = saas.servers["two"]
    two.run("create", "bakery", {"template": "tiny-odoo"})
    move(saas, instance)
    wait_for(lambda: saas.servers["one"].get("bakery").status_code == 503)
    found = saas.wait_state(instance, "active", timeout=180)
    assert found["server_id"][0] == saas.records["one"]
    assert "taken" in found["problem"]
    wait_for(lambda: saas.servers["one"].get("bakery").status_code == 200)
    assert log_in(saas, "one", "bakery")
    assert not log_in(saas, "two", "bakery"), "that one is another database"
    assert not saas.call("saas.instance.former", "search", domain=[("instance_id", "=", instance)])
