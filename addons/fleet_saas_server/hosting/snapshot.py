"""One moment of a database, held open: what pg_dump shall see, and what it shall have seen."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import psycopg2.errors
from psycopg2 import sql
from psycopg2.extensions import cursor

from .errors import HostingError, sentences
from .postgres import Cluster

TABLES_AT_ONCE = 200

sentences(
    not_odoo="The database %(name)s holds no Odoo: its table %(table)s is missing.",
)


@dataclass(frozen=True)
class StoredFiles:
    """The files that a database names.

    :param sizes: bytes by stored name (``aa/sha1``), as the attachment says; None where it does not
    """

    sizes: Mapping[str, int | None]


@dataclass(frozen=True)
class Facts:
    """What a database says of itself. ``size`` is in bytes, ``server`` PostgreSQL's major version.

    :param modules: versions of the installed modules, by name
    :param extensions: versions of PostgreSQL's extensions, by name
    """

    uuid: str
    odoo: str
    modules: Mapping[str, str]
    extensions: Mapping[str, str]
    server: int
    size: int


class ExportedSnapshot:
    """A read-only transaction whose view other sessions can share by `id` until the block ends.

    PostgreSQL, "Snapshot Synchronization Functions": pg_export_snapshot() is valid as long as the
    transaction that called it, and ``pg_dump --snapshot`` uses it.

    :raises HostingError: ``no_database``, ``not_odoo``
    """

    def __init__(self, cluster: Cluster, database: str) -> None:
        self.database = database
        self.id = ""
        self._connection = cluster.connect(database, autocommit=False)

    def __enter__(self) -> ExportedSnapshot:
        try:
            self._connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
            with self._cursor() as cr:
                # A long dump leaves this transaction idle, and a count of a big table is slow.
                cr.execute(
                    "SET idle_in_transaction_session_timeout = 0; SET statement_timeout = 0; "
                    "SET lock_timeout = '60s'; SELECT pg_export_snapshot()"
                )
                self.id = cr.fetchone()[0]
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(self, *_error: object) -> None:
        self._connection.close()

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[cursor]:
        with self._connection.cursor() as cr:
            try:
                yield cr
            except psycopg2.errors.UndefinedTable as error:
                table = str(error).partition('"')[2].partition('"')[0]
                raise HostingError("not_odoo", name=self.database, table=table) from error

    def facts(self) -> Facts:
        """Return versions, identity and size."""
        with self._cursor() as cr:
            cr.execute("SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'")
            uuid = (cr.fetchone() or ("",))[0]
            cr.execute(
                "SELECT name, latest_version FROM ir_module_module WHERE state = 'installed'"
            )
            modules = {name: version or "" for name, version in cr.fetchall()}
            cr.execute("SELECT extname, extversion FROM pg_extension")
            extensions = dict(cr.fetchall())
            cr.execute(
                "SELECT current_setting('server_version_num')::int / 10000, "
                "pg_database_size(current_database())"
            )
            server, size = cr.fetchone()
        return Facts(uuid, modules.get("base", ""), modules, extensions, server, size)

    def stored_files(self) -> StoredFiles:
        """Return every file that an attachment names, whoever's it is, binary fields included."""
        with self._cursor() as cr:
            # One content may belong to many attachments.
            cr.execute(
                "SELECT store_fname, max(file_size) FROM ir_attachment "
                "WHERE store_fname IS NOT NULL AND store_fname <> '' GROUP BY store_fname"
            )
            return StoredFiles(dict(cr.fetchall()))

    def row_counts(self) -> dict[str, int]:
        """Return the rows of every table that is dumped, by ``schema.table``."""
        with self._cursor() as cr:
            return count_rows(cr)


def count_rows(cr: cursor) -> dict[str, int]:
    """Return the rows of every ordinary table that is neither PostgreSQL's own nor an extension's."""
    cr.execute(
        """SELECT n.nspname, c.relname
             FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname !~ '^pg_'
              AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                                 AND d.objid = c.oid AND d.deptype = 'e')
            ORDER BY 1, 2"""
    )
    tables = cr.fetchall()
    counts: dict[str, int] = {}
    for start in range(0, len(tables), TABLES_AT_ONCE):
        part = tables[start : start + TABLES_AT_ONCE]
        query = sql.SQL(" UNION ALL ").join(
            sql.SQL("SELECT {}, count(*) FROM {}").format(
                sql.Literal(f"{schema}.{table}"), sql.Identifier(schema, table)
            )
            for schema, table in part
        )
        cr.execute(query)
        counts.update(cr.fetchall())
    return counts
