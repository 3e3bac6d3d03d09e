"""Clones that are ready before anybody asks: sealed, verified, with their files.

Taking one is one ``UPDATE`` with ``FOR UPDATE SKIP LOCKED``, so a hundred customers at once never
wait for each other and never get the same one. The table is the model ``saas.pool.clone``'s.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .failpoints import failpoint
from .host import Host


@dataclass(frozen=True)
class Ready:
    """A clone taken from the pool, with what its seal reported."""

    physical: str
    report: dict[str, Any]


def take(host: Host, source: str, operation: int) -> Ready | None:
    """Take a ready clone of the template version ``source`` for an operation; None when there is none."""
    with host.cluster.cursor(host.server_database) as cr:
        cr.execute(
            """
            UPDATE saas_pool_clone SET operation = %s, state = 'taken'
             WHERE id = (SELECT id FROM saas_pool_clone
                          WHERE source = %s AND state = 'ready'
                          ORDER BY id FOR UPDATE SKIP LOCKED LIMIT 1)
            RETURNING physical, report""",
            [operation, source],
        )
        row = cr.fetchone()
    failpoint("pool.taken")
    return Ready(row[0], row[1] or {}) if row else None


def taken_by(host: Host, operation: int) -> str | None:
    """Return the clone that an operation took before it could note it."""
    with host.cluster.cursor(host.server_database) as cr:
        cr.execute("SELECT physical FROM saas_pool_clone WHERE operation = %s", [operation])
        row = cr.fetchone()
    return row[0] if row else None


def add(host: Host, physical: str, *, source: str, report: dict[str, Any]) -> None:
    """Put a sealed and verified clone of ``source`` into the pool; twice is once."""
    with host.cluster.cursor(host.server_database) as cr:
        cr.execute(
            """
            INSERT INTO saas_pool_clone (physical, source, report, state, create_date)
            VALUES (%s, %s, %s, 'ready', now() AT TIME ZONE 'utc')
            ON CONFLICT (physical) DO NOTHING""",
            [physical, source, json.dumps(report)],
        )


def forget(host: Host, physical: str) -> None:
    """Strike a clone off the pool; it has an owner now, or is gone."""
    with host.cluster.cursor(host.server_database) as cr:
        cr.execute("DELETE FROM saas_pool_clone WHERE physical = %s", [physical])


def strike_off(host: Host, physical: str, operation: int) -> bool:
    """Reserve a clone that nobody has taken for being dropped by an operation.

    :return: False when somebody has taken it, or it is gone
    """
    with host.cluster.cursor(host.server_database) as cr:
        cr.execute(
            "UPDATE saas_pool_clone SET state = 'leaving', operation = %s WHERE physical = %s "
            "AND state <> 'taken' RETURNING id",
            [operation, physical],
        )
        return cr.fetchone() is not None
