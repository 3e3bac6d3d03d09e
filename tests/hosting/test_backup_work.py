"""Backups as operations: taken, verified, rehearsed, brought back; killed anywhere."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deaths import forward, kill
from hosting.host import Limits
from life_case import ask
from making import create_request, drop, hidden, publish_template
from operations import HostingServer
from support import backups

from fleetdev import restic

pytestmark = pytest.mark.timeout(280)

PASSWORD = "correct horse battery staple"


class Case:
    """One hosted database with a repository, and the requests that the ORM's hooks would make."""

    def __init__(self, server: HostingServer, template: str) -> None:
        from hosting import manifest

        self.server, self.template = server, template
        self.name = f"fleet-b{uuid.uuid4().hex[:8]}"
        self.uuid = str(uuid.uuid4())
        self.key = manifest.new_key()
        self.location = str(server.folder / "backups" / self.uuid)
        self.secrets = {
            "repository.1.password": PASSWORD,
            "repository.1.env": "{}",
            "signing_key": manifest.private_text(self.key),
        }
        server.do("create", self.name, create_request(template, uuid=self.uuid))
        backups.make(backups.repository(Path(self.location), password=PASSWORD))

    @property
    def read_request(self) -> dict[str, Any]:
        """Return what every operation on the repository is told."""
        from hosting import manifest

        return {
            "uuid": self.uuid,
            "repositories": [{"id": 1, "location": self.location, "remote": False}],
            "public_keys": [manifest.public_pem(self.key)],
        }

    def backup_request(self, number: str, **changes: Any) -> dict[str, Any]:
        request = self.read_request | {
            "physical": self.name,
            "purpose": "customer",
            "backup": number,
            "keep": {"last": 4, "daily": 7, "weekly": 4, "monthly": 3},
            "never": [],
        }
        return request | changes

    def backup(self, number: str) -> dict[str, Any]:
        """Take a backup; return its evidence by step."""
        return self.do("backup", self.name, self.backup_request(number))

    def do(self, kind: str, target: str, request: dict[str, Any]) -> dict[str, Any]:
        operation = self.server.submit(kind, target, request)
        outcome = self.run(operation)
        assert outcome == "done", (self.server.error(operation), self.server.last_error)
        return self.server.evidence(operation)

    def run(self, operation: int, failpoints: str = "") -> str:
        return self.server.run(operation, failpoints, self.secrets)

    def write(self, value: str) -> None:
        self.server.sql_in(
            self.name,
            "INSERT INTO ir_config_parameter (key, value) VALUES ('test.value', %s) "
            "ON CONFLICT (key) DO UPDATE SET value = EXCLUDED.value",
            value,
        )

    def value(self, database: str = "") -> str | None:
        rows = self.server.sql_in(
            database or self.name, "SELECT value FROM ir_config_parameter WHERE key = 'test.value'"
        )
        return rows[0][0] if rows else None

    def page(self, name: str = "") -> int:
        return ask(self.server, name or self.name).status_code


@pytest.fixture(scope="module")
def server() -> Iterator[HostingServer]:
    restic.ensure()
    with HostingServer("backup_work") as made:
        made.serve()
        yield made


@pytest.fixture(scope="module")
def template(server) -> str:
    return publish_template(server, "tiny")


@pytest.fixture(scope="module")
def case(server, template) -> Case:
    made = Case(server, template)
    made.write("first")
    made.backup("first-backup")
    return made


@pytest.fixture(autouse=True)
def nothing_hidden_is_left(request) -> Iterator[None]:
    """Check after each test that no hidden database or folder is left."""
    yield
    made = request.getfixturevalue("case")
    for kept in [each for each in hidden(made.server) if each.startswith("fleet_x_former_")]:
        drop(made.server, kept)
    assert hidden(made.server) == set()
    assert not list((made.server.host.work_dir / "staging").glob("*"))


def restore_request(case: Case, **changes: Any) -> dict[str, Any]:
    return case.read_request | {"backup": "first-backup"} | changes


def test_a_backup_counts_once_it_was_read_back(case):
    evidence = case.backup("second-backup")
    assert evidence["take"]["snapshots"].keys() == {"dump", "files", "manifest"}
    assert evidence["confirm"]["rows"] == evidence["take"]["rows"] > 1000
    assert evidence["take"]["missing"] == 0


