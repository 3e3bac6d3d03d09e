"""Backups of a database in use: what is in them, and what does not count as one."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import psycopg2
import pytest
from hosting import backup, check, digest_child, manifest, retention
from hosting.errors import Cancelled, HostingError
from support.backups import cheap, new_id, odoo_database, packs, repository, restic_directly

WRITERS = 20


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    with odoo_database(tmp_path_factory.mktemp("backup"), "backup") as made:
        yield made


@pytest.fixture(scope="module")
def one_backup(case, tmp_path_factory):
    """Return a repository that holds one backup, to be copied, and that backup."""
    repo = repository(tmp_path_factory.mktemp("one") / "repo")
    repo.init()
    return cheap(repo), case.take(repository=repo)


@pytest.fixture
def fresh(one_backup, tmp_path):
    """Return a repository of this test's own with one backup."""
    repo, taken = one_backup
    shutil.copytree(repo.location, tmp_path / "repo")
    return repository(tmp_path / "repo"), taken


def rows(case, query, database=None):
    with case.cluster.cursor(database or case.database) as cr:
        cr.execute(query)
        return cr.fetchall()


def test_a_backup_restores_with_equal_rows_and_files(case):
    taken = case.take()
    assert taken.missing == 0
    assert check.confirm(case.repo, taken.backup, case.keys).rows["public.ir_attachment"] > 0
    with case.restored(taken, every_file=True) as (target, restored):
        assert restored.rows == taken.rows and restored.files == taken.files == restored.hashed
        users = "SELECT id, login, password, write_date FROM res_users ORDER BY id"
        assert rows(case, users, target.database) == rows(case, users)
        with case.cluster.cursor(target.database) as cr:
            cr.execute("SELECT count(*) FROM pg_stats WHERE tablename = 'res_users'")
            assert cr.fetchone()[0] > 0


def test_backups_under_twenty_writers_restore_with_every_row_and_checksum(case):
    with case.cluster.cursor(case.database) as cr:
        cr.execute("CREATE TABLE IF NOT EXISTS ledger (id serial PRIMARY KEY, amount int NOT NULL)")
        cr.execute("CREATE TABLE IF NOT EXISTS ledger_total (total int NOT NULL)")
        cr.execute("INSERT INTO ledger_total VALUES (0)")
    stop, failures, done = threading.Event(), [], [0] * WRITERS
    writers = [
        threading.Thread(target=write, args=(case, number, stop, failures, done), daemon=True)
        for number in range(WRITERS)
    ]
    for writer in writers:
        writer.start()
    try:
        time.sleep(0.5)
        backups = [case.take() for _ in range(2)]
    finally:
        stop.set()
        for writer in writers:
            writer.join(20)
    assert not failures
    assert sum(done) > 200 and min(done) > 0
    assert backups[0].rows != backups[-1].rows, "nobody wrote between the backups"
    taken = backups[-1]
    assert taken.missing == 0
    with case.restored(taken, every_file=True) as (target, restored):
        assert restored.rows == taken.rows and restored.files == taken.files
        # The writers keep this sum in each transaction: half of one would break it.
        query = "SELECT (SELECT coalesce(sum(amount), 0) FROM ledger) - (SELECT total FROM ledger_total)"
        assert rows(case, query, target.database) == [(0,)]


def write(case, number, stop, failures, done):
    """Insert, change and delete, attach files and remove them, as Odoo does, until told to stop."""
    chance = random.Random(number)
    connection = psycopg2.connect(dbname=case.database, **case.cluster.dsn)
    try:
        while not stop.is_set():
            with connection, connection.cursor() as cr:
                one_transaction(case, cr, chance, number, done[number])
            done[number] += 1
            time.sleep(chance.uniform(0, 0.05))
    except BaseException as error:
        failures.append(error)
        raise
    finally:
        connection.close()


def one_transaction(case, cr, chance, number, turn):
    amount = chance.randint(-50, 50)
    cr.execute("UPDATE ledger_total SET total = total + %s", [amount])
    cr.execute("INSERT INTO ledger (amount) VALUES (%s)", [amount])
    if turn % 3 == 1:
        cr.execute("DELETE FROM ledger WHERE id = (SELECT min(id) FROM ledger) RETURNING amount")
        for (removed,) in cr.fetchall():
            cr.execute("UPDATE ledger_total SET total = total - %s", [removed])
    if turn % 4 == 0:
        case.attach(f"{number} {turn} {chance.random()}".encode() * 40, cr)
    if turn % 8 == 5:
        # Odoo removes the file in a later garbage collection, so the row alone goes here.
        cr.execute(
            "DELETE FROM ir_attachment WHERE name = 'bench' AND id = (SELECT max(id) FROM ir_attachment)"
        )
    cr.execute("UPDATE res_partner SET comment = %s WHERE id = 1", [f"{number} {turn}"])


