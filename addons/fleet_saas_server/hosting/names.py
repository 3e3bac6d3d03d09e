"""The one rule for names, in front of every identifier, path, host name and command line."""

from __future__ import annotations

import re
import secrets

from .errors import HostingError

NAME = re.compile(r"[a-z][a-z0-9-]{1,40}[a-z0-9]")
# First labels of host names that belong to the hoster, and names that tools would misread.
RESERVED = frozenset(
    "admin administrator api app apps autoconfig autodiscover backup backups billing blog cdn "
    "console dashboard db demo dev docs email fleet ftp git help host imap internal intranet "
    "localhost login mail manager metrics monitor mx ns ns1 ns2 odoo pop portal postgres "
    "postgresql postmaster prod production public root saas secure security server shop smtp sso "
    "staging static status support system template template0 template1 test web webmail www "
    "xmlrpc".split()
)
# Databases that nobody may see yet, or any more. No valid name holds an underscore.
HIDDEN_PREFIX = "fleet_x_"
TEMPLATE_PREFIX = "fleet_t_"
_HIDDEN = re.compile(r"fleet_[xt]_[a-z0-9]+_[0-9a-f]{32}")


def check_name(name: object) -> str:
    """Return ``name`` when it may name a hosted database; raise ``bad_name`` or ``reserved_name``."""
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise HostingError("bad_name", name=name)
    if name in RESERVED or name.startswith("pg-"):
        raise HostingError("reserved_name", name=name)
    return name


def hidden_name(kind: str) -> str:
    """Return a new name that nobody can guess; ``kind`` (``clone``, ``drill``…) is for the reader.

    It is 63 bytes at most, PostgreSQL's limit.
    """
    return _unguessable(HIDDEN_PREFIX, kind)


def template_name(kind: str) -> str:
    """Return a new physical name for a version of a template."""
    return _unguessable(TEMPLATE_PREFIX, kind)


def _unguessable(prefix: str, kind: str) -> str:
    if not re.fullmatch(r"[a-z0-9]{1,16}", kind):
        raise ValueError(f"{kind!r} does not belong into a database name")
    return f"{prefix}{kind}_{secrets.token_hex(16)}"


def is_hidden(name: str) -> bool:
    """Tell whether ``name`` was made by `hidden_name` or `template_name`."""
    return bool(_HIDDEN.fullmatch(name))
