"""Snapshots of live databases, the way back to them, and work on modules that uses it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from deaths import back, forward, in_turn, kill
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

MODULE = "auth_password_policy"
BROKEN = {
    "__manifest__.py": "{'name': 'Broken', 'depends': ['base'], 'data': ['data.xml']}",
    "__init__.py": "",
    "data.xml": '<odoo><record id="x" model="no.such.model"><field name="a">1</field></record></odoo>',
}
SETTING = "SELECT value FROM ir_config_parameter WHERE key = 'test.moment'"


@pytest.fixture(scope="module")
def server() -> Iterator[HostingServer]:
    with HostingServer("going_back") as made:
        more = made.folder / "more_addons"
        for file, text in BROKEN.items():
            (more / "broken_module").mkdir(parents=True, exist_ok=True)
            (more / "broken_module" / file).write_text(text)
        made.more_addons = [str(more)]
        made.serve("--log-level=warn")
        yield made


@pytest.fixture
def database(server) -> tuple[str, str]:
    name = new_name("back")
    return name, server.host_database(name)


def put(server, name: str, moment: str) -> None:
    server.sql_in(
        name,
        "INSERT INTO ir_config_parameter (key, value) VALUES ('test.moment', %s) "
        "ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value",
        moment,
    )


def take(server, name: str, identity: str) -> str:
    return server.do("snapshot", name, {"uuid": identity})["take"]["physical"]


def assert_exchanged(server, name: str, identity: str) -> str:
    """Check that the database is served and one snapshot of it is kept; return the snapshot."""
    kinds = owned(server, identity)
    assert kinds.pop(name) == "hosted"
    ((snapshot, kind),) = kinds.items()
    assert kind == "snapshot"
    facts = server.databases()
    assert (facts[name].is_template, facts[name].allows_connections) == (False, True)
    assert facts[snapshot].is_template
    assert folders(server, name, snapshot) == {name, snapshot}
    assert set(states(server, name)) == {"active"}
    assert set(server.folders()) <= set(server.databases())
    return snapshot


# --- snapshots


def test_a_snapshot_of_a_database_in_use_takes_a_moment_and_ends_with_it_open(server, database):
    name, identity = database
    put(server, name, "before")
    assert ask(server, name).status_code == 200
    taken = server.do("snapshot", name, {"uuid": identity})["take"]
    assert taken["size"] > 1_000_000
    assert taken["paused_s"] < 3
    assert assert_exchanged(server, name, identity) == taken["physical"]
    assert server.sql_in(taken["physical"], SETTING) == [("before",)]
    assert ask(server, name).status_code == 200


def test_files_that_come_while_the_others_are_linked_are_in_the_snapshot(server, database):
    name, identity = database
    late = server.host.filestore(name) / "ab" / ("ab" * 20)
    operation = server.submit("snapshot", name, {"uuid": identity})
    child = server.start(operation, "pause.noted=sleep:3")
    until = time.monotonic() + 60
    while "paused" not in server.evidence(operation)["take"] and time.monotonic() < until:
        time.sleep(0.05)
    late.parent.mkdir(exist_ok=True)
    late.write_text("late")
    assert server.finish(child) == "done"
    taken = server.evidence(operation)["take"]["physical"]
    assert (server.host.filestore(taken) / "ab" / ("ab" * 20)).read_text() == "late"


def test_a_suspended_database_has_its_snapshot_taken_without_being_opened(server, database):
    name, identity = database
    server.do("suspend", name, {"uuid": identity})
    taken = take(server, name, identity)
    server.do("snapshot_drop", name, {"uuid": identity, "snapshot": taken})
    assert_hidden(server, name, identity)


@pytest.mark.parametrize(
    "places",
    forward("snapshot", take=("snapshot.noted", "pause.noted", "pause.inside", "snapshot.copied")),
)
def test_a_snapshot_killed_anywhere_is_taken_again_and_leaves_one(server, database, places):
    name, identity = database
    operation = server.submit("snapshot", name, {"uuid": identity})
    kill(server.run, operation, places)
    assert server.run(operation) == "done", server.error(operation)
    assert_exchanged(server, name, identity)


def test_a_snapshot_that_fails_leaves_the_database_open_and_nothing_else(server, database):
    name, identity = database
    operation = server.submit("snapshot", name, {"uuid": identity})
    assert server.run(operation, "snapshot.copied=error") == "failed"
    assert_served(server, name, identity)


def test_only_a_snapshot_of_this_database_is_dropped_or_gone_back_to(server, database):
    name, identity = database
    other = new_name("back")
    other_identity = server.host_database(other)
    theirs = take(server, other, other_identity)
    for kind in ("revert", "snapshot_drop"):
        operation = server.submit(kind, name, {"uuid": identity, "snapshot": theirs})
        assert server.run(operation) == "failed"
        assert server.error(operation)[0] == "not_snapshot"
    assert_exchanged(server, other, other_identity)
    assert_served(server, name, identity)


# --- going back


def test_going_back_serves_the_old_moment_and_keeps_the_replaced_one(server, database):
    name, identity = database
    put(server, name, "before")
    taken = take(server, name, identity)
    put(server, name, "after")
    assert ask(server, name).status_code == 200
    server.do("revert", name, {"uuid": identity, "snapshot": taken})
    assert server.sql_in(name, SETTING) == [("before",)]
    replaced = assert_exchanged(server, name, identity)
    assert server.sql_in(replaced, SETTING) == [("after",)]
    assert ask(server, name).status_code == 200
    server.do("snapshot_drop", name, {"uuid": identity, "snapshot": replaced})
    assert_served(server, name, identity)


@pytest.mark.parametrize(
    "places",
    forward("revert", swap=("place.hide", "place.hidden", "place.swap", "place.files_shown")),
)
def test_going_back_killed_anywhere_is_finished_by_the_next_runner(server, database, places):
    name, identity = database
    put(server, name, "before")
    taken = take(server, name, identity)
    put(server, name, "after")
    operation = server.submit("revert", name, {"uuid": identity, "snapshot": taken})
    kill(server.run, operation, places)
    assert server.run(operation) == "done", server.error(operation)
    assert server.sql_in(name, SETTING) == [("before",)]
    assert_exchanged(server, name, identity)


@pytest.mark.parametrize(
    "places", back("revert", swap=("place.hidden", "place.swap", "place.files_shown"))
)
def test_going_back_that_fails_ends_with_everything_as_before(server, database, places):
    name, identity = database
    put(server, name, "before")
    taken = take(server, name, identity)
    put(server, name, "after")
    operation = server.submit("revert", name, {"uuid": identity, "snapshot": taken})
    assert server.run(operation, "revert.swap.after=kill") == "killed"
    kill(server.run, operation, places, failing="revert.swap.after=error")
    assert server.run(operation, "revert.swap.after=error") == "failed"
    assert server.sql_in(name, SETTING) == [("after",)]
    assert assert_exchanged(server, name, identity) == taken


def test_a_protected_database_does_not_go_back(server, database):
    name, identity = database
    taken = take(server, name, identity)
    protect(server, name, identity)
    operation = server.submit("revert", name, {"uuid": identity, "snapshot": taken})
    assert server.run(operation) == "failed"
    assert server.error(operation)[0] == "protected"


# --- modules


def work(server, name: str, identity: str, action: str, module: str, **more) -> int:
    request = {"uuid": identity, "action": action, "modules": [module], "keep_hours": 0} | more
    return server.submit("modules", name, request)


def module_state(server, name: str, module: str) -> str:
    query = "SELECT state FROM ir_module_module WHERE name = %s"
    return (server.sql_in(name, query, module) or [("unknown",)])[0][0]


def test_modules_are_installed_upgraded_and_uninstalled_and_no_snapshot_is_left(server, database):
    name, identity = database
    for action, state in (
        ("install", "installed"),
        ("upgrade", "installed"),
        ("uninstall", "uninstalled"),
    ):
        operation = work(server, name, identity, action, MODULE)
        assert server.run(operation) == "done", server.error(operation)
        assert module_state(server, name, MODULE) == state
        assert_served(server, name, identity)
    assert ask(server, name).status_code == 200


def test_a_module_that_fails_to_install_leaves_the_database_as_it_was(server, database):
    name, identity = database
    put(server, name, "before")
    operation = work(server, name, identity, "install", "broken_module")
    seen = []

    def visit() -> None:
        until = time.monotonic() + 60
        while server.state(operation) in ("queued", "running", "undoing"):
            seen.append(ask(server, name).status_code)
            time.sleep(0.3)
            assert time.monotonic() < until

    visitor = threading.Thread(target=visit)
    child = server.start(operation)
    visitor.start()
    assert server.finish(child) == "failed"
    visitor.join()
    assert server.error(operation)[0] == "odoo_failed"
    assert "broken_module" in server.error(operation)[1]
    assert module_state(server, name, "broken_module") in ("unknown", "uninstalled")
    assert server.sql_in(name, SETTING) == [("before",)]
    assert_served(server, name, identity)
    assert 503 in seen
    assert ask(server, name).status_code == 200


@pytest.mark.parametrize("places", forward("modules", without=("work",)))
def test_work_on_modules_killed_around_the_work_is_finished(server, database, places):
    name, identity = database
    operation = work(server, name, identity, "install", MODULE)
    kill(server.run, operation, places)
    assert server.run(operation) == "done", server.error(operation)
    assert module_state(server, name, MODULE) == "installed"
    assert_served(server, name, identity)


@pytest.mark.parametrize(
    "places", in_turn("modules.began", "modules.worked", "modules.work.after", most=1)
)
def test_work_on_modules_that_is_interrupted_ends_as_it_was_before(server, database, places):
    name, identity = database
    operation = work(server, name, identity, "install", MODULE)
    kill(server.run, operation, places)
    assert server.run(operation) == "failed"
    assert server.error(operation)[0] == "modules_interrupted"
    assert module_state(server, name, MODULE) == "uninstalled"
    assert_served(server, name, identity)


@pytest.mark.parametrize(
    "places",
    back(
        "modules",
        work=("place.hidden", "place.files_shown", "modules.went_back", "place.dropped"),
    ),
)
def test_the_way_back_from_modules_survives_being_killed(server, database, places):
    name, identity = database
    operation = work(server, name, identity, "install", MODULE)
    kill(server.run, operation, places, failing="modules.began=error")
    assert server.run(operation) == "failed"
    assert_served(server, name, identity)


def test_work_on_modules_is_not_taken_back_from_people_who_have_logged_in_since(server, database):
    name, identity = database
    operation = work(server, name, identity, "install", MODULE, keep_hours=24)
    assert server.run(operation, "modules.open.before=kill") == "killed"
    server.sql_in(
        name,
        "INSERT INTO res_users_log (create_uid, create_date) "
        "VALUES (2, now() AT TIME ZONE 'utc') RETURNING id",
    )
    server.sql("UPDATE saas_operation SET started = started - interval '3 days'")
    assert server.run(operation) == "failed"
    code, words = server.error(operation)
    assert code == "undo_failed" and "in use" in words
    assert module_state(server, name, MODULE) == "installed"
    assert sorted(owned(server, identity).values()) == ["hosted", "snapshot"]
    assert ask(server, name).status_code == 200


def test_when_the_way_back_fails_too_the_snapshot_stays_and_nobody_is_let_in(server, database):
    name, identity = database
    operation = work(server, name, identity, "install", MODULE)
    assert server.run(operation, "modules.began=error,place.hide=error") == "failed"
    assert server.error(operation)[0] == "undo_failed"
    assert sorted(owned(server, identity).values()) == ["hosted", "snapshot"]
    assert set(states(server, name)) == {"maintenance"}


def test_when_the_first_page_fails_the_work_is_taken_back(server, database):
    name, identity = database
    operation = work(server, name, identity, "install", MODULE)
    assert server.run(operation, "http_check.first_page=error") == "failed"
    assert module_state(server, name, MODULE) == "uninstalled"
    assert_served(server, name, identity)


def test_the_snapshot_before_the_work_is_kept_when_it_is_asked_for(server, database):
    name, identity = database
    operation = work(server, name, identity, "install", MODULE, keep_hours=2)
    assert server.run(operation) == "done", server.error(operation)
    kept = assert_exchanged(server, name, identity)
    assert server.evidence(operation)["forget"]["kept"] == kept
    assert module_state(server, kept, MODULE) == "uninstalled"


@pytest.mark.parametrize(
    ("action", "module", "code"),
    [
        ("install", "no_such_module", "module_unknown"),
        ("upgrade", MODULE, "module_not_installed"),
        ("uninstall", MODULE, "module_not_installed"),
        ("uninstall", "base", "module_needed"),
    ],
)
def test_work_that_cannot_be_done_is_refused_before_anybody_is_shut_out(
    server, database, action, module, code
):
    name, identity = database
    operation = work(server, name, identity, action, module)
    assert server.run(operation) == "failed"
    assert server.error(operation)[0] == code
    assert server.steps(operation)["close"] == "pending"


def test_what_would_take_along_a_module_that_the_server_needs_is_not_uninstalled(server):
    name = new_name("back")
    identity = server.host_database(name, "hosted")
    # The app of the server's depends on mail, and mail on this one.
    operation = work(server, name, identity, "uninstall", "bus")
    assert server.run(operation) == "failed"
    code, words = server.error(operation)
    assert code == "module_needed_by"
    assert "bus cannot be uninstalled: fleet_saas_client would go with it" in words
    assert server.steps(operation)["close"] == "pending"


def test_a_protected_database_loses_no_module_but_may_be_upgraded(server, database):
    name, identity = database
    protect(server, name, identity)
    operation = work(server, name, identity, "uninstall", "contacts")
    assert server.run(operation) == "failed"
    assert server.error(operation)[0] == "protected"
    assert Path(server.host.filestore(name)).exists()
