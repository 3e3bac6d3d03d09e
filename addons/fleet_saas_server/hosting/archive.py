"""Give a database away in Odoo's own backup format, which any Odoo 19 can restore.

A zip of ``dump.sql``, ``manifest.json`` and ``filestore/aa/sha1``, as ``dump_db`` in Odoo's
``service/db.py`` makes it. Other than Odoo, we dump from one moment and add exactly the files
that this moment names, write while we read (nothing is copied to a temporary folder, the files
are held by hard links), and a pg_dump that fails leaves no archive.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from . import children
from .backup import Staged, conninfo_name, stage_files
from .children import Progress, no_limit, no_progress
from .errors import HostingError, sentences
from .failpoints import failpoint
from .pgtools import PgTools
from .snapshot import ExportedSnapshot, Facts

DUMP, MANIFEST = "dump.sql", "manifest.json"
_BLOCK = 1 << 20
# Most files are images and PDFs, which no level makes smaller.
_LEVEL = 1
_FILES_AT_ONCE = 200
_ZIP64_FROM = 1 << 30  # well below zipfile's limit of 2 GiB for sizes not known in advance

sentences(
    dump_failed="PostgreSQL could not dump the database %(name)s: %(reason)s",
)


@dataclass(frozen=True)
class Exported:
    """What an archive holds. Sizes in bytes before compression.

    :param missing: files that the database names and that were not there, or not of their size
    """

    dump_bytes: int
    files: int
    file_bytes: int
    missing: tuple[str, ...]
    size: int


class _Counting:
    """A stream that cannot be sought, so that the zip is written from the first byte to the last."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream, self.count = stream, 0

    def _count(self, data: bytes) -> int:
        self._stream.write(data)
        self.count += len(data)
        return len(data)

    write = _count  # linters take a method of this name for a model's

    def flush(self) -> None:
        self._stream.flush()


def export_zip(
    tools: PgTools,
    database: str,
    filestore: Path,
    target: Path | IO[bytes],
    *,
    staging: Path,
    name: str = "",
    progress: Progress = no_progress,
    remaining_s: Callable[[], float] = no_limit,
) -> Exported:
    """Write the archive of a database to a new file or to any stream.

    A path is written under another name beside it and renamed when complete, replacing what was
    there. A stream that an error cut off is no readable zip: its list of members comes last.

    :param staging: an existing folder, best on the filestore's file system, for links meanwhile
    :param name: how the manifest calls the database; its name in PostgreSQL when empty
    :param remaining_s: returns the seconds that are left
    :raises HostingError: ``dump_failed``, ``child_deadline``, ``damaged_file``, ``not_odoo``,
        ``client_older``, ``no_database``
    """
    export = _Export(tools, database, filestore, name or database, progress, remaining_s)
    with tempfile.TemporaryDirectory(prefix="export-", dir=staging) as folder:
        if isinstance(target, Path):
            with _new_file(target) as stream:
                return export.save(stream, Path(folder, "files"))
        return export.save(target, Path(folder, "files"))


@contextmanager
def _new_file(target: Path) -> Iterator[IO[bytes]]:
    """Give a stream whose content has the name ``target`` only when the block ends well."""
    partial = target.with_name(f".{target.name}.part")
    try:
        with open(partial, "wb", opener=_private) as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        failpoint("archive.complete")
        os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


@dataclass(frozen=True)
class _Export:
    tools: PgTools
    database: str
    filestore: Path
    name: str
    progress: Progress
    remaining_s: Callable[[], float]

    def save(self, stream: IO[bytes], stage: Path) -> Exported:
        counting = _Counting(stream)
        with zipfile.ZipFile(
            counting,  # type: ignore[arg-type]
            "w",
            zipfile.ZIP_DEFLATED,
            compresslevel=_LEVEL,
        ) as archive:
            with ExportedSnapshot(self.tools.cluster, self.database) as snapshot:
                failpoint("archive.exported")
                facts = snapshot.facts()
                self.tools.require(facts.server, f"the database {self.name}")
                # Before the dump, so that what Odoo's garbage collection removes is still ours.
                named = snapshot.stored_files().sizes
                staged = stage_files(named, self.filestore, stage, self.progress)
                dumped = self._dump(archive, snapshot.id, facts)
            failpoint("archive.dumped")
            archive.writestr(MANIFEST, self._manifest(facts))
            self._files(archive, staged, stage)
        files_bytes = sum(staged.sizes.values())
        return Exported(
            dumped, len(staged.sizes), files_bytes, tuple(staged.missing), counting.count
        )

    def _dump(self, archive: zipfile.ZipFile, snapshot: str, facts: Facts) -> int:
        """Stream pg_dump's output into the archive; return its bytes."""
        command = [
            *(self.tools.path("pg_dump"), "--no-owner", "--no-password"),
            *("--lock-wait-timeout=60s", f"--snapshot={snapshot}"),
            f"--dbname={conninfo_name(self.database)}",
        ]
        written = 0
        with archive.open(DUMP, "w", force_zip64=True) as member:

            def feed(block: bytes) -> None:
                nonlocal written
                member.write(block)
                written += len(block)
                self.progress(written, facts.size, "Saving the database")

            env = self.tools.cluster.environment()
            ended = children.run(command, env=env, feed=feed, remaining_s=self.remaining_s)
        children.check_time(ended, "pg_dump")
        if ended.code:
            reason = children.killed(ended.code) or children.last_line(ended.errors)
            raise HostingError("dump_failed", name=self.name, reason=reason)
        return written

    def _manifest(self, facts: Facts) -> str:
        """Return what Odoo's ``dump_db_manifest`` would write; the database tells Odoo's version."""
        match = re.match(r"((?:saas~)?\d+)\.(\d+)", facts.odoo)
        if not match:
            raise HostingError("not_odoo", name=self.name, table="ir_module_module")
        major = f"{match[1]}.{match[2]}"
        number = int(match[1]) if match[1].isdigit() else match[1]
        content = {
            "odoo_dump": "1",
            "db_name": self.name,
            "version": major,
            "version_info": [number, int(match[2]), 0, "final", 0, ""],
            "major_version": major,
            "pg_version": f"{facts.server}.0",
            "modules": dict(facts.modules),
        }
        return json.dumps(content, indent=4)

    def _files(self, archive: zipfile.ZipFile, staged: Staged, stage: Path) -> None:
        for number, name in enumerate(staged.sizes):
            if number % _FILES_AT_ONCE == 0:
                self.progress(number, len(staged.sizes), "Saving the files")
                self._check_time()
            failpoint("archive.file")
            self._file(archive, name, stage / name)

    def _check_time(self) -> None:
        if self.remaining_s() <= 0:
            raise HostingError(
                "child_deadline", program="The archive's writing", seconds=0, reason="none"
            )

    def _file(self, archive: zipfile.ZipFile, name: str, path: Path) -> None:
        digest = hashlib.sha1(usedforsecurity=False)
        big = path.stat().st_size > _ZIP64_FROM
        with (
            open(path, "rb") as reader,
            archive.open(f"filestore/{name}", "w", force_zip64=big) as writer,
        ):
            while block := reader.read(_BLOCK):
                digest.update(block)
                writer.write(block)
        if digest.hexdigest() != path.name:
            raise HostingError("damaged_file", file=name, database=self.name)
