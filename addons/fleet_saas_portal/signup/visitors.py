"""Where a visitor comes from, in the shape in which it is counted."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

PREFIX = {4: 24, 6: 56}  # what one customer of a provider usually gets, or shares
UNKNOWN = "unknown"


def plain_address(text: str | None) -> str:
    """Return an address in its one way of writing; an IPv4 in IPv6 clothes is an IPv4."""
    try:
        address = ip_address((text or "").split("%")[0])
    except ValueError:
        return UNKNOWN
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(address)


def network_of(text: str | None) -> str:
    """Return the network of an address: /24 of an IPv4, /56 of an IPv6."""
    plain = plain_address(text)
    if plain == UNKNOWN:
        return UNKNOWN
    version = ip_address(plain).version
    return str(ip_network(f"{plain}/{PREFIX[version]}", strict=False))


def mail_key(email: str) -> str:
    """Return what one mailbox is counted by: ``ann+shop@x.com`` is the mailbox of ``ann@x.com``."""
    local, _at, domain = email.strip().lower().rpartition("@")
    return f"{local.split('+')[0]}@{domain}"
