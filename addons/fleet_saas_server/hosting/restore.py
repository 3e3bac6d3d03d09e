"""Bring a backup back, into a hidden database; whoever calls publishes it, or drops it.

The dump is read into a file first and compared with the signed manifest, so that nothing of it is
executed before it is known to be ours; from a file pg_restore can also work in parallel. It runs
as the role of the cluster, which is no superuser: of PostgreSQL's extensions that is enough for the
trusted ones, which then belong to it, so that their comments can be set as well.
"""

from __future__ import annotations

import hashlib
import os
import random
import re
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from . import children, files, names
from .backup import BACKUP_ID, DUMP_NAME, MANIFEST, MANIFEST_NAME, conninfo_name
from .beside import Beside
from .children import Progress, no_limit, no_progress
from .errors import HostingError, sentences
from .failpoints import failpoint
from .manifest import Manifest, verify
from .pgtools import PgTools, server_major
from .postgres import Mark
from .restic import Repository, Snapshot
from .snapshot import count_rows

JOBS = 2
MANIFEST_LIMIT = 512 << 20
SAMPLE = 500
# The database is dropped when anything fails, so its log need not be flushed at each commit.
PG_OPTIONS = "-c synchronous_commit=off -c maintenance_work_mem=128MB -c statement_timeout=0"

sentences(
    no_backup="There is no complete backup %(backup)s in the repository.",
    server_older="The backup was made with PostgreSQL %(dumped)s; this server runs PostgreSQL "
    "%(server)s. Restore it on a server with PostgreSQL %(dumped)s or newer.",
    extension_missing="The database needs PostgreSQL's extension %(extension)s, which this server "
    "cannot give it. Install it, or let an administrator of PostgreSQL mark it as trusted.",
    damaged_dump="The dump of the backup %(backup)s does not match its manifest (%(what)s).",
    restore_failed="pg_restore stopped: %(reason)s",
    rows_differ="After the restore %(tables)s tables have another number of rows than in the "
    "manifest, for example %(table)s: %(found)s instead of %(expected)s.",
    files_differ="After the restore %(count)s files differ from the manifest, for example %(file)s.",
    not_hidden="%(name)s is not a hidden database, and a restore never touches any other.",
)


@dataclass(frozen=True)
class Target:
    """Where to restore to.

    :param database: a hidden name, see `names.hidden_name`
    :param mark: the owner mark; what is left of an earlier try with the mark's server is replaced
    :param filestore: the folder of its files
    :param work: a folder with room for the uncompressed dump
    """

    database: str
    mark: Mark
    filestore: Path
    work: Path


@dataclass(frozen=True)
class Restored:
    """The evidence of a restore. ``hashed`` files were read back and compared with their SHA-1."""

    backup: str
    tables: int
    rows: int
    files: int
    bytes: int
    hashed: int
    missing: int


@dataclass(frozen=True)
class Found:
    """A backup in a repository: its manifest, and the ids of its snapshots there."""

    manifest: Manifest
    dump: str
    files: str


def fetch_manifest(
    repository: Repository,
    backup: str,
    keys: Iterable[Ed25519PublicKey],
    *,
    listed: list[Snapshot] | None = None,
) -> Found:
    """Return a backup's manifest once its signature is verified. Calls restic twice, without locks.

    :param listed: what `Repository.snapshots` returned a moment ago, to save one call
    :raises HostingError: ``no_backup``, ``bad_signature``, ``bad_manifest``
    """
    if not BACKUP_ID.fullmatch(backup):
        raise HostingError("bad_backup_id", backup=backup)
    tag = f"backup={backup}"
    found = [entry for entry in listed or repository.snapshots(tag) if tag in entry.tags]
    manifests = [entry for entry in found if f"part={MANIFEST}" in entry.tags]
    if not manifests:
        raise HostingError("no_backup", backup=backup)
    # Two of them are what an interrupted and repeated backup leaves; each is complete.
    manifest = verify(_read(repository, manifests[-1].id), keys, backup=backup)
    here = {entry.original: entry.id for entry in found} | {entry.id: entry.id for entry in found}
    try:
        stored = here[manifest.files_snapshot] if manifest.files_snapshot else ""
        return Found(manifest, here[manifest.dump], stored)
    except KeyError as error:
        raise HostingError("no_backup", backup=backup) from error


