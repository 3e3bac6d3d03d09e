"""The operations that bring a backup back: in place, as a new database, as a staging copy.

In place, the restored database is hidden until it was compared with its manifest; then the two
change places by renaming. The former one stays hidden until somebody confirms, so that even a
restore can be taken back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from . import clone, files, half_made, place
from .backup_work import BACKUP_S, IDENTITY, forget_load, load
from .contract import Argument, choice, flag, mapping, matching, name
from .doors import close_for_work, first_page_aside, open_all, restore_all
from .engine import Context, Plan, Step
from .errors import HostingError
from .failpoints import failpoint
from .kind import Kind
from .names import hidden_name
from .postgres import Mark

BACKUP = Argument(matching(r"[0-9a-z][0-9a-z-]{7,63}", "the id of a backup"))


def _mark(context: Context, kind: str) -> Mark:
    uuid = context.request["uuid"]
    return Mark(context.host.server, kind, uuid=uuid, operation=context.operation)


def load_for(context: Context) -> dict[str, Any]:
    """Restore the backup beside the database that it is to replace.

    Asked for long ago, that one may be hidden by now, or its name another database's.
    """
    place.check_unprotected(context)
    host, target = context.host, context.request["target"]
    physical = place.find(host, context.request["uuid"])
    if physical not in (None, target):
        raise HostingError("no_database", name=target)
    if physical is None and host.cluster.exists(target):
        raise HostingError("name_taken", name=target)
    return load(context)


def put_aside(context: Context) -> dict[str, Any]:
    """Hide the database that is there now, files included; it is kept."""
    host, target = context.host, context.request["target"]
    kept = context.find("put_aside", "kept") or hidden_name("former")
    context.note(kept=kept)
    if not host.cluster.exists(kept) and host.cluster.exists(target):
        host.cluster.hide(target, kept, mark=_mark(context, "snapshot"))
    failpoint("restore.aside")
    if not host.filestore(kept).exists():
        files.move_tree(host.filestore(target), host.filestore(kept))
    return {"kept": kept}


def put_back(context: Context) -> None:
    """Give the database that was put aside its name again."""
    host, target = context.host, context.request["target"]
    kept = context.find("put_aside", "kept")
    if not kept or not host.cluster.exists(kept):
        return
    if host.filestore(kept).exists():
        files.move_tree(host.filestore(kept), host.filestore(target))
    host.cluster.publish(kept, target, mark=_mark(context, "hosted"))


def put_in(context: Context) -> dict[str, Any]:
    """Give the restored database its name."""
    host, target = context.host, context.request["target"]
    hidden = clone.hidden_of(context)
    if host.cluster.exists(hidden):
        files.move_tree(host.filestore(hidden), host.filestore(target))
        failpoint("restore.files_in")
        half_made.begin(context)
        host.cluster.publish(hidden, target, mark=_mark(context, "hosted"))
    return {"physical": target}


def take_out(context: Context) -> None:
    """Hide the restored database again, if it already has the name and nobody works in it.

    :raises HostingError: ``in_use_already``
    """
    half_made.check(context, "put_in")
    host, target = context.host, context.request["target"]
    hidden = clone.hidden_of(context)
    if not host.cluster.exists(hidden) and host.cluster.exists(target):
        host.cluster.hide(target, hidden, mark=_mark(context, "hidden"))
    if not host.filestore(hidden).exists():
        files.move_tree(host.filestore(target), host.filestore(hidden))


IN_PLACE = (
    Step("load", load_for, undo=forget_load),
    Step("close", close_for_work, undo=restore_all),
    Step("put_aside", put_aside, undo=put_back),
    Step("put_in", put_in, undo=take_out),
    Step("first_page", first_page_aside),
    # From here on customers write to it: to take it back would lose what they wrote.
    Step("reopen", open_all, final=True),
    Step("first_request", half_made.finish),
)
BESIDE = (
    Step("reserve", clone.reserve_name),
    Step("load", load, undo=forget_load),
    *(
        replace(step, restart="load" if step.restart else "")
        for step in clone.STEPS
        if step.name not in ("reserve", "copy")
    ),
)


def in_place_plan(_request: Mapping[str, Any]) -> Plan:
    """Return the plan of a restore over the database itself."""
    return Plan(IN_PLACE, deadline_s=BACKUP_S)


def beside_plan(_request: Mapping[str, Any]) -> Plan:
    """Return the plan of a restore as a new database, sealed like every clone."""
    return Plan(BESIDE, deadline_s=BACKUP_S)


KINDS = (
    Kind("restore", in_place_plan, {"backup": BACKUP}, slow=True, destroys=True),
    Kind(
        "restore_as",
        beside_plan,
        {
            "source": Argument(name, required=True),
            "backup": BACKUP,
            "identity": Argument(IDENTITY),
            "purpose": Argument(choice("customer", "trial", "staging"), default="staging"),
            "personal": Argument(mapping(), default={}),
            "keep_logins": Argument(flag, default=False),
        },
        slow=True,
    ),
)
