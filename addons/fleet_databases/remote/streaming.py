"""An answer that is too large to be kept: it is read in pieces while it comes."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager

from .deadline import Deadline
from .errors import Interrupted, Malformed
from .transport import HEADER_BYTES, Transport
from .wire import DeadlineReader, send_all

BLOCK_BYTES = 64 * 1024
SLACK_BYTES = 64 * 1024  # what a reader may have fetched beyond the body


class _Waits(Deadline):
    """A deadline until the body begins; from then on a time for every wait: long is not slow."""

    _each: float | None = None

    def relax(self, seconds: float) -> None:
        """Give every wait from now on so many seconds."""
        self.seconds = self._each = seconds

    def left(self) -> float:
        return super().left() if self._each is None else self._each


class Streamed:
    """An answer whose body is still to come.

    :ivar status: of HTTP
    :ivar headers: by name in small letters
    :ivar length: bytes of the body, as the server has promised; None when it did not say
    """

    def __init__(
        self,
        transport: Streaming,
        sock: socket.socket,
        response: http.client.HTTPResponse,
        waits: Deadline,
    ) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.length = response.length
        self._transport, self._sock, self._response = transport, sock, response
        self._waits = waits

    def blocks(self) -> Iterator[bytes]:
        """Yield the body, at most `BLOCK_BYTES` at a time, and close.

        :raises Interrupted: it ended before its promised length
        :raises RemoteError: Timeout when nothing came for a while
        """
        left = self.length or 0
        try:
            while left:
                with self._transport.plain_errors(self._waits):
                    block = self._response.read(min(BLOCK_BYTES, left))
                if not block:
                    raise Interrupted(host=self._transport.authority)
                left -= len(block)
                yield block
        finally:
            self.close()

    def close(self) -> None:
        """Close the connection; nothing more comes."""
        self._response.close()
        self._sock.close()


class Streaming(Transport):
    """Sends GET requests for large bodies, under the same rules as every other call."""

    accepts = "identity"  # so that the length is that of the file

    def fetch(self, path: str, headers: Mapping[str, str], *, patience: float) -> Streamed:
        """Return an answer of which only the head was read.

        :param patience: seconds to wait for each piece of the body
        :raises RemoteError: the server cannot be reached, or its answer is none; Malformed also for
            a body of which it does not say the length
        """
        waits = _Waits(self.policy.timeout)
        with self.plain_errors(waits):
            sock = self._connect(waits)
            try:
                send_all(sock, self._request_bytes("GET", path, headers, b""), waits)
                reader = DeadlineReader(sock, waits, HEADER_BYTES)
                response = http.client.HTTPResponse(reader, method="GET")  # type: ignore[arg-type]
                response.begin()
                found = Streamed(self, sock, response, waits)
                if found.length is None or response.getheader("Content-Encoding"):
                    raise Malformed(host=self.authority)
                reader.allow(found.length + SLACK_BYTES)
                waits.relax(patience)
            except BaseException:
                sock.close()
                raise
        return found

    def plain_errors(self, waits: Deadline) -> AbstractContextManager[None]:
        """Turn what a socket raises into our own errors, while the body comes too."""
        return self._plain_errors(waits)
