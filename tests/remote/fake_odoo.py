"""As much of Odoo's two protocols as the client uses, with users that can be changed.

The shapes are those of Odoo 19 (``addons/rpc/controllers``) and, with ``json2=False``, of older
servers. The fleet tests run the same client against real Odoo.
"""

from __future__ import annotations

import json
import re
import xmlrpc.client
from dataclasses import dataclass, field
from email.utils import parseaddr
from typing import Any

from support.rogue import Connection, Request, response

KEY, LOGIN, DATABASE = "0123456789abcdef", "admin@example.com", "client"
PAGE = b"<!DOCTYPE html>\n<title>404 Not Found</title>\n<h1>Not Found</h1>"


class Failure(Exception):
    """An Odoo exception: HTTP status, name and message; XML-RPC fault code."""

    def __init__(self, status: int, name: str, message: str, fault: int = 1) -> None:
        super().__init__(message)
        self.status, self.name, self.message, self.fault = status, name, message, fault


ACCESS = Failure(403, "odoo.exceptions.AccessError", "You are not allowed", 4)


def user(id_: int, login: str, **values: Any) -> dict[str, Any]:
    row = {"id": id_, "login": login, "name": login.title(), "active": True, "share": False}
    return {**row, "login_date": False, **values}


@dataclass
class FakeOdoo:
    """A behaviour for :class:`support.rogue.Rogue`."""

    version: str = "19.0"
    json2: bool = True
    xmlrpc: bool = True
    kpis: Any = field(default_factory=list)
    has_kpis: bool = True
    users: list[dict[str, Any]] = field(default_factory=lambda: [user(2, LOGIN)])
    calls: list[str] = field(default_factory=list)
    broken: dict[str, Failure] = field(default_factory=dict)
    deaf: bool = False  # says yes to changes and does nothing

    def __call__(self, connection: Connection, request: Request) -> None:
        if request.path.startswith("/xmlrpc/2/") and self.xmlrpc:
            connection.send(response(200, self._xmlrpc(request), "text/xml"))
        elif request.path in ("/json/version", "/web/version") and self.json2:
            connection.send(_json(200, {"version": self.version, "version_info": []}))
        elif request.path.startswith("/json/2/") and self.json2:
            connection.send(self._json2(request))
        else:
            connection.send(response(404, PAGE, "text/html; charset=utf-8"))

    def _json2(self, request: Request) -> bytes:
        if request.headers.get("x-odoo-database") != DATABASE:
            return response(404, PAGE, "text/html; charset=utf-8")
        if request.headers.get("authorization") != f"bearer {KEY}":
            return _error(401, "werkzeug.exceptions.Unauthorized", "Invalid apikey")
        model, method = request.path.split("/")[3:]
        values = json.loads(request.body)
        values.pop("context", None)
        ids = values.pop("ids", [])
        try:
            return _json(200, self._call(model, method, ids, values))
        except Failure as failure:
            return _error(failure.status, failure.name, failure.message)

    def _xmlrpc(self, request: Request) -> bytes:
        parameters, name = xmlrpc.client.loads(request.body)
        try:
            result = self._dispatch(name, parameters)
        except Failure as failure:
            result = xmlrpc.client.Fault(failure.fault, failure.message)
        return xmlrpc.client.dumps(
            result if isinstance(result, xmlrpc.client.Fault) else (result,), methodresponse=True
        ).encode()

    def _dispatch(self, name: str, parameters: Any) -> Any:
        if name == "version":
            return {"server_version": self.version, "protocol_version": 1}
        if parameters[0] != DATABASE:
            raise Failure(
                500,
                "psycopg2.OperationalError",
                'Traceback (most recent call last):\n  File "x.py", line 1, in connect\n'
                f'psycopg2.OperationalError: FATAL:  database "{parameters[0]}" does not exist\n',
            )
        if name == "authenticate":
            return 2 if parameters[1:3] == (LOGIN, KEY) else False
        _database, uid, key, model, method, positional, _keywords = parameters
        if (uid, key) != (2, KEY):
            raise Failure(403, "odoo.exceptions.AccessDenied", "Access Denied", 3)
        names = {
            "search_read": ["domain"],
            "write": ["ids", "vals"],
            "web_create_users": ["emails"],
        }.get(method, [])
        values = dict(zip(names, positional, strict=False))
        return self._call(model, method, values.pop("ids", []), values)

    def _call(self, model: str, method: str, ids: list[int], values: dict[str, Any]) -> Any:
        self.calls.append(f"{model}.{method}")
        if failure := self.broken.get(method):
            raise failure
        if model == "kpi.provider" and not self.has_kpis:
            message = "the model 'kpi.provider' does not exist"
            if not self.json2:
                message = "Object kpi.provider doesn't exist"
            raise Failure(404, "werkzeug.exceptions.NotFound", message, 2)
        if method == "get_kpi_summary":
            return self.kpis
        if method == "context_get":
            return {"lang": "en_US", "uid": 2}
        return getattr(self, f"_{method}")(ids, values)

    def _search_read(self, _ids: list[int], values: dict[str, Any]) -> Any:
        return [row for row in self.users if _matches(row, values["domain"])]

    def _write(self, ids: list[int], values: dict[str, Any]) -> bool:
        for row in self.users:
            if row["id"] in ids and not self.deaf:
                row.update(values["vals"])
        return True

    def _web_create_users(self, _ids: list[int], values: dict[str, Any]) -> bool:
        for text in values["emails"]:
            name, login = parseaddr(text)
            if any(row["login"] == login.lower() for row in self.users):
                raise Failure(422, "odoo.exceptions.ValidationError", "Two users, one login", 2)
            if not self.deaf:
                self.users.append(user(90 + len(self.users), login.lower(), name=name or login))
        return True


def _matches(row: dict[str, Any], domain: list[Any]) -> bool:
    results = []
    for term in domain:
        if isinstance(term, str):
            continue
        name, operator, value = term
        if operator == "=ilike":
            pattern = re.escape(re.sub(r"\\(.)", r"\1", value))
            results.append(bool(re.fullmatch(pattern, row[name], re.IGNORECASE)))
        else:
            results.append(row[name] == value)
    if domain and domain[0] == "|":
        return any(results)
    if ["share", "=", False] in domain:
        results.append(row["active"])
    return all(results)


def _json(status: int, value: Any) -> bytes:
    return response(status, json.dumps(value).encode())


def _error(status: int, name: str, message: str) -> bytes:
    debug = 'Traceback (most recent call last):\n  File "/srv/secret/path.py"'
    values = {"name": name, "message": message, "arguments": [message], "context": {}}
    return _json(status, {**values, "debug": debug})
