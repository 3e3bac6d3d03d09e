"""Which backups to keep: the last, then one a day, a week and a month."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from .backup import MANIFEST
from .restic import Repository, Snapshot

# An interrupted backup may be continued; after this nobody will.
UNFINISHED_S = 24 * 3600


@dataclass(frozen=True)
class Policy:
    """How many backups to keep; the newest of a day, an ISO week or a month stands for it (UTC)."""

    last: int = 4
    daily: int = 7
    weekly: int = 4
    monthly: int = 3


@dataclass(frozen=True)
class Taken:
    """A complete backup in a repository, with all its snapshots there."""

    backup: str
    taken_at: datetime.datetime
    snapshots: tuple[str, ...]


def listed(snapshots: Iterable[Snapshot]) -> tuple[list[Taken], list[Snapshot]]:
    """Return the backups among snapshots, newest first, and the snapshots that belong to none."""
    parts: dict[str, list[Snapshot]] = {}
    for snapshot in snapshots:
        parts.setdefault(_tag(snapshot, "backup="), []).append(snapshot)
    complete, rest = [], []
    for backup, members in parts.items():
        ends = [_time(entry) for entry in members if f"part={MANIFEST}" in entry.tags]
        if backup and ends:
            ids = tuple(entry.id for entry in members)
            complete.append(Taken(backup, max(ends), ids))
        else:
            rest += members
    return sorted(complete, key=lambda taken: taken.taken_at, reverse=True), rest


def surplus(backups: Iterable[Taken], policy: Policy, never: Iterable[str] = ()) -> list[Taken]:
    """Return the backups that the policy does not keep.

    :param never: ids of backups that stay in any case: the newest verified one, a final one
    """
    newest_first = sorted(backups, key=lambda taken: taken.taken_at, reverse=True)
    keep = {taken.backup for taken in newest_first[: max(policy.last, 1)]} | set(never)
    periods: list[tuple[int, Callable[[datetime.datetime], object]]] = [
        (policy.daily, lambda moment: moment.date()),
        (policy.weekly, lambda moment: tuple(moment.isocalendar())[:2]),
        (policy.monthly, lambda moment: (moment.year, moment.month)),
    ]
    for count, period in periods:
        seen: set[object] = set()
        for taken in newest_first:
            key = period(taken.taken_at)
            if key not in seen and len(seen) < count:
                seen.add(key)
                keep.add(taken.backup)
    return [taken for taken in newest_first if taken.backup not in keep]


def apply(
    repository: Repository,
    policy: Policy,
    *,
    never: Iterable[str] = (),
    now: datetime.datetime | None = None,
) -> list[str]:
    """Forget what the policy does not keep, and what interrupted backups left; return their ids.

    The data goes with `Repository.prune`, which may be called more rarely. Calls restic once or
    twice.
    """
    now = now or datetime.datetime.now(datetime.timezone.utc)
    snapshots = repository.snapshots()
    backups, rest = listed(snapshots)
    old = surplus(backups, policy, never)
    unfinished = [
        entry.id
        for entry in rest
        if _tag(entry, "backup=") and (now - _time(entry)).total_seconds() > UNFINISHED_S
    ]
    gone = [snapshot for taken in old for snapshot in taken.snapshots] + unfinished
    protected = [
        snapshot for taken in backups if taken.backup in set(never) for snapshot in taken.snapshots
    ]
    if gone:
        repository.forget(gone, never=protected, listed=snapshots)
    return [taken.backup for taken in old]


def forget_all(repository: Repository) -> list[str]:
    """Forget every snapshot of a repository; return the ids of the backups that there were."""
    snapshots = repository.snapshots()
    backups, _rest = listed(snapshots)
    if snapshots:
        repository.forget([entry.id for entry in snapshots])
    return [taken.backup for taken in backups]


def _tag(snapshot: Snapshot, prefix: str) -> str:
    return next((tag.removeprefix(prefix) for tag in snapshot.tags if tag.startswith(prefix)), "")


def _time(snapshot: Snapshot) -> datetime.datetime:
    """Return when a snapshot was made; restic writes nanoseconds, and local time with its offset."""
    head, _, tail = snapshot.time.partition(".")
    offset = tail.lstrip("0123456789") if tail else ""
    moment = datetime.datetime.fromisoformat((head + offset).replace("Z", "+00:00"))
    return moment.astimezone(datetime.timezone.utc)
