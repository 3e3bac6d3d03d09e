"""A hosting server on real processes: operations start at once, and the contract is kept."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import pytest
from support.hosting_fleet import HostingFleet

START_S = 0.5
REFUSALS = (
    r"odoo\.http: Only a Hosting Agent may use this",
    r"odoo\.http: .* was used before for another request",
    r"odoo\.http: check does not know the argument colour",
)


@pytest.fixture(scope="module")
def fleet() -> Iterator[HostingFleet]:
    with HostingFleet("smoke", allowed=REFUSALS) as fleet:
        yield fleet


def test_an_operation_starts_within_half_a_second_of_being_asked_for(fleet: HostingFleet) -> None:
    for _again in range(10):
        fleet.run("check", "server")
    waits = fleet.rows(
        "SELECT extract(epoch FROM started - create_date) FROM saas_operation WHERE kind = 'check'"
    )
    assert len(waits) >= 10
    # Of the median, because other tests keep the machine busy meanwhile.
    assert statistics.median(float(seconds) for (seconds,) in waits) < START_S


def test_the_same_key_with_the_same_request_gets_the_first_operation(fleet: HostingFleet) -> None:
    key = fleet.submit("check", "server")
    first = fleet.wait(key)
    again = fleet.call("submit", kind="check", target="server", key=key, arguments={})
    assert (again.status_code, again.json()) == (200, first)


def test_the_same_key_with_another_request_is_refused_with_409(fleet: HostingFleet) -> None:
    key = fleet.submit("check", "server")
    answer = fleet.call(
        "submit", kind="create", target="smoke", key=key, arguments={"template": "blank"}
    )
    assert answer.status_code == 409
    assert key in answer.json()["message"]
    assert fleet.wait(key)["kind"] == "check"


def test_an_argument_that_the_kind_does_not_know_is_refused(fleet: HostingFleet) -> None:
    key = "smoke-unknown-argument"
    answer = fleet.call(
        "submit", kind="check", target="server", key=key, arguments={"colour": "red"}
    )
    assert answer.status_code == 422
    assert "colour" in answer.json()["message"]
    assert fleet.status(key) == {key: None}


@pytest.mark.parametrize("method", ["submit", "status", "inventory", "capabilities"])
def test_a_user_without_the_group_gets_nothing(fleet: HostingFleet, method: str) -> None:
    arguments = {
        "submit": {"kind": "check", "target": "server", "key": "smoke-outsider"},
        "status": {"keys": ["smoke-outsider"]},
    }
    answer = fleet.call(method, user="outsider", **arguments.get(method, {}))
    assert answer.status_code == 403


def test_a_wrong_key_is_nobody(fleet: HostingFleet) -> None:
    fleet.keys["nobody"] = "0" * 40
    assert fleet.call("capabilities", user="nobody").status_code == 401


def test_the_hosted_process_serves_no_database_that_has_no_route(fleet: HostingFleet) -> None:
    assert fleet.get("smoke").status_code == 404
    assert fleet.get(fleet.database).status_code == 404


def test_an_operation_is_finished_although_the_control_process_was_killed_in_it(
    fleet: HostingFleet,
) -> None:
    once = fleet.folder / "killed-once"
    fleet.control.restart(
        FLEET_TEST_FAILPOINTS_ALLOWED="1", FLEET_FAILPOINTS=f"check.programs.after=kill@{once}"
    )
    fleet.wait_runner()
    key = fleet.submit("check", "server")
    fleet.control.wait_end()
    assert once.exists()
    fleet.control.start()
    assert [step["state"] for step in fleet.wait(key)["steps"]] == ["done"] * 3


def test_without_the_runner_the_scheduled_action_takes_the_work(fleet: HostingFleet) -> None:
    fleet.control.restart(ODOO_QUEUE_JOB_CHANNELS="root:0")
    fleet.wait_cron()
    jobs = fleet.rows("SELECT count(*) FROM queue_job")
    fleet.run("check", "server", timeout=40)
    assert fleet.rows("SELECT count(*) FROM queue_job") == jobs
