"""One spelling for the address of a database, whatever somebody pastes."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from .errors import plain

DEFAULT_PORTS = {"http": 80, "https": 443}
URL_LENGTH = 2048

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
# What inet_aton, and so getaddrinfo, would take for a number: 127.1, 0x7f.1, 017700000001.
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")
# IDNA 2003 (Python's own codec) and 2008 read these differently, so two hosts would get mixed up.
_DEVIATING = frozenset("ßς\u200c\u200d")


# Every sentence about a URL, so that the edge can translate them.
URL_FAULTS: dict[str, str] = {
    "port": "The port in the URL must be a number from 1 to 65535.",
    "host": "The host in the URL is not written correctly.",
    "user": "The URL must not contain a user name or password.",
    "empty": "The URL is empty.",
    "long": "The URL is longer than %(limit)s characters.",
    "characters": "The URL must not contain spaces, control characters or backslashes.",
    "scheme": "The URL must start with http:// or https://, not %(scheme)s://.",
    "no_host": "The URL contains no host name.",
    "ipv4": "An IPv4 address in the URL must be four numbers like 192.0.2.1.",
    "ipv6": "The host %(host)s is not a valid IPv6 address.",
    "zone": "The URL must not contain an IPv6 zone.",
    "host_name": "The host name %(host)s is not valid.",
    "two_ways": "Write the host name %(host)s in its xn-- form, it can be read two ways.",
}


class UrlError(ValueError):
    """A URL cannot be used; ``code`` is one of ``URL_FAULTS``, ``params`` are its values."""

    def __init__(self, code: str, **params: str | int) -> None:
        self.code = code
        self.params = params
        super().__init__(URL_FAULTS[code] % params)


def normalize_url(text: str) -> str:
    """Return ``scheme://host[:port]`` in its one canonical spelling.

    Path, query and fragment are dropped, since Odoo always lives at the root of its host and
    people paste what their browser shows (``…/web#action=1``, ``…/odoo/contacts``). A missing
    scheme means https. The result is a fixed point: normalising it again changes nothing.

    :raises UrlError: with a sentence that says what is wrong
    """
    scheme, rest = _split_scheme(_checked_text(text))
    try:
        parts = urlsplit(f"{scheme}://{rest}")
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        if "ort" in str(error):
            raise UrlError("port") from error
        raise UrlError("host") from error
    if "@" in parts.netloc:
        raise UrlError("user")
    if port == 0:
        raise UrlError("port")
    host = _canonical_host(host, bracketed="[" in parts.netloc)
    if port is None or port == DEFAULT_PORTS[scheme]:
        return f"{scheme}://{host}"
    return f"{scheme}://{host}:{port}"


def _checked_text(text: str) -> str:
    text = text.strip()
    if not text:
        raise UrlError("empty")
    if len(text) > URL_LENGTH:
        raise UrlError("long", limit=URL_LENGTH)
    # urlsplit silently drops tabs and line breaks, and browsers read a backslash as a slash.
    if "\\" in text or any(char.isspace() or ord(char) < 32 or ord(char) == 127 for char in text):
        raise UrlError("characters")
    return text


def _split_scheme(text: str) -> tuple[str, str]:
    if text.startswith("//"):
        return "https", text[2:]
    match = _SCHEME.match(text)
    if not match:
        return "https", text
    scheme = match[1].lower()
    if scheme not in DEFAULT_PORTS:
        raise UrlError("scheme", scheme=plain(scheme, 20))
    return scheme, text[match.end() :]


def _canonical_host(host: str, *, bracketed: bool) -> str:
    if not host:
        raise UrlError("no_host")
    if bracketed:
        return f"[{_canonical_ipv6(host)}]"
    host = _ascii_host(host)
    labels = host.split(".")
    if _NUMBER.fullmatch(labels[-1]):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError as error:
            raise UrlError("ipv4") from error
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise UrlError("host_name", host=plain(host, 60))
    return host


def _canonical_ipv6(host: str) -> str:
    if "%" in host:
        raise UrlError("zone")
    try:
        return str(ipaddress.IPv6Address(host))
    except ValueError as error:
        raise UrlError("ipv6", host=plain(host, 60)) from error


def _ascii_host(host: str) -> str:
    host = host.lower()
    if host.isascii():
        return host[:-1] if host.endswith(".") else host
    if _DEVIATING & set(host):
        raise UrlError("two_ways", host=plain(host, 60))
    try:
        host = host.encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise UrlError("host_name", host=plain(host, 60)) from error
    return host[:-1] if host.endswith(".") else host
