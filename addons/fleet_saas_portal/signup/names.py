"""Names that a visitor may choose for a database."""

from __future__ import annotations

import re
import secrets
import unicodedata
from collections.abc import Collection

NAME = re.compile(r"[a-z][a-z0-9-]{1,40}[a-z0-9]")
# First labels of host names that belong to the hoster, or that visitors could be misled with.
# Servers have a list of their own and refuse by it; this one answers before anything is created.
RESERVED = frozenset(
    "account accounts admin administrator api app apps autoconfig autodiscover backup backups "
    "billing blog cdn console dashboard db demo dev docs email fleet ftp git help host imap "
    "internal intranet invoice invoices localhost login mail manager metrics monitor mx my ns ns1 "
    "ns2 odoo official pay payment payments pop portal postgres postgresql postmaster prod "
    "production public root saas secure security server shop signup smtp sso staging start static "
    "status support system template template0 template1 test verify web webmail www xmlrpc".split()
)
MOST_BASE = 34  # leaves room for a dash and digits
DIGITS = 4


def is_allowed(name: str, reserved: Collection[str] = ()) -> bool:
    """Tell whether visitors may have ``name``; whether it is free is another question.

    :param reserved: further names that the hoster keeps
    """
    return (
        bool(NAME.fullmatch(name))
        and name not in RESERVED
        and name not in reserved
        and not name.startswith(("pg-", "xn--"))
    )


def suggest(text: str, digits: int = DIGITS) -> str:
    """Return an allowed name made of ``text``, mostly a company's, and random digits."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    base = re.sub(r"[^a-z0-9]+", "-", plain).strip("-").lstrip("0123456789-")[:MOST_BASE].strip("-")
    if not base or base.startswith(("pg-", "xn--")):
        base = "company"
    return f"{base}-{secrets.randbelow(10**digits):0{digits}d}"
