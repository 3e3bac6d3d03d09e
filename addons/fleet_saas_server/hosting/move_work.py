"""The operations by which a database moves to another hosting server.

``hand_over`` on the server that has it: off the air, a verified backup of all of it into a place
that both servers reach, and a package for the other one (see ``handover``). ``take_over`` there:
restored under the same name and identity, compared with its manifest, proven by its login page
where nobody sees it, and only then open; when anything fails, nothing of it stays. ``take_back`` on
the first server: the database is served again as it was, unless the other one may be serving it.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from psycopg2.extensions import cursor

from . import activate, capacity, clone, document, half_made, handover, retention
from .backup import MANIFEST, MANIFEST_NAME, tags
from .backup_work import (
    BACKUP_S,
    boot_loaded,
    confirm,
    first_repository,
    forget_load,
    load,
    prepare_repository,
    public_keys,
    take,
)
from .contract import Argument, flag, listing, matching
from .doors import first_request, open_all, restore_all, set_all
from .engine import Context, Plan, Step
from .errors import HostingError, sentences
from .failpoints import failpoint
from .kind import Kind
from .life import check_closed, find_unprotected, hide, hide_again, show, unhide
from .manifest import private_key, public_pem
from .parameters import put
from .restic import Repository
from .restore import fetch_manifest
from .routes import SUSPENDED, Routes
from .seal import DUMMY_SERVER

MOVING = "This database is being moved to another server. Please come back in a few minutes."
REPOSITORY = "handover"  # its number in a request; it has no record where it is handed over
AHEAD = "-ahead"

sentences(
    handover_claimed="The server that was to take %(name)s over has begun to open it, so it is not "
    "taken back: it would be open twice. Wait until that server says how it ended; take it back by "
    "force only when that server is gone for good.",
    handover_void="%(name)s is not taken over: the server that had it has taken it back meanwhile.",
    identity_here="This server has the database %(name)s already, as %(found)s. Drop that one first.",
)


# --- hand over


def _take_ahead(context: Context) -> dict[str, Any]:
    """Save a first state while the database is open, so that little is left to save while it is not."""
    taken = take(_for_backup(context, context.request["backup"] + AHEAD))
    return {"bytes": taken["bytes"]}


def _for_backup(context: Context, number: str) -> Context:
    return replace(context, request={**context.request, "backup": number})


def _forget_repository(context: Context) -> None:
    """Remove the repository that was made for this move only."""
    opened = first_repository(context)
    if not context.request["repositories"][0]["remote"]:
        shutil.rmtree(Path(opened.location), ignore_errors=True)
    elif opened.exists():
        retention.forget_all(opened)
        opened.prune()


def _close(context: Context) -> dict[str, Any]:
    return set_all(context, context.request["target"], SUSPENDED, MOVING)


def _package(context: Context) -> dict[str, Any]:
    """Put together what the other server needs, readable by that one only."""
    request, host = context.request, context.host
    opened = first_repository(context)
    ahead = opened.snapshots(f"backup={request['backup']}{AHEAD}")
    opened.forget([snapshot.id for snapshot in ahead])
    failpoint("move.ahead_forgotten")
    package = handover.Package(
        name=request["target"],
        uuid=request["uuid"],
        purpose=request["purpose"],
        place=request["place"],
        folder=request["folder"],
        backup=request["backup"],
        password=context.secrets[f"repository.{REPOSITORY}.password"],
        public_key=public_pem(private_key(context.secrets["signing_key"])),
        url=host.url(request["target"]),
        source=host.server,
        bytes=context.find("take", "bytes"),
        neutralized=request["neutralized"],
        mail_host=request["mail_host"],
        hosts=_other_hosts(context),
    )
    return {"package": handover.seal(package, request["key"])}


def _other_hosts(context: Context) -> tuple[str, ...]:
    """Return the host names beside its first one that lead to the database."""
    target, main = context.request["target"], context.host.host_name(context.request["target"])
    routes = Routes(context.host.routes).load()
    return tuple(h for h, route in routes.items() if route.database == target and h != main)


def _hand_over(_request: Mapping[str, Any]) -> Plan:
    return Plan(
        (
            Step("find", find_unprotected),
            Step("repository", prepare_repository, undo=_forget_repository),
            Step("ahead", _take_ahead),
            Step("close", _close, undo=restore_all),
            Step("hide", hide, undo=unhide),
            Step("closed", check_closed),
            Step("take", take),
            Step("confirm", confirm),
            Step("package", _package),
        ),
        deadline_s=BACKUP_S,
    )


# --- take over


def _reserve(context: Context) -> dict[str, Any]:
    """Refuse early: the name, the identity, a machine without room."""
    clone.reserve_name(context)
    uuid = context.request["uuid"]
    for found, mark in context.host.cluster.marks().items():
        ours = (mark.server, mark.uuid) == (context.host.server, uuid)
        if ours and mark.operation != context.operation:
            raise HostingError("identity_here", name=context.request["target"], found=found)
    wanted = capacity.Wanted(context.request["bytes"])
    return {"disk_free": capacity.check_wanted(context.host, wanted).disk_free}


def _settle_in(context: Context) -> dict[str, Any]:
    """Write what is this server's into the hidden database: address, mail server, document.

    It is no copy: identity, passwords and scheduled actions stay as they were.
    """
    hidden, request = clone.hidden_of(context), context.request
    with closing(context.host.cluster.connect(hidden, autocommit=False)) as opened:
        with opened, opened.cursor() as cr:
            _check_modules(context, cr)
            url = _change_address(context, cr)
            mail = _change_mail(context, cr)
            if request.get("document"):
                document.put_content(context, cr, request["uuid"], request["document"])
            failpoint("move.settled")
    return {"url": url, "mail_server": mail}


def _check_modules(context: Context, cr: cursor) -> None:
    for module in clone.addons(context).missing(cr):
        raise HostingError("module_missing", module=module)


def _change_address(context: Context, cr: cursor) -> str:
    """Let the address of the former server become this one's; one of the customer's own stays."""
    old, new = context.request["url"], context.host.url(context.request["target"])
    cr.execute("SELECT 1 FROM ir_config_parameter WHERE (key, value) = ('web.base.url', %s)", [old])
    if cr.fetchone():
        put(cr, {"web.base.url": new, "web.base.url.freeze": "True"})
    cr.execute("SELECT to_regclass('website') IS NOT NULL")
    if cr.fetchone()[0]:
        cr.execute("UPDATE website SET domain = %s WHERE domain = %s", [new, old])
    return new


def _change_mail(context: Context, cr: cursor) -> bool:
    """Put this host's mail server where the former host's was; the customer's own ones stay."""
    request = context.request
    cr.execute(
        "UPDATE ir_mail_server SET name = %s, smtp_host = 'invalid', smtp_user = NULL, "
        "smtp_pass = NULL WHERE name = %s AND smtp_host = %s AND smtp_host <> ''",
        [DUMMY_SERVER, activate.MailServer.name, request["mail_host"]],
    )
    cr.execute(
        "SELECT 1 FROM ir_mail_server WHERE name = %s AND smtp_host = 'invalid'", [DUMMY_SERVER]
    )
    server = clone.mail_server(context)
    if request["neutralized"] or not server or not cr.fetchone():
        return False
    activate.give(cr, server)
    return True


