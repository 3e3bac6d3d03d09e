"""The key by which a provider reads a database's figures: a hash, one user, gone from every copy."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from hosting import monitor
from hosting.kinds import KINDS
from life_case import ask, new_name
from making import create_request, publish_template
from operations import HostingServer
from passlib.hash import pbkdf2_sha512

KEYS = "SELECT u.login, k.scope, k.expiration_date FROM res_users_apikeys k, res_users u WHERE u.id = k.user_id"


@pytest.fixture(scope="module")
def server() -> Iterator[HostingServer]:
    with HostingServer("monitor") as made:
        made.serve()
        yield made


@pytest.fixture(scope="module")
def template(server: HostingServer) -> str:
    return publish_template(server, "hosted")


@pytest.fixture(scope="module")
def database(server: HostingServer) -> tuple[str, str]:
    """Return name and identity of a database with the module, which nobody reads yet."""
    name = new_name("watched")
    return name, server.host_database(name, "hosted")


def new_key() -> tuple[str, dict[str, str]]:
    """Return a key and what is told of it."""
    key = secrets.token_hex(20)
    return key, {"index": key[:8], "hash": pbkdf2_sha512.using(rounds=6000).hash(key)}


def call(
    server: HostingServer,
    name: str,
    key: str,
    method: str = "kpi.provider/get_kpi_summary",
    values: dict[str, Any] | None = None,
) -> requests.Response:
    headers = {"Authorization": f"bearer {key}"}
    return ask(server, name, f"/json/2/{method}", method="POST", json=values or {}, headers=headers)


def set_key(server: HostingServer, name: str, identity: str, failpoints: str = "") -> str:
    key, told = new_key()
    operation = server.submit("monitor", name, {"uuid": identity, "key": told})
    outcome = server.run(operation, failpoints)
    if failpoints:
        assert outcome == "killed"
        outcome = server.run(operation)
    assert outcome == "done", server.error(operation)
    assert server.evidence(operation)["write"]["login"] == "__fleet_monitor__"
    return key


def test_the_key_opens_the_figures_and_the_next_one_replaces_it(server, database):
    first = set_key(server, *database)
    assert call(server, database[0], first).status_code == 200
    second = set_key(server, *database)
    assert call(server, database[0], second).status_code == 200
    assert call(server, database[0], first).status_code == 401
    assert server.sql_in(database[0], KEYS) == [("__fleet_monitor__", "rpc", None)]


def test_the_key_opens_no_records(server, database):
    key = set_key(server, *database)
    assert call(server, database[0], key, "res.partner/search", {"domain": []}).status_code == 403


def test_the_plain_key_is_nowhere_on_the_server(server, database):
    key = set_key(server, *database)
    stored = str(server.sql("SELECT request::text FROM saas_operation"))
    assert key[:8] in stored
    assert key not in stored


def test_killed_anywhere_it_is_set_by_the_next_run(server, database):
    key = set_key(server, *database, failpoints="monitor.written=kill")
    assert call(server, database[0], key).status_code == 200


def test_a_database_without_the_module_gets_a_user_for_it_once(server):
    name = new_name("plain")
    identity = server.host_database(name, "tiny")
    for failpoints in ("monitor.user_made=kill", ""):
        key = set_key(server, name, identity, failpoints)
        assert call(server, name, key).status_code == 200
    query = "SELECT password, active FROM res_users WHERE login = '__fleet_monitor__'"
    assert server.sql_in(name, query) == [(None, True)]


def test_a_new_database_has_its_key_before_anybody_sees_it(server, template):
    name, (key, told) = new_name("fresh"), new_key()
    request = create_request(template, monitor=told, personal={})
    operation = server.submit("create", name, request)
    assert server.run(operation) == "done", server.error(operation)
    assert server.evidence(operation)["personalise"]["monitor"] == "__fleet_monitor__"
    assert call(server, name, key).status_code == 200
    check_no_copy_has_it(server, name, request["uuid"], key)


def check_no_copy_has_it(server: HostingServer, name: str, identity: str, key: str) -> None:
    copy = new_name("copy")
    request: dict[str, Any] = create_request(name, purpose="staging", personal={}, activate=False)
    request |= {"live": True, "source_uuid": identity, "keep_logins": True}
    operation = server.submit("duplicate", copy, request, sources=(name,))
    assert server.run(operation) == "done", server.error(operation)
    assert server.sql_in(copy, KEYS) == []
    assert call(server, copy, key).status_code == 401


def test_who_lets_a_database_go_takes_the_key_along(server):
    name = new_name("released")
    identity = server.host_database(name, "hosted")
    key = set_key(server, name, identity)
    server.do("release", name, {"uuid": identity})
    assert server.sql_in(name, KEYS) == []
    assert key
    server.host.cluster.take(name, _mark(server, identity))


def _mark(server: HostingServer, identity: str) -> Any:
    from hosting.postgres import Mark

    return Mark(server.uuid, "hosted", uuid=identity)


@pytest.mark.parametrize(
    "key",
    [
        None,
        "abc",
        {},
        {"index": "0123abcd"},
        {"index": "0123abcd", "hash": "plain"},
        {"index": "0123ABCD", "hash": pbkdf2_sha512.using(rounds=10).hash("x")},
        {"index": "0123abcd", "hash": pbkdf2_sha512.using(rounds=10).hash("x") + "\n"},
        {"index": "0123abcd", "hash": pbkdf2_sha512.using(rounds=10).hash("x"), "user": 2},
    ],
)
def test_what_is_no_hash_of_a_key_is_refused(key):
    with pytest.raises(ValueError):
        KINDS["monitor"].arguments["key"].check(key)
    with pytest.raises(ValueError):
        monitor.check_key(key)
