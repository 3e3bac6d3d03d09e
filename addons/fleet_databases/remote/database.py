"""One remote database: the operations that the fleet needs, over JSON-2 or XML-RPC."""

from __future__ import annotations

from collections.abc import Sequence

from .values import Access, KpiSummary, NetworkPolicy, RemoteUser, Version


class RemoteDatabase:
    """A database somewhere else. Not for use by several threads at once.

    Every public method is one call: it ends within ``policy.timeout`` seconds and raises a
    :class:`~.errors.RemoteError`.
    """

    def __init__(self, access: Access, policy: NetworkPolicy) -> None:
        self.access = access
        self.policy = policy
        self.protocol: str | None = access.protocol
        self.notes: list[str] = []

    def version(self) -> Version:
        raise NotImplementedError

    def kpi_summary(self) -> KpiSummary:
        raise NotImplementedError

    def users(self) -> tuple[RemoteUser, ...]:
        raise NotImplementedError

    def find_users(self, logins: Sequence[str]) -> tuple[RemoteUser, ...]:
        raise NotImplementedError

    def create_user(self, login: str, name: str) -> None:
        raise NotImplementedError

    def set_active(self, ids: Sequence[int], active: bool) -> None:
        raise NotImplementedError

    def whoami(self) -> RemoteUser:
        raise NotImplementedError
