"""Restore an archive that we did not make: nothing in it is trusted.

A dump is a program. It runs as a PostgreSQL role that owns nothing (`restricted`), fed by psql or
pg_restore in a sandbox (`sandbox`) whose only way out is one database as that role (`relay`),
into a database that nobody sees. psql is told ``\\restrict`` first, so that no line of the dump
can give it a command of its own (CVE-2025-8714). The time and the size of the database are watched
from outside, as a dump can set any limit of its own session. What it made is looked at
(`foreign_audit`) before it becomes ours.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg2
from psycopg2 import sql
from psycopg2.extensions import connection

from . import archive_check, children, files, foreign_audit, sandbox
from .archive_check import ArchiveFacts, ArchiveLimits
from .children import Ended, Progress, no_limit, no_progress, nothing
from .errors import HostingError, sentences
from .failpoints import failpoint
from .pgtools import PgTools
from .postgres import Cluster, Mark
from .relay import Relay
from .restricted import RestrictedRole

# The first minor releases that know \restrict, PostgreSQL's release notes of August 2025.
RESTRICTING = {13: 22, 14: 19, 15: 14, 16: 10, 17: 6}
# Odoo makes the first two itself; all are "trusted" by PostgreSQL or contrib's plain types.
EXTENSIONS = ("pg_trgm", "unaccent", "btree_gin", "btree_gist", "citext", "fuzzystrmatch", "hstore")
_HEAD = 1 << 18  # an archive's extensions stand in its first bytes, before any table
_LIST = 64 << 20  # bytes of pg_restore's list of an archive; a million tables fit
_WATCH_S = 1.0
_EXTENSION = re.compile(rb"^CREATE EXTENSION IF NOT EXISTS \"?([a-z_-]+)\"? ", re.MULTILINE)
_LISTED = re.compile(rb"^\d+; \d+ \d+ EXTENSION - ([a-z_-]+)", re.MULTILINE)
# What pg_dump writes before the first table and only an owner may do: comments on what we made.
_COMMENT = re.compile(rb"COMMENT ON (EXTENSION \"?[a-z_-]+\"?|SCHEMA public) IS '[^'\\]*';")
_GUARD = re.compile(rb"\\(?:un)?restrict [A-Za-z0-9]{1,128}")
_TABLE = re.compile(rb"(CREATE (UNLOGGED )?TABLE|COPY|INSERT INTO) ")

sentences(
    psql_old="Archives of unknown origin cannot be restored with psql %(version)s, which would "
    "obey commands in them. Install a newer minor release of PostgreSQL's programs.",
    restore_tls="Archives of unknown origin cannot be restored: the connection to PostgreSQL must "
    "be encrypted, and the sandbox's is not. Host PostgreSQL on this machine.",
    foreign_dump="The archive's dump was refused by PostgreSQL: %(reason)s",
    foreign_size="The archive was refused: its database grew beyond %(limit)s bytes. If it is to "
    "be trusted, load it with odoo-bin db load, or pg_restore, and adopt the database.",
)


@dataclass(frozen=True)
class ForeignLimits:
    """What a foreign archive may cost: its own size, bytes of its database, seconds to load."""

    archive: ArchiveLimits = field(default_factory=ArchiveLimits)
    database: int = 100 << 30
    seconds: float = 4 * 3600.0
    sandbox: sandbox.Limits = field(default_factory=sandbox.Limits)


@dataclass(frozen=True)
class RestoredForeign:
    """A foreign archive in its hidden database. ``seconds`` is the time of the load."""

    facts: ArchiveFacts
    files: int
    file_bytes: int
    database_bytes: int
    seconds: float


def restore_foreign(
    tools: PgTools,
    path: Path,
    database: str,
    filestore: Path,
    *,
    role: RestrictedRole,
    mark: Mark,
    odoo: str = "19.0",
    limits: ForeignLimits | None = None,
    room: Callable[[], object] = nothing,
    progress: Progress = no_progress,
    remaining_s: Callable[[], float] = no_limit,
) -> RestoredForeign:
    """Restore an archive into the new hidden ``database`` and the new folder ``filestore``.

    The database is not sealed: the caller seals it like every copy. On any error neither the
    database nor the folder is left. Where another archive is being loaded, it waits.

    :param room: called once a second while the dump is loaded, as nobody knows how big it becomes;
        what it raises ends the load
    :raises HostingError: ``no_sandbox``, ``restore_role``, ``restore_open``, ``psql_old``,
        ``foreign_dump``, ``foreign_size``, ``foreign_objects``, ``child_deadline``, and the codes
        of `archive_check`
    :raises Retryable: ``restore_busy``
    """
    limits = limits or ForeignLimits()
    facts = archive_check.inspect(path, limits=limits.archive, odoo=odoo)
    _check_psql(tools)
    load = _Load(tools, path, database, facts, role, limits, room, progress, remaining_s)
    with role.turn(load.wait, remaining_s) as turn, sandbox.place() as where:
        role.check()
        try:
            tools.cluster.create_empty(database, mark=mark)
            failpoint("foreign.created")
            count = size = 0
            if facts.kind == "zip":
                count, size = archive_check.unpack(path, filestore, limits=limits.archive)
            failpoint("foreign.unpacked")
            seconds = load.run(where, turn)
            failpoint("foreign.loaded")
            _take_over(tools.cluster, database, role, odoo)
        except BaseException:
            _undo(tools.cluster, database, filestore, mark.server)
            raise
    facts_now = tools.cluster.facts(database)
    return RestoredForeign(facts, count, size, facts_now.size if facts_now else 0, seconds)


def _undo(cluster: Cluster, database: str, filestore: Path, server: str) -> None:
    files.remove_tree(filestore)
    cluster.drop(database, server=server)


def _take_over(cluster: Cluster, database: str, role: RestrictedRole, odoo: str) -> None:
    """Look at what the dump made, and only then make it ours; one transaction."""
    opened = cluster.connect(database, autocommit=False)
    try:
        with opened, opened.cursor() as cr:
            cr.execute("SET LOCAL statement_timeout = '10min'")
            foreign_audit.check(cr, odoo=odoo)
            role.take_over(cr)
    finally:
        opened.close()


def _check_psql(tools: PgTools) -> None:
    output: list[bytes] = []
    children.run([_binary(tools, "psql"), "--version"], env={}, feed=output.append)
    match = re.search(rb"\) (\d+)(?:\.(\d+))?", b"".join(output))
    version = (int(match[1]), int(match[2] or 0)) if match else (0, 0)
    if version[0] < 18 and version[1] < RESTRICTING.get(version[0], 1 << 16):
        raise HostingError("psql_old", version=f"{version[0]}.{version[1]}")


@dataclass(frozen=True)
class _Load:
    """One dump on its way into its database."""

    tools: PgTools
    path: Path
    database: str
    facts: ArchiveFacts
    role: RestrictedRole
    limits: ForeignLimits
    room: Callable[[], object]
    progress: Progress
    remaining_s: Callable[[], float]

    def wait(self) -> None:
        """Say why nothing happens yet."""
        self.progress(0, 1, "Waiting for another archive")

    def run(self, where: sandbox.Place, turn: connection) -> float:
        """Load the dump; return the seconds that it took."""
        began = time.monotonic()
        self._extensions(where)
        with (
            self.role.lent(self.database, turn) as password,
            Relay(
                where.shared,
                _address(self.tools.cluster),
                user=self.role.name,
                database=self.database,
            ) as relay,
        ):
            where.give(relay.path, 0o600)
            passfile = where.shared / "password"
            passfile.write_text(f"*:*:*:*:{password}\n")
            where.give(passfile, 0o600)
            ended = self._feed(self._command(where, relay.port), where, passfile, began)
        if ended.code:
            raise HostingError("foreign_dump", reason=_error(ended.errors))
        return time.monotonic() - began

    def _program(self) -> str:
        return _binary(self.tools, "psql" if self.facts.kind == "zip" else "pg_restore")

    def _command(self, where: sandbox.Place, port: int) -> list[str]:
        options = [
            *(f"--host={where.shared}", f"--port={port}", f"--username={self.role.name}"),
            *(f"--dbname={self.database}", "--no-password"),
        ]
        if self.facts.kind == "zip":
            return [self._program(), "-X", "-q", "-v", "ON_ERROR_STOP=1", *options]
        # Comments are the one thing in an ordinary dump that wants the owner of an extension.
        left_out = ["--no-owner", "--no-acl", "--no-comments", "--no-security-labels"]
        return [self._program(), "--exit-on-error", *left_out, *options]

    def _extensions(self, where: sandbox.Place) -> None:
        """Make the extensions that the dump wants, of those that are harmless.

        The stranger's role owns none: whoever owns an extension can declare anything a part of it.
        """
        wanted = self._wanted(where)
        with self.tools.cluster.cursor(self.database) as cr:
            for name in EXTENSIONS:
                if name in wanted:
                    cr.execute(
                        sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(name))
                    )
            if "unaccent" in wanted:
                # As Odoo does, where the role may: indexes of Odoo's are built on it.
                with contextlib.suppress(psycopg2.errors.InsufficientPrivilege):
                    cr.execute("ALTER FUNCTION unaccent(text) IMMUTABLE")

    def _wanted(self, where: sandbox.Place) -> set[str]:
        with archive_check.open_dump(self.path, self.limits.archive) as blocks:
            if self.facts.kind == "zip":
                head, found = next(blocks, b"")[:_HEAD], _EXTENSION
            else:
                output = bytearray()

                def feed(block: bytes) -> None:
                    output.extend(block[: _LIST - len(output)])

                program = [self._program(), "--list"]
                _run(program, blocks, where, {}, feed=feed, remaining_s=self.remaining_s)
                head, found = bytes(output), _LISTED
        return {name.decode() for name in found.findall(head)}

    def _feed(
        self, command: list[str], where: sandbox.Place, passfile: Path, began: float
    ) -> Ended:
        def remaining() -> float:
            return min(self.remaining_s(), began + self.limits.seconds - time.monotonic())

        watch = _Watch(self, remaining)
        env = {"PGPASSFILE": str(passfile), "PGCONNECT_TIMEOUT": "30"}
        with archive_check.open_dump(self.path, self.limits.archive) as blocks:
            if self.facts.kind == "zip":
                blocks = guarded(blocks)
            return _run(
                command,
                blocks,
                where,
                env,
                beat=watch.beat,
                limits=self.limits.sandbox,
            )


class _Watch:
    """Ends a load that takes too long, or whose database grows too big."""

    def __init__(self, load: _Load, remaining_s: Callable[[], float]) -> None:
        self._load, self._remaining_s = load, remaining_s
        self._began, self._next = time.monotonic(), 0.0

    def beat(self) -> None:
        """Look once a second. :raises HostingError: ``child_deadline``, ``foreign_size``, and what
        the two functions of the caller raise"""
        try:
            self._look()
        except HostingError:
            # The server's side first: the client then leaves by itself, and at once.
            with self._load.tools.cluster.cursor() as cr:
                self._load.role.end_sessions(cr)
            raise

    def _look(self) -> None:
        now = time.monotonic()
        if self._remaining_s() <= 0:
            seconds = round(now - self._began)
            raise HostingError("child_deadline", program="The load", seconds=seconds, reason="none")
        if now < self._next:
            return
        facts = self._load.tools.cluster.facts(self._load.database)
        size = facts.size if facts else 0
        if size > self._load.limits.database:
            raise HostingError("foreign_size", limit=self._load.limits.database)
        self._load.room()
        self._load.progress(size, 0, "Loading the dump")
        self._next = now + _WATCH_S


def guarded(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Put a dump behind a ``\\restrict`` of ours, whose key it cannot know.

    The dump's own pair, which newer pg_dump writes, goes: its first line would be an error now.
    So do the comments before the first table. Only lines are left out, nothing is ever added.
    """
    yield b"\\restrict " + secrets.token_hex(32).encode() + b"\n"
    own = b""
    head = True
    for line in _lines(blocks):
        bare = line.rstrip(b"\r\n")
        if head and _TABLE.match(bare):
            head = False
        if head and _COMMENT.fullmatch(bare):
            continue
        if head and not own and _GUARD.fullmatch(bare):
            own = bare.replace(b"\\restrict", b"\\unrestrict", 1)
            continue
        if own and bare == own:
            continue
        yield line


