"""Take databases in that somebody else made, let them go, and drop them for good.

A drop is the one thing that nothing takes back: it wants the verified final backup that the
server's records found, no protection, and our owner mark on what is dropped. The files go after
the database, so that no name is free while files of it are left.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import psycopg2.errors

from . import files, monitor, place
from .contract import Argument, flag, matching
from .doors import first_request, restore_all, set_all
from .engine import Context, Plan, Step
from .errors import HostingError, sentences
from .failpoints import failpoint
from .kind import Kind
from .life import find_unprotected, hide, unhide
from .modules import AddonsPath
from .names import is_hidden
from .postgres import DatabaseFacts, Mark
from .routes import SUSPENDED, Routes

DEADLINE_S = 900
RELEASE = "19.0"
_SUSPENDED = r"fleet_x_[a-z0-9]+_[0-9a-f]{32}"
IDENTITY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# A database with one of these looks after others; its end would be theirs.
CONTROL_MODULES = ("fleet_databases", "fleet_saas_portal", "fleet_saas_server")

sentences(
    no_final_backup="The database %(name)s has no verified final backup, so it is not dropped. "
    "Back it up, wait until the backup is verified, then try again.",
    already_ours="The database %(name)s is hosted by this server already.",
    other_server="The database %(name)s carries the mark of another hosting server. Release it "
    "there first.",
    not_owner="The database %(name)s belongs to the PostgreSQL role %(owner)s, not to this "
    "server's: ALTER DATABASE … OWNER TO, then try again.",
    not_odoo_19="The database %(name)s holds no Odoo 19 (%(found)s was found).",
    control_database="The database %(name)s looks after other databases (%(modules)s is installed "
    "in it), so this server neither takes it in nor drops it. If that is over, uninstall the app "
    "there first, then try again.",
    bad_identity="The identity of the database %(name)s, its system parameter database.uuid, is "
    "%(found)s and not a UUID in lower case. Give it one, then try again.",
    identity_known="The database %(name)s has the identity of %(other)s, which is among this server's "
    "records already. Give it one of its own (the system parameter database.uuid), then try again.",
    same_identity="The database %(name)s has the same identity as the hosted database %(other)s: "
    "one is a plain copy of the other. Duplicate it instead of adopting the copy.",
    has_snapshots="The database %(name)s still has snapshots (%(count)s). Drop them first.",
)


# --- drop


def _check_drop(context: Context) -> dict[str, Any]:
    backup = context.request.get("final_backup")
    if not backup or not backup.get("verified"):
        raise HostingError("no_final_backup", name=context.request["target"])
    if _dropped_before(context):
        return {"final_backup": backup}
    found = find_unprotected(context)
    _check_no_control(context, found["physical"])
    # Hidden anew means: it was open again meanwhile, and the backup does not hold what came then.
    archived = context.request.get("archived")
    if archived and found["physical"] != archived:
        raise HostingError("no_final_backup", name=context.request["target"])
    return found | {"final_backup": backup}


def _dropped_before(context: Context) -> str:
    """Return the name of what an earlier try dropped before it failed at the rest, else ""."""
    gone = place.find(context.host, context.request["uuid"]) is None
    return context.find("drop", "physical", "") if gone else ""


def _check_no_control(context: Context, physical: str) -> None:
    """Raise ``control_database`` when other databases are looked after from this one."""
    with context.host.cluster.cursor(physical) as cr:
        cr.execute("SELECT to_regclass('public.ir_module_module')")
        if cr.fetchone()[0] is None:
            return  # not an Odoo any more, or never one
        cr.execute(
            "SELECT name FROM ir_module_module WHERE name = ANY(%s) "
            "AND state NOT IN ('uninstalled', 'uninstallable', 'to install') ORDER BY name",
            [list(CONTROL_MODULES)],
        )
        modules = ", ".join(row[0] for row in cr.fetchall())
    if modules:
        raise HostingError("control_database", name=context.request["target"], modules=modules)


def _hide_for_drop(context: Context) -> dict[str, Any]:
    dropped = _dropped_before(context)
    return {"physical": dropped} if dropped else hide(context)


def _close_for_drop(context: Context) -> dict[str, Any]:
    return set_all(context, context.request["target"], SUSPENDED)


def _unhide_if_there(context: Context) -> None:
    """Undo `hide`, unless the database is gone."""
    if place.find(context.host, context.request["uuid"]):
        unhide(context)


def _drop(context: Context) -> dict[str, Any]:
    """Drop the hidden database; found gone, an earlier run did it."""
    host = context.host
    physical = context.find("hide", "physical")
    marks = host.cluster.marks()
    if physical in marks and marks[physical].uuid != context.request["uuid"]:
        raise HostingError("not_ours", name=physical)
    try:
        host.cluster.drop(physical, server=host.server)
    except psycopg2.Error:
        # The answer may have been lost, not the drop.
        if host.cluster.exists(physical):
            raise
    failpoint("leave.dropped")
    return {"physical": physical}


def _remove_files(context: Context) -> dict[str, Any]:
    """Remove its files, and its snapshots with theirs."""
    host = context.host
    files.remove_tree(host.filestore(context.find("hide", "physical")))
    snapshots = place.snapshots(host, context.request["uuid"])
    for snapshot in snapshots:
        place.forget(host, snapshot)
    return {"snapshots": len(snapshots)}


def _remove_routes(context: Context) -> dict[str, Any]:
    """Forget every host name that led to it."""
    routes = Routes(context.host.routes)
    target = context.request["target"]
    hosts = [host for host, route in routes.load().items() if route.database == target]
    for host in hosts:
        routes.remove(host)
    return {"hosts": hosts}


def _drop_plan(_request: Mapping[str, Any]) -> Plan:
    return Plan(
        (
            Step("check", _check_drop),
            Step("close", _close_for_drop, undo=restore_all),
            Step("hide", _hide_for_drop, undo=_unhide_if_there),
            Step("drop", _drop, final=True),
            Step("files", _remove_files),
            Step("routes", _remove_routes),
        ),
        deadline_s=DEADLINE_S,
    )


# --- adopt


def _adopted(context: Context) -> str:
    """Return the name in PostgreSQL of what is adopted: hidden when it is a suspended one of ours."""
    return context.request.get("hidden") or context.request["target"]


def _check_adopt(context: Context) -> dict[str, Any]:
    """Look whether the database can be hosted here; read its identity."""
    physical = _adopted(context)
    facts = context.host.cluster.facts(physical)
    if facts is None:
        raise HostingError("no_database", name=physical)
    if is_hidden(physical):
        _check_suspended(context, facts)
    _check_owner(context, facts)
    _check_no_control(context, physical)
    return _check_content(context, physical)


def _check_suspended(context: Context, facts: DatabaseFacts) -> None:
    """Let only a suspended database of ours come back from hiding, under a name that is free."""
    if not facts.mark or facts.mark.kind != place.HOSTED or not facts.mark.uuid:
        raise HostingError("not_ours", name=facts.name)
    host, target = context.host, context.request["target"]
    if host.cluster.exists(target):
        raise HostingError("name_taken", name=target)
    if host.filestore(target).exists():
        raise HostingError("folder_in_the_way", folder=target)


def _check_owner(context: Context, facts: DatabaseFacts) -> None:
    host = context.host
    if facts.mark and facts.mark.server != host.server:
        raise HostingError("other_server", name=facts.name)
    if facts.mark and not _is_forgotten(context, facts.mark):
        raise HostingError("already_ours", name=facts.name)
    with host.cluster.cursor() as cr:
        cr.execute("SELECT current_user")
        if facts.owner != cr.fetchone()[0]:
            raise HostingError("not_owner", name=facts.name, owner=facts.owner)


def _is_forgotten(context: Context, mark: Mark) -> bool:
    """Tell whether the records know nothing of a database of ours: they came back from a backup.

    What this operation has marked itself before its runner died is such a one too.
    """
    if mark.operation == context.operation:
        return True
    with context.host.cluster.cursor(context.host.server_database) as cr:
        cr.execute("SELECT 1 FROM saas_database WHERE uuid = %s AND state <> 'failed'", [mark.uuid])
        return mark.kind == place.HOSTED and not cr.fetchone()


def _check_content(context: Context, name: str) -> dict[str, Any]:
    """Return the identity and the state of an Odoo; the mark of ours, not its people, says who it is."""
    host, marked = context.host, context.host.cluster.marks().get(name)
    addons = AddonsPath(host.addons_path)
    with host.cluster.cursor(name) as cr:
        try:
            cr.execute(
                "SELECT (SELECT latest_version FROM ir_module_module WHERE name = 'base'), "
                "(SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'), "
                "EXISTS (SELECT FROM ir_config_parameter WHERE key = 'database.is_neutralized')"
            )
        except psycopg2.errors.UndefinedTable as error:
            raise HostingError("not_odoo_19", name=name, found="no Odoo") from error
        version, identity, neutralized = cr.fetchone()
        if not (version or "").startswith(f"{RELEASE}.") or not identity:
            raise HostingError("not_odoo_19", name=name, found=version or "an empty database")
        for module in addons.missing(cr):
            raise HostingError("module_missing", module=module)
    identity = marked.uuid if marked and marked.uuid else identity
    _check_identity(context, identity)
    return {"identity": identity, "neutralized": neutralized, "version": version}


def _check_identity(context: Context, identity: str) -> None:
    """Refuse an identity that is another database's, or none: folders are called by it."""
    host, name = context.host, context.request["target"]
    if not IDENTITY.fullmatch(identity):
        raise HostingError("bad_identity", name=name, found=identity)
    for other, mark in host.cluster.marks().items():
        ours = mark.uuid == identity and mark.server == host.server
        if ours and mark.kind == place.HOSTED and other != _adopted(context):
            raise HostingError("same_identity", name=name, other=other)
    with host.cluster.cursor(host.server_database) as cr:
        cr.execute(
            "SELECT name FROM saas_database WHERE uuid = %s AND state <> 'failed'", [identity]
        )
        known = cr.fetchone()
    if known:
        raise HostingError("identity_known", name=name, other=known[0])


