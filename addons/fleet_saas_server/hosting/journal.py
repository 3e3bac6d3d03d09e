"""The journal of operations: the tables ``saas_operation`` and ``saas_operation_step``, by plain SQL.

The addon's models show these tables and add operations to them; while an operation runs, only the
runner that holds its lock writes them, each write in a transaction of its own. The lock is an
advisory lock of PostgreSQL on the journal's own connection: it ends with the connection, so a
dead runner is known at once and two can never work on one target.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg2
from psycopg2.extensions import connection, cursor

from .engine import Progress
from .errors import SENTENCES, Cancelled, HostingError, Lost
from .postgres import Cluster

HEARTBEAT_S = 3.0
OPERATION_SPACE = 0x666C65  # class of the advisory locks on operations

# Every state of an operation and the states it may go to. ``queued`` also means waiting: for an
# earlier operation on the same target, or for the next try.
TRANSITIONS: dict[str, tuple[str, ...]] = {
    "queued": ("running", "undoing", "cancelled"),
    "running": ("queued", "undoing", "done"),
    "undoing": ("failed", "cancelled"),
    "failed": ("queued",),
    "cancelled": ("queued",),
    "done": (),
}
ACTIVE = ("queued", "running", "undoing")


def target_lock(target: str) -> int:
    """Return the key of the advisory lock on a target, a signed 64-bit number."""
    return int.from_bytes(hashlib.sha256(target.encode()).digest()[:8], "big", signed=True)


@dataclass
class Claimed:
    """An operation that this runner holds.

    :param request: the arguments as stored
    """

    kind: str
    target: str
    request: dict[str, Any]
    past: Progress
    notes: dict[str, dict[str, Any]]


class SqlJournal:
    """The journal of one operation; also its lock and its heartbeat.

    Use as a context manager. `claim` tells whether this runner has it; leaving the block gives
    the lock back.
    """

    def __init__(self, cluster: Cluster, database: str, operation: int) -> None:
        self._cluster = cluster
        self._database = database
        self._operation = operation
        self._connection: connection | None = None
        self._stop = threading.Event()
        self._cancel = False
        self._lost = False
        self._closing = False
        self._deadline = float("inf")
        self._minutes = 0
        self.kind = ""

    def __enter__(self) -> SqlJournal:
        self._connection = self._cluster.connect(self._database)
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        if self._connection:
            self._connection.close()

    # --- claiming

    def claim(self) -> Claimed | None:
        """Take the operation if it is free and it is its turn; None when it has to wait.

        Whoever holds the target, or is an earlier unfinished operation on it, goes first; why it
        waits is written on the operation.
        """
        if not self._lock("pg_try_advisory_lock(%s, %s)", [OPERATION_SPACE, self._operation]):
            return None
        row = self._row(
            "SELECT kind, target, request, state, COALESCE(attempt, 0), deadline_s, sources, error_code, "
            "error_facts, next_try > now() AT TIME ZONE 'utc' FROM saas_operation WHERE id = %s",
            [self._operation],
        )
        if not row or row[3] not in ACTIVE or row[9]:
            return None
        kind, target, request, state, attempt, deadline_s, sources, code, facts, _later = row
        if not self._take_turn(target, sources or []):
            return None
        return self._begin(kind, target, request or {}, state, attempt + 1, deadline_s, code, facts)

    def _take_turn(self, target: str, sources: list[str]) -> bool:
        earlier = self._row(
            "SELECT id, kind FROM saas_operation WHERE target = %s AND id < %s "
            "AND state = ANY(%s) ORDER BY id LIMIT 1",
            [target, self._operation, list(ACTIVE)],
        )
        free = not earlier and self._lock("pg_try_advisory_lock(%s)", [target_lock(target)])
        for source in sources if free else ():
            if source != target and free:
                free = self._lock("pg_try_advisory_lock_shared(%s)", [target_lock(source)])
        if not free:
            ahead = earlier or self._holder(target, sources)
            self._write("wait_operation = %s", [ahead[0] if ahead else None])
        return free

    def _holder(self, target: str, sources: list[str]) -> tuple | None:
        """Return the running operation that holds a lock we need: its end is what we wait for."""
        return self._row(
            "SELECT id FROM saas_operation WHERE id <> %s AND state IN ('running', 'undoing') "
            "AND (target = ANY(%s) OR sources @> to_jsonb(%s::text)) ORDER BY id LIMIT 1",
            [self._operation, [target, *sources], target],
        )

    def _begin(
        self,
        kind: str,
        target: str,
        request: dict,
        state: str,
        attempt: int,
        deadline_s: int,
        code: str | None,
        facts: dict | None,
    ) -> Claimed | None:
        self.kind = kind
        error = None
        if state == "undoing":
            error = HostingError(code if code in SENTENCES else "cancelled", **(facts or {}))
            self._closing = True
        # Cancelled since it was read, it is over and its name may be another's already.
        begun = self._write(
            "state = CASE state WHEN 'undoing' THEN state ELSE 'running' END, attempt = %s, "
            "runner = %s, wait_operation = NULL, heartbeat = now() AT TIME ZONE 'utc', "
            "started = COALESCE(started, now() AT TIME ZONE 'utc')",
            [attempt, f"{socket.gethostname()}:{os.getpid()}"],
            "AND state = ANY(%s)",
            [list(ACTIVE)],
        )
        if not begun:
            return None
        left = self._row(
            "SELECT %s - extract(epoch FROM now() AT TIME ZONE 'utc' - started), cancel_requested "
            "FROM saas_operation WHERE id = %s",
            [deadline_s, self._operation],
        )
        self._minutes = max(1, round(deadline_s / 60))
        self._deadline = time.monotonic() + float(left[0])
        self._cancel = bool(left[1])
        states, notes = self._steps()
        threading.Thread(target=self._beat, daemon=True).start()
        return Claimed(kind, target, request, Progress(states, attempt, error), notes)

    def _steps(self) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
        with self._cursor() as cr:
            cr.execute(
                "SELECT name, state, evidence FROM saas_operation_step WHERE operation_id = %s",
                [self._operation],
            )
            rows = cr.fetchall()
        return {row[0]: row[1] for row in rows}, {row[0]: row[2] or {} for row in rows}

    # --- writing, as `engine.Journal` says

    def begin(self, step: str) -> None:
        """Write that a step begins."""
        self._step(step, "state = 'running', started = now() AT TIME ZONE 'utc', ended = NULL", [])

    def note(self, step: str, facts: Mapping[str, Any]) -> None:
        """Keep facts of a step before it ends."""
        self._step(
            step, "evidence = COALESCE(evidence, '{}'::jsonb) || %s::jsonb", [json.dumps(facts)]
        )

    def end(self, step: str, evidence: Mapping[str, Any]) -> None:
        """Write that a step ended, with its evidence."""
        self._step(
            step,
            "state = 'done', ended = now() AT TIME ZONE 'utc', "
            "evidence = COALESCE(evidence, '{}'::jsonb) || %s::jsonb",
            [json.dumps(evidence)],
        )

    def undone(self, step: str) -> None:
        """Write that a step was taken back."""
        self._step(step, "state = 'undone', ended = now() AT TIME ZONE 'utc'", [])

    def reset(self, steps: list[str]) -> None:
        """Make steps pending again; what they noted stays, for their undo and their second run."""
        with self._cursor() as cr:
            cr.execute(
                "UPDATE saas_operation_step SET state = 'pending', started = NULL, ended = NULL "
                "WHERE operation_id = %s AND name = ANY(%s)",
                [self._operation, steps],
            )

    def progress(self, done: float, total: float, text: str) -> None:
        """Write how far the running step is."""
        share = 100.0 * min(1.0, done / total) if total else 0.0
        self._write("progress = %s, progress_text = %s", [share, text[:200]])

    def check(self, *, cancellable: bool = True) -> None:
        """Raise `Lost`, `Cancelled` or ``deadline`` when the operation must not go on."""
        if self._lost:
            raise Lost
        if self._closing:
            return
        if self._cancel and cancellable:
            raise Cancelled
        if time.monotonic() > self._deadline:
            raise HostingError("deadline", minutes=self._minutes)

    def seconds_left(self) -> float:
        """Return the seconds until the deadline."""
        return self._deadline - time.monotonic()

    def wait(self, error: HostingError, delay_s: float) -> None:
        """Put the operation back into the queue for a later try."""
        self._close(
            "queued",
            error,
            "next_try = now() AT TIME ZONE 'utc' + %s * interval '1 second'",
            [delay_s],
        )

    def undoing(self, error: HostingError) -> None:
        """Write that everything begun is being taken back, and why; nothing stops that any more."""
        self._closing = True
        self._close("undoing", error, "heartbeat = now() AT TIME ZONE 'utc'", [])

    def close_as(self, state: str, error: HostingError | None = None) -> None:
        """Write the end of the operation."""
        self._close(state, error, "ended = now() AT TIME ZONE 'utc', next_try = NULL", [])

    def _close(self, state: str, error: HostingError | None, more: str, values: list) -> None:
        allowed = [old for old, new in TRANSITIONS.items() if state in new]
        changed = self._write(
            f"state = %s, error_code = %s, error_facts = %s, error_message = %s, {more}",
            [
                state,
                error and error.code,
                json.dumps(error.facts) if error else None,
                str(error) if error else None,
                *values,
            ],
            "AND (state = ANY(%s) OR state = %s)",
            [allowed, state],
        )
        if not changed:
            raise Lost

    # --- the connection

    def _beat(self) -> None:
        """Show that this runner lives, and hear of a cancellation."""
        while not self._stop.wait(HEARTBEAT_S):
            try:
                row = self._row(
                    "UPDATE saas_operation SET heartbeat = now() AT TIME ZONE 'utc' "
                    "WHERE id = %s RETURNING cancel_requested",
                    [self._operation],
                )
            except Lost:
                return
            self._cancel = bool(row and row[0])

    def _lock(self, call: str, values: list) -> bool:
        return bool(self._row(f"SELECT {call}", values)[0])

    def _row(self, query: str, values: list) -> tuple | None:
        with self._cursor() as cr:
            cr.execute(query, values)
            return cr.fetchone()

    def _write(self, changes: str, values: list, where: str = "", more: list | None = None) -> int:
        with self._cursor() as cr:
            cr.execute(
                f"UPDATE saas_operation SET {changes} WHERE id = %s {where}",
                [*values, self._operation, *(more or [])],
            )
            return cr.rowcount

    def _step(self, step: str, changes: str, values: list) -> None:
        with self._cursor() as cr:
            cr.execute(
                f"UPDATE saas_operation_step SET {changes} WHERE operation_id = %s AND name = %s",
                [*values, self._operation, step],
            )

    def _cursor(self) -> _Cursor:
        return _Cursor(self)


class _Cursor:
    """A cursor of the journal; a lost connection means that the lock is lost."""

    def __init__(self, journal: SqlJournal) -> None:
        self._journal = journal

    def __enter__(self) -> Any:
        if self._journal._lost:
            raise Lost
        try:
            self._cr = self._journal._connection.cursor()
        except psycopg2.Error as error:
            self._journal._lost = True
            raise Lost from error
        return self._cr

    def __exit__(self, kind: type | None, error: BaseException | None, _trace: object) -> None:
        self._cr.close()
        if isinstance(error, (psycopg2.OperationalError, psycopg2.InterfaceError)):
            self._journal._lost = True
            raise Lost from error


def is_held(cr: cursor, operation: int) -> bool:
    """Tell whether a living runner holds an operation of the database of ``cr``: its lock is seen."""
    cr.execute(
        "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND classid = %s AND objid = %s "
        "AND objsubid = 2 AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
        [OPERATION_SPACE, operation],
    )
    return bool(cr.fetchone())
