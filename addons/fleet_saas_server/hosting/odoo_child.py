"""Odoo as a program of its own on one database: install and upgrade modules, run a script, serve it.

The database may be hidden: Odoo opens a template by name, it only does not list it. A child never
runs scheduled actions, sees nothing of our environment but what a program needs, reads the
server's configuration without its log, PID file and server-wide modules, and dies when we die.
"""

from __future__ import annotations

import contextlib
import json
import logging
import re
import secrets
import socket
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests

from . import children
from .children import Progress, no_limit, no_progress, nothing
from .errors import HostingError, Retryable, sentences
from .host import Host
from .modules import MANIFEST, AddonsPath

_logger = logging.getLogger(__name__)

KEPT_LINES = 200
START_TRIES = 3
LONGEST_REQUEST_S = 1800
SHORTEST_SECRET = 6  # a shorter one, such as "odoo", stands in every other line of the log
# What the server's own process keeps to itself, and what a child must not do.
OPTIONS = (
    "--no-database-list",
    "--max-cron-threads=0",
    "--workers=0",
    "--load=base,rpc,web",
    # Without a filter Odoo serves what -d names, and only that; with one it looks for visible databases.
    "--db-filter=",
    "--logfile=",
    "--log-level=info",
    "--log-db=",
    "--pidfile=",
    f"--limit-time-real={LONGEST_REQUEST_S}",
)
_LOADING = re.compile(r"Loading module (\w+) \((\d+)/(\d+)\)")
_SECRET = re.compile(r"(?i)((?:password|passwd|secret|token|api_key)\W{1,4})[^\s,;'\")]+")
_HEAD = re.compile(r"^\d{4}-\d\d-\d\d [\d:,]+ \d+ (\w+) \S+ ([\w.]+): (.*)$")
# odoo/modules/module.py; the sentence for users that follows it is in any language.
_PACKAGE = re.compile(r"^odoo\.modules\.module\.MissingDependency: .*dependency '([^']+)' not ")
_EXCEPTION = re.compile(
    r"^([A-Za-z_][\w.]*(?:Error|Exception|Warning|Violation|Interrupt)): ?(.*)$"
)

sentences(
    odoo_failed="Odoo stopped while it was at %(module)s: %(reason)s. Repair that and retry; "
    "the server's log has its last lines.",
    odoo_package="The module %(module)s needs the Python package %(package)s, which the Python that "
    "runs Odoo here does not have. Install it there (pip install %(package)s), then retry.",
    odoo_late="Odoo did not end within %(seconds)s seconds; it was at %(module)s. "
    "Look at what it was doing, then retry.",
    odoo_answer="Odoo ended without giving the answer that was asked of it: %(reason)s",
    odoo_silent="Odoo did not begin to answer within %(seconds)s seconds: %(reason)s",
)

Line = Callable[[str], None]


def _ignore(_line: str) -> None:
    """Read a line of the log and do nothing with it."""


@dataclass
class _Log:
    """What a child says: the module it is at, the last lines, the first thing that went wrong."""

    hidden: tuple[str, ...]
    on_line: Line
    progress: Progress
    module: str = "the start"
    answer: str = ""
    marker: str = ""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=KEPT_LINES))
    _rest: bytes = b""

    def feed(self, block: bytes) -> None:
        """Take a block of output."""
        *whole, self._rest = (self._rest + block).split(b"\n")
        for line in whole:
            self._take(line.decode(errors="replace").rstrip())

    def _take(self, line: str) -> None:
        if self.marker and line.startswith(self.marker):
            self.answer = line.removeprefix(self.marker)
            return
        clean = self._clean(line)
        self.lines.append(clean)
        found = _LOADING.search(clean)
        if found:
            self.module = found[1]
            self.progress(float(found[2]), float(found[3]), f"Module {found[1]}")
        self.on_line(clean)

    def _clean(self, line: str) -> str:
        for secret in self.hidden:
            line = line.replace(secret, "***")
        return _SECRET.sub(r"\1***", line)

    def end(self) -> None:
        """Take what came without a line break."""
        if self._rest:
            self.feed(b"\n")

    def reason(self) -> str:
        """Return what a person should read of it: the last exception and what caused it, else the
        last error line."""
        found = [match for line in self.lines if (match := _EXCEPTION.match(line))]
        said = [f"{match[1].rpartition('.')[2]}: {match[2]}" for match in found]
        if said:
            return said[-1] if said[0] == said[-1] else f"{said[-1]} ({said[0]})"
        for line in reversed(self.lines):
            head = _HEAD.match(line)
            if head and head[1] in ("ERROR", "CRITICAL"):
                return head[3]
        return self.lines[-1] if self.lines else "it said nothing"

    def package(self) -> str:
        """Return the Python package that a module wants and Odoo did not find, "" when that is not it."""
        found = [match[1] for line in self.lines if (match := _PACKAGE.match(line))]
        return found[-1] if found else ""


