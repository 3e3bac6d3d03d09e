"""Archives in Odoo's zip format, both ways, with real Odoo on the other side."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hosting import archive, errors, foreign, names, restricted, snapshot
from hosting.files import STORED_NAME
from hosting.pgtools import PgTools
from hosting.postgres import Mark
from support.backups import cluster, pg_bin
from support.marks import server_uuid

from fleetdev import databases, odoo_run, paths, postgres

CONTENT = b"of a deleted attachment"
ORPHAN = hashlib.sha1(CONTENT, usedforsecurity=False).hexdigest()


def tools() -> PgTools:
    return PgTools(cluster(), pg_bin())


@pytest.fixture(scope="module")
def database() -> Iterator[str]:
    """A copy of a template, with a file that nothing names and a row whose file is not there."""
    name = f"{postgres.prefix()}test_archive_{os.getpid()}"
    databases.copy(databases.template("base"), name)
    orphan = databases.filestore(name) / ORPHAN[:2] / ORPHAN
    orphan.parent.mkdir(exist_ok=True)
    orphan.write_bytes(CONTENT)
    with cluster().cursor(name) as cr:
        cr.execute(
            "INSERT INTO ir_attachment (name, type, store_fname, file_size) "
            "VALUES ('lost', 'binary', %s, 3)",
            [f"bb/{'b' * 40}"],
        )
    yield name
    databases.drop(name)


def _export(database: str, target: Path | object, **changes: object) -> archive.Exported:
    return archive.export_zip(
        tools(), database, databases.filestore(database), target, staging=paths.DATA, **changes
    )


def _rows(database: str) -> dict[str, int]:
    with cluster().cursor(database) as cr:
        return snapshot.count_rows(cr)


def _files(folder: Path) -> dict[str, bytes]:
    """Return what a filestore holds, without Odoo's marks for its garbage collection."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if STORED_NAME.fullmatch(str(path.relative_to(folder)))
    }


