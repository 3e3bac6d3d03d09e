"""An operation that another one is in the way of names it, so that its end starts the waiting one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hosting.journal import SqlJournal
from operations import HostingServer


@pytest.fixture(scope="module")
def server() -> Iterator[HostingServer]:
    with HostingServer("turns") as made:
        yield made


def journal(server: HostingServer, operation: int) -> SqlJournal:
    return SqlJournal(server.host.cluster, server.host.server_database, operation)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param(("copy", ("acme",)), ("acme", ()), id="the target is copied"),
        pytest.param(("acme", ()), ("copy", ("acme",)), id="the source is worked on"),
        pytest.param(("acme", ()), ("acme", ()), id="the target is worked on"),
    ],
)
def test_who_has_to_wait_names_the_operation_that_is_in_the_way(
    server: HostingServer, first: tuple, second: tuple
) -> None:
    running, waiting = (
        server.submit("check", target, sources=sources) for target, sources in (first, second)
    )
    with journal(server, running) as held:
        assert held.claim()
        with journal(server, waiting) as other:
            assert other.claim() is None
    found = server.sql("SELECT wait_operation FROM saas_operation WHERE id = %s", waiting)
    assert found == [(running,)]
    server.sql("UPDATE saas_operation SET state = 'done' WHERE id IN (%s, %s)", running, waiting)


def test_two_operations_copy_from_one_source_at_the_same_time(server: HostingServer) -> None:
    numbers = [server.submit("check", target, sources=("acme",)) for target in ("one", "two")]
    with journal(server, numbers[0]) as first, journal(server, numbers[1]) as second:
        assert first.claim()
        assert second.claim()