def _claim(context: Context) -> dict[str, Any]:
    """Say where both servers see it that the database opens here; see whether it was taken back."""
    opened = first_repository(context)
    if handover.marks(opened)[handover.VOID]:
        raise HostingError("handover_void", name=context.request["target"])
    handover.put_mark(opened, handover.CLAIM)
    failpoint("move.claimed")
    # Looked for after the mark was written: whoever takes it back does the same, the other way round.
    if handover.marks(opened)[handover.VOID]:
        raise HostingError("handover_void", name=context.request["target"])
    fetch_manifest(opened, context.request["backup"], public_keys(context))
    return {}


def _unclaim(context: Context) -> None:
    """Take the claim away, unless the database could not be removed: then it is not over here."""
    target, uuid = context.request["target"], context.request["uuid"]
    mark = context.host.cluster.marks().get(target)
    if mark and (mark.server, mark.uuid) == (context.host.server, uuid):
        raise HostingError("identity_here", name=target, found=target)
    try:
        handover.remove_mark(first_repository(context), handover.CLAIM)
    except HostingError as error:
        if error.code != "no_repository":  # taken back, and tidied up
            raise


def _open(context: Context) -> dict[str, Any]:
    """Lead its host names here; one that leads to another database stays that one's."""
    host, target = context.host, context.request["target"]
    routes, main = Routes(host.routes), host.host_name(target)
    taken = {name for name, route in routes.load().items() if route.database != target}
    hosts = [main, *(name for name in context.request["hosts"] if name not in taken)]
    context.note(hosts=hosts)
    for name in hosts:
        routes.put(name, target)
    return {"url": host.url(target), "host": main}


