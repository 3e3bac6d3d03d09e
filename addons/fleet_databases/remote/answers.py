"""What an answer means before any protocol looks at it: its status, whether it is a web page."""

from __future__ import annotations

import json
from typing import Any, NoReturn
from urllib.parse import urlsplit

from .errors import (
    Conflict,
    Credentials,
    LoginPage,
    Malformed,
    Redirect,
    ServerError,
    WebPage,
    plain,
)
from .transport import Answer

# Odoo's login form, in every version: <form class="oe_login_form" action="/web/login" …>
_LOGIN_MARKS = (b"oe_login_form", b"/web/login")


def is_page(answer: Answer) -> bool:
    """Return whether this is HTML, whatever its Content-Type says."""
    start = answer.body[:512].lstrip().lower()
    return start.startswith((b"<!doctype html", b"<html")) or "text/html" in answer.content_type


def check_status(answer: Answer, host: str) -> None:
    """Refuse what no call of ours may answer; 403, 404 and 422 are left to the protocol.

    :raises RemoteError: Redirect, LoginPage, Credentials, Conflict, ServerError or WebPage
    """
    status = answer.status
    if 300 <= status < 400:
        raise _redirection(answer.location, host)
    if status == 401:
        raise Credentials(host=host)
    if status == 409:
        raise Conflict(host=host)
    if status >= 500:
        raise ServerError(host=host, status=status)
    if is_page(answer) and status not in (404, 405):
        raise _page(answer, host)


def _redirection(location: str, host: str) -> LoginPage | Redirect:
    try:
        parts = urlsplit(location)
    except ValueError:
        return Redirect(host=host, location="-")
    if parts.path.rstrip("/").endswith("/web/login"):
        return LoginPage(host=host)
    # Only where to, without what the address may carry (tokens, our own parameters).
    target = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}" if parts.netloc else parts.path
    return Redirect(host=host, location=target[:100] or "-")


def _page(answer: Answer, host: str) -> LoginPage | WebPage:
    if answer.status == 200 and any(mark in answer.body for mark in _LOGIN_MARKS):
        return LoginPage(host=host)
    return WebPage(host=host, status=answer.status)


def parse_json(body: bytes, host: str) -> Any:
    """Parse strict JSON: UTF-8, no NaN or Infinity, no absurd nesting or numbers.

    :raises Malformed: anything else
    """
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse)
    except (ValueError, RecursionError, MemoryError) as error:
        raise Malformed(host=host) from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


def without_traceback(text: str) -> str:
    """Return a short plain message: what stands before a traceback, if there is one."""
    return plain(text.partition("Traceback (most recent call last)")[0])
