"""Time, size and HTTP itself: whatever the other side does, the call ends, small and named."""

from __future__ import annotations

import gzip
import json
import os
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from fake_odoo import KEY, FakeOdoo
from remote import NetworkPolicy
from remote_helpers import HASTY, POLICY, QUICK, at_most, code_of, database
from support.rogue import (
    Behaviour,
    Connection,
    Request,
    Rogue,
    hang,
    page,
    reply,
    reply_bytes,
    reply_json,
    response,
)

OK = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


def dripping(before: bytes, drops: bytes) -> Behaviour:
    """Send ``before`` at once, then ``drops`` again and again, one byte each tenth of a second."""

    def behave(connection: Connection, _request: Request) -> None:
        connection.send(before)
        while True:
            connection.drip(drops)

    return behave


def endless(before: bytes, piece: bytes) -> Behaviour:
    def behave(connection: Connection, _request: Request) -> None:
        connection.send(before)
        while True:
            connection.send(piece)

    return behave


SLOW = {
    "silence": hang,
    "status line": dripping(b"", b"HTTP/1.1 2"),
    "headers": dripping(OK, b"X: y\r\n"),
    "body": dripping(OK + b"Content-Length: 1000000\r\n\r\n", b" "),
    "body without length": dripping(OK + b"\r\n", b" "),
    "chunk size": dripping(CHUNKED, b"0"),
    "chunk extension": dripping(CHUNKED + b"1;", b"x"),
    "chunks": dripping(CHUNKED, b"1\r\n \r\n"),
    "trailers": dripping(CHUNKED + b"0\r\n", b"X: y\r\n"),
    "continue": dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
}


@pytest.mark.parametrize("name", SLOW)
def test_a_call_ends_in_time_however_slowly_bytes_drip(name: str) -> None:
    with Rogue(SLOW[name]) as server, at_most(QUICK + 0.5):
        assert code_of(database(server, HASTY).users) == "timeout"


def test_the_deadline_is_for_the_whole_call_with_its_fallback_requests() -> None:
    def behave(connection: Connection, request: Request) -> None:
        connection.wait(QUICK * 0.4)
        page(404)(connection, request)

    with Rogue(behave) as server, at_most(QUICK + 0.5):
        assert code_of(database(server, HASTY).users) == "timeout"
        assert len(server.requests) == 3


def test_a_resolver_that_hangs_or_drips_does_not_hold_the_call() -> None:
    release = threading.Event()

    def resolver(_host: str, _port: int) -> list[str]:
        release.wait(30)
        return []

    with at_most(QUICK + 0.5):
        policy = replace(HASTY, resolver=resolver)
        assert code_of(database("http://slow.example.com", policy).users) == "timeout"
    release.set()


