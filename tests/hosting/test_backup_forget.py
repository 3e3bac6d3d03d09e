"""The backups of a dropped database are forgotten when their time is over, and never before."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from deaths import forward, kill
from hosting import backup
from life_case import new_name
from operations import HostingServer
from support import backups

from fleetdev import restic

PASSWORD = "correct horse battery staple"
OVER, NOT_YET = "now() AT TIME ZONE 'utc' - interval '1 minute'", "now() + interval '1 day'"


@pytest.fixture(scope="module")
def server() -> Iterator[HostingServer]:
    restic.ensure()
    with HostingServer("forget") as made:
        yield made


class Case:
    """The record of a dropped database, and a repository with two backups."""

    def __init__(self, server: HostingServer, identity: str = "") -> None:
        self.server, self.name = server, new_name("gone")
        self.uuid = identity or str(uuid.uuid4())
        self.repo = backups.repository(server.folder / "backups" / self.uuid, password=PASSWORD)
        backups.make(self.repo)
        for number in ("first-backup", "final-backup"):
            for part in (backup.DUMP, backup.MANIFEST):
                self.repo.backup_bytes(uuid.uuid4().bytes * 5000, part, backup.tags(number, part))
        self.record("dropped", OVER)

    def record(self, state: str, held_until: str) -> None:
        self.server.sql("DELETE FROM saas_database WHERE uuid = %s", self.uuid)
        self.server.sql(
            "INSERT INTO saas_database (name, uuid, state, purpose, name_held_until) "
            f"VALUES (%s, %s, %s, 'customer', {held_until})",
            self.name,
            self.uuid,
            state,
        )

    def submit(self, *before: Path) -> int:
        places = [*before, Path(self.repo.location)]
        entries = [
            {"id": number, "location": str(place), "remote": False}
            for number, place in enumerate(places, 1)
        ]
        request = {"uuid": self.uuid, "repositories": entries}
        return self.server.submit("forget_backups", self.name, request)

    def run(self, operation: int, failpoints: str = "") -> str:
        secrets = {f"repository.{number}.password": PASSWORD for number in (1, 2)}
        return self.server.run(operation, failpoints, secrets)

    def refused(self) -> str:
        operation = self.submit()
        assert self.run(operation) == "failed"
        assert len(self.repo.snapshots()) == 4
        return self.server.error(operation)[0]


@pytest.fixture
def case(server) -> Case:
    return Case(server)


@pytest.mark.parametrize("places", [[], *forward("forget_backups", forget=("backup_forget.one",))])
def test_backups_are_forgotten_and_their_room_is_given_back(case, places):
    before = case.repo.stats()["bytes"]
    operation = case.submit()
    kill(case.run, operation, places)
    assert case.run(operation) == "done", (case.server.error(operation), case.server.last_error)
    told = case.server.evidence(operation)["forget"]["forgotten"]
    assert told == {"1": ["final-backup", "first-backup"]}
    assert case.repo.snapshots() == []
    assert case.repo.stats()["bytes"] < before / 10
    assert not list(Path(case.repo.location, "data").rglob("*/*"))


def test_the_backups_of_a_database_that_is_still_there_are_not_forgotten(server):
    identity = server.host_database(new_name("still"))
    case = Case(server, identity)
    assert case.refused() == "backups_needed"


@pytest.mark.parametrize(
    ("state", "until"),
    [("dropped", NOT_YET), ("dropped", "NULL"), ("archived", OVER), ("released", OVER)],
)
def test_what_was_promised_is_kept_whatever_was_asked_before(case, state, until):
    case.record(state, until)
    assert case.refused() == "backups_promised"


def test_a_storage_that_is_away_keeps_no_other_and_is_tried_again(case, server):
    away = server.folder / "not-mounted"
    operation = case.submit(away)
    assert case.run(operation) == "failed"
    assert server.error(operation)[0] == "no_repository"
    assert list(server.evidence(operation)["forget"]["forgotten"]) == ["2"]
    assert case.repo.snapshots() == []
