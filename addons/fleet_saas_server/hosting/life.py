"""Suspend and resume a hosted database, archive it and take it back, give it another name.

A suspended database is hidden like an unsealed clone: nothing can open it, so its pages, logins,
API keys, scheduled actions and mails end at once, while backups go on. Its host name answers with
a page. Its record, its identity and its owner mark stay.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any

from . import place
from .contract import Argument, name, text
from .doors import close_for_work, first_request, open_all, restore_all, set_all
from .engine import Context, Plan, Step
from .errors import HostingError
from .kind import Kind
from .names import check_name, hidden_name
from .parameters import put
from .routes import ACTIVE, MAINTENANCE, SUSPENDED, Routes

DEADLINE_S = 900
REASON = 200


def find_unprotected(context: Context) -> dict[str, Any]:
    """Find the database; refuse when it is protected."""
    place.check_unprotected(context)
    return {"physical": place.locate(context)}


def find(context: Context) -> dict[str, Any]:
    """Find the database."""
    return {"physical": place.locate(context)}


# --- suspend, archive


def _close(context: Context) -> dict[str, Any]:
    message = context.request.get("reason") or ""
    return set_all(context, context.request["target"], SUSPENDED, message)


def hide(context: Context) -> dict[str, Any]:
    """Hide the database under its name; one that is hidden already stays where it is."""
    target = context.request["target"]
    physical = place.locate(context)
    hidden = context.find("hide", "hidden")
    if physical != target and physical != hidden:
        return {"physical": physical}
    if physical == target and not hidden:
        hidden = hidden_name("suspended")
        context.note(hidden=hidden)
    place.hide(context, target, hidden)
    return {"physical": hidden}


def unhide(context: Context) -> None:
    """Undo `hide`."""
    hidden = context.find("hide", "hidden")
    if hidden:
        place.show(context, hidden, context.request["target"])


def check_closed(context: Context) -> dict[str, Any]:
    """Look that nothing can reach the database any more."""
    physical = place.locate(context)
    facts = context.host.cluster.facts(physical)
    if physical == context.request["target"] or not facts.is_template:
        raise HostingError("name_taken", name=context.request["target"])
    return {"physical": physical, "sessions": context.host.cluster.sessions(physical)}


def _suspend(_request: Mapping[str, Any]) -> Plan:
    return Plan(
        (
            Step("find", find_unprotected),
            Step("close", _close, undo=restore_all),
            Step("hide", hide, undo=unhide),
            Step("check", check_closed),
        ),
        deadline_s=DEADLINE_S,
    )


# --- resume, undelete


def show(context: Context) -> dict[str, Any]:
    """Bring the database back under its name; it may be there already."""
    target = context.request["target"]
    physical = place.locate(context)
    if physical != target:
        context.note(hidden=physical)
        place.show(context, physical, target)
    return {"physical": target}


def hide_again(context: Context) -> None:
    """Undo `show`."""
    hidden = context.find("show", "hidden")
    if hidden:
        place.hide(context, context.request["target"], hidden)


def _resume(_request: Mapping[str, Any]) -> Plan:
    return Plan(
        (
            Step("find", find),
            Step("show", show, undo=hide_again),
            Step("open", open_all, undo=restore_all),
            Step("first_request", first_request),
        ),
        deadline_s=DEADLINE_S,
    )


# --- rename


def _reserve(context: Context) -> dict[str, Any]:
    """Refuse early a new name that is not free."""
    new_name = check_name(context.request["new_name"])
    if context.host.cluster.exists(new_name):
        raise HostingError("name_taken", name=new_name)
    if context.host.filestore(new_name).exists():
        raise HostingError("folder_in_the_way", folder=new_name)
    return {"physical": place.locate(context)}


def _change_address(context: Context) -> dict[str, Any]:
    """Write the new address into the hidden database; remember the old one."""
    if context.find("address", "old_url") is None:
        context.note(old_url=_read_url(context))
    new_url = context.host.url(context.request["new_name"])
    _write_url(context, context.find("address", "old_url"), new_url)
    return {"url": new_url}


def _change_address_back(context: Context) -> None:
    old_url = context.find("address", "old_url")
    if old_url is not None and context.host.cluster.exists(context.find("hide", "hidden")):
        _write_url(context, context.host.url(context.request["new_name"]), old_url)


def _read_url(context: Context) -> str:
    with context.host.cluster.cursor(context.find("hide", "hidden")) as cr:
        cr.execute("SELECT value FROM ir_config_parameter WHERE key = 'web.base.url'")
        return (cr.fetchone() or ("",))[0]


def _write_url(context: Context, old: str, new: str) -> None:
    hidden = context.find("hide", "hidden")
    with closing(context.host.cluster.connect(hidden, autocommit=False)) as opened:
        with opened, opened.cursor() as cr:
            put(cr, {"web.base.url": new, "web.base.url.freeze": "True"})
            cr.execute("SELECT to_regclass('website') IS NOT NULL")
            if cr.fetchone()[0] and old:
                cr.execute("UPDATE website SET domain = %s WHERE domain = %s", [new, old])


def _show_renamed(context: Context) -> dict[str, Any]:
    new_name = context.request["new_name"]
    place.show(context, context.find("hide", "hidden"), new_name)
    return {"physical": new_name}


def _hide_renamed(context: Context) -> None:
    place.hide(context, context.request["new_name"], context.find("hide", "hidden"))


def _move_routes(context: Context) -> dict[str, Any]:
    """Lead the new host name, and every other one of the database, to its new name."""
    host, old, new = context.host, context.request["target"], context.request["new_name"]
    routes = Routes(host.routes)
    routes.put(host.host_name(new), new)
    routes.remove(host.host_name(old))
    routes.rename(old, new)
    routes.set_state(new, ACTIVE)
    return {"host": host.host_name(new)}


def _move_routes_back(context: Context) -> None:
    host, old, new = context.host, context.request["target"], context.request["new_name"]
    routes = Routes(host.routes)
    routes.remove(host.host_name(new))
    routes.rename(new, old)
    routes.set_state(old, MAINTENANCE)
    routes.put(host.host_name(old), old, state=MAINTENANCE)


def _first_request_renamed(context: Context) -> dict[str, Any]:
    return first_request(context, context.request["new_name"])


def _rename(_request: Mapping[str, Any]) -> Plan:
    return Plan(
        (
            Step("reserve", _reserve),
            Step("close", close_for_work, undo=restore_all),
            Step("hide", hide, undo=unhide),
            Step("address", _change_address, undo=_change_address_back),
            Step("show", _show_renamed, undo=_hide_renamed),
            Step("open", _move_routes, undo=_move_routes_back),
            Step("first_request", _first_request_renamed),
        ),
        deadline_s=DEADLINE_S,
    )


_REASON = {"reason": Argument(text(REASON), default="")}
KINDS = (
    Kind("suspend", _suspend, _REASON),
    Kind("resume", _resume),
    Kind("archive", _suspend, _REASON),
    Kind("undelete", _resume),
    Kind("rename", _rename, {"new_name": Argument(name, required=True)}),
)
