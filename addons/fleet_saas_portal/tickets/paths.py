"""Where a browser may be sent after the login: pages of that very database."""

from __future__ import annotations

import re

HOME = "/odoo"
MAX_LENGTH = 2000
_PART = r"[\w.~!$&'()*+,;=:@-]"
# A list of what is allowed: no second slash that begins a host, no backslash that browsers take for
# one, no percent sign that hides either of them in the path.
_LOCAL = re.compile(rf"(?:/{_PART}+)+/?(?:\?(?:{_PART}|[%/?])*)?(?:#(?:{_PART}|[%/?])*)?", re.ASCII)


def local_path(value: object) -> str:
    """Return ``value`` when it is a path of one host, else the home page."""
    if isinstance(value, str) and len(value) <= MAX_LENGTH and _LOCAL.fullmatch(value):
        return value
    return HOME
