"""The plain values that go into and come out of the remote client."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

JSON2 = "json2"
XMLRPC = "xmlrpc"

# (host, port) -> the addresses of that host, as text; raises OSError when there are none.
Resolver = Callable[[str, int], Sequence[str]]


@dataclass(frozen=True)
class NetworkPolicy:
    """How this server may talk to others; comes from its configuration, never from the interface.

    :param allow_private: private and loopback addresses may be dialled
    :param proxy: ``http://[user:password@]host:port``; the environment's proxies are ignored
    :param timeout: seconds for a whole call, from DNS to the last byte
    :param max_bytes: of an answer's body, after decoding
    :param resolver: looks up a host's addresses; the system's resolver when None
    """

    allow_private: bool = False
    proxy: str | None = field(default=None, repr=False)
    timeout: float = 15.0
    max_bytes: int = 2 * 1024 * 1024
    resolver: Resolver | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True)
class Access:
    """Where a database is and how to get in. Its ``repr`` never shows the key.

    :param ca: PEM text of the certificate authority (or certificate) of this one database
    :param protocol: ``json2`` or ``xmlrpc`` learnt by an earlier call, None when not known
    """

    url: str
    database: str
    login: str
    key: str = field(repr=False)
    ca: str | None = field(default=None, repr=False)
    protocol: str | None = None


@dataclass(frozen=True)
class Version:
    """A server's version: ``19.0``, ``saas~18.3``, ``17.2``."""

    text: str
    major: int
    minor: int


@dataclass(frozen=True)
class Kpi:
    """One figure; ``value`` is an int for ``integer``, else one of the five return statuses."""

    id: str
    name: str
    type: str
    value: int | str


@dataclass(frozen=True)
class KpiSummary:
    """The figures of a database; ``notes`` says which were dropped and why."""

    kpis: tuple[Kpi, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class RemoteUser:
    """An account there; ``latest_authentication`` is naive UTC, None for never.

    ``share`` is true for portal and public users.
    """

    id: int
    login: str
    name: str
    active: bool
    latest_authentication: datetime | None
    share: bool = False


@dataclass(frozen=True)
class HostedDatabase:
    """A database of an Odoo.com account; texts, empty when not known."""

    name: str
    url: str
    version: str
    uuid: str
