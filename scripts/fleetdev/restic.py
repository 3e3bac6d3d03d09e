"""restic, which makes the backups: the one of this machine, or Debian's, unpacked below ``.run``."""

import re
import shutil
from pathlib import Path

from . import console, debian, files, paths, shell

# From 0.17 on a backup of a command's output fails when the command fails (restic's changelog,
# "backup --stdin-from-command").
OLDEST = (0, 17)
FOLDER = paths.TOOLS / "restic"
PROGRAM = FOLDER / "usr/bin/restic"


def known():
    """Return the program that `ensure` found the last time, None when it never did or that is gone."""
    stamp = paths.STAMPS / "restic"
    program = Path(stamp.read_text()) if stamp.exists() else None
    return program if program and program.exists() else None


def ensure():
    """Return a restic that is new enough; Debian's unstable suite has one where this machine has none."""
    return known() or _find() or _fetch()


def _find():
    for candidate in (shutil.which("restic"), PROGRAM):
        if candidate and _new_enough(candidate):
            files.stamp("restic", str(candidate))
            return Path(candidate)
    return None


def _fetch():
    with files.setup_lock("restic"):
        if not _find():
            with console.step("Fetching restic from Debian"), files.fresh_folder(FOLDER) as folder:
                debian.unpack({"restic": "sid"}, folder)
    found = _find()
    if not found:
        oldest = ".".join(map(str, OLDEST))
        raise console.Failure(
            f"The restic that was fetched does not run here ({PROGRAM} version). "
            f"Install restic {oldest} or newer so that it is on the search path"
        )
    return found


def _new_enough(program):
    match = re.match(r"restic (\d+)\.(\d+)", shell.output([program, "version"]) or "")
    return bool(match) and tuple(map(int, match.groups())) >= OLDEST
