"""Large answers in pieces: whole, or broken and named; never kept, never endless."""

from __future__ import annotations

import tracemalloc

import pytest
from remote import RemoteError
from remote.streaming import BLOCK_BYTES, Streamed, Streaming
from remote_helpers import HASTY, POLICY, QUICK, at_most, code_of
from support.rogue import Connection, Request, Rogue, hang, reply, reply_bytes

HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"


def fetch(server: Rogue, policy=POLICY, patience: float = 10.0, **headers: str) -> Streamed:
    return Streaming(server.url, policy).fetch("/file", headers, patience=patience)


def test_the_body_comes_whole_with_its_length_and_is_asked_for_as_it_is():
    content = bytes(range(256)) * 2000
    with Rogue(reply(206, content, headers={"Content-Range": "bytes 5-9/10"})) as server:
        found = fetch(server, Range="bytes=5-")
        assert (found.status, found.length) == (206, len(content))
        assert found.headers["content-range"] == "bytes 5-9/10"
        assert b"".join(found.blocks()) == content
    [request] = server.requests
    assert request.headers["accept-encoding"] == "identity"
    assert request.headers["range"] == "bytes=5-"


def test_memory_stays_small_whatever_the_size():
    def endless(connection: Connection, _request: Request) -> None:
        connection.send(HEAD % (80 << 20))
        for _each in range(80):
            connection.send(bytes(1 << 20))

    with Rogue(endless) as server:
        tracemalloc.start()
        total = sum(len(block) for block in fetch(server).blocks())
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert total == 80 << 20
    assert most < 4 << 20


@pytest.mark.parametrize("sent", [0, 1, BLOCK_BYTES + 7])
def test_an_end_before_the_promised_length_is_an_error(sent):
    with Rogue(reply_bytes(HEAD % 500000 + bytes(sent))) as server:
        found = fetch(server)
        assert code_of(lambda: list(found.blocks())) == "interrupted"


def test_a_body_that_stops_coming_is_waited_for_only_so_long():
    def stall(connection: Connection, _request: Request) -> None:
        connection.send(HEAD % 500000 + bytes(1000))
        connection.wait()

    with Rogue(stall) as server, at_most(5):
        found = fetch(server, patience=QUICK)
        assert code_of(lambda: list(found.blocks())) == "timeout"


def test_a_body_may_take_longer_than_a_call_while_it_comes():
    def slow(connection: Connection, _request: Request) -> None:
        connection.send(HEAD % 12)
        connection.drip(b"twelve bytes", every=QUICK / 6)

    with Rogue(slow) as server:
        found = fetch(server, HASTY, patience=QUICK)
        assert b"".join(found.blocks()) == b"twelve bytes"


def test_a_head_that_does_not_come_is_waited_for_as_long_as_every_call():
    def drip(connection: Connection, _request: Request) -> None:
        while True:
            connection.drip(b"HTTP/1.1 2")

    for behaviour in (hang, drip):
        with Rogue(behaviour) as server, at_most(5):
            assert code_of(lambda s=server: fetch(s, HASTY, patience=60)) == "timeout"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Encoding: gzip\r\n\r\n",
        b"nonsense\r\n\r\n",
    ],
)
def test_what_does_not_say_its_length_is_not_begun(head):
    with Rogue(reply_bytes(head + b"12345")) as server:
        assert code_of(lambda: fetch(server)) == "malformed"


def test_the_rules_of_every_call_hold():
    with Rogue(reply(200, b"x")) as server:
        policy = POLICY.__class__(allow_private=False)
        assert code_of(lambda: fetch(server, policy)) == "blocked"
        assert not server.requests


def test_who_goes_away_closes_the_connection():
    with Rogue(reply_bytes(HEAD % 500000 + bytes(500000))) as server:
        found = fetch(server)
        blocks = found.blocks()
        next(blocks)
        blocks.close()
        with pytest.raises((ValueError, OSError, RemoteError)):
            list(found.blocks())
