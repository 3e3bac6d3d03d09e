"""Where a browser may be sent after a login: a path of this very database, and nowhere else."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

HOME = "/odoo"
MAX_LENGTH = 2000
# A path may be decoded by a proxy in front and again behind it.
DECODINGS = 4


def local_path(value: object) -> str:
    """Return ``value`` when it is a path on this host, else the home page.

    Refused in every spelling: another host (``//evil``, ``/\\evil``), a scheme
    (``javascript:``), blanks and control characters, and all of these percent-encoded.
    """
    if not isinstance(value, str) or not 0 < len(value) <= MAX_LENGTH:
        return HOME
    text = value
    for _turn in range(DECODINGS):
        if not _is_local(text):
            return HOME
        decoded = unquote(text)
        if decoded == text:
            return value
        text = decoded
    return HOME  # encoded too often to be a page's address


def _is_local(text: str) -> bool:
    if not text.startswith("/") or text.startswith("//") or "\\" in text:
        return False
    # A part of the query may hold a blank once decoded (?q=a%20b), the path never does.
    if any(not char.isprintable() for char in text) or " " in text.partition("?")[0]:
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc and not parts.path.startswith("//")
