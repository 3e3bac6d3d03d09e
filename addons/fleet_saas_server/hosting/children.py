"""Programs that the hosting runs: watched, bounded in time, and gone when we are gone."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from .errors import HostingError, sentences

POLL_S = 0.25
ENDING_S = 0.005  # a program that said its last word ends in a moment
GRACE_S = 5.0  # from the polite signal to the other one
KEPT_ERRORS = 4096  # bytes of stderr that are kept, from its start and as many from its end
BLOCK = 1 << 18
# What a program of the machine needs; nothing else of our environment reaches it.
PASSED_ON = (
    "PATH",
    "HOME",
    "LD_LIBRARY_PATH",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SSH_AUTH_SOCK",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
)

sentences(
    child_missing="The program %(program)s is not on this server. Install it, or say where it is "
    "in the server's configuration.",
    child_deadline="%(program)s was stopped after %(seconds)s seconds because the time of the "
    "operation was up. Its last words: %(reason)s",
)

Progress = Callable[[float, float, str], None]


def no_progress(_done: float, _total: float, _what: str) -> None:
    """Take a progress report and do nothing with it."""


def no_limit() -> float:
    """Return the seconds left where nobody set a limit: a day."""
    return 86400.0


@dataclass(frozen=True)
class Ended:
    """How a program ended. ``errors`` is what it wrote to stderr; of much, the start and the end."""

    code: int
    errors: str
    seconds: float
    stopped: bool = False


def run(
    command: Sequence[str | Path],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: IO[bytes] | None = None,
    feed: Callable[[bytes], None] | None = None,
    hear: Callable[[bytes], None] | None = None,
    beat: Callable[[], None] | None = None,
    remaining_s: Callable[[], float] = no_limit,
) -> Ended:
    """Run a program to its end, or stop it when ``remaining_s`` says 0.

    Its standard output goes to ``feed`` in blocks, its errors to ``hear``. ``beat`` is called about
    four times a second in the caller's thread; what they raise stops the program and is passed on.
    The program leads a process group of its own, which is killed in any case, and dies when we are
    killed.

    :param env: added to the few variables of ours that every program gets
    :raises HostingError: ``child_missing``
    """
    began = time.monotonic()
    child = _start(command, env, cwd, stdin)
    watch = _Watch(child, feed or _drop, hear or _drop, beat or nothing, remaining_s)
    try:
        stopped = not watch.follow()
    except BaseException:
        _ask_to_stop(child)
        raise
    finally:
        _kill(child)
        child.stdout.close()
        child.stderr.close()
    errors = watch.errors().decode(errors="replace").strip()
    return Ended(child.returncode, errors, time.monotonic() - began, stopped)


def check_time(ended: Ended, program: str) -> None:
    """Raise ``child_deadline`` when the program was stopped for want of time."""
    if ended.stopped:
        reason = last_line(ended.errors)
        raise HostingError(
            "child_deadline", program=program, seconds=round(ended.seconds), reason=reason
        )


def last_line(text: str) -> str:
    """Return the last line that is not blank, for a sentence."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "none"


