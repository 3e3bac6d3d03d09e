"""Which protocol is used, and what each answer of Odoo means."""

from __future__ import annotations

import json
import logging
import re
import xmlrpc.client
from dataclasses import replace
from datetime import datetime
from functools import partial

import pytest
from fake_odoo import ACCESS, DATABASE, KEY, LOGIN, Failure, FakeOdoo, user
from remote import ERRORS, RemoteDatabase, RemoteError
from remote.deadline import Deadline
from remote.transport import Transport
from remote.xml_rpc import parse
from remote_helpers import HASTY, POLICY, QUICK, access, code_of, database
from support.rogue import (
    Behaviour,
    Connection,
    Request,
    Rogue,
    hang,
    page,
    reply,
    reply_json,
    response,
)

# --- the operations, over both protocols


@pytest.mark.parametrize("json2", [True, False])
def test_every_operation_works_over_both_protocols(json2: bool) -> None:
    odoo = FakeOdoo(
        version="19.0" if json2 else "saas~15.2+e",
        json2=json2,
        kpis=[{"id": "a.b", "name": "Drafts", "type": "integer", "value": 3}],
        users=[
            user(2, LOGIN, login_date="2026-01-31 23:59:59"),
            user(3, "gone@example.com", active=False),
            user(4, "customer@example.com", share=True),
        ],
    )
    with Rogue(odoo) as server:
        client = database(server)
        version = client.version()
        assert (version.text, version.major) == (("19.0", 19) if json2 else ("saas~15.2", 15))
        assert client.kpi_summary().kpis[0].value == 3
        assert client.protocol == ("json2" if json2 else "xmlrpc")
        [only] = client.users()
        assert only.login == LOGIN
        assert only.latest_authentication == datetime(2026, 1, 31, 23, 59, 59)
        assert client.whoami().id == 2
        assert [row.id for row in client.find_users(["GONE@example.com"])] == [3]
        client.set_active([3], True)
        client.create_user("new@example.com", 'Ann "O\'Neill" <Dö>, Jr.')
        rows = {row["login"]: row for row in odoo.users}
        assert rows["gone@example.com"]["active"]
        assert "O'Neill" in rows["new@example.com"]["name"]


def test_users_that_are_not_internal_or_not_active_are_dropped_whatever_the_server_sends() -> None:
    rows = [user(2, "a"), user(3, "b", active=False), user(4, "c", share=True)]
    with Rogue(reply_json(rows)) as server:
        assert [row.id for row in database(server).users()] == [2]


def test_asking_for_nobody_asks_nothing() -> None:
    with Rogue(hang) as server:
        client = database(server)
        assert client.find_users([]) == ()
        assert client.find_users(["", "  ", "a\nb", "\x00"]) == ()
        client.set_active([], False)
        assert server.connections == 0


def test_a_login_is_no_pattern() -> None:
    odoo = FakeOdoo(users=[user(2, "a_b@example.com"), user(3, "aXb@example.com")])
    with Rogue(odoo) as server:
        assert [row.id for row in database(server).find_users(["a_b@example.com"])] == [2]
        assert database(server).find_users(["%"]) == ()
        domains = [json.loads(request.body)["domain"] for request in server.requests]
        assert domains == [[["login", "=ilike", "a\\_b@example.com"]], [["login", "=ilike", "\\%"]]]
    with Rogue(reply_json(odoo.users)) as server:  # even when the server takes it for one
        assert [row.id for row in database(server).find_users(["A_b@example.com"])] == [2]


def test_hundreds_of_logins_are_asked_for_in_pieces() -> None:
    odoo = FakeOdoo(users=[user(number, f"u{number}@example.com") for number in range(1, 300)])
    with Rogue(odoo) as server:
        assert len(database(server).find_users([f"u{n}@example.com" for n in range(250)])) == 249
        assert len(server.requests) == 3


# --- which protocol


def test_json2_is_asked_first_and_kept() -> None:
    with Rogue(FakeOdoo()) as server:
        client = database(server)
        client.users()
        client.users()
        assert server.paths == ["/json/2/res.users/search_read"] * 2
        assert server.requests[0].headers["x-odoo-database"] == DATABASE
        assert server.requests[0].headers["authorization"] == f"bearer {KEY}"


def test_xmlrpc_takes_over_where_json2_is_absent_and_logs_in_once() -> None:
    with Rogue(FakeOdoo(json2=False)) as server:
        client = database(server)
        client.users()
        client.users()
        assert client.protocol == "xmlrpc"
        assert server.paths == [
            "/json/2/res.users/search_read",
            "/json/version",
            "/xmlrpc/2/common",
            "/xmlrpc/2/object",
            "/xmlrpc/2/object",
        ]


