"""Databases that somebody else made are taken in, and let go again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace

import pytest
from deaths import forward, kill
from hosting import files
from hosting.postgres import Mark
from hosting.routes import Routes
from life_case import ask, assert_hidden, assert_served, new_name, owned, states
from making import drop as forget
from operations import HostingServer

from fleetdev import databases, postgres


@pytest.fixture(scope="module")
def server() -> Iterator[HostingServer]:
    with HostingServer("adopt") as made:
        made.serve("--log-level=warn")
        yield made


@pytest.fixture
def foreign(server) -> Iterator[str]:
    """An Odoo database of our PostgreSQL role that no hosting server made."""
    name = new_name("foreign")
    source = databases.template("base")
    copy(server, source, name)
    files.copy_tree(databases.filestore(source), server.host.filestore(name))
    server.sql_in(
        name,
        "UPDATE ir_config_parameter SET value = %s WHERE key = 'database.uuid'",
        str(uuid.uuid4()),
    )
    yield name
    drop(server, name)


def copy(server, source: str, name: str) -> None:
    with server.host.cluster.cursor() as cr:
        cr.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')


def drop(server, name: str) -> None:
    with server.host.cluster.cursor() as cr:
        postgres.force_drop(cr, name)


def public_may_connect(server, name: str) -> bool:
    query = "SELECT has_database_privilege('public', %s, 'CONNECT')"
    return server.sql_in("postgres", query, name)[0][0]


def identity_of(server, name: str) -> str:
    query = "SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'"
    return server.sql_in(name, query)[0][0]


def refused(server, name: str, says: str = "") -> str:
    operation = server.submit("adopt", name)
    assert server.run(operation) == "failed"
    assert states(server, name) == []
    code, sentence = server.error(operation)
    assert says in sentence
    return code


def install(server, name: str, module: str) -> None:
    """Let a database say that it has a module."""
    server.sql_in(name, "DELETE FROM ir_module_module WHERE name = %s", module)
    query = "UPDATE ir_module_module SET name = %s, state = 'to upgrade' WHERE name = 'base_import'"
    server.sql_in(name, query, module)


def identify(server, name: str, identity: str) -> None:
    query = "UPDATE ir_config_parameter SET value = %s WHERE key = 'database.uuid'"
    server.sql_in(name, query, identity)


def test_an_adopted_database_keeps_its_identity_and_answers_at_its_host_name(server, foreign):
    assert public_may_connect(server, foreign)
    done = server.do("adopt", foreign)
    identity = identity_of(server, foreign)
    assert done["check"]["identity"] == identity
    assert_served(server, foreign, identity)
    assert not public_may_connect(server, foreign)
    assert ask(server, foreign).status_code == 200


def test_a_released_database_is_as_it_was_before_it_was_adopted(server, foreign):
    server.do("adopt", foreign)
    identity = identity_of(server, foreign)
    server.do("release", foreign, {"uuid": identity})
    assert owned(server, identity) == {}
    assert server.host.cluster.exists(foreign)
    assert public_may_connect(server, foreign)
    assert states(server, foreign) == []
    assert any(server.host.filestore(foreign).glob("*/*"))


@pytest.mark.parametrize("places", forward("adopt"))
def test_an_adoption_killed_anywhere_is_finished_by_the_next_runner(server, foreign, places):
    operation = server.submit("adopt", foreign)
    kill(server.run, operation, places)
    assert server.run(operation) == "done", server.error(operation)
    assert_served(server, foreign, identity_of(server, foreign))


def test_an_adoption_that_fails_lets_the_database_go_again(server, foreign):
    operation = server.submit("adopt", foreign)
    assert server.run(operation, "adopt.first_request.before=error") == "failed"
    assert server.host.cluster.facts(foreign).mark is None
    assert public_may_connect(server, foreign)
    assert states(server, foreign) == []


def test_a_database_with_snapshots_is_not_released(server, foreign):
    server.do("adopt", foreign)
    identity = identity_of(server, foreign)
    server.do("snapshot", foreign, {"uuid": identity})
    operation = server.submit("release", foreign, {"uuid": identity})
    assert server.run(operation) == "failed"
    assert server.error(operation)[0] == "has_snapshots"
    assert owned(server, identity)[foreign] == "hosted"


def test_a_database_that_is_hosted_already_is_not_adopted_again(server):
    name = new_name()
    identity = server.host_database(name)
    query = (
        "INSERT INTO saas_database (name, physical, uuid, state, purpose) "
        "VALUES (%s, %s, %s, 'active', 'customer')"
    )
    server.sql(query, name, name, identity)
    operation = server.submit("adopt", name)
    assert server.run(operation) == "failed"
    assert server.error(operation)[0] == "already_ours"
    assert_served(server, name, identity)


def test_a_database_that_older_records_know_nothing_of_is_adopted_again(server):
    name = new_name()
    identity = server.host_database(name)
    operation = server.submit("adopt", name)
    assert server.run(operation, "adopt.first_request.before=error") == "failed"
    assert_served(server, name, identity)
    assert server.do("adopt", name)["check"]["identity"] == identity
    assert_served(server, name, identity)
    assert ask(server, name).status_code == 200


@pytest.fixture
def suspended(server) -> Iterator[tuple[str, str, str]]:
    """Give a suspended database that no record knows: its former name, its hidden one, its identity."""
    name = new_name("rest")
    identity = server.host_database(name)
    server.do("suspend", name, {"uuid": identity, "reason": "Back on Monday"})
    (hidden,) = owned(server, identity)
    yield name, hidden, identity
    server.sql("DELETE FROM saas_database WHERE uuid = %s", identity)
    forget(server, name, *owned(server, identity))


def test_a_suspended_database_that_older_records_know_nothing_of_is_adopted_and_resumed(
    server, suspended
):
    name, hidden, identity = suspended
    # Its own administrator may have changed what he can reach.
    identify(server, hidden, str(uuid.uuid4()))
    done = server.do("adopt", name, {"hidden": hidden})
    assert done["check"]["identity"] == identity
    assert assert_hidden(server, name, identity) == hidden
    (route,) = (r for r in Routes(server.host.routes).load().values() if r.database == name)
    assert route.message == "Back on Monday"
    server.do("resume", name, {"uuid": identity})
    assert_served(server, name, identity)
    assert ask(server, name).status_code == 200


@pytest.mark.parametrize("places", forward("adopt"))
def test_an_adoption_of_a_suspended_one_killed_anywhere_is_finished(server, suspended, places):
    name, hidden, identity = suspended
    operation = server.submit("adopt", name, {"hidden": hidden})
    kill(server.run, operation, places)
    assert server.run(operation) == "done", server.error(operation)
    assert assert_hidden(server, name, identity) == hidden


def test_an_adoption_of_a_suspended_one_that_fails_leaves_it_as_it_was(server, suspended):
    name, hidden, identity = suspended
    before = server.databases()[hidden].mark
    operation = server.submit("adopt", name, {"hidden": hidden})
    assert server.run(operation, "adopt.first_request.before=error") == "failed"
    assert server.databases()[hidden].mark == before
    assert assert_hidden(server, name, identity) == hidden


def test_only_a_suspended_database_without_a_record_comes_back_from_hiding(server, suspended):
    name, hidden, identity = suspended
    cluster = server.host.cluster
    mark = cluster.facts(hidden).mark

    def tried(target: str = name) -> str:
        operation = server.submit("adopt", target, {"hidden": hidden})
        assert server.run(operation) == "failed"
        assert set(owned(server, identity)) <= {hidden}
        return server.error(operation)[0]

    for kind, code in (("snapshot", "not_ours"), ("hidden", "not_ours"), ("pool", "not_ours")):
        cluster.set_mark(hidden, replace(mark, kind=kind))
        assert tried() == code
    cluster.set_mark(hidden, replace(mark, server=str(uuid.uuid4())))
    assert tried() == "other_server"
    cluster.set_mark(hidden, mark)
    other = new_name("other")
    server.host_database(other)
    assert tried(other) == "name_taken"
    query = "INSERT INTO saas_database (name, uuid, state, purpose) VALUES (%s, %s, %s, 'customer')"
    server.sql(query, name, identity, "suspended")
    assert tried() == "already_ours"
    # What could not be made has no database of its own.
    server.sql("UPDATE saas_database SET state = 'failed' WHERE uuid = %s", identity)
    server.do("adopt", name, {"hidden": hidden})


def test_a_database_of_another_hosting_server_is_not_adopted(server, foreign):
    with server.host.cluster.cursor() as cr:
        server.host.cluster.set_mark(foreign, Mark(str(uuid.uuid4()), "hosted"), cr)
    assert refused(server, foreign) == "other_server"


def test_a_plain_copy_of_a_hosted_database_is_not_adopted(server, foreign):
    server.do("adopt", foreign)
    server.do("suspend", foreign, {"uuid": identity_of(server, foreign)})
    (hidden,) = [n for n in server.databases() if n.startswith("fleet_x_suspended")]
    name = new_name("foreign")
    copy(server, hidden, name)
    try:
        assert refused(server, name) == "same_identity"
    finally:
        drop(server, name)


def test_a_database_without_odoo_or_with_another_release_is_not_adopted(server, foreign):
    name = new_name("foreign")
    copy(server, "template0", name)
    try:
        assert refused(server, name) == "not_odoo_19"
    finally:
        drop(server, name)
    server.sql_in(
        foreign, "UPDATE ir_module_module SET latest_version = '18.0.1.3' WHERE name = 'base'"
    )
    assert refused(server, foreign) == "not_odoo_19"


def test_a_database_with_a_module_that_has_no_folder_here_is_not_adopted(server, foreign):
    server.sql_in(
        foreign, "INSERT INTO ir_module_module (name, state) VALUES ('lost_module', 'installed')"
    )
    assert refused(server, foreign) == "module_missing"


def test_a_control_database_is_not_adopted(server, foreign):
    server.sql_in(
        foreign,
        "UPDATE ir_module_module SET state = 'installed' WHERE name = 'fleet_saas_server'; "
        "INSERT INTO ir_module_module (name, state) SELECT 'fleet_saas_server', 'installed' "
        "WHERE NOT EXISTS (SELECT FROM ir_module_module WHERE name = 'fleet_saas_server')",
    )
    assert refused(server, foreign) == "control_database"


CONTROL = ("fleet_databases", "fleet_saas_portal", "fleet_saas_server")


@pytest.mark.parametrize("module", CONTROL)
def test_a_database_that_looks_after_others_is_not_adopted(server, foreign, module):
    install(server, foreign, module)
    assert refused(server, foreign, f"({module} is installed in it)") == "control_database"


def test_a_database_that_looks_after_others_is_not_dropped(server, foreign):
    server.do("adopt", foreign)
    identity = identity_of(server, foreign)
    install(server, foreign, "fleet_databases")
    request = {"uuid": identity, "final_backup": {"verified": True}}
    operation = server.submit("drop", foreign, request)
    assert server.run(operation) == "failed"
    assert server.error(operation)[0] == "control_database"
    assert_served(server, foreign, identity)


@pytest.mark.parametrize("identity", ["../../somewhere", "ACME", "/var/lib"])
def test_an_identity_that_could_lead_to_another_folder_is_not_adopted(server, foreign, identity):
    identify(server, foreign, identity)
    assert refused(server, foreign, identity) == "bad_identity"


def test_the_identity_of_a_database_that_was_dropped_here_is_not_adopted_again(server, foreign):
    server.sql(
        "INSERT INTO saas_database (name, uuid, state, purpose) "
        "VALUES ('former', %s, 'dropped', 'customer')",
        identity_of(server, foreign),
    )
    assert refused(server, foreign, "former") == "identity_known"


def test_of_two_databases_with_one_identity_none_is_chosen(server):
    name, twin = new_name(), new_name("twin")
    identity = server.host_database(name)
    copy(server, name, twin)
    with server.host.cluster.cursor() as cr:
        server.host.cluster.set_mark(twin, Mark(server.uuid, "hosted", uuid=identity), cr)
    for kind, request in (("suspend", {}), ("drop", {"final_backup": {"verified": True}})):
        operation = server.submit(kind, name, {"uuid": identity} | request)
        assert server.run(operation) == "failed"
        code, sentence = server.error(operation)
        assert code == "identity_twice"
        assert name in sentence and twin in sentence
        assert set(owned(server, identity)) == {name, twin}
    drop(server, twin)
    assert_served(server, name, identity)
