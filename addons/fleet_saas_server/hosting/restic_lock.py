"""Lock files that nobody can read, in a repository in a folder: a machine that crashed leaves them.

restic tries for 35 seconds to read one, then refuses all work beside it, and its ``unlock`` leaves
it where it is; ``unlock --remove-all``, its own way out, takes the locks of living programs as well.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

_NAME = 64  # characters of a SHA-256


def remove_torn(location: str) -> None:
    """Remove the lock files whose content is not what their name says.

    restic calls a lock by its SHA-256 and gives it this name when all of it is written (see its
    ``internal/backend/local``), so that a torn one belongs to no program that is just writing it.
    """
    folder = Path(location) / "locks"
    if ":" in location or not folder.is_dir():
        return
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if len(path.name) == _NAME and _torn(path):
                path.unlink()


def _torn(path: Path) -> bool:
    return hashlib.sha256(path.read_bytes()).hexdigest() != path.name
