"""Archives out and in as operations: killed, failing and hostile, they leave nothing behind."""

from __future__ import annotations

import os
import time
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hosting import archive_check, archive_work, errors, files
from hosting.host import Limits
from operations import HostingServer
from support import archives

ACME = f"acme-{os.getpid()}"  # the server is shared with other tests
UUID = "SELECT value FROM ir_config_parameter WHERE key = 'database.uuid'"


@pytest.fixture(scope="module")
def server() -> Iterator[HostingServer]:
    with HostingServer("archive") as server:
        # As the readme tells the administrator; else nothing of strangers is taken in.
        server.host.cluster.close_to_public(server.database)
        server.serve()
        server.identity = server.host_database(ACME, "tiny")
        server.exported = server.do("export_archive", ACME, {"uuid": server.identity})["write"]
        yield server


def exports(server: HostingServer) -> set[str]:
    return {path.name for path in archive_work.exports(server.host).iterdir()}


def uploads(server: HostingServer) -> set[str]:
    return {path.name for path in archive_work.uploads(server.host).iterdir()}


def upload(server: HostingServer, path: Path | None = None) -> str:
    path = path or archive_work.exports(server.host) / server.exported["file"]
    with open(path, "rb") as source:
        return archive_work.copy_upload(server.host, source, lambda _done: None)


def ask(server: HostingServer, name: str, **changes: object) -> int:
    """Store an import as the ORM's hook does; return the operation."""
    request = {
        "uuid": archive_uuid(name),
        "upload": changes.pop("upload", None) or upload(server),
        "file": "acme.zip",
        "purpose": "customer",
        "keep_logins": False,
        "personal": {},
        "activate": True,
    }
    return server.submit("import_archive", name, request | changes)


def own(name: str) -> str:
    """Return a database's name that no other test uses at the same time."""
    return f"{name}-{os.getpid()}"


def archive_uuid(name: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_DNS, name))


def left(server: HostingServer) -> tuple[set[str], set[str]]:
    """Return the databases and folders of this server."""
    return set(server.databases()), server.folders()


def test_an_export_is_an_archive_that_passes_the_checks_of_an_import(server):
    path = archive_work.export_path(server.host, server.exported["file"])
    found = archive_check.inspect(path)
    assert (found.database, found.files) == (ACME, server.exported["files"])
    assert path.stat().st_size == server.exported["bytes"]
    assert path.stat().st_mode & 0o077 == 0
    assert path.parent.stat().st_mode & 0o077 == 0


def test_an_export_killed_anywhere_is_finished_with_one_file(server):
    before = exports(server)
    operation = server.submit("export_archive", ACME, {"uuid": server.identity})
    for point in ("archive.noted", "archive.dumped", "archive.complete"):
        assert server.run(operation, f"{point}=kill") == "killed", point
    assert server.run(operation, "export_archive.write.after=kill") == "killed"
    assert server.run(operation) == "done"
    made = exports(server) - before
    assert made == {server.evidence(operation)["write"]["file"]}
    with zipfile.ZipFile(archive_work.exports(server.host) / made.pop()) as archive:
        assert archive.testzip() is None


@pytest.mark.parametrize("point", ["archive.dumped", "export_archive.write.after"])
def test_an_export_that_fails_leaves_no_file(server, point):
    before = exports(server)
    operation = server.submit("export_archive", ACME, {"uuid": server.identity})
    assert server.run(operation, f"{point}=error") == "failed"
    assert exports(server) == before


def test_an_import_makes_a_sealed_database_with_its_files_and_removes_the_upload(server):
    name = own("beside")
    operation = ask(server, name)
    assert server.run(operation) == "done", (server.error(operation), server.last_error)
    assert server.sql_in(name, UUID) == [(archive_uuid(name),)]
    assert server.sql_in(ACME, UUID) == [(server.identity,)]
    count, _size = files.usage(server.folder / "filestore" / name)
    assert count == server.exported["files"]
    assert server.evidence(operation)["seal"]["report"]
    assert not server.databases()[name].is_template
    assert uploads(server) == set()


@pytest.mark.parametrize(
    ("name", "points"),
    [
        ("early", "archive.load_noted foreign.created foreign.unpacked foreign.loaded"),
        (
            "late",
            "import_archive.verify.after clone.files_moved clone.renamed "
            "import_archive.remove_upload.after",
        ),
    ],
)  # fmt: skip
def test_an_import_killed_anywhere_is_finished_and_leaves_nothing_else(server, name, points):
    databases, folders = left(server)
    name = own(name)
    operation = ask(server, name)
    for point in points.split():
        assert server.run(operation, f"{point}=kill") == "killed", point
    assert server.run(operation) == "done", (server.error(operation), server.last_error)
    assert left(server) == (databases | {name}, folders | {name})
    assert uploads(server) == set()


