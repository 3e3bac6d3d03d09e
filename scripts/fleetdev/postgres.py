"""The PostgreSQL that Odoo uses: the one that PGHOST names, else a private throw-away cluster.

Either way the result is a set of ``PG*`` variables for a role with CREATEDB that is no superuser.
Needs the virtual environment (psycopg2, the server's binaries).
"""

import contextlib
import hashlib
import os
import secrets
import time

from . import cluster, console, files, paths

ROLE = "fleet"
DROP_TRIES = 8
TEMP_FILES = "2GB"


def ensure():
    """Have a server running and return the environment to reach it (``PGHOST`` and the rest)."""
    given = os.environ.get("PGHOST") and not os.environ.get("FLEET_PG_PRIVATE")
    env = _ensure_given() if given else _ensure_private()
    os.environ.update(env)
    return env


def prefix():
    """Return what the name of every database made here begins with.

    On a server of the user's own, two clones of this repository must not meet.
    """
    if not os.environ.get("FLEET_PG_PRIVATE"):
        return f"fleet_{hashlib.sha256(str(paths.ROOT).encode()).hexdigest()[:6]}_"
    return "fleet_"


def _ensure_private():
    port, admin_password = cluster.ensure_running()
    admin = {"host": "127.0.0.1", "port": port, "user": cluster.ADMIN, "password": admin_password}
    access = {"PGHOST": "127.0.0.1", "PGPORT": str(port), "FLEET_PG_PRIVATE": "1", "PGUSER": ROLE}
    access["PGPASSWORD"] = ensure_role(admin, ROLE)
    return access | {"FLEET_RESTORE_ROLE": _ensure_restore_role(admin, f"{ROLE}_restore", ROLE)}


def _ensure_given():
    access = {
        name: os.environ[name]
        for name in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD")
        if name in os.environ
    }
    access["FLEET_PG_PRIVATE"] = ""
    with _connection({}) as cursor:
        cursor.execute(
            "SELECT rolname, rolsuper, rolcreatedb FROM pg_roles WHERE rolname = current_user"
        )
        name, superuser, createdb = cursor.fetchone()
        cursor.execute("SHOW server_version_num")
        version = int(cursor.fetchone()[0])
    if version < 150000:
        raise console.Failure(
            f"PostgreSQL 15 or newer is needed, {os.environ['PGHOST']} answers version {version}"
        )
    if superuser:
        role = f"{prefix()}odoo"
        access |= {"PGUSER": role, "PGPASSWORD": ensure_role({}, role)}
        return access | {"FLEET_RESTORE_ROLE": _ensure_restore_role({}, f"{role}_restore", role)}
    if not createdb:
        raise console.Failure(
            f'The role "{name}" may not create databases: ALTER ROLE "{name}" CREATEDB'
        )
    return access


def ensure_role(admin, role):
    """Make the unprivileged role that Odoo uses; return its password."""
    store = paths.RUN / f"{role}.password"
    if not store.exists():
        files.write(store, secrets.token_urlsafe(24), mode=0o600)
    password = store.read_text()
    with _connection(admin) as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
        verb = "ALTER" if cursor.fetchone() else "CREATE"
        cursor.execute(
            f'{verb} ROLE "{role}" LOGIN CREATEDB NOSUPERUSER NOCREATEROLE PASSWORD %s', [password]
        )
    return password


def _ensure_restore_role(admin, role, member):
    """Make the role that loads archives of unknown origin, and owns nothing; return its name.

    It has no password: the hosting gives it one for the minutes of a restore.
    """
    with _connection(admin) as cursor:
        cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
        if not cursor.fetchone():
            cursor.execute(
                f'CREATE ROLE "{role}" LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION '
                "NOBYPASSRLS CONNECTION LIMIT 4"
            )
            # Only a superuser may set this; it bounds what a query spills to disk.
            cursor.execute(f"ALTER ROLE \"{role}\" SET temp_file_limit = '{TEMP_FILES}'")
            cursor.execute(f'GRANT "{role}" TO "{member}"')
    return role


@contextlib.contextmanager
def _connection(arguments, database="postgres"):
    """Give a cursor in autocommit mode; ``arguments`` add to the ``PG*`` variables."""
    import psycopg2

    try:
        connection = psycopg2.connect(dbname=database, connect_timeout=10, **arguments)
    except psycopg2.OperationalError as error:
        where = f"{arguments.get('host') or os.environ.get('PGHOST')}:{os.environ.get('PGPORT', '5432')}"
        raise console.Failure(
            f"PostgreSQL at {where} does not let us in: {str(error).strip()}"
        ) from error
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.close()


def cursor(database="postgres"):
    """Give a cursor in autocommit mode, as the role that Odoo uses."""
    return _connection({}, database)


def names(pattern=""):
    """Return the names of this tree's databases that begin with the prefix and ``pattern``."""
    with cursor() as cr:
        cr.execute(
            "SELECT datname FROM pg_database WHERE starts_with(datname, %s) ORDER BY datname",
            [prefix() + pattern],
        )
        return [row[0] for row in cr.fetchall()]


def forget():
    """Drop what this tree made on a server of the user's own, as the user who was given."""
    dropped = names()
    for name in dropped:
        drop(name)
    with cursor() as cr:
        for role in (f"{prefix()}odoo_restore", f"{prefix()}odoo"):
            cr.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])
            if cr.fetchone():
                cr.execute(f'DROP ROLE "{role}"')
    console.say(f"Dropped {len(dropped)} databases of this tree at {os.environ['PGHOST']}")


def drop(name):
    """Drop one database and whoever is still connected to it. It must be one of ours."""
    if not name.startswith(prefix()):
        raise ValueError(f"{name} is not one of this tree's databases")
    with cursor() as cr:
        cr.execute("SELECT 1 FROM pg_database WHERE datname = %s AND datistemplate", [name])
        if cr.fetchone():
            cr.execute(f'ALTER DATABASE "{name}" IS_TEMPLATE false')
        force_drop(cr, name)


def force_drop(cr, name):
    """Drop it; autovacuum may be in it, which only a superuser could end and which soon leaves."""
    import psycopg2.errors

    for again in range(DROP_TRIES):
        try:
            cr.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            return
        except psycopg2.errors.InsufficientPrivilege:
            if again == DROP_TRIES - 1:
                raise
            time.sleep(0.2 * (again + 1))


def exists(name):
    """Tell whether a database of this name exists."""
    with cursor() as cr:
        cr.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        return bool(cr.fetchone())


def copy(source, target):
    """Copy a database on the server, replacing an earlier ``target``."""
    drop(target)
    with cursor() as cr:
        cr.execute(f'CREATE DATABASE "{target}" TEMPLATE "{source}"')


def rename(name, new_name):
    """Rename a database that nobody is connected to."""
    with cursor() as cr:
        cr.execute(f'ALTER DATABASE "{name}" RENAME TO "{new_name}"')


def close(name):
    """Let nobody connect to a database any more; it can still be copied, renamed and dropped."""
    with cursor() as cr:
        cr.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
