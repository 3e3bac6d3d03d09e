"""Room for one more database: each refusal names its number and its limit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hosting import capacity
from hosting.capacity import MB, Facts, Limits, Processes, Wanted
from hosting.errors import HostingError
from hosting.host import Host
from hosting.postgres import Cluster
from hosting.routes import Routes

from fleetdev import databases

ROOMY = Facts(
    disk_free=100_000 * MB,
    disk_total=200_000 * MB,
    postgres_free=100_000 * MB,
    connection_limit=97,
    connections=5,
    memory_free=8_000 * MB,
    memory_total=16_000 * MB,
    databases=10,
    processes=Processes(),
)
LIMITS = Limits()


def refusal(wanted: Wanted | None = None, limits: Limits = LIMITS, **changes: object) -> str:
    """Return the code and sentence of the refusal, "" for none."""
    error = capacity.check(replace(ROOMY, **changes), wanted or Wanted(80 * MB), limits)
    return f"{error.code}: {error}" if error else ""


def test_a_machine_with_room_takes_a_database() -> None:
    assert refusal() == ""


def test_a_full_disk_is_refused_with_the_numbers() -> None:
    wanted = Wanted(500 * MB, databases=2)
    text = refusal(wanted, disk_free=3023 * MB)
    assert text.startswith("disk_full") and "2000 MB on the file system of data_dir" in text
    assert "only 3023 MB are free" in text
    assert refusal(wanted, disk_free=3024 * MB) == ""
    assert "file system of PostgreSQL" in refusal(wanted, postgres_free=3023 * MB)
    assert refusal(wanted, postgres_free=None) == ""


def test_files_that_cannot_be_linked_take_room_beside_the_database() -> None:
    wanted = Wanted(500 * MB, beside=300 * MB)
    assert "1300 MB on the file system of data_dir" in refusal(wanted, disk_free=2323 * MB)
    assert refusal(wanted, disk_free=2324 * MB, postgres_free=2024 * MB) == ""


def test_too_few_connections_are_refused_with_the_numbers() -> None:
    workers = Processes(workers=4, max_cron_threads=2, db_maxconn=64, db_maxconn_gevent=64)
    # With 11 databases: 4 workers with 23, 2 crons with 3, one of websockets with 23, 15 kept.
    assert workers.connections(11) == 4 * 23 + 2 * 3 + 23
    text = refusal(processes=workers, connection_limit=135)
    assert text.startswith("connections_full") and "can open 136 connections" in text
    assert "has 135 to give" in text
    assert refusal(processes=workers, connection_limit=136) == ""


def test_a_pool_bounds_a_process_whatever_the_number_of_databases() -> None:
    assert Processes(workers=0, db_maxconn=32).connections(5000) == 32
    workers = Processes(workers=2, max_cron_threads=1, db_maxconn=8, db_maxconn_gevent=4)
    assert workers.connections(5000) == 2 * 8 + 3 + 4


def test_too_little_memory_is_refused_with_the_numbers() -> None:
    processes = Processes(workers=2, db_maxconn=2, db_maxconn_gevent=2)
    text = refusal(processes=processes, memory_free=285 * MB)
    assert text.startswith("memory_full") and "about 30 MB" in text and "only 285 MB" in text
    assert refusal(processes=processes, memory_free=286 * MB) == ""
    assert refusal(processes=processes, memory_free=None) == ""


def test_the_number_of_databases_has_a_limit() -> None:
    text = refusal(limits=replace(LIMITS, databases=10))
    assert text == (
        "databases_full: The limit of databases on this server is reached: 10 of 10. "
        "Remove one, or raise fleet_max_databases in odoo.conf."
    )
    assert refusal(limits=replace(LIMITS, databases=11)) == ""


def test_all_that_is_lacking_is_told_and_a_wrong_option_places_nothing() -> None:
    limits = replace(LIMITS, databases=10, disk_reserve=1 << 60, wrong="fleet_disk_factor=much")
    found = [error.code for error in capacity.refusals(ROOMY, Wanted(0), limits)]
    assert found == ["bad_limit", "disk_full", "disk_full", "databases_full"]
    assert "fleet_disk_factor in odoo.conf is much" in refusal(limits=limits)


def test_a_snapshot_takes_room_on_the_disk_and_no_place_among_the_databases() -> None:
    full = {"limits": replace(LIMITS, databases=10), "memory_free": 0, "connection_limit": 1}
    assert refusal(**full).startswith("databases_full")
    assert refusal(Wanted(80 * MB, served=False), **full) == ""
    assert refusal(Wanted(80 * MB, served=False), disk_free=0).startswith("disk_full")


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(Cluster(), "server", "server", tmp_path, ())


def test_the_facts_are_those_of_this_machine(host: Host) -> None:
    routes = Routes(host.routes)
    for name, database in (("a.b", "acme"), ("c.d", "acme"), ("e.f", "birch")):
        routes.put(name, database)
    capacity.write_processes(host.work_dir, Processes(workers=3))
    found = capacity.facts(host)
    assert found.databases == 2
    assert found.processes.workers == 3
    assert 0 < found.disk_free < found.disk_total
    assert 0 < found.connections < found.connection_limit
    assert 0 < found.memory_free <= found.memory_total
    # Our role may not know where PostgreSQL has its files.
    assert found.postgres_free is None


def test_placing_asks_the_machine_and_the_source(host: Host) -> None:
    source = databases.template("base")
    assert capacity.check_place(host, source)["databases"] == 0
    with pytest.raises(HostingError) as caught:
        capacity.check_place(replace(host, limits=Limits(disk_reserve=1 << 60)), source)
    assert caught.value.code == "disk_full"
    with pytest.raises(HostingError) as caught:
        capacity.check_place(host, "fleet_nowhere")
    assert caught.value.code == "no_database"


def write(folder: Path, files: dict[str, str]) -> Path:
    """Write small files, as the kernel shows them."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text)
    return folder


