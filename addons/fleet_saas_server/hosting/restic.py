"""One restic repository: encrypted, deduplicated, in a folder, an S3 bucket or behind SFTP.

Each call of restic derives the key anew (scrypt, half a second and 64 MB by restic's own choice when
the repository was made; in a folder we have a quicker one, see `restic_key`) and waits 0.4 seconds
for its lock (restic's design document, "Locks"), so that callers keep the number of calls small.
What is read in a moment is read without a lock: prune may make that fail, and restic compares all it
reads with its SHA-256. The password and the credentials of the storage go through the environment
only. Exit codes are those of restic's manual ("Scripting", 0.17 and newer): 1 failed, 3 a file could
not be read, 10 no repository, 11 locked, 12 wrong password.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import children, restic_key, restic_lock
from .children import Ended, Progress, no_limit, no_progress
from .errors import HostingError, Retryable, sentences
from .failpoints import failpoint

# One host for all, so that a backup finds the one before whatever the machine is called.
HOST = "fleet"
LOCK_WAIT_S = 20.0  # for who holds a lock to give it back
LOCK_TRY = "2s"
NO_LOCK = "--no-lock"
# A key file whose content is not what its name says; the sign before it is escaped in JSON.
BROKEN_KEY = re.compile(r"LoadRaw\(\S*key/")
BROKEN_LOCK = "invalid lock file"
REFUSED_FOLDER = re.compile(rb"returned error, retrying.*(read-only file system|permission denied)")
# Saving a gigabyte must not cost the customers' workers their memory: with this limit restic
# takes 105 MB. A smaller GOGC saves none of it and costs a quarter more time.
LIMITS = {"GOMEMLIMIT": "120MiB", "GOMAXPROCS": "2", "RESTIC_PROGRESS_FPS": "2"}
OLDEST = (0, 17)

sentences(
    no_repository="There is no backup repository at %(location)s. See that its disk is mounted and its "
    "address is right, then try again. If its backups are lost for good, say so under Configuration > "
    "Backup Places: then the next backup makes a new repository.",
    wrong_repository_password="The repository at %(location)s was made with another password. "
    "Restore the password that the recovery kit of this database names.",
    repository_locked="The repository at %(location)s is in use by another program.",
    storage_refused="The storage at %(location)s refuses access: %(reason)s. "
    "Check its keys and permissions.",
    storage_full="The storage at %(location)s is full: %(reason)s. Make room, then retry.",
    storage_unreachable="The storage at %(location)s cannot be reached or does not do its work: "
    "%(reason)s",
    backup_source_failed="The program whose output was being saved failed: %(reason)s",
    unreadable_files="Some files could not be read while they were saved: %(reason)s",
    repository_damaged="The repository at %(location)s is damaged: %(reason)s. Make a new backup "
    "elsewhere now, then repair or replace the repository.",
    half_repository="The repository at %(location)s was begun and never finished, or has lost its "
    "configuration. If there is no backup in it, remove its folder keys, then retry.",
    repository_remains="At %(location)s are remains of a repository, which was removed or unmounted while "
    "a backup was under way. Bring the repository back to this place; if it is lost, move the remains "
    "away. Then retry.",
    broken_lock="At %(location)s there is a lock that cannot be read, left by a program or a machine that "
    "stopped. The backups are as good as before. When no other program works on this repository, "
    "remove the lock with restic unlock --remove-all, then retry.",
    restic_killed="restic could not %(what)s: %(reason)s. Look in the system's log, then retry.",
    restic_failed="restic could not %(what)s: %(reason)s",
    restic_too_old="restic %(version)s is too old for backups; 0.17 or newer is needed.",
    two_credentials="The backup is in its first place, but it cannot be copied from there: restic takes "
    "one set of keys and one region a call, and these two S3 storages have different ones. Add the "
    "folder of this machine to the places of the policy, then both get their copies from there; or "
    "give both the same key.",
    newest_kept="The newest verified backup is never removed.",
)

_DAMAGED = (
    r"ciphertext verification failed|wrong hash|not found in (repository|index)"
    r"|invalid data returned|NoSuchKey|specified key does not exist|pack \w+: does not exist"
    r"|file is too short|Load\(<(data|index)/.*no such file|repository could be damaged"
)
# What restic and its S3 client say, by what to do about it; the first that fits decides.
_REASONS = (
    ("repository_damaged", HostingError, _DAMAGED),
    ("storage_full", HostingError, r"no space left on device|disk quota exceeded|QuotaExceeded"),
    (
        "storage_refused",
        HostingError,
        r"access ?denied|InvalidAccessKeyId|SignatureDoesNotMatch|no credentials found"
        r"|permission denied|AuthorizationHeaderMalformed|read-only file system",
    ),
    (
        "storage_unreachable",
        Retryable,
        r"dial tcp|connection (refused|reset)|i/o timeout|context deadline|no such host"
        r"|unexpected EOF|\bEOF\b|TLS handshake|broken pipe|SlowDown|Service ?Unavailable"
        r"|Internal (Server )?Error|InternalError|Bad Gateway|Gateway Timeout|\b50[0234]\b"
        r"|network is unreachable|request timeout|returned error, retrying|stuck request",
    ),
)


@dataclass(frozen=True)
class Saved:
    """One new snapshot. ``bytes`` were read, ``added`` of them were new and stored (compressed)."""

    snapshot: str
    bytes: int
    added: int
    seconds: float


@dataclass(frozen=True)
class Snapshot:
    """One snapshot as the repository lists it.

    ``original`` is the id that it was made under when it was copied here, else its own.
    """

    id: str
    original: str
    time: str
    tags: tuple[str, ...]


@dataclass(frozen=True)
class Repository:
    """A repository and how to get in. Every method calls restic once unless it says otherwise.

    All raise, as far as it applies, ``no_repository``, ``wrong_repository_password``,
    ``storage_refused``, ``storage_full``, ``child_missing``, ``child_deadline``, ``restic_failed``
    and, to be retried, ``repository_locked`` and ``storage_unreachable``.

    :param location: as restic writes it: a folder, ``s3:https://host/bucket/folder``, ``sftp:…``
    :param env: credentials of the storage, such as ``AWS_ACCESS_KEY_ID``
    :param cache_dir: where remote indexes are kept between calls; None for none, as for a folder
    """

    location: str
    password: str = field(repr=False)
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    binary: str = "restic"
    cache_dir: Path | None = None
    progress: Progress = no_progress
    remaining_s: Callable[[], float] = no_limit

    def watched(self, progress: Progress, remaining_s: Callable[[], float]) -> Repository:
        """Return the same repository, whose calls report and stop as told."""
        return dataclasses.replace(self, progress=progress, remaining_s=remaining_s)

    # --- the repository

    def init(self, like: Repository | None = None, *, expected: bool = False) -> bool:
        """Make the repository; return False when it was there, with this password.

        :param expected: it holds backups, so it is never made: its disk may not be mounted
        :param like: another one whose snapshots will be copied here: cut files as it does, else
            both would store what changed a little twice
        """
        if self.exists():
            restic_key.add(self.location, self.password)
            return False
        if expected:
            raise HostingError("no_repository", location=self._safe_location())
        failpoint("restic.init")
        self._clear_half_made()
        source = ["--copy-chunker-params"] if like else []
        self._call(
            "create the repository", ["init", *source], env=like._as_source() if like else {}
        )
        restic_key.add(self.location, self.password)
        return True

    def _clear_half_made(self) -> None:
        """Remove the key of a repository whose making was interrupted: restic would refuse to go on.

        Only in a folder where nothing was ever saved; the configuration is what restic writes last.
        """
        folder = Path(self.location)
        if ":" in self.location or (folder / "config").exists():
            return
        saved = ("snapshots", "index", "data", "locks")
        if any(path.is_file() for part in saved for path in (folder / part).rglob("*")):
            return
        for key in (folder / "keys").glob("*"):
            key.unlink()

    def exists(self) -> bool:
        """Tell whether there is a repository, of this password."""
        try:
            self._call("open the repository", ["cat", "config", NO_LOCK])
        except HostingError as error:
            if error.code == "no_repository":
                return False
            raise
        return True

    def unlock(self) -> None:
        """Remove locks of programs that are gone: of this machine and dead, or 30 minutes silent."""
        self._call("unlock", ["unlock"], lock=False)

    def stats(self) -> dict[str, int]:
        """Return ``bytes`` stored, ``uncompressed`` bytes they hold, and how many ``snapshots``."""
        found = self._json("count", ["stats", "--mode", "raw-data"])[-1]
        return {
            "bytes": found.get("total_size", 0),
            "uncompressed": found.get("total_uncompressed_size", 0),
            "snapshots": found.get("snapshots_count", 0),
        }

    # --- saving

    def backup_stdin(
        self,
        command: Sequence[str],
        filename: str,
        tags: Iterable[str],
        *,
        env: Mapping[str, str] | None = None,
        total: int = 0,
        what: str = "",
    ) -> Saved:
        """Save what a command writes; it counts only when the command's exit code is 0.

        :param env: for the command, beside ours
        :param total: bytes to expect, for the progress
        :raises HostingError: ``backup_source_failed``
        """
        arguments = ["--stdin-filename", filename, "--stdin-from-command", "--", *command]
        what = what or filename
        return self._backup(filename, arguments, tags, env=env or {}, total=total, what=what)

    def backup_bytes(self, data: bytes, filename: str, tags: Iterable[str]) -> Saved:
        """Save one small file that is in memory."""
        with tempfile.TemporaryFile() as source:
            source.write(data)
            source.seek(0)
            arguments = ["--stdin-filename", filename, "--stdin"]
            return self._backup(filename, arguments, tags, stdin=source, what=filename)

    def backup_files(self, folder: Path, tags: Iterable[str], *, what: str = "") -> Saved:
        """Save what is in a folder, with names relative to it; it may not be empty.

        A file is read again only when its size or time of change differs from the backup before:
        hard links change the rest, and Odoo never changes a stored file.

        :raises HostingError: ``unreadable_files``
        """
        arguments = ["--ignore-ctime", "--ignore-inode", "--no-scan", "."]
        return self._backup("the files", arguments, tags, cwd=folder, what=what or "files")

    def _backup(
        self,
        name: str,
        arguments: list[str],
        tags: Iterable[str],
        total: int = 0,
        what: str = "",
        **rest: Any,
    ) -> Saved:
        head = ["backup", "--host", HOST]
        for tag in tags:
            head += ["--tag", tag]
        lines = self._json(f"save {name}", [*head, *arguments], total=total, what=what, **rest)
        summary = next((line for line in lines if line.get("message_type") == "summary"), {})
        if not summary.get("snapshot_id"):
            raise HostingError(
                "restic_failed", what=f"save {name}", reason="no snapshot came of it"
            )
        failpoint(f"restic.saved_{what or 'something'}")
        return Saved(
            snapshot=summary["snapshot_id"],
            bytes=summary["total_bytes_processed"],
            added=summary.get("data_added_packed", summary.get("data_added", 0)),
            seconds=summary["total_duration"],
        )

    def copy_from(self, source: Repository, snapshots: Sequence[str]) -> None:
        """Copy snapshots from another repository; those that are here already are skipped.

        :raises HostingError: ``two_credentials``: restic takes one set of credentials a call
        """
        shared = self.env.keys() & source.env.keys()
        if any(self.env[name] != source.env[name] for name in shared):
            raise HostingError("two_credentials")
        self._call("copy", ["copy", *snapshots], env=source._as_source(), what="Copying the backup")

    def _as_source(self) -> dict[str, str]:
        secrets = {"RESTIC_FROM_REPOSITORY": self.location, "RESTIC_FROM_PASSWORD": self.password}
        hint = restic_key.find(self.location)
        return {**self.env, **secrets, **({"RESTIC_FROM_KEY_HINT": hint} if hint else {})}

    # --- getting back

    def snapshots(self, *tags: str) -> list[Snapshot]:
        """Return the snapshots that carry all of ``tags``, oldest first, without a lock."""
        chosen = ["--tag", ",".join(tags)] if tags else []
        found = self._json("list the snapshots", ["snapshots", NO_LOCK, *chosen])[-1]
        listed = [
            Snapshot(
                id=entry["id"],
                original=entry.get("original") or entry["id"],
                time=entry["time"],
                tags=tuple(entry.get("tags") or ()),
            )
            for entry in found
        ]
        return sorted(listed, key=lambda snapshot: snapshot.time)

    def dump_to(
        self, snapshot: str, path: str, write: Callable[[bytes], object], *, lock: bool = True
    ) -> None:
        """Give the content of one file of a snapshot to ``write``, block by block.

        restic checks each block's SHA-256; its exit code is checked here.

        :param lock: keep `prune` away; without, a call beside it may fail
        """
        options = [] if lock else [NO_LOCK]
        self._call(f"read {path}", ["dump", *options, snapshot, path], feed=write, what=path)

    def restore(self, snapshot: str, target: Path, *, what: str = "files") -> None:
        """Restore a whole snapshot into a folder; files that are there and right are left alone."""
        self._json("restore", ["restore", snapshot, "--target", str(target)], what=what)

    # --- looking after it

    def check(self, part: tuple[int, int] | None = None) -> None:
        """Check that everything the snapshots need is there; with ``part`` (n, m) read the n-th
        of m shares of the data back as well.

        :raises HostingError: ``repository_damaged``
        """
        share = ["--read-data-subset", f"{part[0]}/{part[1]}"] if part else []
        try:
            self._json("check", ["check", *share], what="Reading the backups back")
        except HostingError as error:
            if error.code != "restic_failed":
                raise
            reason = error.facts["reason"]
            raise HostingError(
                "repository_damaged", location=self._safe_location(), reason=reason
            ) from error

    def forget(
        self,
        snapshots: Iterable[str],
        *,
        never: Iterable[str] = (),
        listed: Iterable[Snapshot] | None = None,
    ) -> int:
        """Remove snapshots, not their data; return how many. Those that are gone are fine.

        :param listed: what `snapshots` returned a moment ago, to save one of two calls
        :raises HostingError: ``newest_kept`` when one of ``never`` is among them
        """
        wanted, kept = set(snapshots), set(never)
        here = self.snapshots() if listed is None else listed
        found = [entry for entry in here if {entry.id, entry.original} & wanted]
        if any({entry.id, entry.original} & kept for entry in found):
            raise HostingError("newest_kept")
        gone = [entry.id for entry in found]
        if gone:
            failpoint("restic.forget")
            self._call("forget", ["forget", *gone])
        return len(gone)

    def prune(self) -> None:
        """Remove the data that no snapshot needs any more."""
        failpoint("restic.prune")
        self._call("prune", ["prune"], what="Removing old data")

    # --- one call

    def _json(self, what_for: str, arguments: list[str], **options: Any) -> list[Any]:
        """Run restic with ``--json``; return its messages, without those about progress."""
        lines = _Lines(self.progress, options.pop("total", 0), options.pop("what", ""))
        self._call(what_for, ["--json", *arguments], feed=lines, beat=lines.report, **options)
        lines.end()
        return lines.kept

    def _call(
        self,
        what_for: str,
        arguments: list[str],
        *,
        env: Mapping[str, str] | None = None,
        lock: bool = True,
        what: str = "",
        **options: Any,
    ) -> None:
        """Run restic; where a dead program's lock or a broken key is in the way, once more."""
        restic_lock.remove_torn(self.location)
        options.setdefault("beat", lambda: self.progress(0, 1, what))
        ended = self._run(arguments, env or {}, options)
        broken = ended.code and BROKEN_KEY.search(ended.errors)
        if broken and restic_key.heal(self.location, self.password):
            ended = self._run(arguments, env or {}, options)
        end = time.monotonic() + LOCK_WAIT_S
        while ended.code == 11 and lock and time.monotonic() < end:
            # Each time: a killed program counts as living until its parent, or init, has noticed.
            self.unlock()
            ended = self._run(["--retry-lock", LOCK_TRY, *arguments], env or {}, options)
        if ended.code or ended.stopped:
            raise self._error(what_for, ended)

    def _run(self, arguments: list[str], env: Mapping[str, str], options: Any) -> Ended:
        secrets = {"RESTIC_REPOSITORY": self.location, "RESTIC_PASSWORD": self.password}
        if hint := restic_key.find(self.location):
            secrets["RESTIC_KEY_HINT"] = hint
        return children.run(
            [self.binary, *self._cache(), *arguments],
            env={**LIMITS, **env, **self.env, **secrets},
            hear=self._hear,
            remaining_s=self.remaining_s,
            **options,
        )

    def _hear(self, said: bytes) -> None:
        """Stop where a folder was made read-only: restic would try for a quarter of an hour."""
        refused = REFUSED_FOLDER.search(said)
        if refused and ":" not in self.location:
            reason = refused[1].decode()
            raise HostingError("storage_refused", location=self._safe_location(), reason=reason)

    def _cache(self) -> list[str]:
        remote = self.cache_dir and ":" in self.location
        return ["--cache-dir", str(self.cache_dir)] if remote else ["--no-cache"]

    def _error(self, what_for: str, ended: Ended) -> HostingError:
        """Return what an exit code and the words beside it mean."""
        reason = self._without_secrets(_reason(ended.errors))
        location = self._safe_location()
        for code, error in {
            10: HostingError("no_repository", location=location),
            11: Retryable("repository_locked", location=location),
            12: HostingError("wrong_repository_password", location=location),
        }.items():
            if ended.code == code:
                return error
        if (killed := children.killed(ended.code)) and not ended.stopped:
            return HostingError("restic_killed", what=what_for, reason=killed)
        # Stopped by us, it has ended its command too.
        if "command failed" in ended.errors and not ended.stopped:
            status = re.search(r"command failed: exit status (\d+)", ended.errors)
            killed = status and children.killed(int(status[1]))
            return HostingError("backup_source_failed", reason=killed or reason)
        # A folder of the backup before that cannot be read ends restic in the same way.
        if ended.code == 3 and not re.search(_DAMAGED, ended.errors, re.IGNORECASE):
            return HostingError("unreadable_files", reason=reason)
        if "already contains keys" in ended.errors:
            return HostingError("half_repository", location=location)
        if "already contains snapshots" in ended.errors:
            return HostingError("repository_remains", location=location)
        if BROKEN_LOCK in ended.errors:
            return HostingError("broken_lock", location=location)
        for code, kind, pattern in _REASONS:
            if re.search(pattern, ended.errors, re.IGNORECASE):
                return kind(code, location=location, reason=reason)
        if ended.stopped:
            seconds = round(ended.seconds)
            # restic tries a silent storage again for a quarter of an hour without a word.
            if ":" in self.location and "context canceled" in ended.errors:
                reason = f"it did not answer or was too slow for {seconds} seconds"
                return Retryable("storage_unreachable", location=location, reason=reason)
            return HostingError("child_deadline", program="restic", seconds=seconds, reason=reason)
        return HostingError("restic_failed", what=what_for, reason=reason)

    def _safe_location(self) -> str:
        return re.sub(r"//[^/@]*@", "//", self.location)

    def _without_secrets(self, text: str) -> str:
        for secret in (self.password, *self.env.values()):
            text = text.replace(secret, "***") if len(secret) > 5 else text
        return re.sub(r"//[^/@\s]*@", "//", text)