def test_files_that_the_database_names_no_more_stay_out(case):
    stray = case.source.filestore / "00" / ("0" * 40)
    stray.parent.mkdir(exist_ok=True)
    stray.write_text("not named by any row")
    found = case.fetch(case.take())
    assert "00/" + "0" * 40 not in found.manifest.files


def test_a_named_file_that_is_gone_is_a_warning_with_its_name(case):
    with case.cluster.cursor(case.database) as cr:
        name = case.attach(b"soon gone", cr)
    case.source.filestore.joinpath(name).unlink()
    try:
        taken = case.take()
        assert (taken.missing, taken.missing_names) == (1, [name])
        assert case.fetch(taken).manifest.missing == [name]
    finally:
        rows_deleted(case, name)


def test_a_file_damaged_on_the_disk_is_a_warning_and_a_wrong_size_in_its_row_is_not(case):
    with case.cluster.cursor(case.database) as cr:
        damaged, good = case.attach(b"cut off later", cr), case.attach(b"all of it", cr)
        cr.execute("UPDATE ir_attachment SET file_size = 1 WHERE store_fname = %s", [good])
    case.source.filestore.joinpath(damaged).write_bytes(b"cut")
    try:
        taken = case.take()
        assert taken.missing_names == [damaged]
        assert case.fetch(taken).manifest.files[good] == len(b"all of it")
    finally:
        rows_deleted(case, damaged)


def test_a_damaged_file_is_a_warning_also_where_files_cannot_be_linked(tmp_path):
    good, rotten = (hashlib.sha1(text).hexdigest() for text in (b"good", b"rotten"))
    for name in (good, rotten):
        path = tmp_path / "filestore" / name[:2] / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"good")
    named = {f"{name[:2]}/{name}": 4 for name in (good, rotten)}
    with tempfile.TemporaryDirectory(dir="/dev/shm") as folder:
        assert os.stat(folder).st_dev != os.stat(tmp_path).st_dev
        staged = backup.stage_files(named, tmp_path / "filestore", Path(folder, "files"))
        assert (list(staged.sizes), staged.missing) == (
            [f"{good[:2]}/{good}"],
            [f"{rotten[:2]}/{rotten}"],
        )
        assert [path.name for path in Path(folder).rglob("*") if path.is_file()] == [good]


def test_a_name_that_leads_out_of_the_filestore_is_never_followed(case):
    secret = case.source.filestore.parent / "secret"
    secret.write_text("of the server")
    with case.cluster.cursor(case.database) as cr:
        cr.execute(
            "INSERT INTO ir_attachment (name, type, store_fname) VALUES "
            "('bench', 'binary', '../secret'), ('bench', 'binary', '/etc/passwd')"
        )
        link = case.attach(b"replaced by a link", cr)
        cr.execute("UPDATE ir_attachment SET file_size = NULL WHERE store_fname = %s", [link])
    path = case.source.filestore / link
    path.unlink()
    path.symlink_to(secret)
    try:
        taken = case.take()
        assert sorted(taken.missing_names) == sorted(["../secret", "/etc/passwd", link])
        assert not [name for name in case.fetch(taken).manifest.files if "secret" in name]
    finally:
        path.unlink()
        rows_deleted(case, "../secret", "/etc/passwd", link)


def rows_deleted(case, *names):
    with case.cluster.cursor(case.database) as cr:
        cr.execute("DELETE FROM ir_attachment WHERE store_fname = ANY(%s)", [list(names)])


def test_a_second_backup_of_unchanged_files_reads_and_stores_next_to_nothing(case):
    first = case.take()
    second = case.take()
    assert second.added < 0.2 * first.bytes
    lines = restic_directly(case.repo, "snapshots", "--json", "--tag", f"backup={second.backup}")
    assert '"files_unmodified":' in lines
    assert f'"files_unmodified":{second.files}' in lines.replace(" ", "")


