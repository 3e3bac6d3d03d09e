"""Run operations as the product does: stored in a server database, each by a process of its own.

with HostingServer("life") as server:
    server.host_database("acme")
    operation = server.submit("suspend", "acme", {"reason": "unpaid"})
    assert server.run(operation, "suspend.hide.before=kill") == "killed"
    assert server.run(operation) == "done"
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import shutil
import sys
import uuid
from collections.abc import Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import psycopg2
from support.marks import server_uuid

from fleetdev import cluster, databases, hosted, odoo_run, paths, postgres, restic
from fleetdev.server import Server

# A fork has everything imported: a new Python needs longer for that than for most operations.
FORK = multiprocessing.get_context("fork")
LOAD = "--load=base,rpc,web,fleet_saas_server"
RUN_S = 600


class HostingServer:
    """A copy of the server database with a folder of its own; what it hosts goes with it.

    ``FLEET_TEST_SERVER_TEMPLATE`` names another database to copy, while somebody changes the addon.

    :param name: part of the server database's name, unique among tests that run at the same time
    """

    def __init__(self, name: str) -> None:
        self.name = f"test_{name}_{os.getpid()}"
        self.database = f"{postgres.prefix()}{self.name}"
        self.folder = paths.RUN / "hosting" / self.name
        self.port = odoo_run.free_port()
        self.configuration = self.folder / "odoo.conf"
        self.process = Server(self.name, self.port, self.folder / "odoo.log", self.configuration)
        self.uuid = server_uuid()
        self.last_error = ""
        self.limits: Any = None  # `hosting.host.Limits`; None for the usual ones
        self.more_addons: list[str] = []  # folders of addons besides those of the tree

    @property
    def host(self) -> Any:
        """Return the machine as the package ``hosting`` wants it."""
        from hosting.host import Host, Limits
        from hosting.postgres import Cluster

        names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
        dsn = {key: os.environ[name] for key, name in names.items() if os.environ.get(name)}
        addons = [*odoo_run.addons_path().split(","), *_package_addons(), *self.more_addons]
        return Host(
            cluster=Cluster(dsn),
            server=self.uuid,
            server_database=self.database,
            data_dir=self.folder,
            addons_path=tuple(dict.fromkeys(addons)),
            domain="hosted.example",
            hosted_url=f"http://127.0.0.1:{self.port}",
            public_url="https://%s.hosted.example",
            odoo=(sys.executable, "-m", "odoo"),
            odoo_config=str(self.configuration),
            pg_bin=str(cluster.binaries()) if os.environ.get("FLEET_PG_PRIVATE") else "",
            restic=str(restic.known() or "restic"),
            restore_role=os.environ.get("FLEET_RESTORE_ROLE", ""),
            limits=self.limits or Limits(),
        )

    def __enter__(self) -> HostingServer:
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "filestore").mkdir(parents=True)
        odoo_run.write_configuration(self.configuration, self.folder)
        template = os.environ.get("FLEET_TEST_SERVER_TEMPLATE") or databases.template("server")
        postgres.copy(template, self.database)
        return self

    def __exit__(self, *_error: object) -> None:
        self.process.stop()
        hosted.drop_server(self.uuid)
        postgres.drop(self.database)
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- operations

    def submit(
        self,
        kind: str,
        target: str,
        request: dict[str, Any] | None = None,
        *,
        sources: tuple[str, ...] = (),
        deadline_s: int | None = None,
    ) -> int:
        """Store an operation with its steps, as ``saas.operation`` does; return its number.

        :param request: what the ORM's hook would have made of the arguments; arguments that are
            not in it have their defaults
        """
        from hosting.kinds import KINDS

        defaults = {name: rule.default for name, rule in KINDS[kind].arguments.items()}
        request = defaults | (request or {})
        plan = KINDS[kind].plan(request)
        key = f"test-{uuid.uuid4()}"
        with self._cursor() as cr:
            cr.execute(
                "INSERT INTO saas_operation (kind, target, key, request, sources, state, "
                "deadline_s, create_date) VALUES (%s, %s, %s, %s, %s, 'queued', %s, "
                "now() AT TIME ZONE 'utc') RETURNING id",
                [
                    kind,
                    target,
                    key,
                    json.dumps(request),
                    json.dumps(list(sources)),
                    deadline_s or plan.deadline_s,
                ],
            )
            [operation] = cr.fetchone()
            cr.executemany(
                "INSERT INTO saas_operation_step (operation_id, sequence, name, state) "
                "VALUES (%s, %s, %s, 'pending')",
                [[operation, number, step.name] for number, step in enumerate(plan.steps)],
            )
        return operation

    def start(
        self, operation: int, failpoints: str = "", secrets: dict[str, str] | None = None
    ) -> BaseProcess:
        """Start a process that runs a stored operation; `finish` waits for it."""
        import operation_child

        environment = odoo_run.environment(
            FLEET_TEST_FAILPOINTS_ALLOWED="1", FLEET_FAILPOINTS=failpoints
        )
        told = self.folder / f"run-{uuid.uuid4()}"
        child = FORK.Process(
            target=operation_child.run,
            args=(self.host, operation, secrets or {}, environment, told),
            name=str(told),
        )
        child.start()
        return child

    def finish(self, child: BaseProcess) -> str:
        """Return the outcome of a started run: as ``hosting.runner.run`` says it, or ``killed``."""
        child.join(RUN_S)
        told = Path(child.name)
        self.last_error = told.with_suffix(".log").read_text()
        assert child.exitcode is not None, f"still running after {RUN_S} s: {self.last_error}"
        if child.exitcode < 0:
            return "killed"
        assert child.exitcode == 0, self.last_error
        return told.read_text()

    def run(
        self, operation: int, failpoints: str = "", secrets: dict[str, str] | None = None
    ) -> str:
        """Run a stored operation in a process of its own; an earlier delay does not count."""
        self.sql("UPDATE saas_operation SET next_try = NULL WHERE id = %s", operation)
        return self.finish(self.start(operation, failpoints, secrets))

    def do(self, kind: str, target: str, request: dict[str, Any] | None = None) -> dict[str, dict]:
        """Store and run an operation that must succeed; return its evidence by step."""
        operation = self.submit(kind, target, request)
        assert self.run(operation) == "done", (self.error(operation), self.last_error)
        return self.evidence(operation)

    def state(self, operation: int) -> str:
        """Return an operation's state."""
        return self.sql("SELECT state FROM saas_operation WHERE id = %s", operation)[0][0]

    def error(self, operation: int) -> tuple[str | None, str | None]:
        """Return an operation's error: code and sentence."""
        return self.sql(
            "SELECT error_code, error_message FROM saas_operation WHERE id = %s", operation
        )[0]

    def steps(self, operation: int) -> dict[str, str]:
        """Return the state of each step, in order."""
        return dict(
            self.sql(
                "SELECT name, state FROM saas_operation_step WHERE operation_id = %s "
                "ORDER BY sequence",
                operation,
            )
        )

    def evidence(self, operation: int) -> dict[str, dict]:
        """Return what each step left."""
        rows = self.sql(
            "SELECT name, evidence FROM saas_operation_step WHERE operation_id = %s", operation
        )
        return {name: evidence or {} for name, evidence in rows}

    # --- databases

    def host_database(self, name: str, template: str = "tiny") -> str:
        """Make a hosted database with files and route from a template of the tests; return its uuid."""
        from hosting import files
        from hosting.names import hidden_name
        from hosting.postgres import Mark
        from hosting.routes import Routes

        source = databases.template(template)
        identity = str(uuid.uuid4())
        host, hidden = self.host, hidden_name("test")
        mark = Mark(self.uuid, "hosted", uuid=identity)
        host.cluster.clone(source, hidden, mark=mark)
        files.copy_tree(databases.filestore(source), host.filestore(name))
        self.sql_in(
            hidden,
            "UPDATE ir_config_parameter SET value = %s WHERE key = 'database.uuid'",
            identity,
        )
        host.cluster.publish(hidden, name, mark=mark)
        Routes(host.routes).put(host.host_name(name), name)
        return identity

    def databases(self) -> dict[str, Any]:
        """Return the facts of every database that this server made, by its name in PostgreSQL."""
        return {
            facts.name: facts
            for facts in self.host.cluster.all_facts(sizes=False)
            if facts.mark and facts.mark.server == self.uuid
        }

    def folders(self) -> set[str]:
        """Return the names of the folders of files."""
        return {path.name for path in (self.folder / "filestore").iterdir()}

    def sql(self, query: str, *values: Any) -> list[tuple]:
        """Run SQL in the server database; return its rows."""
        return self.sql_in(self.database, query, *values)

    def sql_in(self, database: str, query: str, *values: Any) -> list[tuple]:
        """Run SQL in a database; return its rows."""
        with self._cursor(database) as cr:
            cr.execute(query, values or None)
            return cr.fetchall() if cr.description else []

    @contextlib.contextmanager
    def _cursor(self, database: str = "") -> Iterator[Any]:
        """Give a cursor in one transaction, on the server database if no other is named."""
        connection = psycopg2.connect(dbname=database or self.database)
        try:
            with connection, connection.cursor() as cr:
                yield cr
        finally:
            connection.close()

    # --- serving

    def serve(self, *options: str) -> None:
        """Start the Odoo process that serves the hosted databases behind the gate."""
        self.process.start(LOAD, "--max-cron-threads=1", *options)
        self.process.wait(host="unknown.hosted.example", any_status=True)


def _package_addons() -> list[str]:
    """Return the folders of addons inside the package odoo: Odoo's own, and those from pip."""
    import importlib.util

    locations = importlib.util.find_spec("odoo").submodule_search_locations
    return [str(Path(location) / "addons") for location in locations]