def _read(repository: Repository, snapshot: str) -> bytes:
    try:
        return _dumped(repository, snapshot, lock=False)
    except HostingError as error:
        if error.code not in ("restic_failed", "repository_damaged"):
            raise
    # Somebody's prune may have moved it just then; behind its lock that is over.
    return _dumped(repository, snapshot, lock=True)


def _dumped(repository: Repository, snapshot: str, *, lock: bool) -> bytes:
    data = bytearray()

    def write(block: bytes) -> None:
        data.extend(block)
        if len(data) > MANIFEST_LIMIT:
            raise HostingError("bad_manifest", backup=snapshot[:8], reason="it is too long")

    repository.dump_to(snapshot, f"/{MANIFEST_NAME}", write, lock=lock)
    return bytes(data)


def restore(
    found: Found,
    target: Target,
    *,
    tools: PgTools,
    repository: Repository,
    every_file: bool = False,
    progress: Progress = no_progress,
    remaining_s: Callable[[], float] = no_limit,
) -> Restored:
    """Restore a backup into a new hidden database and check it against the manifest.

    May be run again after it was interrupted: it begins anew. Where it fails, database and folder
    are left for the caller's undo. Calls restic twice, the second time beside pg_restore.

    :param every_file: compare every file with its SHA-1, not only every size and a sample
    :raises HostingError: ``server_older``, ``client_older``, ``extension_missing``,
        ``damaged_dump``, ``restore_failed``, ``rows_differ``, ``files_differ``, ``not_hidden``
    """
    if not names.is_hidden(target.database):
        raise HostingError("not_hidden", name=target.database)
    check_versions(found.manifest, tools)
    watched = repository.watched(progress, remaining_s)
    tools.cluster.drop(target.database, server=target.mark.server)
    files.remove_tree(target.filestore)
    work = work_folder(target.work, target.database)
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True, mode=0o700)
    try:
        return _Restoring(found, target, tools, watched, work).run(every_file)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def work_folder(work: Path, database: str) -> Path:
    """Return where the uncompressed dump waits; one that was killed leaves it behind."""
    return work / f"restore-{database}"


def check_versions(manifest: Manifest, tools: PgTools) -> None:
    """Raise when this machine cannot restore what the manifest describes."""
    server = server_major(tools.cluster)
    if server < manifest.server:
        raise HostingError("server_older", dumped=manifest.server, server=server)
    tools.require(manifest.client, "a dump", "pg_restore")
    with tools.cluster.cursor() as cr:
        cr.execute(
            "SELECT name FROM pg_available_extension_versions GROUP BY name "
            "HAVING bool_or(trusted OR NOT superuser OR "
            "(SELECT rolsuper FROM pg_roles WHERE rolname = current_user))"
        )
        usable = {name for (name,) in cr.fetchall()}
    for extension in sorted(manifest.extensions):
        if extension not in usable:
            raise HostingError("extension_missing", extension=extension)