def _shut(context: Context) -> None:
    half_made.check(context)
    routes = Routes(context.host.routes)
    led = routes.load()
    for name in context.find("route", "hosts") or ():
        if name in led and led[name].database == context.request["target"]:
            routes.remove(name)


def _sign(context: Context) -> dict[str, Any]:
    """Sign the backup it came from with this server's key: it is the first one here.

    The database is open by now, so a storage that is away harms nothing but this.
    """
    try:
        _sign_manifest(first_repository(context), context)
    except HostingError as error:
        if error.code in ("cancelled", "deadline"):
            raise
        return {"signed": False, "problem": str(error)}
    return {"signed": True}


def _sign_manifest(opened: Repository, context: Context) -> None:
    number, key = context.request["backup"], private_key(context.secrets["signing_key"])
    found = fetch_manifest(opened, number, public_keys(context))
    part = tags(number, MANIFEST)
    old = [snapshot.id for snapshot in opened.snapshots(*part)]
    opened.backup_bytes(found.manifest.sign(key), MANIFEST_NAME, part)
    failpoint("move.signed")
    # Were they left, the clocks of two machines would decide which one counts.
    opened.forget(old)


def _take_over(_request: Mapping[str, Any]) -> Plan:
    return Plan(
        (
            Step("reserve", _reserve),
            Step("load", load, undo=forget_load),
            Step("settle_in", _settle_in, restart="load"),
            Step("boot", boot_loaded, restart="load"),
            Step("claim", _claim, undo=_unclaim),
            Step("publish", clone.publish, undo=clone.forget_published),
            Step("route", _open, undo=_shut),
            Step("first_request", half_made.finish, final=True),
            Step("sign", _sign),
        ),
        deadline_s=BACKUP_S,
    )


# --- take back


def _void(context: Context) -> dict[str, Any]:
    """Say where both servers see it that the database stays here; refuse when it may be open there."""
    if not context.request["repositories"] or context.request["force"]:
        return {"void": False}
    opened = first_repository(context)
    _check_unclaimed(context, opened)
    context.note(voided=True)
    handover.put_mark(opened, handover.VOID)
    failpoint("move.voided")
    _check_unclaimed(context, opened)
    return {"void": True}


def _check_unclaimed(context: Context, opened: Repository) -> None:
    if handover.marks(opened)[handover.CLAIM]:
        raise HostingError("handover_claimed", name=context.request["target"])


def _unvoid(context: Context) -> None:
    if context.find("void", "voided"):
        handover.remove_mark(first_repository(context), handover.VOID)


def _look(context: Context) -> dict[str, Any]:
    """Open its first page; it is open already, so a slow one changes nothing."""
    try:
        return first_request(context)
    except HostingError as error:
        return {"problem": str(error)}


def _clean(context: Context) -> dict[str, Any]:
    """Remove the repository of the move, unless another server may have it in use."""
    if not context.find("void", "void"):
        return {"removed": False}
    try:
        _forget_repository(context)
    except HostingError as error:
        return {"removed": False, "problem": str(error)}
    return {"removed": True}


def _take_back(_request: Mapping[str, Any]) -> Plan:
    return Plan(
        (
            Step("void", _void, undo=_unvoid),
            Step("show", show, undo=hide_again),
            Step("open", open_all, undo=restore_all, final=True),
            Step("first_request", _look),
            Step("clean", _clean),
        ),
        deadline_s=BACKUP_S,
    )


_ID = matching(r"[0-9a-f]{32}", "the id of a backup place")
KINDS = (
    Kind(
        "hand_over",
        _hand_over,
        {
            "key": Argument(matching(r"[A-Za-z0-9_-]{43}", "a server's public key"), required=True),
            "places": Argument(listing(_ID), required=True),
        },
        slow=True,
    ),
    Kind(
        "take_over",
        _take_over,
        {
            "package": Argument(
                matching(rf"[A-Za-z0-9_-]{{60,{handover.LONGEST}}}", "a package of hand_over"),
                required=True,
            ),
            "document": Argument(document.check_content, default={}),
        },
        slow=True,
    ),
    Kind("take_back", _take_back, {"force": Argument(flag, default=False)}, destroys=True),
)
