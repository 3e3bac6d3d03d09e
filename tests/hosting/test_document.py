"""What the server tells a hosted database is signed, for that database alone, and out of its reach."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from hosting import document, manifest
from hosting.errors import HostingError
from hosting.kinds import KINDS
from life_case import new_name
from making import create_request, publish_template
from operations import HostingServer

CONTENT = {"plan": "Starter", "state": "trial", "limits": {"users": 3, "apps": ["crm"]}}
KEY = manifest.new_key()
SECRETS = {"document_key": manifest.private_text(KEY)}
TABLE = (
    "CREATE TABLE fleet_document (id integer PRIMARY KEY CHECK (id = 1), token text NOT NULL, "
    "checked bigint NOT NULL DEFAULT 0)"
)


@pytest.fixture(scope="module")
def server() -> Iterator[HostingServer]:
    with HostingServer("document") as server:
        yield server


def tell(server: HostingServer, name: str, identity: str, failpoints: str = "") -> str:
    request = {"uuid": identity, "content": CONTENT}
    operation = server.submit("document", name, request)
    outcome = server.run(operation, failpoints, SECRETS)
    return server.run(operation, secrets=SECRETS) if outcome == "killed" else outcome


def stored(server: HostingServer, name: str) -> str:
    return server.sql_in(name, "SELECT token FROM fleet_document")[0][0]


def read(server: HostingServer, token: str, identity: str) -> dict[str, Any]:
    """Read a document as the database does: with nothing but the file of trusted keys."""
    trusted = jwt.PyJWKSet.from_dict(json.loads((server.host.work_dir / "trust.json").read_text()))
    header = jwt.get_unverified_header(token)
    assert (header["typ"], header["alg"]) == ("fleet-document+jwt", "EdDSA")
    return jwt.decode(token, trusted[header["kid"]].key, ["EdDSA"], audience=identity)


def test_a_database_is_told_and_can_check_who_says_so(server: HostingServer) -> None:
    name = new_name("told")
    identity = server.host_database(name)
    server.sql_in(name, TABLE)
    assert tell(server, name, identity) == "done"
    first = read(server, stored(server, name), identity)
    assert {key: first[key] for key in CONTENT} == CONTENT
    assert (first["iss"], first["aud"]) == (server.uuid, identity)
    assert tell(server, name, identity) == "done"
    assert read(server, stored(server, name), identity)["seq"] > first["seq"]


def test_a_document_killed_in_the_middle_is_written_by_the_next_run(server: HostingServer) -> None:
    name = new_name("told")
    identity = server.host_database(name)
    server.sql_in(name, TABLE)
    assert tell(server, name, identity, "document.written=kill") == "done"
    assert read(server, stored(server, name), identity)["plan"] == "Starter"


def test_nothing_is_written_into_a_database_that_cannot_read_it(server: HostingServer) -> None:
    name = new_name("told")
    identity = server.host_database(name)
    request = {"uuid": identity, "content": CONTENT}
    operation = server.submit("document", name, request)
    assert server.run(operation, secrets=SECRETS) == "done"
    assert server.evidence(operation)["write"] == {"written": False}


def test_the_name_of_another_database_by_now_is_not_told(server: HostingServer) -> None:
    name = new_name("told")
    server.host_database(name)
    server.sql_in(name, TABLE)
    assert tell(server, name, "another-identity") == "failed"
    assert server.sql_in(name, "SELECT count(*) FROM fleet_document")[0][0] == 0


def test_a_new_database_knows_its_plan_before_anybody_sees_it(server: HostingServer) -> None:
    source = publish_template(server, "tiny")
    with server.host.cluster.cursor() as cr:
        cr.execute(f"ALTER DATABASE {source} ALLOW_CONNECTIONS true")
    server.sql_in(source, TABLE)
    server.host.cluster.close_template(source)
    server.serve()
    request = create_request(source, document=CONTENT, personal={})
    name = new_name("told")
    operation = server.submit("create", name, request)
    assert server.run(operation, secrets=SECRETS) == "done", server.error(operation)
    assert read(server, stored(server, name), request["uuid"])["limits"]["users"] == 3


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {"iss": "somebody"},
        {"state": "paid"},
        {"limits": []},
        {"limits": {"users": -1}},
        {"limits": {"users": True}},
        {"limits": {"apps": "crm"}},
        {"limits": {"apps": [1]}},
        {"notices": {}},
        {"portal": "https://portal.example"},
        {"plan": "x" * 70_000},
        {"plan": float("nan")},
    ],
)
def test_content_that_no_database_could_read_is_refused(content: Any) -> None:
    from hosting import contract

    with pytest.raises(HostingError, match="content"):
        contract.check_arguments("document", KINDS["document"].arguments, {"content": content})


def test_a_document_for_one_database_is_none_for_another() -> None:
    token = document.sign(CONTENT, KEY, issuer="server", audience="acme")
    with pytest.raises(jwt.InvalidAudienceError):
        jwt.decode(token, KEY.public_key(), ["EdDSA"], audience="birch")
