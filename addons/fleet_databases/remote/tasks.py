"""What one thread does for one database: plain values in and out, never a RemoteError raised."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from . import checks
from .database import RemoteDatabase, check_access
from .errors import (
    BadLogin,
    NoModel,
    NoRight,
    NotServed,
    OwnAccount,
    PortalAccount,
    RemoteError,
    Unconfirmed,
)
from .values import Access, Kpi, NetworkPolicy, RemoteUser, Version

DONE, ALREADY, MISSING = "done", "already", "missing"
NO_RIGHT, UNREACHABLE, FAILED = "no_right", "unreachable", "failed"

# Seconds after which no further user is begun: Odoo ends a worker that takes 120.
USERS_SECONDS = 45.0


@dataclass(frozen=True)
class Snapshot:
    """What one synchronisation learnt; what was fetched before an error is kept.

    ``kpis`` and ``users`` are None when not known this time, empty when there are none.
    ``error`` is the first one; ``seconds`` is how long it all took.
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

    ``result`` is done, already, missing, no_right, unreachable or failed; ``error`` says why for
    the last three.
    """

    login: str
    result: str
    error: RemoteError | None = None


# --- synchronise


def synchronize(access: Access, policy: NetworkPolicy) -> Snapshot:
    """Fetch version, users and figures, as far as it goes.

    After a failure that the next question would meet again (nobody there, wrong key, …) nothing
    more is asked.
    """
    return _Synchronization(access, policy).run()


class _Synchronization:
    def __init__(self, access: Access, policy: NetworkPolicy) -> None:
        self._database = RemoteDatabase(access, policy)
        self._version: Version | None = None
        self._users: tuple[RemoteUser, ...] | None = None
        self._kpis: tuple[Kpi, ...] | None = None
        self._notes: list[str] = []
        self._error: RemoteError | None = None

    def run(self) -> Snapshot:
        start = time.monotonic()
        for step in self._steps():
            try:
                step()
            except RemoteError as error:
                self._error = self._error or without_memory(error)
                if error.final:
                    break
        return Snapshot(
            version=self._version,
            protocol=self._database.protocol,
            kpis=self._kpis,
            users=self._users,
            notes=(*self._database.notes, *self._notes),
            error=self._error,
            seconds=time.monotonic() - start,
        )

    def _steps(self) -> tuple[Callable[[], None], ...]:
        """Without credentials only the version can be had, and the error is what is missing."""
        try:
            check_access(self._database.access)
        except RemoteError as error:
            self._error = without_memory(error)
            return (self._fetch_version,)
        return (self._fetch_version, self._fetch_users, self._fetch_kpis)

    def _fetch_version(self) -> None:
        try:
            self._version = self._database.version()
        except NotServed:
            # Something hides the version; what hides the database, the next step will say.
            self._notes.append("The server does not tell its version.")

    def _fetch_users(self) -> None:
        self._users = self._database.users()

    def _fetch_kpis(self) -> None:
        try:
            summary = self._database.kpi_summary()
        except NoModel:
            self._kpis = ()
            self._notes.append("The server has no figures: they exist since Odoo 16.")
            return
        self._kpis = summary.kpis
        self._notes += summary.notes


# --- users


def invite(
    access: Access, users: Sequence[tuple[str, str]], policy: NetworkPolicy
) -> tuple[UserOutcome, ...]:
    """Make sure that each ``(login, name)`` has an active internal account; mails nobody.

    Who has one is left alone, so that repeating an invitation changes nothing. Logins without
    an outcome in the answer were not begun, for lack of time.
    """
    database = RemoteDatabase(access, policy)
    names = dict(users)
    return _for_each(list(names), lambda login: _invite_one(database, login, names[login]))


def _invite_one(database: RemoteDatabase, login: str, name: str) -> UserOutcome:
    host = database.access.url
    if not checks.is_email(login):
        raise BadLogin(login=login)
    found = database.find_users([login])
    if any(user.active and not user.share for user in found):
        return UserOutcome(login, ALREADY)
    if any(user.share for user in found):
        raise PortalAccount(login=login, host=host)
    if found:
        database.set_active([user.id for user in found], True)
    else:
        database.create_user(login, name)
    if not any(user.active and not user.share for user in database.find_users([login])):
        raise Unconfirmed(login=login, host=host)
    return UserOutcome(login, DONE)


def remove(access: Access, logins: Sequence[str], policy: NetworkPolicy) -> tuple[UserOutcome, ...]:
    """Deactivate the accounts with these logins; nothing is deleted.

    Logins without an outcome in the answer were not begun, for lack of time.
    """
    database = RemoteDatabase(access, policy)
    return _for_each(list(dict.fromkeys(logins)), lambda login: _remove_one(database, login))


def _remove_one(database: RemoteDatabase, login: str) -> UserOutcome:
    host = database.access.url
    found = database.find_users([login])
    if not found:
        return UserOutcome(login, MISSING)
    active = [user.id for user in found if user.active]
    if not active:
        return UserOutcome(login, ALREADY)
    if database.whoami().id in active:
        raise OwnAccount(login=login, host=host)
    database.set_active(active, False)
    if any(user.active for user in database.find_users([login])):
        raise Unconfirmed(login=login, host=host)
    return UserOutcome(login, DONE)


def _for_each(logins: Sequence[str], act: Callable[[str], UserOutcome]) -> tuple[UserOutcome, ...]:
    """Act on each login; what would fail for all of them is not tried again.

    After ``USERS_SECONDS`` the rest is left for another call: the answer holds no outcome for
    them. The first one is always tried, so that repeated calls come to an end.
    """
    outcomes: list[UserOutcome] = []
    hopeless: RemoteError | None = None
    end = time.monotonic() + USERS_SECONDS
    for login in logins:
        if outcomes and time.monotonic() > end:
            break
        try:
            if hopeless:
                raise hopeless
            outcomes.append(act(login))
        except RemoteError as error:
            outcomes.append(UserOutcome(login, _result_of(error), without_memory(error)))
            hopeless = error if error.final else None
    return tuple(outcomes)


def without_memory(error: RemoteError) -> RemoteError:
    """Let go of the frames it came from: they hold the answer's bytes, and the key."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


def _result_of(error: RemoteError) -> str:
    if isinstance(error, NoRight):
        return NO_RIGHT
    return UNREACHABLE if error.state == "unreachable" else FAILED
