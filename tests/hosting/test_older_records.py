"""The server database comes back from a backup: nothing that was made since may be harmed by it."""

from __future__ import annotations

from collections.abc import Iterator

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


def test_an_operation_is_no_reason_to_end_itself(server):
    name = new_name("old")
    identity = server.host_database(name)
    assert server.do("suspend", name, {"uuid": identity})
    assert server.do("snapshot", name, {"uuid": identity})
    drop(server, *owned(server, identity))