def test_a_dump_that_fails_half_way_is_no_backup(case, tmp_path):
    """pg_dump writes a part and then fails: a table turns out to be locked by somebody else."""
    broken = tmp_path / "bin"
    broken.mkdir()
    real = case.tools.path("pg_dump")
    program = broken / "pg_dump"
    program.write_text(
        f'#!/bin/sh\ncase "$*" in *--version*) exec {real} --version;; esac\n'
        f'{real} "$@" | head -c 100000\nexit 1\n'
    )
    program.chmod(0o755)
    before = case.repo.snapshots()
    with pytest.raises(HostingError) as raised:
        case.take(tools=type(case.tools)(case.cluster, str(broken)))
    assert raised.value.code == "backup_source_failed"
    assert case.repo.snapshots() == before


def test_a_dump_whose_end_was_lost_is_no_backup(case, tmp_path, monkeypatch):
    """The program between pg_dump and restic dies after a part, and says that all is well."""
    cut = tmp_path / "cut.py"
    cut.write_text("import subprocess, sys\nprint('half a dump')\n")
    monkeypatch.setattr(digest_child, "__file__", str(cut))
    with pytest.raises(HostingError) as raised:
        case.take()
    assert raised.value.code == "no_digest"
    cut.write_text(
        "import sys\nprint('half a dump')\nopen(sys.argv[1], 'w').write('5000 ' + 'a' * 64)\n"
    )
    with pytest.raises(HostingError) as raised:
        case.take()
    assert raised.value.code == "short_dump"
    assert raised.value.facts == {"written": "5000", "saved": 12}


def test_an_older_pg_dump_is_refused_with_both_versions(case, tmp_path):
    program = tmp_path / "pg_dump"
    program.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 12.1'\n")
    program.chmod(0o755)
    with pytest.raises(HostingError) as raised:
        case.take(tools=type(case.tools)(case.cluster, str(tmp_path)))
    assert raised.value.code == "client_older"
    assert "PostgreSQL 12" in str(raised.value) and "PostgreSQL 18" in str(raised.value)


def test_a_cancelled_backup_leaves_no_program_no_staging_and_no_manifest(case):
    def cancel(_done, _total, what):
        if what == "Saving the database":
            raise Cancelled

    chosen = new_id()
    with pytest.raises(Cancelled):
        case.take(backup=chosen, progress=cancel)
    assert not any(case.source.staging.iterdir())
    assert not case.repo.snapshots(f"backup={chosen}")
    deadline = time.monotonic() + 30
    while dumping(case) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert dumping(case) == []
    with pytest.raises(HostingError) as raised:
        check.confirm(case.repo, chosen, case.keys)
    assert raised.value.code == "no_backup"
    case.take(backup=chosen)
    check.confirm(case.repo, chosen, case.keys)


def dumping(case):
    query = "SELECT application_name, query FROM pg_stat_activity WHERE datname = '{}' AND {}"
    ours = "application_name IN ('pg_dump', 'fleet-hosting') AND pid <> pg_backend_pid()"
    return rows(case, query.format(case.database, ours))


def test_out_of_time_a_backup_stops_by_itself(case):
    with pytest.raises(HostingError) as raised:
        case.take(remaining_s=lambda: -1.0)
    assert raised.value.code == "child_deadline"


KILLED = """
import os, sys
sys.path[:0] = PATHS
from support.backups import *
from hosting import backup, manifest
from hosting.pgtools import PgTools
source = backup.Source(DATABASE, "acme", UUID, Path(FILESTORE), Path(STAGING))
repo = Repository(location=LOCATION, password=PASSWORD, binary=BINARY)
backup.take(source, backup=BACKUP, tools=PgTools(cluster(), PG_BIN), repository=repo,
            key=manifest.private_key(KEY))
"""


def _confirm_error(case, chosen):
    """Return why a backup does not count; a restic that dies with its parent still holds its lock."""
    for _again in range(100):
        with pytest.raises(HostingError) as raised:
            check.confirm(case.repo, chosen, case.keys)
        if raised.value.code != "repository_locked":
            break
        time.sleep(0.1)
    return raised.value.code


@pytest.mark.parametrize(
    "point", ["backup.staged", "restic.saved_*database", "backup.before_manifest"]
)
def test_a_backup_whose_process_is_killed_leaves_none_and_can_be_repeated(case, point):
    chosen = new_id()
    source = case.source
    values = {
        "PATHS": sys.path[:6],
        "DATABASE": source.physical,
        "UUID": source.uuid,
        "FILESTORE": str(source.filestore),
        "STAGING": str(source.staging),
        "LOCATION": case.repo.location,
        "BINARY": case.repo.binary,
        "BACKUP": chosen,
        "PG_BIN": case.tools.folder,
        "KEY": manifest.private_text(case.key),
    }
    script = "".join(f"{name} = {value!r}\n" for name, value in values.items()) + KILLED
    env = os.environ | {"FLEET_TEST_FAILPOINTS_ALLOWED": "1", "FLEET_FAILPOINTS": f"{point}=kill"}
    killed = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert _confirm_error(case, chosen) == "no_backup"
    case.take(backup=chosen)
    assert check.confirm(case.repo, chosen, case.keys).backup == chosen


