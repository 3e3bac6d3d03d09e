"""Run a command and pass its output on, counting it: ``digest_child.py SIDE_FILE COMMAND…``.

restic runs this between itself and pg_dump, because a program that it runs for
``--stdin-from-command`` is the only one whose exit code it waits for. The side file is written
last and in one piece, and only when the command succeeded: ``SIZE SHA256``. Standard library only,
and nothing of this package, so that it starts in a few milliseconds.
"""

from __future__ import annotations

import hashlib
import os
import select
import subprocess
import sys

BLOCK = 1 << 18
WATCH_S = 1.0
# The command is no business of the repository's.
WITHHELD = ("RESTIC_", "AWS_")


def main(side_file: str, command: list[str]) -> int:
    """Return the command's exit code; it is killed when whoever started us is gone."""
    parent = os.getppid()
    env = {name: value for name, value in os.environ.items() if not name.startswith(WITHHELD)}
    child = subprocess.Popen(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, env=env)
    try:
        size, digest = pump(child.stdout.fileno(), parent)
        code = child.wait()
    finally:
        child.kill()
        child.wait()
    if code == 0:
        write(side_file, f"{size} {digest}\n")
    return code if code >= 0 else 128 - code


def pump(source: int, parent: int) -> tuple[int, str]:
    """Copy ``source`` to standard output until it ends; return its size and SHA-256."""
    digest, size = hashlib.sha256(), 0
    while True:
        # A command that waits for a lock writes nothing, so a broken pipe alone would not tell.
        if not select.select([source], [], [], WATCH_S)[0]:
            if os.getppid() != parent:
                raise SystemExit("the program that asked for the output is gone")
            continue
        block = os.read(source, BLOCK)
        if not block:
            return size, digest.hexdigest()
        size += len(block)
        digest.update(block)
        view = memoryview(block)
        while view:
            view = view[os.write(1, view) :]


def write(path: str, text: str) -> None:
    """Write a small file in one piece."""
    building = f"{path}.new"
    with open(building, "w") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    os.replace(building, path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
