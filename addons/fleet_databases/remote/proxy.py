"""A way through the proxy that the server's configuration names.

Both http and https go through a CONNECT tunnel to the checked address. The other form, an
absolute URI, would lose the host name: a proxy must then replace the Host header by what stands
in the URI (RFC 9112, 3.2.2), which is the address.
"""

from __future__ import annotations

import base64
import http.client
import socket
from contextlib import closing
from urllib.parse import SplitResult, unquote, urlsplit

from .address import resolve, system_resolver
from .deadline import Deadline
from .errors import NoProxy, RemoteError
from .wire import DeadlineReader, OverBudget, dial, send_all

HEADER_BYTES = 16 * 1024


def tunnel(url: str, address: str, port: int, deadline: Deadline, host: str) -> socket.socket:
    """Return a connection to ``address`` through the proxy at ``url``.

    :param host: what errors call the other side
    :raises NoProxy: the proxy cannot be used, or refuses
    :raises TimeoutError: it took too long
    """
    try:
        parts = urlsplit(url)
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError("only http:// proxies are supported")
        sock = _dial(parts.hostname, parts.port or 8080, deadline)
        try:
            _ask(sock, _request(parts, address, port), deadline)
        except BaseException:
            sock.close()
            raise
    except TimeoutError:
        raise
    except (OSError, ValueError, RemoteError, OverBudget, http.client.HTTPException) as error:
        raise NoProxy(host=host) from error
    return sock


def _dial(host: str, port: int, deadline: Deadline) -> socket.socket:
    # The administrator of this server chose the proxy, so its address is not judged.
    return dial(resolve(system_resolver, host, port, deadline)[0], port, deadline)


def _request(parts: SplitResult, address: str, port: int) -> bytes:
    target = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
    lines = [f"CONNECT {target} HTTP/1.1", f"Host: {target}"]
    if parts.username is not None:
        pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        token = base64.b64encode(pair.encode()).decode("ascii")
        lines.append(f"Proxy-Authorization: Basic {token}")
    return "\r\n".join([*lines, "", ""]).encode("ascii")


def _ask(sock: socket.socket, request: bytes, deadline: Deadline) -> None:
    send_all(sock, request, deadline)
    reader = DeadlineReader(sock, deadline, HEADER_BYTES)
    with closing(http.client.HTTPResponse(reader, method="CONNECT")) as answer:  # type: ignore[arg-type]
        answer.begin()
        if answer.status != 200:
            raise ConnectionRefusedError
