"""Restores: only what is ours, only where nobody looks, and nothing that differs passes."""

from __future__ import annotations

import dataclasses
import hashlib
import os

import pytest
from hosting import backup, files, manifest, names, restore
from hosting.errors import Cancelled, HostingError
from hosting.pgtools import PgTools
from hosting.postgres import Mark
from support.backups import odoo_database

from fleetdev import postgres


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    with odoo_database(tmp_path_factory.mktemp("restore"), "restore") as made:
        with made.cluster.cursor(made.database) as cr:
            cr.execute("CREATE EXTENSION IF NOT EXISTS unaccent")
            cr.execute("COMMENT ON EXTENSION unaccent IS 'a comment of ours'")
            cr.execute("CREATE PUBLICATION everything FOR TABLE res_users")
            cr.execute("CREATE SCHEMA extra CREATE TABLE note (text text)")
            cr.execute("INSERT INTO extra.note SELECT 'n' || i FROM generate_series(1, 1000) i")
            cr.execute('CREATE UNLOGGED TABLE "Odd \'name" AS SELECT 1 AS one')
        yield made


@pytest.fixture(scope="module")
def taken(case):
    return case.take()


@pytest.fixture(scope="module")
def found(case, taken):
    return case.fetch(taken)


def run(case, found, target, **options):
    options = {"tools": case.tools, "repository": case.repo} | options
    return restore.restore(found, target, **options)


def refused(case, found, changes, code, **options):
    """Restore with a changed manifest, as if it had been signed so; return the error."""
    changed = dataclasses.replace(found, manifest=dataclasses.replace(found.manifest, **changes))
    with case.target() as target:
        with pytest.raises(HostingError) as raised:
            run(case, changed, target, **options)
        assert raised.value.code == code
        return raised.value, case.cluster.exists(target.database)


def test_a_restore_has_everything_and_stays_hidden(case, found):
    with case.target() as target:
        progress = []
        result = run(
            case,
            found,
            target,
            every_file=True,
            progress=lambda _d, _t, what: progress.append(what),
        )
        facts = case.cluster.facts(target.database)
        assert facts.is_template and facts.mark == target.mark
        assert result.rows == sum(found.manifest.rows.values())
        assert result.tables == len(found.manifest.rows)
        assert result.hashed == result.files == len(found.manifest.files)
        assert found.manifest.rows["extra.note"] == 1000
        assert found.manifest.rows["public.Odd 'name"] == 1
        with case.cluster.cursor(target.database) as cr:
            cr.execute("SELECT extname, obj_description(oid) FROM pg_extension")
            assert dict(cr.fetchall())["unaccent"] == "a comment of ours"
            cr.execute("SELECT count(*) FROM pg_publication")
            assert cr.fetchone() == (0,), "a copy must not join a replication"
        assert {"Loading the database", "Comparing with the manifest"} <= set(progress)
        assert not any(target.work.iterdir())
        count, total = files.usage(target.filestore)
        assert (count, total) == (len(found.manifest.files), found.manifest.files_bytes)
        assert all(path.stat().st_nlink == 1 for path in target.filestore.rglob("*/*"))


def test_another_number_of_rows_is_found_and_a_second_try_begins_anew(case, found):
    rows = found.manifest.rows | {"public.res_users": found.manifest.rows["public.res_users"] + 1}
    changed = dataclasses.replace(found, manifest=dataclasses.replace(found.manifest, rows=rows))
    with case.target() as target:
        with pytest.raises(HostingError) as raised:
            run(case, changed, target)
        assert raised.value.code == "rows_differ"
        assert raised.value.facts["table"] == "public.res_users"
        assert raised.value.facts["tables"] == 1
        assert run(case, found, target).rows == sum(found.manifest.rows.values())


def test_a_manifest_with_a_wrong_signature_is_never_restored(case, taken):
    stranger = manifest.new_key().public_key()
    with pytest.raises(HostingError) as raised:
        case.fetch(taken, keys=[stranger])
    assert raised.value.code == "bad_signature"


