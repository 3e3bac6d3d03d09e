"""Templates and requests for the tests of how hosted databases are made."""

from __future__ import annotations

import uuid
from typing import Any

from fleetdev import databases


def publish_template(server: Any, template: str = "base") -> str:
    """Give a hosting server a closed template version, a copy of one of the tests'; return its name."""
    from hosting import files
    from hosting.names import template_name
    from hosting.postgres import Mark

    source, physical = databases.template(template), template_name("test")
    host = server.host
    host.cluster.clone(source, physical, mark=Mark(server.uuid, "template"))
    files.copy_tree(databases.filestore(source), host.filestore(physical))
    host.cluster.close_template(physical)
    return physical


def create_request(source: str, **changes: Any) -> dict[str, Any]:
    """Return what the ORM's hook makes of the arguments of ``create``."""
    request = {
        "source": source,
        "uuid": str(uuid.uuid4()),
        "purpose": "customer",
        "personal": {"company": "Acme", "login": "joe@acme.example", "country": "BE"},
        "document": {},
        "activate": True,
        "from_pool": False,
    }
    return request | changes


def drop(server: Any, *names: str) -> None:
    """Drop what a test has made, with files and routes, so that the machine does not fill up."""
    from hosting import files
    from hosting.routes import Routes

    host = server.host
    for name in names:
        Routes(host.routes).remove(host.host_name(name))
        host.cluster.drop(name, server=server.uuid)
        files.remove_tree(host.filestore(name))


def hidden(server: Any) -> set[str]:
    """Return the names of hidden databases and folders, and of folders that are being removed."""
    names = set(server.databases()) | server.folders()
    return {each for each in names if each.startswith(("fleet_x_", ".removed-"))}
