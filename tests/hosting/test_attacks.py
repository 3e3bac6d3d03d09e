"""Requests that came too early, too late or twice: none may reach a database that is not its own."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator

import pytest
from hosting.contract import check_arguments
from hosting.files import move_tree
from hosting.journal import SqlJournal
from hosting.kinds import KINDS
from hosting.names import hidden_name
from hosting.personalise import password_hash
from hosting.template_names import edit_name, target_of
from life_case import assert_served, folders, new_name, owned
from making import create_request, drop, hidden, publish_template
from operations import HostingServer


@pytest.fixture(scope="module")
def server() -> Iterator[HostingServer]:
    with HostingServer("attacks") as made:
        yield made


@pytest.fixture
def database(server) -> Iterator[tuple[str, str]]:
    name = new_name("attack")
    identity = server.host_database(name, "tiny")
    yield name, identity
    drop(server, *owned(server, identity))


def refused(server: HostingServer, operation: int, secrets: dict[str, str] | None = None) -> str:
    """Run an operation that must fail; return the code of its error."""
    assert server.run(operation, secrets=secrets) == "failed"
    return server.error(operation)[0]


def test_a_drop_that_was_asked_for_before_the_database_was_open_again_does_nothing(
    server, database
):
    name, identity = database
    request = {"uuid": identity, "final_backup": {"verified": True}}
    archived = server.do("archive", name, {"uuid": identity})["hide"]["physical"]
    again = hidden_name("suspended")
    server.host.cluster.rename(archived, again, mark=server.databases()[archived].mark)
    move_tree(server.host.filestore(archived), server.host.filestore(again))
    operation = server.submit("drop", name, request | {"archived": archived})
    assert refused(server, operation) == "no_final_backup"
    assert owned(server, identity) == {again: "hosted"}


@pytest.mark.parametrize("kind", ["revert", "restore"])
def test_nothing_takes_the_place_of_a_database_that_was_suspended_meanwhile(server, database, kind):
    name, identity = database
    taken = server.do("snapshot", name, {"uuid": identity})["take"]["physical"]
    suspended = server.do("suspend", name, {"uuid": identity})["hide"]["physical"]
    request = {"uuid": identity, "snapshot": taken, "backup": "first-backup", "repositories": []}
    assert refused(server, server.submit(kind, name, request)) == "no_database"
    assert owned(server, identity) == {suspended: "hosted", taken: "snapshot"}


def test_a_restore_never_replaces_another_database_that_has_the_name_now(server, database):
    name, identity = database
    request = {"backup": "first-backup", "repositories": []}
    gone = server.submit("restore", name, request | {"uuid": str(uuid.uuid4())})
    assert refused(server, gone) == "name_taken"
    assert owned(server, identity) == {name: "hosted"}


def test_a_protected_database_is_not_restored_over(server, database):
    name, identity = database
    server.sql(
        "INSERT INTO saas_database (name, uuid, state, purpose, is_protected) "
        "VALUES (%s, %s, 'active', 'customer', true)",
        name,
        identity,
    )
    request = {"uuid": identity, "backup": "first-backup", "repositories": []}
    assert refused(server, server.submit("restore", name, request)) == "protected"


def test_a_backup_never_saves_another_database_that_has_the_name_now(server, database):
    from hosting import manifest

    name, _identity = database
    other = str(uuid.uuid4())
    key = manifest.new_key()
    location = server.folder / "backups" / other
    request = {
        "uuid": other,
        "physical": name,
        "purpose": "customer",
        "backup": "other-backup",
        "repositories": [{"id": 1, "location": str(location), "remote": False}],
        "public_keys": [manifest.public_pem(key)],
        "keep": {"last": 4},
        "never": [],
    }
    secrets = {
        "repository.1.password": "correct horse",
        "signing_key": manifest.private_text(key),
    }
    operation = server.submit("backup", name, request)
    assert refused(server, operation, secrets) == "no_database"
    assert not list((location / "snapshots").iterdir())


def test_a_copy_is_never_made_of_another_database_that_has_the_name_of_its_source_now(
    server, database
):
    source, _identity = database
    request = create_request(source, live=True, source_uuid=str(uuid.uuid4()), purpose="staging")
    operation = server.submit("duplicate", new_name("attack"), request, sources=(source,))
    assert refused(server, operation) == "no_database"
    assert hidden(server) == set()


def test_files_that_came_in_the_way_of_a_clone_are_not_removed_with_it(server):
    template, name = publish_template(server, "tiny"), new_name("attack")
    operation = server.submit("create", name, create_request(template))
    assert server.run(operation, "create.publish.before=kill") == "killed"
    stranger = server.host.filestore(name) / "aa" / ("a" * 40)
    stranger.parent.mkdir(parents=True)
    stranger.write_text("somebody's")
    assert refused(server, operation) == "folder_in_the_way"
    assert stranger.read_text() == "somebody's"
    assert hidden(server) == set()
    shutil.rmtree(server.host.filestore(name))
    drop(server, template)


def test_the_files_of_a_recorded_database_that_is_missing_are_no_leftover(server):
    lost = hidden_name("suspended")
    folder = server.host.filestore(lost)
    folder.mkdir()
    row = server.sql(
        "INSERT INTO saas_database (name, physical, uuid, state, purpose) "
        "VALUES (%s, %s, %s, 'suspended', 'customer') RETURNING id",
        new_name("attack"),
        lost,
        str(uuid.uuid4()),
    )
    try:
        found = server.do("reconcile", "server", {"repair": True})
        listed = {one["what"] for one in found["compare"]["differences"] if one["name"] == lost}
        assert listed == {"database_missing"}
        assert folder.is_dir()
    finally:
        server.sql("DELETE FROM saas_database WHERE id = %s", row[0][0])
        folder.rmdir()


def test_an_operation_that_is_cancelled_at_the_moment_it_is_claimed_does_not_begin(server):
    operation = server.submit("check", "server")

    class Slow(SqlJournal):
        def _take_turn(self, target: str, sources: list[str]) -> bool:
            server.sql("UPDATE saas_operation SET state = 'cancelled' WHERE id = %s", operation)
            return super()._take_turn(target, sources)

    with Slow(server.host.cluster, server.database, operation) as journal:
        assert journal.claim() is None
    assert server.state(operation) == "cancelled"


@pytest.mark.parametrize("kind", ["revert", "snapshot_drop"])
def test_what_a_restore_in_place_has_kept_can_be_gone_back_to_and_dropped(kind):
    kept = hidden_name("former")
    assert check_arguments(kind, KINDS[kind].arguments, {"snapshot": kept}) == {"snapshot": kept}


def test_a_copy_of_a_live_database_that_is_begun_again_has_its_files(server, database):
    source, identity = database
    name = new_name("attack")
    request = create_request(source, live=True, source_uuid=identity, purpose="staging")
    request |= {"activate": False, "keep_logins": False}
    operation = server.submit("duplicate", name, request, sources=(source,))
    assert server.run(operation, "duplicate.seal.before=kill") == "killed"
    assert server.run(operation, "duplicate.publish.before=kill") == "killed", server.error(
        operation
    )
    copied = server.evidence(operation)["copy"]["hidden"]
    assert folders(server, source, copied) == {source, copied}
    assert server.run(operation, "duplicate.publish.before=error") in ("failed", "queued")


def test_work_on_modules_that_is_tried_again_and_cancelled_opens_the_database(server, database):
    name, identity = database
    request = {"uuid": identity, "action": "upgrade", "modules": ["base"], "keep_hours": 0}
    operation = server.submit("modules", name, request)
    assert server.run(operation, "modules.began=error") == "failed"
    server.sql(
        "UPDATE saas_operation SET state = 'queued', attempt = 0, started = NULL WHERE id = %s",
        operation,
    )
    server.sql(
        "UPDATE saas_operation_step SET state = 'pending' WHERE operation_id = %s", operation
    )
    assert server.run(operation, "modules.snapshot.ended=kill") == "killed"
    server.sql("UPDATE saas_operation SET cancel_requested = true WHERE id = %s", operation)
    assert server.run(operation) == "cancelled"
    assert_served(server, name, identity)


def test_files_that_are_in_the_way_of_a_checked_out_copy_are_not_removed_with_it(server):
    template, code = publish_template(server, "tiny"), new_name("attack")
    edit = edit_name(code)
    stranger = server.host.filestore(edit) / "aa" / ("a" * 40)
    stranger.parent.mkdir(parents=True)
    stranger.write_text("somebody's")
    request = {"source": template, "uuid": str(uuid.uuid4()), "physical": edit}
    operation = server.submit("template_checkout", target_of(code), request)
    secrets = {"password_hash": password_hash("a good password")}
    assert refused(server, operation, secrets) == "folder_in_the_way"
    assert stranger.read_text() == "somebody's"
    assert hidden(server) == set()
    shutil.rmtree(server.host.filestore(edit))
    drop(server, template)
