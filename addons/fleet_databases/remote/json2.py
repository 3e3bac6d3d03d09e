"""Odoo's JSON-2 protocol, as ``addons/rpc/controllers/json2.py`` of Odoo 19 speaks it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .answers import check_status, is_page, parse_json, without_traceback
from .deadline import Deadline
from .errors import (
    Credentials,
    Malformed,
    NoMethod,
    NoModel,
    NoRight,
    NotServed,
    Rejected,
    RemoteError,
    ServerError,
    WebPage,
)
from .transport import Answer, Transport
from .values import Access


class Json2:
    """Calls methods of one database over JSON-2; stateless, one request a call."""

    def __init__(self, transport: Transport, access: Access) -> None:
        self._transport = transport
        self._access = access

    def call(
        self,
        deadline: Deadline,
        model: str,
        method: str,
        *,
        ids: Sequence[int] = (),
        arguments: Mapping[str, Any],
        context: Mapping[str, Any],
    ) -> Any:
        """Return the method's result.

        :raises NotServed: this path, or this database, is not there; which of the two, the answer
            does not say
        :raises RemoteError: any other failure
        """
        values: dict[str, Any] = {**arguments}
        if ids:
            values["ids"] = list(ids)
        if context:
            values["context"] = dict(context)
        body = json.dumps(values).encode()
        path = f"/json/2/{model}/{method}"
        answer = self._transport.send(deadline, "POST", path, self._headers(), body)
        return self._result(answer, model, method)

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"bearer {self._access.key}",
            "X-Odoo-Database": self._access.database,
            "Content-Type": "application/json; charset=utf-8",
            "Accept": "application/json",
        }

    def _result(self, answer: Answer, model: str, method: str) -> Any:
        host = self._transport.authority
        if answer.status == 405 or (answer.status == 404 and is_page(answer)):
            raise NotServed(host=host, database=self._access.database)
        check_status(answer, host)
        if answer.status != 200:
            raise self._failure(answer, model, method)
        result = parse_json(answer.body, host)
        if _is_old_not_found(result):
            raise NotServed(host=host, database=self._access.database)
        return result

    def _failure(self, answer: Answer, model: str, method: str) -> RemoteError:
        """Read Odoo's ``{name, message, arguments, context, debug}``; debug is never looked at."""
        host = self._transport.authority
        name, message = _error_texts(answer.body, host)
        if answer.status == 403:
            if not name:
                return WebPage(host=host, status=403)
            if name.endswith(("AccessDenied", "SessionExpiredException")):
                return Credentials(host=host)
            return NoRight(host=host, model=model, method=method)
        if answer.status == 404:
            return self._not_found(name, message, model, method)
        if answer.status == 422:
            return Rejected(host=host, message=message or "no reason given")
        return ServerError(host=host, status=answer.status)

    def _not_found(self, name: str, message: str, model: str, method: str) -> RemoteError:
        host = self._transport.authority
        if name.endswith("MissingError"):
            return Rejected(host=host, message=message or "no such record")
        if not name:  # JSON, but not Odoo's: some other service lives at this address
            return NotServed(host=host, database=self._access.database)
        if f"{model}.{method}" in message or "method" in message:
            return NoMethod(host=host, model=model, method=method)
        return NoModel(host=host, model=model)


def _error_texts(body: bytes, host: str) -> tuple[str, str]:
    """Return Odoo's exception name and message, empty when the body is not Odoo's."""
    try:
        values = parse_json(body, host)
    except Malformed:
        return "", ""
    if not isinstance(values, dict):
        return "", ""
    name, message = values.get("name"), values.get("message")
    return (
        name if isinstance(name, str) else "",
        without_traceback(message) if isinstance(message, str) else "",
    )


def _is_old_not_found(result: Any) -> bool:
    """Odoo 14 and 15 answer any unknown path with HTTP 200 when the request was JSON."""
    if not isinstance(result, dict) or "jsonrpc" not in result:
        return False
    error = result.get("error")
    return isinstance(error, dict) and error.get("code") == 404
