"""A version of a template from an uploaded backup: made or undone, whatever happens on the way."""

from __future__ import annotations

import subprocess
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from deaths import in_turn, kill
from hosting import archive_work, files
from hosting.names import hidden_name, template_name
from hosting.pgtools import PgTools
from hosting.postgres import Mark
from making import drop
from operations import HostingServer
from support import archives
from test_archive_work import upload, uploads

from fleetdev import databases

pytestmark = pytest.mark.timeout(280)

TARGET = "template:brought"
ASSETS = "SELECT count(*) FROM ir_attachment WHERE url LIKE '/web/assets/%'"


@pytest.fixture(scope="module")
def server() -> Iterator[HostingServer]:
    with HostingServer("template_archive") as server:
        # As the readme tells the administrator; else nothing of strangers is taken in.
        server.host.cluster.close_to_public(server.database)
        yield server


class Stranger:
    """A database as somebody has it elsewhere, with what must not come along."""

    def __init__(self, server: HostingServer) -> None:
        self.server, self.name = server, hidden_name("stranger")
        host = server.host
        source = databases.template("tiny")
        host.cluster.clone(source, self.name, mark=Mark(server.uuid, "hidden"))
        files.copy_tree(databases.filestore(source), host.filestore(self.name))
        self.tools = PgTools(host.cluster, host.pg_bin)
        self.sql("UPDATE res_users SET password = 'known' WHERE login = 'admin'")
        self.sql("UPDATE res_partner SET name = 'Brought Along' WHERE id = 1")
        self.sql(
            "INSERT INTO ir_attachment (name, type, url, public, store_fname, file_size) VALUES "
            "('web.assets_frontend.min.js', 'binary', '/web/assets/1/bad.min.js', true, 'aa/bb', 1)"
        )

    def sql(self, query: str) -> None:
        self.server.sql_in(self.name, query)

    def zip(self, folder: Path) -> Path:
        """Write it as Odoo does."""
        from hosting import archive

        path = folder / "brought.zip"
        filestore = self.server.host.filestore(self.name)
        archive.export_zip(self.tools, self.name, filestore, path, staging=folder)
        return path

    def dump(self, folder: Path) -> Path:
        """Write it as ``pg_dump -Fc`` does: no manifest, no files."""
        path = folder / f"{uuid.uuid4()}.dump"
        command = [self.tools.path("pg_dump"), "-Fc", f"--file={path}", self.name]
        env = self.server.host.cluster.environment()
        subprocess.run(command, check=True, env=env)
        return path


@pytest.fixture(scope="module")
def stranger(server) -> Iterator[Stranger]:
    made = Stranger(server)
    yield made
    drop(server, made.name)


@pytest.fixture(scope="module")
def brought(stranger, tmp_path_factory) -> Path:
    return stranger.zip(tmp_path_factory.mktemp("brought"))


def ask(server: HostingServer, archive: Path) -> tuple[int, dict[str, Any]]:
    """Store a build as the ORM's hook does; return the operation and its request."""
    request = {"physical": template_name("brought"), "number": 1, "uuid": str(uuid.uuid4())}
    request |= {"upload": upload(server, archive), "file": archive.name, "assets": "first"}
    return server.submit("template_import", TARGET, request), request


def left(server: HostingServer) -> tuple[set[str], set[str]]:
    return set(server.databases()), server.folders()


def check_version(server: HostingServer, name: str) -> None:
    """Check that a version is closed, and holds the business of the archive but no way in."""
    facts = server.databases()[name]
    assert facts.mark.kind == "template"
    assert facts.is_template and not facts.allows_connections
    assert name in server.folders()
    server.host.cluster.allow(name, True)
    assert server.sql_in(name, "SELECT name FROM res_partner WHERE id = 1") == [("Brought Along",)]
    assert server.sql_in(name, "SELECT DISTINCT password FROM res_users") == [(None,)]
    assert server.sql_in(name, ASSETS + " AND url LIKE '%bad%'") == [(0,)]
    assert server.sql_in(name, ASSETS)[0][0] > 0
    owners = "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'public'"
    assert server.sql_in(name, owners) == server.sql_in(server.database, "SELECT current_user")


PLACES = in_turn(
    "template.load_noted",
    "foreign.created",
    "foreign.unpacked",
    "foreign.loaded",
    "template.loaded",
    "template_import.seal.after",
    "template.packed",
    "template.marked",
    "template_import.close.after",
)


