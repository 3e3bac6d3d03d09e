"""A real hosting server for tests: its database, a control process, a hosted process.

with HostingFleet("smoke") as fleet:
    done = fleet.run("database.create", "acme", {"template": "blank"})
    assert fleet.get("acme", "/web/login").status_code == 200
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg2
import requests
from psycopg2.extensions import ISOLATION_LEVEL_AUTOCOMMIT

from fleetdev import databases, hosted, odoo_log, odoo_run, paths, postgres, restic
from fleetdev.server import Server

from . import api_keys
from .marks import server_uuid
from .odoo_fleet import RIVALS, json2, services

IDENTITY = "UPDATE ir_config_parameter SET value = %s WHERE key = 'database.uuid'"
# An operation that needs a hosted database for itself closes the connections to it.
ENDED_BY_US = (
    r"terminating connection due to administrator|server closed the connection unexpectedly"
    r"|(cursor|connection) already closed"
)
DOMAIN = "localhost"
ENDED = ("done", "failed", "cancelled")
POLL_S = 0.05
RUNNER_S = 60
# The advisory lock of queue_job's runner on the database it watches (jobrunner/runner.py).
RUNNER_LOCK = 2293787760715711918


class OdooProcess:
    """One of a fleet's Odoo processes; it can be killed and started again, with the same log."""

    def __init__(
        self, server: Server, options: tuple[str, ...], environment: dict, any_status: bool
    ) -> None:
        self.server = server
        self.port = server.port
        self.log = server.log
        self._options = options
        self._environment = environment
        self._any_status = any_status

    def start(self, *options: str, **environment: str | None) -> None:
        """Start it and wait for its first page.

        :param options: more options, for this start only
        :param environment: more variables, for this start only; None removes one
        """
        self.server.start(*self._options, *options, **(self._environment | environment))
        self.server.wait(host=DOMAIN, any_status=self._any_status)

    def stop(self) -> None:
        """Stop it in order."""
        self.server.stop()

    def kill(self) -> None:
        """Kill it and those that it started."""
        self.server.kill()

    def wait_end(self, timeout: float = 60) -> None:
        """Wait until it has ended by itself, as a failpoint makes it."""
        end = time.monotonic() + timeout
        while self.server.pid() is not None:
            assert time.monotonic() < end, f"it still runs after {timeout} s"
            time.sleep(POLL_S)

    def restart(self, *options: str, **environment: str | None) -> None:
        """Stop it and start it again."""
        self.stop()
        self.start(*options, **environment)


