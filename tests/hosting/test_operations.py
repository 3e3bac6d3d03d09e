"""The tests' own way to run operations, tried with the smallest one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hosting import runner
from hosting.errors import HostingError
from operations import HostingServer


@pytest.fixture(scope="module")
def server() -> Iterator[HostingServer]:
    with HostingServer("operations") as made:
        yield made


def test_an_operation_runs_in_a_process_of_its_own_and_leaves_its_evidence(server):
    operation = server.submit("check", "server")
    assert server.run(operation) == "done", server.error(operation)
    assert server.state(operation) == "done"
    assert server.evidence(operation)["postgres"]["superuser"] is False


def test_a_run_that_is_killed_is_finished_by_the_next_one(server):
    operation = server.submit("check", "server")
    assert server.run(operation, "check.programs.before=kill") == "killed"
    assert server.steps(operation) == {
        "postgres": "done",
        "programs": "running",
        "folders": "pending",
    }
    assert server.run(operation) == "done"
    assert set(server.steps(operation).values()) == {"done"}


def test_an_ended_operation_is_not_run_again(server):
    operation = server.submit("check", "server")
    assert server.run(operation) == "done"
    assert server.run(operation) == "busy"


def test_a_hosted_database_goes_with_the_server_that_made_it():
    with HostingServer("operations_gone") as made:
        made.host_database("fleet-gone")
        assert set(made.databases()) == {"fleet-gone"}
        assert made.folders() == {"fleet-gone"}
        cluster = made.host.cluster
    assert not cluster.exists("fleet-gone")


def test_what_cannot_be_done_for_a_reason_known_before_fails_with_it(server):
    operation = server.submit("check", "server")
    reason = HostingError("no_database", name="acme")
    assert runner.run(server.host, operation, {}, reason) == "failed"
    assert server.error(operation)[0] == "no_database"
    assert set(server.steps(operation).values()) == {"pending"}
