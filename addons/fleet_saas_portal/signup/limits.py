"""Counting what visitors do, so that rivals at the same moment cannot both be the last."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

EPOCH = datetime(2000, 1, 1)


@dataclass(frozen=True)
class Limit:
    """At most ``most`` times in ``seconds`` for one ``subject``.

    :param scope: ``address``, ``network``, ``mail`` or ``total``
    :param subject: what is counted, with the action in it
    """

    scope: str
    subject: str
    most: int
    seconds: int

    def start(self, now: datetime) -> datetime:
        """Return when the window that ``now`` is in has begun."""
        passed = int((now - EPOCH).total_seconds())
        return EPOCH + timedelta(seconds=passed - passed % self.seconds)


def take(cr: Any, limits: Iterable[Limit], now: datetime) -> Limit | None:
    """Count one against each limit, or none against any; return the one that is full.

    :param cr: a cursor whose transaction has read nothing yet, or rivals' counts stay unseen: LOCK
        TABLE is the one statement that waits without taking a snapshot (PostgreSQL, "LOCK").
    """
    limits = list(limits)
    cr.execute("LOCK TABLE saas_signup_limit IN SHARE ROW EXCLUSIVE MODE")
    for limit in limits:
        cr.execute(
            "SELECT count FROM saas_signup_limit WHERE subject = %s AND start = %s",
            (limit.subject, limit.start(now)),
        )
        row = cr.fetchone()
        if (row[0] if row else 0) >= limit.most:
            return limit
    for limit in limits:
        cr.execute(
            "INSERT INTO saas_signup_limit (subject, start, count) VALUES (%s, %s, 1) "
            "ON CONFLICT (subject, start) DO UPDATE SET count = saas_signup_limit.count + 1",
            (limit.subject, limit.start(now)),
        )
    return None
