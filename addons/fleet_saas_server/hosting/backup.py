"""Take one backup: the dump of one moment, exactly the files that it names, a signed manifest.

Three snapshots of restic carry the tag of the backup: the dump, the files (none when there are
none) and, last, the manifest. Without a manifest there is no backup. The dump is pg_dump's custom
format uncompressed: restic deduplicates it, and pg_restore reads it in parallel and runs none of
psql's commands.
"""

from __future__ import annotations

import datetime
import os
import re
import shutil
import stat
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from . import digest_child, files
from .beside import Beside
from .children import Progress, no_limit, no_progress
from .errors import HostingError, sentences
from .failpoints import failpoint
from .manifest import Manifest
from .pgtools import PgTools
from .restic import Repository, Saved
from .snapshot import ExportedSnapshot, Facts

DUMP, FILES, MANIFEST = "dump", "files", "manifest"
DUMP_NAME, MANIFEST_NAME = "database.dump", "manifest"
BACKUP_ID = re.compile(r"[0-9a-z][0-9a-z-]{7,63}")
LINKS_AT_ONCE = 500
SHOWN_MISSING = 20

sentences(
    bad_backup_id="%(backup)s cannot be the id of a backup.",
    no_digest="pg_dump ended without leaving its size and checksum, so the backup does not count.",
    short_dump="pg_dump wrote %(written)s bytes but %(saved)s were saved, so the backup does not count.",
)


@dataclass(frozen=True)
class Source:
    """What is backed up.

    :param physical: the database's name in PostgreSQL; ``name`` is the one that people use
    :param uuid: the hosted database's identity, the same for all its backups
    :param filestore: the folder of its files
    :param staging: a folder on the same file system in which links may be made; best the same
        for every backup of a server
    """

    physical: str
    name: str
    uuid: str
    filestore: Path
    staging: Path
    purpose: str = ""


@dataclass(frozen=True)
class Backup:
    """The evidence of a backup that was taken; it still has to be read back (`check.confirm`).

    :param bytes: of dump and files; ``added`` were new in the repository, compressed
    :param missing: how many files the database names that were not there; ``missing_names`` has the
        first ones. More than none makes it a backup with warnings.
    """

    backup: str
    taken_at: str
    snapshots: dict[str, str]
    bytes: int
    added: int
    files: int
    dump_size: int
    dump_sha256: str
    rows: int
    missing: int
    missing_names: list[str]


@dataclass
class Staged:
    """The files that were found, with their bytes, and the names of the others."""

    sizes: dict[str, int]
    missing: list[str]


def tags(backup: str, part: str) -> list[str]:
    """Return the tags of one of a backup's three snapshots."""
    if not BACKUP_ID.fullmatch(backup):
        raise HostingError("bad_backup_id", backup=backup)
    return [f"backup={backup}", f"part={part}"]


def take(
    source: Source,
    *,
    backup: str,
    tools: PgTools,
    repository: Repository,
    key: Ed25519PrivateKey,
    progress: Progress = no_progress,
    remaining_s: Callable[[], float] = no_limit,
) -> Backup:
    """Take a backup of a database in use; it stays usable all the time.

    May be run again under the same id after it was interrupted: only what the manifest names
    counts. Calls restic three times.

    :param backup: a new id, see `BACKUP_ID`
    :raises HostingError: ``client_older``, ``backup_source_failed``, ``no_digest``, ``short_dump``,
        and what `Repository` raises
    """
    tags(backup, DUMP)
    watched = repository.watched(progress, remaining_s)
    stage = source.staging / source.uuid
    shutil.rmtree(stage, ignore_errors=True)
    stage.mkdir(parents=True, mode=0o700)
    try:
        return _Taking(source, backup, tools, watched, key, stage).run()
    finally:
        shutil.rmtree(stage, ignore_errors=True)


