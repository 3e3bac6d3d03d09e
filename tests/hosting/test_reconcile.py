"""The reconciler: every difference is listed, what is offered repairs it, the rest is left alone."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hosting import reconcile
from hosting.names import hidden_name, template_name
from hosting.postgres import Mark
from hosting.reconcile import Difference
from hosting.routes import ACTIVE, SUSPENDED, Routes
from life_case import new_name
from operations import HostingServer

from fleetdev import postgres


@pytest.fixture(scope="module")
def server() -> Iterator[HostingServer]:
    with HostingServer("reconcile") as made:
        yield made


@pytest.fixture
def name(server) -> Iterator[str]:
    """Give the name of an active database with its files, route and record."""
    yield host(server, new_name("rec"))
    Routes(server.host.routes).replace_all({})
    server.sql("DELETE FROM saas_database")
    forget_operations(server)
    for made in server.databases():
        server.host.cluster.drop(made, server=server.uuid)
    for folder in server.folders():
        shutil.rmtree(server.host.filestore(folder))


def forget_operations(server: HostingServer) -> None:
    """Make every operation one that ended long ago and is written on its record."""
    server.sql("UPDATE saas_operation SET applied = true, ended = now() - interval '1 day'")


def make(server: HostingServer, name: str, kind: str, owner: str = "") -> str:
    """Make an empty database that carries a mark, with a folder of files; return its name."""
    hidden = hidden_name("test")
    mark = Mark(owner or server.uuid, kind, uuid=name)
    server.host.cluster.create_empty(hidden, mark=mark)
    if name:
        server.host.cluster.publish(hidden, name, mark=mark)
    server.host.filestore(name or hidden).mkdir()
    return name or hidden


def host(server: HostingServer, name: str) -> str:
    """Make an active database as an operation leaves it."""
    make(server, name, "hosted")
    Routes(server.host.routes).put(server.host.host_name(name), name)
    server.sql(
        "INSERT INTO saas_database (name, physical, uuid, state, purpose) "
        "VALUES (%s, %s, %s, 'active', 'customer')",
        name,
        name,
        name,
    )
    return name


def hidden(server: HostingServer, kind: str = "hidden", owner: str = "") -> str:
    return make(server, "", kind, owner)


def noted(server: HostingServer, physical: str) -> str:
    """Have an operation on record that ended after it had noted a hidden name; return the name."""
    operation = server.submit("check", "server", {"physical": physical})
    server.sql("UPDATE saas_operation SET state = 'failed' WHERE id = %s", operation)
    forget_operations(server)
    return physical


def found(server: HostingServer) -> set[tuple[str, str]]:
    """Return the differences; what others have on the same PostgreSQL is foreign and left out."""
    listed = reconcile.compare(server.host, reconcile.look(server.host))
    return {(one.what, one.name) for one in listed if one.what != "database_foreign"}


def repair_all(server: HostingServer) -> dict[str, Any]:
    return server.do("reconcile", "server", {"repair": True})["repair"]


def exists(server: HostingServer, name: str) -> bool:
    return server.host.cluster.exists(name)


def route(server: HostingServer, name: str) -> Any:
    return Routes(server.host.routes).load().get(server.host.host_name(name))


def test_where_all_is_in_order_nothing_is_listed(server, name):
    assert found(server) == set()


# --- what is repaired


def _close(server, name):
    server.host.cluster.allow(name, False)
    return "database_closed", name


def _lead_away(server, name):
    Routes(server.host.routes).put(server.host.host_name(name), "elsewhere")
    return "route_wrong", server.host.host_name(name)


def _suspend_route(server, name):
    Routes(server.host.routes).put(server.host.host_name(name), name, state=SUSPENDED)
    return "route_wrong", server.host.host_name(name)


def _remove_route(server, name):
    Routes(server.host.routes).remove(server.host.host_name(name))
    return "route_wrong", server.host.host_name(name)


def _add_route(server, _name):
    Routes(server.host.routes).put(server.host.host_name("nobody"), "nobody")
    return "route_unknown", server.host.host_name("nobody")


def _leave_clone(server, _name):
    return "leftover", noted(server, hidden(server))


def _leave_pool_clone(server, _name):
    return "leftover", noted(server, hidden(server, "pool"))


def _leave_template(server, _name):
    mark, made = Mark(server.uuid, "template"), template_name("test")
    server.host.cluster.create_empty(made, mark=mark)
    server.host.cluster.close_template(made)
    return "leftover", noted(server, made)


def _leave_unmarked(server, name):
    """Leave what a runner leaves that is killed between CREATE DATABASE and the mark."""
    left = noted(server, hidden(server))
    with postgres.cursor() as cr:
        cr.execute(f'COMMENT ON DATABASE "{left}" IS NULL')
    return "leftover", left


def _leave_folder(server, _name):
    left = noted(server, hidden_name("test"))
    (server.host.filestore(left) / "aa").mkdir(parents=True)
    return "folder_leftover", left


def _leave_half_removed(server, _name):
    left = f".removed-{hidden_name('test')}"
    (server.host.filestore(left) / "aa").mkdir(parents=True)
    return "folder_leftover", left


def _break_routes(server, _name):
    server.host.routes.write_text("{")
    return "routes_broken", server.host.routes.name


REPAIRED = (
    _break_routes,
    _close,
    _lead_away,
    _suspend_route,
    _remove_route,
    _add_route,
    _leave_clone,
    _leave_pool_clone,
    _leave_template,
    _leave_unmarked,
    _leave_folder,
    _leave_half_removed,
)


@pytest.mark.parametrize("spoil", REPAIRED, ids=lambda spoil: spoil.__name__)
def test_a_difference_is_listed_and_its_repair_ends_it(server, name, spoil: Callable) -> None:
    difference = spoil(server, name)
    assert found(server) == {difference}
    for one in reconcile.compare(server.host, reconcile.look(server.host)):
        if (one.what, one.name) == difference:
            assert one.repairable
            reconcile.repair(server.host, one)
    assert found(server) == set()
    assert exists(server, name)
    if difference[0] == "leftover":
        assert not exists(server, difference[1])
        assert not server.host.filestore(difference[1]).exists()
    assert (route(server, name).database, route(server, name).state) == (name, ACTIVE)


# --- what is only listed


def _drop_database(server, name):
    server.host.cluster.drop(name, server=server.uuid)
    server.host.filestore(name).rmdir()
    return "database_missing", name


def _drop_folder(server, name):
    server.host.filestore(name).rmdir()
    return "folder_missing", name


def _hide(server, name):
    with postgres.cursor() as cr:
        cr.execute(f'ALTER DATABASE "{name}" IS_TEMPLATE true')
    return "database_hidden", name


def _lose_record(server, _name):
    return "database_unknown", make(server, new_name("rec"), "hosted")


def _lose_suspended_record(server, _name):
    made = make(server, "", "hosted")
    mark = Mark(server.uuid, "hosted", uuid=str(uuid.uuid4()))
    server.host.cluster.set_mark(made, mark)
    return "database_suspended", made


def _lose_snapshot_record(server, _name):
    return "database_unknown", hidden(server, "snapshot")


def _forget_who_made_it(server, _name):
    """Go back to records that are older than a version of a template, or a clone."""
    return "database_unknown", hidden(server, "template")


def _forget_whose_files(server, _name):
    """Go back to a PostgreSQL that is older than the files of a suspended database."""
    left = hidden_name("suspended")
    (server.host.filestore(left) / "aa").mkdir(parents=True)
    return "folder_unknown", left


def _lose_routed_record(server, _name):
    made = make(server, new_name("rec"), "hosted")
    Routes(server.host.routes).put(server.host.host_name(made), made)
    return "database_unknown", made


def _add_folder(server, _name):
    name = new_name("rec")
    (server.host.filestore(name) / "aa").mkdir(parents=True)
    return "folder_unknown", name


LISTED = (
    _drop_database,
    _drop_folder,
    _hide,
    _lose_record,
    _lose_suspended_record,
    _lose_snapshot_record,
    _lose_routed_record,
    _forget_who_made_it,
    _forget_whose_files,
    _add_folder,
)


@pytest.mark.parametrize("spoil", LISTED, ids=lambda spoil: spoil.__name__)
def test_what_has_no_safe_repair_is_listed_and_left_alone(server, name, spoil: Callable) -> None:
    what, about = spoil(server, name)
    there = exists(server, about), server.host.filestore(about).exists()
    assert found(server) == {(what, about)}
    assert what not in reconcile.REPAIRS
    assert about not in repair_all(server)["repaired"]
    forget_operations(server)
    assert found(server) == {(what, about)}
    assert (exists(server, about), server.host.filestore(about).exists()) == there


def test_what_is_not_ours_is_never_touched(server, name):
    foreign = new_name("rec-foreign")
    other = str(uuid.uuid4())
    theirs = hidden(server, owner=other)
    unmarked = hidden(server)
    with postgres.cursor() as cr:
        cr.execute(f'CREATE DATABASE "{foreign}"')
        cr.execute(f'COMMENT ON DATABASE "{unmarked}" IS NULL')
    try:
        listed = reconcile.compare(server.host, reconcile.look(server.host))
        named = {one.name: one.what for one in listed}
        assert named[foreign] == "database_foreign"
        assert not {theirs, unmarked} & set(named)
        touched = repair_all(server)
        assert touched["failed"] == {}
        assert not {theirs, unmarked, foreign} & set(touched["repaired"])
        assert all(exists(server, each) for each in (foreign, theirs, unmarked))
        for each in (theirs, foreign):
            reconcile.repair(server.host, Difference("leftover", each, "hidden"))
            with pytest.raises(reconcile.HostingError, match=each):
                reconcile.REPAIRS["leftover"](server.host, Difference("leftover", each, "hidden"))
        assert all(exists(server, each) for each in (foreign, theirs))
    finally:
        with postgres.cursor() as cr:
            cr.execute(f'DROP DATABASE "{foreign}"')
        server.host.cluster.drop(theirs, server=other)
        server.host.cluster.drop(unmarked, server=server.uuid)


def test_what_the_operator_calls_others_is_not_told_and_hides_nothing_else(server, name):
    known, unknown = new_name("rec-theirs"), new_name("rec-foreign")
    ours = make(server, new_name("rec-ours"), "hosted")
    told = replace(server.host, others=("wiki", "rec-theirs*"))
    everything = replace(server.host, others=("*",))
    with postgres.cursor() as cr:
        for each in (known, unknown):
            cr.execute(f'CREATE DATABASE "{each}"')
    try:
        seen = reconcile.look(server.host)
        named = {one.name: one.what for one in reconcile.compare(told, seen)}
        assert named.get(unknown) == "database_foreign"
        assert named.get(ours) == "database_unknown"
        assert known not in named
        # What carries this server's mark is told whatever the operator says.
        named = {one.name: one.what for one in reconcile.compare(everything, seen)}
        assert named == {ours: "database_unknown"}
    finally:
        with postgres.cursor() as cr:
            for each in (known, unknown):
                cr.execute(f'DROP DATABASE "{each}"')


def test_no_repair_touches_what_is_visible(server, name):
    _what, folder = _add_folder(server, name)
    for what, about in (("leftover", name), ("folder_leftover", name), ("folder_leftover", folder)):
        with pytest.raises(reconcile.HostingError, match=about):
            reconcile.REPAIRS[what](server.host, Difference(what, about))
    assert exists(server, name)
    assert server.host.filestore(name).exists() and server.host.filestore(folder).exists()


# --- operations


def test_leftovers_go_by_themselves_and_other_repairs_wait_to_be_chosen(server, name):
    left = noted(server, hidden(server))
    _close(server, name)
    _what, unknown = _add_route(server, name)
    done = server.do("reconcile", "server", {"names": [name]})
    assert set(done["repair"]["repaired"]) == {left, name}
    assert found(server) == {("route_unknown", unknown)}


def test_a_repair_that_cannot_be_done_hides_no_other_difference(server, name):
    stuck, left = noted(server, hidden_name("test")), noted(server, hidden(server))
    server.host.filestore(stuck).write_text("a file where a folder was")
    done = server.do("reconcile", "server")["repair"]
    server.host.filestore(f".removed-{stuck}").unlink()
    assert done["repaired"] == [left]
    assert "Not a directory" in done["failed"][stuck]


def test_a_repair_that_is_killed_is_finished_by_the_next_runner(server, name):
    left = noted(server, hidden(server))
    operation = server.submit("reconcile", "server")
    assert server.run(operation, "reconcile.leftover=kill") == "killed"
    assert exists(server, left)
    assert server.run(operation) == "done", server.error(operation)
    assert found(server) == set()


def test_a_suspended_database_is_no_difference_and_keeps_its_message(server, name):
    suspend(server, name)
    assert found(server) == set()
    Routes(server.host.routes).put(server.host.host_name(name), "x", state=SUSPENDED, message="May")
    repair_all(server)
    assert (route(server, name).database, route(server, name).message) == (name, "May")


def suspend(server: HostingServer, name: str) -> None:
    """Suspend a database and write that on its record, as the addon does."""
    operation = server.submit("suspend", name, {"uuid": name, "reason": "unpaid"})
    assert server.run(operation) == "done", (server.error(operation), server.last_error)
    physical = server.evidence(operation)["hide"]["physical"]
    server.sql(
        "UPDATE saas_database SET physical = %s, state = 'suspended' WHERE name = %s",
        physical,
        name,
    )
    server.sql("UPDATE saas_operation SET applied = true WHERE id = %s", operation)


@pytest.mark.parametrize("place", ["place.hide", "place.hidden", "suspend.hide.after"])
def test_what_an_unfinished_operation_works_on_is_not_reported(server, name, place):
    operation = server.submit("suspend", name, {"uuid": name})
    assert server.run(operation, f"{place}=kill") == "killed"
    assert found(server) == set()
    assert repair_all(server)["repaired"] == []
    assert server.run(operation) == "done", server.error(operation)


def test_files_that_an_operation_is_removing_are_left_to_it(server, name):
    left = hidden_name("test")
    (server.host.filestore(f".removed-{left}") / "aa").mkdir(parents=True)
    operation = server.submit("check", "server", {"physical": left})
    assert found(server) == set()
    assert server.run(operation) == "done"
    forget_operations(server)
    assert found(server) == {("folder_leftover", f".removed-{left}")}


def test_a_route_that_an_operation_has_just_made_is_not_reported(server, name):
    _what, host_name = _add_route(server, name)
    operation = server.submit("create", "nobody", {"uuid": str(uuid.uuid4())})
    assert found(server) == set()
    server.sql("UPDATE saas_operation SET state = 'failed' WHERE id = %s", operation)
    forget_operations(server)
    assert found(server) == {("route_unknown", host_name)}


def test_what_ended_between_looking_and_comparing_is_not_reported(server, name, monkeypatch):
    def end_meanwhile(_place: str) -> None:
        monkeypatch.setattr(reconcile, "failpoint", lambda _place: None)
        suspend(server, name)

    monkeypatch.setattr(reconcile, "failpoint", end_meanwhile)
    assert found(server) == set()
    assert route(server, name).state == SUSPENDED, "it did end meanwhile"
    assert found(server) == set()


def test_a_difference_that_is_no_more_is_not_repaired(server, name):
    ready = noted(server, hidden(server, "pool"))
    listed = Difference("leftover", ready, "pool")
    assert ("leftover", ready) in found(server)
    server.sql(
        "INSERT INTO saas_pool_clone (physical, source, state) VALUES (%s, 'x', 'ready')", ready
    )
    reconcile.repair(server.host, listed)
    assert exists(server, ready)
    server.sql("DELETE FROM saas_pool_clone")
    reconcile.repair(server.host, listed)
    assert not exists(server, ready)


def test_a_suspended_database_without_a_record_is_listed_with_the_name_of_its_address(server, name):
    lost = new_name("rec")
    identity = server.host_database(lost)
    url = server.host.url(lost)
    server.sql_in(lost, "UPDATE ir_config_parameter SET value = %s WHERE key = 'web.base.url'", url)
    server.do("suspend", lost, {"uuid": identity})
    forget_operations(server)
    server.sql("DELETE FROM saas_operation_step")
    server.sql("DELETE FROM saas_operation")
    listed = reconcile.compare(server.host, reconcile.look(server.host))
    ours = [one for one in listed if one.what != "database_foreign"]
    assert [(one.what, one.more, one.repairable) for one in ours] == [
        ("database_suspended", lost, False)
    ]
    Routes(server.host.routes).remove(server.host.host_name(lost))
