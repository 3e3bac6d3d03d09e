"""Sockets whose every wait ends with the call's deadline."""

from __future__ import annotations

import io
import socket

from .deadline import Deadline

CHUNK_BYTES = 16 * 1024


class OverBudget(Exception):
    """More bytes came in than were allowed."""


class DeadlineReader(io.RawIOBase):
    """The receiving side of a socket, for ``http.client``: counted, and never slower than allowed.

    :param budget: bytes that may come in before :meth:`allow` raises it
    """

    def __init__(self, sock: socket.socket, deadline: Deadline, budget: int) -> None:
        self._sock = sock
        self._deadline = deadline
        self._budget = budget

    def makefile(self, mode: str) -> io.BufferedReader:
        """Stand in for ``socket.makefile``, the only thing that HTTPResponse asks of a socket."""
        return io.BufferedReader(self, CHUNK_BYTES)

    def allow(self, more: int) -> None:
        self._budget += more

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._sock.settimeout(self._deadline.left())
        count = self._sock.recv_into(buffer)
        self._budget -= count
        if self._budget < 0:
            raise OverBudget
        return count


def dial(address: str, port: int, deadline: Deadline) -> socket.socket:
    """Connect to a written-out address; nothing is resolved here."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.settimeout(deadline.left())
        sock.connect((address, port))
    except BaseException:
        sock.close()
        raise
    return sock


def send_all(sock: socket.socket, data: bytes, deadline: Deadline) -> None:
    """Send everything in the time left: ``SSLSocket.sendall`` restarts its timeout each piece."""
    view = memoryview(data)
    while view:
        sock.settimeout(deadline.left())
        view = view[sock.send(view) :]
