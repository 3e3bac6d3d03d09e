"""The databases of an Odoo.com account, through its documented list."""

from __future__ import annotations

from .values import HostedDatabase, NetworkPolicy


class OdooCom:
    def __init__(self, url: str, login: str, key: str, policy: NetworkPolicy) -> None:
        self.url, self.login, self._key, self.policy = url, login, key, policy

    def databases(self) -> tuple[tuple[HostedDatabase, ...], tuple[str, ...]]:
        raise NotImplementedError
