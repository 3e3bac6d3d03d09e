"""Follow an operation from outside until it ends, with a bar where somebody watches."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from contextlib import closing

from ..hosting.host import Host
from ..hosting.journal import ACTIVE, is_held

LOOK_S = 0.1
PATIENCE_S = 3.0  # so long an operation may wait for a runner before we run it ourselves
BAR = 30


def follow(
    host: Host,
    operation: int,
    *,
    run: Callable[[int], object],
    show: bool,
    wait_for_runner: bool,
) -> str:
    """Wait until an operation ends and return its state; run it here when nobody else does.

    :param run: runs the operation in this process and returns when it ended or has to wait
    :param show: draw a bar on standard error
    """
    idle_since = time.monotonic()
    with closing(host.cluster.connect(host.server_database)) as connection:
        while True:
            with connection.cursor() as cr:
                cr.execute(
                    "SELECT state, progress, progress_text, (SELECT count(*) FROM saas_operation_step s "
                    "WHERE s.operation_id = o.id AND s.state = 'done'), (SELECT count(*) FROM "
                    "saas_operation_step s WHERE s.operation_id = o.id), next_try > now() AT TIME ZONE 'utc' "
                    "FROM saas_operation o WHERE id = %s",
                    [operation],
                )
                state, share, text, done, total, later = cr.fetchone()
            if show:
                _draw(state, done, total, share or 0.0, text or "")
            if state not in ACTIVE:
                if show:
                    sys.stderr.write("\n")
                return state
            held = is_held(host.cluster, host.server_database, operation)
            if held or later:
                idle_since = time.monotonic()
            elif not wait_for_runner or time.monotonic() - idle_since > PATIENCE_S:
                run(operation)
                idle_since = time.monotonic()
            time.sleep(LOOK_S)


def _draw(state: str, done: int, total: int, share: float, text: str) -> None:
    filled = round(BAR * min(done + share / 100.0, total) / total) if total else 0
    bar = "#" * filled + "." * (BAR - filled)
    sys.stderr.write(f"\r\033[K[{bar}] {done}/{total} {state} {text[:60]}")
    sys.stderr.flush()
