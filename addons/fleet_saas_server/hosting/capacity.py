"""Is there room on this machine for one more database: disk, connections, memory, number.

A refusal names the number and the limit. What cannot be known, such as the free space of a
PostgreSQL server on another machine, is None and refuses nothing.
"""

from __future__ import annotations

import bisect
import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .errors import HostingError, sentences
from .host import MB, Host, Limits
from .names import TEMPLATE_PREFIX
from .postgres import Cluster
from .routes import Routes, write_whole

# What the gate writes when its process starts; see `Processes`.
PROCESSES_FILE = "hosted.json"
MOST_PLACES = 10_000  # nobody counts further

sentences(
    disk_full="The new database needs %(needed_mb)s MB on %(folder)s and %(reserve_mb)s MB are to "
    "stay free, but only %(free_mb)s MB are free. Free some space, remove databases, or lower "
    "fleet_disk_reserve in odoo.conf.",
    connections_full="For the databases (%(databases)s) the hosted Odoo can open %(needed)s "
    "connections to PostgreSQL (%(reserve)s kept for this server among them), which has %(limit)s to give. "
    "Raise max_connections, or lower db_maxconn or the number of workers.",
    memory_full="The new database needs about %(needed_mb)s MB of memory and %(reserve_mb)s MB are "
    "to stay free, but only %(free_mb)s MB are available. Add memory, lower the number of "
    "workers, or lower fleet_memory_reserve in odoo.conf.",
    databases_full="The limit of databases on this server is reached: %(databases)s of %(limit)s. "
    "Remove one, or raise fleet_max_databases in odoo.conf.",
    bad_limit="The option %(option)s in odoo.conf is %(value)s, which is not a number as it has "
    "to be, so no database is placed. Correct it and restart Odoo.",
)


@dataclass(frozen=True)
class Processes:
    """How the hosted Odoo is started: its options of the same names.

    A pool belongs to a process and is shared by all its databases (odoo/sql_db.py,
    ConnectionPool): ``db_maxconn`` bounds each process, whatever the number of databases.
    """

    workers: int = 0
    max_cron_threads: int = 2
    db_maxconn: int = 64
    db_maxconn_gevent: int = 64

    def connections(self, databases: int) -> int:
        """Return the most connections that all processes together open.

        A worker serves one request at a time, with one connection and a second for what must be
        written on its own; the idle ones of other databases stay open for ten minutes. A cron
        worker listens on one and uses two more. Beside the workers runs one process for
        websockets. Without workers everything is one process.
        """
        if not self.workers:
            return self.db_maxconn
        busy = 2 * databases + 1
        http = self.workers * min(self.db_maxconn, busy)
        return http + self.max_cron_threads * 3 + min(self.db_maxconn_gevent, busy)

    def memory(self, databases: int) -> int:
        """Return the bytes of so many registries: 10 MB and 5 MB to work with (odoo/orm/registry.py)."""
        return databases * 15 * MB * max(1, self.workers)


@dataclass(frozen=True)
class Facts:
    """What the machine has; bytes, None for what cannot be known from here."""

    disk_free: int
    disk_total: int
    postgres_free: int | None
    connection_limit: int
    connections: int
    memory_free: int | None
    memory_total: int | None
    databases: int
    processes: Processes


@dataclass(frozen=True)
class Wanted:
    """What is to be placed: so many more databases, each with so many bytes in PostgreSQL.

    :param beside: bytes besides on the file system of data_dir, of files that no link saves
    :param served: they get a host name; snapshots and ready clones take room on the disk only
    """

    bytes: int
    databases: int = 1
    served: bool = True
    beside: int = 0


def check_place(host: Host, source: str, *, served: bool = True) -> dict[str, Any]:
    """Return the numbers by which a copy of ``source`` fits; raise what `check` returns.

    :raises HostingError: also ``no_database``
    """
    return asdict(check_wanted(host, Wanted(_size(host, source), served=served)))


def check_wanted(host: Host, wanted: Wanted) -> Facts:
    """Return what the machine has when ``wanted`` fits; raise what `check` returns."""
    machine = facts(host)
    refusal = check(machine, wanted, host.limits)
    if refusal:
        raise refusal
    return machine


_SIZES: dict[str, int] = {}


def _size(host: Host, source: str) -> int:
    """Return the bytes of a database; those of a closed template version never change."""
    known = _SIZES.get(source) if host.cluster.exists(source) else None
    if known is not None:
        return known
    found = host.cluster.facts(source)
    if found is None:
        raise HostingError("no_database", name=source)
    if source.startswith(TEMPLATE_PREFIX) and not found.allows_connections:
        _SIZES[source] = found.size
    return found.size


def check(machine: Facts, wanted: Wanted, limits: Limits) -> HostingError | None:
    """Return why ``wanted`` does not fit on the machine, None when it does."""
    return next(refusals(machine, wanted, limits), None)


def refusals(machine: Facts, wanted: Wanted, limits: Limits) -> Iterator[HostingError]:
    """Yield everything for which ``wanted`` does not fit on the machine."""
    if limits.wrong:
        option, _, value = limits.wrong.partition("=")
        yield HostingError("bad_limit", option=option, value=value)
    yield from _disk_refusals(machine, wanted, limits)
    if wanted.served:
        yield from _served_refusals(machine, wanted.databases, limits)


def _disk_refusals(machine: Facts, wanted: Wanted, limits: Limits) -> Iterator[HostingError]:
    copied = int(wanted.bytes * wanted.databases * limits.disk_factor)
    for folder, free, needed in (
        ("the file system of PostgreSQL", machine.postgres_free, copied),
        ("the file system of data_dir", machine.disk_free, copied + wanted.beside),
    ):
        if free is not None and free - needed < limits.disk_reserve:
            yield _too_little("disk_full", needed, limits.disk_reserve, free, folder=folder)