class HostingFleet:
    """A hosting server on this machine, with everything of its own: database, files, processes.

    Leaving the block stops the processes, drops the server database and every database that the
    server made, removes the files, and fails on a warning in the logs that is not in ``allowed``.

    :param name: part of the server database's name, unique among tests that run at the same time
    :param allowed: patterns of the warnings that the test provokes
    :param environment: more environment of both processes; None removes a variable
    :param options: more options of the control process
    :param hosted_options: more options of the hosted process
    :param hosted: False leaves the hosted process out
    :param template: the template of the server database (see ``fleetdev.databases.TEMPLATES``)
    """

    def __init__(
        self,
        name: str,
        *,
        allowed: tuple[str, ...] = (),
        environment: dict[str, str | None] | None = None,
        options: tuple[str, ...] = (),
        hosted_options: tuple[str, ...] = (),
        hosted: bool = True,
        template: str = "server_users",
    ) -> None:
        services()
        restic.ensure()
        self.name = f"test_{name}_{os.getpid()}"
        self.database = f"{postgres.prefix()}{self.name}_server"
        self.uuid = server_uuid()
        self.folder = paths.RUN / "fleets" / self.name
        self.data_dir = self.folder / "data"
        self.keys: dict[str, str] = {}
        self._allowed = (*allowed, RIVALS)
        self._template = template
        self._with_hosted = hosted
        ports = odoo_run.free_port(), odoo_run.free_port()
        self._environment = self._settings(*ports) | (environment or {})
        control = ("-d", self.database, "--db-filter", f"^{self.database}$")
        control += ("--load=base,rpc,web,queue_job", "--max-cron-threads=1", *options)
        serving = ("--load=base,rpc,web,fleet_saas_server", "--max-cron-threads=1", *hosted_options)
        self.control = self._process("control", ports[0], control)
        self.hosted = self._process("hosted", ports[1], serving)

    def _settings(self, control_port: int, hosted_port: int) -> dict[str, str | None]:
        return {
            "FLEET_DOMAIN": DOMAIN,
            "FLEET_HOSTED_URL": f"http://127.0.0.1:{hosted_port}",
            "FLEET_PUBLIC_URL": f"http://%s.{DOMAIN}:{hosted_port}",
            "FLEET_BACKUP_DIR": str(self.folder / "backups"),
            "ODOO_QUEUE_JOB_CHANNELS": "root:4,root.hosting_slow:3",
            "ODOO_QUEUE_JOB_HOST": "127.0.0.1",
            "ODOO_QUEUE_JOB_PORT": str(control_port),
            # Without it a crowd of requests has more threads than Odoo has connections.
            "ODOO_MAX_HTTP_THREADS": "auto",
        }

    def _process(self, part: str, port: int, options: tuple[str, ...]) -> OdooProcess:
        name = f"{self.name}_{part}"
        server = Server(name, port, paths.LOG / f"{name}.log", self._configuration, keep_log=True)
        # The gate has no database for the plain domain: any page of it will do.
        return OdooProcess(server, options, self._environment, any_status=part == "hosted")

    @property
    def _configuration(self) -> Path:
        return self.folder / "odoo.conf"

    def __enter__(self) -> HostingFleet:
        try:
            self._make()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        self.close()
        if kind is None:
            assert not (found := self.warnings()), "\n".join(found)

    def _make(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.data_dir.mkdir(parents=True)
        odoo_run.write_configuration(self._configuration, self.data_dir)
        databases.copy(self.template(self._template), self.database, self.data_dir)
        with self.psql() as cursor:
            cursor.execute(IDENTITY, [self.uuid])
            assert cursor.rowcount == 1
            # Odoo's own scheduled actions are due at once; what a stop interrupts is in the log.
            cursor.execute("UPDATE ir_cron SET active = false WHERE cron_name NOT LIKE 'Hosting:%'")
            self.keys = api_keys.give(cursor, "admin", "agent", "outsider")

    # --- the processes

    def start(self, *, runner: bool = True) -> None:
        """Start both processes.

        :param runner: wait for queue_job's runner, which looks after work only from then on
        """
        if self._with_hosted:
            self.hosted.start()
        self.control.start()
        if runner:
            self.wait_runner()

    def stop(self) -> None:
        """Stop both processes; the databases stay."""
        self.control.stop()
        self.hosted.stop()

    def wait_runner(self) -> None:
        """Wait until queue_job's runner watches the server database, about 5 s after a start."""
        end = time.monotonic() + RUNNER_S
        query = """
            SELECT 1 FROM pg_locks l JOIN pg_database d ON d.oid = l.database
             WHERE l.locktype = 'advisory' AND d.datname = current_database()
               AND (l.classid::bigint << 32) + l.objid::bigint = %s"""
        while time.monotonic() < end:
            if self.rows(query, RUNNER_LOCK):
                return
            time.sleep(POLL_S)
        raise AssertionError(f"queue_job's runner did not start; see {self.control.log}")

    def wait_cron(self) -> None:
        """Wait until the control process listens for scheduled actions that are due at once.

        One that was triggered before waits up to a minute (``cron_thread`` in odoo/service/server.py).
        """
        query = """
            SELECT 1 FROM pg_stat_activity
             WHERE datname = 'postgres' AND application_name = %s AND query = 'COMMIT'"""
        end = time.monotonic() + RUNNER_S
        while not self.rows(query, f"odoo-{self.control.server.pid()}"):
            assert time.monotonic() < end, f"no cron thread; see {self.control.log}"
            time.sleep(POLL_S)

    def wake_cron(self) -> None:
        """Have the control process look at its scheduled actions now, and not within two minutes."""
        self.rows("SELECT pg_notify('cron_trigger', %s)", self.database, database="postgres")

    def close(self) -> None:
        """Stop the processes and remove everything that this fleet made."""
        self.stop()
        hosted.drop_server(self.uuid)
        postgres.drop(self.database)
        shutil.rmtree(self.folder, ignore_errors=True)

    def warnings(self) -> list[str]:
        """Return the lines of the logs that no test expects."""
        found = []
        for process, more in ((self.control, ()), (self.hosted, (ENDED_BY_US,))):
            if process.log.exists():
                text = process.log.read_text(errors="replace")
                found += odoo_log.unexpected(text, (*self._allowed, *more))
        return found

    # --- asking the server, over its contract

    def call(
        self, method: str, *, model: str = "saas.host", user: str = "agent", **arguments: Any
    ) -> requests.Response:
        """Ask the server by JSON-2 and return any answer.

        :param user: whose API key: ``agent``, ``admin`` or ``outsider``
        """
        return json2(
            self.control.port, DOMAIN, self.database, self.keys[user], model, method, arguments
        )

    def submit(
        self, kind: str, target: str, arguments: dict | None = None, key: str | None = None
    ) -> str:
        """Ask for an operation and return its key; a refusal raises with the server's words."""
        key = key or f"test:{secrets.token_hex(16)}"
        _answer(self.call("submit", kind=kind, target=target, key=key, arguments=arguments or {}))
        return key

    def status(self, *keys: str) -> dict[str, dict[str, Any] | None]:
        """Return the status of operations by key."""
        return _answer(self.call("status", keys=list(keys)))

    def wait(self, key: str, timeout: float = 120) -> dict[str, Any]:
        """Wait until an operation has ended and return its status."""
        end = time.monotonic() + timeout
        # Asked in the database: the server's own answers would take a part of its two cores.
        with self.psql() as cursor:
            while not _is_ended(cursor, key):
                assert time.monotonic() < end, f"after {timeout} s it is still {self.status(key)}"
                time.sleep(POLL_S)
        return self.status(key)[key]

    def run(
        self, kind: str, target: str, arguments: dict | None = None, timeout: float = 120
    ) -> dict[str, Any]:
        """Have an operation done and return its status; it must end well."""
        status = self.wait(self.submit(kind, target, arguments), timeout)
        assert status["state"] == "done", status
        return status

    # --- the hosted databases

    def hosted_url(self, name: str) -> str:
        """Return the address of a hosted database."""
        return f"http://{name}.{DOMAIN}:{self.hosted.port}"

    def get(self, name: str, path: str = "/web/login", **options: Any) -> requests.Response:
        """Fetch a page of a hosted database as a stranger does, without following redirects."""
        return requests.get(
            f"http://127.0.0.1:{self.hosted.port}{path}",
            headers={"Host": f"{name}.{DOMAIN}:{self.hosted.port}"},
            **({"timeout": 120, "allow_redirects": False} | options),
        )

    # --- looking inside

    def reached(self) -> contextlib.AbstractContextManager[None]:
        """Have the ``PG*`` variables lead to this server's PostgreSQL: they always do here."""
        return contextlib.nullcontext()

    def template(self, name: str) -> str:
        """Return the name of a template of the tests in this server's PostgreSQL."""
        return databases.template(name)

    @contextlib.contextmanager
    def psql(self, database: str | None = None) -> Iterator[Any]:
        """Give a cursor in autocommit mode on a database (the server's own by default)."""
        connection = psycopg2.connect(dbname=database or self.database)
        connection.set_isolation_level(ISOLATION_LEVEL_AUTOCOMMIT)
        try:
            with connection.cursor() as cursor:
                yield cursor
        finally:
            connection.close()

    def rows(self, query: str, *values: Any, database: str | None = None) -> list[tuple]:
        """Return what a query finds in a database (the server's own by default)."""
        with self.psql(database) as cursor:
            cursor.execute(query, values)
            return cursor.fetchall()

    def made(self) -> list[str]:
        """Return the names of all databases that carry this server's mark."""
        return sorted(name for name, server in hosted.marks().items() if server == self.uuid)

    def filestore(self, database: str) -> Path:
        """Return the folder of a database's files."""
        return databases.filestore(database, self.data_dir)

    def script(self, text: str, *arguments: str, database: str | None = None) -> str:
        """Run Python in ``odoo shell`` on a database; it sees ``env`` and commits by itself."""
        return odoo_run.script(
            database or self.database,
            text,
            log=paths.LOG / f"{self.name}-script.log",
            what="script of a test",
            arguments=arguments,
            configuration=self._configuration,
        )


def _is_ended(cursor: Any, key: str) -> bool:
    # Only with its records written has it ended for whoever asks by the contract.
    query = "SELECT 1 FROM saas_operation WHERE key = %s AND state = ANY(%s) AND applied"
    cursor.execute(query, [key, list(ENDED)])
    return bool(cursor.rowcount)


def _answer(response: requests.Response) -> Any:
    if not response.ok:
        words = response.json().get("message") if "json" in response.headers["Content-Type"] else ""
        raise requests.HTTPError(f"{response.status_code}: {words}", response=response)
    return response.json()