def test_a_verification_reads_its_share_and_names_the_backups(case):
    request = case.read_request | {"part": 1, "parts": 1, "prune": True}
    evidence = case.do("verify", case.name, request)
    assert "first-backup" in evidence["read_back"]["results"]["1"]["backups"]
    assert evidence["prune"]["sizes"]["1"] > 0


def test_a_drill_restores_boots_compares_and_leaves_nothing(case):
    request = restore_request(case, uuid=str(uuid.uuid4()), hidden="drill", every_file=True)
    evidence = case.do("drill", case.name, request)
    assert evidence["load"]["hashed"] == evidence["load"]["files"] > 0
    assert evidence["boot"]["path"] == "/web/login"
    assert evidence["boot"]["assets"] > 0


@pytest.mark.parametrize("kind", ["drill", "restore"])
def test_a_restore_for_which_there_is_no_room_is_refused_at_once(case, monkeypatch, kind):
    monkeypatch.setattr(case.server, "limits", Limits(disk_reserve=1 << 60))
    operation = case.server.submit(kind, case.name, restore_request(case))
    assert case.run(operation) == "failed"
    code, sentence = case.server.error(operation)
    assert code == "disk_full" and "MB are free" in sentence


def test_a_restore_in_place_brings_the_data_back_and_keeps_what_was_there(case):
    case.write("second")
    evidence = case.do("restore", case.name, restore_request(case))
    assert case.value() == "first"
    assert case.page() == 200
    kept = evidence["put_aside"]["kept"]
    facts = case.server.databases()[kept]
    assert (facts.is_template, facts.mark.kind) == (True, "snapshot")
    assert case.value(kept) == "second"


def test_a_restore_of_a_database_that_is_gone_brings_it_back(case):
    case.server.host.cluster.drop(case.name, server=case.server.uuid)
    case.do("restore", case.name, restore_request(case))
    assert case.value() == "first"
    assert case.page() == 200


@pytest.mark.parametrize(
    "places",
    forward(
        "restore",
        load=("restore.loaded",),
        put_aside=("restore.aside",),
        put_in=("restore.files_in",),
    ),
)
def test_a_restore_killed_anywhere_is_finished(case, places):
    case.write("newer")
    operation = case.server.submit("restore", case.name, restore_request(case))
    kill(case.run, operation, places)
    assert case.run(operation) == "done", (case.server.error(operation), case.server.last_error)
    assert case.value() == "first"
    assert case.page() == 200


@pytest.mark.parametrize("step", ["load", "close", "put_aside", "put_in", "first_page", "reopen"])
def test_a_restore_that_fails_anywhere_leaves_the_database_as_it_was(case, step):
    case.write("untouched")
    operation = case.server.submit("restore", case.name, restore_request(case))
    assert case.run(operation, f"restore.{step}.after=error") == "failed"
    assert case.server.error(operation)[0] == "failpoint"
    assert case.value() == "untouched"
    assert case.page() == 200
    assert hidden(case.server) == set()


def test_a_late_undo_of_a_restore_leaves_what_people_work_in(case):
    """The records came back from a backup that was made in the middle of it."""
    operation = case.server.submit("restore", case.name, restore_request(case))
    assert case.run(operation, "restore.put_in.ended=kill") == "killed"
    case.server.sql_in(
        case.name,
        "INSERT INTO res_users_log (create_uid, create_date) VALUES (2, now() AT TIME ZONE 'utc')",
    )
    case.write("days of work")
    case.server.sql("UPDATE saas_operation SET started = started - interval '3 days'")
    assert case.run(operation) == "failed"
    assert case.server.error(operation)[0] == "undo_failed"
    assert case.value() == "days of work"
    assert case.page() == 200


def test_what_customers_wrote_after_a_restore_stays_when_its_first_page_is_late(case):
    operation = case.server.submit("restore", case.name, restore_request(case))
    assert case.run(operation, "restore.first_request.before=error") == "failed"
    case.write("by a customer")
    assert case.value() == "by a customer"
    assert case.page() == 200
    assert case.server.steps(operation)["put_in"] == "done"