def test_a_protocol_learnt_earlier_is_used_at_once() -> None:
    with Rogue(FakeOdoo(json2=False)) as server:
        client = database(server, protocol="xmlrpc")
        client.version()
        client.users()
        assert server.paths == ["/xmlrpc/2/common", "/xmlrpc/2/common", "/xmlrpc/2/object"]


def test_a_protocol_learnt_earlier_may_have_gone() -> None:
    for learnt, there in (("xmlrpc", "json2"), ("json2", "xmlrpc")):
        odoo = FakeOdoo(json2=there == "json2", xmlrpc=there == "xmlrpc")
        with Rogue(odoo) as server:
            client = database(server, protocol=learnt)
            assert client.version().major == 19
            assert len(client.users()) == 1
            assert client.protocol == there


@pytest.mark.parametrize("version", ["19.0", "saas~19.2", "20.0"])
def test_a_database_that_is_not_served_is_no_reason_for_xmlrpc(version: str) -> None:
    with Rogue(FakeOdoo(version=version)) as server:
        assert code_of(database(server, database="other").users) == "not_served"
        assert server.paths == ["/json/2/res.users/search_read", "/json/version"]


def test_a_database_that_is_not_served_over_xmlrpc() -> None:
    with Rogue(FakeOdoo(json2=False)) as server:
        assert code_of(database(server, database="other").users) == "not_served"


def test_no_odoo_at_all_is_not_served() -> None:
    with Rogue(page(404)) as server:
        assert code_of(database(server).users) == "not_served"
        assert code_of(database(server).version) == "not_served"
    with Rogue(reply(404, b'{"error": "no such route"}')) as server:
        assert code_of(database(server).users) == "not_served"


def _only(path: str, behaviour: Behaviour, otherwise: Behaviour) -> Behaviour:
    def behave(connection: Connection, request: Request) -> None:
        (behaviour if request.path.startswith(path) else otherwise)(connection, request)

    return behave


def test_odoo_18_sends_json_to_its_login_page_and_is_asked_over_xmlrpc() -> None:
    login = reply(303, headers={"Location": "/web/login?redirect=%2Fjson%2F2"})
    with Rogue(_only("/json/", login, FakeOdoo(version="18.0", json2=False))) as server:
        client = database(server)
        assert client.version().text == "18.0"
        assert len(client.users()) == 1
        assert code_of(database(server, database="other").users) == "not_served"


def test_odoo_14_answers_an_unknown_path_with_200() -> None:
    error = {"code": 404, "message": "404: Not Found", "http_status": 404, "data": {}}
    old = reply_json({"jsonrpc": "2.0", "id": None, "error": error})
    with Rogue(_only("/json/2", old, FakeOdoo(version="14.0", json2=False))) as server:
        client = database(server)
        assert len(client.users()) == 1
        assert client.protocol == "xmlrpc"


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (reply_json({"name": "werkzeug.exceptions.Unauthorized"}, 401), "credentials"),
        (reply_json({"name": "odoo.exceptions.AccessError", "message": "no"}, 403), "access"),
        (reply_json({"name": "odoo.exceptions.AccessDenied", "message": "no"}, 403), "credentials"),
        (page(403), "web_page"),
        (reply_json({"name": "Error"}, 500), "server"),
        (page(502), "server"),
        (page(503), "server"),
        (reply(429, b"slow down", "text/plain"), "server"),
        (reply(303, headers={"Location": "https://elsewhere.example.com/"}), "redirect"),
        (page(200), "web_page"),
        (reply(200, b"[", "application/json"), "malformed"),
        (hang, "timeout"),
    ],
)
def test_xmlrpc_is_never_tried_for_any_other_failure(behaviour: Behaviour, code: str) -> None:
    with Rogue(_only("/json/", behaviour, FakeOdoo())) as server:
        assert code_of(database(server, HASTY if behaviour is hang else POLICY).users) == code
        assert server.paths == ["/json/2/res.users/search_read"]


@pytest.mark.parametrize("status", [401, 500, 502])
def test_xmlrpc_is_not_tried_when_the_version_cannot_be_asked(status: int) -> None:
    behaviour = _only("/json/version", page(status), _only("/json/2", page(404), FakeOdoo()))
    with Rogue(behaviour) as server:
        assert code_of(database(server).users) in ("credentials", "server")
        assert not any(path.startswith("/xmlrpc") for path in server.paths)


# --- what Odoo says


