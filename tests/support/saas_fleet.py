"""A SaaS portal and the hosting servers that it sells, as real processes.

with SaasFleet("orders") as saas:
    instance = saas.create("acme", plan="starter")
    saas.wait_state(instance, "active")
"""

from __future__ import annotations

import contextlib
import functools
import time
from typing import Any

from fleetdev import postgres

from .hosting_fleet import DOMAIN, HostingFleet
from .hosting_templates import publish, settle
from .odoo_fleet import OdooFleet
from .own_hosting import OwnHosting

POLL_S = 0.1
TEMPLATE = "tiny-odoo"


class _Portal(OdooFleet):
    """The portal, in which Odoo's own scheduled actions rest: a stop would interrupt them."""

    crons: tuple[str, ...] = ()

    def start(self) -> None:
        awake = ["SaaS:%", *self.crons]
        with postgres.cursor(self.database("portal")) as cursor:
            cursor.execute("UPDATE ir_cron SET active = cron_name LIKE ANY(%s)", [awake])
        super().start()


class SaasFleet:
    """One portal, and hosting servers by label with a template that is ready on each.

    :param name: part of the databases' names, unique among tests that run at the same time
    :param servers: labels of the hosting servers
    :param allowed: patterns of the warnings that the test provokes, in every log
    :param source: the template (see ``fleetdev.databases.TEMPLATES``) that customers get
    :param apart: each hosting server has a PostgreSQL of its own
    :param crons: patterns of the portal's scheduled actions that run besides its own
    """

    def __init__(
        self,
        name: str,
        *,
        servers: tuple[str, ...] = ("one",),
        allowed: tuple[str, ...] = (),
        source: str = "tiny",
        apart: bool = False,
        crons: tuple[str, ...] = (),
    ) -> None:
        self.source = source
        make = functools.partial(OwnHosting, bring=(source,)) if apart else HostingFleet
        self._make = functools.partial(make, allowed=allowed)
        self.name = name
        self.servers = {label: self._make(f"{name}_{label}") for label in servers}
        self.portal = _Portal(
            name,
            allowed=allowed,
            options=("--max-cron-threads=2",),
            portal="saas",
        )
        self.portal.crons = crons
        self.records: dict[str, int] = {}
        self.key, self.template = "", 0
        self._stack = self._later = contextlib.ExitStack()

    def __enter__(self) -> SaasFleet:
        with contextlib.ExitStack() as stack:
            for server in self.servers.values():
                self._start(stack, server)
            # Servers stop after the portal, which would miss them.
            self._later = stack.enter_context(contextlib.ExitStack())
            stack.enter_context(self.portal)
            self.key = self.portal.api_keys("portal")["portal"]
            template = {"name": "Tiny", "code": TEMPLATE}
            [self.template] = self.call("saas.template", "create", vals_list=[template])
            for label in self.servers:
                self.records[label] = self._register(label)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def _start(self, stack: contextlib.ExitStack, server: HostingFleet) -> None:
        stack.enter_context(server)
        settle(server)
        with server.reached():
            publish(server, TEMPLATE, server.template(self.source))

    def add_server(self, label: str, **environment: str) -> int:
        """Start one more hosting server, with the template, and return its record in the portal."""
        self.servers[label] = self._make(f"{self.name}_{label}", environment=environment)
        self._start(self._later, self.servers[label])
        self.records[label] = self._register(label)
        return self.records[label]

    def _register(self, label: str) -> int:
        server = self.servers[label]
        values = {
            "name": label.title(),
            "url": f"http://{DOMAIN}:{server.control.port}",
            "database": server.database,
            "api_key": server.keys["agent"],
        }
        [record] = self.call("saas.server", "create", vals_list=[values])
        line = {"template_id": self.template, "server_id": record}
        self.call("saas.template.server", "create", vals_list=[line])
        self.call("saas.server", "action_synchronize", ids=[record])
        return record

    # --- the portal

    def call(self, model: str, method: str, **arguments: Any) -> Any:
        """Call a public method of the portal as its administrator."""
        return self.portal.call("portal", self.key, model, method, **arguments)

    def read(self, model: str, record: int, *fields: str) -> dict[str, Any]:
        """Return fields of one record of the portal."""
        return self.call(model, "read", ids=[record], fields=list(fields))[0]

    def create(self, name: str, **values: Any) -> int:
        """Record an instance and have it created; return its id."""
        values = {"name": name, "template_id": self.template, "purpose": "trial"} | values
        [instance] = self.call("saas.instance", "create", vals_list=[values])
        self.call("saas.instance", "action_create", ids=[instance])
        return instance

    def wait_state(self, instance: int, *states: str, timeout: float = 90) -> dict[str, Any]:
        """Wait until an instance is in one of ``states`` with nothing under way."""
        end = time.monotonic() + timeout
        fields = ("state", "problem", "url", "uuid", "request_id", "server_id", "project_id")
        while True:
            found = self.read("saas.instance", instance, *fields)
            if found["state"] in states and not found["request_id"]:
                return found
            assert time.monotonic() < end, f"after {timeout} s it is still {found}"
            time.sleep(POLL_S)

    def rows(self, query: str, *values: Any) -> list[tuple]:
        """Return what a query finds in the portal's database."""
        with postgres.cursor(self.portal.database("portal")) as cursor:
            cursor.execute(query, values)
            return cursor.fetchall()
