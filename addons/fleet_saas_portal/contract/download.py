"""An archive of a hosting server, read in pieces while it is given to somebody else."""

from __future__ import annotations

from collections.abc import Mapping

from odoo.addons.fleet_databases.remote.database import check_access
from odoo.addons.fleet_databases.remote.errors import Credentials, ServerError
from odoo.addons.fleet_databases.remote.streaming import Streamed, Streaming
from odoo.addons.fleet_databases.remote.values import Access, NetworkPolicy

PATIENCE_S = 60.0  # for the next piece of a body
# What a browser says to have the rest of what it has begun.
ASKED = ("Range", "If-Range")
# What it has to be told to know what it gets.
TOLD = ("content-length", "content-range", "etag", "last-modified", "accept-ranges")
ANSWERS = (200, 206, 416)


class Gone(Exception):
    """The server does not have the archive any more."""


def download(
    access: Access, policy: NetworkPolicy, key: str, asked: Mapping[str, str]
) -> tuple[Streamed, dict[str, str]]:
    """Begin to download the archive of an operation; return it with the headers to pass on.

    :param key: the operation's idempotency key
    :param asked: the headers of the browser; only those for a part of a file are sent
    :raises Gone: the archive is not there
    :raises RemoteError: the server gives none
    """
    check_access(access)
    headers = {
        "Authorization": f"bearer {access.key}",
        "X-Odoo-Database": access.database,
        "Accept": "application/zip",
        **{name: asked[name] for name in ASKED if _is_plain(asked.get(name))},
    }
    transport = Streaming(access.url, policy, access.ca)
    found = transport.fetch(f"/fleet/export/{key}", headers, patience=PATIENCE_S)
    if found.status in ANSWERS:
        return found, {name: found.headers[name] for name in TOLD if name in found.headers}
    found.close()
    if found.status == 404:
        raise Gone
    if found.status in (401, 403):
        raise Credentials(host=transport.authority)
    raise ServerError(host=transport.authority, status=found.status)


def _is_plain(value: str | None) -> bool:
    return bool(value) and len(value) < 200 and value.isascii() and value.isprintable()