def _odoo_db(*arguments: object) -> None:
    """Run ``odoo-bin db`` with PostgreSQL's programs of the tests first in the path."""
    done = subprocess.run(
        odoo_run.command(*arguments, subcommand="db"),
        env=odoo_run.environment(PATH=f"{pg_bin()}:{os.environ['PATH']}"),
        cwd=paths.RUN,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_odoo_restores_our_archive_with_every_row_and_file(database, tmp_path):
    exported = _export(database, tmp_path / "ours.zip")
    loaded = f"{database}_loaded"
    try:
        _odoo_db("load", loaded, tmp_path / "ours.zip")
        assert _rows(loaded) == _rows(database)
        files = _files(databases.filestore(database))
        del files[f"{ORPHAN[:2]}/{ORPHAN}"]
        assert _files(databases.filestore(loaded)) == files
        assert exported.files == len(files) > 10
    finally:
        databases.drop(loaded)


def test_we_restore_odoos_archive_with_every_row_and_file(database, tmp_path):
    _odoo_db("dump", database, tmp_path / "theirs.zip")
    hidden, server = names.hidden_name("foreign"), server_uuid()
    role = restricted.RestrictedRole(cluster(), os.environ["FLEET_RESTORE_ROLE"], server)
    target = tmp_path / hidden
    try:
        restored = foreign.restore_foreign(
            tools(), tmp_path / "theirs.zip", hidden, target, role=role, mark=Mark(server, "hidden")
        )
        assert _rows(hidden) == _rows(database)
        # Odoo packs the whole folder, also what no row names.
        assert _files(target) == _files(databases.filestore(database))
        assert (restored.facts.odoo, restored.facts.database) == ("19.0", database)
        with cluster().cursor(hidden) as cr:
            cr.execute(
                "SELECT DISTINCT relowner::regrole::text FROM pg_class WHERE oid >= 16384 "
                "UNION SELECT nspowner::regrole::text FROM pg_namespace WHERE nspname = 'public'"
            )
            assert {row[0] for row in cr.fetchall()} == {
                os.environ["PGUSER"],
                "pg_database_owner",
            }
            cr.execute("SELECT rolname FROM pg_roles WHERE has_database_privilege(oid, %s, 'CONNECT')"
                       " AND NOT rolsuper", [hidden])  # fmt: skip
            assert cr.fetchall() == [(os.environ["PGUSER"],)]
    finally:
        cluster().drop(hidden, server=server)


def test_a_dump_in_postgresqls_own_format_is_restored_too(database, tmp_path):
    _odoo_db("dump", "--format=dump", database, tmp_path / "theirs.dump")
    hidden, server = names.hidden_name("foreign"), server_uuid()
    role = restricted.RestrictedRole(cluster(), os.environ["FLEET_RESTORE_ROLE"], server)
    try:
        restored = foreign.restore_foreign(
            tools(),
            tmp_path / "theirs.dump",
            hidden,
            tmp_path / hidden,
            role=role,
            mark=Mark(server, "hidden"),
        )
        assert _rows(hidden) == _rows(database)
        assert restored.facts.kind == "custom"
        assert not (tmp_path / hidden).exists()
    finally:
        cluster().drop(hidden, server=server)


def test_the_archive_holds_what_its_moment_names_and_says_what_was_missing(database, tmp_path):
    exported = _export(database, tmp_path / "ours.zip", name="acme")
    assert exported.missing == (f"bb/{'b' * 40}",)
    with zipfile.ZipFile(tmp_path / "ours.zip") as made:
        assert made.testzip() is None
        assert f"filestore/{ORPHAN[:2]}/{ORPHAN}" not in made.namelist()
        manifest = json.loads(made.read("manifest.json"))
        assert made.getinfo("dump.sql").file_size == exported.dump_bytes
    assert exported.size == (tmp_path / "ours.zip").stat().st_size
    _odoo_db("dump", database, tmp_path / "theirs.zip")
    with zipfile.ZipFile(tmp_path / "theirs.zip") as made:
        theirs = json.loads(made.read("manifest.json"))
    # A build of Odoo adds its date to the version; a database knows the series only.
    for key in ("version", "version_info"):
        assert type(manifest.pop(key)) is type(theirs.pop(key))
    assert manifest == theirs | {"db_name": "acme"}


def test_an_archive_goes_to_a_stream_that_cannot_be_sought(database, tmp_path):
    reading, writing = os.pipe()
    with open(tmp_path / "piped.zip", "wb") as target, open(reading, "rb") as source:
        copy = subprocess.Popen(["cat"], stdin=source, stdout=target)
        with open(writing, "wb") as stream:
            exported = _export(database, stream)
        assert copy.wait(30) == 0
    with zipfile.ZipFile(tmp_path / "piped.zip") as made:
        assert made.testzip() is None
        assert len(made.namelist()) == exported.files + 2


def _refused(code: str, database: str, tmp_path: Path, **changes: object) -> None:
    """Export over an older archive, which has to survive the failure, alone."""
    target = tmp_path / "ours.zip"
    target.write_bytes(b"the older archive")
    staged = set(paths.DATA.glob("export-*"))
    with pytest.raises(errors.HostingError) as caught:
        _export(database, target, **changes)
    assert caught.value.code == code
    assert [path.name for path in tmp_path.iterdir()] == ["ours.zip"]
    assert target.read_bytes() == b"the older archive"
    assert set(paths.DATA.glob("export-*")) <= staged


def test_a_dump_that_fails_in_the_middle_leaves_no_archive(database, tmp_path):
    # pg_dump turns row security off, and fails when it is forced on the owner: late, at the rows.
    with cluster().cursor(database) as cr:
        cr.execute("ALTER TABLE res_users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY")
        try:
            _refused("dump_failed", database, tmp_path)
        finally:
            cr.execute(
                "ALTER TABLE res_users DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY"
            )


def test_a_pg_dump_that_is_killed_is_called_so(database, tmp_path):
    real = tools()
    program = tmp_path / "pg_dump"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *--version*) exec {real.path("pg_dump")} --version;; esac\n'
        "kill -9 $$\n"
    )
    program.chmod(0o755)
    with pytest.raises(errors.HostingError) as caught:
        archive.export_zip(
            PgTools(real.cluster, str(tmp_path)),
            database,
            databases.filestore(database),
            tmp_path / "ours.zip",
            staging=paths.DATA,
        )
    assert caught.value.code == "dump_failed"
    assert caught.value.facts["reason"].startswith("it was killed (signal 9)")


def test_a_dump_that_takes_too_long_leaves_no_archive(database, tmp_path):
    _refused("child_deadline", database, tmp_path, remaining_s=lambda: 0.0)


def test_a_file_that_is_not_what_its_name_says_leaves_no_archive(database, tmp_path):
    folder = databases.filestore(database)
    name = sorted(path for path in _files(folder) if ORPHAN not in path)[0]
    content = (folder / name).read_bytes()
    # The template has the same file by hard link: replace it, never write into it.
    (folder / name).unlink()
    (folder / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    try:
        _refused("damaged_file", database, tmp_path)
    finally:
        (folder / name).write_bytes(content)


def test_a_database_without_odoo_is_not_exported(tmp_path):
    hidden, server = names.hidden_name("empty"), server_uuid()
    cluster().create_empty(hidden, mark=Mark(server, "hidden"))
    try:
        _refused("not_odoo", hidden, tmp_path)
    finally:
        cluster().drop(hidden, server=server)
