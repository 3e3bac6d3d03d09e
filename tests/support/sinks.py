"""Servers on the loopback interface that take whatever reaches them, and count it.

with SmtpSink() as mail, HttpSink() as web, Pop3Sink() as box:
    ...
    assert mail.connections == 0 and mail.received == b""
"""

from __future__ import annotations

import re
import socketserver
import threading
import time
from collections.abc import Callable

LINE_LIMIT = 1 << 16


class Sink:
    """A server of one protocol on a free port; leaving the block closes it.

    ``connections`` counts who came, ``received`` holds every byte that came, in the order of
    arrival.
    """

    def __init__(self) -> None:
        self.connections = 0
        self.received = b""
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _Visit)
        self._server.sink = self
        self.port: int = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)

    def __enter__(self) -> Sink:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def untouched(self) -> bool:
        """Tell whether nobody has even connected."""
        return not self.connections and not self.received

    def forget(self) -> None:
        """Begin to count anew."""
        with self._lock:
            self.connections, self.received = 0, b""

    def came(self) -> None:
        """Count a connection."""
        with self._lock:
            self.connections += 1

    def took(self, data: bytes) -> bytes:
        """Keep what arrived, and return it."""
        with self._lock:
            self.received += data
        return data

    def talk(self, visit: _Visit) -> None:
        """Speak the protocol until the other side has had enough."""
        raise NotImplementedError


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    sink: Sink


class _Visit(socketserver.StreamRequestHandler):
    server: _Server
    timeout = 30

    def handle(self) -> None:
        self.server.sink.came()
        try:
            self.server.sink.talk(self)
        except OSError:
            return  # the other side left, or says nothing any more

    def read(self) -> bytes:
        """Return the next line, b"" at the end."""
        return self.server.sink.took(self.rfile.readline(LINE_LIMIT))

    def read_bytes(self, count: int) -> bytes:
        return self.server.sink.took(self.rfile.read(count))

    def say(self, *lines: str) -> None:
        self.wfile.write("".join(f"{line}\r\n" for line in lines).encode())


class SmtpSink(Sink):
    """Takes every login and every mail (RFC 5321, AUTH PLAIN and LOGIN of RFC 4954)."""

    def __init__(self) -> None:
        super().__init__()
        self.logins = 0
        self.mails: list[str] = []

    def forget(self) -> None:
        super().forget()
        with self._lock:
            self.logins, self.mails = 0, []

    def subjects(self) -> list[str]:
        """Return the subject of every mail that came."""
        return [
            found[1]
            for mail in self.mails
            if (found := re.search(r"(?m)^Subject: (.*?)\r?$", mail))
        ]

    def talk(self, visit: _Visit) -> None:
        visit.say("220 sink ESMTP")
        while line := visit.read():
            word = line[:4].upper().strip()
            if word == b"EHLO":
                visit.say("250-sink", "250-AUTH PLAIN LOGIN", "250 8BITMIME")
            elif word == b"AUTH":
                self._login(visit, line)
            elif word == b"DATA":
                visit.say("354 go on")
                self._mail(visit)
                visit.say("250 taken")
            elif word == b"QUIT":
                visit.say("221 bye")
                return
            else:
                visit.say("250 OK")

    def _login(self, visit: _Visit, line: bytes) -> None:
        if line.split()[1].upper() == b"LOGIN":
            if len(line.split()) < 3:
                visit.say("334 VXNlcm5hbWU6")
                visit.read()
            visit.say("334 UGFzc3dvcmQ6")
            visit.read()
        elif len(line.split()) < 3:
            visit.say("334 ")
            visit.read()
        with self._lock:
            self.logins += 1
        visit.say("235 welcome")

    def _mail(self, visit: _Visit) -> None:
        lines = []
        while (line := visit.read()) not in (b".\r\n", b""):
            lines.append(line)
        with self._lock:
            self.mails.append(b"".join(lines).decode(errors="replace"))


class HttpSink(Sink):
    """Answers 200 to every request."""

    def talk(self, visit: _Visit) -> None:
        length = 0
        while (line := visit.read()).strip():
            name, _colon, value = line.partition(b":")
            if name.lower() == b"content-length":
                length = int(value)
        visit.read_bytes(length)
        visit.say("HTTP/1.1 200 OK", "Content-Length: 0", "Connection: close", "")


class Pop3Sink(Sink):
    """A mailbox without mail that opens with any password (RFC 1939)."""

    def talk(self, visit: _Visit) -> None:
        visit.say("+OK sink")
        while line := visit.read():
            word = line[:4].upper().strip()
            visit.say("+OK 0 0" if word == b"STAT" else "+OK")
            if word in (b"LIST", b"UIDL"):
                visit.say(".")
            elif word == b"QUIT":
                return


def wait_until(
    true: Callable[[], object], what: str, seconds: float = 60, every: float = 0.05
) -> None:
    """Wait until ``true()``; fail with ``what`` when it does not become so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(every)
