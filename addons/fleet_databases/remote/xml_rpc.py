"""Odoo's XML-RPC services, for servers without JSON-2 (14 to 18, or /json closed off).

``/xmlrpc/2/common`` and ``/xmlrpc/2/object`` as ``addons/rpc/controllers/xmlrpc.py`` of Odoo 19 and
``odoo/service/`` of all these versions speak them. Errors come as HTTP 200 with a fault, whose
text is often a whole traceback: it is classified here and never kept.
"""

from __future__ import annotations

import re
import xmlrpc.client
from collections.abc import Mapping, Sequence
from typing import Any
from xml.parsers import expat

from .answers import check_status, without_traceback
from .deadline import Deadline
from .errors import (
    Conflict,
    Credentials,
    Malformed,
    NoMethod,
    NoModel,
    NoRight,
    NotServed,
    Rejected,
    RemoteError,
    ServerError,
)
from .transport import Transport
from .values import Access

DEPTH = 64  # of nested elements; a list in a struct in a list takes about five each
TRACEBACK_TAIL = 10_000  # characters at the end, where the exception is

_HEADERS = {"Content-Type": "text/xml; charset=utf-8", "Accept": "text/xml"}
_EXCEPTION_LINE = re.compile(
    r"^[\w.]+(?:Error|Denied|Failure|Detected|NotAvailable|UndefinedTable)\b.*", re.MULTILINE
)
_CONFLICTS = ("SerializationFailure", "LockNotAvailable", "DeadlockDetected", "ConcurrencyError")


class NoXmlRpc(NotServed):
    """The path itself is not there, whatever the database."""


class XmlRpc:
    """Calls methods of one database over XML-RPC; logs in once, with the first call."""

    def __init__(self, transport: Transport, access: Access) -> None:
        self._transport = transport
        self._access = access
        self._uid: int | None = None

    def version(self, deadline: Deadline) -> Any:
        """Return ``common.version()``, which needs neither a database nor a login."""
        return self._send(deadline, "common", "version", ())

    def uid(self, deadline: Deadline) -> int:
        """Return the id of the user that login and key belong to.

        Logging in writes a line in that database's log of connections, so it is done once.

        :raises Credentials: login or key are wrong
        """
        if self._uid is None:
            access = self._access
            arguments: tuple[Any, ...] = (access.database, access.login, access.key, {})
            uid = self._send(deadline, "common", "authenticate", arguments)
            if uid is False:
                raise Credentials(host=self._transport.authority)
            if type(uid) is not int or uid <= 0:
                raise Malformed(host=self._transport.authority)
            self._uid = uid
        return self._uid

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

        Arguments go by position, in the order of ``arguments``: older versions name some of
        them differently (``write(vals)`` was ``write(values)``).

        :raises NoXmlRpc: no XML-RPC at this address
        :raises NotServed: no such database
        :raises RemoteError: any other failure
        """
        uid = self.uid(deadline)
        positional = [*([list(ids)] if ids else []), *arguments.values()]
        access = self._access
        head = (access.database, uid, access.key, model, method)
        keywords = {"context": dict(context)} if context else {}
        parameters = (*head, positional, keywords)
        return self._send(deadline, "object", "execute_kw", parameters, model, method)

    def _send(
        self,
        deadline: Deadline,
        service: str,
        name: str,
        parameters: tuple[Any, ...],
        model: str = "res.users",
        method: str = "authenticate",
    ) -> Any:
        host = self._transport.authority
        body = xmlrpc.client.dumps(parameters, name).encode()
        answer = self._transport.send(deadline, "POST", f"/xmlrpc/2/{service}", _HEADERS, body)
        if answer.status in (404, 405):
            raise NoXmlRpc(host=host, database=self._access.database)
        check_status(answer, host)
        if answer.status != 200:
            raise ServerError(host=host, status=answer.status)
        try:
            return parse(answer.body)
        except xmlrpc.client.Fault as fault:
            raise self._failure(fault, model, method) from None
        except _UNREADABLE as error:
            raise Malformed(host=host) from error

    def _failure(self, fault: xmlrpc.client.Fault, model: str, method: str) -> RemoteError:
        """Classify a fault by its code and, for tracebacks, by the exception on the last line."""
        host = self._transport.authority
        text = fault.faultString if isinstance(fault.faultString, str) else ""
        if fault.faultCode == 3 or "AccessDenied" in _last_line(text):
            return Credentials(host=host)
        if fault.faultCode == 4:
            return NoRight(host=host, model=model, method=method)
        if self._uid is not None and _names_no_model(fault.faultCode, text, model):
            return NoModel(host=host, model=model)
        if fault.faultCode == 2:
            return Rejected(host=host, message=without_traceback(text) or "no reason given")
        return self._crash(_last_line(text), model, method)

    def _crash(self, line: str, model: str, method: str) -> RemoteError:
        """Read the last line of a traceback, ``psycopg2.OperationalError: …``."""
        host = self._transport.authority
        exception = line.partition(":")[0]
        if exception.endswith(_CONFLICTS):
            return Conflict(host=host)
        if exception.endswith("AccessError"):
            return NoRight(host=host, model=model, method=method)
        if exception.endswith("AttributeError") and method in line:
            return NoMethod(host=host, model=model, method=method)
        if self._uid is None and self._is_no_database(exception, line):
            return NotServed(host=host, database=self._access.database)
        return ServerError(host=host, status=500)

    def _is_no_database(self, exception: str, line: str) -> bool:
        """PostgreSQL refuses the name, in its own language, or that database is not Odoo's."""
        if exception.endswith("OperationalError"):
            return self._access.database in line  # "too many clients" does not name it
        return exception.endswith(("UndefinedTable", "KeyError"))


def _last_line(text: str) -> str:
    """Return the line of a traceback that names the exception, which may go on for more lines."""
    lines = _EXCEPTION_LINE.findall(text[-TRACEBACK_TAIL:])
    return str(lines[-1]) if lines else ""


def _names_no_model(code: Any, text: str, model: str) -> bool:
    """``Object x doesn't exist``, a warning in the user's language, or a KeyError of the registry.

    A record that is not there is a warning too, and names its model as ``res.users(5,)``.
    """
    if code == 2:
        return model in text and f"{model}(" not in text
    return f"KeyError: '{model}'" in text


# --- reading

# All that expat and the unmarshaller of xmlrpc.client let out on bytes that are not XML-RPC.
_UNREADABLE = (
    expat.ExpatError,
    xmlrpc.client.Error,
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
    ArithmeticError,
    RecursionError,
    MemoryError,
)


def parse(body: bytes) -> Any:
    """Return the one value of an XML-RPC response.

    :raises xmlrpc.client.Fault: the other side reports an error
    :raises ValueError: and what :data:`_UNREADABLE` lists, when it is nothing of the kind
    """
    target = xmlrpc.client.Unmarshaller()
    target.xml(None, None)  # type: ignore[arg-type]  # expat hands over text, not bytes
    parser = expat.ParserCreate()
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEPTH:
            raise ValueError("nested too deeply")
        target.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        target.end(tag)

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = target.data
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.Parse(body, True)
    values = target.close()
    if len(values) != 1:
        raise ValueError("not one value")
    return values[0]


def _refuse_doctype(*_declaration: object) -> None:
    """No XML-RPC answer has a DTD; entities, the reason to send one, need it."""
    raise ValueError("a DTD is not accepted")
