"""Install, upgrade and uninstall modules of a hosted database, with a way back.

Visitors see the maintenance page. A snapshot is taken, an Odoo of our own does the work, and its
first page has to answer before the database is opened again; whatever fails, even being killed in
the middle, ends with the snapshot in the database's place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg2.extensions import cursor

from . import half_made, odoo_child, place, snapshot_copy
from .contract import Argument, choice, listing, matching, whole
from .doors import close_for_work, first_page_aside, first_request, open_all, restore_all
from .engine import Context, Plan, Step
from .errors import HostingError, sentences
from .failpoints import failpoint
from .kind import Kind
from .life import find_unprotected
from .modules import AddonsPath
from .names import hidden_name

DEADLINE_S = 7200
ACTIONS = ("install", "upgrade", "uninstall")
NEVER_UNINSTALLED = ("base", "web", "rpc", "fleet_saas_client")
UNINSTALL = """
modules = env["ir.module.module"].search(
    [("name", "in", ARGUMENTS["modules"]), ("state", "=", "installed")])
modules.button_immediate_uninstall()
env.cr.commit()
RESULT = True
"""

sentences(
    module_unknown="There is no module %(module)s on this server's addons path. "
    "Check its spelling, or add its folder.",
    module_not_installed="The module %(module)s is not installed in %(name)s.",
    module_needed="The module %(module)s cannot be uninstalled: the server needs it.",
    module_needed_by="The module %(module)s cannot be uninstalled: %(needed)s would go with it, and "
    "the server needs that one.",
    modules_interrupted="The work on the modules of %(name)s was interrupted, so the database is "
    "as it was before. Try again.",
    modules_not_done="Odoo ended without an error, but the module %(module)s is %(state)s.",
)


def _check(context: Context) -> dict[str, Any]:
    """Refuse what cannot be done; before anybody is shut out."""
    request = context.request
    uninstall = request["action"] == "uninstall"
    evidence = find_unprotected(context) if uninstall else {"physical": place.locate(context)}
    if evidence["physical"] != request["target"]:
        raise HostingError("no_database", name=request["target"])
    addons = AddonsPath(context.host.addons_path)
    states = _states(context)
    for module in request["modules"]:
        if uninstall and module in NEVER_UNINSTALLED:
            raise HostingError("module_needed", module=module)
        if not uninstall and addons.folder(module) is None:
            raise HostingError("module_unknown", module=module)
        if request["action"] != "install" and states.get(module) != "installed":
            raise HostingError("module_not_installed", module=module, name=request["target"])
    with context.host.cluster.cursor(request["target"]) as cr:
        for module in addons.missing(cr):
            raise HostingError("module_missing", module=module)
        if uninstall:
            _check_others(cr, request["modules"])
    return evidence


def _check_others(cr: cursor, modules: list[str]) -> None:
    """Refuse what would take a module along that the server needs: Odoo uninstalls what depends."""
    cr.execute(
        """
        WITH RECURSIVE going (asked, name) AS (
            SELECT name, name FROM unnest(%s) AS asked (name)
             UNION SELECT going.asked, m.name::text
              FROM going JOIN ir_module_module_dependency d ON d.name = going.name
              JOIN ir_module_module m ON m.id = d.module_id AND m.state = 'installed')
        SELECT asked, name FROM going WHERE name = ANY(%s) ORDER BY asked, name""",
        [modules, list(NEVER_UNINSTALLED)],
    )
    for asked, needed in cr.fetchall():
        raise HostingError("module_needed_by", module=asked, needed=needed)


def _states(context: Context) -> dict[str, str]:
    """Return the state of each of the request's modules that the database knows."""
    with context.host.cluster.cursor(context.request["target"]) as cr:
        cr.execute(
            "SELECT name, state FROM ir_module_module WHERE name = ANY(%s)",
            [context.request["modules"]],
        )
        return dict(cr.fetchall())


def _take_snapshot(context: Context) -> dict[str, Any]:
    return snapshot_copy.take(context)


