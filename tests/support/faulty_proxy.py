"""A real HTTP proxy on the loopback interface that fails as it is told.

with FaultyProxy(s3.port) as proxy:
    proxy.status(500, method="PUT", path="*/data/*", times=2)
    proxy.swallow(method="PUT", path="*/snapshots/*")
    ...  # a program that speaks to proxy.port; then proxy.passed, proxy.hits, proxy.requests

Each request meets the first fault that fits it and has turns left; without one it is forwarded
as it came, with the same Host header, so that signatures stay right.
"""

from __future__ import annotations

import contextlib
import fnmatch
import hashlib
import http.client
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BLOCK = 64 * 1024
SLOW_BLOCKS_PER_S = 20
# What belongs to one connection and not to the message (RFC 9110, 7.6.1).
HOP = {"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}


@dataclass
class Fault:
    """What to do with the requests that fit. ``times`` None means always."""

    method: str
    path: str
    times: int | None
    status: int = 0
    bytes_per_s: float = 0
    cut_after: int | None = None
    swallow: bool = False
    lose_after: int | None = None
    hits: int = 0

    def fits(self, method: str, path: str) -> bool:
        """Tell whether the request is one of these, and a turn is left."""
        left = self.times is None or self.hits < self.times
        return left and fnmatch.fnmatch(method, self.method) and fnmatch.fnmatch(path, self.path)


@dataclass(frozen=True)
class Seen:
    """One request: ``status`` is what the client was answered, 0 when it was cut off."""

    method: str
    path: str
    status: int
    fault: Fault | None


class FaultyProxy:
    """A proxy in front of a server on this machine.

    ``requests`` lists what came, ``up`` and ``down`` count the bytes of bodies that were forwarded
    to the server and to the client.
    """

    def __init__(self, target_port: int) -> None:
        self.target_port = target_port
        self.requests: list[Seen] = []
        self.up = 0
        self.down = 0
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._server = _Server(self)
        self.port: int = self._server.server_address[1]

    def __enter__(self) -> FaultyProxy:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    # --- faults; ``method`` and ``path`` are shell patterns, the path with its query

    def status(
        self, code: int, *, method: str = "*", path: str = "*", times: int | None = None
    ) -> Fault:
        """Answer ``code`` without asking the server."""
        return self._add(Fault(method, path, times, status=code))

    def slow(
        self, bytes_per_s: float, *, method: str = "*", path: str = "*", times: int | None = None
    ) -> Fault:
        """Forward bodies at this speed, both ways."""
        return self._add(Fault(method, path, times, bytes_per_s=bytes_per_s))

    def cut_after(
        self, count: int, *, method: str = "*", path: str = "*", times: int | None = None
    ) -> Fault:
        """Close both connections after ``count`` bytes of the request's body, or of the answer's
        where the request has none."""
        return self._add(Fault(method, path, times, cut_after=count))

    def swallow(self, *, method: str = "PUT", path: str = "*", times: int | None = None) -> Fault:
        """Answer 200 with an ETag, as if the object were stored, and keep it from the server."""
        return self._add(Fault(method, path, times, swallow=True))

    def lose(
        self, after: int = 0, *, method: str = "*", path: str = "*", times: int | None = None
    ) -> Fault:
        """Let the server do all of it, then close the connection after so many bytes of its answer."""
        return self._add(Fault(method, path, times, lose_after=after))

    def clear(self) -> None:
        """Forget every fault; what came stays listed."""
        with self._lock:
            self._faults.clear()

    @property
    def passed(self) -> int:
        """Return how many requests the server saw unharmed."""
        return sum(seen.fault is None for seen in self.requests)

    def _add(self, fault: Fault) -> Fault:
        with self._lock:
            self._faults.append(fault)
        return fault

    def take(self, method: str, path: str) -> Fault | None:
        """Return the fault of a request that came, and count it."""
        with self._lock:
            for fault in self._faults:
                if fault.fits(method, path):
                    fault.hits += 1
                    return fault
        return None

    def count(self, *, up: int = 0, down: int = 0) -> None:
        """Count bytes that were forwarded."""
        with self._lock:
            self.up += up
            self.down += down

    def note(self, seen: Seen) -> None:
        """List a request that is done."""
        with self._lock:
            self.requests.append(seen)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, proxy: FaultyProxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, *_request: object) -> None:
        """A client that went away is no news."""


