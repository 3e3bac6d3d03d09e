"""Run a program that reads hostile input: no network, no privileges, none of our files.

The program sees a small tree of its own, read-only: the system's libraries, what it is given by
name, and nothing else; no home, no configuration, no filestore, no process but itself. It has no
network interface, not even the loopback. When we are root it runs as a user id that owns nothing;
otherwise it runs in a user namespace of ours and the small tree is what keeps our files from it.
It dies with us.

Made of util-linux (``unshare``, ``setpriv``, ``prlimit``, ``mount``, ``pivot_root``), which every
Linux has; `available` tries it and says what is missing.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import HostingError, sentences

TOOLS = ("env", "prlimit", "setpriv", "unshare", "mount", "umount", "pivot_root", "sh")
SYSTEM = ("/usr", "/bin", "/lib", "/lib32", "/lib64", "/etc/ld.so.cache")
DEVICES = ("/dev/null", "/dev/urandom")  # the second for the password's exchange
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# systemd's range for services without a user of their own: https://systemd.io/UIDS-GIDS/
FREE_IDS = range(61184, 65520)
_TRY_SECONDS = 20
_PREFIX = "fleet-sandbox-"
_OLD_S = 24 * 3600  # no program runs that long

# $1 the folder that becomes the root, then what is seen in it, then -- and the command. A link is
# made anew, a folder is bound read-only. Single files belong to root; "nodev" would end the devices.
_JAIL = """
set -eu
root=$1; shift
mount -t tmpfs -o mode=755,size=256k none "$root"
cd "$root"
while [ "$1" != -- ]; do
  mkdir -p ".${1%/*}"
  if [ -L "$1" ]; then
    ln -s "$(readlink "$1")" ".$1"
  elif [ -d "$1" ]; then
    mkdir -p ".$1"
    mount --rbind "$1" ".$1"
    mount -o remount,bind,ro,nosuid,nodev ".$1" 2>/dev/null || mount -o remount,bind,ro ".$1"
  elif [ -e "$1" ]; then
    : > ".$1"
    mount --rbind "$1" ".$1"
  fi
  shift
done
shift
mkdir -p .old proc
mount -t proc -o nosuid,nodev,noexec proc proc
pivot_root . .old
umount -l /.old
rmdir /.old
mount -o remount,bind,ro /
exec "$@"
"""

sentences(
    no_sandbox="Archives of unknown origin are restored in a sandbox only, and none can be made "
    "here: %(reason)s",
)


@dataclass(frozen=True)
class Limits:
    """What the program may use: bytes of memory and of one written file, seconds of processor."""

    memory: int = 4 << 30
    file_bytes: int = 1 << 20
    cpu_seconds: int = 3600


@dataclass(frozen=True)
class Place:
    """The folders of one sandboxed program; made by `place`.

    :param root: an empty folder on which its tree is mounted
    :param shared: a folder it sees and may enter, at the same path; nobody else may but us
    :param uid: the user and group id it runs as; None: ours, in a user namespace
    """

    root: Path
    shared: Path
    uid: int | None

    def give(self, path: Path, mode: int) -> None:
        """Let the program, and nobody else, have a file or folder of ``shared``."""
        if self.uid is not None:
            os.chown(path, self.uid, self.uid)
        os.chmod(path, mode)


@contextlib.contextmanager
def place() -> Iterator[Place]:
    """Make the folders of one sandboxed program, and remove them at the end.

    :raises HostingError: ``no_sandbox``
    """
    if reason := available():
        raise HostingError("no_sandbox", reason=reason)
    _sweep()
    with _place() as made:
        yield made


def _sweep() -> None:
    """Remove the folders of servers that were killed; a file with a password may be in them."""
    for left in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            status = left.lstat()
            if status.st_uid == os.geteuid() and time.time() - status.st_mtime > _OLD_S:
                shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix=_PREFIX) as folder:
        made = Place(Path(folder, "root"), Path(folder, "shared"), _free_id())
        made.root.mkdir(0o700)
        made.shared.mkdir(0o700)
        made.give(made.shared, 0o700)
        yield made


def _free_id() -> int | None:
    """Return a user id that no account and no process has; None when we may not change ours."""
    if os.geteuid() != 0:
        return None
    running = {entry.stat().st_uid for entry in Path("/proc").glob("[0-9]*") if entry.exists()}
    known = {account.pw_uid for account in pwd.getpwall()}
    return random.choice([uid for uid in FREE_IDS if uid not in running | known])


def command(
    argv: Sequence[str | Path],
    where: Place,
    *,
    visible: Sequence[str | Path] = (),
    env: Mapping[str, str] | None = None,
    limits: Limits = Limits(),
) -> list[str]:
    """Return the command line that runs ``argv`` in a sandbox; its streams are the program's.

    :param env: the program's environment, besides a path and a locale, and nothing else of ours;
        everybody on the machine can read it, as it stands in the command line: no secrets
    :param visible: more folders that the program sees, read-only, at the same path;
        `needs` names those of a program
    """
    become, user = ["setpriv"], ["unshare", "--user", "--map-root-user"]
    if where.uid is not None:
        become, user = (
            [*become, f"--reuid={where.uid}", f"--regid={where.uid}", "--clear-groups"],
            [],
        )
    return [
        *("env", "-i", f"PATH={PATH}", "LC_ALL=C.UTF-8", "HOME=/"),
        *(f"{name}={value}" for name, value in (env or {}).items()),
        "prlimit",
        f"--as={limits.memory}",
        f"--fsize={limits.file_bytes}",
        f"--cpu={limits.cpu_seconds}",
        "--core=0",
        "--nofile=256",
        *user,
        # After the user namespace, and again below: a change of credentials forgets it, prctl(2).
        *("setpriv", "--pdeathsig=KILL"),
        *("unshare", "--mount", "--net", "--ipc", "--uts", "--pid", "--fork", "--kill-child"),
        *("sh", "-c", _JAIL, "sandbox", str(where.root)),
        *(*SYSTEM, *DEVICES, str(where.shared)),
        *map(str, visible),
        "--",
        *become,
        *("--bounding-set=-all", "--inh-caps=-all", "--no-new-privs", "--pdeathsig=KILL"),
        *map(str, argv),
    ]


def needs(program: str | Path) -> list[Path]:
    """Return the folders outside the system's own that hold a program of ours and its libraries."""
    binary = Path(os.path.realpath(program))
    listed = subprocess.run(["ldd", str(binary)], capture_output=True, text=True, check=False)
    found = {binary.parents[1]}
    for library in re.findall(r"=> (/\S+)", listed.stdout):
        found.add(Path(os.path.realpath(library)).parent)
    return sorted(
        folder for folder in found if not str(folder).startswith(("/usr", "/lib", "/bin"))
    )


def available() -> str | None:
    """Return why no sandbox can be made on this machine, and what would help; None when it can."""
    missing = [tool for tool in TOOLS if not shutil.which(tool, path=PATH)]
    if missing:
        return f"install util-linux, which has {', '.join(missing)}."
    with _place() as where:
        try:
            tried = subprocess.run(
                command(["true"], where),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                timeout=_TRY_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return f"{error}"
    if tried.returncode == 0:
        return None
    first = (tried.stderr.strip().splitlines() or ["no message"])[0]
    return (
        f"{first}. Allow unprivileged user namespaces (user.max_user_namespaces, and in a container "
        "its seccomp profile), or run this server as root."
    )
