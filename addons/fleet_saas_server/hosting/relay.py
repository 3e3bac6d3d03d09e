"""A door from a sandbox to one database of PostgreSQL, as one role, and to nowhere else.

A sandboxed program has no network. It reaches the server through a unix socket on which we
listen and pass bytes on. The first message of the protocol names user and database: anything but
the expected ones is refused here, so that not even a program that was taken over can use an
authentication that trusts *us* (``peer``, ``trust``) to enter as another role.

Message formats: https://www.postgresql.org/docs/current/protocol-message-formats.html
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from pathlib import Path
from types import TracebackType

PROTOCOLS = (3 << 16, 3 << 16 | 2)  # 3.0, and 3.2 of PostgreSQL 18
_LONGEST_START = 10_000
_START_SECONDS = 30
_CHUNK = 1 << 16
_KEYS = {b"user", b"database", b"application_name", b"client_encoding", b"options"}


class Relay:
    """Listen in ``folder`` until the end of the block.

    :param server: host and port of PostgreSQL, or the path of its unix socket
    :param port: the port by which libpq names the socket's file
    """

    def __init__(
        self, folder: Path, server: tuple[str, int] | str, *, user: str, database: str
    ) -> None:
        self.port = 5432
        self.path = folder / f".s.PGSQL.{self.port}"
        self._server = server
        self._expected = {b"user": user.encode(), b"database": database.encode()}
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(2)
        self._open: set[socket.socket] = set()
        self._closed = False

    def __enter__(self) -> Relay:
        threading.Thread(target=self._accept, name="fleet-relay", daemon=True).start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._closed = True
        for used in (self._listener, *self._open):
            _shut(used)

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=[client], daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        server = None
        self._open.add(client)
        try:
            client.settimeout(_START_SECONDS)
            start = _start_message(client, self._expected)
            if start is None:
                return
            server = self._dial()
            self._open.add(server)
            server.sendall(start)
            client.settimeout(None)
            # One thread a direction: one for both would wait for ever once both sides are full.
            back = threading.Thread(target=_pump, args=[server, client], daemon=True)
            back.start()
            _pump(client, server)
            back.join()
        except OSError:
            pass  # Either side left; the program's exit code tells the rest.
        finally:
            for used in filter(None, (client, server)):
                _shut(used)
                self._open.discard(used)

    def _dial(self) -> socket.socket:
        if isinstance(self._server, str):
            dialled = socket.socket(socket.AF_UNIX)
            dialled.connect(self._server)
            return dialled
        dialled = socket.create_connection(self._server, timeout=_START_SECONDS)
        dialled.settimeout(None)
        dialled.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return dialled


def _shut(used: socket.socket) -> None:
    with contextlib.suppress(OSError):
        used.shutdown(socket.SHUT_RDWR)
    used.close()


def _start_message(client: socket.socket, expected: dict[bytes, bytes]) -> bytes | None:
    """Return the client's first message when it asks for what is expected, None otherwise."""
    head = _exactly(client, 8)
    length, protocol = struct.unpack("!II", head)
    if protocol not in PROTOCOLS or not 8 < length <= _LONGEST_START:
        return None
    body = _exactly(client, length - 8)
    parts = body.removesuffix(b"\0\0").split(b"\0")
    asked = dict(zip(parts[::2], parts[1::2], strict=False))
    # A key named twice would be read by the server in another way than here.
    if len(parts) != 2 * len(asked) or not set(asked) <= _KEYS:
        return None
    return head + body if asked.items() >= expected.items() else None


def _exactly(source: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        chunk = source.recv(count - len(data))
        if not chunk:
            raise ConnectionError("the other side left")
        data += chunk
    return data


def _pump(source: socket.socket, target: socket.socket) -> None:
    """Pass bytes on until either side ends, then end both."""
    try:
        while chunk := source.recv(_CHUNK):
            target.sendall(chunk)
    except OSError:
        pass
    finally:
        for used in (source, target):
            with contextlib.suppress(OSError):
                used.shutdown(socket.SHUT_RDWR)