class _Lines:
    """Takes restic's JSON lines: reports the progress, keeps the others."""

    def __init__(self, progress: Progress, total: int, what: str) -> None:
        self.progress, self.done, self.total, self.what = progress, 0, total, what
        self.kept: list[Any] = []
        self._rest = b""

    def __call__(self, block: bytes) -> None:
        *lines, self._rest = (self._rest + block).split(b"\n")
        for line in lines:
            self._take(line)

    def report(self) -> None:
        """Say again how far it is; this is also what stops a cancelled operation."""
        self.progress(self.done, max(self.total, self.done, 1), self.what)

    def end(self) -> None:
        """Take a last line that has no end."""
        self._take(self._rest)

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except ValueError:
            return  # restic before 0.18 tells what `check` is at in words, whatever it was asked
        if isinstance(message, dict) and message.get("message_type") == "status":
            self.done = message.get("bytes_done") or message.get("bytes_restored") or 0
            self.total = message.get("total_bytes") or self.total
        elif not isinstance(message, dict) or message.get("message_type") != "verbose_status":
            self.kept.append(message)


def _reason(errors: str) -> str:
    """Return restic's own last sentence, from its JSON or its plain output; and the command's."""
    said = []
    for line in errors.splitlines():
        try:
            message = json.loads(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            said.append(line)
            continue
        text = message.get("message") or message.get("error", {}).get("message") or ""
        said += text.splitlines()
    # Each call of a Go stack is two lines, the second behind a tab.
    told = [
        line.strip().removeprefix("Fatal: ")
        for line, after in itertools.pairwise([*said, ""])
        if line.strip() and not line.startswith("\t") and not after.startswith("\t")
    ]
    # The first says what went wrong, the last what came of it; hints stand between them.
    told = told[:1] + [line for line in told[-1:] if told[0] not in line]
    return "; ".join(told)[:400] or "no reason given"


def version(binary: str) -> tuple[int, int]:
    """Return restic's version.

    :raises HostingError: ``child_missing``, ``restic_too_old``
    """
    output: list[bytes] = []
    ended = children.run([binary, "version"], env={}, feed=output.append)
    match = re.match(rb"restic (\d+)\.(\d+)", b"".join(output))
    if ended.code or not match:
        raise HostingError("child_missing", program=binary)
    found = (int(match[1]), int(match[2]))
    if found < OLDEST:
        raise HostingError("restic_too_old", version=".".join(map(str, found)))
    return found
