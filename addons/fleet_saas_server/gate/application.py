"""The WSGI side of the gate: who gets through to Odoo, and what the others are told."""

import ipaddress
import json
import os
import re
from collections import Counter
from collections.abc import Callable
from urllib.parse import parse_qs

from werkzeug.wrappers import Response

import odoo.release

from ..hosting.routes import Route
from . import pages
from .guard import Guard, host_header, host_of

HEALTH_PATH = "/fleet/gate"
# What a proxy asks before it gets a certificate for a host name, as Caddy does ("on-demand TLS, ask").
ASK_PATH = "/fleet/domain"
# Also behind a language prefix or doubled slashes, which Odoo may rewrite.
_MANAGEMENT = re.compile(r"(/+[^/]+)?/+web/+database(/|$)")
_FORWARDED = ("HTTP_X_FORWARDED_", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA")


def gated(guard: Guard, original: Callable) -> Callable:
    """Return Odoo's WSGI entry point behind the gate."""

    def __call__(self, environ, start_response):
        header = host_header(environ)
        route = guard.route(header)
        response = _answer(guard, environ, header, route)
        if response is not None:
            return response(environ, start_response)
        guard.counter.count(route.database)
        token = guard.serving.set(route.database)
        try:
            return original(self, environ, start_response)
        finally:
            guard.serving.reset(token)

    return __call__


def _answer(guard: Guard, environ: dict, header: str, route: Route | None) -> Response | None:
    """Return what is answered in Odoo's place, None when the request goes through."""
    path = environ.get("PATH_INFO", "")
    if path == HEALTH_PATH and _is_local(environ, header):
        return _health(guard)
    if path == ASK_PATH and _is_local(environ, header):
        return _ask(guard, environ)
    if route is None and guard.routes.error and not guard.routes.table:
        return pages.unavailable(environ)
    if route is None or not route.active:
        return pages.closed(environ, route)
    wanted = environ.get("HTTP_X_ODOO_DATABASE")
    if _MANAGEMENT.match(path) or (wanted and wanted != route.database):
        return pages.missing(environ)
    return None


def _is_local(environ: dict, header: str) -> bool:
    """Tell whether a program on this machine asks directly, not a proxy for somebody else."""
    try:
        local = ipaddress.ip_address(environ.get("REMOTE_ADDR", "")).is_loopback
    except ValueError:
        return False
    named_local = host_of(header) in ("127.0.0.1", "localhost")
    return local and named_local and not any(key.startswith(_FORWARDED) for key in environ)


def _ask(guard: Guard, environ: dict) -> Response:
    """Answer 200 for a host name that leads to a database, suspended ones too, else 404."""
    wanted = parse_qs(environ.get("QUERY_STRING", "")).get("domain", [])
    known = len(wanted) == 1 and guard.route(wanted[0]) is not None
    return pages.plain("yes" if known else "no", "text/plain", 200 if known else 404)


def _health(guard: Guard) -> Response:
    """Answer the gate's state: counts and the reason of an error, no host name, no database."""
    error = guard.routes.error
    facts = {
        "gate": "on",
        "pid": os.getpid(),
        "odoo": odoo.release.version,
        "routes": Counter(route.state for route in guard.routes.table.values()),
        "databases": len(guard.routes.active),
        "error": {"code": error.code, "message": str(error)} if error else None,
    }
    return pages.plain(json.dumps(facts), "application/json", 200)
