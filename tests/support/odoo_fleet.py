"""Real Odoo for tests: databases copied from cached templates, served by one process.

with OdooFleet("sync", portal="portal", alpine="client_account") as fleet:
    key = fleet.api_keys("alpine")["alpine"]
    fleet.call("alpine", key, "res.users", "search_count", domain=[])
"""

from __future__ import annotations

import os
import socket
from typing import Any

import odooly
import requests

from fleetdev import databases, odoo_log, odoo_run, paths, postgres, setup
from fleetdev.server import Server

from . import api_keys

# Asking one database by XML-RPC is what some tests are about.
XMLRPC_IS_OLD = r"The /xmlrpc, /xmlrpc/2 and /jsonrpc endpoints are deprecated"
# Of two transactions that meet Odoo runs one once more, and logs it first
# (PG_CONCURRENCY_EXCEPTIONS_TO_RETRY in odoo/service/model.py).
RIVALS = (
    r"could not serialize access due to concurrent (update|delete)|could not obtain lock on"
    r"|deadlock detected"
)


def services() -> None:
    """Have PostgreSQL and Odoo's configuration, also when pytest was started by hand."""
    os.environ.setdefault(setup.INSIDE, str(paths.VENV))
    setup.services()


def resolve_localhost_names() -> None:
    """Let this process find ``alpine.localhost``: plain glibc knows ``localhost`` alone."""
    original = socket.getaddrinfo

    def getaddrinfo(host: Any, *rest: Any, **options: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name and name.endswith(".localhost"):
            host = "127.0.0.1"
        return original(host, *rest, **options)

    if original.__name__ != getaddrinfo.__name__ or original.__module__ != __name__:
        socket.getaddrinfo = getaddrinfo


def json2(
    port: int, host: str, database: str, key: str, model: str, method: str, arguments: dict
) -> requests.Response:
    """Ask for a method by JSON-2 with a client that is not ours; any answer is returned."""
    return requests.post(
        f"http://127.0.0.1:{port}/json/2/{model}/{method}",
        json=arguments,
        headers={
            "Host": f"{host}:{port}",
            "Authorization": f"bearer {key}",
            "X-Odoo-Database": database,
        },
        timeout=60,
    )


class OdooFleet:
    """Databases by label, each at ``http://LABEL.localhost:PORT`` of one Odoo process.

    Leaving the block stops the process, drops the databases, and fails on a warning in the log
    that is not in ``allowed``.

    :param name: part of the databases' names, unique among tests that run at the same time
    :param allowed: patterns of the warnings that the test provokes
    :param environment: more environment of the process; None removes a variable
    :param templates: the template (see ``fleetdev.databases.TEMPLATES``) of each label
    """

    def __init__(
        self,
        name: str,
        *,
        allowed: tuple[str, ...] = (XMLRPC_IS_OLD,),
        environment: dict[str, str | None] | None = None,
        options: tuple[str, ...] = (),
        **templates: str,
    ) -> None:
        services()
        self.name = f"test_{name}_{os.getpid()}"
        self.templates = templates
        self.port = odoo_run.free_port()
        self.log = paths.LOG / f"{self.name}.log"
        self.server = Server(self.name, self.port, self.log)
        self._allowed = (*allowed, RIVALS)
        self._environment = environment or {}
        self._options = options

    def __enter__(self) -> OdooFleet:
        try:
            for label, template in self.templates.items():
                databases.copy(databases.template(template), self.database(label))
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_rest: object) -> None:
        self.close()
        if kind is None:
            assert not (found := self.warnings()), "\n".join(found)

    def start(self) -> None:
        """Start the process, or start it again after `stop`."""
        served = ",".join(self.database(label) for label in self.templates)
        db_filter = f"^{postgres.prefix()}{self.name}_%d$"
        options = ("-d", served, "--db-filter", db_filter, *self._options)
        self.server.start(*options, **self._environment)
        self.server.wait(host=f"{next(iter(self.templates))}.localhost")

    def stop(self) -> None:
        """Stop the process; the databases stay."""
        self.server.stop()

    def close(self) -> None:
        """Stop the process and drop the databases."""
        self.stop()
        for label in self.templates:
            databases.drop(self.database(label))

    def warnings(self) -> list[str]:
        """Return the lines of the log that no test expects."""
        return odoo_log.unexpected(self.log.read_text(errors="replace"), self._allowed)

    def database(self, label: str) -> str:
        """Return the name of a database in PostgreSQL."""
        return f"{postgres.prefix()}{self.name}_{label}"

    def url(self, label: str) -> str:
        """Return the address that selects a database by its host name."""
        return f"http://{label}.localhost:{self.port}"

    def script(self, label: str, text: str, *arguments: str) -> str:
        """Run Python in ``odoo shell`` on a database; it sees ``env`` and commits by itself."""
        log = paths.LOG / f"{self.name}-script.log"
        return odoo_run.script(
            self.database(label), text, log=log, what="script of a test", arguments=arguments
        )

    def api_keys(self, *labels: str, login: str = "admin") -> dict[str, str]:
        """Make an API key in each of the databases, by label."""
        keys = {}
        for label in labels:
            with postgres.cursor(self.database(label)) as cursor:
                keys[label] = api_keys.give(cursor, login)[login]
        return keys

    def call(self, label: str, key: str, model: str, method: str, **arguments: Any) -> Any:
        """Call a method by JSON-2 with a client that is not ours; an error answer raises."""
        answer = self.ask(label, key, model, method, **arguments)
        answer.raise_for_status()
        return answer.json()

    def ask(
        self, label: str, key: str, model: str, method: str, **arguments: Any
    ) -> requests.Response:
        """Call a method like `call`, and return any answer."""
        host = f"{label}.localhost"
        return json2(self.port, host, self.database(label), key, model, method, arguments)

    def odooly(self, label: str, key: str, login: str = "admin") -> odooly.Client:
        """Return odooly's client of a database; it speaks JSON-2."""
        resolve_localhost_names()
        # odooly asks for the list of databases first, which this server does not give.
        self._allowed += (r"odoo\.http: Access Denied",)
        return odooly.Client(self.url(label), self.database(label), login, api_key=key)
