"""A loopback HTTP server that answers as Odoo servers do, and misbehaves on demand.

The host name selects the database, as ``dbfilter = ^%h$`` does: ``http://acme.localhost:PORT``.
Contracts: ``addons/rpc/controllers/json2.py`` and ``addons/rpc/controllers/xmlrpc.py`` of Odoo 19.
"""

import fnmatch
import json
import re
import threading
import time
import xmlrpc.client
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

KEY = "remote-key-5f0c1e"
LOGIN = "api@fleet.example.com"


def user(id_, login, name=None, *, active=True, share=False, login_date=False):
    """Return a user as the fake database stores it."""
    return {
        "id": id_,
        "login": login,
        "name": name or login.partition("@")[0].title(),
        "active": active,
        "share": share,
        "login_date": login_date,
    }


def number(id_, value, name=None):
    """Return a figure as ``kpi.provider`` reports it."""
    return {"id": id_, "name": name or id_, "type": "integer", "value": value}


def status(id_, value, name=None):
    """Return the status of a tax return as ``kpi.provider`` reports it."""
    return {"id": id_, "name": name or id_, "type": "return_status", "value": value}


class Fault(Exception):
    """An error that the database answers with."""

    def __init__(self, http_status, name, message):
        self.http_status, self.name, self.message = http_status, name, message
        super().__init__(message)


@dataclass
class FakeDatabase:
    """One database of the server. ``fault`` is a name of `FAULTS`, or a function of the handler."""

    name: str
    url: str
    version: str = "19.0"
    key: str = KEY
    login: str = LOGIN
    users: list = field(default_factory=list)
    kpis: list = field(default_factory=list)
    json2: bool = True
    has_kpis: bool = True
    may_manage_users: bool = True
    fault: object = None
    requests: list = field(default_factory=list)
    mails: list = field(default_factory=list)
    concurrent: int = 0
    most_concurrent: int = 0

    def __post_init__(self):
        if not any(row["login"] == self.login for row in self.users):
            self.users.insert(0, user(2, self.login, "Robot"))

    def get(self, login):
        """Return the user with ``login``."""
        return next(row for row in self.users if row["login"] == login)

    def calls(self, method):
        """Return the arguments of the calls of ``method`` so far."""
        return [arguments for name, arguments in self.requests if name == method]

    # --- models

    def call(self, model, method, arguments, context):
        self.requests.append((f"{model}.{method}", arguments))
        if model == "kpi.provider" and self.has_kpis and method == "get_kpi_summary":
            return self.kpis
        if model != "res.users":
            raise Fault(404, "werkzeug.exceptions.NotFound", f"the model {model!r} does not exist")
        return getattr(self, f"_{method}")(context=context, **arguments)

    def _context_get(self, context):
        return {"lang": "en_US", "uid": self.get(self.login)["id"]}

    def _search_read(self, context, domain=(), fields=(), offset=0, limit=None, order=None):
        active_test = context.get("active_test", True)
        rows = [
            {name: row[name] for name in ("id", *fields)}
            for row in self.users
            if (row["active"] or not active_test) and _matches(list(domain), row)
        ]
        return rows[offset:][:limit]

    def _web_create_users(self, context, emails):
        self._check_right()
        for text in emails:
            name, login = re.fullmatch(r'(?:"(.*)" <)?([^<>]+?)>?', text).groups()
            known = [row for row in self.users if row["login"] == login]
            if any(row["active"] for row in known):
                raise Fault(422, "odoo.exceptions.UserError", f"{login} is taken")
            for row in known:
                row["active"] = True
            if not known:
                self.users.append(
                    user(max(row["id"] for row in self.users) + 1, login, name or login)
                )
            if not context.get("no_reset_password"):
                self.mails.append(login)
        return True

    def _write(self, context, ids, vals):
        self._check_right()
        for row in self.users:
            if row["id"] in ids:
                row.update(vals)
        return True

    def _check_right(self):
        if not self.may_manage_users:
            raise Fault(
                403, "odoo.exceptions.AccessError", "You are not allowed to modify 'User' records."
            )


def _matches(domain, row):
    """Evaluate a domain in prefix notation: ``|``, ``=``, ``in`` and ``=ilike``."""
    stack = []
    for term in reversed(domain):
        if term == "|":
            stack.append(stack.pop() | stack.pop())
            continue
        name, operator, value = term
        if operator == "=ilike":
            stack.append(bool(_like(value).fullmatch(row[name])))
        else:
            stack.append(row[name] in (value if operator == "in" else [value]))
    return all(stack)


