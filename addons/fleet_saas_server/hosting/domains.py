"""Host names of a customer's own, at which a hosted database answers beside its own address.

They are routes like its own one: whatever is done to all routes of a database, such as suspending,
renaming or dropping it, is done to these too. Whose a name is was proven to whoever asks; this server
only sees to it that a name leads to one database, and that nobody takes one of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import place
from .contract import Argument, listing
from .engine import Context, Plan, Step
from .errors import HostingError, sentences
from .failpoints import failpoint
from .host import Host
from .kind import Kind
from .names import is_hidden
from .routes import ACTIVE, SUSPENDED, Route, Routes, check_host

MAX_NAMES = 50

sentences(
    host_is_ours="The host name %(host)s is below this server's own domain %(domain)s. Rename the "
    "database to change its own address.",
    host_taken="The host name %(host)s leads to another database of this server already. Remove it "
    "there first.",
)


def host_name(value: Any) -> str:
    """Accept a host name of at least two labels; for the contract."""
    try:
        host = check_host(value)
    except HostingError as error:
        raise ValueError(str(error).rstrip(".")) from error
    if "." not in host:
        raise ValueError(f"{host} has no dot, so it is no name in the DNS")
    return host


def check_foreign(host: str, domain: str) -> None:
    """Raise ``host_is_ours`` for the server's own domain and everything below it."""
    if host == domain or host.endswith(f".{domain}"):
        raise HostingError("host_is_ours", host=host, domain=domain)


def _check(context: Context) -> dict[str, Any]:
    """Look that the database is where it was when this was asked for, and the names are free."""
    target, physical = context.request["target"], place.locate(context)
    if physical != target and not is_hidden(physical):
        raise HostingError("no_database", name=target)  # renamed since
    table = Routes(context.host.routes).load()
    for host in context.request["names"]:
        check_foreign(host, context.host.domain)
        if host in table and table[host].database != target:
            raise HostingError("host_taken", host=host)
    return {"physical": physical}


def _own(host: Host, table: Mapping[str, Route], target: str) -> dict[str, Route]:
    """Return the routes of a database without the one of its own address."""
    main = host.host_name(target)
    return {
        name: route for name, route in table.items() if route.database == target and name != main
    }


def _route(context: Context) -> dict[str, Any]:
    """Lead exactly the wanted names to the database, in the state in which its own address is."""
    routes, target = Routes(context.host.routes), context.request["target"]
    table, wanted = routes.load(), context.request["names"]
    own = _own(context.host, table, target)
    if context.find("route", "before") is None:
        context.note(before={name: [each.state, each.message] for name, each in own.items()})
    failpoint("domains.route")
    state, message = _state(context, table)
    for name in wanted:
        routes.put(name, target, state=state, message=message)
        failpoint("domains.put")
    for name in set(own) - set(wanted):
        routes.remove(name)
    return {"names": sorted(wanted)}


def _state(context: Context, table: Mapping[str, Route]) -> tuple[str, str]:
    main = table.get(context.host.host_name(context.request["target"]))
    if main is not None:
        return main.state, main.message
    hidden = context.find("check", "physical") != context.request["target"]
    return (SUSPENDED if hidden else ACTIVE), ""


def _route_back(context: Context) -> None:
    """Undo `_route`."""
    before = context.find("route", "before")
    if before is None:
        return
    routes, target = Routes(context.host.routes), context.request["target"]
    for name in set(_own(context.host, routes.load(), target)) - set(before):
        routes.remove(name)
    for name, (state, message) in before.items():
        routes.put(name, target, state=state, message=message)


def _plan(_request: Mapping[str, Any]) -> Plan:
    return Plan((Step("check", _check), Step("route", _route, undo=_route_back)), deadline_s=120)


def _names(value: Any) -> list[str]:
    return sorted(set(listing(host_name, MAX_NAMES)(value)))


KINDS = (Kind("domains", _plan, {"names": Argument(_names, required=True)}),)