class _Cut(Exception):
    """The fault says that the connection ends here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, *_arguments: object) -> None:
        """Stay silent: the proxy's list says it."""

    def handle_any(self) -> None:
        proxy = self.server.proxy
        fault = proxy.take(self.command, self.path)
        status = 0
        try:
            if fault and fault.status:
                status = self._refuse(fault.status)
            elif fault and fault.swallow:
                status = self._swallow()
            else:
                status = self._forward(fault)
        except (_Cut, OSError, http.client.HTTPException):
            self.close_connection = True
        finally:
            proxy.note(Seen(self.command, self.path, status, fault))

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = do_PATCH = do_OPTIONS = handle_any

    def _body(self) -> Iterator[bytes]:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            raise http.client.HTTPException("a body of unknown length is not forwarded")
        left = int(self.headers.get("Content-Length") or 0)
        while left:
            block = self.rfile.read1(min(left, BLOCK))
            if not block:
                raise _Cut
            left -= len(block)
            yield block

    def _refuse(self, status: int) -> int:
        for _block in self._body():
            pass
        self._answer(status)
        return status

    def _swallow(self) -> int:
        digest = hashlib.md5(usedforsecurity=False)
        for block in self._body():
            digest.update(block)
        self._answer(200, ETag=f'"{digest.hexdigest()}"')
        return 200

    def _answer(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _forward(self, fault: Fault | None) -> int:
        target = http.client.HTTPConnection("127.0.0.1", self.server.proxy.target_port, timeout=60)
        with contextlib.closing(target):
            target.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in HOP | {"expect"}:
                    target.putheader(name, value)
            target.endheaders()
            sent = 0
            for block in _shaped(self._body(), fault):
                target.send(block)
                sent += len(block)
                self.server.proxy.count(up=len(block))
            return self._relay(target.getresponse(), None if sent and _cuts(fault) else fault)

    def _relay(self, answer: http.client.HTTPResponse, fault: Fault | None) -> int:
        if fault and fault.lose_after is not None:
            self._lose(answer, fault.lose_after)
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP:
                self.send_header(name, value)
        length = answer.getheader("Content-Length")
        if length is None and self.command != "HEAD" and answer.status not in (204, 304):
            # Its end is the connection's end.
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        for block in _shaped(iter(lambda: answer.read1(BLOCK), b""), fault):
            self.wfile.write(block)
            self.server.proxy.count(down=len(block))
        return answer.status

    def _lose(self, answer: http.client.HTTPResponse, after: int) -> None:
        """Send the head and ``after`` bytes of an answer of which the server has sent all."""
        body = answer.read()
        if after:
            self.send_response_only(answer.status, answer.reason)
            self.send_header("Content-Type", answer.getheader("Content-Type", ""))
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:after])
        raise _Cut


def _cuts(fault: Fault | None) -> bool:
    return bool(fault) and fault.cut_after is not None


def _shaped(blocks: Iterator[bytes], fault: Fault | None) -> Iterator[bytes]:
    """Give the blocks at the fault's speed, and end with `_Cut` where it says."""
    left = fault.cut_after if fault else None
    for block in blocks:
        for part in _slowly(block, fault.bytes_per_s if fault else 0):
            if left is not None:
                part = part[:left]
                left -= len(part)
            yield part
            if left == 0:
                raise _Cut


def _slowly(block: bytes, bytes_per_s: float) -> Iterator[bytes]:
    step = max(1, int(bytes_per_s / SLOW_BLOCKS_PER_S)) if bytes_per_s else len(block)
    for start in range(0, len(block), step):
        if bytes_per_s:
            time.sleep(step / bytes_per_s)
        yield block[start : start + step]
