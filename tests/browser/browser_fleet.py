"""The fleet that the browser tests look at: a portal and client databases of real Odoo, over HTTP."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2

from fleetdev import demo_sync, odoo_run, paths
from fleetdev.demo_fleet import CLIENTS
from fleetdev.demo_portal import PortalFleet

# Dune has a wrong key. Grove is not entered in the portal: a test does that by hand.
LABELS = ("alpine", "birch", "dune", "grove")
BY_HAND = "grove"


class BrowserFleet(PortalFleet):
    """A portal and a few clients on a port of its own."""

    def __init__(self) -> None:
        clients = [client for client in CLIENTS if client["label"] in LABELS]
        super().__init__(f"browser_{os.getpid()}", odoo_run.free_port(), clients)
        self.by_hand: dict[str, Any] = {}

    def start(self) -> None:
        self.run()
        self.portal = demo_sync.Portal(self)
        # Its greeting would open a chat window over the first screen of each user.
        users = self.portal.call("res.users", "search", [])
        self.portal.call("res.users", "write", users, {"odoobot_state": "disabled"})

    def projects(self, keys: dict[str, str]) -> list[dict[str, Any]]:
        projects = super().projects(keys)
        self.by_hand = next(
            values for values in projects if values["database_url"] == self.url(BY_HAND)
        )
        return [values for values in projects if values is not self.by_hand]

    def stop_at_once(self) -> None:
        """Stop the server; a first signal makes Odoo wait for what it still has open."""
        if pid := self.server.pid():
            os.kill(pid, signal.SIGTERM)
            time.sleep(0.5)
        self.stop()
        (paths.RUN / f"{self.name}.lock").unlink(missing_ok=True)

    def project(self, name: str) -> int:
        """Return the id of the database of this name in the portal."""
        [found] = self.portal.call(
            "project.project", "search", [["name", "=", name], ["database_hosting", "!=", False]]
        )
        return found

    def add_user(self, name: str, login: str, group: str) -> None:
        """Add a user to the portal whose password is the login."""
        is_group = [["module", "=", "fleet_databases"], ["name", "=", group]]
        [row] = self.portal.call("ir.model.data", "search_read", is_group, ["res_id"])
        values = {"name": name, "login": login, "email": login, "password": login}
        values |= {"group_ids": [[4, row["res_id"]]], "odoobot_state": "disabled"}
        self.portal.call("res.users", "create", [values], context={"no_reset_password": True})

    @contextmanager
    def temporary_databases(self, projects: list[dict[str, Any]]) -> Iterator[list[int]]:
        """Enter databases in the portal for one test."""
        ids = self.portal.call("project.project", "create", projects)
        try:
            yield ids
        finally:
            self.portal.call("project.project", "unlink", ids)

    @contextmanager
    def removed_afterwards(self, name: str) -> Iterator[None]:
        """Take a database out of the portal again that a test has entered on the screen."""
        try:
            yield
        finally:
            self.portal.call("project.project", "unlink", [self.project(name)])

    def account(self, label: str, login: str) -> bool | None:
        """Tell whether ``login`` is active in a client's database; None when it is not there at all."""
        connection = psycopg2.connect(dbname=self.database(label), connect_timeout=10)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute("SELECT active FROM res_users WHERE login = %s", [login])
                row = cursor.fetchone()
                return row and row[0]
        finally:
            connection.close()

    def mails(self, label: str) -> int:
        """Return how many mails a client's database has queued or sent."""
        connection = psycopg2.connect(dbname=self.database(label), connect_timeout=10)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute("SELECT count(*) FROM mail_mail")
                return cursor.fetchone()[0]
        finally:
            connection.close()

    def wait_until_idle(self, seconds: float = 30) -> None:
        """Wait until no run is under way, so that one test does not disturb the next."""
        end = time.monotonic() + seconds
        while self.portal.call("databases.run", "search_count", [["state", "=", "running"]]):
            if time.monotonic() > end:
                raise TimeoutError("A run is still under way")
            time.sleep(0.2)


def keep_running() -> bool:
    """Tell whether the fleet is to be left running for a look."""
    return bool(os.environ.get("FLEET_KEEP"))