def run(
    host: Host,
    database: str,
    arguments: Sequence[str],
    *,
    on_line: Line = _ignore,
    progress: Progress = no_progress,
    beat: Callable[[], None] = nothing,
    remaining_s: Callable[[], float] = no_limit,
) -> list[str]:
    """Run ``odoo`` on a database until it ends by itself; return the last lines of its log.

    :param arguments: such as ``["-i", "sale"]`` or ``["-u", "base"]``
    :param on_line: gets every line of the log, without secrets
    :param progress: gets each module as it is loaded, with its number and how many there are
    :param beat: called about four times a second; what it raises ends the child and is passed on
    :raises HostingError: ``odoo_failed`` with the module and the reason; ``odoo_package``,
        ``odoo_late``
    """
    log = _Log(_secrets(host), on_line, progress)
    command = command_line(host, database, (*arguments, "--no-http", "--stop-after-init"))
    _run(host, command, log, beat=beat, remaining_s=remaining_s)
    return list(log.lines)


def script(
    host: Host,
    database: str,
    text: str,
    arguments: dict[str, Any] | None = None,
    *,
    on_line: Line = _ignore,
    progress: Progress = no_progress,
    beat: Callable[[], None] = nothing,
    remaining_s: Callable[[], float] = no_limit,
) -> Any:
    """Run Python in ``odoo shell`` on a database; return what it left in ``RESULT``, through JSON.

    :param text: sees ``env`` and ``ARGUMENTS``, and commits by itself

    :raises HostingError: ``odoo_failed``, ``odoo_late``, ``odoo_answer``
    """
    marker = f"fleet-result-{secrets.token_hex(8)}:"
    log = _Log(_secrets(host), on_line, progress, module="the script", marker=marker)
    source = (
        f"import json, sys\nRESULT = None\nARGUMENTS = json.loads({json.dumps(arguments or {})!r})\n"
        f"exec(compile({text!r}, 'script', 'exec'))\n"
        f"sys.stdout.write('\\n' + {marker!r} + json.dumps(RESULT) + '\\n')\nsys.stdout.flush()\n"
    )
    command = command_line(host, database, ("--no-http",), subcommand="shell")
    with tempfile.TemporaryFile() as stdin:
        stdin.write(source.encode())
        stdin.seek(0)
        _run(host, command, log, beat=beat, remaining_s=remaining_s, stdin=stdin)
    try:
        return json.loads(log.answer)
    except ValueError as error:
        raise HostingError("odoo_answer", reason=log.reason()) from error


@contextlib.contextmanager
def served(
    host: Host, database: str, *, start_s: float = 120.0, on_line: Line = _ignore
) -> Iterator[str]:
    """Serve one database on a port of the loopback interface; give its address, without a slash.

    The registry is loaded when the block begins. No other database can be reached there.

    :raises HostingError: ``odoo_failed`` when it ends by itself
    :raises Retryable: ``odoo_silent``
    """
    for attempt in range(START_TRIES):
        serving = _Serving(host, database, on_line)
        try:
            if serving.wait(start_s):
                yield serving.url
                return
            if attempt == START_TRIES - 1 or "in use" not in serving.log.reason():
                raise HostingError(
                    "odoo_failed", module=serving.log.module, reason=serving.log.reason()
                )
        finally:
            serving.stop()