@contextmanager
def swallowing() -> Iterator[int]:
    """A port of 127.0.0.1 where connecting waits for ever, as behind a firewall: a full queue."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            sock.connect_ex(listener.getsockname())
        time.sleep(0.1)
        yield listener.getsockname()[1]


def test_an_address_that_swallows_packets_leaves_time_for_the_next() -> None:
    with swallowing() as port, Rogue(FakeOdoo(), address="127.0.0.2", port=port):
        both = replace(POLICY, timeout=3, resolver=lambda *_args: ["127.0.0.1", "127.0.0.2"])
        client = database(f"http://a.example.com:{port}", both)
        with at_most(2.5):
            assert client.version().major == 19
        with at_most(1):  # the one that works comes first from now on
            assert client.version().major == 19
        one = replace(HASTY, resolver=lambda *_args: ["127.0.0.1"])
        with at_most(QUICK + 0.5):
            assert code_of(database(f"http://a.example.com:{port}", one).version) == "timeout"


def test_by_default_a_call_ends_after_15_seconds_measured_from_outside_within_16() -> None:
    assert NetworkPolicy().timeout == 15.0
    policy = NetworkPolicy(allow_private=True)
    results: dict[str, tuple[str, float]] = {}

    def run(name: str) -> None:
        with Rogue(SLOW[name]) as server:
            start = time.monotonic()
            code = code_of(database(server, policy).users)
            results[name] = code, time.monotonic() - start

    threads = [threading.Thread(target=run, args=(name,)) for name in SLOW]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(results) == set(SLOW)
    for name, (code, seconds) in results.items():
        assert code == "timeout", name
        assert 14.9 < seconds < 16, name


# --- size

HUGE = 40 * 1024 * 1024


def _bomb() -> bytes:
    return gzip.compress(b" " * HUGE, 9)


LARGE = {
    "content-length": endless(OK + b"Content-Length: 99999999999\r\n\r\n", b" " * 65536),
    "no length": endless(OK + b"\r\n", b" " * 65536),
    "chunks": endless(CHUNKED, b"10000\r\n" + b" " * 65536 + b"\r\n"),
    "tiny chunks": endless(CHUNKED, b"1;" + b"x" * 100 + b"\r\n \r\n"),
    "gzip bomb": reply(200, _bomb(), headers={"Content-Encoding": "gzip"}),
}


@pytest.mark.parametrize("name", LARGE)
def test_an_answer_beyond_the_cap_is_dropped(name: str) -> None:
    with Rogue(LARGE[name]) as server, at_most(8):
        assert code_of(database(server).users) == "too_large"


@pytest.mark.parametrize(
    "behaviour",
    [
        endless(OK, b"X: y\r\n"),
        endless(OK + b"X: ", b"y" * 1000),
        endless(b"", b"H" * 1000),
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["many", "one long", "status line", "continue"],
)
def test_endless_headers_are_cut_off(behaviour: Behaviour) -> None:
    with Rogue(behaviour) as server, at_most(5):
        code = code_of(database(server, POLICY).users)
    assert code in ("malformed", "too_large")


def test_the_cap_counts_decoded_bytes_and_a_body_just_below_it_passes() -> None:
    room = b"[" + b" " * (POLICY.max_bytes - 2) + b"]"
    for body in (room, room + b" "):
        zipped = reply(200, gzip.compress(body), headers={"Content-Encoding": "gzip"})
        for behaviour in (reply(200, body), zipped):
            with Rogue(behaviour) as server:
                if len(body) > POLICY.max_bytes:
                    assert code_of(database(server).users) == "too_large"
                else:
                    assert database(server).users() == ()


def test_memory_stays_small_while_a_bomb_goes_off() -> None:
    with Rogue(LARGE["gzip bomb"]) as server:
        client = database(server, POLICY)
        tracemalloc.start()
        code_of(client.users)
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 12 * 1024 * 1024


# --- HTTP

BROKEN = {
    "nothing": (reply_bytes(b""), "interrupted"),
    "half a header": (reply_bytes(OK), "malformed"),
    "half a body": (reply_bytes(OK + b"Content-Length: 9\r\n\r\n[]"), "interrupted"),
    "half a chunk": (reply_bytes(CHUNKED + b"9\r\n[]"), "interrupted"),
    "no last chunk": (reply_bytes(CHUNKED + b"2\r\n[]\r\n"), "interrupted"),
    "half a gzip": (
        reply(200, gzip.compress(b"[]" + b" " * 100)[:-6], headers={"Content-Encoding": "gzip"}),
        "interrupted",
    ),
    "no gzip": (reply(200, b"[]", headers={"Content-Encoding": "gzip"}), "malformed"),
    "brotli": (reply(200, b"[]", headers={"Content-Encoding": "br"}), "malformed"),
    "two encodings": (reply(200, b"[]", headers={"Content-Encoding": "gzip, gzip"}), "malformed"),
    "bad chunk size": (reply_bytes(CHUNKED + b"zz\r\n[]\r\n0\r\n\r\n"), "interrupted"),
    "not http": (reply_bytes(b"SSH-2.0-OpenSSH_9.2\r\n"), "malformed"),
    "no status": (reply_bytes(b"HTTP/1.1 abc OK\r\n\r\n"), "malformed"),
    "empty": (reply(200, b""), "malformed"),
    "not json": (reply(200, b"{'a': 1}"), "malformed"),
    "utf-16": (reply(200, "[]".encode("utf-16")), "malformed"),
    "latin-1": (reply(200, b'["\xe9"]'), "malformed"),
    "204": (reply(204), "server"),
}


def _reset(connection: Connection, _request: Request) -> None:
    connection.send(OK)
    connection.reset()


@pytest.mark.parametrize("name", [*BROKEN, "reset"])
def test_broken_answers_have_a_name(name: str) -> None:
    behaviour, code = BROKEN.get(name, (_reset, "interrupted"))
    with Rogue(behaviour) as server, at_most(5):
        assert code_of(database(server).users) == code


def test_nobody_listening_is_refused() -> None:
    with Rogue(hang) as server:
        url = server.url
    assert code_of(database(url).users) == "refused"


def test_an_unknown_name_is_unresolved() -> None:
    def resolver(_host: str, _port: int) -> list[str]:
        raise OSError(-2, "Name or service not known")

    for resolve in (resolver, lambda *_args: [], lambda *_args: ["nonsense"]):
        policy = replace(POLICY, resolver=resolve)
        assert code_of(database("http://nobody.example.com", policy).users) == "unresolved"


# --- redirects, pages, portals


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int) -> None:
    with Rogue(reply_json([])) as target:
        headers = {"Location": f"{target.url}/json/2/res.users/search_read?key=secret"}
        with Rogue(reply(status, headers=headers)) as server:
            with pytest.raises(Exception) as caught:
                database(server).users()
            assert caught.value.code == "redirect"
            assert f"localhost:{target.port}" in str(caught.value)
            assert "secret" not in str(caught.value)
        assert target.connections == 0


def test_the_four_kinds_of_web_page_are_told_apart() -> None:
    form = b'<!DOCTYPE html><form class="oe_login_form" action="/web/login"></form>'
    with Rogue(reply(200, form, "text/html")) as server:
        assert code_of(database(server).users) == "login_page"
    with Rogue(reply(303, headers={"Location": "/web/login?redirect=%2Fjson"})) as server:
        assert code_of(database(server).users) == "login_page"
    with Rogue(page(200, "Welcome to the hotel")) as server:
        assert code_of(database(server).users) == "web_page"
    with Rogue(reply(200, b"<html>portal</html>", "application/json")) as server:
        assert code_of(database(server).users) == "web_page"
    with Rogue(page(403, "Forbidden by the firewall")) as server:
        assert code_of(database(server).users) == "web_page"
    with Rogue(page(404)) as server:
        assert code_of(database(server).users) == "not_served"


# --- nothing from around us, nothing left over


def test_netrc_and_the_environments_proxies_are_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / ".netrc"
    netrc.write_text("default login evil password evil\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(netrc))
    with Rogue(hang) as proxy, Rogue(FakeOdoo()) as server:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
            monkeypatch.setenv(name.upper(), proxy.url)
        monkeypatch.delenv("no_proxy", raising=False)
        assert os.path.expanduser("~/.netrc") == str(netrc)
        assert [user.id for user in database(server).users()] == [2]
        assert proxy.connections == 0
        assert {request.headers["authorization"] for request in server.requests} == {
            f"bearer {KEY}"
        }


def test_cookies_are_neither_kept_nor_sent() -> None:
    odoo = reply(200, b"[]", headers={"Set-Cookie": "session_id=1; Path=/"})
    with Rogue(odoo) as server:
        client = database(server)
        client.users()
        client.users()
        assert len(server.requests) == 2
        assert not any("cookie" in request.headers for request in server.requests)


def test_each_exchange_has_a_connection_of_its_own_and_says_who_it_wants() -> None:
    with Rogue(FakeOdoo()) as server:
        client = database(server)
        client.users()
        client.version()
        assert server.connections == len(server.requests) == 2
        assert {request.headers["host"] for request in server.requests} == {
            f"localhost:{server.port}"
        }
        version = server.requests[1]
        assert "authorization" not in version.headers
        assert KEY.encode() not in version.body


def test_no_thread_and_no_socket_is_left_behind() -> None:
    before = threading.active_count(), len(os.listdir("/proc/self/fd"))
    policy = replace(POLICY, timeout=0.2)
    for name in ("silence", "headers", "chunks"):
        with Rogue(SLOW[name]) as server:
            code_of(database(server, policy).users)
    with Rogue(FakeOdoo()) as server:
        resolver = replace(POLICY, resolver=lambda *_args: ["127.0.0.1"])
        database(f"http://a.example.com:{server.port}", resolver).users()
    time.sleep(0.1)
    assert (threading.active_count(), len(os.listdir("/proc/self/fd"))) == before


# --- the proxy of the configuration


def _tunnelling(target: int, status: bytes = b"200 OK") -> Behaviour:
    """A proxy that answers CONNECT and passes everything on to a local port."""

    def behave(connection: Connection, _request: Request) -> None:
        connection.send(b"HTTP/1.1 " + status + b"\r\n\r\n")
        with socket.create_connection(("127.0.0.1", target)) as other:
            other.sendall(connection.receive())
            while data := other.recv(65536):
                connection.send(data)

    return behave


def test_a_configured_proxy_gets_the_checked_address_and_the_server_its_host() -> None:
    with Rogue(FakeOdoo()) as server, Rogue(_tunnelling(server.port)) as proxy:
        policy = replace(
            POLICY,
            proxy=f"http://me:p%40ss@localhost:{proxy.port}",
            resolver=lambda *_args: ["93.184.216.34"],
            allow_private=False,
        )
        assert database("http://client.example.com:8069", policy).version().text == "19.0"
        assert proxy.requests[0].method == "CONNECT"
        assert proxy.requests[0].path == "93.184.216.34:8069"
        assert proxy.requests[0].headers["proxy-authorization"] == "Basic bWU6cEBzcw=="
        assert server.requests[0].headers["host"] == "client.example.com:8069"
        assert "proxy-authorization" not in server.requests[0].headers


def test_a_proxy_does_not_open_private_addresses() -> None:
    with Rogue(hang) as proxy:
        policy = NetworkPolicy(proxy=proxy.url, timeout=QUICK)
        assert code_of(database("http://10.0.0.1", policy).users) == "blocked"
        assert proxy.connections == 0


def test_a_proxy_that_refuses_hangs_or_is_away() -> None:
    with Rogue(reply_bytes(b"HTTP/1.1 403 No\r\n\r\n")) as proxy:
        policy = replace(POLICY, proxy=proxy.url)
        assert code_of(database("http://localhost", policy).users) == "no_proxy"
    assert code_of(database("http://localhost", policy).users) == "no_proxy"
    with Rogue(dripping(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n")) as proxy, at_most(QUICK + 0.5):
        policy = replace(HASTY, proxy=proxy.url)
        assert code_of(database("http://localhost", policy).users) == "timeout"
    for url in ("socks5://localhost:1", "http://", "nonsense", "http://x:99999"):
        policy = replace(POLICY, proxy=url)
        assert code_of(database("http://localhost", policy).users) == "no_proxy"


def test_chunks_and_gzip_are_read() -> None:
    body = json.dumps([]).encode()
    chunked = CHUNKED + b"1\r\n[\r\n1;x=y\r\n]\r\n0\r\nTrailer: x\r\n\r\n"
    zipped = response(200, gzip.compress(body), headers={"Content-Encoding": "GZIP"})
    for data in (chunked, zipped, OK + b"\r\n" + body):
        with Rogue(reply_bytes(data)) as server:
            assert database(server).users() == ()
