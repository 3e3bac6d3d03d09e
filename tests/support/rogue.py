"""A real loopback HTTP server that misbehaves as it is told.

    with Rogue(reply_json([])) as server:
        ...  # server.url, server.requests

A behaviour is called with the connection and the request after the request was read; it writes
bytes as it likes and returns. The connection is closed then, and all of them when the server
stops, so that a behaviour may also wait for ever.
"""

from __future__ import annotations

import contextlib
import json
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Behaviour = Callable[["Connection", "Request"], None]


@dataclass(frozen=True)
class Request:
    """What came in; header names are lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class Connection:
    """The server's side of one connection."""

    def __init__(self, sock: socket.socket, stopping: threading.Event) -> None:
        self._sock = sock
        self._stopping = stopping

    def send(self, data: bytes) -> None:
        self._sock.sendall(data)

    def wait(self, seconds: float = 60.0) -> None:
        """Wait, but not longer than the server lives."""
        if self._stopping.wait(seconds):
            raise ConnectionAbortedError

    def drip(self, data: bytes, every: float = 0.1) -> None:
        """Send one byte at a time."""
        for number in data:
            self.send(bytes([number]))
            self.wait(every)

    def receive(self, count: int = 65536) -> bytes:
        return self._sock.recv(count)

    def reset(self) -> None:
        """Close with a reset instead of an end."""
        linger = b"\1\0\0\0\0\0\0\0"
        self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._sock.close()


class Rogue:
    """The server: one thread that accepts, one a connection.

    :param behaviour: what it does with each request
    :param context: server-side TLS
    :param raw: call the behaviour at once, with an empty request and before any TLS
    """

    def __init__(
        self,
        behaviour: Behaviour,
        *,
        context: ssl.SSLContext | None = None,
        raw: bool = False,
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._behaviour = behaviour
        self._context = context
        self._raw = raw
        self._stopping = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._listener = socket.create_server((address, port), family=family, backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[Request] = []
        self.connections = 0

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://localhost:{self.port}"

    @property
    def paths(self) -> list[str]:
        return [request.path for request in self.requests]

    def __enter__(self) -> Rogue:
        self._start(self._accept)
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for sock in list(self._open):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _start(self, target: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._stopping.is_set():
            try:
                sock, _peer = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._start(self._serve, sock)

    def _serve(self, sock: socket.socket) -> None:
        self._open.add(sock)
        try:
            if self._context and not self._raw:
                plain, sock = sock, self._context.wrap_socket(sock, server_side=True)
                self._open.discard(plain)
                self._open.add(sock)
            request = Request("", "", {}, b"") if self._raw else _read_request(sock)
            self.requests.append(request)
            self._behaviour(Connection(sock, self._stopping), request)
        except (OSError, ValueError):
            pass  # the client went away, which is what it should do
        finally:
            self._open.discard(sock)
            sock.close()


def _read_request(sock: socket.socket) -> Request:
    with sock.makefile("rb") as stream:
        method, path, _version = stream.readline(65536).decode("latin-1").split(" ", 2)
        headers = {}
        while (line := stream.readline(65536).strip()) != b"":
            name, _colon, value = line.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        body = stream.read(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body)


# --- behaviours


def response(
    status: int = 200,
    body: bytes = b"",
    content_type: str = "application/json",
    headers: Mapping[str, str] | None = None,
) -> bytes:
    """Return a whole and proper response."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {content_type}"]
    lines += [f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def reply(*args: Any, **kwargs: Any) -> Behaviour:
    """Always answer the same; parameters of :func:`response`."""
    data = response(*args, **kwargs)
    return lambda connection, _request: connection.send(data)


def reply_json(value: Any, status: int = 200) -> Behaviour:
    return reply(status, json.dumps(value).encode())


def reply_bytes(data: bytes) -> Behaviour:
    """Send these bytes as they are, then close."""
    return lambda connection, _request: connection.send(data)


def page(status: int = 200, text: str = "Not Found") -> Behaviour:
    """Answer with HTML."""
    body = f"<!DOCTYPE html>\n<html><body><h1>{text}</h1></body></html>".encode()
    return reply(status, body, "text/html; charset=utf-8")


def hang(connection: Connection, _request: Request) -> None:
    """Never answer."""
    connection.wait()
