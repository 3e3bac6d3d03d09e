"""The server database comes back from a backup: nothing that was made since may be harmed by it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from life_case import assert_served, new_name, owned
from making import create_request, drop, publish_template
from operations import HostingServer

from fleetdev import postgres


@pytest.fixture(scope="module")
def server() -> Iterator[HostingServer]:
    with HostingServer("older") as made:
        yield made


def go_back(server: HostingServer, kept: str) -> None:
    """Restore the server database, some days after its backup was made."""
    postgres.copy(kept, server.database)
    server.sql("UPDATE saas_operation SET started = started - interval '3 days'")


def test_an_operation_that_ended_after_the_backup_of_the_records_is_neither_redone_nor_undone(
    server,
):
    template, name, later = publish_template(server, "tiny"), new_name("old"), new_name("old")
    request, kept = create_request(template), f"{server.database}_kept"
    operation = server.submit("create", name, request)
    try:
        assert server.run(operation, "create.route.ended=kill") == "killed"
        postgres.copy(server.database, kept)
        server.sql("UPDATE saas_operation SET state = 'done' WHERE id = %s", operation)
        second = server.submit("create", later, create_request(template))
        assert server.run(second, "create.route.ended=kill") == "killed"
        go_back(server, kept)
        assert server.run(operation) == "busy"
        assert (server.state(operation), server.error(operation)[0]) == ("failed", "records_older")
        assert_served(server, name, request["uuid"])
        assert server.submit("check", "server") > second
    finally:
        postgres.drop(kept)
        drop(server, template, name, later)


def log_in(server: HostingServer, name: str) -> None:
    """Leave what a customer leaves in a database, and nothing else on this machine."""
    server.sql_in(
        name,
        "INSERT INTO res_users_log (create_uid, create_date) "
        "VALUES (2, now() AT TIME ZONE 'utc') RETURNING id",
    )


def finish(server: HostingServer, name: str) -> None:
    """Write on a database that what made it came to its end."""
    cluster = server.host.cluster
    cluster.set_mark(name, replace(cluster.facts(name).mark, live=True))


def hand_on(server: HostingServer, name: str) -> None:
    """Write on a database that an operation worked on it since, which the records do not know."""
    cluster = server.host.cluster
    mark = cluster.facts(name).mark
    cluster.set_mark(name, replace(mark, operation=mark.operation - 1))


@pytest.mark.parametrize("used", [log_in, finish, hand_on])
@pytest.mark.parametrize(
    "kept_at", ["create.copy.after", "create.publish.ended", "create.route.ended"]
)
def test_a_late_undo_leaves_a_database_that_is_in_use(server, kept_at, used):
    template, name = publish_template(server, "tiny"), new_name("used")
    request, kept = create_request(template), f"{server.database}_kept"
    operation = server.submit("create", name, request)
    try:
        assert server.run(operation, f"{kept_at}=kill") == "killed"
        postgres.copy(server.database, kept)
        if kept_at != "create.route.ended":
            assert server.run(operation, "create.route.ended=kill") == "killed"
        used(server, name)
        if kept_at == "create.copy.after":
            postgres.copy(kept, server.database)  # in time: it is made once more, and is in its way
        else:
            go_back(server, kept)
        assert server.run(operation) == "failed"
        code, words = server.error(operation)
        assert code == "undo_failed" and "in use" in words
        assert_served(server, name, request["uuid"])
    finally:
        postgres.drop(kept)
        drop(server, template, name)


def test_a_late_undo_drops_what_nobody_has_used(server):
    template, name = publish_template(server, "tiny"), new_name("half")
    operation = server.submit("create", name, create_request(template))
    try:
        assert server.run(operation, "create.route.ended=kill") == "killed"
        server.sql("UPDATE saas_operation SET started = started - interval '3 days'")
        assert server.run(operation) == "failed"
        assert server.error(operation)[0] == "deadline"
        assert name not in server.databases()
        assert name not in server.folders()
    finally:
        drop(server, template, name)


def test_an_operation_is_no_reason_to_end_itself(server):
    name = new_name("old")
    identity = server.host_database(name)
    assert server.do("suspend", name, {"uuid": identity})
    assert server.do("snapshot", name, {"uuid": identity})
    drop(server, *owned(server, identity))
