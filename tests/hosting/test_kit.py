"""The recovery kit works: its commands, run as they are printed, bring the data back."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from hosting import check, files, manifest, snapshot
from hosting.kit import Kit
from support.backups import cheap, odoo_database, repository

from fleetdev import postgres


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kit")
    with odoo_database(folder, "kit", files=25) as made:
        made.repo = repository(folder / "a 'quoted' folder", password='p\'ass "word" $HOME `id`')
        made.repo.init()
        cheap(made.repo)
        yield made


def printed(case, **changes):
    values = {
        "name": case.source.name,
        "uuid": case.source.uuid,
        "location": case.repo.location,
        "password": case.repo.password,
        "public_key": manifest.public_pem(case.key),
    }
    return Kit(**(values | changes)).text()


def follow(text, case, folder, database, first="", stops=True):
    """Run every block of the kit in one shell, as its reader is told; return how it ended.

    :param first: a folder whose programs are found before all others
    :param stops: at the first error; a shell into which all of it is pasted goes on
    """
    blocks = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert len(blocks) == 5
    folder.mkdir()
    path = f"{first}:{case.tools.folder}:{Path(case.repo.binary).parent}:{os.environ['PATH']}"
    env = os.environ | case.cluster.environment() | {"PATH": path, "NEW": database}
    env["FILESTORE"] = str(folder / "filestore")
    script = "\n".join(["set -e" if stops else "set +e", *blocks])
    return subprocess.run(
        ["sh", "-c", script], cwd=folder, env=env, capture_output=True, text=True, timeout=120
    )


def test_the_kits_commands_bring_back_every_row_and_file(case, tmp_path):
    case.take()
    taken = case.take()
    expected = check.confirm(case.repo, taken.backup, case.keys)
    database = f"{postgres.prefix()}test_kit_{os.getpid()}_back"
    try:
        ended = follow(printed(case, newest=expected), case, tmp_path / "empty", database)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        assert taken.backup in ended.stdout
        assert "Signature Verified Successfully" in ended.stdout
        assert "WARNING" not in ended.stderr
        with case.cluster.cursor(database) as cr:
            assert snapshot.count_rows(cr) == expected.rows
        restored = tmp_path / "empty" / "filestore" / database
        assert files.usage(restored) == (len(expected.files), expected.files_bytes)
        assert all(files.is_intact(restored / name) for name in expected.files)
    finally:
        postgres.drop(database)


def test_the_kit_stops_at_a_backup_that_this_server_did_not_sign(case, tmp_path):
    stranger = manifest.public_pem(manifest.new_key())
    database = f"{postgres.prefix()}test_kit_{os.getpid()}_none"
    ended = follow(printed(case, public_key=stranger), case, tmp_path / "empty", database)
    assert ended.returncode != 0
    assert not postgres.exists(database)


@pytest.mark.parametrize("stops", [True, False])
@pytest.mark.parametrize("part", ["signature", "backup", "dump"])
def test_the_kit_says_stop_at_what_does_not_match_and_loads_nothing(case, tmp_path, part, stops):
    taken = case.take()
    key = case.key if part != "signature" else manifest.new_key()
    text = printed(case, public_key=manifest.public_pem(key))
    if part == "backup":  # a signed manifest, under the name of another backup
        text = text.replace("head -n 1", "BACKUP=backup=20300101t000000-00000000\nhead -n 1")
    if part == "dump":
        text = text.replace("> database.dump", "> database.dump; echo x >> database.dump")
    database = f"{postgres.prefix()}test_kit_{os.getpid()}_{part}"
    ended = follow(text, case, tmp_path / "empty", database, stops=stops)
    assert taken.backup in ended.stdout
    assert "STOP: the " in ended.stderr
    assert not postgres.exists(database)
    assert not (tmp_path / "empty" / "database.dump").exists()
    assert not any((tmp_path / "empty").glob("filestore/*/*"))


def test_the_kit_stops_before_a_database_when_pg_restore_cannot_read_the_dump(case, tmp_path):
    case.take()
    database = f"{postgres.prefix()}test_kit_{os.getpid()}_old"
    old = tmp_path / "bin"
    old.mkdir()
    (old / "pg_restore").write_text("#!/bin/sh\necho unsupported version >&2\nexit 1\n")
    (old / "pg_restore").chmod(0o755)
    ended = follow(printed(case), case, tmp_path / "empty", database, first=old)
    assert ended.returncode != 0
    assert "unsupported version" in ended.stderr
    assert not postgres.exists(database)


def test_the_kit_says_what_to_expect_and_what_to_fill_in(case):
    text = printed(case, env={"AWS_ACCESS_KEY_ID": "id"}, env_needed=("AWS_SECRET_ACCESS_KEY",))
    assert "export AWS_ACCESS_KEY_ID=id" in text
    assert "export AWS_SECRET_ACCESS_KEY=   # fill in" in text
    assert "No backup had been verified" in text
    assert case.repo.password not in repr(Kit("a", "u", "l", case.repo.password, "k"))