def test_a_backup_beside_its_database_is_sealed_like_every_clone(case):
    copy, identity = f"{case.name}-copy", str(uuid.uuid4())
    request = restore_request(
        case, uuid=identity, purpose="staging", personal={}, keep_logins=True, activate=False
    )
    case.do("restore_as", copy, request)
    parameters = dict(case.server.sql_in(copy, "SELECT key, value FROM ir_config_parameter"))
    assert parameters["database.uuid"] == identity
    assert parameters["database.is_neutralized"]
    assert case.page(copy) == 200
    drop(case.server, copy)


@pytest.mark.parametrize(
    "places",
    forward(
        "backup",
        take=("backup.exported", "backup.staged", "backup.dumped", "backup.before_manifest"),
        confirm=("backup.before_confirm",),
    ),
)
def test_a_backup_killed_anywhere_is_finished(case, places):
    number = f"killed-{uuid.uuid4().hex[:8]}"
    operation = case.server.submit("backup", case.name, case.backup_request(number))
    kill(case.run, operation, places)
    assert case.run(operation) == "done", (case.server.error(operation), case.server.last_error)
    evidence = case.server.evidence(operation)
    assert evidence["confirm"]["rows"] > 0


def test_a_backup_that_cannot_be_copied_elsewhere_still_counts_and_says_so(case, monkeypatch):
    from hosting import backup_work

    monkeypatch.setattr(backup_work, "REACH_S", 5.0)
    nowhere = {"id": 2, "location": "/dev/null/backups", "remote": False}
    request = case.backup_request("half-copied")
    request["repositories"].append(nowhere)
    case.secrets |= {"repository.2.password": PASSWORD, "repository.2.env": "{}"}
    evidence = case.do("backup", case.name, request)
    assert evidence["confirm"]["tables"] > 100
    assert evidence["copy"]["copied"] == []
    assert "/dev/null/backups" in evidence["copy"]["failed"]["2"]
    assert evidence["copy"]["broken"] == [], "the next backup finds it, or makes it"


def test_a_repository_that_is_not_there_any_more_is_never_made_anew(case):
    aside = Path(f"{case.location}.unmounted")
    Path(case.location).rename(aside)
    try:
        operation = case.server.submit(
            "backup", case.name, case.backup_request("unmounted", expected=[1])
        )
        assert case.run(operation) == "failed"
        code, sentence = case.server.error(operation)
        assert code == "no_repository"
        assert case.location in sentence and "mounted" in sentence and "lost for good" in sentence
        assert not Path(case.location).exists()
    finally:
        aside.rename(case.location)
    case.do("backup", case.name, case.backup_request("mounted-again", expected=[1]))


def test_a_copy_makes_no_repository_anew_in_the_place_of_one_that_is_expected(case, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    request = case.backup_request("not-copied", expected=[1, 2])
    request["repositories"].append({"id": 2, "location": str(elsewhere), "remote": False})
    case.secrets |= {"repository.2.password": PASSWORD, "repository.2.env": "{}"}
    evidence = case.do("backup", case.name, request)
    assert evidence["confirm"]["tables"] > 100
    assert "no backup repository" in evidence["copy"]["failed"]["2"]
    assert evidence["copy"]["broken"] == [2]
    assert not elsewhere.exists()
    evidence = case.do("backup", case.name, request | {"backup": "copied-now", "expected": [1]})
    assert evidence["copy"] == {"copied": [2], "failed": {}, "broken": []}


def test_a_suspended_database_is_backed_up_under_its_hidden_name(case):
    from hosting import files
    from hosting.names import hidden_name
    from hosting.postgres import Mark

    host, aside = case.server.host, hidden_name("suspended")
    mark = Mark(case.server.uuid, "hosted", uuid=case.uuid)
    host.cluster.hide(case.name, aside, mark=mark)
    files.move_tree(host.filestore(case.name), host.filestore(aside))
    try:
        evidence = case.do(
            "backup", case.name, case.backup_request("while-suspended", physical=aside)
        )
        assert evidence["confirm"]["tables"] > 100
    finally:
        files.move_tree(host.filestore(aside), host.filestore(case.name))
        host.cluster.publish(aside, case.name, mark=mark)


def test_no_secret_is_journalled(case):
    rows = case.server.sql("SELECT row_to_json(o)::text FROM saas_operation o")
    rows += case.server.sql("SELECT row_to_json(s)::text FROM saas_operation_step s")
    for (text,) in rows:
        assert PASSWORD not in text
        assert case.secrets["signing_key"] not in text
