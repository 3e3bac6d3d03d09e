"""Forget the backups of a dropped database when the time is over for which they were promised.

Nothing takes this back, so the step that decides asks the machine and the server's records anew:
no database of this identity may be left, not even a hidden one, and the promise must be over now.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import retention
from .backup_work import BACKUP_S, IDENTITY, repository
from .contract import Argument
from .engine import Context, Plan, Step
from .errors import HostingError, sentences
from .failpoints import failpoint
from .kind import Kind

sentences(
    backups_needed="The backups of %(name)s are not forgotten: the database %(found)s of this "
    "identity is still on the machine. Run the reconciliation and look where it comes from.",
    backups_promised="The backups of %(name)s are not forgotten: it was not dropped, or the time for "
    "which its final backup is kept is not over. The form of the database says until when.",
)


def check_over(context: Context) -> dict[str, Any]:
    """Refuse unless the database is gone and its backups are kept for nobody any more."""
    host, request = context.host, context.request
    for name, mark in host.cluster.marks().items():
        if mark.uuid == request["uuid"]:
            raise HostingError("backups_needed", name=request["target"], found=name)
    with host.cluster.cursor(host.server_database) as cr:
        cr.execute(
            "SELECT 1 FROM saas_database WHERE uuid = %s AND state = 'dropped' "
            "AND name_held_until <= now() AT TIME ZONE 'utc'",
            [request["uuid"]],
        )
        if cr.fetchone() is None:
            raise HostingError("backups_promised", name=request["target"])
    return {}


def forget_all(context: Context) -> dict[str, Any]:
    """Forget all that each repository holds; one whose storage is away does not keep the others.

    One that is not found counts as away: its disk may not be mounted.
    """
    forgotten = dict(context.find("forget", "forgotten") or {})
    failed = None
    for entry in context.request["repositories"]:
        context.check()
        try:
            found = retention.forget_all(repository(context, entry))
        except HostingError as error:
            if error.code in ("cancelled", "deadline"):
                raise
            failed = error
            continue
        known = forgotten.get(str(entry["id"]), [])
        forgotten[str(entry["id"])] = sorted({*known, *found})
        context.note(forgotten=forgotten)
        failpoint("backup_forget.one")
    if failed:
        raise failed
    return {"forgotten": forgotten}


def prune_all(context: Context) -> dict[str, Any]:
    """Give back the room; what stays of a repository is its empty frame."""
    pruned = []
    for entry in context.request["repositories"]:
        context.check()
        repository(context, entry).prune()
        pruned.append(entry["id"])
    return {"pruned": pruned}


def plan(_request: Mapping[str, Any]) -> Plan:
    """Return the plan that forgets every backup of a dropped database."""
    return Plan(
        (
            Step("check", check_over),
            Step("forget", forget_all, final=True),
            Step("prune", prune_all),
        ),
        deadline_s=BACKUP_S,
    )


KINDS = (
    Kind(
        "forget_backups",
        plan,
        {"identity": Argument(IDENTITY, required=True)},
        owner="saas.backup",
        public=False,
        slow=True,
        destroys=True,
    ),
)
