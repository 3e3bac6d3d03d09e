"""Host names of customers' own: they lead to one database, whatever becomes of it, and to no other."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from hosting import reconcile
from hosting.contract import check_arguments
from hosting.errors import HostingError
from hosting.kinds import KINDS
from hosting.routes import Routes
from life_case import new_name
from operations import HostingServer


@pytest.fixture(scope="module")
def server() -> Iterator[HostingServer]:
    with HostingServer("domains") as made:
        made.serve("--log-level=warn")
        yield made


@pytest.fixture
def database(server: HostingServer) -> tuple[str, str]:
    name = new_name("dom")
    return name, server.host_database(name)


def lead(
    server: HostingServer, database: tuple[str, str], *names: str, failpoints: str = ""
) -> str:
    name, identity = database
    operation = server.submit("domains", name, {"uuid": identity, "names": list(names)})
    return server.run(operation, failpoints)


def led(server: HostingServer, name: str) -> dict[str, str]:
    """Return the state of every own host name of a database."""
    main = server.host.host_name(name)
    table = Routes(server.host.routes).load()
    return {h: r.state for h, r in table.items() if r.database == name and h != main}


def page(server: HostingServer, host: str) -> int:
    url = f"http://127.0.0.1:{server.port}/web/login"
    return requests.get(url, headers={"Host": host}, timeout=60, allow_redirects=False).status_code


def may_have_certificate(server: HostingServer, host: str, **headers: str) -> int:
    url = f"http://127.0.0.1:{server.port}/fleet/domain"
    return requests.get(url, params={"domain": host}, headers=headers, timeout=60).status_code


def test_a_name_leads_in_until_it_is_taken_away(server, database) -> None:
    assert page(server, "erp.acme.example") == 404
    assert lead(server, database, "erp.acme.example", "acme.example") == "done"
    assert page(server, "erp.acme.example") == page(server, "acme.example") == 200
    assert lead(server, database, "acme.example") == "done"
    assert page(server, "erp.acme.example") == 404
    assert page(server, "acme.example") == 200
    assert lead(server, database) == "done"
    assert led(server, database[0]) == {}
    assert page(server, server.host.host_name(database[0])) == 200


def test_a_proxy_is_told_for_which_names_to_get_a_certificate(server, database) -> None:
    lead(server, database, "tls.acme.example")
    assert may_have_certificate(server, "tls.acme.example") == 200
    assert may_have_certificate(server, server.host.host_name(database[0])) == 200
    assert may_have_certificate(server, "other.example") == 404
    assert may_have_certificate(server, "") == 404
    # Somebody from outside, through a proxy, is told nothing.
    assert (
        may_have_certificate(server, "tls.acme.example", **{"X-Forwarded-For": "192.0.2.1"}) == 404
    )
    assert may_have_certificate(server, "tls.acme.example", Host="other.example") == 404


def test_it_follows_through_suspending_resuming_and_another_name(server, database) -> None:
    name, identity = database
    lead(server, database, "way.acme.example")
    server.do("suspend", name, {"uuid": identity, "reason": "Unpaid"})
    assert led(server, name) == {"way.acme.example": "suspended"}
    assert page(server, "way.acme.example") == 503
    # What is asked for now is as closed as the rest.
    assert lead(server, database, "way.acme.example", "new.acme.example") == "done"
    assert led(server, name)["new.acme.example"] == "suspended"
    server.do("resume", name, {"uuid": identity})
    assert page(server, "new.acme.example") == 200
    other = new_name("dom")
    server.do("rename", name, {"uuid": identity, "new_name": other})
    assert (led(server, name), len(led(server, other))) == ({}, 2)
    assert page(server, "way.acme.example") == 200
    assert lead(server, database) == "failed", "its name was changed since this was asked for"
    server.do("drop", other, {"uuid": identity, "final_backup": {"verified": True}})
    assert page(server, "way.acme.example") == 404


def test_a_name_of_another_database_is_refused(server, database) -> None:
    other = new_name("dom")
    lead(server, database, "mine.example")
    rival = (other, server.host_database(other))
    assert lead(server, rival, "free.example", "mine.example") == "failed"
    assert (led(server, other), led(server, database[0])) == ({}, {"mine.example": "active"})


def test_a_name_of_the_server_itself_is_refused(server, database) -> None:
    for host in (server.host.domain, f"x.{server.host.domain}"):
        assert lead(server, database, host) == "failed"
    assert led(server, database[0]) == {}


def test_killed_anywhere_it_ends_as_it_was_asked_for(server, database) -> None:
    lead(server, database, "old.example")
    for point in ("domains.route", "domains.put"):
        name, identity = database
        wanted = [f"{point}.example", "two.example"]
        request = {"uuid": identity, "names": wanted}
        operation = server.submit("domains", name, request)
        assert server.run(operation, f"{point}=kill") == "killed"
        assert server.run(operation) == "done"
        assert set(led(server, name)) == set(wanted)


def test_what_fails_at_the_end_leaves_what_was_there(server, database) -> None:
    lead(server, database, "old.example")
    name, identity = database
    operation = server.submit("domains", name, {"uuid": identity, "names": ["new.example"]})
    assert server.run(operation, "domains.route.after=error") == "failed"
    assert led(server, name) == {"old.example": "active"}


@pytest.mark.parametrize(
    "names",
    [
        None,
        "a.example",
        ["localhost"],
        ["10.0.0.1"],
        ["A.example"],
        ["a.example:80"],
        ["*.example"],
    ],
)
def test_what_is_no_host_name_is_refused(names) -> None:
    with pytest.raises(HostingError):
        check_arguments("domains", KINDS["domains"].arguments, {"names": names})


def test_the_routes_are_written_again_from_the_records(server, database) -> None:
    name, identity = database
    lead(server, database, "kept.example")
    server.sql(
        "INSERT INTO saas_database (name, physical, uuid, state, purpose) "
        "VALUES (%s, %s, %s, 'active', 'customer')",
        *(name, name, identity),
    )
    server.sql(
        "INSERT INTO saas_database_domain (name, database_id, is_routed) "
        "SELECT 'kept.example', id, true FROM saas_database WHERE uuid = %s",
        identity,
    )
    server.sql("UPDATE saas_operation SET applied = true, ended = now() - interval '1 day'")
    Routes(server.host.routes).remove("kept.example")
    [found] = [
        x
        for x in reconcile.compare(server.host, reconcile.look(server.host))
        if x.name == "kept.example"
    ]
    assert found.what == "route_wrong"
    assert found.repairable
    server.do("reconcile", "server", {"repair": True, "names": ["kept.example"]})
    assert page(server, "kept.example") == 200
    server.host.routes.write_text("not JSON")
    server.do("reconcile", "server", {"repair": True, "names": []})
    assert "kept.example" in Routes(server.host.routes).load()
