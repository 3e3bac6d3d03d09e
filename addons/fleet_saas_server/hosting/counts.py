"""Requests per database and day, counted in every hosted process without a database.

Each process keeps its own file, ``<folder>/<YYYY-MM-DD>/<pid>-<random>.json``, a JSON object
database → requests of that day in UTC, written at most every `FLUSH_S` and when the process ends.
A killed process loses the requests since its last writing, no more.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import re
import secrets
import shutil
import threading
import time
from collections import Counter
from datetime import date, datetime, timedelta, timezone
from pathlib import Path

FLUSH_S = 10.0
KEEP_DAYS = 40
_DAY_S = 86400
_DAY = re.compile(r"\d{4}-\d\d-\d\d")


class RequestCounter:
    """Counts in memory; a timer that runs only while there is something to write writes the file."""

    def __init__(self, folder: Path, flush_s: float = FLUSH_S) -> None:
        self.folder = folder
        self.flush_s = flush_s
        self._forget()
        atexit.register(self.flush)
        # A forked worker has a file of its own, and the timer did not come with it.
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._counts: dict[int, Counter[str]] = {}
        self._timer: threading.Timer | None = None
        self._name = f"{os.getpid()}-{secrets.token_hex(4)}.json"

    def count(self, database: str) -> None:
        """Count one request; it takes a microsecond and touches no file."""
        today = int(time.time()) // _DAY_S
        with self._lock:
            self._counts.setdefault(today, Counter())[database] += 1
            if self._timer is None:
                self._timer = threading.Timer(self.flush_s, self.flush)
                self._timer.daemon = True
                self._timer.start()

    def flush(self) -> None:
        """Write what was counted. A full disk must stop no request: it is tried again later."""
        with self._lock:
            self._timer = None
            today = int(time.time()) // _DAY_S
            for day in list(self._counts):
                with contextlib.suppress(OSError):
                    self._write(day)
                    if day < today:
                        del self._counts[day]

    def _write(self, day: int) -> None:
        folder = self.folder / _day_name(day)
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / f".{self._name}"
        temporary.write_text(json.dumps(self._counts[day]))
        os.replace(temporary, folder / self._name)


def requests_of(folder: Path, day: date) -> Counter[str]:
    """Return how many requests each database answered on one day, in UTC."""
    total: Counter[str] = Counter()
    for path in (folder / day.isoformat()).glob("[0-9]*.json"):
        # A file that a full disk left empty counts nothing.
        with contextlib.suppress(OSError, ValueError):
            total.update(json.loads(path.read_text()))
    return total


def prune(folder: Path, keep_days: int = KEEP_DAYS) -> list[str]:
    """Remove the days before the last ``keep_days``; return their names."""
    limit = (datetime.now(timezone.utc).date() - timedelta(days=keep_days)).isoformat()
    names = [path.name for path in folder.glob("*") if _DAY.fullmatch(path.name)]
    old = sorted(name for name in names if name < limit)
    for name in old:
        shutil.rmtree(folder / name, ignore_errors=True)
    return old


def _day_name(day: int) -> str:
    return datetime.fromtimestamp(day * _DAY_S, timezone.utc).date().isoformat()
