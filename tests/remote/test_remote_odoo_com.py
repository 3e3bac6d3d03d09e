"""The account's own list of databases: tolerant in keys, strict in types."""

from __future__ import annotations

import json

import pytest
from remote import HostedDatabase, OdooCom
from remote_helpers import HASTY, POLICY, code_of
from support.rogue import Rogue, hang, page, reply_json

ROW = {
    "name": "client",
    "url": "https://Client.odoo.com/web",
    "version": "19.0+e",
    "uuid": "0b5d4b0e-0000-4000-8000-000000000000",
}
FOUND = HostedDatabase("client", "https://client.odoo.com", "19.0+e", ROW["uuid"])


def odoo_com(server: Rogue, key: str = "key") -> OdooCom:
    return OdooCom(server.url, "me@example.com", key, POLICY)


def test_the_request_is_the_documented_one() -> None:
    with Rogue(reply_json([ROW])) as server:
        assert odoo_com(server).databases() == ((FOUND,), ())
        [request] = server.requests
    assert (request.method, request.path) == ("POST", "/json/2/odoo.database/list")
    assert request.headers["x-odoo-database"] == "openerp"
    assert request.headers["authorization"] == "bearer key"
    assert json.loads(request.body) == {}


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"name": "a"}, HostedDatabase("a", "", "", "")),
        (
            {"db_name": "a", "domain": "a.odoo.com"},
            HostedDatabase("a", "https://a.odoo.com", "", ""),
        ),
        ({"name": "a", "db_uuid": "x-1"}, HostedDatabase("a", "", "", "x-1")),
        (
            {**ROW, "version": False, "uuid": None, "more": [1]},
            HostedDatabase("client", FOUND.url, "", ""),
        ),
    ],
)
def test_several_names_of_a_key_are_understood(
    row: dict[str, object], found: HostedDatabase
) -> None:
    with Rogue(reply_json([row])) as server:
        assert odoo_com(server).databases() == ((found,), ())


@pytest.mark.parametrize(
    "row",
    [
        None,
        "client",
        {},
        {**ROW, "name": ""},
        {**ROW, "name": 5},
        {**ROW, "name": "a\nb"},
        {**ROW, "name": "a" * 129},
        {**ROW, "url": "javascript:alert(1)"},
        {**ROW, "url": "https://user:pw@x.odoo.com"},
        {**ROW, "url": ["x"]},
        {**ROW, "uuid": "../../x"},
        {**ROW, "version": 19.0},
    ],
    ids=repr,
)
def test_a_bad_row_is_dropped_with_a_note_that_names_it(row: object) -> None:
    with Rogue(reply_json([row, ROW])) as server:
        databases, [note] = odoo_com(server).databases()
    assert databases == (FOUND,)
    assert note.startswith("Database 1 of the list was left out: ")


def test_failures() -> None:
    with Rogue(reply_json({"a": 1})) as server:
        assert code_of(odoo_com(server).databases) == "malformed"
    with Rogue(reply_json([ROW] * 10_001)) as server:
        assert code_of(odoo_com(server).databases) == "too_large"
    with Rogue(reply_json({"name": "Unauthorized", "message": "Invalid apikey"}, 401)) as server:
        assert code_of(odoo_com(server).databases) == "credentials"
    with Rogue(page(404)) as server:
        assert code_of(odoo_com(server).databases) == "not_served"
        assert len(server.requests) == 1
    with Rogue(hang) as server:
        hasty = OdooCom(server.url, "me@example.com", "key", HASTY)
        assert code_of(hasty.databases) == "timeout"
        assert code_of(odoo_com(server, key="").databases) == "not_configured"
        assert code_of(odoo_com(server, key="a\nb").databases) == "bad_setting"


def test_the_key_is_not_shown() -> None:
    with Rogue(hang) as server:
        assert "SECRET" not in repr(vars(odoo_com(server, key="SECRET")))
