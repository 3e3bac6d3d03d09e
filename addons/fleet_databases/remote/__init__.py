"""Talk to Odoo databases that somebody else runs: plain Python, no ORM, nothing trusted."""

from .database import RemoteDatabase
from .errors import ERRORS, REASONS, RemoteError
from .odoo_com import OdooCom
from .tasks import Snapshot, UserOutcome, invite, remove, synchronize
from .url import URL_FAULTS, UrlError, normalize_url
from .values import (
    Access,
    HostedDatabase,
    Kpi,
    KpiSummary,
    NetworkPolicy,
    RemoteUser,
    Version,
)

__all__ = [
    "ERRORS",
    "REASONS",
    "URL_FAULTS",
    "Access",
    "HostedDatabase",
    "Kpi",
    "KpiSummary",
    "NetworkPolicy",
    "OdooCom",
    "RemoteDatabase",
    "RemoteError",
    "RemoteUser",
    "Snapshot",
    "UrlError",
    "UserOutcome",
    "Version",
    "invite",
    "normalize_url",
    "remove",
    "synchronize",
]
