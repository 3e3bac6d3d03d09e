"""Follow an operation from outside until it ends, with a bar where somebody watches."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import psycopg2

from ..hosting.errors import HostingError
from ..hosting.host import Host
from ..hosting.journal import ACTIVE, is_held

LOOK_S = 0.1
PATIENCE_S = 3.0  # so long an operation may wait for a runner before we run it ourselves
LOST_S = 30.0  # so long PostgreSQL may be away, as it is when it is restarted
BAR = 30
_QUERY = """
    SELECT o.state, o.applied, o.progress, o.progress_text, o.wait_operation,
           o.next_try > now() AT TIME ZONE 'utc' AS later,
           count(*) FILTER (WHERE s.state = 'done') AS done, count(s.id) AS total
      FROM saas_operation o LEFT JOIN saas_operation_step s ON s.operation_id = o.id
     WHERE o.id = %s GROUP BY o.id"""


class Lost(Exception):
    """PostgreSQL cannot be reached any more; the operation goes on once it is back."""


@dataclass(frozen=True)
class Seen:
    """An operation at one moment; ``ended`` is true once its result is on the records too."""

    state: str
    applied: bool
    progress: float | None
    text: str | None
    waits_for: int | None
    later: bool | None
    done: int
    total: int

    @property
    def ended(self) -> bool:
        """Tell whether nothing more will happen."""
        return self.state not in ACTIVE and bool(self.applied)


def follow(
    host: Host,
    operation: int,
    *,
    run: Callable[[int], str],
    show: bool,
    wait_for_runner: bool,
) -> str:
    """Wait until an operation ends and return its state; run it here when nobody else does.

    :param run: runs an operation in this process and returns the outcome
    :param show: draw a bar on standard error
    :param wait_for_runner: whether there is a runner, which is given a moment to take it
    :raises Lost: PostgreSQL went away and did not come back in time
    """
    show = show and os.environ.get("TERM") != "dumb"
    reached = time.monotonic()
    while True:
        try:
            with closing(host.cluster.connect(host.server_database)) as connection:
                reached = time.monotonic()
                return _watch(connection, operation, run, show, wait_for_runner)
        except (psycopg2.OperationalError, psycopg2.InterfaceError, HostingError) as error:
            if isinstance(error, HostingError) and not error.retryable:
                raise
            if time.monotonic() - reached > LOST_S:
                raise Lost("PostgreSQL cannot be reached any more.") from error
            time.sleep(1)


def _watch(
    connection: Any,
    operation: int,
    run: Callable[[int], str],
    show: bool,
    wait_for_runner: bool,
) -> str:
    idle_since = time.monotonic() - (0 if wait_for_runner else PATIENCE_S)
    try:
        while not (seen := _look(connection, operation)).ended:
            if show:
                _draw(seen)
            if seen.later or _is_held(connection, operation, seen):
                idle_since = time.monotonic()
            elif time.monotonic() - idle_since >= PATIENCE_S:
                _run_turn(run, operation, seen)
            time.sleep(LOOK_S)
    finally:
        if show:
            sys.stderr.write("\r\033[K")
    return seen.state


def _is_held(connection: Any, operation: int, seen: Seen) -> bool:
    with connection.cursor() as cr:
        return any(is_held(cr, number) for number in (operation, seen.waits_for) if number)


def _run_turn(run: Callable[[int], str], operation: int, seen: Seen) -> None:
    """Run the operation; when it is not its turn, the one that it waits for."""
    if run(operation) == "busy" and seen.waits_for:
        run(seen.waits_for)


def _look(connection: Any, operation: int) -> Seen:
    with connection.cursor() as cr:
        cr.execute(_QUERY, [operation])
        return Seen(*cr.fetchone())


def _draw(seen: Seen) -> None:
    share = seen.done + (seen.progress or 0.0) / 100.0
    width = min(BAR, shutil.get_terminal_size().columns // 3)
    filled = round(width * min(share, seen.total) / seen.total) if seen.total else 0
    bar = "#" * filled + "." * (width - filled)
    waits = f"waits for operation {seen.waits_for}" if seen.waits_for else seen.state
    words = f"{waits} {seen.text or ''}".strip()
    columns = shutil.get_terminal_size().columns
    # A line that wraps cannot be taken back.
    sys.stderr.write(f"\r\033[K{f'[{bar}] {seen.done}/{seen.total} {words}'[: columns - 1]}")
    sys.stderr.flush()