def _drop_snapshot(context: Context) -> None:
    """Drop the snapshot, unless it is the only good copy left, or one that somebody has kept."""
    if not _broken(context) and not context.find("work", "in_use"):
        snapshot_copy.drop_taken(context)


def _reopen(context: Context) -> None:
    """Open the database again, unless it could not be put back: visitors then see maintenance."""
    if not _broken(context):
        restore_all(context)


def _broken(context: Context) -> bool:
    """Tell whether the work had begun and the snapshot is not back in the database's place."""
    snapshot = context.find("snapshot", "physical")
    # An earlier try, which was taken back, had begun with another snapshot.
    began = context.find("work", "began")
    if context.find("work", "in_use"):
        return False
    return bool(began and began == snapshot and context.host.cluster.exists(snapshot))


def _work(context: Context) -> dict[str, Any]:
    """Let an Odoo of our own do it. What was interrupted half-way is not continued."""
    request = context.request
    if context.find("work", "began") == context.find("snapshot", "physical"):
        raise HostingError("modules_interrupted", name=request["target"])
    half_made.begin(context)
    context.note(began=context.find("snapshot", "physical"))
    failpoint("modules.began")
    watch = {
        "beat": context.check,
        "progress": context.progress,
        "remaining_s": context.seconds_left,
    }
    if request["action"] == "uninstall":
        odoo_child.script(
            context.host, request["target"], UNINSTALL, {"modules": request["modules"]}, **watch
        )
    else:
        option = "-i" if request["action"] == "install" else "-u"
        arguments = [option, ",".join(request["modules"])]
        odoo_child.run(context.host, request["target"], arguments, **watch)
    failpoint("modules.worked")
    return {"states": _check_done(context)}


def _check_done(context: Context) -> dict[str, str]:
    """Return the states of the modules; raise when one is not as it was asked for."""
    wanted = "uninstalled" if context.request["action"] == "uninstall" else "installed"
    states = _states(context)
    for module in context.request["modules"]:
        state = states.get(module, "uninstalled")
        if state != wanted:
            raise HostingError("modules_not_done", module=module, state=state)
    return states


def _go_back(context: Context) -> None:
    """Put the snapshot in the database's place and drop what was worked on."""
    snapshot = context.find("snapshot", "physical")
    if context.find("work", "began") != snapshot:
        return
    replaced = context.find("work", "replaced")
    if not replaced:
        # Records that came back from a backup may be about what was finished long ago.
        half_made.check_entered(context, "work")
        replaced = hidden_name("replaced")
        context.note(replaced=replaced)
    place.swap(context, context.request["target"], snapshot, replaced)
    snapshot_copy.wake(context, replaced)
    failpoint("modules.went_back")
    place.forget(context.host, replaced)


def _forget_snapshot(context: Context) -> dict[str, Any]:
    """Drop the snapshot, unless it is to be kept for some hours."""
    snapshot = context.find("snapshot", "physical")
    if context.request["keep_hours"]:
        return {"kept": snapshot, "size": context.find("snapshot", "size")}
    place.forget(context.host, snapshot)
    return {"kept": ""}


def _plan(_request: Mapping[str, Any]) -> Plan:
    return Plan(
        (
            Step("check", _check),
            Step("close", close_for_work, undo=_reopen),
            Step("snapshot", _take_snapshot, undo=_drop_snapshot),
            Step("work", _work, undo=_go_back),
            Step("first_page", first_page_aside),
            Step("open", open_all, final=True),
            Step("forget", _forget_snapshot),
            Step("first_request", first_request),
        ),
        deadline_s=DEADLINE_S,
    )


_MODULE = matching(r"[a-z][a-z0-9_]{1,62}", "the technical name of a module")


def _some_modules(value: Any) -> list[str]:
    names = listing(_MODULE, 50)(value)
    if not names:
        raise ValueError("at least one module is expected")
    return sorted(set(names))


KINDS = (
    Kind(
        "modules",
        _plan,
        {
            "action": Argument(choice(*ACTIONS), required=True),
            "modules": Argument(_some_modules, required=True),
            "keep_hours": Argument(whole(0, 24 * 31), default=0),
        },
        slow=True,
    ),
)
