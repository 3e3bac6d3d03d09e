"""The quick key of a repository: opens it as restic's own does, and is only beside it."""

from __future__ import annotations

import dataclasses
import json
import secrets
import shutil
import time
from pathlib import Path

import pytest
from hosting import restic_key
from hosting.errors import HostingError
from support.backups import repository, restic_directly

TAGS = ["part=test"]


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    folder = tmp_path_factory.mktemp("first")
    made = repository(folder / "repo", password=secrets.token_urlsafe(32))
    assert made.init()
    return made


@pytest.fixture
def repo(first, tmp_path):
    """Return a copy of a new repository: restic takes seconds to make one."""
    shutil.copytree(first.location, tmp_path / "repo")
    return dataclasses.replace(first, location=str(tmp_path / "repo"))


def keys(repo) -> list[Path]:
    return sorted(Path(repo.location, "keys").iterdir())


def test_what_is_made_has_restics_own_key_and_a_quick_one(repo):
    costs = sorted(json.loads(path.read_text())["N"] for path in keys(repo))
    assert costs[0] == restic_key.QUICK["N"]
    assert len(costs) == 2 and costs[1] >= 1 << 14
    assert restic_directly(repo, "check")


@pytest.mark.parametrize("left", ["quick", "own"])
def test_each_of_the_two_opens_it_alone(repo, left):
    repo.backup_bytes(b"hello", "greeting", TAGS)
    quick = restic_key.find(repo.location)
    for path in keys(repo):
        if (path.name == quick) != (left == "quick"):
            path.unlink()
    [found] = repo.snapshots()
    blocks = []
    repo.dump_to(found.id, "/greeting", blocks.append)
    assert b"".join(blocks) == b"hello"
    wrong = repository(repo.location, password=secrets.token_urlsafe(32))
    with pytest.raises(HostingError) as raised:
        wrong.snapshots()
    assert raised.value.code == "wrong_repository_password"


def test_a_call_takes_less_than_half_of_the_time(repo, monkeypatch):
    def seconds() -> float:
        began = time.monotonic()
        repo.snapshots()
        return time.monotonic() - began

    quick = min(seconds() for _round in range(5))
    monkeypatch.setattr(restic_key, "find", lambda location: "")
    for path in keys(repo):
        if json.loads(path.read_text())["N"] == restic_key.QUICK["N"]:
            path.unlink()
    assert quick < min(seconds() for _round in range(3)) / 2


def test_a_repository_of_former_days_gets_one_with_the_next_backup(repo):
    quick = restic_key.find(repo.location)
    Path(repo.location, "keys", quick).unlink()
    assert repo.init() is False
    assert restic_key.find(repo.location) not in ("", quick)


def test_a_password_that_may_be_guessed_gets_none(tmp_path):
    made = repository(tmp_path / "repo", password="correct horse battery staple")
    assert made.init()
    assert restic_key.find(made.location) == ""
    assert len(keys(made)) == 1


@pytest.mark.parametrize("content", [None, b"[]", b"{"])
def test_a_quick_key_that_was_damaged_costs_nothing_but_time(repo, content):
    path = Path(repo.location, "keys", restic_key.find(repo.location))
    key = json.loads(path.read_text())
    path.chmod(0o600)
    path.write_bytes(
        json.dumps(key | {"data": key["salt"]}).encode() if content is None else content
    )
    # restic gives up at the first one it meets, in the order of the folder.
    for _each in range(20):
        path.with_name(secrets.token_hex(32)).write_bytes(path.read_bytes())
    repo.backup_bytes(b"hello", "greeting", TAGS)
    assert len(keys(repo)) == 1, "what is damaged is gone"
    assert repo.init() is False
    assert len(keys(repo)) == 2, "and a new one is there"


def test_a_damaged_key_stays_where_no_other_opens(repo):
    for path in keys(repo):
        path.chmod(0o600)
        path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(HostingError) as raised:
        repo.snapshots()
    assert raised.value.code == "repository_damaged"
    assert len(keys(repo)) == 2
    wrong = repository(repo.location, password=secrets.token_urlsafe(32))
    assert restic_key.heal(repo.location, wrong.password) is False


@pytest.mark.parametrize(
    "change", [{"data": ""}, {"data": "AAAA"}, {"N": 3}, {"salt": None}, {"r": "x"}]
)
def test_a_key_file_with_anything_wrong_opens_nothing(repo, change):
    key = json.loads(keys(repo)[0].read_text())
    assert restic_key.opened(key, repo.password)
    assert restic_key.opened(key | change, repo.password) == b""
    assert restic_key.opened(key, "another password") == b""


def test_what_is_no_folder_or_not_there_is_left_alone(tmp_path):
    for location in ("s3:https://host/bucket", str(tmp_path / "nowhere")):
        assert restic_key.find(location) == ""
        assert restic_key.add(location, "x" * 43) is False