def test_an_unknown_backup_is_named(case):
    with pytest.raises(HostingError) as raised:
        restore.fetch_manifest(case.repo, "20000101t000000-none", case.keys)
    assert raised.value.code == "no_backup"
    with pytest.raises(HostingError) as raised:
        restore.fetch_manifest(case.repo, "--option", case.keys)
    assert raised.value.code == "bad_backup_id"


def test_an_older_server_or_older_programs_are_refused_with_both_versions(case, found):
    error, exists = refused(case, found, {"server": 99}, "server_older")
    assert "99" in str(error) and "18" in str(error) and not exists
    error, exists = refused(case, found, {"client": 99}, "client_older")
    assert "99" in str(error) and "18" in str(error) and not exists


def test_an_extension_that_the_role_cannot_make_is_named_before_anything_is_made(case, found):
    changes = {"extensions": {"plpgsql": "1.0", "file_fdw": "1.0"}}
    error, exists = refused(case, found, changes, "extension_missing")
    assert "file_fdw" in str(error) and not exists


@pytest.mark.parametrize("changes", [{"dump_sha256": "0" * 64}, {"dump_size": 5}])
def test_a_dump_that_is_not_the_signed_one_runs_nothing(case, found, changes):
    _error, exists = refused(case, found, changes, "damaged_dump")
    assert not exists


def test_a_dump_that_was_cut_off_runs_nothing(case, found):
    """The right snapshot id, but what is stored there ends too early."""
    blocks = []
    case.repo.dump_to(found.dump, "/database.dump", blocks.append)
    cut = case.repo.backup_bytes(b"".join(blocks)[:-1000], "database.dump", ["part=cut"])
    with case.target() as target:
        with pytest.raises(HostingError) as raised:
            run(case, dataclasses.replace(found, dump=cut.snapshot), target)
        assert raised.value.code == "damaged_dump"
        assert not case.cluster.exists(target.database)


def test_counts_and_files_are_compared_both_ways():
    restore.compare_rows({"a": 1}, {"a": 1})
    for expected, got in (({"a": 1}, {}), ({}, {"a": 1}), ({"a": 1}, {"a": 2})):
        with pytest.raises(HostingError) as raised:
            restore.compare_rows(expected, got)
        assert raised.value.code == "rows_differ"


def test_files_are_compared_by_name_size_and_content(tmp_path):
    name = hashlib.sha1(b"content").hexdigest()
    stored = f"{name[:2]}/{name}"
    path = tmp_path / stored
    path.parent.mkdir()
    path.write_bytes(b"content")
    assert restore.compare_files({stored: 7}, tmp_path, 1) == 1
    other = f"{name[:2]}/{'0' * 40}"
    for expected in ({}, {stored: 8}, {stored: 7, other: 1}):
        with pytest.raises(HostingError) as raised:
            restore.compare_files(expected, tmp_path, 0)
        assert raised.value.code == "files_differ"
    path.write_bytes(b"CONTENT")
    assert restore.compare_files({stored: 7}, tmp_path, 0) == 0
    with pytest.raises(HostingError) as raised:
        restore.compare_files({stored: 7}, tmp_path, 1)
    assert raised.value.code == "files_differ"


def test_a_statement_that_fails_ends_the_restore(case):
    """A check that holds here and not in an empty database: the classic dump that cannot be loaded."""
    with case.cluster.cursor(case.database) as cr:
        cr.execute("CREATE TABLE rate (limit_value int)")
        cr.execute("INSERT INTO rate VALUES (10)")
        cr.execute(
            "CREATE FUNCTION below(v int) RETURNS bool LANGUAGE sql AS "
            "'SELECT v < limit_value FROM rate'"
        )
        cr.execute("CREATE TABLE aaa_checked (v int CHECK (below(v)))")
        cr.execute("INSERT INTO aaa_checked VALUES (1)")
    try:
        broken = case.fetch(case.take())
    finally:
        with case.cluster.cursor(case.database) as cr:
            cr.execute("DROP TABLE aaa_checked, rate; DROP FUNCTION below")
    with case.target() as target:
        with pytest.raises(HostingError) as raised:
            run(case, broken, target)
        assert raised.value.code == "restore_failed"
        assert "below" in str(raised.value) or "rate" in str(raised.value)


