"""The PostgreSQL role that loads archives of unknown origin: it owns nothing and enters nothing.

The administrator makes it once, as a superuser::

    CREATE ROLE fleet_restore LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT 4;
    ALTER ROLE fleet_restore SET temp_file_limit = '2GB';
    GRANT fleet_restore TO odoo;   -- the role of the hosting

It needs no password of its own: it gets a new one for each restore and none afterwards. While it
is lent it may enter one database and create in its schema ``public``; everything that it made goes
to the hosting role at the end, and its traces are removed.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import psycopg2
import psycopg2.errors
from psycopg2 import sql
from psycopg2.extensions import connection, cursor, encrypt_password

from .errors import HostingError, Retryable, sentences
from .names import is_hidden
from .postgres import Cluster, Mark

_LOCK = 0x666C6565  # first half of the advisory lock's key; the second is the role's name
_POLL_S = 1.0

sentences(
    restore_role="Archives of unknown origin cannot be restored: the PostgreSQL role %(role)s "
    "%(reason)s. The readme of the server says how to make it.",
    restore_open="Archives of unknown origin cannot be restored: the role %(role)s may connect to "
    "the databases %(databases)s. Run REVOKE CONNECT ON DATABASE … FROM PUBLIC on each.",
    restore_busy="Another archive of unknown origin is being restored; they go one after the other.",
)


@dataclass(frozen=True)
class RestrictedRole:
    """The role ``name`` on ``cluster``.

    :param server: uuid of the server database; the databases that carry its mark must be closed
    :param also: names of more databases that must be closed, such as the server database's
    """

    cluster: Cluster
    name: str
    server: str
    also: tuple[str, ...] = ()

    def check(self) -> None:
        """Refuse a role that could do more than load.

        :raises HostingError: ``restore_role``, ``restore_open``
        """
        if not self.name:
            raise HostingError("restore_role", role="for it", reason="is not configured")
        with self.cluster.cursor() as cr:
            if reason := self._problem(cr):
                raise HostingError("restore_role", role=self.name, reason=reason)
            self._close_hidden(cr)
            if names := self._enterable(cr):
                raise HostingError("restore_open", role=self.name, databases=", ".join(names))

    def _problem(self, cr: cursor) -> str:
        cr.execute(
            """SELECT rolcanlogin, rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication
                                             OR rolbypassrls,
                      EXISTS (SELECT FROM pg_auth_members m WHERE m.member = r.oid),
                      pg_has_role(current_user, r.oid, 'MEMBER') AND rolname <> current_user,
                      EXISTS (SELECT FROM pg_db_role_setting s, unnest(s.setconfig) one
                               WHERE s.setrole = r.oid AND s.setdatabase = 0
                                 AND one LIKE 'temp\\_file\\_limit=%%' AND one NOT LIKE '%%=-1')
                 FROM pg_roles r WHERE rolname = %s""",
            [self.name],
        )
        row = cr.fetchone()
        if not row:
            return "does not exist"
        login, mighty, member, ours, limited = row
        if not login:
            return "may not log in"
        if mighty or member:
            return "has more rights than it may have"
        if not ours:
            return "was not granted to our role"
        return "" if limited else "has no temp_file_limit"

    def _close_hidden(self, cr: cursor) -> None:
        """Take back what a restore that was killed left: its own grant on its hidden database."""
        for name in filter(is_hidden, self._enterable(cr)):
            cr.execute(self._sql("REVOKE ALL ON DATABASE {} FROM {}", name, self.name))

    def _enterable(self, cr: cursor) -> list[str]:
        """Return the databases of ours that the role may connect to."""
        cr.execute(
            "SELECT datname, shobj_description(oid, 'pg_database') FROM pg_database "
            "WHERE datallowconn AND has_database_privilege(%s, oid, 'CONNECT') ORDER BY datname",
            [self.name],
        )
        found = []
        for name, comment in cr.fetchall():
            mark = Mark.parse(comment)
            if name in self.also or (mark and mark.server == self.server):
                found.append(name)
        return found

    @contextlib.contextmanager
    def turn(
        self, waiting: Callable[[], None], remaining_s: Callable[[], float]
    ) -> Iterator[connection]:
        """Wait until nobody else uses the role, and keep it for the block.

        :param waiting: called about once a second; what it raises ends the wait
        :raises Retryable: ``restore_busy`` when no time is left
        """
        opened = self.cluster.connect()
        try:
            while not self._lock(opened):
                if remaining_s() <= 0:
                    raise Retryable("restore_busy")
                waiting()
                time.sleep(_POLL_S)
            yield opened
        finally:
            opened.close()

    @contextlib.contextmanager
    def lent(self, database: str, held: connection | None = None) -> Iterator[str]:
        """Let the role into one database of ours, and give its password for the block.

        At the end its sessions are ended, also on an error.

        :param held: the connection of `turn`, of whoever waited for it
        :raises Retryable: ``restore_busy``
        """
        opened = held or self.cluster.connect()
        try:
            if not self._lock(opened):
                raise Retryable("restore_busy")
            with opened.cursor() as cr:
                try:
                    yield self._open(opened, cr, database)
                finally:
                    self._close(cr, database)
        finally:
            if not held:
                opened.close()

    def _lock(self, opened: connection) -> bool:
        """Take the role for a session, which may have it already; tell whether it has it."""
        with opened.cursor() as cr:
            cr.execute("SELECT pg_try_advisory_lock(%s, hashtext(%s))", [_LOCK, self.name])
            return cr.fetchone()[0]

    def _open(self, opened: connection, cr: cursor, database: str) -> str:
        password = secrets.token_urlsafe(32)
        self._reset(cr, encrypt_password(password, self.name, opened, "scram-sha-256"))
        cr.execute(self._sql("GRANT CONNECT ON DATABASE {} TO {}", database, self.name))
        with self.cluster.cursor(database) as inside:
            inside.execute(self._sql("GRANT ALL ON SCHEMA public TO {}", self.name))
        return password

    def _close(self, cr: cursor, database: str) -> None:
        with contextlib.suppress(psycopg2.errors.InvalidCatalogName):
            cr.execute(self._sql("REVOKE ALL ON DATABASE {} FROM {}", database, self.name))
        # Before its password: a session that is still there could hold the role's row for ever, or
        # give it another one after us.
        self.end_sessions(cr)
        self._reset(cr, None)

    def end_sessions(self, cr: cursor) -> None:
        """End the role's sessions, wherever they are and whatever they do."""
        cr.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s",
            [self.name],
        )

    def _reset(self, cr: cursor, password: str | None) -> None:
        """Give the role a password and forget the settings that it may have given itself."""
        cr.execute(self._sql("SET ROLE {}", self.name))
        try:
            cr.execute(self._sql("ALTER ROLE {} RESET ALL", self.name))
            cr.execute(
                sql.SQL("ALTER ROLE {} PASSWORD {}").format(
                    sql.Identifier(self.name), sql.Literal(password)
                )
            )
        finally:
            cr.execute("RESET ROLE")

    def take_over(self, cr: cursor) -> None:
        """Give what the role made in the cursor's database to our role, and remove its grants."""
        cr.execute(self._sql("REASSIGN OWNED BY {} TO CURRENT_USER", self.name))
        cr.execute(self._sql("DROP OWNED BY {}", self.name))

    def _sql(self, text: str, *names: str) -> sql.Composed:
        return sql.SQL(text).format(*map(sql.Identifier, names))
