"""The PostgreSQL server that holds the hosted databases, as a role with CREATEDB and no more.

Everything that PostgreSQL can do to a whole database is here, one short method each. Names are
checked by `names` before they come here and quoted by ``psycopg2.sql`` all the same.

A database that this server made carries its owner mark, a comment on the database
(``COMMENT ON DATABASE``): it survives renaming, is read without connecting, and is what a drop
asks for.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import threading
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field

import psycopg2
import psycopg2.errors
from psycopg2 import sql
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT, connection, cursor

from .errors import HostingError, Retryable
from .failpoints import failpoint
from .names import is_hidden

MAINTENANCE = "postgres"
TRIES = 8
MARK_KEY = "fleet"
_KEPT = threading.local()  # a thread's connection to `MAINTENANCE`


@dataclass(frozen=True)
class Mark:
    """The owner mark on a database.

    :param server: uuid of the server database whose operation made it
    :param kind: ``hosted``, ``hidden``, ``template``, ``pool`` or ``snapshot``
    :param uuid: the hosted database's identity for life, across renames; "" for a template
    :param operation: number of the operation that made it
    :param live: that operation has come to its end; nothing undoes it any more
    """

    server: str
    kind: str
    uuid: str = ""
    operation: int = 0
    live: bool = False

    def text(self) -> str:
        """Return the comment that stands for this mark."""
        return json.dumps({MARK_KEY: asdict(self)}, sort_keys=True)

    @classmethod
    def parse(cls, comment: str | None) -> Mark | None:
        """Return the mark in a database's comment, None when it is not one of ours."""
        with contextlib.suppress(ValueError, TypeError, KeyError, AttributeError):
            return cls(**json.loads(comment or "")[MARK_KEY])
        return None


@dataclass(frozen=True)
class DatabaseFacts:
    """What ``pg_database`` says of one database. ``size`` is in bytes."""

    name: str
    owner: str
    is_template: bool
    allows_connections: bool
    size: int
    mark: Mark | None