def killed(code: int) -> str:
    """Return for a sentence that a signal ended a program, "" when its exit code says nothing of that.

    A shell and our `digest_child` end with 128 and the number of the signal that ended their program;
    restic does so when it was asked to stop.
    """
    number = -code if code < 0 else code - 128
    if number == signal.SIGKILL:
        return f"it was killed (signal {number}), perhaps for want of memory"
    return f"it was ended by the signal {number}" if 0 < number < signal.NSIG else ""


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Return a small environment for a child, with ``extra`` added."""
    passed = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    return {"LC_ALL": "C", **passed, **extra}


def _start(
    command: Sequence[str | Path],
    env: Mapping[str, str],
    cwd: Path | None,
    stdin: IO[bytes] | None,
) -> subprocess.Popen[bytes]:
    surroundings = environment(env)
    program = str(command[0])
    if not shutil.which(program, path=surroundings.get("PATH")):
        raise HostingError("child_missing", program=program)
    return subprocess.Popen(
        [*_dies_with_us(), *map(str, command)],
        env=surroundings,
        cwd=cwd,
        stdin=subprocess.DEVNULL if stdin is None else stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _dies_with_us() -> list[str]:
    """Return what makes Linux kill a program as soon as the thread that started it is gone.

    util-linux, setpriv(1): ``--pdeathsig`` is prctl(2)'s PR_SET_PDEATHSIG, kept across execve.
    """
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "SIGKILL", "--"] if setpriv else []


def _ask_to_stop(child: subprocess.Popen[bytes]) -> None:
    """Let the group end by itself for a moment: restic gives its lock back on this signal.

    What it still writes is read: with nobody at the other end, its first word would end it at once.
    """
    _Watch(child, _drop, _drop, nothing, lambda: 0.0).follow()


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Tell without reaping it: until `_kill`, nobody else can be given its number."""
    return bool(os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG))


def _kill(child: subprocess.Popen[bytes]) -> None:
    """Kill what is left of the group, also the program's own children that outlived it."""
    _signal(child, signal.SIGKILL)
    child.wait()


def _signal(child: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Signal a group whose leader nobody has waited for yet."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, number)


def _drop(_block: bytes) -> None:
    """Forget output that nobody asked for."""


def nothing() -> None:
    """Beat without a drum."""


class _Watch:
    """Reads both outputs of a child without letting one block the other."""

    def __init__(
        self,
        child: subprocess.Popen[bytes],
        feed: Callable[[bytes], None],
        hear: Callable[[bytes], None],
        beat: Callable[[], None],
        remaining_s: Callable[[], float],
    ) -> None:
        self.child, self.feed, self.hear = child, feed, hear
        self.beat, self.remaining_s = beat, remaining_s
        self._first, self._last, self._cut = b"", b"", False

    def follow(self) -> bool:
        """Read until the program and its outputs end; return False when time was up first.

        What it started and left behind may hold its outputs open for ever: that is not waited for.
        """
        with selectors.DefaultSelector() as selector:
            for stream in (self.child.stdout, self.child.stderr):
                selector.register(stream, selectors.EVENT_READ)
            kill_at = leave_at = None
            next_beat = 0.0
            while selector.get_map() or not leave_at:
                for key, _events in selector.select(POLL_S if selector.get_map() else ENDING_S):
                    if not self._read(key.fileobj):
                        selector.unregister(key.fileobj)
                now = time.monotonic()
                if now >= next_beat:
                    self.beat()
                    next_beat = now + POLL_S
                if kill_at is None and self.remaining_s() <= 0:
                    _signal(self.child, signal.SIGINT)
                    kill_at = now + GRACE_S
                elif kill_at and now > kill_at:
                    _signal(self.child, signal.SIGKILL)
                if leave_at is None and _has_ended(self.child):
                    leave_at = now + GRACE_S
                elif leave_at and now > leave_at:
                    break
        return kill_at is None

    def _read(self, stream: IO[bytes]) -> bool:
        block = os.read(stream.fileno(), BLOCK)
        if stream is self.child.stderr:
            self._keep(block)
            self.hear(block)
        elif block:
            self.feed(block)
        return bool(block)

    def _keep(self, block: bytes) -> None:
        room = KEPT_ERRORS - len(self._first)
        self._first += block[:room]
        last = self._last + block[room:]
        self._cut = self._cut or len(last) > KEPT_ERRORS
        self._last = last[-KEPT_ERRORS:]

    def errors(self) -> bytes:
        """Return what the child wrote to stderr, without the lines that were cut."""
        if not self._cut:
            return self._first + self._last
        first, last = self._first.rpartition(b"\n"), self._last.partition(b"\n")
        return (first[0] or first[2]) + b"\n" + (last[2] or last[0])