def _take(context: Context) -> dict[str, Any]:
    """Mark the database as ours and close it to other roles."""
    context.request["uuid"] = context.find("check", "identity")
    name = _adopted(context)
    marked = context.host.cluster.marks().get(name)
    if context.find("take", "taken") is None:
        context.note(taken=name, former=asdict(marked) if marked else None)
    context.host.cluster.take(name, place.mark(context, place.HOSTED))
    context.host.filestore(name).mkdir(parents=True, exist_ok=True)
    return {"physical": name}


def _give_back(context: Context) -> None:
    name, former = context.find("take", "taken"), context.find("take", "former")
    marked = context.host.cluster.marks().get(name)
    if not marked or (marked.server, marked.operation) != (context.host.server, context.operation):
        return
    if former:
        context.host.cluster.set_mark(name, Mark(**former))
    else:
        context.host.cluster.give_back(name)


def _open(context: Context) -> dict[str, Any]:
    name = context.request["target"]
    routes, host_name = Routes(context.host.routes), context.host.host_name(name)
    before = routes.load().get(host_name)
    led = bool(before and before.database == name)
    if context.find("open", "led") is None:
        context.note(led=led)
    if is_hidden(_adopted(context)):
        # What visitors were told stays.
        routes.put(host_name, name, state=SUSPENDED, message=before.message if led else "")
    else:
        routes.put(host_name, name)
    return {"host": host_name}


