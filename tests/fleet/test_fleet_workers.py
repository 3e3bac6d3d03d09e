"""Workers that are killed, and workers that compete, over real Odoo and databases that stand in."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.odoo_fleet import OdooFleet
from support.portal import Portal, sql
from support.rogue import Connection, Request, Rogue, response

from fleetdev import odoo_run, postgres

THREADS = 6
# Makes runs over the given databases, waits for the other worker, then works like the cron.
COMPETE = """
import json, os, time
projects, folder = json.loads(ARGUMENTS[0]), ARGUMENTS[1]
Run = env["databases.run"]
items = [{"project_id": project} for project in projects]
runs = Run.concat(*(Run._create_run("sync", items, background=True) for _number in range(3)))
env.cr.commit()
open(os.path.join(folder, str(os.getpid())), "w").close()
while len(os.listdir(folder)) < 2:
    time.sleep(0.02)
while not all(run.date_end for run in runs):
    Run._work()
    time.sleep(0.05)
    env.cr.commit()
    env.invalidate_all()
print(json.dumps(runs.ids))
"""


class StandIn:
    """Answers like small Odoo databases, one a host name, and counts who asks at the same time.

    :param seconds: how long each answer takes
    """

    def __init__(self, seconds: float = 0.0) -> None:
        self.seconds = seconds
        self.hanging = threading.Event()
        self.asked: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.most_together = 0
        self._now: Counter[str] = Counter()
        self._lock = threading.Lock()

    def __call__(self, connection: Connection, request: Request) -> None:
        host = request.headers["host"].partition(".")[0]
        with self._counted(host):
            if host.startswith("hang") and self.hanging.is_set():
                connection.wait()
            time.sleep(self.seconds)
        # Not counted any more: who has the answer may ask again before this thread goes on.
        self.asked[host] += request.path.endswith("/get_kpi_summary")
        connection.send(response(body=json.dumps(self._answer(request.path)).encode()))

    @contextmanager
    def _counted(self, host: str) -> Iterator[None]:
        with self._lock:
            self._now[host] += 1
            self.most[host] = max(self.most[host], self._now[host])
            self.most_together = max(self.most_together, self._now.total())
        try:
            yield
        finally:
            with self._lock:
                self._now[host] -= 1

    def _answer(self, path: str) -> Any:
        if path == "/json/version":
            return {"version": "19.0", "version_info": []}
        if path.endswith("/get_kpi_summary"):
            return [{"id": "documents.inbox", "name": "Inbox", "type": "integer", "value": 4}]
        user = {"id": 2, "login": "admin", "name": "Ada", "active": True, "share": False}
        return [user | {"login_date": False}]


@pytest.fixture(scope="module")
def portal() -> Iterator[Portal]:
    """A portal whose scheduler runs, with few threads, and two clients of real Odoo."""
    with OdooFleet(
        "workers",
        environment={"FLEET_THREADS": str(THREADS)},
        options=("--max-cron-threads=1",),
        portal="portal",
        alpine="client",
        cedar="legacy",
    ) as fleet:
        yield Portal(fleet, fleet.api_keys("portal", "alpine", "cedar"))


def add_stand_ins(portal: Portal, port: int, names: list[str]) -> list[int]:
    values = [
        {"name": name, "database_url": f"http://{name}.localhost:{port}", "database_name": name}
        for name in names
    ]
    return portal.add(values)


def wait_until(what: Callable[[], Any], seconds: float = 40) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, f"Not within {seconds} s"
        time.sleep(0.1)


def test_a_run_survives_a_killed_worker(portal: Portal) -> None:
    fleet, database = portal.fleet, portal.fleet.database("portal")
    stand_in = StandIn()
    stand_in.hanging.set()
    with Rogue(stand_in) as server:
        names = [f"{'hang' if number % 2 else 'quick'}{number}" for number in range(20)]
        stand_ins = add_stand_ins(portal, server.port, names)
        [dead] = add_stand_ins(portal, odoo_run.free_port(), ["dead"])
        projects = [*stand_ins, dead, portal.add_client("alpine"), portal.add_client("cedar")]
        run = portal.synchronize(*projects)["params"]["run_id"]

        # Every thread hangs: some are done, some under way, and some have to wait.
        wait_until(lambda: hanging(server) >= THREADS and len(states(database, run)) == 3)
        before = done_lines(database, run)
        asked = dict(stand_in.asked)
        os.kill(fleet.server.pid(), signal.SIGKILL)
        wait_until(lambda: fleet.server.pid() is None)
        assert fleet.warnings() == []  # starting again begins a new log
        assert states(database, run).keys() == {"done", "running", "queued"}

        stand_in.hanging.clear()
        past = "now() at time zone 'utc' - interval '1 second'"
        sql(database, f"UPDATE databases_run_line SET lease_until = {past} WHERE state = 'running'")
        fleet.start()
        wait_until(lambda: wake_scheduler(database) or portal.run(run)["state"] == "done")

    result = portal.run(run)
    assert (result["total_count"], result["done_count"], result["failed_count"]) == (23, 22, 1)
    failed = [line for line in portal.lines(run) if line["state"] != "done"]
    assert [(line["project_id"][0], line["error_code"]) for line in failed] == [(dead, "refused")]
    assert portal.read(dead)["nb_synchro_errors"] == 1
    # What had been written was not asked again, nor counted again.
    assert before <= done_lines(database, run)
    finished = {f"quick{number}" for number in range(20)} & asked.keys()
    assert finished and {stand_in.asked[name] for name in finished} == {1}
    assert {line["attempts"] for line in portal.lines(run)} == {1, 2}
    figures = "SELECT project_id, count(*) FROM databases_kpi_value GROUP BY project_id, kpi_id"
    counts = {row.project_id: row.count for row in sql(database, figures)}
    assert counts == {project: 1 for project in projects if project != dead}


def wake_scheduler(database: str) -> None:
    """Let the scheduler look now, as ``ir.cron`` does, and not a minute after its start."""
    with postgres.cursor() as cursor:
        cursor.execute("SELECT pg_notify('cron_trigger', %s)", [database])


def hanging(server: Rogue) -> int:
    return sum(request.headers["host"].startswith("hang") for request in server.requests)


def states(database: str, run: int) -> dict[str, int]:
    query = "SELECT state, count(*) FROM databases_run_line WHERE run_id = %s GROUP BY state"
    return {row.state: row.count for row in sql(database, query, [run])}


def done_lines(database: str, run: int) -> set[Any]:
    """Return when each line was done, and by whom."""
    columns = "id, date_done, lease_token, attempts"
    query = f"SELECT {columns} FROM databases_run_line WHERE run_id = %s AND state = 'done'"
    return set(sql(database, query, [run]))


def test_two_workers_never_ask_the_same_database_at_once(
    portal: Portal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLEET_THREADS", str(THREADS))
    stand_in = StandIn(seconds=0.1)
    with Rogue(stand_in) as server:
        # Too few for both: a worker that did not look would take what the other one has.
        names = [f"both{number}" for number in range(THREADS + 2)]
        projects = json.dumps(add_stand_ins(portal, server.port, names))

        def compete(_number: int) -> list[int]:
            output = portal.fleet.script("portal", COMPETE, projects, str(tmp_path))
            return json.loads(output.strip().splitlines()[-1])

        with ThreadPoolExecutor(2) as pool:
            runs = [run for runs in pool.map(compete, range(2)) for run in runs]

    assert stand_in.most == dict.fromkeys(names, 1)
    assert stand_in.most_together > THREADS  # both of them worked
    assert stand_in.asked == dict.fromkeys(names, len(runs))
    for run in runs:
        assert states(portal.fleet.database("portal"), run) == {"done": len(names)}
