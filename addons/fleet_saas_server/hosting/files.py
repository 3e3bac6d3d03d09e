"""The files of a database: ``<data_dir>/filestore/<database>/<aa>/<sha1>``.

Odoo writes such a file once under the SHA-1 of its content and never changes it, so a hard link
is a copy. The folder ``checklist`` holds marks for Odoo's garbage collection and is left out.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from .errors import HostingError, sentences

STORED_NAME = re.compile(r"[0-9a-f]{2}/[0-9a-f]{40}")
SKIPPED = "checklist"
_FICLONE = 0x40049409  # linux/fs.h

sentences(
    damaged_file="The file %(file)s of %(database)s does not match its checksum; "
    "restore it from a backup, then try again.",
)


@dataclass
class Copied:
    """How many files were copied, their bytes, and how (``link``, ``reflink`` or ``copy``)."""

    files: int = 0
    bytes: int = 0
    how: str = "link"


def copy_tree(source: Path, target: Path) -> Copied:
    """Copy a filestore; by hard link on one file system, else by reflink or checked copy.

    :raises HostingError: ``folder_in_the_way`` when ``target`` exists; ``damaged_file``
    """
    try:
        target.mkdir(parents=True)
    except FileExistsError as error:
        raise HostingError("folder_in_the_way", folder=target.name) from error
    result = Copied()
    if source.is_dir():
        with os.scandir(source) as folders:
            for folder in folders:
                if folder.is_dir(follow_symlinks=False) and folder.name != SKIPPED:
                    _copy_folder(folder.path, target / folder.name, result)
    return result


def _copy_folder(source: str, target: Path, result: Copied) -> None:
    target.mkdir()
    with os.scandir(source) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False):
                result.how = copy_file(entry.path, target / entry.name, result.how)
                result.files += 1
                # Hard links cost no bytes, so their size is not worth a system call.
                if result.how != "link":
                    result.bytes += entry.stat().st_size


def copy_file(source: str | Path, target: Path, how: str = "link") -> str:
    """Copy one stored file and return how; begin with the way that worked for the last one."""
    if how == "link":
        try:
            os.link(source, target)
            return "link"
        except OSError as error:
            if error.errno not in (errno.EXDEV, errno.EMLINK, errno.EPERM):
                raise
    return _copy_bytes(Path(source), target)


def _copy_bytes(source: Path, target: Path) -> str:
    digest = hashlib.sha1(usedforsecurity=False)
    with open(source, "rb") as reader, open(target, "xb") as writer:
        try:
            fcntl.ioctl(writer.fileno(), _FICLONE, reader.fileno())
            return "reflink"
        except OSError:
            while chunk := reader.read(1 << 20):
                digest.update(chunk)
                writer.write(chunk)
    if re.fullmatch("[0-9a-f]{40}", source.name) and digest.hexdigest() != source.name:
        raise HostingError("damaged_file", file=source.name, database=source.parents[1].name)
    return "copy"


def move_tree(source: Path, target: Path) -> None:
    """Rename a filestore with its database; a missing one was already moved, or never was.

    :raises HostingError: ``folder_in_the_way`` when both exist and ``target`` holds files
    """
    if not source.exists():
        target.mkdir(parents=True, exist_ok=True)
        return
    try:
        os.rename(source, target)  # replaces an empty folder only
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        raise HostingError("folder_in_the_way", folder=target.name) from error


def remove_tree(folder: Path) -> None:
    """Remove a filestore; none is fine. It is renamed first, so that half of one never serves."""
    if not folder.exists():
        return
    doomed = folder.with_name(f".removed-{folder.name}")
    shutil.rmtree(doomed, ignore_errors=True)
    os.rename(folder, doomed)
    shutil.rmtree(doomed)


def usage(folder: Path) -> tuple[int, int]:
    """Return how many files a filestore holds and their bytes."""
    count = total = 0
    for parent, folders, names in os.walk(folder):
        if SKIPPED in folders:
            folders.remove(SKIPPED)
        for name in names:
            # Odoo removes files meanwhile that nothing names any more.
            with contextlib.suppress(FileNotFoundError):
                total += os.lstat(os.path.join(parent, name)).st_size
                count += 1
    return count, total


def is_intact(path: Path) -> bool:
    """Tell whether a stored file has the content that its name is the SHA-1 of."""
    digest = hashlib.sha1(usedforsecurity=False)
    with open(path, "rb") as handle:
        while chunk := handle.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest() == path.name