class _Serving:
    """An Odoo that serves one database, watched by a thread of ours."""

    def __init__(self, host: Host, database: str, on_line: Line) -> None:
        self._port = _free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self.log = _Log(_secrets(host), on_line, no_progress)
        self._stopped = threading.Event()
        command = command_line(
            host,
            database,
            (
                "--http-interface=127.0.0.1",
                f"--http-port={self._port}",
            ),
        )
        self._thread = threading.Thread(target=self._watch, args=(host, command), daemon=True)
        self._thread.start()

    def _watch(self, host: Host, command: list[str]) -> None:
        with contextlib.suppress(HostingError):
            _run(host, command, self.log, remaining_s=self._left)

    def _left(self) -> float:
        return 0.0 if self._stopped.is_set() else children.no_limit()

    def wait(self, start_s: float) -> bool:
        """Wait until it answers; return False when it ended first."""
        until = time.monotonic() + start_s
        with requests.Session() as session:
            session.trust_env = False
            while time.monotonic() < until:
                if not self._thread.is_alive():
                    return False
                with contextlib.suppress(requests.RequestException):
                    session.get(f"{self.url}/web/health", timeout=5, allow_redirects=False)
                    return True
                time.sleep(0.1)
        raise Retryable("odoo_silent", seconds=round(start_s), reason=self.log.reason())

    def stop(self) -> None:
        """Stop it, and wait until it is gone."""
        self._stopped.set()
        self._thread.join(children.GRACE_S + 10)


def command_line(
    host: Host, database: str, arguments: Sequence[str], *, subcommand: str = ""
) -> list[str]:
    """Return the command of such a child, its errors on its standard output."""
    command = [*host.odoo, *([subcommand] if subcommand else [])]
    if host.odoo_config:
        command += ["--config", host.odoo_config]
    command += ["--addons-path", ",".join(_addons_folders(host)), "--data-dir", str(host.data_dir)]
    command += ["-d", database, *OPTIONS, *arguments]
    # One stream keeps the order in which things were said.
    return ["/bin/sh", "-c", 'exec "$@" 2>&1', "odoo", *command]


def environment(host: Host) -> dict[str, str]:
    """Return what such a child needs to find PostgreSQL, its programs, and Odoo's own package.

    Odoo that was started from its source tree is importable from there only.
    """
    found = host.cluster.environment()
    for folder in map(Path, host.addons_path):
        root = folder.parent.parent
        if (folder / "base" / "__manifest__.py").is_file() and (root / "odoo").is_dir():
            found["PYTHONPATH"] = str(root)
    if sys.pycache_prefix:
        found["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix
    return found | {"PYTHONUNBUFFERED": "1", "PYTHONDONTWRITEBYTECODE": "1"}


def _run(host: Host, command: list[str], log: _Log, **options: Any) -> None:
    ended = children.run(
        command, env=environment(host), cwd=host.data_dir, feed=log.feed, **options
    )
    log.end()
    if ended.stopped:
        raise HostingError("odoo_late", seconds=round(ended.seconds), module=log.module)
    if ended.code:
        told = "".join(f"\n  | {line}" for line in log.lines)
        _logger.info("Odoo ended with %s at %s; its last lines:%s", ended.code, log.module, told)
        _raise_reason(host, log)


def _raise_reason(host: Host, log: _Log) -> None:
    package = log.package()
    if not package:
        raise HostingError("odoo_failed", module=log.module, reason=log.reason())
    # Odoo names the module in its sentence: it is the word whose manifest wants the package.
    found = AddonsPath(host.addons_path)
    for word in re.findall(r"\w+", log.reason()):
        folder = found.folder(word)
        if folder and package in (folder / MANIFEST).read_text("utf-8"):
            raise HostingError("odoo_package", module=word, package=package)
    raise HostingError("odoo_package", module=log.module, package=package)


def _addons_folders(host: Host) -> list[str]:
    """Return the folders that Odoo accepts: it warns of one that holds no module."""
    return [
        folder
        for folder in host.addons_path
        if next(Path(folder).glob("*/__manifest__.py"), None) is not None
    ]


def _secrets(host: Host) -> tuple[str, ...]:
    password = str(host.cluster.dsn.get("password") or "")
    return (password,) if len(password) >= SHORTEST_SECRET else ()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
