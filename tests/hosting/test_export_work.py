"""The archive that another machine asks for: of now or of a backup, for its time, and of one file."""

from __future__ import annotations

import os
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hosting import archive_work
from making import hidden, publish_template
from operations import HostingServer
from test_backup_work import Case

from fleetdev import restic


@pytest.fixture(scope="module")
def case() -> Iterator[Case]:
    restic.ensure()
    with HostingServer("export_work") as server:
        server.serve()
        case = Case(server, publish_template(server, "tiny"))
        case.write("then")
        case.backup("first-backup")
        case.write("now")
        yield case


def request(case: Case, backup: str | None = None, **changes: Any) -> dict[str, Any]:
    found = {"uuid": case.uuid, "keep_hours": 24}
    if backup:
        found |= case.read_request | {"backup": backup}
    return found | changes


def files(case: Case) -> set[str]:
    return {path.name for path in archive_work.exports(case.server.host).iterdir()}


def read(case: Case, evidence: dict[str, Any]) -> str:
    """Return the dump of a finished archive that is whole."""
    path = archive_work.export_path(case.server.host, evidence["write"]["file"])
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert {"dump.sql", "manifest.json"} < set(names)
        assert any(name.startswith("filestore/") for name in names)
        return archive.read("dump.sql").decode()


def test_an_archive_holds_what_is_there_now_or_what_a_backup_had(case):
    now = read(case, case.do("export", case.name, request(case)))
    then = read(case, case.do("export", case.name, request(case, "first-backup")))
    assert "test.value\tnow" in now
    assert "test.value\tthen" in then
    assert hidden(case.server) == set()


@pytest.mark.parametrize("point", ["export.load.after", "archive.dumped", "export.write.after"])
def test_an_archive_of_a_backup_killed_anywhere_is_finished_with_one_file(case, point):
    before = files(case)
    operation = case.server.submit("export", case.name, request(case, "first-backup"))
    assert case.run(operation, f"{point}=kill") == "killed"
    assert case.run(operation) == "done", case.server.error(operation)
    assert files(case) - before == {case.server.evidence(operation)["write"]["file"]}
    assert hidden(case.server) == set()


@pytest.mark.parametrize("point", ["archive.dumped", "export.drop.before"])
def test_an_archive_of_a_backup_that_fails_leaves_nothing(case, point):
    before = files(case)
    operation = case.server.submit("export", case.name, request(case, "first-backup"))
    assert case.run(operation, f"{point}=error") == "failed"
    assert files(case) == before
    assert hidden(case.server) == set()


def test_an_archive_is_kept_as_long_as_was_asked_and_no_longer(case):
    made = {
        hours: case.do("export", case.name, request(case, keep_hours=hours))["write"]
        for hours in (1, 48)
    }
    for hours, evidence in made.items():
        until = datetime.strptime(evidence["until"], "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        assert abs(until.timestamp() - time.time() - hours * 3600) < 60
        later(case, evidence["file"], 2 * 3600)
    archive_work.remove_old(case.server.host)
    assert made[1]["file"] not in files(case)
    assert made[48]["file"] in files(case)


def later(case: Case, file: str, seconds: int) -> None:
    """Let time pass for a file: everything it goes by is its time stamp."""
    path: Path = archive_work.exports(case.server.host) / file
    os.utime(path, (path.stat().st_mtime - seconds,) * 2)


def test_only_finished_archives_are_removed_by_name(case):
    evidence = case.do("export", case.name, request(case))["write"]
    stranger = archive_work.exports(case.server.host) / "stranger.txt"
    stranger.write_text("x")
    archive_work.remove_exports(case.server.host, [evidence["file"], "stranger.txt", None, "../x"])
    assert evidence["file"] not in files(case)
    assert stranger.exists()
    stranger.unlink()
