"""What the tests of a hosted database's life ask again and again."""

from __future__ import annotations

import itertools
import os
from typing import Any

import requests
from hosting.routes import Routes

_numbers = itertools.count(1)


def new_name(what: str = "life") -> str:
    """Return a name that no other test uses at the same time."""
    return f"{what}-{os.getpid()}-{next(_numbers)}"


def states(server: Any, name: str) -> list[str]:
    """Return the states of a database's routes."""
    return [r.state for r in Routes(server.host.routes).load().values() if r.database == name]


def owned(server: Any, identity: str) -> dict[str, str]:
    """Return the kind in the mark of every database with this identity, by name in PostgreSQL."""
    found = server.databases().items()
    return {name: facts.mark.kind for name, facts in found if facts.mark.uuid == identity}


def folders(server: Any, *names: str) -> set[str]:
    """Return which of these databases have a folder of files, with a file in it."""
    return {name for name in names if any(server.host.filestore(name).glob("*/*"))}


def assert_served(server: Any, name: str, identity: str) -> None:
    """Check that a database is visible, open, complete, and that nothing of it lies about."""
    assert owned(server, identity) == {name: "hosted"}
    facts = server.databases()[name]
    assert (facts.is_template, facts.allows_connections) == (False, True)
    assert folders(server, name) == {name}
    assert set(states(server, name)) == {"active"}
    left = {folder for folder in server.folders() if folder.startswith((".", "fleet_x_"))}
    assert left <= set(server.databases())


def assert_hidden(server: Any, name: str, identity: str) -> str:
    """Check that a database can be reached by nobody, and is complete; return its hidden name."""
    (hidden,) = owned(server, identity)
    assert hidden.startswith("fleet_x_suspended_")
    facts = server.databases()[hidden]
    assert (facts.is_template, facts.allows_connections) == (True, True)
    assert facts.mark.kind == "hosted"
    assert folders(server, name, hidden) == {hidden}
    assert not server.host.filestore(name).exists()
    assert set(states(server, name)) == {"suspended"}
    return hidden


def ask(server: Any, name: str, path: str = "/web/login", **options: Any) -> requests.Response:
    """Ask the hosted process for a page of a database."""
    headers = {"Host": server.host.host_name(name)} | options.pop("headers", {})
    method = options.pop("method", "GET")
    url = f"http://127.0.0.1:{server.port}{path}"
    return requests.request(
        method, url, headers=headers, timeout=60, allow_redirects=False, **options
    )


def protect(server: Any, name: str, identity: str) -> None:
    """Give a database the record of a protected one."""
    server.sql(
        "INSERT INTO saas_database (name, uuid, state, purpose, is_protected) "
        "VALUES (%s, %s, 'active', 'customer', true)",
        name,
        identity,
    )
