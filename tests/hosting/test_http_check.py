"""The first page, asked of real HTTP servers that behave and misbehave."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hosting import http_check
from hosting.errors import HostingError, Retryable

HOST = "acme.example.com"
PAGE = b"""<html><head><link rel="stylesheet" href="/web/a.css"><link rel="next" href="/no">
<script src="b.js"></script><script src="/web/b.js"></script>
<script src="https://elsewhere.example/c.js"></script><script src="//elsewhere.example/d.js">
</script></head><body><img src="data:image/png;base64,AA"><img src="/logo.png"></body></html>"""
Answer = Callable[[BaseHTTPRequestHandler], None]


def send(status: int, body: bytes = b"", **headers: str) -> Answer:
    """Return an answer; ``_`` in a header's name stands for ``-``."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


class Web:
    """A server whose answers a test chooses by path; it notes the Host header and cookies."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.seen: list[tuple[str, str | None, str | None]] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                web.seen.append((self.path, self.headers["Host"], self.headers["Cookie"]))
                web.answers.get(self.path, send(404))(self)

            def log_message(self, *_values: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def web() -> Iterator[Web]:
    web = Web()
    yield web
    web.server.shutdown()
    web.server.server_close()


def refusal(web: Web, deadline_s: float = 5) -> HostingError:
    with pytest.raises(HostingError) as caught:
        http_check.first_page(web.url, HOST, deadline_s)
    return caught.value


def test_the_first_page_is_asked_by_the_host_name(
    web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    web.answers["/web/login"] = send(200, PAGE, Set_Cookie="session_id=x")
    found = http_check.first_page(web.url + "/", HOST, 5)
    assert (found["path"], found["bytes"]) == ("/web/login", len(PAGE))
    assert 0 <= found["seconds"] < 5
    assert web.seen == [("/web/login", HOST, None)]


def test_every_local_asset_is_loaded_once(web: Web) -> None:
    web.answers |= {
        "/web/login": send(200, PAGE, Set_Cookie="session_id=x"),
        "/web/a.css": send(200, b"12345"),
        "/web/b.js": send(200, b"123"),
        "/logo.png": send(200, b"1"),
    }
    found = http_check.first_page(web.url, HOST, 5, assets=True)
    assert (found["assets"], found["asset_bytes"]) == (3, 9)
    assert [path for path, _host, _cookie in web.seen[1:]] == [
        "/web/a.css", "/web/b.js", "/logo.png",
    ]  # fmt: skip
    assert {(host, cookie) for _path, host, cookie in web.seen} == {(HOST, None)}
    del web.answers["/web/b.js"]
    with pytest.raises(HostingError, match="/web/b.js of acme.example.com answered 404"):
        http_check.first_page(web.url, HOST, 5, assets=True)


def test_redirects_are_followed_on_the_same_host_only(web: Web) -> None:
    web.answers["/web/login"] = send(303, Location=f"https://{HOST}/odoo?a=1")
    web.answers["/odoo?a=1"] = send(302, Location="/shop")
    web.answers["/shop"] = send(200, b"shop")
    assert http_check.first_page(web.url, HOST, 5)["path"] == "/shop"
    for away in ("http://evil.example/", "//evil.example/", "ftp://acme.example.com/"):
        web.answers["/web/login"] = send(303, Location=away)
        assert refusal(web).code == "page_leads_away"
    web.answers["/web/login"] = send(303, Location="/web/login")
    web.seen.clear()
    assert refusal(web).code == "page_endless"
    assert len(web.seen) == 4


def test_a_wrong_status_is_refused_and_a_busy_server_asked_again(web: Web) -> None:
    for status, again in ((404, False), (500, False), (503, True)):
        web.answers["/web/login"] = send(status)
        error = refusal(web)
        assert f"answered {status} instead of 200" in str(error)
        assert error.retryable is again


def test_a_page_that_never_ends_is_cut(web: Web, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_check, "CAP_BYTES", 1000)
    web.answers["/web/login"] = send(200, b"x" * 1001)
    assert refusal(web).code == "page_huge"


def drip(where: str) -> Answer:
    """Return an answer that sends a byte every 50 ms, for ever."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        if where == "body":
            handler.wfile.write(b"\r\n")
        while True:
            handler.wfile.write(b"x")
            handler.wfile.flush()
            time.sleep(0.05)

    return answer


@pytest.mark.parametrize("where", ["headers", "body"])
def test_a_server_that_drips_holds_nobody_beyond_the_deadline(web: Web, where: str) -> None:
    web.answers["/web/login"] = drip(where)
    begin = time.monotonic()
    error = refusal(web, 0.5)
    assert time.monotonic() - begin < 10
    assert (error.code, error.retryable) == ("page_late", True)


def test_a_connection_that_opens_when_the_time_is_over_is_closed_at_once(web: Web) -> None:
    web.answers["/web/login"] = drip("body")
    with http_check._Visitor(web.url, HOST, 0.1) as visitor, ThreadPoolExecutor(1) as pool:
        assert visitor._late.wait(5)
        asked = pool.submit(visitor.ask, "/web/login")
        with pytest.raises(Retryable) as caught:
            asked.result(timeout=30)
        assert caught.value.code == "page_late"


def test_a_server_that_says_nothing_or_is_not_there_is_named(web: Web) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(Retryable) as caught:
            http_check.first_page(url, HOST, 0.3)
        assert caught.value.code == "page_late"
    with pytest.raises(Retryable) as caught:
        http_check.first_page(url, HOST, 5)
    assert caught.value.code == "page_unreachable"


def test_a_process_without_the_gate_is_told(web: Web) -> None:
    for answer in (
        send(404),
        send(200, b"<html>"),
        send(200, b"[]"),
        send(200, b'{"gate": "off"}'),
    ):
        web.answers["/fleet/gate"] = answer
        with pytest.raises(HostingError) as caught:
            http_check.gate_state(web.url)
        assert caught.value.code == "gate_missing"
    web.answers["/fleet/gate"] = send(200, b'{"gate": "on", "databases": 3}')
    assert http_check.gate_state(web.url)["databases"] == 3