@pytest.mark.parametrize("places", PLACES)
def test_a_build_from_a_zip_killed_anywhere_is_finished_and_leaves_one_version(
    server, brought, places
):
    databases_before, folders_before = left(server)
    operation, request = ask(server, brought)
    kill(server.run, operation, places)
    assert server.run(operation) == "done", (server.error(operation), server.last_error)
    name = request["physical"]
    assert left(server) == (databases_before | {name}, folders_before | {name})
    assert uploads(server) == set()
    evidence = server.evidence(operation)
    assert evidence["inspect"]["kind"] == "zip" and evidence["load"]["files"] > 0
    assert {"base", "web"} <= set(evidence["close"]["modules"])
    check_version(server, name)
    drop(server, name)


def test_a_dump_without_files_becomes_a_version_with_assets_of_this_server(
    server, stranger, tmp_path
):
    operation, request = ask(server, stranger.dump(tmp_path))
    assert server.run(operation) == "done", (server.error(operation), server.last_error)
    assert server.evidence(operation)["load"]["assets_removed"] > 0
    check_version(server, request["physical"])
    drop(server, request["physical"])


UNDONE = ("template.dropped", "template_import.load.undone")


@pytest.mark.parametrize("point", ["template.loaded", "template_import.assets.before"])
def test_a_build_that_fails_and_is_killed_while_it_is_undone_leaves_only_the_upload(
    server, brought, point
):
    before = left(server)
    operation, _request = ask(server, brought)
    failing = f"{point}=error"
    kill(server.run, operation, UNDONE, failing)
    assert server.run(operation) == "failed"
    assert left(server) == before
    # It can be tried again with the same file.
    (kept,) = uploads(server)
    archive_work.upload_path(server.host, kept).unlink()


def refused(server: HostingServer, archive: Path, code: str, *said: str) -> None:
    """Build from what has to be refused, in words that name it; nothing is left of it."""
    before = left(server)
    operation, request = ask(server, archive)
    assert server.run(operation) == "failed", server.last_error
    found, sentence = server.error(operation)
    assert found == code and all(word in sentence for word in said), sentence
    assert left(server) == before
    archive_work.upload_path(server.host, request["upload"]).unlink()


def test_a_zip_with_a_module_that_is_not_here_is_refused_by_its_name(server, tmp_path):
    manifest = {"modules": {"base": "19.0.1.3", "their_module": "1.0"}}
    path = archives.write_zip(tmp_path / "theirs.zip", manifest=manifest)
    refused(server, path, "module_missing", "their_module", "addons_path")


def test_a_dump_with_a_module_that_is_not_here_is_refused_once_it_is_loaded(server, tmp_path):
    other = Stranger(server)
    other.sql("INSERT INTO ir_module_module (name, state) VALUES ('their_module', 'installed')")
    path = other.dump(tmp_path)
    drop(server, other.name)
    refused(server, path, "module_missing", "their_module", "addons_path")


def test_a_zip_of_another_odoo_is_refused_with_both_versions(server, tmp_path):
    manifest = {"major_version": "18.0", "version": "18.0"}
    path = archives.write_zip(tmp_path / "old.zip", manifest=manifest)
    refused(server, path, "archive_version", "18.0", "19.0")


def test_a_dump_that_is_no_odoo_or_another_one_is_refused(server, stranger, tmp_path):
    other = Stranger(server)
    other.sql("UPDATE ir_module_module SET latest_version = '17.0.1.3' WHERE name = 'base'")
    old = other.dump(tmp_path)
    other.sql("DROP TABLE ir_attachment CASCADE")
    none = other.dump(tmp_path)
    drop(server, other.name)
    refused(server, old, "archive_version", "17.0", "19.0")
    refused(server, none, "foreign_not_odoo", "no Odoo database")


def test_a_damaged_zip_is_refused_before_a_database_is_made(server, brought, tmp_path):
    cut = tmp_path / "cut.zip"
    cut.write_bytes(brought.read_bytes()[:-1000])
    refused(server, cut, "archive_broken", "complete copy")


def test_a_zip_with_a_changed_file_inside_is_refused_and_leaves_nothing(server, brought, tmp_path):
    changed = tmp_path / "changed.zip"
    with zipfile.ZipFile(brought) as source, zipfile.ZipFile(changed, "w") as target:
        spoilt = ""
        for info in source.infolist():
            content = source.read(info)
            if not spoilt and info.filename.startswith("filestore/"):
                content, spoilt = b"something else", info.filename
            target.writestr(info.filename, content)
    assert spoilt
    refused(server, changed, "archive_member", spoilt, "checksum")
