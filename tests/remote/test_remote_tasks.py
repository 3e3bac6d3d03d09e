"""What one thread does for one database: a result for everything, an exception for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from fake_odoo import ACCESS, LOGIN, Failure, FakeOdoo, user
from remote import UserOutcome, invite, remove, synchronize
from remote_helpers import HASTY, POLICY, QUICK, access, at_most
from support.rogue import Behaviour, Connection, Request, Rogue, hang, page, reply_json

KPIS = [{"id": "a.b", "name": "Drafts", "type": "integer", "value": 3}]
CRASH = Failure(500, "builtins.ValueError", "boom")


def results(outcomes: Sequence[UserOutcome]) -> list[tuple[str, str, str | None]]:
    return [(one.login, one.result, one.error and one.error.code) for one in outcomes]


# --- synchronise


@pytest.mark.parametrize("json2", [True, False])
def test_everything_is_fetched(json2: bool) -> None:
    with Rogue(FakeOdoo(json2=json2, kpis=KPIS)) as server:
        snapshot = synchronize(access(server), POLICY)
    assert snapshot.error is None
    assert snapshot.version and snapshot.version.text == "19.0"
    assert snapshot.users and snapshot.users[0].login == LOGIN
    assert snapshot.kpis and snapshot.kpis[0].value == 3
    assert snapshot.notes == ()
    assert snapshot.protocol == ("json2" if json2 else "xmlrpc")
    assert 0 < snapshot.seconds < POLICY.timeout


@pytest.mark.parametrize("json2", [True, False])
def test_a_server_without_figures_has_none_and_that_is_no_error(json2: bool) -> None:
    with Rogue(FakeOdoo(version="15.0", json2=json2, has_kpis=False)) as server:
        snapshot = synchronize(access(server), POLICY)
    assert snapshot.kpis == ()
    assert snapshot.error is None
    assert "16" in snapshot.notes[0]


def test_notes_of_users_and_figures_are_gathered() -> None:
    odoo = FakeOdoo(kpis=[*KPIS, None], users=[user(2, "a"), user(3, " ")])
    with Rogue(odoo) as server:
        snapshot = synchronize(access(server), POLICY)
    assert [note.split()[0] for note in snapshot.notes] == ["User", "Figure"]
    assert snapshot.users is not None and len(snapshot.users) == 1


@pytest.mark.parametrize(
    ("broken", "code"), [({"search_read": ACCESS}, "access"), ({"search_read": CRASH}, "server")]
)
def test_users_that_cannot_be_read_do_not_cost_the_figures(
    broken: dict[str, Failure], code: str
) -> None:
    with Rogue(FakeOdoo(kpis=KPIS, broken=broken)) as server:
        snapshot = synchronize(access(server), POLICY)
    assert snapshot.error and snapshot.error.code == code
    assert snapshot.users is None
    assert snapshot.kpis is not None and len(snapshot.kpis) == 1


def test_figures_that_cannot_be_read_are_unknown_and_the_rest_stays() -> None:
    with Rogue(FakeOdoo(broken={"get_kpi_summary": ACCESS})) as server:
        snapshot = synchronize(access(server), POLICY)
    assert snapshot.kpis is None
    assert snapshot.users and snapshot.version
    assert snapshot.error and snapshot.error.code == "access"


@pytest.mark.parametrize(
    ("behaviour", "code"), [(hang, "timeout"), (page(404), "not_served"), (page(200), "web_page")]
)
def test_nobody_there(behaviour: Behaviour, code: str) -> None:
    with Rogue(behaviour) as server, at_most(QUICK + 0.5):
        snapshot = synchronize(access(server), HASTY)
    assert snapshot.error and snapshot.error.code == code
    assert (snapshot.version, snapshot.users, snapshot.kpis) == (None, None, None)


def test_nothing_more_is_asked_after_a_transport_failure() -> None:
    def behave(connection: Connection, request: Request) -> None:
        if "version" in request.path:
            FakeOdoo()(connection, request)
        else:
            connection.wait()

    with Rogue(behave) as server, at_most(QUICK + 0.5):
        snapshot = synchronize(access(server), HASTY)
        assert len(server.requests) == 2
    assert snapshot.version and snapshot.error and snapshot.error.code == "timeout"


def test_a_wrong_key_keeps_the_version_and_asks_once() -> None:
    with Rogue(FakeOdoo()) as server:
        snapshot = synchronize(access(server, key="wrong"), POLICY)
        assert len(server.requests) == 2
    assert snapshot.version and snapshot.error and snapshot.error.code == "credentials"


def test_without_credentials_the_version_is_fetched_and_what_is_missing_is_said() -> None:
    with Rogue(FakeOdoo()) as server:
        snapshot = synchronize(access(server, key=""), POLICY)
        assert server.paths == ["/json/version"]
    assert snapshot.version and snapshot.error and snapshot.error.code == "not_configured"
    snapshot = synchronize(access("http://localhost:1", key=""), POLICY)
    assert snapshot.error and snapshot.error.code == "not_configured"
    snapshot = synchronize(access("", key=""), POLICY)
    assert snapshot.error and snapshot.error.code == "not_configured"


def test_an_error_holds_no_frames_with_the_key_and_the_answer() -> None:
    with Rogue(reply_json("x" * 1000)) as server:
        error = synchronize(access(server), POLICY).error
    assert error
    assert error.__traceback__ is error.__cause__ is error.__context__ is None


# --- invite

PEOPLE = [
    user(2, LOGIN),
    user(3, "here@example.com"),
    user(4, "gone@example.com", active=False),
    user(5, "portal@example.com", share=True),
    user(6, "old.portal@example.com", share=True, active=False),
]


def people() -> list[dict[str, Any]]:
    return [dict(row) for row in PEOPLE]


@pytest.mark.parametrize("json2", [True, False])
def test_inviting_is_repeatable(json2: bool) -> None:
    odoo = FakeOdoo(json2=json2, users=people())
    wanted = [
        ("HERE@example.com", "Here"),
        ("gone@example.com", "Gone"),
        ("new@example.com", "Ann New"),
        ("portal@example.com", "Portal"),
        ("old.portal@example.com", "Portal"),
        ("admin", "No address"),
    ]
    with Rogue(odoo) as server:
        first = results(invite(access(server), wanted, POLICY))
        changes = [
            call for call in odoo.calls if "search_read" not in call and "context" not in call
        ]
        odoo.calls.clear()
        second = results(invite(access(server), wanted, POLICY))
    assert first == [
        ("HERE@example.com", "already", None),
        ("gone@example.com", "done", None),
        ("new@example.com", "done", None),
        ("portal@example.com", "failed", "portal_account"),
        ("old.portal@example.com", "failed", "portal_account"),
        ("admin", "failed", "bad_login"),
    ]
    rename = [] if json2 else ["res.users.write"]
    assert changes == ["res.users.write", "res.users.web_create_users", *rename]
    assert {row["login"]: row["name"] for row in odoo.users}["new@example.com"] == "Ann New"
    assert [result for _login, result, _code in second[:3]] == ["already"] * 3
    assert "res.users.write" not in odoo.calls
    assert "res.users.web_create_users" not in odoo.calls


def test_success_is_what_was_read_back() -> None:
    odoo = FakeOdoo(users=people(), deaf=True)
    with Rogue(odoo) as server:
        wanted = [("new@example.com", "New"), ("gone@example.com", "Gone")]
        assert results(invite(access(server), wanted, POLICY)) == [
            ("new@example.com", "failed", "unconfirmed"),
            ("gone@example.com", "failed", "unconfirmed"),
        ]
        assert results(remove(access(server), ["here@example.com"], POLICY)) == [
            ("here@example.com", "failed", "unconfirmed")
        ]


def test_each_user_has_a_result_of_its_own() -> None:
    rejected = Failure(422, "odoo.exceptions.UserError", "Install Discuss", 2)
    with Rogue(FakeOdoo(users=people(), broken={"web_create_users": rejected})) as server:
        wanted = [("new@example.com", "New"), ("gone@example.com", "Gone")]
        assert results(invite(access(server), wanted, POLICY)) == [
            ("new@example.com", "failed", "rejected"),
            ("gone@example.com", "done", None),
        ]
    with Rogue(FakeOdoo(users=people(), broken={"web_create_users": ACCESS})) as server:
        wanted = [("new@example.com", "New"), ("here@example.com", "Here")]
        assert results(invite(access(server), wanted, POLICY)) == [
            ("new@example.com", "no_right", "access"),
            ("here@example.com", "already", None),
        ]


def test_what_fails_for_all_is_tried_once() -> None:
    wanted = [("a@example.com", "A"), ("b@example.com", "B"), ("c@example.com", "C")]
    with Rogue(hang) as server, at_most(QUICK + 0.5):
        outcomes = results(invite(access(server), wanted, HASTY))
        assert outcomes == [(login, "unreachable", "timeout") for login, _name in wanted]
    with Rogue(FakeOdoo()) as server:
        outcomes = results(invite(access(server, key="x"), wanted, POLICY))
        assert outcomes == [(login, "failed", "credentials") for login, _name in wanted]
        assert len(server.requests) == 1
    outcomes = results(invite(access("http://localhost:1"), wanted, POLICY))
    assert outcomes == [(login, "unreachable", "refused") for login, _name in wanted]


# --- remove


@pytest.mark.parametrize("json2", [True, False])
def test_removing_is_repeatable_and_never_locks_us_out(json2: bool) -> None:
    odoo = FakeOdoo(json2=json2, users=people())
    logins = [
        "Here@Example.com",
        "gone@example.com",
        "nobody@example.com",
        LOGIN,
        "portal@example.com",
    ]
    with Rogue(odoo) as server:
        first = results(remove(access(server), logins, POLICY))
        odoo.calls.clear()
        second = results(remove(access(server), logins, POLICY))
    assert first == [
        ("Here@Example.com", "done", None),
        ("gone@example.com", "already", None),
        ("nobody@example.com", "missing", None),
        (LOGIN, "failed", "own_account"),
        ("portal@example.com", "done", None),
    ]
    assert [result for _login, result, _code in second] == [
        "already",
        "already",
        "missing",
        "failed",
        "already",
    ]
    assert "res.users.write" not in odoo.calls
    assert [row["login"] for row in odoo.users if row["active"]] == [LOGIN]


def test_an_unreachable_database_is_not_one_without_the_user() -> None:
    with Rogue(page(503)) as server:
        assert results(remove(access(server), ["a@example.com"], POLICY)) == [
            ("a@example.com", "failed", "server")
        ]
    with Rogue(hang) as server:
        assert results(remove(access(server), ["a@example.com"], HASTY)) == [
            ("a@example.com", "unreachable", "timeout")
        ]


def test_removing_without_the_right() -> None:
    odoo = FakeOdoo(users=people(), broken={"write": ACCESS})
    with Rogue(odoo) as server:
        assert results(remove(access(server), ["here@example.com"], POLICY)) == [
            ("here@example.com", "no_right", "access")
        ]


def test_when_time_is_up_the_rest_is_left_for_another_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remote.tasks.USERS_SECONDS", 0.0)
    odoo = FakeOdoo(users=people(), has_kpis=False)
    with Rogue(odoo) as server:
        answers = [
            results(invite(access(server), [(login, login) for login in logins], POLICY))
            for logins in (["one@example.com", "two@example.com"], ["two@example.com"])
        ]
    assert answers == [[("one@example.com", "done", None)], [("two@example.com", "done", None)]]