def test_nothing_is_loaded_after_the_first_error(case, tmp_path):
    name = f"{postgres.prefix()}test_restore_{os.getpid()}_twice"
    with postgres.cursor() as cr:
        cr.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    try:
        with case.cluster.cursor(name) as cr:
            cr.execute("CREATE TABLE aaa AS SELECT 1 AS one")
            cr.execute("CREATE TABLE zzz AS SELECT 1 AS one")
        dump = tmp_path / "dump"
        case.tools.run(["pg_dump", "--format=custom", f"--file={dump}", f"--dbname={name}"])
        with case.cluster.cursor(name) as cr:
            cr.execute("DROP TABLE zzz")
            with pytest.raises(HostingError) as raised:
                restore.load(dump, name, case.tools)
            assert raised.value.code == "restore_failed" and "aaa" in str(raised.value)
            cr.execute("SELECT to_regclass('zzz')")
            assert cr.fetchone() == (None,)
    finally:
        postgres.drop(name)


def test_a_pg_restore_that_is_killed_is_called_so(case, tmp_path):
    program = tmp_path / "pg_restore"
    program.write_text("#!/bin/sh\nkill -9 $$\n")
    program.chmod(0o755)
    with pytest.raises(HostingError) as raised:
        restore.load(tmp_path / "dump", case.database, PgTools(case.cluster, str(tmp_path)))
    assert raised.value.code == "restore_failed"
    assert raised.value.facts["reason"].startswith("it was killed (signal 9)")


def test_only_a_hidden_name_is_restored_to(case, found):
    with case.target() as target:
        visible = dataclasses.replace(target, database=case.database)
        with pytest.raises(HostingError) as raised:
            run(case, found, visible)
        assert raised.value.code == "not_hidden"
        assert case.cluster.exists(case.database)


def test_a_hidden_database_of_somebody_else_is_left_alone(case, found):
    name = names.hidden_name("foreign")
    with postgres.cursor() as cr:
        cr.execute(f'CREATE DATABASE "{name}"')
    case.cluster.set_mark(name, Mark(server="another server", kind="hidden"))
    try:
        with case.target() as target, pytest.raises(HostingError) as raised:
            run(case, found, dataclasses.replace(target, database=name))
        assert raised.value.code == "not_ours"
        assert case.cluster.exists(name)
    finally:
        postgres.drop(name)


def test_a_cancelled_restore_stops_at_once_and_leaves_no_dump(case, found):
    def cancel(_done, _total, what):
        if what == "Loading the database":
            raise Cancelled

    with case.target() as target:
        with pytest.raises(Cancelled):
            run(case, found, target, progress=cancel)
        assert not any(target.work.iterdir())


def test_a_database_name_is_never_read_as_a_connection_string(case, tmp_path):
    name = f"{postgres.prefix()}odd dbname='postgres' \\"
    with postgres.cursor() as cr:
        cr.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
    try:
        with case.cluster.cursor(name) as cr:
            cr.execute("CREATE TABLE here AS SELECT 1 AS one")
        dump = tmp_path / "dump"
        where = f"--dbname={backup.conninfo_name(name)}"
        ended = case.tools.run(["pg_dump", "--format=custom", f"--file={dump}", where])
        assert ended.code == 0, ended.errors
        with case.cluster.cursor(name) as cr:
            cr.execute("DROP TABLE here")
        restore.load(dump, name, case.tools)
        with case.cluster.cursor(name) as cr:
            cr.execute("SELECT one FROM here")
            assert cr.fetchone() == (1,)
    finally:
        postgres.drop(name)