def json_error(status: int, name: str, message: str) -> Behaviour:
    return reply_json({"name": name, "message": message, "debug": "Traceback SECRET"}, status)


@pytest.mark.parametrize(
    ("behaviour", "code"),
    [
        (
            json_error(404, "werkzeug.exceptions.NotFound", "the model 'res.users' does not exist"),
            "no_model",
        ),
        (
            json_error(
                404,
                "werkzeug.exceptions.NotFound",
                "The method 'res.users.search_read' does not exist",
            ),
            "no_method",
        ),
        (json_error(404, "odoo.exceptions.MissingError", "Record does not exist"), "rejected"),
        (json_error(409, "odoo.exceptions.ConcurrencyError", "busy"), "conflict"),
        (json_error(422, "odoo.exceptions.UserError", "Not now"), "rejected"),
        (json_error(400, "werkzeug.exceptions.BadRequest", "x"), "server"),
    ],
)
def test_errors_of_json2(behaviour: Behaviour, code: str) -> None:
    with Rogue(behaviour) as server:
        assert code_of(database(server).users) == code


def traceback_of(last: str) -> str:
    return f'Traceback (most recent call last):\n  File "/srv/SECRET.py", line 1, in x\n{last}\n'


@pytest.mark.parametrize(
    ("code", "fault", "text"),
    [
        ("credentials", 3, "Access Denied"),
        ("access", 4, "You are not allowed"),
        ("rejected", 2, "Not now"),
        ("no_model", 2, "Object res.users doesn't exist"),
        ("no_model", 2, "L'objet res.users n'existe pas"),
        ("no_model", 1, traceback_of("KeyError: 'res.users'")),
        ("rejected", 2, "Record does not exist.\n(Record: res.users(5,), User: 2)"),
        (
            "no_method",
            1,
            traceback_of("AttributeError: The method 'res.users.search_read' does not exist"),
        ),
        (
            "no_method",
            1,
            traceback_of("AttributeError: type object 'res.users' has no attribute 'search_read'"),
        ),
        ("conflict", 1, traceback_of("psycopg2.errors.SerializationFailure: could not serialize")),
        (
            "conflict",
            1,
            traceback_of("psycopg2.errors.LockNotAvailable: canceling\nLINE 1: SELECT"),
        ),
        ("credentials", 1, traceback_of("odoo.exceptions.AccessDenied: Access Denied")),
        ("server", 1, traceback_of("ZeroDivisionError: division by zero")),
        ("server", 1, ""),
        ("server", 77, "what is this"),
    ],
)
def test_faults_of_xmlrpc_are_classified_and_their_tracebacks_dropped(
    code: str, fault: int, text: str
) -> None:
    def behave(connection: Connection, request: Request) -> None:
        answer: object = (2,)
        if request.path.endswith("object"):
            answer = xmlrpc.client.Fault(fault, text)
        data = xmlrpc.client.dumps(answer, methodresponse=True).encode()  # type: ignore[arg-type]
        connection.send(response(200, data, "text/xml"))

    with Rogue(behave) as server:
        with pytest.raises(RemoteError) as caught:
            database(server, protocol="xmlrpc").users()
        assert caught.value.code == code
        assert "SECRET" not in str(caught.value)
        assert "Traceback" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ('psycopg2.OperationalError: FATAL:  database "client" does not exist', "not_served"),
        (
            "psycopg2.OperationalError: FATAL:  la base de données « client » n'existe pas",
            "not_served",
        ),
        ("KeyError: 'res.users'", "not_served"),
        ("psycopg2.OperationalError: FATAL:  sorry, too many connections", "server"),
    ],
)
def test_a_missing_database_is_told_from_a_busy_one(line: str, code: str) -> None:
    fault = xmlrpc.client.dumps(xmlrpc.client.Fault(1, traceback_of(line)), methodresponse=True)
    with Rogue(reply(200, fault.encode(), "text/xml")) as server:
        assert code_of(database(server, protocol="xmlrpc").users) == code


def words_of(message: str) -> str:
    """Return what is kept of a refusal's message."""
    behaviour = json_error(422, "odoo.exceptions.ValidationError", message)
    with Rogue(behaviour) as server, pytest.raises(RemoteError) as caught:
        database(server).users()
    return str(caught.value.params["message"])


def test_a_refusal_carries_the_others_short_plain_words_only() -> None:
    text = words_of("Two users\r\ncannot have \x1b[31mthe same login\u202e!" + "x" * 5000)
    assert text.startswith("Two users cannot have [31mthe same login!xxx")
    assert len(text) == 200
    assert words_of("No. Traceback (most recent call last): SECRET") == "No."
    assert words_of("Traceback (most recent call last): SECRET") == "no reason given"


