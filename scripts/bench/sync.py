"""Runs in ``odoo shell``: synchronises a fleet through the real scheduled action, and measures.

ARGUMENTS: port of the stand-ins, a port that nobody listens on, number of databases.
Prints one line of JSON.
"""

import json
import os
import threading
import time
from pathlib import Path

import psycopg2

PORT, CLOSED, COUNT = (int(argument) for argument in ARGUMENTS)  # noqa: F821
ENV = env  # noqa: F821
KINDS = ["refuse", "hang", "drip", *["ok"] * 7]
SAMPLE = 20


class Sampler(threading.Thread):
    """Watches from outside: connections, memory, and when the living databases were fresh."""

    def __init__(self, living):
        super().__init__(daemon=True)
        self.living, self.connections, self.fresh = living, 0, None
        self.stopped = threading.Event()

    def run(self):
        connection = psycopg2.connect(dbname=ENV.cr.dbname)
        connection.autocommit = True
        cursor, start = connection.cursor(), time.monotonic()
        while not self.stopped.wait(0.1):
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid != pg_backend_pid()"
            )
            self.connections = max(self.connections, cursor.fetchone()[0])
            cursor.execute(
                "SELECT count(*) FROM project_project WHERE database_last_synchro > now() at time zone 'utc' - "
                "interval '1 hour'"
            )
            if self.fresh is None and cursor.fetchone()[0] >= self.living:
                self.fresh = time.monotonic() - start
        connection.close()


def peak_memory():
    """Return the peak of this process's resident memory, in MB."""
    line = next(
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith("VmHWM")
    )
    return int(line.split()[1]) / 1024


def reset_peak():
    Path("/proc/self/clear_refs").write_text("5")


def url(kind, number):
    return f"http://{kind}{number}.localhost:{CLOSED if kind == 'refuse' else PORT}"


def make_fleet(start, count):
    """Create ``count`` databases, a tenth of each bad kind."""
    projects = ENV["project.project"].create(
        [
            {
                "name": f"Database {number}",
                "database_hosting": "premise",
                "database_url": url(KINDS[number % len(KINDS)], number),
                "database_name": f"db{number}",
                "database_api_login": "admin",
                "database_api_key": "key",
            }
            for number in range(start, start + count)
        ]
    )
    ENV.cr.commit()
    return projects


def run_cron():
    """Run the scheduled action as the scheduler does, until nothing is left; return seconds."""
    cron = ENV.ref("fleet_databases.ir_cron_synchronize")
    start = time.monotonic()
    while time.monotonic() - start < 600:
        if cron.method_direct_trigger() is not True:
            raise SystemExit("The scheduled action failed")
        ENV.cr.commit()
        ENV.invalidate_all()
        if not ENV["databases.run"].search_count([("state", "=", "running")]):
            return time.monotonic() - start
    raise SystemExit("The scheduled action does not come to an end")


def age(projects, errors_at_cutoff):
    """Make a day pass; the bad ones have failed often enough to be left alone."""
    ENV.cr.execute(
        """UPDATE project_project SET database_last_attempt = database_last_attempt - interval '25 hours',
                  database_last_synchro = database_last_synchro - interval '25 hours',
                  database_nb_synchro_errors = CASE WHEN database_error_code IS NULL THEN 0 ELSE %s END
            WHERE id = ANY(%s)""",
        [errors_at_cutoff, projects.ids],
    )
    ENV.cr.commit()
    ENV.invalidate_all()


reset_peak()
before = peak_memory()
fleet = make_fleet(0, COUNT)
sampler = Sampler(living=sum(1 for number in range(COUNT) if KINDS[number % len(KINDS)] == "ok"))
sampler.start()
first = run_cron()
sampler.stopped.set()
sampler.join()
peak = peak_memory()
states = dict(
    ENV["project.project"]._read_group([("id", "in", fleet.ids)], ["database_state"], ["__count"])
)
age(fleet, 5)
second = run_cron()

fleet.action_archive()
sample = make_fleet(COUNT, SAMPLE)
os.environ["FLEET_THREADS"] = "1"
sequential = run_cron() / SAMPLE * COUNT

print(
    json.dumps(
        {
            "databases": COUNT,
            "first_s": round(first, 1),
            "second_s": round(second, 1),
            "fresh_s": round(sampler.fresh, 1) if sampler.fresh else None,
            "extra_mb": round(peak - before),
            "pg_connections": sampler.connections,
            "sequential_ratio": round(sequential / first, 1),
            "sequential_s": round(sequential),
            "states": states,
        }
    )
)