def _like(pattern):
    """Return SQL's LIKE pattern as a regular expression, case ignored, with its escapes."""
    parts = re.findall(r"\\.|.", pattern, re.DOTALL)
    kinds = {"%": ".*", "_": "."}
    return re.compile(
        "".join(kinds.get(p) or re.escape(p[-1]) for p in parts), re.IGNORECASE | re.DOTALL
    )


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_args):
        """Say nothing: the test's log is for Odoo."""

    def do_GET(self):
        self._answer()

    def do_POST(self):
        self._answer()

    def _answer(self):
        length = int(self.headers.get("Content-Length") or 0)
        self.body = self.rfile.read(length)
        self.close_connection = True
        self.database = self.server.fake.find(self.headers.get("Host"))
        if self.database is None:
            self.send(404, b"<!doctype html><h1>Not Found</h1>", "text/html")
            return
        with self.server.fake.lock:
            self.database.concurrent += 1
            self.database.most_concurrent = max(
                self.database.most_concurrent, self.database.concurrent
            )
        try:
            fault = self.database.fault
            if fault and (FAULTS[fault] if isinstance(fault, str) else fault)(self) is not False:
                return
            self._route()
        finally:
            with self.server.fake.lock:
                self.database.concurrent -= 1

    def _route(self):
        if self.path in ("/json/version", "/web/version"):
            if not self.database.json2:
                self.page(404)
            else:
                self.json(200, {"version": self.database.version, "version_info": []})
        elif self.path.startswith("/json/2/") and self.database.json2:
            self._json2(*self.path.split("/")[3:5])
        elif self.path.startswith("/xmlrpc/2/"):
            self._xml_rpc(self.path.rpartition("/")[2])
        else:
            self.page(404)

    def _json2(self, model, method):
        database = self.database
        if self.headers.get("X-Odoo-Database") != database.name:
            self.page(404)
            return
        if self.headers.get("Authorization") != f"bearer {database.key}":
            self.error(401, "werkzeug.exceptions.Unauthorized", "Invalid apikey")
            return
        if model == "odoo.database":
            self.json(200, self.server.fake.hosted)
            return
        arguments = json.loads(self.body)
        try:
            self.json(200, database.call(model, method, arguments, arguments.pop("context", {})))
        except Fault as fault:
            self.error(fault.http_status, fault.name, fault.message)

    def _xml_rpc(self, service):
        database = self.database
        parameters, method = xmlrpc.client.loads(self.body)
        if method == "version":
            result = {"server_version": database.version}
        elif method == "authenticate":
            name, login, key, _env = parameters
            good = (name, login, key) == (database.name, database.login, database.key)
            result = database.get(login)["id"] if good else False
        else:
            *_head, model, name, positional, keywords = parameters
            names = {
                "search_read": ("domain", "fields", "offset", "limit", "order"),
                "web_create_users": ("emails",),
                "write": ("ids", "vals"),
            }.get(name, ())
            arguments = dict(zip(names, positional, strict=False))
            result = database.call(model, name, arguments, keywords.get("context", {}))
        text = xmlrpc.client.dumps((result,), methodresponse=True, allow_none=True)
        self.send(200, text.encode(), "text/xml")

    # --- answers

    def send(self, status_code, body, content_type, **headers):
        self.send_response(status_code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def json(self, status_code, value):
        self.send(status_code, json.dumps(value).encode(), "application/json; charset=utf-8")

    def page(self, status_code, body=b"<!doctype html><title>Page</title>"):
        self.send(status_code, body, "text/html; charset=utf-8")

    def error(self, status_code, name, message):
        debug = f"Traceback (most recent call last):\n  {self.database.key}\n{name}: {message}"
        values = {
            "name": name,
            "message": message,
            "arguments": [message],
            "context": {},
            "debug": debug,
        }
        self.json(status_code, values)


def _only(method, answer):
    """Return a fault that concerns one JSON-2 method only."""

    def fault(handler):
        return answer(handler) if handler.path.endswith(f"/{method}") else False

    return fault


def _drop(handler):
    handler.connection.close()


#: What a database may do instead of answering.
FAULTS = {
    "login_page": lambda h: h.page(
        200, b'<!doctype html><form class="oe_login_form" action="/web/login">'
    ),
    "web_page": lambda h: h.page(200, b"<!doctype html><title>Welcome to the hotel</title>"),
    "redirect": lambda h: h.send(
        302, b"", "text/html", Location="https://elsewhere.example.com/x?token=1"
    ),
    "garbage": lambda h: h.send(200, b"\x00\xff{not json", "application/json"),
    "server": lambda h: h.error(500, "builtins.ZeroDivisionError", "division by zero"),
    "conflict": lambda h: h.error(409, "odoo.exceptions.LockError", "locked"),
    "too_large": lambda h: h.send(200, b"[" + b" " * (3 * 2**20) + b"]", "application/json"),
    "not_served": lambda h: False if h.path.endswith("version") else h.page(404),
    "drop": _drop,
    "slow": lambda h: time.sleep(0.3) or False,
    "users_access": _only(
        "search_read", lambda h: h.error(403, "odoo.exceptions.AccessError", "no")
    ),
    "users_rejected": _only(
        "search_read", lambda h: h.error(422, "odoo.exceptions.UserError", "Not <b>today</b>")
    ),
    "kpis_server": _only("get_kpi_summary", lambda h: h.error(500, "builtins.KeyError", "x")),
    "kpis_garbage": _only("get_kpi_summary", lambda h: h.json(200, {"a": 1})),
    "kpis_no_method": _only(
        "get_kpi_summary",
        lambda h: h.error(
            404,
            "werkzeug.exceptions.NotFound",
            "the method 'kpi.provider.get_kpi_summary' does not exist",
        ),
    ),
}


class FakeOdoo:
    """The server; use it as a context manager, or `start` and `stop` it."""

    def __init__(self):
        self.lock = threading.Lock()
        self.databases = {}
        #: What ``odoo.database/list`` answers on the account's own database ``openerp``.
        self.hosted = []

    def start(self):
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.fake = self
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def add(self, name, **values):
        """Serve a database and return it."""
        host = values.pop("host", name)
        database = FakeDatabase(name=name, url=f"http://{host}.localhost:{self.port}", **values)
        self.databases[host] = database
        return database

    def find(self, host):
        return self.databases.get((host or "").partition(".localhost")[0])

    def find_matching(self, pattern):
        """Return the databases whose host matches ``pattern``, such as ``db*``."""
        return [
            database for host, database in self.databases.items() if fnmatch.fnmatch(host, pattern)
        ]


def moment(text):
    """Return Odoo's text for a moment as the naive UTC datetime that it means."""
    return datetime.fromisoformat(text)
