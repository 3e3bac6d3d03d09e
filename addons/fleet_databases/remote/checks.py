"""Values of another server, checked before they are believed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from .errors import Malformed, TooLarge, plain
from .values import Kpi, KpiSummary, RemoteUser, Version

KPI_COUNT = 100
KPI_ID_LENGTH = 64
NAME_LENGTH = 128
LOGIN_LENGTH = 255
USER_COUNT = 10_000
NOTE_COUNT = 20
INT32 = range(-(2**31), 2**31)

# The values of account returns, from the docstring of kpi.provider in base_setup.
RETURN_STATUSES = frozenset({"late", "longterm", "to_do", "to_submit", "done"})

_KPI_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,63}")
_VERSION = re.compile(r"(saas[~-])?(\d{1,3})\.(\d{1,3})(?!\d)")
_DATETIME = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d")


def _add_note(notes: list[str], note: str) -> None:
    """Thousands of bad rows need no thousands of notes."""
    if len(notes) < NOTE_COUNT:
        notes.append(note)


def is_int32(value: Any) -> bool:
    """A bool is an int for Python, and not for us."""
    return type(value) is int and value in INT32


# --- version


def version(answer: Any, host: str) -> Version:
    """Read ``/json/version`` or ``common.version()``.

    The first is ``{"version": "19.0", "version_info": […]}``, the second has the same under
    ``server_version``. Dates, ``+e`` and release levels after the number are dropped.

    :raises Malformed: no version in it
    """
    if isinstance(answer, dict):
        text = answer.get("version", answer.get("server_version"))
        match = _VERSION.match(text) if isinstance(text, str) else None
        if match:
            saas = "saas~" if match[1] else ""
            major, minor = int(match[2]), int(match[3])
            return Version(f"{saas}{major}.{minor}", major, minor)
    raise Malformed(host=host)


# --- figures


def kpi_summary(answer: Any, host: str) -> KpiSummary:
    """Read ``kpi.provider.get_kpi_summary()``; a bad figure is dropped with a note.

    :raises Malformed: it is no list
    """
    if not isinstance(answer, list):
        raise Malformed(host=host)
    kpis: dict[str, Kpi] = {}
    notes = []
    for place, row in enumerate(answer[:KPI_COUNT], 1):
        result = _kpi(row)
        if isinstance(result, str):
            notes.append(f"Figure {place} was left out: {result}.")
        elif result.id in kpis:
            notes.append(f"Figure {place} was left out: {result.id} appears twice.")
        else:
            kpis[result.id] = result
    if len(answer) > KPI_COUNT:
        notes.append(f"Only the first {KPI_COUNT} of {len(answer)} figures were kept.")
    return KpiSummary(tuple(kpis.values()), tuple(notes))


def _kpi(row: Any) -> Kpi | str:
    """Return the figure, or what is wrong with it."""
    if not isinstance(row, dict):
        return "it is no record"
    id_, name, type_ = row.get("id"), row.get("name"), row.get("type")
    value: Any = row.get("value")
    if not isinstance(id_, str) or not _KPI_ID.fullmatch(id_):
        return f"its id is not made of 1 to {KPI_ID_LENGTH} letters, digits and _ . : -"
    name = plain(name, NAME_LENGTH) if isinstance(name, str) else ""
    if not name:
        return f"{id_} has no name"
    if type_ == "integer":
        return Kpi(id_, name, type_, value) if is_int32(value) else f"{id_} is no whole number"
    if type_ == "return_status":
        known = isinstance(value, str) and value in RETURN_STATUSES
        return Kpi(id_, name, type_, value) if known else f"{id_} has an unknown status"
    return f"{id_} has an unknown type"


# --- users


def users(answer: Any, host: str) -> tuple[tuple[RemoteUser, ...], tuple[str, ...]]:
    """Read rows of ``res.users``; return the good ones, and a note for each bad one.

    :raises Malformed: it is no list
    :raises TooLarge: more rows than anybody has users
    """
    if not isinstance(answer, list):
        raise Malformed(host=host)
    if len(answer) > USER_COUNT:
        raise TooLarge(host=host, limit=f"{USER_COUNT} users")
    found: dict[int, RemoteUser] = {}
    notes: list[str] = []
    for place, row in enumerate(answer, 1):
        result = _user(row)
        if isinstance(result, str):
            _add_note(notes, f"User {place} was left out: {result}.")
        elif result.id in found:
            _add_note(notes, f"User {place} was left out: its id {result.id} appears twice.")
        else:
            found[result.id] = result
    return tuple(found.values()), tuple(notes)


def _user(row: Any) -> RemoteUser | str:
    """Return the user, or what is wrong with it."""
    if not isinstance(row, dict):
        return "it is no record"
    id_: Any = row.get("id")
    login, active, share = row.get("login"), row.get("active"), row.get("share")
    if not is_int32(id_) or id_ <= 0:
        return "its id is no positive whole number"
    login = login.strip() if isinstance(login, str) else ""
    if not login or plain(login, LOGIN_LENGTH) != login:
        return "its login is missing, too long or holds control characters"
    if type(active) is not bool or type(share) is not bool:
        return "it does not say whether it is active or external"
    name = row.get("name")
    name = plain(name, NAME_LENGTH) if isinstance(name, str) else ""
    moment = utc_datetime(row.get("login_date"))
    return RemoteUser(id_, login, name or login, active, moment, share)


def utc_datetime(value: Any) -> datetime | None:
    """Read Odoo's ``2026-01-31 23:59:59`` (always UTC); None for False and for nonsense."""
    if not isinstance(value, str) or not _DATETIME.match(value):
        return None
    try:
        return datetime.fromisoformat(value[:19])
    except ValueError:
        return None


# --- what we are about to send

_EMAIL = re.compile(r"[^\s@<>,;:\"()\[\]\\]+@[^\s@<>,;:\"()\[\]\\]+\.[^\s@<>,;:\"()\[\]\\.]+")


def is_email(login: str) -> bool:
    """Return whether Odoo would take ``login`` for one e-mail address, and nothing else."""
    return (
        len(login) <= LOGIN_LENGTH
        and plain(login, LOGIN_LENGTH) == login
        and bool(_EMAIL.fullmatch(login))
    )


def same_logins(users: Sequence[RemoteUser], logins: Sequence[str]) -> tuple[RemoteUser, ...]:
    """Return the users that have one of the logins, whatever the case of the letters."""
    wanted = {login.strip().casefold() for login in logins}
    return tuple(user for user in users if user.login.casefold() in wanted)