@pytest.mark.parametrize("point", ["foreign.loaded", "import_archive.first_request.before"])
def test_an_import_that_fails_and_is_killed_while_it_is_undone_leaves_only_the_upload(
    server, point
):
    before = left(server)
    operation = ask(server, own("undone"))
    failing = f"{point}=error,import_archive.load.undone=kill"
    assert server.run(operation, failing) == "killed"
    assert server.run(operation) == "failed"
    assert server.error(operation)[0] == "failpoint"
    assert left(server) == before
    # It can be tried again with the same file.
    kept = uploads(server)
    assert len(kept) == 1
    archive_work.upload_path(server.host, kept.pop()).unlink()


def refused(server: HostingServer, code: str, **changes: object) -> None:
    """Import what has to be refused before anything is made."""
    before = left(server)
    operation = ask(server, own("refused"), **changes)
    assert server.run(operation) == "failed"
    assert server.error(operation)[0] == code
    assert server.steps(operation)["load"] == "pending"
    assert left(server) == before


def test_an_import_ends_when_the_disk_fills_up_while_it_is_loaded(server, monkeypatch):
    before, operation = left(server), ask(server, own("full"))
    assert server.run(operation, "import_archive.reserve.ended=kill") == "killed"
    monkeypatch.setattr(server, "limits", Limits(disk_reserve=1 << 60))
    assert server.run(operation) == "failed"
    assert server.error(operation)[0] == "disk_full"
    assert left(server) == before


def test_a_hostile_archive_is_refused_before_a_database_is_made(server, tmp_path):
    path = archives.write_zip(tmp_path / "hostile.zip", members={"../../etc/cron.d/x": b"x"})
    refused(server, "archive_member", upload=upload(server, path))


def test_an_archive_with_a_module_that_is_not_here_is_refused_at_once(server, tmp_path):
    manifest = {"modules": {"base": "19.0.1.3", "not_on_this_server": "1.0"}}
    path = archives.write_zip(tmp_path / "foreign.zip", manifest=manifest)
    refused(server, "module_missing", upload=upload(server, path))


def test_a_name_that_is_in_use_is_refused_at_once(server):
    before = left(server)
    operation = ask(server, ACME)
    assert server.run(operation) == "failed"
    assert server.error(operation)[0] == "name_taken"
    assert left(server) == before


@pytest.mark.parametrize("name", ["../outside.zip", "f" * 32, "", None, "/etc/passwd"])
def test_only_what_was_uploaded_is_taken_in(server, name):
    (server.host.work_dir / "outside.zip").touch()
    with pytest.raises(errors.HostingError) as caught:
        archive_work.upload_path(server.host, name)
    assert caught.value.code == "no_upload"


@pytest.mark.parametrize("name", ["../outside.zip", "/etc/passwd", "acme.zip", "", None])
def test_only_a_finished_archive_is_given_away(server, name):
    (server.host.work_dir / "outside.zip").touch()
    (archive_work.exports(server.host) / "acme.zip").touch()
    assert archive_work.export_path(server.host, name) is None
    (archive_work.exports(server.host) / "acme.zip").unlink()


def test_what_waited_for_a_day_goes_unless_it_is_in_use(server):
    names = [archive_work.store_upload(server.host, [b"x"]) for _each in range(3)]
    folder = archive_work.uploads(server.host)
    for name in names[:2]:
        day_ago = time.time() - archive_work.KEPT_S - 1
        os.utime(folder / name, (day_ago, day_ago))
    assert archive_work.remove_old(server.host, used=names[:1]) == [names[1]]
    assert {names[0], names[2]} <= uploads(server)


def test_a_file_for_which_there_is_no_room_is_not_copied(server, monkeypatch):
    before = uploads(server)
    monkeypatch.setattr(archive_work, "_RESERVE", 1 << 60)
    with pytest.raises(errors.HostingError) as caught:
        upload(server)
    assert caught.value.code == "export_full"
    assert uploads(server) == before


def test_an_upload_that_breaks_off_leaves_no_file(server):
    def broken() -> Iterator[bytes]:
        yield b"x"
        raise ConnectionError

    before = uploads(server)
    with pytest.raises(ConnectionError):
        archive_work.store_upload(server.host, broken())
    assert uploads(server) == before
