"""Addresses to which a browser may be sent with a code."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

LOOPBACK = {"localhost", "127.0.0.1", "::1"}
MAX_LENGTH = 2000
# Characters of an address as RFC 3986 has them: no space, quote, backslash or control character.
_ADDRESS = re.compile(r"[\w.~:/?\[\]@!$&'()*+,;=%-]+", re.ASCII)
_PLAIN = re.compile(r"[^\x00-\x1f\x7f]*")


def is_redirect(uri: str) -> bool:
    """Tell whether ``uri`` can be registered: https, or http on the person's own machine.

    Neither with a fragment (RFC 6749, 3.1.2) nor with a name before the host, which hides it.
    """
    if len(uri) > MAX_LENGTH or not _ADDRESS.fullmatch(uri):
        return False
    try:
        parts = urlsplit(uri)
        host, _port = parts.hostname, parts.port
    except ValueError:
        return False
    if not host or "@" in parts.netloc or "*" in parts.netloc:
        return False
    return parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)


def is_plain(text: str) -> bool:
    """Tell whether a value of a request has no control characters, and a length to be kept."""
    return len(text) <= MAX_LENGTH and bool(_PLAIN.fullmatch(text))