def _answer(context: Context) -> dict[str, Any]:
    """Ask an open database for its first page; a suspended one has none."""
    return {} if is_hidden(_adopted(context)) else first_request(context)


def _shut(context: Context) -> None:
    if not context.find("open", "led"):
        Routes(context.host.routes).remove(context.host.host_name(context.request["target"]))


def _adopt_plan(_request: Mapping[str, Any]) -> Plan:
    return Plan(
        (
            Step("check", _check_adopt),
            Step("take", _take, undo=_give_back),
            Step("open", _open, undo=_shut),
            Step("first_request", _answer),
        ),
        deadline_s=DEADLINE_S,
    )


# --- release


def _check_release(context: Context) -> dict[str, Any]:
    """Only a visible database without snapshots can be let go."""
    evidence = find_unprotected(context)
    if evidence["physical"] != context.request["target"]:
        raise HostingError("no_database", name=context.request["target"])
    snapshots = place.snapshots(context.host, context.request["uuid"])
    if snapshots:
        raise HostingError("has_snapshots", name=context.request["target"], count=len(snapshots))
    return evidence


def _note_routes(context: Context) -> dict[str, Any]:
    """Take its routes away; they are noted for the undo."""
    routes = Routes(context.host.routes)
    target = context.request["target"]
    found = {h: [r.state, r.message] for h, r in routes.load().items() if r.database == target}
    context.note(before=(context.find("shut", "before") or {}) | found)
    failpoint("leave.shut")
    for host in found:
        routes.remove(host)
    return {"hosts": sorted(context.find("shut", "before"))}


def _release(context: Context) -> dict[str, Any]:
    """Take our mark off, and the key that reads its figures; it stays as it is otherwise."""
    name = context.request["target"]
    marked = context.host.cluster.marks().get(name)
    if marked and marked.uuid == context.request["uuid"]:
        with context.host.cluster.cursor(name) as cr:
            monitor.forget(cr)
        context.host.cluster.give_back(name)
    return {"physical": name}


def _mark_again(context: Context) -> None:
    name = context.request["target"]
    if name not in context.host.cluster.marks():
        context.host.cluster.take(name, place.mark(context, place.HOSTED))


def _release_plan(_request: Mapping[str, Any]) -> Plan:
    return Plan(
        (
            Step("check", _check_release),
            Step("shut", _note_routes, undo=restore_all),
            Step("release", _release, undo=_mark_again),
        ),
        deadline_s=DEADLINE_S,
    )


KINDS = (
    Kind("drop", _drop_plan, {"without_grace": Argument(flag, default=False)}, destroys=True),
    Kind(
        "adopt",
        _adopt_plan,
        {"hidden": Argument(matching(_SUSPENDED, "the name of a suspended database"), default="")},
    ),
    Kind("release", _release_plan),
)
