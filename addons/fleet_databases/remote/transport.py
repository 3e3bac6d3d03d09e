"""One HTTP/1.1 request and its answer, with a server that may do anything.

Each exchange uses a connection of its own: no cookies, no redirects, no ``.netrc``, no proxy of
the environment, nothing left over from the exchange before. Every wait is for the time that is
left of the whole call, so that dripping bytes do not make it longer.
"""

from __future__ import annotations

import http.client
import logging
import secrets
import socket
import ssl
import zlib
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

from . import proxy, tls
from .address import checked_addresses
from .deadline import Deadline
from .errors import (
    BadSetting,
    BadUrl,
    Interrupted,
    Malformed,
    Refused,
    RemoteError,
    Timeout,
    TooLarge,
)
from .url import DEFAULT_PORTS, normalize_url
from .values import NetworkPolicy
from .wire import CHUNK_BYTES, DeadlineReader, OverBudget, dial, send_all

_logger = logging.getLogger(__name__)

HEADER_BYTES = 64 * 1024  # of status line and headers together
WIRE_FACTOR = 4  # bytes on the wire a body may take, in times of its cap: chunk framing


@dataclass(frozen=True)
class Answer:
    """A complete answer; ``body`` is decoded and within the policy's cap."""

    status: int
    content_type: str
    location: str
    body: bytes


