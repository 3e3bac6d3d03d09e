"""The life of a hosted database, on real PostgreSQL, files, routes and a real hosted Odoo."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

import psycopg2
import pytest
from deaths import back, forward, kill
from life_case import (
    ask,
    assert_hidden,
    assert_served,
    folders,
    new_name,
    owned,
    protect,
    states,
)
from operations import HostingServer

from fleetdev import cluster


@pytest.fixture(scope="module")
def server() -> Iterator[HostingServer]:
    with HostingServer("life") as made:
        made.serve("--log-level=warn")
        yield made


@pytest.fixture
def database(server) -> tuple[str, str]:
    name = new_name()
    return name, server.host_database(name)


@pytest.fixture
def busy_database(server) -> tuple[str, str]:
    """One with scheduled actions and mail."""
    name = new_name()
    return name, server.host_database(name, "base")


# --- suspend and resume


def test_suspending_ends_page_login_keys_and_crons_and_resuming_brings_the_page_back(
    server, database
):
    name, identity = database
    assert ask(server, name).status_code == 200
    server.do("suspend", name, {"uuid": identity, "reason": "The bill of May is unpaid"})
    hidden = assert_hidden(server, name, identity)

    page = ask(server, name)
    assert page.status_code == 503
    assert "The bill of May is unpaid" in page.text
    login = {"db": name, "login": "admin", "password": "admin"}
    answer = ask(server, name, "/web/session/authenticate", method="POST", json={"params": login})
    assert answer.status_code == 503
    for path, body in (
        ("/json/2/res.users/search_count", {"domain": []}),
        (
            "/jsonrpc",
            {"params": {"service": "common", "method": "login", "args": [name, "admin", "admin"]}},
        ),
    ):
        assert ask(server, name, path, method="POST", json=body).status_code == 503
    other = new_name()
    other_identity = server.host_database(other)
    for called in (name, hidden):
        rpc = ask(
            server,
            other,
            "/jsonrpc",
            method="POST",
            json={
                "params": {
                    "service": "common",
                    "method": "login",
                    "args": [called, "admin", "admin"],
                }
            },
        )
        assert "error" in rpc.json() or rpc.json().get("result") in (False, None)
    assert server.host.cluster.sessions(hidden) == 0

    server.do("resume", name, {"uuid": identity})
    assert_served(server, name, identity)
    assert ask(server, name).status_code == 200
    server.do("drop", other, {"uuid": other_identity, "final_backup": {"verified": True}})


MAIL = """
WITH message AS (
    INSERT INTO mail_message (message_type, date, model, res_id)
    VALUES ('email', now(), 'res.partner', 1) RETURNING id)
