"""Which database answers at which host name: the file ``routes.json``.

The hosting server writes it, the gate in the hosted Odoo process reads it on every request. It is
one JSON object: exact host name → ``{"database", "state", "since", "message"}``. Only a route in
the state ``active`` opens its database; the others are answered by a page.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from .errors import HostingError, sentences
from .failpoints import failpoint

ACTIVE, PAUSED, SUSPENDED, MAINTENANCE = "active", "paused", "suspended", "maintenance"
STATES = (ACTIVE, PAUSED, SUSPENDED, MAINTENANCE)
MESSAGE_LIMIT = 500
LOOK_EVERY_S = 0.1

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
# The databases that Odoo itself would create (web/controllers/database.py, DBNAME_PATTERN).
_DATABASE = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}")

sentences(
    bad_host_name="%(host)s is not a host name: write it in lower case, without a port, each part "
    "of letters, digits and hyphens.",
    bad_route="The route of %(host)s is not valid (%(what)s). Run the reconciliation to write the "
    "routes again.",
    routes_broken="The file of routes %(path)s cannot be read (%(reason)s), so no route was "
    "changed. Run the reconciliation to write it again.",
)


@dataclass(frozen=True)
class Route:
    """Where a host name leads.

    :param database: name in PostgreSQL
    :param state: one of `STATES`
    :param since: when the state began, ISO 8601 in UTC; "" for now
    :param message: the operator's words to visitors, at most `MESSAGE_LIMIT` characters
    """

    database: str
    state: str = ACTIVE
    since: str = ""
    message: str = ""

    @property
    def active(self) -> bool:
        """Tell whether the database may be opened."""
        return self.state == ACTIVE


def check_host(host: object) -> str:
    """Return ``host`` when it is an exact host name (no port, no address); raise ``bad_host_name``."""
    labels = host.split(".") if isinstance(host, str) else []
    if not labels or len(host) > 253 or labels[-1].isdigit():
        raise HostingError("bad_host_name", host=host)
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise HostingError("bad_host_name", host=host)
    return host


def host_of(header: str) -> str:
    """Return the host name in a Host header, in lower case and without its port; "" for nonsense."""
    name, colon, port = header.partition(":")
    if colon and not (port.isascii() and port.isdigit()):
        return ""
    return name.lower() if name.isascii() else ""


def check_route(host: object, route: Route) -> None:
    """Raise ``bad_host_name`` or ``bad_route`` for a route that may not be in the file."""
    check_host(host)
    if not isinstance(route.database, str) or not _DATABASE.fullmatch(route.database):
        raise HostingError("bad_route", host=host, what="database")
    if route.database in ("postgres", "template0", "template1"):
        raise HostingError("bad_route", host=host, what="database")
    if route.state not in STATES:
        raise HostingError("bad_route", host=host, what="state")
    if not (isinstance(route.since, str) and isinstance(route.message, str)):
        raise HostingError("bad_route", host=host, what="text")


def parse(text: str, path: object) -> dict[str, Route]:
    """Return the routes in the text of the file; raise ``routes_broken`` for anything else."""
    try:
        found = {host: Route(**values) for host, values in json.loads(text).items()}
        for host, route in found.items():
            check_route(host, route)
    except (ValueError, TypeError, AttributeError, HostingError) as error:
        raise HostingError("routes_broken", path=path, reason=error) from error
    return found


class Routes:
    """The file of routes. Any number of processes may read and change it at the same time.

    :param path: ``<work_dir>/routes.json``; beside it stands ``routes.json.lock``
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def load(self) -> dict[str, Route]:
        """Return every route by host name; a server that has none yet has no file.

        :raises HostingError: ``routes_broken``
        """
        try:
            return parse(self.path.read_text(encoding="utf-8"), self.path)
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise HostingError("routes_broken", path=self.path, reason=error) from error

    def put(self, host: str, database: str, *, state: str = ACTIVE, message: str = "") -> Route:
        """Lead ``host`` to ``database``; the same route again keeps its date."""
        route = Route(database, state, _now(), message[:MESSAGE_LIMIT])
        check_route(host, route)
        with self._changed() as table:
            table[host] = _keep_since(table.get(host), route)
        return table[host]

    def set_state(self, database: str, state: str, *, message: str = "") -> list[str]:
        """Set the state of every route of ``database``; return their host names."""
        new = Route(database, state, _now(), message[:MESSAGE_LIMIT])
        with self._changed() as table:
            hosts = [host for host, route in table.items() if route.database == database]
            for host in hosts:
                check_route(host, new)
                table[host] = _keep_since(table[host], new)
        return hosts

    def rename(self, database: str, new_name: str) -> list[str]:
        """Let every route of ``database`` lead to ``new_name``; return their host names."""
        with self._changed() as table:
            hosts = [host for host, route in table.items() if route.database == database]
            for host in hosts:
                table[host] = replace(table[host], database=new_name)
                check_route(host, table[host])
        return hosts

    def remove(self, host: str) -> bool:
        """Remove one route; return whether there was one."""
        with self._changed() as table:
            return table.pop(host, None) is not None

    def replace_all(self, table: Mapping[str, Route]) -> None:
        """Write exactly these routes, whatever the file holds: what repairs a broken one."""
        for host, route in table.items():
            check_route(host, route)
        with self._locked():
            self._write(table)

    @contextlib.contextmanager
    def _changed(self) -> Iterator[dict[str, Route]]:
        with self._locked():
            table = self.load()
            before = dict(table)
            yield table
            if table != before:
                self._write(table)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Closing the file gives the lock back, also when this process is killed.
        with open(f"{self.path}.lock", "a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, table: Mapping[str, Route]) -> None:
        lines = {host: asdict(route) for host, route in sorted(table.items())}
        write_whole(self.path, json.dumps(lines, indent=1, ensure_ascii=False) + "\n")


class LiveRoutes:
    """The routes for a process that asks all the time; it reads the file when its date changes.

    A request looks at the date, which takes a microsecond: a route that was closed a moment ago
    lets nobody in, who would be logged out when Odoo finds the database closed. Everything else
    looks every `LOOK_EVERY_S`.

    When the file breaks or vanishes under it, the last good table stays in force and ``error``
    says so; a process that starts with a broken file has no route at all.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.table: dict[str, Route] = {}
        self.active: frozenset[str] = frozenset()
        self.error: HostingError | None = None
        self._seen: tuple[int, int, int] | None = None
        self._next_look = 0.0

    def get(self, host: str) -> Route | None:
        """Return the route of an exact host name, None for an unknown one."""
        self.look()
        return self.table.get(host)

    def active_databases(self) -> frozenset[str]:
        """Return the databases that may be opened, as of `LOOK_EVERY_S` ago or later."""
        if time.monotonic() >= self._next_look:
            self.look()
        return self.active

    def look(self) -> None:
        """Read the file again if it is another one than last time."""
        self._next_look = time.monotonic() + LOOK_EVERY_S
        try:
            status = os.stat(self.path)
            seen = (status.st_mtime_ns, status.st_ino, status.st_size)
        except FileNotFoundError:
            seen = None
        except OSError as error:
            self.error = HostingError("routes_broken", path=self.path, reason=error)
            return
        if seen != self._seen or (seen and self.error):
            self._load(seen)

    def _load(self, seen: tuple[int, int, int] | None) -> None:
        try:
            if seen is None:
                raise HostingError("routes_broken", path=self.path, reason="it is gone")
            table = Routes(self.path).load()
        except HostingError as error:
            self.error = error
            return
        self.active = frozenset(route.database for route in table.values() if route.active)
        self.table, self.error, self._seen = table, None, seen


def _keep_since(old: Route | None, new: Route) -> Route:
    return old if old and replace(old, since=new.since) == new else new


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def write_whole(path: Path, text: str) -> None:
    """Write a file so that a reader, or a machine that loses power, sees the old or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(handle, 0o644)
            file.write(text)
            file.flush()
            os.fsync(handle)
        failpoint("routes.write")
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