def _served_refusals(machine: Facts, more: int, limits: Limits) -> Iterator[HostingError]:
    databases = machine.databases + more
    if limits.databases and databases > limits.databases:
        yield HostingError("databases_full", databases=machine.databases, limit=limits.databases)
    connections = needed_connections(machine, databases, limits)
    if connections > machine.connection_limit:
        yield HostingError(
            "connections_full",
            databases=databases,
            needed=connections,
            reserve=limits.connection_reserve,
            limit=machine.connection_limit,
        )
    needed = machine.processes.memory(more)
    if machine.memory_free is not None and machine.memory_free - needed < limits.memory_reserve:
        yield _too_little("memory_full", needed, limits.memory_reserve, machine.memory_free)


def needed_connections(machine: Facts, databases: int, limits: Limits) -> int:
    """Return the connections that so many databases can need, with those kept for this server."""
    return machine.processes.connections(databases) + limits.connection_reserve


def _too_little(code: str, needed: int, reserve: int, free: int, **more: str) -> HostingError:
    numbers = {"needed_mb": needed, "reserve_mb": reserve, "free_mb": free}
    return HostingError(code, **{name: -(-size // MB) for name, size in numbers.items()}, **more)


def free_places(machine: Facts, size: int, limits: Limits) -> int:
    """Return how many more databases of ``size`` bytes fit, at most `MOST_PLACES`."""

    def refused(count: int) -> bool:
        return check(machine, Wanted(size, count), limits) is not None

    return bisect.bisect_left(range(1, MOST_PLACES + 1), True, key=refused)


def summary(host: Host, size: int) -> dict[str, Any]:
    """Return what other machines are told: the facts, the limits, and the places that are free.

    :param size: bytes in PostgreSQL of the databases to be placed
    :return: bytes and counts by name, None for what cannot be known; ``refusal`` is why not one
        more fits, "" when it does
    """
    machine, limits = facts(host), host.limits
    numbers = asdict(machine)
    del numbers["processes"]
    return numbers | {
        "disk_reserve": limits.disk_reserve,
        "memory_reserve": limits.memory_reserve,
        "connection_reserve": limits.connection_reserve,
        "max_databases": limits.databases,
        "free_places": free_places(machine, size, limits),
        "refusal": str(check(machine, Wanted(size), limits) or ""),
    }


def facts(host: Host) -> Facts:
    """Look at the machine; it takes milliseconds."""
    host.work_dir.mkdir(parents=True, exist_ok=True)
    free, total = _disk(host.work_dir)
    limit, used, folder = _postgres(host.cluster)
    memory_free, memory_total = memory()
    routes = Routes(host.routes).load().values()
    return Facts(
        disk_free=free,
        disk_total=total,
        postgres_free=_disk(folder)[0] if folder else None,
        connection_limit=limit,
        connections=used,
        memory_free=memory_free,
        memory_total=memory_total,
        databases=len({route.database for route in routes}),
        processes=read_processes(host.work_dir),
    )


def read_processes(work_dir: Path) -> Processes:
    """Return how the hosted process was started last; Odoo's defaults before it ever was."""
    with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
        return Processes(**json.loads((work_dir / PROCESSES_FILE).read_text()))
    return Processes()


def write_processes(work_dir: Path, processes: Processes) -> None:
    """Note how the hosted process was started; the gate does."""
    write_whole(work_dir / PROCESSES_FILE, json.dumps(asdict(processes)))


def _disk(folder: Path) -> tuple[int, int]:
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize, status.f_blocks * status.f_frsize


def _postgres(cluster: Cluster) -> tuple[int, int, Path | None]:
    """Return the connections for us, those in use, and the data folder when it is on this machine.

    Only members of pg_read_all_settings are told the folder; without it, and for a server on
    another machine, its disk is not known.
    """
    with cluster.cursor() as cr:
        cr.execute(
            """
            SELECT current_setting('max_connections')::int
                   - current_setting('superuser_reserved_connections')::int
                   - COALESCE(current_setting('reserved_connections', true)::int, 0),
                   (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
                   inet_server_addr() IS NULL OR inet_server_addr() = inet_client_addr(),
                   pg_has_role('pg_read_all_settings', 'USAGE')"""
        )
        limit, used, here, told = cr.fetchone()
        if not (here and told):
            return limit, used, None
        cr.execute("SHOW data_directory")
        folder = Path(cr.fetchone()[0])
        return limit, used, folder if os.path.isdir(folder) else None


def memory(
    proc: Path = Path("/proc"), groups: Path = Path("/sys/fs/cgroup")
) -> tuple[int | None, int | None]:
    """Return the bytes of memory that are available and all there are, for this container.

    The smaller of the machine (proc(5), MemAvailable) and the control group counts; in a group,
    pages of files that can be dropped count as available.
    """
    machine = {}
    with contextlib.suppress(OSError):
        for line in (proc / "meminfo").read_text().splitlines():
            name, _, value = line.partition(":")
            machine[name] = int(value.split()[0]) * 1024
    free, total = machine.get("MemAvailable"), machine.get("MemTotal")
    for folder, names in (
        (groups, ("memory.max", "memory.current", "inactive_file")),
        (
            groups / "memory",
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ),
    ):
        with contextlib.suppress(OSError, ValueError):
            limit = int((folder / names[0]).read_text())
            used = int((folder / names[1]).read_text())
            statistics = dict(
                line.split() for line in (folder / "memory.stat").read_text().splitlines()
            )
            left = limit - used + int(statistics.get(names[2], 0))
            total = min(limit, total or limit)
            free = min(left, left if free is None else free)
    return free, total
