"""Keep everybody out of a live database for the moment that a copy of it takes.

PostgreSQL copies a database only while nobody is connected to it. Visitors meanwhile see a page
that reloads itself; killed inside, `unpause` opens the database again.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from .engine import Context
from .failpoints import failpoint
from .routes import ACTIVE, PAUSED, Routes

LAST_REQUESTS_S = 0.1  # new requests see the pause at once; short ones under way may end


@contextlib.contextmanager
def paused(context: Context, database: str) -> Iterator[None]:
    """Pause the routes and connections of ``database`` for the time of the block."""
    context.note(paused=database)
    failpoint("pause.noted")
    routes = Routes(context.host.routes)
    before = [
        host
        for host, route in routes.load().items()
        if route.database == database and route.state == ACTIVE
    ]
    context.note(paused=database, paused_hosts=before)
    for host in before:
        routes.put(host, database, state=PAUSED)
    time.sleep(LAST_REQUESTS_S if before else 0)
    try:
        with context.host.cluster.exclusive(database):
            failpoint("pause.inside")
            yield
    finally:
        unpause(context)


def unpause(context: Context) -> None:
    """Open what the running step had paused; nothing when it had paused nothing."""
    database = context.find(context.step, "paused")
    if not database:
        return
    cluster = context.host.cluster
    facts = cluster.facts(database)
    if facts and facts.mark and not facts.allows_connections:
        cluster.allow(database, True)
    routes = Routes(context.host.routes)
    table = routes.load()
    for host in context.find(context.step, "paused_hosts", []):
        if host in table and table[host].state == PAUSED and table[host].database == database:
            routes.put(host, database)
