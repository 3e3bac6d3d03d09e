"""Look at an archive that somebody gave us before anything of it is used, then take its files out.

Two formats are known: Odoo's zip (``dump.sql``, ``manifest.json``, ``filestore/aa/sha1``, see
``dump_db`` in Odoo's ``service/db.py``) and PostgreSQL's own (``pg_dump -Fc``, no files). The
central directory of a zip is only what its maker claims: sizes and names are held against it, and
what really comes out is counted and checked again.
"""

from __future__ import annotations

import hashlib
import json
import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from .errors import HostingError, sentences
from .failpoints import failpoint

DUMP, MANIFEST = "dump.sql", "manifest.json"
_STORED = re.compile(r"filestore/([0-9a-f]{2})/(\1[0-9a-f]{38})")
# Marks for Odoo's garbage collection, and entries of folders: allowed, and left where they are.
_IGNORED = re.compile(r"filestore/(checklist/([0-9a-f]{2}/([0-9a-f]{40})?)?|[0-9a-f]{2}/)?")
_CUSTOM_MAGIC = b"PGDMP"
_BLOCK = 1 << 20

# PKWARE, APPNOTE.TXT 4.3.12, 4.3.14 to 4.3.16
_END, _END_MAGIC = struct.Struct("<4s4H2LH"), b"PK\x05\x06"
_LOCATOR, _LOCATOR_MAGIC = struct.Struct("<4sLQL"), b"PK\x06\x07"
_END64, _END64_MAGIC = struct.Struct("<4sQ2H2L4Q"), b"PK\x06\x06"
_ENTRY_SIZE, _ENTRY_MAGIC = 46, b"PK\x01\x02"
_ENTRY_LENGTHS = struct.Struct("<3H")  # at offset 28: name, extra field, comment

sentences(
    archive_unknown="The file %(file)s is not an archive that can be restored: it is neither a zip "
    "made by Odoo nor a dump made with pg_dump -Fc. Make one of these and try again.",
    archive_plain="The file %(file)s is a plain SQL script. Use Odoo's zip format, or "
    "pg_dump -Fc, and try again.",
    archive_broken="The archive is damaged (%(reason)s). Get a complete copy and try again.",
    archive_too_big="The archive is refused: %(what)s is %(value)s, and %(limit)s is allowed. "
    "If it is to be trusted, load it with odoo-bin db load, or pg_restore, and adopt the database.",
    archive_member="The archive is refused because of its member %(member)s: %(reason)s.",
    archive_manifest="The archive's manifest.json is refused: %(reason)s.",
    archive_version="The archive was made by Odoo %(found)s, this server runs %(wanted)s. "
    "Upgrade the database first, then make a new archive.",
)


@dataclass(frozen=True)
class ArchiveLimits:
    """The largest archive that is taken. Sizes in bytes; ``ratio`` is decompressed by compressed.

    ``directory`` is the list of members, which goes into memory; an entry of Odoo's takes 120.
    Ratios count from ``ratio_from`` bytes on: a small file of zeros is no bomb.
    """

    members: int = 500_000
    directory: int = 128 << 20
    total: int = 200 << 30
    member: int = 100 << 30
    ratio: int = 200
    ratio_from: int = 1 << 20
    manifest: int = 1 << 20
    modules: int = 5000


@dataclass(frozen=True)
class ArchiveFacts:
    """What an archive says of itself.

    :param kind: ``zip`` or ``custom``
    :param files: how many stored files it has, ``file_bytes`` of them all, ``dump_bytes`` of the
        dump (0 when unknown)
    :param odoo: major version, "" in a custom dump, which has no manifest
    :param modules: version of each installed module by name
    """

    kind: str
    files: int = 0
    file_bytes: int = 0
    dump_bytes: int = 0
    odoo: str = ""
    postgres: str = ""
    database: str = ""
    modules: dict[str, str] = field(default_factory=dict)


