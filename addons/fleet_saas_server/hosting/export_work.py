"""The archive of a database for another machine: as it is now, or as it was at a backup.

It is downloaded from ``GET /fleet/export/KEY`` until its time is over. A backup is restored where
nobody sees it, given away as it is, and dropped again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import archive_work, clone, place
from .backup_work import forget_load, load
from .contract import Argument, whole
from .engine import Context, Plan, Step
from .kind import Kind
from .restore_work import BACKUP

KEEP_HOURS = 24
MAX_KEEP_HOURS = 24 * 7


def _physical(context: Context) -> str:
    if context.request.get("backup"):
        return clone.hidden_of(context)
    return place.locate(context)


def _check_room(context: Context) -> dict[str, Any]:
    return archive_work.room_for(context, _physical(context))


def _save(context: Context) -> dict[str, Any]:
    keep_s = context.request["keep_hours"] * 3600
    return archive_work.save(context, _physical(context), keep_s)


def _drop_copy(context: Context) -> dict[str, Any]:
    forget_load(context)
    return {}


def export_plan(request: Mapping[str, Any]) -> Plan:
    """Return the plan of an export; ``backup`` in the request makes it one of a backup."""
    steps = (
        Step("fits", _check_room),
        Step("write", _save, undo=archive_work.remove_archive),
    )
    if request.get("backup"):
        steps = (Step("load", load, undo=forget_load), *steps, Step("drop", _drop_copy))
    return Plan(steps, deadline_s=archive_work.DEADLINE_S)


KINDS = (
    Kind(
        "export",
        export_plan,
        {
            "backup": BACKUP,
            "keep_hours": Argument(whole(1, MAX_KEEP_HOURS), default=KEEP_HOURS),
        },
        slow=True,
    ),
)
