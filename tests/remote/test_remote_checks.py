"""Values are checked before they are believed."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest
from fake_odoo import user
from remote import Kpi, RemoteError
from remote.answers import parse_json
from remote.checks import is_email, kpi_summary, users, utc_datetime, version
from remote.errors import Malformed, TooLarge, plain
from remote.xml_rpc import _UNREADABLE, parse
from remote_helpers import POLICY, at_most, code_of, database
from support.rogue import Rogue, reply, reply_json

HOST = "h"


def kpi(**values: Any) -> dict[str, Any]:
    return {"id": "a.b", "name": "Drafts", "type": "integer", "value": 3, **values}


# --- JSON


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[",
        b"nonsense",
        b"[NaN]",
        b"[Infinity]",
        b"[-Infinity]",
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 100_000,
        b"\xff\xfe",
        b"[1] [2]",
        "[]".encode("utf-16"),
        "[]".encode("utf-32"),
    ],
)
def test_json_that_is_not_strict_is_malformed(body: bytes) -> None:
    with pytest.raises(Malformed):
        parse_json(body, HOST)
    with Rogue(reply(200, body)) as server, at_most(5):
        assert code_of(database(server).users) == "malformed"
        assert code_of(database(server).kpi_summary) == "malformed"


@pytest.mark.parametrize("value", [None, True, 1, 1.5, "x", {}, {"a": []}])
def test_a_list_is_expected(value: object) -> None:
    with Rogue(reply_json(value)) as server:
        assert code_of(database(server).users) == "malformed"
        assert code_of(database(server).kpi_summary) == "malformed"
        assert code_of(lambda: database(server).find_users(["a@example.com"])) == "malformed"


# --- figures

BAD_KPIS = [
    None,
    [],
    "x",
    {},
    kpi(id=None),
    kpi(id=1),
    kpi(id=""),
    kpi(id="a" * 65),
    kpi(id="a b"),
    kpi(id="<b>"),
    kpi(id="a\n"),
    kpi(id="é"),
    kpi(id=".a"),
    kpi(name=None),
    kpi(name=False),
    kpi(name=""),
    kpi(name=" \x00\n"),
    kpi(name=["x"]),
    kpi(type=None),
    kpi(type="float"),
    kpi(type="html"),
    kpi(type=["integer"]),
    kpi(value=None),
    kpi(value=True),
    kpi(value=False),
    kpi(value=3.0),
    kpi(value="3"),
    kpi(value=2**31),
    kpi(value=-(2**31) - 1),
    kpi(value=[3]),
    kpi(type="return_status", value="unknown"),
    kpi(type="return_status", value=3),
    kpi(type="return_status", value=["late"]),
    kpi(type="return_status", value=None),
]


@pytest.mark.parametrize("bad", BAD_KPIS, ids=repr)
def test_a_bad_figure_is_dropped_with_a_note_and_the_others_stay(bad: object) -> None:
    summary = kpi_summary([kpi(id="x"), bad, kpi(id="y")], HOST)
    assert [one.id for one in summary.kpis] == ["x", "y"]
    [note] = summary.notes
    assert note.startswith("Figure 2 was left out: ")
    assert note.isprintable()


def test_good_figures() -> None:
    rows = [
        kpi(value=2**31 - 1),
        kpi(id="n", value=-(2**31)),
        *(
            kpi(id=status, type="return_status", value=status)
            for status in ("late", "longterm", "to_do", "to_submit", "done")
        ),
        kpi(id="account_journal_type.sale:x-1"),
    ]
    summary = kpi_summary(rows, HOST)
    assert len(summary.kpis) == len(rows)
    assert summary.kpis[0] == Kpi("a.b", "Drafts", "integer", 2**31 - 1)
    assert summary.notes == ()


def test_of_two_figures_with_one_id_the_first_counts() -> None:
    summary = kpi_summary([kpi(value=1), kpi(value=2)], HOST)
    assert [one.value for one in summary.kpis] == [1]
    assert "twice" in summary.notes[0]


def test_not_more_figures_than_fit() -> None:
    summary = kpi_summary([kpi(id=f"k{number}") for number in range(5000)], HOST)
    assert len(summary.kpis) == 100
    assert summary.notes == ("Only the first 100 of 5000 figures were kept.",)


def test_markup_in_names_is_kept_as_text_and_control_characters_are_not() -> None:
    name = "<script>alert('x')</script>\x00\x1b[0m\u202e\ud800\nnext"
    [one] = kpi_summary([kpi(name=name)], HOST).kpis
    assert one.name == "<script>alert('x')</script>[0m next"
    [one] = kpi_summary([kpi(name="é" * 5000)], HOST).kpis
    assert len(one.name) == 128


# --- users


@pytest.mark.parametrize(
    "bad",
    [
        None,
        "x",
        {},
        user(0, "a"),
        user(-1, "a"),
        user(2**31, "a"),
        {**user(5, "a"), "id": True},
        {**user(5, "a"), "id": "5"},
        {**user(5, "a"), "id": 5.0},
        {**user(5, "a"), "login": None},
        {**user(5, "a"), "login": False},
        {**user(5, "a"), "login": " "},
        {**user(5, "a"), "login": "a\nb"},
        {**user(5, "a"), "login": "a\ud800"},
        {**user(5, "a"), "login": "a" * 256},
        {**user(5, "a"), "active": 1},
        {**user(5, "a"), "active": None},
        {**user(5, "a"), "share": "no"},
        user(1, "first"),
    ],
    ids=repr,
)
def test_a_bad_user_is_dropped_with_a_note(bad: object) -> None:
    good, notes = users([user(1, "a"), bad, user(2, "b")], HOST)
    assert [row.id for row in good] == [1, 2]
    assert len(notes) == 1
    with Rogue(reply_json([user(1, "a"), bad, user(2, "b")])) as server:
        client = database(server)
        assert [row.id for row in client.users()] == [1, 2]
        assert len(client.notes) == 1
        # Before a change, who is there must be certain.
        assert code_of(lambda: client.find_users(["a"])) == "malformed"


def test_a_name_falls_back_on_the_login() -> None:
    for name in (None, False, "", "\x00", 5):
        [row], _notes = users([{**user(5, "ann"), "name": name}], HOST)
        assert row.name == "ann"


def test_ten_thousand_users_are_read_quickly_and_more_are_too_many() -> None:
    rows = [user(number, f"user{number}@example.com") for number in range(1, 10_002)]
    with at_most(2):
        good, _notes = users(rows[:10_000], HOST)
    assert len(good) == 10_000
    with pytest.raises(TooLarge):
        users(rows, HOST)


def test_thousands_of_bad_rows_make_few_notes() -> None:
    _good, notes = users([None] * 10_000, HOST)
    assert len(notes) == 20


@pytest.mark.parametrize(
    ("value", "moment"),
    [
        ("2026-01-31 23:59:59", datetime(2026, 1, 31, 23, 59, 59)),
        ("2026-01-31T23:59:59", datetime(2026, 1, 31, 23, 59, 59)),
        ("2026-01-31 23:59:59.123456", datetime(2026, 1, 31, 23, 59, 59)),
        (False, None),
        (None, None),
        (5, None),
        ("", None),
        ("yesterday", None),
        ("2026-02-30 00:00:00", None),
        ("2026-01-31 25:00:00", None),
        ("0000-01-01 00:00:00", None),
        ("2026-01-31", None),
    ],
)
def test_moments(value: object, moment: datetime | None) -> None:
    assert utc_datetime(value) == moment


# --- versions


@pytest.mark.parametrize(
    ("answer", "text", "major", "minor"),
    [
        ({"version": "19.0", "version_info": [19, 0, 0, "final", 0, ""]}, "19.0", 19, 0),
        ({"version": "19.0+e"}, "19.0", 19, 0),
        ({"version": "saas~18.3+e"}, "saas~18.3", 18, 3),
        ({"version": "saas-18.3"}, "saas~18.3", 18, 3),
        ({"version": "17.2"}, "17.2", 17, 2),
        ({"server_version": "14.0-20210101"}, "14.0", 14, 0),
        ({"server_version": "16.0alpha1"}, "16.0", 16, 0),
    ],
)
def test_versions(answer: object, text: str, major: int, minor: int) -> None:
    found = version(answer, HOST)
    assert (found.text, found.major, found.minor) == (text, major, minor)


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        "19.0",
        {},
        *(
            {"version": text}
            for text in (None, 19, ["19.0"], "x19.0", "1" * 5000, "19.00000", "19")
        ),
    ],
)
def test_no_version(answer: object) -> None:
    with pytest.raises(Malformed):
        version(answer, HOST)


# --- words


def test_plain() -> None:
    assert plain(" a\t b\r\n\x00c\u2028d ") == "a b c d"
    assert plain("x" * 300) == "x" * 199 + "…"
    assert plain("Zoë 👩\u200d🚒 فارسی") == "Zoë 👩\u200d🚒 فارسی"


@pytest.mark.parametrize(
    ("login", "good"),
    [
        ("ann@example.com", True),
        ("Ann.O'Neill+x@sub.example.com", True),
        ("admin", False),
        ("", False),
        ("ann@example", False),
        ("ann@example.com,bob@example.com", False),
        ("Ann <ann@example.com>", False),
        ("ann@example.com\nbob@example.com", False),
        ('"ann"@example.com', False),
        ("a" * 250 + "@example.com", False),
    ],
)
def test_addresses(login: str, good: bool) -> None:
    assert is_email(login) is good


# --- anything at all


def _noise(chance: random.Random) -> bytes:
    kinds = (
        lambda: chance.randbytes(chance.randrange(200)),
        lambda: bytes(chance.choices(b'[]{}",:0123456789.eE+-nulltruefalse \\u', k=80)),
        lambda: b"".join(chance.choices(_XML, k=30)),
        lambda: json.dumps(_value(chance, 4)).encode(),
    )
    return chance.choice(kinds)()


_TAGS = (
    "value param params int array data struct member name fault double methodResponse base64"
    " dateTime.iso8601 ex:bigdecimal boolean string i8 nil"
)
_XML = [
    b"1",
    b"faultCode",
    b"&amp;",
    *(f"<{tag}>".encode() for tag in _TAGS.split()),
    *(f"</{tag}>".encode() for tag in _TAGS.split()),
]


def _value(chance: random.Random, depth: int) -> Any:
    simple = (
        None, True, False, 0, -1, 2**31, 2**70, 1.5, 1e308, "", "late", "integer", "a.b", "\ud800",
        "\x00", "<b>", "2026-01-31 23:59:59", "x" * 300, "19.0",
    )  # fmt: skip
    kind = chance.randrange(3) if depth else 0
    if kind == 1:
        return [_value(chance, depth - 1) for _ in range(chance.randrange(5))]
    if kind == 2:
        keys = ("id", "name", "type", "value", "login", "active", "share", "login_date", "version")
        return {chance.choice(keys): _value(chance, depth - 1) for _ in range(chance.randrange(9))}
    return chance.choice(simple)


def test_whatever_comes_in_only_our_errors_come_out() -> None:
    chance = random.Random(20)
    for _ in range(20_000):
        body = _noise(chance)
        try:
            value = parse_json(body, HOST)
            for check in (users, kpi_summary, version):
                with suppress(RemoteError):
                    json.dumps(repr(check(value, HOST)))
        except Malformed:
            pass
        with suppress(*_UNREADABLE):
            parse(body)


def test_random_bytes_on_the_wire() -> None:
    chance = random.Random(21)
    start = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    allowed = {"malformed", "interrupted", "too_large", "login_page", "web_page", "server"}
    allowed |= {"not_served", "redirect", "credentials", "access", "conflict", "rejected"}
    for _ in range(150):
        data = chance.choice(
            [b"", start, start + b"\r\n", start + b"Transfer-Encoding: chunked\r\n\r\n"]
        )
        data += _noise(chance)
        with Rogue(lambda connection, _request, data=data: connection.send(data)) as server:
            for call in (database(server).users, database(server, protocol="xmlrpc").kpi_summary):
                try:
                    call()
                except RemoteError as error:
                    assert error.code in allowed, (error.code, data)


def test_the_policy_of_the_tests_is_the_default_but_for_time_and_loopback() -> None:
    assert POLICY.max_bytes == 2 * 1024 * 1024
