"""Measures how fast databases are made: bare PostgreSQL, ours, the pool, Odoo's own command.

ARGUMENTS: name of the database with the applications, number of rounds. Prints one line of JSON.
Run in the virtual environment with the addon, the tests and the scripts in ``PYTHONPATH``.
Every way is tried once in each round, so that a busy machine is the same for all of them, and
each round begins with another one.
Nothing is dropped before the last round: ext4 without a journal passes over every inode freed in
the last minutes one by one, which makes 0.3 seconds of ``CREATE DATABASE`` a whole second.
"""

from __future__ import annotations

import dataclasses
import json
import shutil
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from hosting import clone, files, http_check, runner
from hosting.engine import Plan
from hosting.kinds import KINDS
from hosting.names import hidden_name, template_name
from hosting.postgres import Mark
from hosting.routes import Routes
from making import create_request
from operations import HostingServer
from psycopg2 import sql
from support.odoo_fleet import services

from fleetdev import databases, odoo_run


class Provision:
    """One run of the benchmark on a hosting server of its own."""

    def __init__(self, server: HostingServer, source: str) -> None:
        self.server, self.host, self.number = server, server.host, 0
        self.made: list[tuple[str, bool]] = []
        self.plain = "fleet-bench-plain"
        self._plain_copy(source, self.plain, databases.filestore(source))
        self.template = self._publish()
        # The first page is measured on its own, so the pipeline ends where the customer is let in.
        whole = KINDS["create"]
        KINDS["create"] = dataclasses.replace(whole, plan=lambda _request: Plan(clone.STEPS[:-1]))

    def _publish(self) -> str:
        """Have our template made of it."""
        physical = template_name("bench")
        request = {
            "physical": physical,
            "number": 1,
            "uuid": str(uuid.uuid4()),
            "source": self.plain,
            "live": False,
            "modules": [],
            "assets": "all",
        }
        operation = self.server.submit("template_build", "template-bench", request)
        outcome = self.server.run(operation)
        assert outcome == "done", (self.server.error(operation), self.server.last_error)
        return physical

    def name(self) -> str:
        self.number += 1
        return f"fleet-bench-{self.number}"

    # --- the ways, each returning seconds

    def bare(self) -> float:
        name = hidden_name("bench")
        with self.host.cluster.cursor() as cr:
            begin = time.perf_counter()
            cr.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {} IS_TEMPLATE true").format(
                    sql.Identifier(name), sql.Identifier(self.template)
                )
            )
            spent = time.perf_counter() - begin
        self.made.append((name, False))
        return spent

    def clone(self) -> tuple[float, float]:
        """Return the seconds until published, and those of the first page with its assets."""
        name, spent = self._create(pool=False)
        return spent, self._first_page(name)

    def pool(self) -> float:
        self._fill()
        return self._create(pool=True)[1]

    def odoo_cli(self) -> float:
        name = self.name()
        command = odoo_run.command("duplicate", "-n", self.plain, name, subcommand="db")
        head = command.index("--config")
        configured = ["--config", str(self.server.configuration)]
        command = [*command[:head], *configured, *command[head + 2 :]]
        begin = time.perf_counter()
        subprocess.run(command, env=odoo_run.environment(), check=True, capture_output=True)
        spent = time.perf_counter() - begin
        self.made.append((name, True))
        return spent

    def plain_first_page(self) -> float:
        name = self.name()
        self._plain_copy(self.plain, name, self.host.filestore(self.plain))
        Routes(self.host.routes).put(self.host.host_name(name), name)
        return self._first_page(name)

    def drop_all(self) -> None:
        """Drop what the rounds made; Odoo's own copies carry no mark of ours."""
        for name, plain in self.made:
            self._drop_plain(name) if plain else self._drop(name)

    # --- parts

    def _create(self, *, pool: bool) -> tuple[str, float]:
        """Run the operation as a runner does; return the seconds from its claim until published."""
        name = self.name()
        operation = self.server.submit(
            "create", name, create_request(self.template, from_pool=pool)
        )
        begin = time.perf_counter()
        outcome = runner.run(self.host, operation)
        whole = time.perf_counter() - begin
        assert outcome == "done", self.server.error(operation)
        self.made.append((name, False))
        evidence = self.server.evidence(operation)
        assert evidence["copy"]["pooled"] is pool, evidence
        seconds = self.server.sql(
            "SELECT extract(epoch FROM s.ended - o.started) FROM saas_operation o "
            "JOIN saas_operation_step s ON s.operation_id = o.id "
            "WHERE o.id = %s AND s.name = 'publish'",
            operation,
        )
        return name, min(float(seconds[0][0]), whole)

    def _fill(self) -> None:
        request = {"source": self.template, "uuid": str(uuid.uuid4()), "purpose": "customer"}
        operation = self.server.submit("pool_fill", "bench", request)
        assert runner.run(self.host, operation) == "done", self.server.error(operation)

    def _first_page(self, name: str) -> float:
        time.sleep(0.3)  # the gate looks at the routes ten times a second
        begin = time.perf_counter()
        http_check.first_page(self.host.hosted_url, self.host.host_name(name), 120.0, assets=True)
        return time.perf_counter() - begin

    def _plain_copy(self, source: str, name: str, folder: Path) -> None:
        mark = Mark(self.host.server, "hosted", uuid=str(uuid.uuid4()))
        hidden = hidden_name("bench")
        self.host.cluster.clone(source, hidden, mark=mark)
        self.host.cluster.publish(hidden, name, mark=mark)
        files.copy_tree(folder, self.host.filestore(name))
        if source == self.plain:
            self.made.append((name, False))

    def _drop(self, name: str) -> None:
        Routes(self.host.routes).remove(self.host.host_name(name))
        self.host.cluster.drop(name, server=self.host.server)
        files.remove_tree(self.host.filestore(name))

    def _drop_plain(self, name: str) -> None:
        with self.host.cluster.cursor() as cr:
            cr.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
        shutil.rmtree(self.host.filestore(name), ignore_errors=True)


def measure(provision: Provision, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of every way in every round; one round before them counts nothing.

    Each round begins with another way, or one would always pay for what the one before it left
    in PostgreSQL's buffers.
    """
    found: dict[str, list[float]] = {}
    ways: list[Callable[[], dict[str, float]]] = [
        lambda: {"bare_s": provision.bare()},
        lambda: dict(zip(("clone_s", "first_page_s"), provision.clone(), strict=True)),
        lambda: {"pool_s": provision.pool()},
        lambda: {"odoo_cli_s": provision.odoo_cli()},
        lambda: {"plain_first_page_s": provision.plain_first_page()},
    ]
    for number in range(rounds + 1):
        first = number % len(ways)
        for way in ways[first:] + ways[:first]:
            for name, value in way().items():
                found.setdefault(name, []).append(value)
    return {name: values[1:] for name, values in found.items()}


def main() -> None:
    source, rounds = sys.argv[1], int(sys.argv[2])
    services()
    with HostingServer("bench") as server:
        server.serve()
        provision = Provision(server, source)
        found = measure(provision, rounds)
        provision.drop_all()
    median = {name: statistics.median(values) for name, values in found.items()}
    figures = {name: round(value, 4) for name, value in sorted(median.items())}
    figures |= {
        "clone_ratio": round(median["clone_s"] / median["bare_s"], 3),
        "odoo_cli_ratio": round(median["odoo_cli_s"] / median["clone_s"], 2),
        "first_page_ratio": round(median["first_page_s"] / median["plain_first_page_s"], 3),
        "rounds": rounds,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