class _Restoring:
    """One restore while it runs."""

    def __init__(
        self, found: Found, target: Target, tools: PgTools, repository: Repository, work: Path
    ) -> None:
        self.found, self.manifest, self.target = found, found.manifest, target
        self.tools, self.repository, self.work = tools, repository, work

    def run(self, every_file: bool) -> Restored:
        dump = self.work / DUMP_NAME
        self._read_dump(dump)
        failpoint("restore.dump_read")
        self.tools.cluster.create_empty(self.target.database, mark=self.target.mark)
        failpoint("restore.created")
        with Beside(self._restore_files) as files_restored:
            self._load(dump)
            dump.unlink()
            failpoint("restore.loaded")
            files_restored.result(self.repository.progress)
        failpoint("restore.files")
        return self._verified(every_file)

    def _read_dump(self, path: Path) -> None:
        """Read the dump into a file; nothing runs it before size and checksum are right."""
        digest, size = hashlib.sha256(), 0
        with open(path, "xb") as handle:

            def write(block: bytes) -> None:
                nonlocal size
                size += len(block)
                digest.update(block)
                handle.write(block)

            self.repository.dump_to(self.found.dump, f"/{DUMP_NAME}", write)
        backup = self.manifest.backup
        if size != self.manifest.dump_size:
            what = f"{size} bytes instead of {self.manifest.dump_size}"
            raise HostingError("damaged_dump", backup=backup, what=what)
        if digest.hexdigest() != self.manifest.dump_sha256:
            raise HostingError("damaged_dump", backup=backup, what="another SHA-256")

    def _load(self, dump: Path) -> None:
        load(
            dump,
            self.target.database,
            self.tools,
            progress=self.repository.progress,
            remaining_s=self.repository.remaining_s,
        )

    def _restore_files(self, progress: Progress) -> None:
        self.target.filestore.mkdir(parents=True)
        if self.found.files:
            self.repository.watched(progress, self.repository.remaining_s).restore(
                self.found.files, self.target.filestore, what="Restoring the files"
            )

    def _verified(self, every_file: bool) -> Restored:
        self.repository.progress(0, 1, "Comparing with the manifest")
        with self.tools.cluster.cursor(self.target.database) as cr:
            # pg_restore leaves the planner without statistics.
            cr.execute("ANALYZE")
            rows = count_rows(cr)
        compare_rows(self.manifest.rows, rows)
        sample = len(self.manifest.files) if every_file else SAMPLE
        hashed = compare_files(self.manifest.files, self.target.filestore, sample)
        return Restored(
            backup=self.manifest.backup,
            tables=len(rows),
            rows=sum(rows.values()),
            files=len(self.manifest.files),
            bytes=self.manifest.dump_size + self.manifest.files_bytes,
            hashed=hashed,
            missing=len(self.manifest.missing),
        )


def load(
    dump: Path,
    database: str,
    tools: PgTools,
    *,
    progress: Progress = no_progress,
    remaining_s: Callable[[], float] = no_limit,
) -> None:
    """Load a dump in pg_dump's custom format into an empty database, up to the first error.

    Owners and grants are left out: their roles are another server's. So are publications and
    subscriptions: a copy must not join a replication.

    :raises HostingError: ``restore_failed``, ``extension_missing``, ``child_deadline``
    """
    ended = tools.run(
        [
            *("pg_restore", "--exit-on-error", "--no-owner", "--no-privileges", "--no-password"),
            *("--no-publications", "--no-subscriptions", "--no-security-labels"),
            *(f"--jobs={JOBS}", f"--dbname={conninfo_name(database)}", str(dump)),
        ],
        options=PG_OPTIONS,
        beat=lambda: progress(0, 1, "Loading the database"),
        remaining_s=remaining_s,
    )
    children.check_time(ended, "pg_restore")
    if ended.code == 0:
        return
    denied = re.search(r'(?:create extension|extension) "([^"]+)"', ended.errors)
    if denied and "CREATE EXTENSION" in ended.errors:
        raise HostingError("extension_missing", extension=denied[1])
    errors = [line for line in ended.errors.splitlines() if "error:" in line]
    reason = errors[0] if errors else children.killed(ended.code) or ended.errors[-300:]
    raise HostingError("restore_failed", reason=reason)


def compare_rows(expected: dict[str, int], found: dict[str, int]) -> None:
    """Raise ``rows_differ`` when a table is missing, too many, or not of the same length."""
    different = [
        table
        for table in sorted(expected.keys() | found.keys())
        if expected.get(table) != found.get(table)
    ]
    if different:
        table = different[0]
        raise HostingError(
            "rows_differ",
            tables=len(different),
            table=table,
            found=found.get(table, "none"),
            expected=expected.get(table, "none"),
        )


def compare_files(expected: dict[str, int], folder: Path, sample: int) -> int:
    """Compare names and sizes of all files, and the content of ``sample`` of them; return how many.

    restic has compared the content of every file with what was saved. The SHA-1 in a name also
    finds what was damaged on the disk before.

    :raises HostingError: ``files_differ``
    """
    found = {
        f"{os.path.basename(parent)}/{name}": os.lstat(os.path.join(parent, name)).st_size
        for parent, _folders, entries in os.walk(folder)
        for name in entries
    }
    different = sorted(dict(found.items() ^ expected.items()))
    if different:
        raise HostingError("files_differ", count=len(different), file=different[0])
    chosen = sorted(expected)
    if sample < len(chosen):
        chosen = random.sample(chosen, sample)
    damaged = [name for name in chosen if not files.is_intact(folder / name)]
    if damaged:
        raise HostingError("files_differ", count=len(damaged), file=damaged[0])
    return len(chosen)
