"""Files that survive a kill: locks, stamps, and writes that are whole or absent."""

import contextlib
import fcntl
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from . import console, paths


@contextlib.contextmanager
def setup_lock(name="setup"):
    """Hold the lock ``name``; the kernel frees it when the holder dies."""
    paths.ensure_run_folders()
    with open(paths.RUN / f"{name}.lock", "w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            console.say(f"-> Waiting for another command of this tree that holds the {name} lock")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def digest(*parts):
    """Return a short hash of texts and of the contents of files."""
    total = hashlib.sha256()
    for part in parts:
        total.update(part.read_bytes() if isinstance(part, Path) else str(part).encode())
        total.update(b"\0")
    return total.hexdigest()[:16]


def stamped(name, value):
    """Tell whether the step ``name`` was finished with exactly this ``value``."""
    path = paths.STAMPS / name
    return path.exists() and path.read_text() == value


def stamp(name, value):
    """Remember that the step ``name`` is finished with this ``value``."""
    write(paths.STAMPS / name, value)


def unstamp(name):
    """Forget that the step ``name`` was finished."""
    (paths.STAMPS / name).unlink(missing_ok=True)


def write(path, text, mode=0o644):
    """Write a file that is either whole or not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(descriptor, "w") as handle:
        handle.write(text)
    os.chmod(temporary, mode)
    os.replace(temporary, path)


@contextlib.contextmanager
def fresh_folder(target):
    """Give a folder to fill; it becomes ``target`` only when the block ends well."""
    remove_leftovers(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    building = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}.new-"))
    building.chmod(0o755)
    try:
        yield building
        if target.exists():
            shutil.rmtree(target)
        building.rename(target)
    finally:
        shutil.rmtree(building, ignore_errors=True)


def remove_leftovers(target):
    """Remove what a killed `fresh_folder` of the same target left. Hold the set-up lock."""
    for leftover in target.parent.glob(f".{target.name}.new-*"):
        shutil.rmtree(leftover, ignore_errors=True)
