"""The verbs that only show: ``list``, ``info``, ``template list``.

They read the server database by plain SQL: an answer in a moment, also while Odoo is down.
"""

from __future__ import annotations

import shutil
import sys
from argparse import Namespace
from collections.abc import Sequence
from typing import Any

from psycopg2.extras import RealDictCursor

from ..hosting import files
from ..hosting.errors import HostingError
from ..hosting.host import Host
from ..hosting.postgres import Cluster
from ..hosting.routes import Routes
from .verbs import to_json

GONE = ("dropped", "released")
_LIST = """
    SELECT d.name, d.state, d.purpose,
           (SELECT max(taken_at) FROM saas_backup b
             WHERE b.database_id = d.id AND b.state = 'verified') AS backup
      FROM saas_database d WHERE d.state <> ALL(%s) ORDER BY d.name, d.id"""
_INFO = """
    SELECT id, name, uuid, state, purpose, physical, source, is_protected IS TRUE AS protected,
           is_neutralized IS TRUE AS neutralized, create_date AS made, suspend_reason, archived_at
      FROM saas_database WHERE name = %s ORDER BY state IN ('dropped', 'released', 'failed'), id DESC
     LIMIT 1"""
_BACKUPS = """
    SELECT backup AS number, state, reason, taken_at, bytes::bigint FROM saas_backup
     WHERE database_id = %s AND state IN ('verified', 'damaged') ORDER BY taken_at DESC LIMIT 10"""
_SNAPSHOTS = """
    SELECT physical AS name, reason, taken_at, keep_until FROM saas_database_snapshot
     WHERE database_id = %s ORDER BY taken_at DESC"""
_OPERATIONS = """
    SELECT id AS number, kind, state, create_date AS asked, error_message AS error
      FROM saas_operation WHERE target = %s ORDER BY id DESC LIMIT 5"""
_TEMPLATES = """
    SELECT t.code, t.name ->> 'en_US' AS name, v.number AS version, t.is_stale IS TRUE AS stale,
           t.pool_size AS pool,
           (SELECT count(*) FROM saas_pool_clone p WHERE p.source = v.physical) AS ready
      FROM saas_database_template t
      LEFT JOIN saas_database_template_version v
        ON v.template_id = t.id AND v.state = 'published'
     WHERE t.active ORDER BY t.sequence, t.code"""


def show(host: Host, options: Namespace) -> None:
    """Print what ``list``, ``info`` or ``template list`` asks to see.

    :raises HostingError: ``no_database``
    """
    found = {"list": _list, "info": _info, "template": _templates}[options.verb](host, options)
    say(found, json=options.json)


def say(found: Any, *, json: bool) -> None:
    """Print rows as columns, facts as lines, or either as JSON."""
    sys.stdout.write(to_json(found) + "\n" if json else words(found))


def words(found: Any) -> str:
    """Return facts as lines, rows that are alike as columns, others one below the other."""
    if isinstance(found, dict):
        return lines(found)
    if len({tuple(row) for row in found}) <= 1 and not any("steps" in row for row in found):
        text = table(found)
        if not sys.stdout.isatty() or _fits(text):
            return text
    return "\n".join(map(lines, found))


def _fits(text: str) -> bool:
    columns = shutil.get_terminal_size().columns
    return all(len(line) <= columns for line in text.splitlines())


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as columns of text, with a heading."""
    if not rows:
        return "none\n"
    texts = [list(rows[0]), *([_text(value) for value in row.values()] for row in rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(texts[0]))]
    joined = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in texts
    )
    return "".join(f"{line}\n" for line in joined)


def lines(facts: dict[str, Any]) -> str:
    """Return facts one a line; lists of facts as tables below their name."""
    text = ""
    for name, value in facts.items():
        if isinstance(value, list):
            below = table(value) if value and isinstance(value[0], dict) else _text(value) + "\n"
            text += f"{name}:\n" + "".join(f"  {line}\n" for line in below.splitlines())
        else:
            text += f"{name + ':':<20}{_text(value)}".rstrip() + "\n"
    return text


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(_text, value)) or "none"
    return "" if value is None else str(value)


def read(cluster: Cluster, database: str, query: str, *values: Any) -> list[dict[str, Any]]:
    """Return the rows of a query as dicts; times in UTC to the second."""
    opened = cluster.connect(database)
    try:
        with opened.cursor(cursor_factory=RealDictCursor) as cr:
            cr.execute(query, values)  # pylint: disable=sql-injection
            return [{name: _plain(value) for name, value in row.items()} for row in cr.fetchall()]
    finally:
        opened.close()


def _plain(value: Any) -> Any:
    return f"{value:%Y-%m-%d %H:%M:%S}" if hasattr(value, "year") else value


def _list(host: Host, options: Namespace) -> list[dict[str, Any]]:
    hidden = [] if options.all else list(GONE)
    rows = read(host.cluster, host.server_database, _LIST, hidden)
    return [row | {"address": host.url(row["name"])} for row in rows]


def _info(host: Host, options: Namespace) -> dict[str, Any]:
    found = read(host.cluster, host.server_database, _INFO, options.name)
    if not found:
        raise HostingError("no_database", name=options.name)
    database = found[0]
    number = database.pop("id")
    below = {
        name: read(host.cluster, host.server_database, query, number)
        for name, query in (("backups", _BACKUPS), ("snapshots", _SNAPSHOTS))
    }
    operations = read(host.cluster, host.server_database, _OPERATIONS, options.name)
    measured = measure(host, options.name, database["physical"])
    return database | measured | below | {"operations": operations}


def measure(host: Host, name: str, physical: str | None) -> dict[str, Any]:
    """Return what is on the machine of a hosted database: bytes, files, sessions, addresses."""
    facts = host.cluster.facts(physical) if physical else None
    if facts is None:
        return {}
    count, size = files.usage(host.filestore(facts.name))
    hosts = [at for at, route in Routes(host.routes).load().items() if route.database == name]
    return {
        "address": host.url(name),
        "hosts": sorted(hosts),
        "database_bytes": facts.size,
        "files": count,
        "file_bytes": size,
        "sessions": host.cluster.sessions(facts.name),
    }


def _templates(host: Host, _options: Namespace) -> list[dict[str, Any]]:
    return read(host.cluster, host.server_database, _TEMPLATES)