class _Taking:
    """One backup while it is being taken."""

    def __init__(
        self,
        source: Source,
        backup: str,
        tools: PgTools,
        repository: Repository,
        key: Ed25519PrivateKey,
        stage: Path,
    ) -> None:
        self.source, self.backup, self.tools = source, backup, tools
        self.repository, self.key = repository, key
        # restic finds the backup before by the folder's path.
        self.files, self.side = stage / "files", stage / "dump.digest"
        self.taken_at = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")

    def run(self) -> Backup:
        with ExportedSnapshot(self.tools.cluster, self.source.physical) as snapshot:
            failpoint("backup.exported")
            facts = snapshot.facts()
            client = self.tools.require(facts.server, f"the database {self.source.name}")
            with Beside(lambda told: self._collect(snapshot, told)) as collecting:
                dump = self._dump(snapshot.id, facts.size)
                staged, rows = collecting.result(self.repository.progress)
        failpoint("backup.dumped")
        size, digest = self._digest(dump)
        saved = self._save_files(staged)
        manifest = self._manifest(facts, client, staged, rows, dump.snapshot, size, digest, saved)
        failpoint("backup.before_manifest")
        last = self._save(manifest)
        return self._evidence(manifest, last, dump, saved)

    def _collect(
        self, snapshot: ExportedSnapshot, progress: Progress
    ) -> tuple[Staged, dict[str, int]]:
        """Link the files and count the rows, while restic derives its key and pg_dump writes."""
        # At once, so that what Odoo's garbage collection removes from now on is still ours.
        named = snapshot.stored_files().sizes
        staged = stage_files(named, self.source.filestore, self.files, progress)
        failpoint("backup.staged")
        return staged, snapshot.row_counts()

    def _dump(self, snapshot: str, size: int) -> Saved:
        script = str(Path(digest_child.__file__).resolve())
        pg_dump = [
            *(self.tools.path("pg_dump"), "--format=custom", "--compress=0", "--no-owner"),
            *("--no-password", "--lock-wait-timeout=60s", f"--snapshot={snapshot}"),
            f"--dbname={conninfo_name(self.source.physical)}",
        ]
        return self.repository.backup_stdin(
            [sys.executable, "-I", "-S", script, str(self.side), *pg_dump],
            DUMP_NAME,
            tags(self.backup, DUMP),
            env=self.tools.cluster.environment(),
            total=size,
            what="Saving the database",
        )

    def _digest(self, dump: Saved) -> tuple[int, str]:
        """Return size and SHA-256 that were counted beside the dump."""
        try:
            size, digest = self.side.read_text().split()
        except (OSError, ValueError) as error:
            raise HostingError("no_digest") from error
        if int(size) != dump.bytes:
            raise HostingError("short_dump", written=size, saved=dump.bytes)
        return int(size), digest

    def _save_files(self, staged: Staged) -> Saved:
        if not staged.sizes:
            return Saved("", 0, 0, 0.0)
        return self.repository.backup_files(
            self.files, tags(self.backup, FILES), what="Saving the files"
        )

    def _manifest(
        self,
        facts: Facts,
        client: int,
        staged: Staged,
        rows: dict[str, int],
        dump: str,
        size: int,
        digest: str,
        saved: Saved,
    ) -> Manifest:
        return Manifest(
            backup=self.backup,
            name=self.source.name,
            uuid=self.source.uuid,
            purpose=self.source.purpose,
            taken_at=self.taken_at,
            odoo=facts.odoo,
            modules=dict(facts.modules),
            extensions=dict(facts.extensions),
            server=facts.server,
            client=client,
            database_size=facts.size,
            dump=dump,
            dump_size=size,
            dump_sha256=digest,
            files_snapshot=saved.snapshot,
            files=staged.sizes,
            missing=staged.missing,
            rows=rows,
        )

    def _save(self, manifest: Manifest) -> Saved:
        return self.repository.backup_bytes(
            manifest.sign(self.key), MANIFEST_NAME, tags(self.backup, MANIFEST)
        )

    def _evidence(self, manifest: Manifest, last: Saved, dump: Saved, saved: Saved) -> Backup:
        parts = {DUMP: dump.snapshot, FILES: saved.snapshot, MANIFEST: last.snapshot}
        return Backup(
            backup=self.backup,
            taken_at=self.taken_at,
            snapshots={part: snapshot for part, snapshot in parts.items() if snapshot},
            bytes=dump.bytes + saved.bytes,
            added=dump.added + saved.added + last.added,
            files=len(manifest.files),
            dump_size=manifest.dump_size,
            dump_sha256=manifest.dump_sha256,
            rows=sum(manifest.rows.values()),
            missing=len(manifest.missing),
            missing_names=manifest.missing[:SHOWN_MISSING],
        )


def stage_files(
    named: Mapping[str, int | None],
    filestore: Path,
    target: Path,
    progress: Progress = no_progress,
) -> Staged:
    """Link the named files into a new folder, where nobody removes them under our hands.

    A name that is none of Odoo's (a tenant can write what he likes there), a file that is not
    there, is a link, or is damaged, counts as missing.
    """
    target.mkdir()
    staged = Staged({}, [])
    made: set[str] = set()
    how = "link"
    for number, (name, size) in enumerate(sorted(named.items())):
        if number % LINKS_AT_ONCE == 0:
            progress(number, len(named), "Collecting the files")
        path = filestore / name
        found = _usable_size(path, size) if files.STORED_NAME.fullmatch(name) else None
        if found is None:
            staged.missing.append(name[:100])
            continue
        if name[:2] not in made:
            (target / name[:2]).mkdir()
            made.add(name[:2])
        try:
            how = files.copy_file(path, target / name, how)
        except FileNotFoundError:
            staged.missing.append(name)
            continue
        except HostingError:  # where links cannot be made, the copy is compared with its name
            (target / name).unlink()
            staged.missing.append(name)
            continue
        staged.sizes[name] = found
    return staged


def _usable_size(path: Path, expected: int | None) -> int | None:
    """Return a file's bytes, None when it is not there or damaged.

    Reading every file to know would take as long as saving it. Another size than the attachment
    says is the sign to look for; the checksum in its name decides.
    """
    try:
        status = os.lstat(path)
    except OSError:
        return None
    if not stat.S_ISREG(status.st_mode):
        return None
    if expected is not None and status.st_size != expected and not files.is_intact(path):
        return None
    return status.st_size


def conninfo_name(database: str) -> str:
    """Return a database name as ``--dbname`` takes it: never as a connection string of its own.

    libpq, "Parameter Key Words": with an ``=`` in it, a dbname is read as a connection string.
    """
    escaped = database.replace("\\", "\\\\").replace("'", "\\'")
    return f"dbname='{escaped}'"


def copy(
    snapshots: Mapping[str, str],
    *,
    source: Repository,
    target: Repository,
    progress: Progress = no_progress,
    remaining_s: Callable[[], float] = no_limit,
) -> None:
    """Copy a backup's snapshots to a second repository, such as a remote one; repeatable.

    The copies have ids of their own and remember the original ones. The manifest goes last and
    alone, so that half a copy is no backup. Calls restic twice.

    :param snapshots: as in `Backup`
    """
    watched = target.watched(progress, remaining_s)
    contents = [snapshots[part] for part in (DUMP, FILES) if part in snapshots]
    watched.copy_from(source, contents)
    failpoint("backup.before_manifest_copy")
    watched.copy_from(source, [snapshots[MANIFEST]])
