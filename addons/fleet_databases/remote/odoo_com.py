"""The databases of an Odoo.com account, through its documented list.

Contract: https://www.odoo.com/documentation/19.0/administration/odoo_online.html, "Web services":
``POST /json/2/odoo.database/list`` with the database ``openerp``. What a row holds is not
documented, so several names are understood and nothing is taken for granted.
"""

from __future__ import annotations

import re
from typing import Any

from .checks import NAME_LENGTH, USER_COUNT
from .database import check_access
from .deadline import Deadline
from .errors import Malformed, TooLarge, plain
from .json2 import Json2
from .transport import Transport
from .url import normalize_url
from .values import Access, HostedDatabase, NetworkPolicy

DATABASE = "openerp"
NOTE_COUNT = 20

_KEYS = {
    "name": ("name", "db_name", "database"),
    "url": ("url", "domain", "host"),
    "version": ("version", "server_version"),
    "uuid": ("uuid", "db_uuid", "database_uuid"),
}
_UUID = re.compile(r"[0-9A-Za-z-]{1,64}")


class OdooCom:
    """An account at Odoo.com, or at any server that speaks the same contract.

    :param url: ``https://www.odoo.com``, unless the configuration says otherwise
    :param login: the account's e-mail; the request itself only carries the key
    """

    def __init__(self, url: str, login: str, key: str, policy: NetworkPolicy) -> None:
        self._access = Access(url=url, database=DATABASE, login=login, key=key)
        self._policy = policy

    def databases(self) -> tuple[tuple[HostedDatabase, ...], tuple[str, ...]]:
        """Return the account's databases, and a note for each row that was left out.

        :raises RemoteError: the list could not be had
        """
        check_access(self._access)
        transport = Transport(self._access.url, self._policy)
        rows = Json2(transport, self._access).call(
            Deadline(self._policy.timeout), "odoo.database", "list", arguments={}, context={}
        )
        return _databases(rows, transport.authority)


def _databases(rows: Any, host: str) -> tuple[tuple[HostedDatabase, ...], tuple[str, ...]]:
    if not isinstance(rows, list):
        raise Malformed(host=host)
    if len(rows) > USER_COUNT:
        raise TooLarge(host=host, limit=f"{USER_COUNT} databases")
    found: dict[tuple[str, str], HostedDatabase] = {}
    notes: list[str] = []
    for place, row in enumerate(rows, 1):
        result = _database(row)
        if isinstance(result, HostedDatabase):
            found.setdefault((result.name, result.url), result)
        elif len(notes) < NOTE_COUNT:
            notes.append(f"Database {place} of the list was left out: {result}.")
    return tuple(found.values()), tuple(notes)


def _database(row: Any) -> HostedDatabase | str:
    """Return the database, or what is wrong with the row."""
    if not isinstance(row, dict):
        return "it is no record"
    texts: dict[str, str] = {}
    for name, keys in _KEYS.items():
        value = next((row[key] for key in keys if row.get(key) not in (None, False)), "")
        if not isinstance(value, str) or len(value) > 2048 or not value.isprintable():
            return f"its {name} is no text"
        texts[name] = value.strip()
    if not texts["name"] or len(texts["name"]) > NAME_LENGTH:
        return "it has no name"
    if texts["uuid"] and not _UUID.fullmatch(texts["uuid"]):
        return f"the uuid of {plain(texts['name'], 64)} is not valid"
    try:
        texts["url"] = normalize_url(texts["url"]) if texts["url"] else ""
    except ValueError as error:
        return f"the URL of {plain(texts['name'], 64)} is not valid ({error})".rstrip(".")
    return HostedDatabase(**{**texts, "version": plain(texts["version"], 32)})
