"""One remote database: the operations that the fleet needs, over JSON-2 or XML-RPC."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import checks
from .answers import check_status, parse_json
from .deadline import Deadline
from .errors import (
    BadSetting,
    LoginPage,
    Malformed,
    NotConfigured,
    NotServed,
    Redirect,
    RemoteError,
    WebPage,
    plain,
)
from .json2 import Json2
from .transport import Transport
from .values import JSON2, XMLRPC, Access, KpiSummary, NetworkPolicy, RemoteUser, Version
from .xml_rpc import NoXmlRpc, XmlRpc

JSON2_SINCE = 19
USER_FIELDS = ("login", "name", "active", "share", "login_date")
LOGINS_A_SEARCH = 100


class RemoteDatabase:
    """A database somewhere else. Not for use by several threads at once.

    Every public method is one call: it ends within ``policy.timeout`` seconds, whatever it takes
    to get the answer, and raises a :class:`~.errors.RemoteError`.

    :ivar protocol: ``json2`` or ``xmlrpc``, None until known; worth keeping for a day
    :ivar notes: sentences on rows that were left out of an answer
    """

    def __init__(self, access: Access, policy: NetworkPolicy) -> None:
        self.access = access
        self.policy = policy
        self.protocol: str | None = access.protocol
        self.notes: list[str] = []
        self._made: tuple[Transport, Json2, XmlRpc] | None = None

    # --- operations

    def version(self) -> Version:
        """Return the server's version; needs no credentials."""
        deadline = self._deadline()
        try:
            if self.protocol == XMLRPC:
                return self._old_version(deadline)
        except NoXmlRpc:
            pass  # gone since it was learnt
        for path in ("/json/version", "/web/version"):
            if version := self._public_version(deadline, path):
                return version
        return self._old_version(deadline)

    def kpi_summary(self) -> KpiSummary:
        """Return the figures of ``kpi.provider``, which ``base_setup`` has since Odoo 16.

        :raises NoModel: an older server
        """
        answer = self._call(self._deadline(), "kpi.provider", "get_kpi_summary")
        return checks.kpi_summary(answer, self._transport.authority)

    def users(self) -> tuple[RemoteUser, ...]:
        """Return the active internal users; rows that make no sense are left to ``notes``."""
        users, notes = self._read_users(self._deadline(), [["share", "=", False]])
        self.notes += notes
        # The domain asked for these; a server may still send others.
        return tuple(user for user in users if user.active and not user.share)

    def find_users(self, logins: Sequence[str]) -> tuple[RemoteUser, ...]:
        """Return who has one of the logins, active or not, internal or not."""
        return self._find_users(self._deadline(), logins)

    def create_user(self, login: str, name: str) -> None:
        """Create an internal user without any mail; ``login`` must be an e-mail address.

        The remote method fails on a login that is active already, and reactivates an inactive
        one: search first. It makes the name from an address like ``"Ann" <ann@example.com>`` on
        Odoo 19; older versions would take that whole text for the login.
        """
        deadline = self._deadline()
        context = {"no_reset_password": True}
        name = plain(name, checks.NAME_LENGTH) or login
        if self._uses_json2(deadline):
            address = f'"{_unquoted(name)}" <{login}>'
            self._call(deadline, "res.users", "web_create_users", emails=[address], context=context)
            return
        self._call(deadline, "res.users", "web_create_users", emails=[login], context=context)
        ids = [user.id for user in self._find_users(deadline, [login])]
        self._call(deadline, "res.users", "write", ids=ids, vals={"name": name})

    def set_active(self, ids: Sequence[int], active: bool) -> None:
        """Archive or restore users; nothing is deleted and nobody is mailed."""
        if ids:
            self._call(self._deadline(), "res.users", "write", ids=ids, vals={"active": active})

    def whoami(self) -> RemoteUser:
        """Return the user that the key belongs to.

        JSON-2 has no login of its own: ``res.users.context_get`` names the ``uid`` (Odoo 19,
        ``odoo/addons/base/models/res_users.py``).
        """
        deadline = self._deadline()
        context = self._call(deadline, "res.users", "context_get")
        uid = context.get("uid") if isinstance(context, dict) else None
        if self.protocol == XMLRPC:
            uid = self._xml_rpc.uid(deadline)
        if not checks.is_int32(uid):
            raise Malformed(host=self._transport.authority)
        users, _notes = self._read_users(deadline, [["id", "=", uid]])
        if [user.id for user in users] != [uid]:
            raise Malformed(host=self._transport.authority)
        return users[0]

    # --- users

    def _find_users(self, deadline: Deadline, logins: Sequence[str]) -> tuple[RemoteUser, ...]:
        found: list[RemoteUser] = []
        # Never ask with nothing left to ask for: an empty domain means everybody.
        logins = [login.strip() for login in logins if login.strip() and login.isprintable()]
        for start in range(0, len(logins), LOGINS_A_SEARCH):
            some = logins[start : start + LOGINS_A_SEARCH]
            conditions: list[Any] = [["login", "=ilike", _like(login)] for login in some]
            domain = ["|"] * (len(conditions) - 1) + conditions
            users, notes = self._read_users(deadline, domain, active_test=False)
            if notes:  # who is there must be certain before anything is changed
                raise Malformed(host=self._transport.authority)
            found += checks.same_logins(users, some)
        return tuple(found)

    def _read_users(
        self, deadline: Deadline, domain: list[Any], *, active_test: bool = True
    ) -> tuple[tuple[RemoteUser, ...], tuple[str, ...]]:
        answer = self._call(
            deadline,
            "res.users",
            "search_read",
            # In the order of the signature: XML-RPC sends them by position.
            domain=domain,
            fields=list(USER_FIELDS),
            offset=0,
            limit=checks.USER_COUNT + 1,
            order="id",
            context={} if active_test else {"active_test": False},
        )
        return checks.users(answer, self._transport.authority)

    # --- protocols

    def _call(
        self,
        deadline: Deadline,
        model: str,
        method: str,
        *,
        ids: Sequence[int] = (),
        context: Mapping[str, Any] | None = None,
        **arguments: Any,
    ) -> Any:
        """Call a method over the protocol that is there, and remember which one it was."""
        check_access(self.access)
        request: dict[str, Any] = {"ids": ids, "arguments": arguments, "context": context or {}}
        if self.protocol == XMLRPC:
            try:
                return self._xml_rpc.call(deadline, model, method, **request)
            except NoXmlRpc:
                # Learnt before an upgrade, perhaps: XML-RPC is to disappear.
                result = self._json2.call(deadline, model, method, **request)
                self.protocol = JSON2
                return result
        try:
            result = self._json2.call(deadline, model, method, **request)
            self.protocol = JSON2
        except (NotServed, LoginPage) as error:
            result = self._fall_back(error, deadline, model, method, request)
        return result

    def _fall_back(
        self,
        missing: RemoteError,
        deadline: Deadline,
        model: str,
        method: str,
        request: dict[str, Any],
    ) -> Any:
        """Call over XML-RPC, but only where JSON-2 is absent.

        An unknown path and a database that is not served both answer 404 with a page. What tells
        them apart is ``/json/version``: it comes with JSON-2, needs no database, and shares its
        prefix, so where it answers with 19 or more, JSON-2 is there and the database is not.
        Odoo 18 sends every ``/json/…`` to its login page instead.
        """
        version = self._public_version(deadline, "/json/version")
        if version and version.major >= JSON2_SINCE:
            raise missing
        try:
            result = self._xml_rpc.call(deadline, model, method, **request)
        except NoXmlRpc:
            raise missing from None
        self.protocol = XMLRPC
        return result

    def _uses_json2(self, deadline: Deadline) -> bool:
        """Return which protocol works, by a call that changes nothing when not known yet."""
        if self.protocol not in (JSON2, XMLRPC):
            self._call(deadline, "res.users", "context_get")
        return self.protocol == JSON2

    def _old_version(self, deadline: Deadline) -> Version:
        return checks.version(self._xml_rpc.version(deadline), self._transport.authority)

    def _public_version(self, deadline: Deadline, path: str) -> Version | None:
        """Return the version at ``path``, None when this server does not have that path.

        :raises RemoteError: whatever does not just mean "older than 19"
        """
        host = self._transport.authority
        answer = self._transport.send(deadline, "GET", path, {"Accept": "application/json"})
        if answer.status in (404, 405):
            return None
        try:
            check_status(answer, host)
            return checks.version(parse_json(answer.body, host), host)
        except (LoginPage, WebPage, Redirect, Malformed):
            return None

    # --- what everything needs

    def _deadline(self) -> Deadline:
        return Deadline(self.policy.timeout)

    def _parts(self) -> tuple[Transport, Json2, XmlRpc]:
        """Make the parts late, so that a bad URL is an error of the call."""
        if self._made is None:
            transport = Transport(self.access.url, self.policy, self.access.ca)
            json2, xml_rpc = Json2(transport, self.access), XmlRpc(transport, self.access)
            self._made = transport, json2, xml_rpc
        return self._made

    @property
    def _transport(self) -> Transport:
        return self._parts()[0]

    @property
    def _json2(self) -> Json2:
        return self._parts()[1]

    @property
    def _xml_rpc(self) -> XmlRpc:
        return self._parts()[2]


def check_access(access: Access) -> None:
    """Refuse what is missing, or could not be sent as it is, before anything is sent.

    :raises NotConfigured: database name, login or key are empty
    :raises BadSetting: a line break would start a header of its own; Odoo's own database names and
        keys are ASCII
    """
    if not (access.database.strip() and access.login.strip() and access.key.strip()):
        raise NotConfigured()
    for field, value, allowed in (
        ("database name", access.database, str.isascii),
        ("api key", access.key, str.isascii),
        ("api login", access.login, str),
    ):
        if not value.isprintable() or not allowed(value) or value != value.strip():
            raise BadSetting(field=field)


def _like(login: str) -> str:
    """Escape what SQL's LIKE would take for a pattern: many logins have an underscore."""
    return login.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _unquoted(name: str) -> str:
    """Return a name that can stand in quotes before an address."""
    return "".join(" " if char in '"\\<>' else char for char in name).strip()
