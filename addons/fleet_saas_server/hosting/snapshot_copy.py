"""Snapshots to go back to: hidden instant copies of a live database, with its files.

A snapshot has the same identity as its database and is never served beside it; it is no sealed
clone. Going back exchanges the two by rename, so the replaced one is itself a snapshot until
somebody confirms.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import capacity, files, place, signals
from .contract import Argument, matching, text, whole
from .doors import close_for_work, first_page_aside, first_request, open_all, restore_all
from .engine import Context, Plan, Step
from .failpoints import failpoint
from .kind import Kind
from .names import hidden_name
from .pause import paused, unpause

DEADLINE_S = 1800
# A restore in place keeps what it replaced as a snapshot too.
PHYSICAL = r"fleet_x_(snapshot|former)_[0-9a-f]{32}"


# --- taking one


def _check_room(context: Context) -> dict[str, Any]:
    physical = place.locate(context)
    return capacity.check_place(context.host, physical, served=False) | {"physical": physical}


def take(context: Context) -> dict[str, Any]:
    """Copy the database with its files; visitors wait only while PostgreSQL copies."""
    drop_taken(context)
    host = context.host
    physical = place.locate(context)
    hidden = hidden_name("snapshot")
    context.note(snapshot=hidden)
    failpoint("snapshot.noted")
    files.copy_tree(host.filestore(physical), host.filestore(hidden))
    visible = physical == context.request["target"]
    began = time.monotonic()
    with paused(context, physical) if visible else contextlib.nullcontext():
        host.cluster.clone(physical, hidden, mark=place.mark(context, place.SNAPSHOT))
        failpoint("snapshot.copied")
        _add_new_files(host.filestore(physical), host.filestore(hidden))
    paused_s = round(time.monotonic() - began, 3)
    facts = host.cluster.facts(hidden)
    return {"physical": hidden, "size": facts.size, "paused_s": paused_s}


def drop_taken(context: Context) -> None:
    """Drop the copy that this step had begun, and open what it had paused."""
    unpause(context)
    hidden = context.find(context.step, "snapshot")
    if hidden:
        place.forget(context.host, hidden)


def _add_new_files(source: Path, target: Path) -> None:
    """Link the files that came after the first look."""
    for folder in os.scandir(source) if source.is_dir() else ():
        if folder.is_dir(follow_symlinks=False) and folder.name != files.SKIPPED:
            there = target / folder.name
            there.mkdir(exist_ok=True)
            for name in set(os.listdir(folder.path)).difference(os.listdir(there)):
                files.copy_file(os.path.join(folder.path, name), there / name)


def _snapshot(_request: Mapping[str, Any]) -> Plan:
    return Plan(
        (Step("check", _check_room), Step("take", take, undo=drop_taken)), deadline_s=DEADLINE_S
    )


# --- going back


def _check_revert(context: Context) -> dict[str, Any]:
    evidence = place.check_served(context)
    place.check_snapshot(context, context.request["snapshot"])
    return evidence


def _swap(context: Context) -> dict[str, Any]:
    """Exchange the database and the snapshot."""
    replaced = context.find("swap", "replaced")
    if not replaced:
        replaced = hidden_name("snapshot")
        context.note(replaced=replaced)
    place.swap(context, context.request["target"], context.request["snapshot"], replaced)
    wake(context, replaced)
    return {"replaced": replaced, "size": context.host.cluster.facts(replaced).size}


def _swap_back(context: Context) -> None:
    replaced = context.find("swap", "replaced")
    if replaced:
        place.swap(context, context.request["target"], replaced, context.request["snapshot"])
        wake(context, context.request["snapshot"])


def wake(context: Context, replaced: str) -> None:
    """Let running processes notice that another database has the name of the one they know."""
    cluster = context.host.cluster
    if not cluster.exists(replaced):
        return
    with cluster.cursor(replaced) as cr:
        known = signals.levels(cr)
    with cluster.cursor(context.request["target"]) as cr:
        signals.raise_above(cr, known)


def _revert(_request: Mapping[str, Any]) -> Plan:
    return Plan(
        (
            Step("check", _check_revert),
            Step("close", close_for_work, undo=restore_all),
            Step("swap", _swap, undo=_swap_back),
            Step("first_page", first_page_aside),
            Step("open", open_all, final=True),
            Step("first_request", first_request),
        ),
        deadline_s=DEADLINE_S,
    )


# --- forgetting one


def _check_drop(context: Context) -> dict[str, Any]:
    """Find the snapshot; gone is fine."""
    name = context.request["snapshot"]
    if context.host.cluster.exists(name):
        place.check_snapshot(context, name)
    return {"physical": name}


def _drop(context: Context) -> dict[str, Any]:
    place.forget(context.host, context.request["snapshot"])
    return {"physical": context.request["snapshot"]}


def _snapshot_drop(_request: Mapping[str, Any]) -> Plan:
    return Plan((Step("check", _check_drop), Step("drop", _drop, final=True)), deadline_s=300)


_NAME = {"snapshot": Argument(matching(PHYSICAL, "the name of a snapshot"), required=True)}
KINDS = (
    Kind(
        "snapshot",
        _snapshot,
        {
            "reason": Argument(text(200), default=""),
            "keep_hours": Argument(whole(0, 24 * 366), default=None),
        },
    ),
    Kind("revert", _revert, _NAME, destroys=True),
    Kind("snapshot_drop", _snapshot_drop, _NAME, destroys=True),
)