class Transport:
    """Sends requests to the one server at ``url``.

    :param url: of the database; whatever :func:`normalize_url` takes
    :param ca: PEM text of a certificate authority trusted for this server only
    :raises BadUrl: the URL cannot be used
    """

    accepts = "gzip"  # what the server may send instead of the plain bytes

    def __init__(self, url: str, policy: NetworkPolicy, ca: str | None = None) -> None:
        try:
            parts = urlsplit(normalize_url(url))
        except ValueError as error:
            raise BadUrl(message=str(error)) from None
        self.policy = policy
        self.authority = parts.netloc  # the Host header, and what errors call this server
        self.host = parts.hostname or ""
        self.port = parts.port or DEFAULT_PORTS[parts.scheme]
        self._ca = ca
        self._secure = parts.scheme == "https"
        self._addresses: tuple[str, ...] = ()

    def send(
        self,
        deadline: Deadline,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes = b"",
    ) -> Answer:
        """Exchange one request for its complete answer, whatever its status is.

        :raises RemoteError: Blocked, Unresolved, Refused, Timeout, Tls, NoProxy, Interrupted,
            Malformed, TooLarge or BadSetting
        """
        reference = secrets.token_hex(4)
        _logger.debug("[%s] %s %s %s", reference, self.authority, method, path)
        try:
            with self._plain_errors(deadline):
                answer = self._exchange(deadline, method, path, headers, body)
        except RemoteError as error:
            _logger.info("[%s] %s %s: %s", reference, self.authority, path, error.code)
            raise
        _logger.debug("[%s] HTTP %d, %d bytes", reference, answer.status, len(answer.body))
        return answer

    def _exchange(
        self, deadline: Deadline, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> Answer:
        request = self._request_bytes(method, path, headers, body)
        with closing(self._connect(deadline)) as sock:
            send_all(sock, request, deadline)
            return self._read(sock, deadline, method)

    @contextmanager
    def _plain_errors(self, deadline: Deadline) -> Iterator[None]:
        """Turn what sockets and ``http.client`` raise into our own errors, in one place."""
        try:
            yield
        except TimeoutError as error:
            raise Timeout(host=self.authority, seconds=round(deadline.seconds)) from error
        except ssl.SSLError as error:
            raise tls.refusal(self.authority, error) from error
        except OverBudget as error:
            raise TooLarge(host=self.authority, limit="too many headers or pieces") from error
        except (http.client.IncompleteRead, http.client.RemoteDisconnected) as error:
            raise Interrupted(host=self.authority) from error
        except (ConnectionError, EOFError) as error:
            raise Interrupted(host=self.authority) from error
        except (http.client.HTTPException, zlib.error, ValueError) as error:
            raise Malformed(host=self.authority) from error
        except OSError as error:
            raise Interrupted(host=self.authority) from error

    def _request_bytes(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes
    ) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {self.authority}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines += [
            f"Accept-Encoding: {self.accepts}",
            "User-Agent: fleet-databases",
            "Connection: close",
        ]
        if method == "POST":
            lines.append(f"Content-Length: {len(body)}")
        # The last line of defence against header injection; callers name the field before.
        if not all(line.isascii() and line.isprintable() for line in lines):
            raise BadSetting(field="request header")
        return "\r\n".join([*lines, "", ""]).encode("ascii") + body

    # --- connecting

    def _connect(self, deadline: Deadline) -> socket.socket:
        if not self._addresses:
            # Kept for the life of this object: a second answer of the DNS cannot be different.
            self._addresses = checked_addresses(self.host, self.port, self.policy, deadline)
        context = tls.context(self._ca) if self._secure else None
        sock = self._dial(deadline)
        if context is None:
            return sock
        try:
            sock.settimeout(deadline.left())  # the handshake's timeout is for all of it
            return context.wrap_socket(sock, server_hostname=self.host)
        except BaseException:
            sock.close()
            raise

    def _dial(self, deadline: Deadline) -> socket.socket:
        """Try the checked addresses in turn, each with its share of the time left."""
        failure: OSError | None = None
        for place, address in enumerate(self._addresses):
            part = deadline.part(len(self._addresses) - place)
            try:
                sock = self._reach(address, part)
            except OSError as error:
                failure = error
            else:
                # The next request starts with what works, and does not wait for the dead again.
                self._addresses = (
                    address,
                    *(other for other in self._addresses if other != address),
                )
                return sock
        if isinstance(failure, TimeoutError):
            raise failure
        raise Refused(host=self.authority) from failure

    def _reach(self, address: str, deadline: Deadline) -> socket.socket:
        if self.policy.proxy:
            return proxy.tunnel(self.policy.proxy, address, self.port, deadline, self.authority)
        return dial(address, self.port, deadline)

    # --- reading

    def _read(self, sock: socket.socket, deadline: Deadline, method: str) -> Answer:
        reader = DeadlineReader(sock, deadline, HEADER_BYTES)
        response = http.client.HTTPResponse(reader, method=method)  # type: ignore[arg-type]
        with closing(response):
            response.begin()
            reader.allow(WIRE_FACTOR * self.policy.max_bytes)
            return Answer(
                status=response.status,
                content_type=(response.getheader("Content-Type") or "").lower(),
                location=response.getheader("Location") or "",
                body=self._read_body(response),
            )

    def _read_body(self, response: http.client.HTTPResponse) -> bytes:
        body = bytearray()
        for piece in self._decoded(response):
            body += piece
            if len(body) > self.policy.max_bytes:
                raise self._too_large()
        if response.length:  # http.client does not say so itself when reading by pieces
            raise EOFError
        return bytes(body)

    def _decoded(self, response: http.client.HTTPResponse) -> Iterator[bytes]:
        """Yield the body in pieces that are at most one byte longer than the cap."""
        encoding = (response.getheader("Content-Encoding") or "identity").strip().lower()
        pieces = iter(lambda: response.read(CHUNK_BYTES), b"")
        if encoding == "identity":
            yield from pieces
            return
        if encoding not in ("gzip", "x-gzip"):
            raise Malformed(host=self.authority)
        decoder = zlib.decompressobj(16 + zlib.MAX_WBITS)
        for piece in pieces:
            yield decoder.decompress(piece, self.policy.max_bytes + 1)
        if not decoder.eof:
            raise EOFError

    def _too_large(self) -> TooLarge:
        return TooLarge(host=self.authority, limit=f"{self.policy.max_bytes} bytes")
