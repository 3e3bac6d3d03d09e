"""Which database the current request may open, and which one anything else of the process may."""

import contextvars
import logging
from pathlib import Path

import psycopg2

import odoo.http
from odoo.tools import config

from ..hosting.counts import RequestCounter
from ..hosting.routes import LiveRoutes, Route, host_of


class Guard:
    """What the gate knows: the routes, the counts, and the host name of the current request.

    :param work_dir: the hosting server's folder, with ``routes.json`` and ``requests/``
    """

    def __init__(self, work_dir: Path) -> None:
        self.routes = LiveRoutes(work_dir / "routes.json")
        self.counter = RequestCounter(work_dir / "requests")
        # The database of the request that is being served; None outside of requests.
        self.serving: contextvars.ContextVar[str | None] = contextvars.ContextVar(
            "fleet_serving", default=None
        )

    def route(self, host_header: str) -> Route | None:
        """Return the route of a Host header, None for an unknown host."""
        return self.routes.get(host_of(host_header))

    def database(self, host_header: str) -> str | None:
        """Return the one database that a Host header opens, None for none.

        Inside a request that is the one it was let in to, also when its route closes meanwhile:
        Odoo logs out a session whose database is not the host's.
        """
        serving = self.serving.get()
        if serving is not None:
            return serving
        route = self.route(host_header)
        return route.database if route and route.active else None

    def check_opening(self, database: str) -> None:
        """Raise what a missing database raises unless ``database`` may be opened here and now.

        A request opens its host's database; anything else, such as a cron or a websocket, those
        with an active route; a command line also the one that it was given by ``-d``.
        """
        serving = self.serving.get()
        if serving is not None:
            allowed = database == serving
        else:
            allowed = database in self.routes.active_databases() or database in config["db_name"]
        if not allowed:
            error = psycopg2.OperationalError(f'FATAL:  database "{database}" does not exist\n')
            # One line in the log, not a traceback for everybody who tries names (odoo.http).
            error.loglevel = logging.WARNING
            raise error


def host_header(environ: dict) -> str:
    """Return the Host header as Odoo will see it (``odoo.http.Application.__call__``)."""
    if config["proxy_mode"] and environ.get("HTTP_X_FORWARDED_HOST"):
        environ = dict(environ)
        odoo.http.ProxyFix(lambda _environ, _start: [])(environ, lambda _status, _headers: None)
    return environ.get("HTTP_HOST", "")