def inspect(path: Path, *, limits: ArchiveLimits | None = None, odoo: str = "19.0") -> ArchiveFacts:
    """Check everything that can be checked without taking anything out.

    :param odoo: the only major version that is taken
    :raises HostingError: one of this file's codes
    """
    limits = limits or ArchiveLimits()
    with open(path, "rb") as handle:
        start = handle.read(512)
        _check("the file", handle.seek(0, 2), limits.total)
    if start.startswith(_CUSTOM_MAGIC):
        return ArchiveFacts("custom")
    if not start.startswith(b"PK"):
        plain = start.startswith(b"\x1f\x8b") or re.match(rb"\s*(--|SET |\\)", start)
        raise HostingError("archive_plain" if plain else "archive_unknown", file=path.name)
    with open_zip(path, limits) as archive:
        members = _members(archive, limits)
        manifest = _manifest(archive, members, limits, odoo)
        stored = [info.file_size for name, info in members.items() if _STORED.fullmatch(name)]
    return ArchiveFacts(
        "zip",
        files=len(stored),
        file_bytes=sum(stored),
        dump_bytes=members[DUMP].file_size,
        odoo=odoo,
        postgres=str(manifest.get("pg_version", ""))[:20],
        database=str(manifest.get("db_name", ""))[:63],
        modules=manifest["modules"],
    )


@contextmanager
def open_zip(path: Path, limits: ArchiveLimits) -> Iterator[zipfile.ZipFile]:
    """Give a zip whose members were counted and measured before their list went into memory.

    :raises HostingError: ``archive_broken``, ``archive_too_big``; also for what fails in the block
    """
    try:
        with open(path, "rb") as handle:
            count, size = _count_members(handle, limits.members)
            _check("the number of members", count, limits.members)
            _check("the list of members", size, limits.directory)
            with zipfile.ZipFile(handle) as archive:
                yield archive
    except (zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError) as error:
        raise HostingError("archive_broken", reason=error) from error


def _count_members(handle: IO[bytes], most: int) -> tuple[int, int]:
    """Return how many entries the central directory has, counted up to ``most``, and its bytes.

    The count in the end record is a claim that ``zipfile`` does not look at: it reads entries as
    long as the directory is. So we walk it, with nothing kept.
    """
    end = handle.seek(0, 2) - _END.size
    record = _END.unpack(_read_at(handle, end, _END.size))
    if record[0] != _END_MAGIC:
        raise HostingError("archive_broken", reason="its end is missing, or it has a comment")
    size, start = record[5], end
    if end >= _LOCATOR.size + _END64.size:
        locator = _LOCATOR.unpack(_read_at(handle, end - _LOCATOR.size, _LOCATOR.size))
        if locator[0] == _LOCATOR_MAGIC:
            start = end - _LOCATOR.size - _END64.size
            record64 = _END64.unpack(_read_at(handle, start, _END64.size))
            # Newer versions of zipfile look where the locator points to.
            if record64[0] != _END64_MAGIC or locator[2] != start:
                raise HostingError("archive_broken", reason="its end is garbled")
            size = record64[8]
    position, count = start - size, 0
    while position < start and count <= most:
        entry = _read_at(handle, position, _ENTRY_SIZE)
        if not entry.startswith(_ENTRY_MAGIC):
            raise HostingError("archive_broken", reason="its list of members is garbled")
        position += _ENTRY_SIZE + sum(_ENTRY_LENGTHS.unpack_from(entry, 28))
        count += 1
    return count, size


def _read_at(handle: IO[bytes], position: int, size: int) -> bytes:
    if position < 0:
        raise HostingError("archive_broken", reason="it is too short")
    handle.seek(position)
    data = handle.read(size)
    if len(data) != size:
        raise HostingError("archive_broken", reason="it is too short")
    return data


def _check(what: str, value: int, limit: int) -> None:
    if value > limit:
        raise HostingError("archive_too_big", what=what, value=value, limit=limit)


def _members(archive: zipfile.ZipFile, limits: ArchiveLimits) -> dict[str, zipfile.ZipInfo]:
    """Return the members by name when every one of them is what it may be."""
    members: dict[str, zipfile.ZipInfo] = {}
    total = 0
    for info in archive.infolist():
        # orig_filename: zipfile cuts a name at a NUL and turns the system's separator around.
        if info.orig_filename in members:
            raise HostingError("archive_member", member=info.orig_filename, reason="it is twice")
        _check_member(info, limits)
        members[info.orig_filename] = info
        total += info.file_size
        _check("the sum of the members' sizes", total, limits.total)
    for needed in (DUMP, MANIFEST):
        if needed not in members:
            raise HostingError("archive_member", member=needed, reason="it is missing")
    return members