@dataclass(frozen=True)
class Cluster:
    """How to reach the server.

    :param dsn: keywords for ``psycopg2.connect`` without ``dbname``; empty ones are left to libpq
    """

    dsn: dict[str, str | int] = field(default_factory=dict)

    def connect(self, database: str = MAINTENANCE, *, autocommit: bool = True) -> connection:
        """Return a new connection of ours, named in ``pg_stat_activity``; the caller closes it."""
        try:
            opened = psycopg2.connect(
                dbname=database,
                application_name="fleet-hosting",
                connect_timeout=10,
                **self.dsn,
            )
        except psycopg2.OperationalError as error:
            # By itself: the server says it in its own language, and a role may be missing too.
            if database != MAINTENANCE and not self.exists(database):
                raise HostingError("no_database", name=database) from error
            raise Retryable("postgres_down", reason=str(error)) from error
        if autocommit:
            opened.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
        return opened

    @contextlib.contextmanager
    def cursor(self, database: str = MAINTENANCE) -> Iterator[cursor]:
        """Give a cursor in autocommit mode.

        On `MAINTENANCE` the connection is kept for the next time, since nobody is in its way there
        and opening one takes as long as a dozen statements; elsewhere it is closed at once.
        """
        if database == MAINTENANCE:
            with self._keep().cursor() as cr:
                yield cr
            return
        opened = self.connect(database)
        try:
            with opened.cursor() as cr:
                yield cr
        finally:
            opened.close()

    def _keep(self) -> connection:
        """Return this thread's connection to `MAINTENANCE`, a new one when it broke or we forked."""
        # What the keywords leave open comes from the environment.
        where = [os.environ.get(name) for name in ("PGHOST", "PGPORT", "PGUSER")]
        key = (os.getpid(), tuple(sorted(self.dsn.items())), *where)
        kept = getattr(_KEPT, "connections", {}).get(key)
        if kept is not None and not kept.closed:
            try:
                with kept.cursor() as cr:
                    cr.execute("SELECT 1")
                return kept
            except psycopg2.Error:
                kept.close()
        opened = self.connect()
        _KEPT.connections = {key: opened}
        return opened

    def environment(self) -> dict[str, str]:
        """Return the ``PG*`` variables for PostgreSQL's own programs."""
        names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
        names["sslmode"] = "PGSSLMODE"
        return {names[key]: str(value) for key, value in self.dsn.items() if value and key in names}

    # --- looking

    def facts(self, name: str, cr: cursor | None = None) -> DatabaseFacts | None:
        """Return what the server knows of one database, None when there is none of that name."""
        return next(iter(self._facts("d.datname = %s", [name], cr)), None)

    def all_facts(self, *, sizes: bool = True) -> list[DatabaseFacts]:
        """Return every database of the server except PostgreSQL's own three.

        :param sizes: False leaves them 0: measuring takes long with many databases, and fails on
            one that is dropped at that moment
        """
        where = "d.datname NOT IN ('postgres', 'template0', 'template1')"
        return self._facts(where, [], sizes=sizes)

    def _facts(
        self, where: str, values: list, cr: cursor | None = None, *, sizes: bool = True
    ) -> list[DatabaseFacts]:
        measured = "has_database_privilege(d.oid, 'CONNECT')" if sizes else "false"
        query = f"""
            SELECT d.datname, r.rolname, d.datistemplate, d.datallowconn,
                   CASE WHEN {measured} THEN pg_database_size(d.oid) ELSE 0 END,
                   shobj_description(d.oid, 'pg_database')
              FROM pg_database d JOIN pg_roles r ON r.oid = d.datdba
             WHERE {where} ORDER BY d.datname"""
        with contextlib.ExitStack() as stack:
            cr = cr or stack.enter_context(self.cursor())
            cr.execute(query, values)
            return [DatabaseFacts(*row[:5], mark=Mark.parse(row[5])) for row in cr.fetchall()]

    def marks(self) -> dict[str, Mark]:
        """Return the owner mark of every database that has one, by its name; quick with many."""
        with self.cursor() as cr:
            cr.execute("SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database")
            read = {name: Mark.parse(comment) for name, comment in cr.fetchall()}
        return {name: mark for name, mark in read.items() if mark}

    def exists(self, name: str, cr: cursor | None = None) -> bool:
        """Tell whether a database of this name exists."""
        with contextlib.ExitStack() as stack:
            cr = cr or stack.enter_context(self.cursor())
            cr.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
            return bool(cr.fetchone())

    def sessions(self, name: str) -> int:
        """Return how many sessions are connected to a database."""
        with self.cursor() as cr:
            cr.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = %s", [name])
            return cr.fetchone()[0]

    # --- making, hiding, renaming, dropping

    def clone(self, source: str, target: str, *, mark: Mark) -> None:
        """Copy ``source`` to the hidden database ``target``; it is a template, so Odoo leaves it alone.

        The copy inherits ALLOW_CONNECTIONS from nobody: it may be connected to by name. WAL_LOG is
        the strategy unless the server copies files by reference.

        :raises HostingError: ``name_taken``
        :raises Retryable: ``source_in_use`` after `TRIES` tries; no session of the source is ended
        """
        for attempt in range(TRIES):
            with self.cursor() as cr:
                try:
                    cr.execute(
                        sql.SQL(
                            "CREATE DATABASE {} TEMPLATE {} IS_TEMPLATE true "
                            "ALLOW_CONNECTIONS true STRATEGY {}"
                        ).format(
                            sql.Identifier(target),
                            sql.Identifier(source),
                            sql.Literal(_strategy(cr)),
                        )
                    )
                except (
                    psycopg2.errors.DuplicateDatabase,
                    psycopg2.errors.UniqueViolation,
                ) as error:
                    raise HostingError("name_taken", name=target) from error
                except psycopg2.errors.InvalidCatalogName as error:
                    raise HostingError("no_database", name=source) from error
                except psycopg2.errors.ObjectInUse as error:
                    if attempt == TRIES - 1:
                        raise Retryable(
                            "source_in_use", name=source, sessions=self.sessions(source)
                        ) from error
                    time.sleep(random.uniform(0.05, 0.2) * (attempt + 1))
                else:
                    failpoint("postgres.created")
                    self.set_mark(target, mark, cr)
                    self.close_to_public(target, cr)
                    return

    def create_empty(self, name: str, *, mark: Mark) -> None:
        """Create an empty hidden database from ``template0``, as Odoo itself does (UTF8, collation C)."""
        with self.cursor() as cr:
            cr.execute(
                sql.SQL(
                    "CREATE DATABASE {} TEMPLATE template0 ENCODING 'unicode' LC_COLLATE 'C' "
                    "IS_TEMPLATE true"
                ).format(sql.Identifier(name))
            )
            self.set_mark(name, mark, cr)
            self.close_to_public(name, cr)

    def close_to_public(self, name: str, cr: cursor | None = None) -> None:
        """Let only the owner of a database connect to it; PostgreSQL lets every role by default.

        A copy does not inherit this from its source, a renamed database keeps it.
        """
        with contextlib.ExitStack() as stack:
            cr = cr or stack.enter_context(self.cursor())
            cr.execute(
                sql.SQL("REVOKE CONNECT, TEMPORARY ON DATABASE {} FROM PUBLIC").format(
                    sql.Identifier(name)
                )
            )

    def set_mark(self, name: str, mark: Mark, cr: cursor | None = None) -> None:
        """Write the owner mark of a database of ours."""
        with contextlib.ExitStack() as stack:
            cr = cr or stack.enter_context(self.cursor())
            cr.execute(
                sql.SQL("COMMENT ON DATABASE {} IS {}").format(
                    sql.Identifier(name), sql.Literal(mark.text())
                )
            )

    def publish(self, hidden: str, name: str, *, mark: Mark) -> None:
        """Give a hidden database its name and let Odoo see it, in one transaction.

        :raises HostingError: ``name_taken``
        """
        self._rename(hidden, name, mark, template=False)

    def hide(self, name: str, hidden: str, *, mark: Mark) -> None:
        """Take a database out of everybody's sight: another name, a template. Ends its sessions."""
        with self.exclusive(name):
            self._rename(name, hidden, mark, template=True)

    def rename(self, name: str, new_name: str, *, mark: Mark) -> None:
        """Rename a published database, which ends its sessions."""
        with self.exclusive(name):
            self._rename(name, new_name, mark, template=False)

    def _rename(self, name: str, new_name: str, mark: Mark, *, template: bool) -> None:
        for attempt in range(TRIES):
            try:
                with self.cursor() as cr:
                    # Several statements in one query are one transaction.
                    cr.execute(
                        sql.SQL(
                            "ALTER DATABASE {old} RENAME TO {new};"
                            "ALTER DATABASE {new} IS_TEMPLATE {template} ALLOW_CONNECTIONS true;"
                            "COMMENT ON DATABASE {new} IS {mark}"
                        ).format(
                            old=sql.Identifier(name),
                            new=sql.Identifier(new_name),
                            template=sql.Literal(template),
                            mark=sql.Literal(mark.text()),
                        )
                    )
                return
            except (psycopg2.errors.DuplicateDatabase, psycopg2.errors.UniqueViolation) as error:
                raise HostingError("name_taken", name=new_name) from error
            except psycopg2.errors.InvalidCatalogName as error:
                # What a runner that was killed had sent last may have been done only now.
                renamed = self.facts(new_name)
                if renamed and renamed.mark == mark:
                    return
                raise HostingError("no_database", name=name) from error
            except psycopg2.errors.ObjectInUse as error:
                if attempt == TRIES - 1:
                    sessions = self.sessions(name)
                    raise Retryable("source_in_use", name=name, sessions=sessions) from error
                time.sleep(random.uniform(0.02, 0.1) * (attempt + 1))

    @contextlib.contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """Keep everybody out of a database of ours for the time of the block, and end who is in it.

        Used where PostgreSQL wants nobody connected (a copy of a live database, a rename). When
        the block ends, connections are allowed again if the database still has this name.
        """
        facts = self.facts(name)
        if facts is None:
            raise HostingError("no_database", name=name)
        if facts.mark is None:
            raise HostingError("not_ours", name=name)
        try:
            with self.cursor() as cr:
                self._allow(cr, name, False)
                self._end_sessions(cr, name)
            yield
        finally:
            with self.cursor() as cr:
                if facts.allows_connections and self.exists(name, cr):
                    self._allow(cr, name, True)

    def close_template(self, name: str) -> None:
        """Let nobody connect any more, so that no clone ever waits; ends who is in it."""
        with self.cursor() as cr:
            cr.execute(
                sql.SQL("ALTER DATABASE {} IS_TEMPLATE true ALLOW_CONNECTIONS false").format(
                    sql.Identifier(name)
                )
            )
            self._end_sessions(cr, name)

    def take(self, name: str, mark: Mark) -> None:
        """Make a database of our role ours: mark it, and let nobody else's role connect to it."""
        with self.cursor() as cr:
            self.set_mark(name, mark, cr)
            self.close_to_public(name, cr)

    def give_back(self, name: str) -> None:
        """Take the mark off a database and open it to every role, as PostgreSQL does by itself."""
        with self.cursor() as cr:
            cr.execute(sql.SQL("COMMENT ON DATABASE {} IS NULL").format(sql.Identifier(name)))
            cr.execute(
                sql.SQL("GRANT CONNECT, TEMPORARY ON DATABASE {} TO PUBLIC").format(
                    sql.Identifier(name)
                )
            )

    def allow(self, name: str, allowed: bool) -> None:
        """Set ALLOW_CONNECTIONS of a database."""
        with self.cursor() as cr:
            self._allow(cr, name, allowed)

    def _end_sessions(self, cr: cursor, name: str) -> None:
        """End the sessions that our role may end.

        Not autovacuum's workers, which PostgreSQL itself ends when they are in the way, and not
        an administrator's: whoever wants the database alone is told how many are left.
        """
        cr.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s "
            "AND pid <> pg_backend_pid() AND pg_has_role(usesysid, 'USAGE')",
            [name],
        )

    def _allow(self, cr: cursor, name: str, allowed: bool) -> None:
        cr.execute(
            sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}").format(
                sql.Identifier(name), sql.Literal(allowed)
            )
        )

    def drop(self, name: str, *, server: str) -> bool:
        """Drop a database that carries the mark of ``server``; return whether there was one.

        :raises HostingError: ``not_ours`` when it has no mark or another server's
        """
        facts = self.facts(name)
        if facts is None:
            return False
        # Killed between CREATE DATABASE and its mark: a name nobody can guess is ours all the same.
        unmarked = facts.mark is None and is_hidden(name)
        if not unmarked and (facts.mark is None or facts.mark.server != server):
            raise HostingError("not_ours", name=name)
        with self.cursor() as cr:
            if facts.is_template:
                cr.execute(
                    sql.SQL("ALTER DATABASE {} IS_TEMPLATE false").format(sql.Identifier(name))
                )
            _drop(cr, name)
        return True


def _drop(cr: cursor, name: str) -> None:
    """Drop a database, whoever is in it.

    FORCE wants the rights over every process in the database, and a worker of autovacuum belongs
    to no role; the plain command ends such a worker by itself.
    """
    for attempt in range(TRIES):
        force = sql.SQL("" if attempt % 2 else " WITH (FORCE)")
        try:
            cr.execute(sql.SQL("DROP DATABASE IF EXISTS {}{}").format(sql.Identifier(name), force))
            return
        except (psycopg2.errors.InsufficientPrivilege, psycopg2.errors.ObjectInUse):
            if attempt == TRIES - 1:
                raise
            time.sleep(random.uniform(0.05, 0.2))


def _strategy(cr: cursor) -> str:
    """Return how to copy: by reference where server and configuration can, else by the log.

    ``file_copy_method = clone`` (PostgreSQL 18, on a file system with reflinks) copies any size
    in the same time; FILE_COPY without it is slower than WAL_LOG and forces two checkpoints.
    """
    cr.execute("SELECT current_setting('file_copy_method', true)")
    return "FILE_COPY" if cr.fetchone()[0] == "clone" else "WAL_LOG"