INSERT INTO mail_mail (mail_message_id, state, email_to, body_html)
SELECT id, 'outgoing', 'joe@customer.example', 'Hello' FROM message"""


def test_a_scheduled_action_and_a_waiting_mail_rest_while_the_database_is_suspended(
    server, busy_database
):
    name, identity = busy_database

    def wake(*called: str) -> None:
        for each in called:
            server.sql_in("postgres", "SELECT pg_notify('cron_trigger', %s)", each)

    def ran(physical: str) -> int:
        query = "SELECT count(*) FROM ir_cron WHERE lastcall IS NOT NULL"
        return server.sql_in(physical, query)[0][0]

    # A worker of scheduled actions lists the databases once a minute: this one shall know it.
    server.process.stop()
    server.sql_in(name, "UPDATE ir_cron SET active = false, lastcall = NULL")
    server.serve("--log-level=warn")
    listening = "application_name = %s AND datname = 'postgres' AND query = 'COMMIT'"
    who = f"odoo-{server.process.pid()}"
    until = time.monotonic() + 30
    while not server.sql_in("postgres", f"SELECT 1 FROM pg_stat_activity WHERE {listening}", who):
        assert time.monotonic() < until
        time.sleep(0.05)
    wake(name)
    time.sleep(1)
    server.sql_in(name, MAIL)
    server.do("suspend", name, {"uuid": identity})
    hidden = assert_hidden(server, name, identity)
    server.sql_in(hidden, "UPDATE ir_cron SET active = true, nextcall = now() - interval '1 hour'")
    wake(name, hidden)
    time.sleep(3)
    assert ran(hidden) == 0
    assert server.sql_in(hidden, "SELECT state FROM mail_mail") == [("outgoing",)]
    server.do("resume", name, {"uuid": identity})
    # It was due all the time: now it runs.
    wake(name)
    until = time.monotonic() + 30
    while not ran(name) and time.monotonic() < until:
        time.sleep(0.2)
    assert ran(name) > 0


@pytest.mark.parametrize(
    "places",
    forward("suspend", close=("doors.set", "routes.write"), hide=("place.hide", "place.hidden")),
)
def test_a_suspension_killed_anywhere_is_finished_by_the_next_runner(server, database, places):
    name, identity = database
    operation = server.submit("suspend", name, {"uuid": identity})
    kill(server.run, operation, places)
    assert server.run(operation) == "done", server.error(operation)
    assert_hidden(server, name, identity)


@pytest.mark.parametrize("places", back("suspend"))
def test_a_suspension_killed_while_it_is_undone_ends_with_the_database_open(
    server, database, places
):
    name, identity = database
    operation = server.submit("suspend", name, {"uuid": identity})
    kill(server.run, operation, places, failing="suspend.check.before=error")
    assert server.run(operation) == "failed"
    assert_served(server, name, identity)


@pytest.mark.parametrize(
    "places",
    forward("resume", show=("place.files_shown", "place.shown"), open=("doors.set",)),
)
def test_a_resumption_killed_anywhere_is_finished_by_the_next_runner(server, database, places):
    name, identity = database
    server.do("suspend", name, {"uuid": identity})
    operation = server.submit("resume", name, {"uuid": identity})
    kill(server.run, operation, places)
    assert server.run(operation) == "done", server.error(operation)
    assert_served(server, name, identity)


def test_a_database_whose_first_page_fails_stays_suspended_with_its_message(server, database):
    name, identity = database
    server.do("suspend", name, {"uuid": identity, "reason": "Unpaid"})
    operation = server.submit("resume", name, {"uuid": identity})
    assert server.run(operation, "resume.first_request.before=error") == "failed"
    assert_hidden(server, name, identity)
    assert "Unpaid" in ask(server, name).text


def test_a_file_that_a_dying_request_left_under_the_old_name_is_not_in_the_way(server, database):
    name, identity = database
    server.do("suspend", name, {"uuid": identity})
    stray = server.host.filestore(name) / "ab"
    stray.mkdir(parents=True)
    (stray / ("ab" * 20)).write_text("of a request that was ended")
    server.do("resume", name, {"uuid": identity})
    assert_served(server, name, identity)
    assert not (stray / ("ab" * 20)).exists()


def test_archiving_a_suspended_database_keeps_it_hidden_and_undeleting_opens_it(server, database):
    name, identity = database
    server.do("suspend", name, {"uuid": identity})
    hidden = assert_hidden(server, name, identity)
    server.do("archive", name, {"uuid": identity, "reason": "Left us"})
    assert assert_hidden(server, name, identity) == hidden
    assert "Left us" in ask(server, name).text
    server.do("undelete", name, {"uuid": identity})
    assert_served(server, name, identity)


@pytest.mark.parametrize("kind", ["suspend", "archive", "drop"])
def test_a_database_that_was_protected_meanwhile_is_left_alone(server, database, kind):
    name, identity = database
    protect(server, name, identity)
    request = {"uuid": identity, "final_backup": {"verified": True}}
    operation = server.submit(kind, name, request)
    assert server.run(operation) == "failed"
    assert server.error(operation)[0] == "protected"
    assert_served(server, name, identity)


def test_a_session_that_our_role_may_not_end_is_waited_for(server, database):
    if not os.environ.get("FLEET_PG_PRIVATE"):
        return  # on a server of the user's own the tests have no administrator
    name, identity = database
    port, password = cluster.ensure_running()
    admin = {"host": "127.0.0.1", "port": port, "user": cluster.ADMIN, "password": password}
    session = psycopg2.connect(dbname=name, **admin)
    operation = server.submit("suspend", name, {"uuid": identity})
    child = server.start(operation)
    until = time.monotonic() + 60
    while server.steps(operation)["hide"] == "pending" and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(2)
    assert (server.state(operation), server.steps(operation)["hide"]) == ("running", "running")
    session.close()
    assert server.finish(child) == "done"
    assert_hidden(server, name, identity)


# --- rename


def test_a_renamed_database_answers_at_its_new_address_and_not_at_the_old(server, database):
    name, identity = database
    renamed = new_name("renamed")
    server.do("rename", name, {"uuid": identity, "new_name": renamed})
    assert_served(server, renamed, identity)
    assert ask(server, renamed).status_code == 200
    assert ask(server, name).status_code == 404
    url = server.sql_in(renamed, "SELECT value FROM ir_config_parameter WHERE key = 'web.base.url'")
    assert url == [(f"https://{renamed}.hosted.example",)]
    assert states(server, name) == []
    # The old name is free.
    again = server.host_database(name)
    assert_served(server, name, again)


@pytest.mark.parametrize(
    "places",
    forward("rename", hide=("place.hidden",), show=("place.files_shown", "place.shown")),
)
def test_a_renaming_killed_anywhere_is_finished_by_the_next_runner(server, database, places):
    name, identity = database
    renamed = new_name("renamed")
    operation = server.submit("rename", name, {"uuid": identity, "new_name": renamed})
    kill(server.run, operation, places)
    assert server.run(operation) == "done", server.error(operation)
    assert_served(server, renamed, identity)
    assert states(server, name) == []


@pytest.mark.parametrize("places", back("rename"))
def test_a_renaming_killed_while_it_is_undone_ends_under_the_old_name(server, database, places):
    name, identity = database
    renamed = new_name("renamed")
    url = "SELECT value FROM ir_config_parameter WHERE key = 'web.base.url'"
    before = server.sql_in(name, url)
    operation = server.submit("rename", name, {"uuid": identity, "new_name": renamed})
    kill(server.run, operation, places, failing="rename.first_request.before=error")
    assert server.run(operation) == "failed"
    assert_served(server, name, identity)
    assert states(server, renamed) == []
    assert server.sql_in(name, url) == before


def test_a_name_that_is_taken_is_refused_before_anybody_is_shut_out(server, database):
    name, identity = database
    other = new_name()
    other_identity = server.host_database(other)
    operation = server.submit("rename", name, {"uuid": identity, "new_name": other})
    assert server.run(operation) == "failed"
    assert server.error(operation)[0] == "name_taken"
    assert server.steps(operation)["close"] == "pending"
    assert_served(server, name, identity)
    assert_served(server, other, other_identity)


# --- drop


FINAL = {"verified": True, "backup": "20261122-final"}


def assert_gone(server, name: str, identity: str, *folders_before: str) -> None:
    assert owned(server, identity) == {}
    assert folders(server, name, *folders_before) == set()
    assert not any(server.host.filestore(each).exists() for each in (name, *folders_before))
    assert states(server, name) == []


def test_a_dropped_database_leaves_neither_files_nor_snapshots_nor_routes(server, database):
    name, identity = database
    taken = server.do("snapshot", name, {"uuid": identity})["take"]["physical"]
    done = server.do("drop", name, {"uuid": identity, "final_backup": FINAL})
    assert done["files"]["snapshots"] == 1
    assert_gone(server, name, identity, taken, done["drop"]["physical"])


@pytest.mark.parametrize("backup", [None, {}, {"verified": False}])
def test_without_a_verified_final_backup_nothing_is_dropped(server, database, backup):
    name, identity = database
    operation = server.submit("drop", name, {"uuid": identity, "final_backup": backup})
    assert server.run(operation) == "failed"
    assert server.error(operation)[0] == "no_final_backup"
    assert_served(server, name, identity)


@pytest.mark.parametrize("places", forward("drop", hide=("place.hidden",), drop=("leave.dropped",)))
def test_a_drop_killed_anywhere_is_finished_by_the_next_runner(server, database, places):
    name, identity = database
    operation = server.submit("drop", name, {"uuid": identity, "final_backup": FINAL})
    kill(server.run, operation, places)
    assert server.run(operation) == "done", server.error(operation)
    hidden = server.evidence(operation)["drop"]["physical"]
    assert_gone(server, name, identity, hidden)


@pytest.mark.parametrize("places", back("drop"))
def test_a_drop_killed_while_it_is_undone_ends_with_the_database_open(server, database, places):
    name, identity = database
    operation = server.submit("drop", name, {"uuid": identity, "final_backup": FINAL})
    kill(server.run, operation, places, failing="drop.drop.before=error")
    assert server.run(operation) == "failed"
    assert_served(server, name, identity)


def test_a_drop_that_failed_at_the_files_is_finished_by_another_try(server, database):
    name, identity = database
    operation = server.submit("drop", name, {"uuid": identity, "final_backup": FINAL})
    assert server.run(operation, "drop.files.before=error") == "failed"
    assert owned(server, identity) == {}
    hidden = server.evidence(operation)["drop"]["physical"]
    assert folders(server, hidden) == {hidden}
    # As the button Retry does it.
    server.sql(
        "UPDATE saas_operation_step SET state = 'pending' WHERE operation_id = %s", operation
    )
    server.sql(
        "UPDATE saas_operation SET state = 'queued', attempt = 0, started = NULL, "
        "error_code = NULL WHERE id = %s",
        operation,
    )
    assert server.run(operation) == "done", server.error(operation)
    assert_gone(server, name, identity, hidden)


def test_a_database_without_our_mark_is_never_dropped(server, database):
    name, identity = database
    server.host.cluster.give_back(name)
    operation = server.submit("drop", name, {"uuid": identity, "final_backup": FINAL})
    assert server.run(operation) == "failed"
    assert server.host.cluster.exists(name)
    server.do("adopt", name)
    assert owned(server, identity) == {name: "hosted"}