def test_verify_finds_one_flipped_byte(case, fresh):
    repo, taken = fresh
    assert check.verify(repo, case.keys, part=1, parts=1).backups == [taken.backup]
    pack = packs(repo)[0]
    content = bytearray(pack.read_bytes())
    content[len(content) // 3] ^= 1
    pack.chmod(0o600)
    pack.write_bytes(content)
    with pytest.raises(HostingError) as raised:
        check.verify(repo, case.keys, part=1, parts=1)
    assert raised.value.code == "repository_damaged"
    assert pack.name[:8] in str(raised.value)


def test_the_shares_of_several_nights_read_everything(case, fresh):
    repo, _taken = fresh
    pack = packs(repo)[0]
    content = bytearray(pack.read_bytes())
    content[len(content) // 3] ^= 1
    pack.chmod(0o600)
    pack.write_bytes(content)
    found = 0
    for part in (1, 2, 3):
        try:
            check.verify(repo, case.keys, part=part, parts=3)
        except HostingError as error:
            assert error.code == "repository_damaged"
            found += 1
    assert found == 1


def test_a_deleted_pack_is_found_without_reading_data(case, fresh):
    repo, taken = fresh
    check.confirm(repo, taken.backup, case.keys)
    packs(repo)[0].unlink()
    with pytest.raises(HostingError) as raised:
        check.confirm(repo, taken.backup, case.keys)
    assert raised.value.code == "repository_damaged"


@pytest.mark.parametrize("part", ["dump", "files", "manifest"])
def test_a_lost_snapshot_is_found_whichever_it_is(case, fresh, part):
    repo, taken = fresh
    os.unlink(os.path.join(repo.location, "snapshots", taken.snapshots[part]))
    with pytest.raises(HostingError) as raised:
        check.confirm(repo, taken.backup, case.keys)
    assert raised.value.code == "no_backup"


def test_a_prune_beside_the_reading_of_a_manifest_is_waited_for(case, fresh, tmp_path):
    """Without a lock the index may be gone in the middle; the second time nobody is in the way."""
    repo, taken = fresh
    log, program = tmp_path / "log", tmp_path / "restic"
    program.write_text(
        f'#!/bin/sh\necho "$@" >> {log}\n'
        "case \"$*\" in *dump*--no-lock*) echo 'Fatal: pack 1234 not found in index' >&2; exit 1;; esac\n"
        f'exec {repo.binary} "$@"\n'
    )
    program.chmod(0o755)
    found = case.fetch(taken, repository=dataclasses.replace(repo, binary=str(program)))
    assert found.manifest.backup == taken.backup
    assert [line.count("--no-lock") for line in log.read_text().splitlines()] == [1, 1, 0]


def test_verify_refuses_manifests_of_another_key(case, fresh):
    repo, _taken = fresh
    with pytest.raises(HostingError) as raised:
        check.verify(repo, [manifest.new_key().public_key()])
    assert raised.value.code == "bad_signature"


def test_a_copy_in_a_second_repository_is_a_backup_of_its_own(case, tmp_path):
    taken = case.take()
    remote = repository(tmp_path / "remote", password="another password")
    remote.init(like=case.repo)
    cheap(remote)
    backup.copy(taken.snapshots, source=case.repo, target=remote)
    backup.copy(taken.snapshots, source=case.repo, target=remote)
    assert len(remote.snapshots()) == 3, "the second copy has added something"
    check.confirm(remote, taken.backup, case.keys)
    with case.restored(taken, repository=remote, every_file=True) as (_target, restored):
        assert restored.rows == taken.rows


def test_retention_never_removes_the_newest_verified_backup(case, fresh):
    repo, verified = fresh
    newer = case.take(repository=repo)
    gone = retention.apply(repo, retention.Policy(1, 0, 0, 0), never=[verified.backup])
    assert gone == []
    with pytest.raises(HostingError) as raised:
        repo.forget(verified.snapshots.values(), never=[verified.snapshots["manifest"]])
    assert raised.value.code == "newest_kept"
    gone = retention.apply(repo, retention.Policy(1, 0, 0, 0), never=[newer.backup])
    assert gone == [verified.backup]
    repo.prune()
    check.confirm(repo, newer.backup, case.keys)
