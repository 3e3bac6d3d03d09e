"""Odoo's signals between processes: what makes a running one forget what it knows of a database.

Every ``orm_signaling_…`` table counts up; a process that finds another highest number than the
one it remembers reloads the registry or clears that cache (odoo/orm/registry.py, check_signaling).
"""

from __future__ import annotations

from psycopg2 import sql
from psycopg2.extensions import cursor


def levels(cr: cursor) -> dict[str, int]:
    """Return the highest number of each signal, by table."""
    cr.execute(
        "SELECT c.relname FROM pg_class c WHERE c.relkind = 'r' AND c.relname ~ '^orm_signaling_' "
        "AND c.relnamespace = current_schema()::regnamespace"
    )
    found = {}
    for (table,) in cr.fetchall():
        cr.execute(sql.SQL("SELECT COALESCE(max(id), 0) FROM {}").format(sql.Identifier(table)))
        found[table] = cr.fetchone()[0]
    return found


def raise_above(cr: cursor, known: dict[str, int] | None = None) -> None:
    """Signal everything, with numbers above those of ``known``, another database's levels."""
    for table, level in levels(cr).items():
        number = max(level, (known or {}).get(table, 0)) + 1
        cr.execute(
            sql.SQL("INSERT INTO {} (id) VALUES (%s)").format(sql.Identifier(table)), [number]
        )
        cr.execute("SELECT setval(pg_get_serial_sequence(%s, 'id'), %s)", [table, number])
