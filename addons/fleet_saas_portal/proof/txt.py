"""Look for a TXT record with a wanted value, by dnspython's stub resolver."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import dns.exception
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

# What a look has found.
SEEN = "seen"
MISSING = "missing"  # no such name, or no TXT record at it
OTHER = "other"  # TXT records, none with the value
SILENT = "silent"  # no server has answered in time
BROKEN = "broken"  # the servers answered with an error, or there is none to ask

PORT = 53
TRY_S, LIFETIME_S = 2.0, 6.0  # one question, and all of them


def check_servers(text: str) -> list[tuple[str, int]]:
    """Return the servers in a text such as ``10.0.0.2, [2001:db8::1]:5353``; [] for an empty one.

    :raises ValueError: one of them is no IP address with or without a port
    """
    return [_server(each) for each in (text or "").replace(",", " ").split()]


def _server(text: str) -> tuple[str, int]:
    address, port = text, ""
    if text.startswith("["):
        address, _bracket, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        address, _colon, port = text.partition(":")
    ipaddress.ip_address(address)
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
        raise ValueError(f"{text} has no valid port")
    return address, int(port or PORT)


def look(
    record: str,
    value: str,
    servers: Sequence[tuple[str, int]] = (),
    *,
    try_s: float = TRY_S,
    lifetime_s: float = LIFETIME_S,
) -> str:
    """Return what the DNS holds at ``record``: `SEEN` when one of its TXT records is ``value``.

    :param servers: addresses and ports of resolvers; the machine's own when there are none
    :param lifetime_s: it takes no longer than this, whatever the servers do
    """
    try:
        resolver = _resolver(servers)
        resolver.timeout = try_s
        answer = resolver.resolve(
            dns.name.from_text(record), dns.rdatatype.TXT, lifetime=lifetime_s, search=False
        )
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return MISSING
    except dns.exception.Timeout:
        return SILENT
    except (dns.exception.DNSException, OSError, ValueError):
        return BROKEN
    # A long text comes in pieces of 255 bytes (RFC 1035, 3.3.14).
    found = {b"".join(each.strings) for each in answer}
    return SEEN if value.encode() in found else OTHER


def _resolver(servers: Sequence[tuple[str, int]]) -> dns.resolver.Resolver:
    resolver = dns.resolver.Resolver(configure=not servers)
    if servers:
        resolver.nameservers = [
            dns.nameserver.Do53Nameserver(address, port) for address, port in servers
        ]
    return resolver
