"""Databases that a hosting server of ours made: their names are plain, their owner mark tells.

The mark is a comment on the database (``addons/fleet_saas_server/hosting/postgres.py``).
"""

import functools
import json

from . import console, parallel, postgres

# The advisory lock of queue_job's runner on the database it watches (jobrunner/runner.py).
RUNNER_LOCK = 2293787760715711918


def marks():
    """Return the uuid of the server that made it, by the name of each marked database."""
    with postgres.cursor() as cr:
        cr.execute("SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database")
        read = {name: _server(comment) for name, comment in cr.fetchall()}
    return {name: server for name, server in read.items() if server}


def _server(comment):
    try:
        return json.loads(comment or "")["fleet"]["server"]
    except (ValueError, TypeError, KeyError):
        return None


def left_by(pid):
    """Return what the tests of a process left: their servers' uuids begin with its number."""
    return [name for name, server in marks().items() if server.startswith(f"{pid:08x}-")]


def drop_server(server):
    """Drop every database that one server made, hidden ones and templates included."""
    made = [name for name, owner in marks().items() if owner == server]
    # PostgreSQL waits for a checkpoint at each: several share one.
    parallel.run(*(functools.partial(drop, name) for name in made), workers=4)


def plant(source, name, server):
    """Copy a database under a name that a hosting server may adopt.

    Its comment is no owner mark to that server, but it is one to `drop_server`.
    """
    if postgres.exists(name):
        raise console.Failure(f'There is a database "{name}" already, and it is not the demo\'s')
    from psycopg2 import sql  # in the virtual environment, which may not be there yet

    new, comment = sql.Identifier(name), json.dumps({"fleet": {"server": server}})
    with postgres.cursor() as cr:
        cr.execute(sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(new, sql.Identifier(source)))
        cr.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(new, sql.Literal(comment)))


def drop(name):
    """Drop one marked database and whoever is connected to it."""
    if name not in marks():
        raise ValueError(f"{name} was not made by a hosting server")
    from psycopg2 import sql  # in the virtual environment, which may not be there yet

    with postgres.cursor() as cr:
        # PostgreSQL drops no template.
        cr.execute(sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(sql.Identifier(name)))
        postgres.force_drop(cr, name)


def forget():
    """Drop what the hosting servers of this tree made, then this tree's own databases."""
    for name in postgres.names():
        server = server_of(name)
        if server:
            drop_server(server)
    postgres.forget()


def server_of(database):
    """Return the uuid of an Odoo database that holds a hosting server, else None."""
    try:
        with postgres.cursor(database) as cr:
            cr.execute("SELECT to_regclass('saas_operation') IS NOT NULL")
            if not cr.fetchone()[0]:
                return None
            cr.execute("SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'")
            return cr.fetchone()[0]
    except console.Failure:
        return None  # closed: a template, which has made nothing


def has_runner(database):
    """Tell whether queue_job's runner watches a server database."""
    with postgres.cursor(database) as cr:
        cr.execute(
            """SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database
                WHERE l.locktype = 'advisory' AND d.datname = current_database()
                  AND (l.classid::bigint << 32) + l.objid::bigint = %s""",
            [RUNNER_LOCK],
        )
        return bool(cr.fetchone())
