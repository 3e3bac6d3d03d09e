"""The routes of a hosted database while an operation works on it."""

from __future__ import annotations

from typing import Any

from . import http_check, odoo_child
from .engine import Context
from .failpoints import failpoint
from .routes import ACTIVE, MAINTENANCE, Routes

PAGE_S = 120.0  # the registry of a database with many modules takes a while to load


def set_all(context: Context, name: str, state: str, message: str = "") -> dict[str, Any]:
    """Set the state of every route of a database; what they were before is noted for `restore`."""
    routes = Routes(context.host.routes)
    before = dict(context.find(context.step, "before") or {})
    for host, route in routes.load().items():
        # What an earlier run of this step has set already is not what was there before.
        if route.database == name and (route.state, route.message) != (state, message):
            before[host] = [route.state, route.message]
    context.note(before=before)
    failpoint("doors.set")
    routes.set_state(name, state, message=message)
    routes.put(context.host.host_name(name), name, state=state, message=message)
    return {"state": state}


def restore(context: Context, name: str) -> None:
    """Set the routes to what the running step found."""
    before = context.find(context.step, "before")
    if before is None:
        return
    routes = Routes(context.host.routes)
    for host, (state, message) in before.items():
        routes.put(host, name, state=state, message=message)
    main = context.host.host_name(name)
    if main not in before:
        routes.remove(main)


def close_for_work(context: Context) -> dict[str, Any]:
    """Show visitors the maintenance page."""
    return set_all(context, context.request["target"], MAINTENANCE)


def open_all(context: Context) -> dict[str, Any]:
    """Lead every route of the database into it."""
    return set_all(context, context.request["target"], ACTIVE)


def restore_all(context: Context) -> None:
    """Undo `close_for_work` or `open_all`."""
    restore(context, context.request["target"])


def first_request(context: Context, name: str = "") -> dict[str, Any]:
    """Ask for the first page, so that the registry is warm when the customer comes."""
    return http_check.first_page(
        context.host.hosted_url,
        context.host.host_name(name or context.request["target"]),
        _seconds(context),
    )


def first_page_aside(context: Context) -> dict[str, Any]:
    """Look whether the first page answers while visitors still see the maintenance page.

    An Odoo of our own serves it, without scheduled actions: nothing happens yet that going back
    could not take back.
    """
    with odoo_child.served(context.host, context.request["target"], start_s=PAGE_S) as url:
        return http_check.first_page(url, "127.0.0.1", _seconds(context))


def _seconds(context: Context) -> float:
    return max(1.0, min(PAGE_S, context.seconds_left()))
