"""Ask the hosted Odoo process for a page as a visitor would, by the host name of a database."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from typing import Any
from urllib.parse import urljoin, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from .errors import HostingError, Retryable, sentences
from .failpoints import failpoint

FIRST_PATH = "/web/login"
GATE_PATH = "/fleet/gate"
REDIRECTS = 3
CAP_BYTES = 20 << 20
_COME_BACK = (502, 503, 504)
_CHUNK = 1 << 16

sentences(
    page_unreachable="The hosted Odoo at %(url)s does not answer (%(reason)s). "
    "See whether its process runs, then retry.",
    page_late="The hosted Odoo at %(url)s did not answer for %(host)s within %(seconds)s seconds. "
    "See what keeps it busy, then retry.",
    page_wrong="The page %(path)s of %(host)s answered %(status)s instead of 200. "
    "The hosted Odoo's log has the reason.",
    page_leads_away="The page %(path)s of %(host)s redirects to %(location)s, away from its host. "
    "Correct web.base.url or the redirect in the database.",
    page_endless="The page %(path)s of %(host)s redirects again and again.",
    page_huge="The page %(path)s of %(host)s is larger than %(bytes)s bytes.",
    gate_missing="The Odoo at %(url)s serves databases without the gate, so one customer could "
    "open another's. Start it with --load=base,rpc,web,fleet_saas_server.",
)


def first_page(
    hosted_url: str, host: str, deadline_s: float, *, assets: bool = False
) -> dict[str, Any]:
    """Ask for the login page of a database and return what came.

    :param hosted_url: where the process listens, plain http
    :param host: host name of the database
    :param deadline_s: seconds for everything together
    :param assets: also load every local script, style sheet and picture that the page names
    :return: ``path`` (after local redirects), ``seconds``, ``bytes``, and with ``assets`` their
        number ``assets``, ``asset_bytes`` and ``all_seconds``
    :raises HostingError: ``page_wrong``, ``page_leads_away``, ``page_endless``, ``page_huge``
    :raises Retryable: ``page_unreachable``, ``page_late``, ``page_wrong`` with 502, 503 or 504
    """
    failpoint("http_check.first_page")
    begin = time.monotonic()
    with _Visitor(hosted_url, host, deadline_s) as visitor:
        path, body = visitor.page(FIRST_PATH)
        facts: dict[str, Any] = {
            "path": path,
            "seconds": round(time.monotonic() - begin, 3),
            "bytes": len(body),
        }
        if assets:
            names = _asset_paths(body.decode(errors="replace"), path)
            facts["assets"] = len(names)
            facts["asset_bytes"] = sum(len(visitor.page(name)[1]) for name in names)
            facts["all_seconds"] = round(time.monotonic() - begin, 3)
    return facts


def gate_state(hosted_url: str, deadline_s: float = 5.0) -> dict[str, Any]:
    """Return what the gate of the hosted process says of itself (``gate/application.py``).

    :raises HostingError: ``gate_missing``
    :raises Retryable: ``page_unreachable``, ``page_late``
    """
    with _Visitor(hosted_url, "127.0.0.1", deadline_s) as visitor:
        response, body = visitor.ask(GATE_PATH)
        with contextlib.suppress(ValueError):
            facts = json.loads(body)
            if (
                response.status_code == 200
                and isinstance(facts, dict)
                and facts.get("gate") == "on"
            ):
                return facts
    raise HostingError("gate_missing", url=hosted_url)


class _Visitor:
    """One visitor without cookies, proxies or environment, who leaves at the deadline.

    The timeouts of ``requests`` are per read: a server that sends a byte now and then would hold
    the call for ever. So the sockets are known, and shut when the time is over.
    """

    def __init__(self, hosted_url: str, host: str, deadline_s: float) -> None:
        self.url = hosted_url.rstrip("/")
        self.host = host
        self.deadline_s = deadline_s
        self._sockets: list[socket.socket] = []
        self._late = threading.Event()
        self._timer = threading.Timer(deadline_s, self._hang_up)
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.mount("http://", _adapter(self._opened))

    def __enter__(self) -> _Visitor:
        self._timer.daemon = True
        self._timer.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._timer.cancel()
        self._session.close()

    def _opened(self, opened: socket.socket) -> None:
        self._sockets.append(opened)
        if self._late.is_set():
            self._hang_up()  # it was being opened when the time was over

    def _hang_up(self) -> None:
        self._late.set()
        for opened in self._sockets:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)

    def page(self, path: str) -> tuple[str, bytes]:
        """Return the path that answered 200 in the end, and its body."""
        for _number in range(REDIRECTS + 1):
            response, body = self.ask(path)
            if response.status_code == 200:
                return path, body
            if not response.is_redirect:
                kind = Retryable if response.status_code in _COME_BACK else HostingError
                raise kind("page_wrong", path=path, host=self.host, status=response.status_code)
            path = self._local(path, response.headers["Location"])
        raise HostingError("page_endless", path=path, host=self.host)

    def ask(self, path: str) -> tuple[requests.Response, bytes]:
        """Return the answer to one GET."""
        try:
            with self._session.get(
                self.url + path,
                headers={"Host": self.host},
                timeout=self.deadline_s,
                allow_redirects=False,
                stream=True,
            ) as response:
                self._session.cookies.clear()
                return response, b"".join(self._capped(response, path))
        except (requests.RequestException, OSError) as error:
            if self._late.is_set() or isinstance(error, requests.Timeout):
                raise Retryable(
                    "page_late", url=self.url, host=self.host, seconds=round(self.deadline_s, 1)
                ) from error
            reason = type(error).__name__
            raise Retryable("page_unreachable", url=self.url, reason=reason) from error

    def _capped(self, response: requests.Response, path: str) -> Iterator[bytes]:
        size = 0
        for chunk in response.iter_content(_CHUNK):
            size += len(chunk)
            if size > CAP_BYTES:
                raise HostingError("page_huge", path=path, host=self.host, bytes=CAP_BYTES)
            yield chunk
        if self._late.is_set():
            raise requests.Timeout

    def _local(self, path: str, location: str) -> str:
        """Return the path of a redirect to this host."""
        target = urlsplit(urljoin(f"http://{self.host}{path}", location))
        if target.hostname != self.host or target.scheme not in ("http", "https"):
            raise HostingError("page_leads_away", path=path, host=self.host, location=location)
        return (target.path or "/") + (f"?{target.query}" if target.query else "")


def _adapter(opened: Callable[[socket.socket], None]) -> HTTPAdapter:
    """Return a transport that tells which sockets it opens."""

    class Connection(urllib3.connection.HTTPConnection):
        def connect(self) -> None:
            super().connect()
            opened(self.sock)

    class Pool(urllib3.HTTPConnectionPool):
        ConnectionCls = Connection

    adapter = HTTPAdapter(max_retries=0)
    adapter.poolmanager.pool_classes_by_scheme = {"http": Pool}
    return adapter


class _Assets(HTMLParser):
    """Collects what a browser loads for a page."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        if tag in ("script", "img") and values.get("src"):
            self.names.append(values["src"])
        elif tag == "link" and values.get("rel") in ("stylesheet", "icon", "shortcut icon"):
            self.names.append(values.get("href") or "")


def _asset_paths(text: str, page: str) -> list[str]:
    """Return the local paths of a page's assets, each once, in the page's order."""
    parser = _Assets()
    parser.feed(text)
    found = [urljoin(page, name) for name in parser.names if name and not name.startswith("data:")]
    local = [name for name in found if name.startswith("/") and not name.startswith("//")]
    return list(dict.fromkeys(local))