def test_debug_is_never_read() -> None:
    with Rogue(json_error(500, "x", "y")) as server, pytest.raises(RemoteError) as caught:
        database(server).users()
    assert "SECRET" not in f"{caught.value} {caught.value.params} {caught.value.__cause__}"


# --- credentials


@pytest.mark.parametrize("json2", [True, False])
def test_a_wrong_key_or_login(json2: bool) -> None:
    with Rogue(FakeOdoo(json2=json2)) as server:
        with pytest.raises(RemoteError) as caught:
            database(server, key="wrong").users()
        assert str(caught.value).startswith("Invalid apikey")
        assert caught.value.state == "credentials"


@pytest.mark.parametrize("field", ["database", "login", "key"])
@pytest.mark.parametrize("value", ["", "  "])
def test_missing_credentials_are_said_before_anything_is_sent(field: str, value: str) -> None:
    with Rogue(hang) as server:
        with pytest.raises(RemoteError) as caught:
            database(server, **{field: value}).users()
        words = "We are missing the database name, the api login or the api key"
        assert str(caught.value).startswith(words)
        assert caught.value.state == "credentials"
        assert server.connections == 0


@pytest.mark.parametrize("field", ["database", "login", "key"])
@pytest.mark.parametrize(
    "value", ["a\r\nX-Evil: 1", "a\nb", "a\x00b", "a\x7f", "a\u2028b", " a", "a\t"]
)
def test_nothing_that_could_start_a_header_is_sent(field: str, value: str) -> None:
    with Rogue(FakeOdoo()) as server:
        assert code_of(database(server, **{field: value}).users) == "bad_setting"
        assert server.connections == 0


def test_the_transport_itself_sends_no_second_header() -> None:
    with Rogue(hang) as server:
        transport = Transport(server.url, POLICY)
        for value in ("a\r\nX-Evil: 1", "a\nb", "a\x00", "é", "a\x85b"):
            send = partial(transport.send, Deadline(QUICK), "GET", "/", {"X": value})
            assert code_of(send) == "bad_setting"
        assert (
            code_of(partial(transport.send, Deadline(QUICK), "GET", "/ X\r\n", {})) == "bad_setting"
        )
        assert server.connections == 0


@pytest.mark.parametrize("field", ["database", "key"])
def test_only_ascii_goes_into_headers(field: str) -> None:
    with Rogue(hang) as server:
        assert code_of(database(server, **{field: "clé"}).users) == "bad_setting"
        assert code_of(database(server, **{field: "鍵"}).users) == "bad_setting"
        assert server.connections == 0


def test_a_bad_url_is_an_error_of_the_call() -> None:
    client = RemoteDatabase(access("ftp://user:SECRET@example.com"), POLICY)
    assert code_of(client.users) == "bad_url"
    assert code_of(client.version) == "bad_url"
    with pytest.raises(RemoteError) as caught:
        RemoteDatabase(access("https://user:SECRET@example.com"), POLICY).users()
    assert "SECRET" not in str(caught.value)


def test_the_key_is_in_no_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for json2 in (True, False):
        odoo = FakeOdoo(json2=json2, broken={"get_kpi_summary": ACCESS})
        with Rogue(odoo) as server:
            client = database(server)
            client.users()
            code_of(client.kpi_summary)
            code_of(database(server, key=KEY + "x").users)
            policy = replace(POLICY, proxy="http://me:SECRET@localhost:1")
            code_of(database(server, policy).users)
            assert KEY not in repr(client.access)
            assert KEY not in repr(client)
            assert "SECRET" not in repr(policy)
    assert KEY not in caplog.text
    assert "SECRET" not in caplog.text
    assert LOGIN not in caplog.text


def test_the_log_has_a_line_a_request_and_a_line_an_answer_with_one_reference(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "remote.transport")
    with Rogue(FakeOdoo()) as server:
        database(server).users()
    first, second = (record.getMessage() for record in caplog.records)
    assert first.split("]")[0] == second.split("]")[0]
    assert "POST /json/2/res.users/search_read" in first
    assert "HTTP 200" in second


# --- XML that attacks

ENTITY = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]>'
VALUE = b"<methodResponse><params><param><value>%s</value></param></params></methodResponse>"


