"""What one thread does for one database: plain values in and out, never a RemoteError raised."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .errors import RemoteError
from .values import Access, Kpi, NetworkPolicy, RemoteUser, Version


@dataclass(frozen=True)
class Snapshot:
    """What one synchronisation learnt; what was fetched before an error is kept.

    ``kpis`` and ``users`` are None when not known this time, empty when there are none.
    ``seconds`` is how long it took.
    """

    version: Version | None
    protocol: str | None
    kpis: tuple[Kpi, ...] | None
    users: tuple[RemoteUser, ...] | None
    notes: tuple[str, ...]
    error: RemoteError | None
    seconds: float


@dataclass(frozen=True)
class UserOutcome:
    """What became of one user in one database.

    ``result`` is done, already, missing, no_right, unreachable or failed.
    """

    login: str
    result: str
    error: RemoteError | None = None


def synchronize(access: Access, policy: NetworkPolicy) -> Snapshot:
    raise NotImplementedError


def invite(
    access: Access, users: Sequence[tuple[str, str]], policy: NetworkPolicy
) -> tuple[UserOutcome, ...]:
    raise NotImplementedError


def remove(
    access: Access, logins: Sequence[str], policy: NetworkPolicy
) -> tuple[UserOutcome, ...]:
    raise NotImplementedError
