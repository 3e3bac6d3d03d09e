"""Read backups back: right after they were taken, and every night a share of all their data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from .beside import Beside
from .children import Progress, no_limit, no_progress
from .failpoints import failpoint
from .manifest import Manifest
from .restic import Repository
from .restore import fetch_manifest
from .retention import listed

NEWEST = 3


@dataclass(frozen=True)
class Verified:
    """What was read back.

    :param backups: the ids of the backups whose manifests were read and are good, newest first
    :param complete: the ids of every complete backup in the repository
    """

    backups: list[str]
    complete: list[str]
    snapshots: int
    part: int
    parts: int


def confirm(
    repository: Repository,
    backup: str,
    keys: Iterable[Ed25519PublicKey],
    *,
    progress: Progress = no_progress,
    remaining_s: Callable[[], float] = no_limit,
) -> Manifest:
    """Read back what a new backup needs, from the storage itself; only then it counts.

    restic compares the objects and their sizes with the index and every snapshot with the index;
    the manifest is found by its tag, as a restore finds it, read, and its signature verified. Calls
    restic once with a lock and, beside that, twice without.

    :raises HostingError: ``repository_damaged``, ``no_backup``, ``bad_signature``, ``bad_manifest``
    """
    watched = repository.watched(progress, remaining_s)
    failpoint("backup.before_confirm")
    with Beside(
        lambda told: fetch_manifest(watched.watched(told, remaining_s), backup, keys)
    ) as read:
        watched.check()
        found = read.result(progress)
    failpoint("backup.confirmed")
    return found.manifest


def verify(
    repository: Repository,
    keys: Iterable[Ed25519PublicKey],
    *,
    part: int = 1,
    parts: int = 7,
    newest: int = NEWEST,
    progress: Progress = no_progress,
    remaining_s: Callable[[], float] = no_limit,
) -> Verified:
    """Check the whole repository, read the ``part``-th of ``parts`` shares of its data, and the
    manifests of the ``newest`` backups.

    After ``parts`` nights every byte was read. Calls restic ``newest`` + 2 times, only the check
    with a lock.

    :raises HostingError: ``repository_damaged``, ``no_backup``, ``bad_signature``, ``bad_manifest``
    """
    if not 1 <= part <= parts:
        raise ValueError(f"there is no part {part} of {parts}")
    watched, keys = repository.watched(progress, remaining_s), list(keys)
    watched.check((part, parts))
    failpoint("verify.checked")
    snapshots = watched.snapshots()
    complete = [taken.backup for taken in listed(snapshots)[0]]
    backups = complete[:newest]
    for number, backup in enumerate(backups):
        progress(number, len(backups), "Comparing the manifests")
        fetch_manifest(watched, backup, keys, listed=snapshots)
    return Verified(backups, complete, len(snapshots), part, parts)