@pytest.mark.parametrize(
    "body",
    [
        ENTITY + VALUE % b"<string>&a;</string>",
        b'<!DOCTYPE x SYSTEM "http://127.0.0.1/x.dtd">' + VALUE % b"<int>1</int>",
        (ENTITY + VALUE % b"<int>1</int>").decode().encode("utf-16"),
        VALUE % (b"<array><data><value>" * 1000 + b"</value></data></array>" * 1000),
        VALUE % b"<int>" + b"9" * 100_000 + b"</int>",
        VALUE % (b"<int>" + b"9" * 100_000 + b"</int>"),
        VALUE % b"<boolean>maybe</boolean>",
        VALUE % b"<double>x</double>",
        b"<methodResponse></methodResponse>",
        b"<methodResponse><params></params></methodResponse>",
        b"<params><param><value>1</value></param><param><value>2</value></param></params>",
        b"<fault><value><int>1</int></value></fault>",
        b"<fault></fault>",
        b"</value></value>",
        b"<struct><member></member></struct>",
        b'<?xml version="1.0" encoding="nonsense"?><a/>',
        b"[]",
        b"",
        b"\x00" * 100,
    ],
)
def test_xml_that_is_no_plain_answer_is_malformed(body: bytes) -> None:
    with Rogue(reply(200, body, "text/xml")) as server:
        assert code_of(database(server, protocol="xmlrpc").version) == "malformed"


def test_a_dtd_is_refused_even_when_nothing_uses_it() -> None:
    good = VALUE % b"<int>1</int>"
    assert parse(good) == parse(b'<?xml version="1.0"?>' + good) == 1
    for bad in (b"<!DOCTYPE x>" + good, ENTITY + good, ENTITY + VALUE % b"<string>&a;</string>"):
        with pytest.raises(ValueError, match="DTD"):
            parse(bad)


def test_xml_is_not_read_deeper_than_odoo_nests() -> None:
    def nested(depth: int) -> bytes:
        return VALUE % (b"<array><data><value>" * depth + b"</value></data></array>" * depth)

    assert parse(nested(10))
    with pytest.raises(ValueError, match="deeply"):
        parse(nested(30))


@pytest.mark.parametrize("uid", [True, 0, -1, "2", 2.0, [2], {"uid": 2}])
def test_a_strange_uid_is_not_believed(uid: object) -> None:
    data = xmlrpc.client.dumps((uid,), methodresponse=True).encode()
    with Rogue(reply(200, data, "text/xml")) as server:
        assert code_of(database(server, protocol="xmlrpc").users) == "malformed"
        assert server.paths == ["/xmlrpc/2/common"]


@pytest.mark.parametrize("value", [None, [], {}, {"uid": True}, {"uid": "2"}, {"uid": 2**31}, "x"])
def test_a_strange_context_is_not_believed(value: object) -> None:
    with Rogue(reply_json(value)) as server:
        assert code_of(database(server).whoami) == "malformed"


def test_whoami_is_the_user_that_was_asked_for() -> None:
    odoo = FakeOdoo(users=[user(3, "other@example.com")])
    with Rogue(odoo) as server:
        assert code_of(database(server).whoami) == "malformed"


# --- every code


def test_every_error_has_one_plain_sentence() -> None:
    for code, cls in ERRORS.items():
        names = re.findall(r"%\((\w+)\)s", cls.template)
        text = str(cls(**dict.fromkeys(names, "X")))
        assert cls.code == code
        assert cls.state in ("credentials", "unreachable", "error")
        assert "%" not in text
        assert text[0].isupper()
        assert ". " not in text.rstrip(".")
    assert set(ERRORS) >= {
        "not_configured",
        "refused",
        "unresolved",
        "timeout",
        "tls",
        "credentials",
        "not_served",
        "no_model",
        "no_method",
        "access",
        "login_page",
        "redirect",
        "malformed",
        "too_large",
        "blocked",
        "rejected",
        "server",
        "conflict",
    }
    assert ERRORS["timeout"].template.startswith("Timeout")
    assert ERRORS["credentials"].template.startswith("Invalid apikey")


def test_a_conflict_and_a_crash_do_not_hide_in_200() -> None:
    crash = Failure(500, "builtins.ValueError", "boom")
    with Rogue(FakeOdoo(broken={"search_read": crash})) as server:
        assert code_of(database(server).users) == "server"
    with Rogue(FakeOdoo(broken={"search_read": crash}, json2=False)) as server:
        assert code_of(database(server).users) == "server"


def test_the_request_is_what_odoo_expects() -> None:
    with Rogue(FakeOdoo()) as server:
        database(server).create_user("new@example.com", "New")
        body = json.loads(server.requests[-1].body)
    assert body == {
        "emails": ['"New" <new@example.com>'],
        "context": {"no_reset_password": True},
    }
