"""A document of the hosting server: what one database may do, and what its users are told."""

from __future__ import annotations

import enum
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timezone
from typing import Any
from urllib.parse import urlsplit

from .errors import TrustError
from .keys import Keys, parse_keys
from .paths import local_path
from .tokens import read_token

TYPE = "fleet-document+jwt"
MAX_NOTICES = 20
# What a server has signed holds until it signs something else, however long ago that was.
CHECKS = {
    "options": {
        "require": ["iss", "aud", "iat", "seq"],
        "verify_aud": False,
        "verify_exp": False,
        "verify_iat": False,
        "verify_nbf": False,
    }
}


class State(enum.Enum):
    """What stands between a customer and his database."""

    TRIAL = "trial"
    ACTIVE = "active"
    GRACE = "grace"
    SUSPENDED = "suspended"
    RELEASED = "released"


@dataclass(frozen=True)
class Limits:
    """What a plan allows; None is without limit.

    :param users: internal users; ``users_soft`` is where administrators are told
    :param storage_mb: mebibytes of database and files; ``storage_soft_mb`` likewise
    :param apps: technical names of the apps that may be installed
    """

    users: int | None = None
    users_soft: int | None = None
    storage_mb: int | None = None
    storage_soft_mb: int | None = None
    apps: frozenset[str] | None = None


@dataclass(frozen=True)
class Portal:
    """Where the customer manages what he has; ``keys`` sign its tickets, without any there are none.

    :param url: without a slash at its end
    :param upgrade: the address of the page on which the plan is changed, may be empty
    """

    url: str
    issuer: str
    keys: Keys = field(compare=False)
    upgrade: str = ""
    name: str = ""


@dataclass(frozen=True)
class Notice:
    """A text for everybody who works in the database; times are UTC without a zone."""

    id: str
    kind: str
    text: str
    link: str = ""
    link_text: str = ""
    start: datetime | None = None
    end: datetime | None = None
    post: bool = False

    def is_due(self, now: datetime) -> bool:
        """Return whether it is to be shown at ``now``."""
        return (self.start is None or self.start <= now) and (self.end is None or now < self.end)


@dataclass(frozen=True)
class Document:
    """What a server has signed for the database with the uuid ``audience``."""

    issuer: str
    audience: str
    sequence: int
    plan: str
    state: State
    ends: date | None
    limits: Limits
    portal: Portal | None
    notices: tuple[Notice, ...]


def read_document(token: object, keys: Keys) -> Document:
    """Return the document in ``token``.

    What is enforced has to be right to the letter. What is only shown, or only opens a door, is left
    out when it is odd: a text must not close a database.

    :param keys: of the servers that may sign
    :raises TrustError:
    """
    claims = read_token(token, TYPE, keys, **CHECKS)
    try:
        state = State(claims.get("state", "active"))
    except ValueError as error:
        raise TrustError("bad_claims", claim="state") from error
    return Document(
        issuer=_text(claims, "iss"),
        audience=_text(claims, "aud"),
        sequence=_number(claims, "seq") or 0,
        plan=_shown(claims.get("plan")),
        state=state,
        ends=_day(claims.get("ends")),
        limits=_limits(claims),
        portal=_portal(claims),
        notices=_notices(claims),
    )


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name)
    if not isinstance(value, str) or not value:
        raise TrustError("bad_claims", claim=name)
    return value


def _shown(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(claims: Mapping[str, Any], name: str) -> int | None:
    value = claims.get(name)
    if value is None:
        return None
    if type(value) is not int or value < 0:
        raise TrustError("bad_claims", claim=name)
    return value


def _mapping(claims: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = claims.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TrustError("bad_claims", claim=name)
    return value


def _day(value: object) -> date | None:
    try:
        return date.fromisoformat(_shown(value)[:10])
    except ValueError:
        return None


def _limits(claims: Mapping[str, Any]) -> Limits:
    found = _mapping(claims, "limits")
    apps = found.get("apps")
    if apps is not None and not (
        isinstance(apps, list) and all(isinstance(name, str) for name in apps)
    ):
        raise TrustError("bad_claims", claim="apps")
    return Limits(
        users=_number(found, "users"),
        users_soft=_number(found, "users_soft"),
        storage_mb=_number(found, "storage_mb"),
        storage_soft_mb=_number(found, "storage_soft_mb"),
        apps=None if apps is None else frozenset(apps),
    )


def _portal(claims: Mapping[str, Any]) -> Portal | None:
    found = claims.get("portal")
    if not isinstance(found, dict):
        return None
    url = web_address(found.get("url")).rstrip("/")
    if not url:
        return None
    try:
        issuer, keys = _text(found, "iss"), parse_keys(found.get("keys"))
    except TrustError:
        issuer, keys = "", {}
    upgrade = found.get("upgrade")
    return Portal(
        url=url,
        issuer=issuer,
        keys=keys,
        upgrade=url + local_path(upgrade) if upgrade else "",
        name=_shown(found.get("name")),
    )


def _notices(claims: Mapping[str, Any]) -> tuple[Notice, ...]:
    """Return the notices that can be shown: a text that is odd must not close a database."""
    found = claims.get("notices")
    if not isinstance(found, list):
        return ()
    return tuple(filter(None, map(_notice, found[:MAX_NOTICES])))


def _notice(value: object) -> Notice | None:
    if not isinstance(value, dict):
        return None
    texts = {name: value.get(name) or "" for name in ("id", "kind", "text", "link_text")}
    if not all(isinstance(text, str) for text in texts.values()):
        return None
    if not texts["id"] or not texts["text"].strip():
        return None
    try:
        start, end = _moment(value.get("start")), _moment(value.get("end"))
    except ValueError:
        return None
    link = web_address(value.get("link"))
    return Notice(**texts, link=link, start=start, end=end, post=value.get("post") is True)


def _moment(value: object) -> datetime | None:
    """Return an ISO date or time as UTC without a zone; one without a zone is UTC already."""
    if not value:
        return None
    text = str(value)
    found = datetime.fromisoformat(text[:-1] + "+00:00" if text.endswith("Z") else text)
    return found.astimezone(timezone.utc).replace(tzinfo=None) if found.tzinfo else found


def web_address(value: object) -> str:
    """Return ``value`` when it is an address of the web, else ``""``: no script, no other scheme."""
    if not isinstance(value, str) or not re.match(r"https?://[^/\\]", value):
        return ""
    try:
        parts = urlsplit(value)
    except ValueError:
        return ""
    return value if parts.hostname and value.isprintable() and " " not in value else ""