def test_the_memory_is_that_of_the_container(tmp_path: Path) -> None:
    proc = write(tmp_path / "p", {"meminfo": "MemTotal: 8192 kB\nMemAvailable: 4096 kB\n"})
    none = tmp_path / "none"
    assert capacity.memory(proc, none) == (4096 * 1024, 8192 * 1024)
    assert capacity.memory(none, none) == (None, None)
    numbers = {"memory.max": "3000000", "memory.current": "2500000"}
    group = write(tmp_path / "g", numbers | {"memory.stat": "anon 5\ninactive_file 100000\n"})
    assert capacity.memory(proc, group) == (600000, 3000000)
    (group / "memory.max").write_text("max\n")
    assert capacity.memory(proc, group) == (4096 * 1024, 8192 * 1024)
    old = {"memory.limit_in_bytes": "3000000", "memory.usage_in_bytes": "2000000"}
    write(tmp_path / "o" / "memory", old | {"memory.stat": "total_inactive_file 0\n"})
    assert capacity.memory(proc, tmp_path / "o") == (1000000, 3000000)


def test_the_places_that_are_free_are_those_that_the_check_grants() -> None:
    limits = replace(LIMITS, databases=14)
    assert capacity.free_places(ROOMY, 80 * MB, limits) == 4
    size = 1000 * MB
    places = capacity.free_places(ROOMY, size, LIMITS)
    assert places == (ROOMY.disk_free - LIMITS.disk_reserve) // (2 * size)
    assert capacity.check(ROOMY, Wanted(size, places), LIMITS) is None
    assert capacity.check(ROOMY, Wanted(size, places + 1), LIMITS)


def test_a_machine_that_takes_nothing_has_no_place() -> None:
    assert capacity.free_places(replace(ROOMY, disk_free=0), 80 * MB, LIMITS) == 0
    wrong = replace(LIMITS, wrong="fleet_max_databases=many")
    assert capacity.free_places(ROOMY, 80 * MB, wrong) == 0
