"""Which addresses may be dialled: resolve once, judge every answer, dial what was judged.

The ranges are from the IANA special-purpose registries (RFC 6890 and its updates), the cloud
metadata addresses from the clouds' own manuals. The lists are explicit because ``ipaddress``
changes its own idea of "private" between versions of Python.
"""

from __future__ import annotations

import queue
import socket
import threading
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)

from .deadline import Deadline
from .errors import REASONS, Blocked, Unresolved
from .values import NetworkPolicy, Resolver

IPAddress = IPv4Address | IPv6Address

PUBLIC, PRIVATE, NEVER = "public", "private", "never"

_PRIVATE_V4 = tuple(
    IPv4Network(text) for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8")
)
_NEVER_V4 = tuple(
    IPv4Network(text)
    for text in (
        "0.0.0.0/8",  # "this host": Linux connects it to loopback
        "100.64.0.0/10",  # carrier-grade NAT; Alibaba's metadata 100.100.100.200
        "168.63.129.16/32",  # Azure's host agent, though in a public range
        "169.254.0.0/16",  # link-local; metadata of AWS, Google, Azure, …
        "192.0.0.0/24",  # protocol assignments; Oracle's metadata 192.0.0.192
        "192.0.2.0/24",  # documentation
        "192.88.99.0/24",  # 6to4 relays
        "198.18.0.0/15",  # benchmarks
        "198.51.100.0/24",  # documentation
        "203.0.113.0/24",  # documentation
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, broadcast
    )
)

_LOOPBACK_V6 = IPv6Address("::1")
_LOCAL_V6 = IPv6Network("fc00::/7")
_GLOBAL_V6 = IPv6Network("2000::/3")  # nothing else of IPv6 is handed out for public use
_NEVER_V6 = tuple(
    IPv6Network(text)
    for text in (
        "2001::/23",  # protocol assignments, benchmarks, ORCHID (Teredo is decoded before)
        "2001:db8::/32",  # documentation
        "3fff::/20",  # documentation
        "fd00:ec2::/32",  # metadata and other services of AWS
        "fd20:ce::/32",  # metadata of Google
    )
)
_MAPPED = IPv6Network("::ffff:0:0/96")
_COMPATIBLE = IPv6Network("::/96")
_NAT64 = IPv6Network("64:ff9b::/96")
_SIX_TO_FOUR = IPv6Network("2002::/16")
_TEREDO = IPv6Network("2001::/32")
_ISATAP = (0x00005EFE, 0x02005EFE)


def judge(address: IPAddress) -> str:
    """Return ``public``, ``private`` (only when configuration allows it) or ``never``."""
    if isinstance(address, IPv4Address):
        return _judge_v4(address)
    if address in _MAPPED:
        return _judge_v4(_low_v4(int(address)))  # the kernel dials exactly that
    if address == _LOOPBACK_V6:
        return PRIVATE
    inner = _tunnelled(address)
    # A tunnel into an internal network is nobody's way to write a private address.
    if any(_judge_v4(ipv4) != PUBLIC for ipv4 in inner):
        return NEVER
    if inner and (address in _NAT64 or address in _TEREDO or address in _SIX_TO_FOUR):
        return PUBLIC
    return _judge_v6(address)


def _judge_v4(address: IPv4Address) -> str:
    if any(address in network for network in _NEVER_V4):
        return NEVER
    return PRIVATE if any(address in network for network in _PRIVATE_V4) else PUBLIC


def _judge_v6(address: IPv6Address) -> str:
    if any(address in network for network in _NEVER_V6):
        return NEVER
    if address in _LOCAL_V6:
        return PRIVATE
    # Also refuses ::, compatible, link-local, site-local, multicast, discard and 64:ff9b:1::/48,
    # where the place of the inner address depends on the network's own prefix length.
    return PUBLIC if address in _GLOBAL_V6 else NEVER


def _low_v4(number: int) -> IPv4Address:
    return IPv4Address(number & 0xFFFFFFFF)


def _tunnelled(address: IPv6Address) -> tuple[IPv4Address, ...]:
    """Return the IPv4 addresses inside: where a gateway would really send the packets."""
    number = int(address)
    if address in _NAT64 or address in _COMPATIBLE:
        return (_low_v4(number),)
    if address in _SIX_TO_FOUR:
        return (_low_v4(number >> 80),)
    if address in _TEREDO:  # RFC 4380: the server, and the client with its bits inverted
        return (_low_v4(number >> 64), _low_v4(~number))
    if (number >> 32) & 0xFFFFFFFF in _ISATAP:  # RFC 5214: an interface identifier, any prefix
        return (_low_v4(number),)
    return ()


def checked_addresses(
    host: str, port: int, policy: NetworkPolicy, deadline: Deadline
) -> tuple[str, ...]:
    """Return the addresses of ``host`` that may be dialled, in the resolver's order.

    One bad answer refuses them all: a name that also points inside is not to be trusted.

    :raises Unresolved: no such name
    :raises Blocked: an answer is not allowed
    :raises TimeoutError: the resolver took too long
    """
    addresses = _lookup(host, port, policy, deadline)
    if not addresses:
        raise Unresolved(host=host)
    verdicts = {judge(address) for address in addresses}
    if NEVER in verdicts:
        raise Blocked(host=host, reason=REASONS["never"])
    if PRIVATE in verdicts and not policy.allow_private:
        raise Blocked(host=host, reason=REASONS["private"])
    return tuple(str(address) for address in addresses)


def _lookup(host: str, port: int, policy: NetworkPolicy, deadline: Deadline) -> list[IPAddress]:
    """Return the addresses of ``host`` once each: written out, or asked for."""
    try:
        return [ip_address(host)]
    except ValueError:
        pass
    if host == "localhost" or host.endswith(".localhost"):
        # RFC 6761: always loopback; asking would let a resolver or a hosts file say otherwise.
        return [IPv4Address("127.0.0.1"), _LOOPBACK_V6]
    texts = resolve(policy.resolver or system_resolver, host, port, deadline)
    try:
        return list(dict.fromkeys(ip_address(text) for text in texts))
    except ValueError as error:
        raise Unresolved(host=host) from error


def system_resolver(host: str, port: int) -> list[str]:
    answers = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(answer[4][0]) for answer in answers]


def resolve(resolver: Resolver, host: str, port: int, deadline: Deadline) -> list[str]:
    """Return what ``resolver`` answers.

    Asks in a daemon thread: ``getaddrinfo`` knows no timeout and cannot be interrupted.

    :raises Unresolved: no such name
    :raises TimeoutError: no answer in time
    """
    answers: queue.SimpleQueue[list[str] | Exception] = queue.SimpleQueue()

    def ask() -> None:
        try:
            answers.put(list(resolver(host, port)))
        except Exception as error:  # handed over, and raised by the one who asked
            answers.put(error)

    threading.Thread(target=ask, name="fleet-resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=deadline.left())
    except queue.Empty:
        raise TimeoutError from None
    if isinstance(answer, (OSError, UnicodeError)):
        raise Unresolved(host=host) from answer
    if isinstance(answer, Exception):
        raise answer
    return answer