def _check_member(info: zipfile.ZipInfo, limits: ArchiveLimits) -> None:
    reason = ""
    kind = stat.S_IFMT(info.external_attr >> 16)
    known = info.orig_filename in (DUMP, MANIFEST) or _STORED.fullmatch(info.orig_filename)
    if not known and not _IGNORED.fullmatch(info.orig_filename):
        reason = "Odoo's archives have no such member"
    elif kind not in (0, stat.S_IFREG) and not (info.is_dir() and kind == stat.S_IFDIR):
        reason = "it is a link or a special file"
    elif info.flag_bits & 0x1:
        reason = "it is encrypted"
    elif info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        reason = "its compression is not the usual one"
    if reason:
        raise HostingError("archive_member", member=info.orig_filename, reason=reason)
    _check(f"the member {info.orig_filename}", info.file_size, limits.member)
    if info.file_size > limits.ratio_from:
        ratio = info.file_size // max(info.compress_size, 1)
        _check(f"the compression of {info.orig_filename}", ratio, limits.ratio)


def _manifest(
    archive: zipfile.ZipFile,
    members: dict[str, zipfile.ZipInfo],
    limits: ArchiveLimits,
    odoo: str,
) -> dict[str, Any]:
    with archive.open(members[MANIFEST]) as handle:
        raw = handle.read(limits.manifest + 1)
    _check("manifest.json", len(raw), limits.manifest)
    try:
        manifest = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise HostingError("archive_manifest", reason="it is not JSON") from error
    if not isinstance(manifest, dict) or not isinstance(manifest.get("modules"), dict):
        raise HostingError("archive_manifest", reason="it has no list of modules")
    _check("the number of modules", len(manifest["modules"]), limits.modules)
    for module, version in manifest["modules"].items():
        if not re.fullmatch(r"[a-z0-9_]{1,128}", module) or not isinstance(version, str):
            raise HostingError("archive_manifest", reason=f"{module!r} is not a module")
    if manifest.get("major_version") != odoo:
        found = manifest.get("major_version")
        raise HostingError("archive_version", found=found, wanted=odoo)
    return manifest


class CountedReader:
    """A member's bytes as they really come out, held against what it declared.

    ``zipfile`` stops at the declared size and compares the CRC there, so the only lie that is left
    is a member that ends early.
    """

    def __init__(self, handle: IO[bytes], info: zipfile.ZipInfo) -> None:
        self._handle, self._info, self._count = handle, info, 0

    def blocks(self) -> Iterator[bytes]:
        """Give the content in blocks. :raises HostingError: ``archive_member``"""
        while block := self._handle.read(_BLOCK):
            self._count += len(block)
            yield block
        if self._count != self._info.file_size:
            name = self._info.orig_filename
            raise HostingError("archive_member", member=name, reason="its size is not the declared")


@contextmanager
def open_dump(path: Path, limits: ArchiveLimits | None = None) -> Iterator[Iterator[bytes]]:
    """Give the blocks of the dump in a checked zip, or of a custom dump."""
    limits = limits or ArchiveLimits()
    with open(path, "rb") as plain:
        if plain.read(len(_CUSTOM_MAGIC)) == _CUSTOM_MAGIC:
            plain.seek(0)
            yield iter(lambda: plain.read(_BLOCK), b"")
            return
    with open_zip(path, limits) as archive:
        info = _members(archive, limits)[DUMP]
        with archive.open(info) as handle:
            yield CountedReader(handle, info).blocks()


def unpack(path: Path, folder: Path, *, limits: ArchiveLimits | None = None) -> tuple[int, int]:
    """Take the stored files out into the new folder ``folder`` as ``aa/sha1``; return count and bytes.

    Each is written under the name that the archive gives it only when that is the SHA-1 of what
    came out. On an error the folder is left to the caller.

    :raises HostingError: ``folder_in_the_way`` and this file's codes
    """
    limits = limits or ArchiveLimits()
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise HostingError("folder_in_the_way", folder=folder.name) from error
    count = total = 0
    with open_zip(path, limits) as archive:
        for name, info in _members(archive, limits).items():
            if match := _STORED.fullmatch(name):
                failpoint("foreign.file")
                total += _unpack_file(archive, info, folder / match[1] / match[2])
                count += 1
    return count, total


def _unpack_file(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> int:
    target.parent.mkdir(exist_ok=True)
    digest = hashlib.sha1(usedforsecurity=False)
    with archive.open(info) as handle, open(target, "xb") as writer:
        for block in CountedReader(handle, info).blocks():
            digest.update(block)
            writer.write(block)
    if digest.hexdigest() != target.name:
        target.unlink()
        reason = "its content does not have the checksum that is its name"
        raise HostingError("archive_member", member=info.orig_filename, reason=reason)
    return info.file_size
