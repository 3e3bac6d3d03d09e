"""A portal and a hosting server as real processes: what is asked for happens, once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.saas_fleet import SaasFleet

# What the tests provoke on purpose.
EXPECTED = (r"odoo\.http: The name twice is taken",)


@pytest.fixture(scope="module")
def saas() -> Iterator[SaasFleet]:
    with SaasFleet("saas_portal", allowed=EXPECTED) as saas:
        yield saas


def test_an_instance_is_created_and_answers(saas: SaasFleet) -> None:
    instance = saas.create("acme", admin_login="ann@example.com", admin_name="Ann")
    found = saas.wait_state(instance, "active", "failed")
    assert (found["state"], found["problem"]) == ("active", False)
    assert saas.servers["one"].get("acme").status_code == 200
    assert found["project_id"], "it is in the fleet list"


def test_a_name_that_the_server_has_is_refused_in_its_words(saas: SaasFleet) -> None:
    first = saas.create("twice")
    saas.wait_state(first, "active")
    saas.rows("UPDATE saas_instance SET name = 'forgotten' WHERE id = %s RETURNING id", first)
    second = saas.create("twice")
    found = saas.wait_state(second, "failed")
    assert "twice" in found["problem"]


def test_it_is_suspended_and_resumed(saas: SaasFleet) -> None:
    instance = saas.create("pause")
    saas.wait_state(instance, "active")
    saas.call("saas.instance", "action_suspend", ids=[instance])
    saas.wait_state(instance, "suspended")
    assert saas.servers["one"].get("pause").status_code == 503
    saas.call("saas.instance", "action_resume", ids=[instance])
    saas.wait_state(instance, "active")
    assert saas.servers["one"].get("pause").status_code == 200


def test_what_was_asked_while_the_portal_is_down_is_known_after_its_start(saas: SaasFleet) -> None:
    instance = saas.create("sleepy")
    saas.portal.server.kill()
    saas.portal.start()
    saas.wait_state(instance, "active")
    server = saas.servers["one"]
    made = server.rows("SELECT count(*) FROM saas_operation WHERE target = 'sleepy'")
    assert made == [(1,)]