def _lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Give whole lines where they are short, and pieces of those that are not."""
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).splitlines(keepends=True) or [b""]
        yield from lines
        if rest.endswith(b"\n") or len(rest) > 1 << 20:
            yield rest
            rest = b""
    if rest:
        yield rest


def _run(
    argv: list[str],
    blocks: Iterator[bytes],
    where: sandbox.Place,
    env: dict[str, str],
    *,
    feed: Callable[[bytes], None] | None = None,
    beat: Callable[[], None] | None = None,
    remaining_s: Callable[[], float] = no_limit,
    limits: sandbox.Limits | None = None,
) -> Ended:
    """Run a program in the sandbox with ``blocks`` as its input; an error in them is raised."""
    command = sandbox.command(
        argv, where, visible=sandbox.needs(argv[0]), env=env, limits=limits or sandbox.Limits()
    )
    reading, writing = os.pipe()
    failed: list[BaseException] = []
    pump = threading.Thread(target=_pump, args=[blocks, writing, failed], daemon=True)
    with open(reading, "rb", buffering=0) as stdin:
        pump.start()
        try:
            ended = children.run(
                command, env={}, stdin=stdin, feed=feed, beat=beat, remaining_s=remaining_s
            )
        finally:
            stdin.close()  # ends the pump, if it still writes
            pump.join()
    # An input that broke off looks to the program like one that ended.
    if failed:
        raise failed[0]
    return ended


def _pump(blocks: Iterator[bytes], writing: int, failed: list[BaseException]) -> None:
    try:
        with open(writing, "wb", buffering=1 << 18) as target:
            for block in blocks:
                target.write(block)
    except BrokenPipeError:
        pass  # The program ended first; its exit code says why.
    except Exception as error:
        failed.append(error)


def _binary(tools: PgTools, name: str) -> str:
    """Return a program itself: Debian's ``/usr/bin/psql`` is a script that looks for the newest."""
    path = Path(tools.path(name))
    if not tools.folder:
        found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=_release)
        path = found[-1] if found else Path("/usr/bin", name)
    return str(path)


def _release(path: Path) -> int:
    return int(path.parts[4]) if path.parts[4].isdigit() else 0


def _address(cluster: Cluster) -> tuple[str, int] | str:
    """Return where the server is, as the relay dials it."""
    if str(cluster.dsn.get("sslmode", "")).startswith(("require", "verify")):
        raise HostingError("restore_tls")
    opened = cluster.connect()
    try:
        host, port = opened.info.host, opened.info.port
    finally:
        opened.close()
    return f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)


def _error(errors: str) -> str:
    """Return the first error that a program wrote: the last is often only that it stops."""
    for line in errors.splitlines():
        if match := re.search(r"(?:ERROR|FATAL|error):\s*(.+)", line):
            return match[1]
    return children.last_line(errors)
