"""Hostile archives: each is refused with a code, and nothing of it is left on the machine."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import subprocess
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg2
import pytest
from hosting import archive_check, errors, foreign, foreign_audit, names, restricted
from hosting.archive_check import ArchiveLimits
from hosting.foreign import ForeignLimits
from hosting.pgtools import PgTools
from hosting.postgres import Mark
from support.archives import (
    TABLES,
    add_link,
    lead_away,
    lie_about_size,
    stored,
    write_many,
    write_zip,
)
from support.backups import cluster, pg_bin
from support.marks import server_uuid

from fleetdev import hosted

MB = 1 << 20


@dataclass
class Machine:
    """Where archives are restored, and the proof that nothing was left."""

    server: str
    folder: Path
    tools: PgTools
    role: restricted.RestrictedRole
    hidden: str = ""

    def restore(self, path: Path, limits: ForeignLimits | None = None, **options: object) -> str:
        """Restore an archive; return the name of the hidden database."""
        self.hidden = hidden = names.hidden_name("foreign")
        filestore = self.folder / "filestore" / hidden
        foreign.restore_foreign(
            self.tools,
            path,
            hidden,
            filestore,
            role=self.role,
            mark=Mark(self.server, "hidden"),
            limits=limits,
            **options,
        )
        return hidden

    def refuse(
        self,
        path: Path,
        code: str,
        words: str = "",
        limits: ForeignLimits | None = None,
        **options: object,
    ) -> None:
        """Restore an archive, which has to fail with this code and leave nothing."""
        with pytest.raises(errors.HostingError) as caught:
            self.restore(path, limits, **options)
        assert (caught.value.code, words) == (code, words), str(caught.value)
        assert words in str(caught.value)
        assert self.left() == []

    def databases(self) -> list[str]:
        return [name for name, server in hosted.marks().items() if server == self.server]

    def left(self) -> list[str]:
        """Return what is left: databases, folders, processes, sessions, settings of the role."""
        with cluster().cursor() as cr:
            cr.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s", [self.hidden])
            sessions = [f"session {pid}" for (pid,) in cr.fetchall()]
            cr.execute("SELECT rolconfig FROM pg_roles WHERE rolname = %s", [self.role.name])
            settings = [
                text for text in cr.fetchone()[0] if not text.startswith("temp_file_limit=")
            ]
        folders = [str(path) for path in (self.folder / "filestore").glob("*")]
        return self.databases() + folders + _processes(self.hidden) + sessions + settings


def _processes(database: str) -> list[str]:
    """Return the clients of a database."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = entry.joinpath("cmdline").read_bytes().decode(errors="replace")
            if f"--dbname={database}" in line:
                found.append(line)
    return found


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    server = server_uuid()
    role = restricted.RestrictedRole(cluster(), os.environ["FLEET_RESTORE_ROLE"], server)
    made = Machine(server, tmp_path, PgTools(cluster(), pg_bin()), role)
    yield made
    for name in made.databases():
        cluster().drop(name, server=server)


# --- what a dump may hold


def test_an_ordinary_archive_is_restored(machine, tmp_path):
    members = {stored(b"one"): b"one", "filestore/checklist/": b""}
    hidden = machine.restore(write_zip(tmp_path / "a.zip", members=members))
    assert machine.databases() == [hidden]
    name = stored(b"one").removeprefix("filestore/")
    assert (tmp_path / "filestore" / hidden / name).read_bytes() == b"one"
    with cluster().cursor(hidden) as cr:
        cr.execute("SELECT latest_version FROM ir_module_module")
        assert cr.fetchall() == [("19.0.1.3",)]


def test_a_dump_with_the_guard_of_newer_pg_dump_is_restored(machine, tmp_path):
    dump = f"--\n-- dump\n\n\\restrict aB3\n\nSET statement_timeout = 0;\n{TABLES}\n\\unrestrict aB3\n\n"
    machine.restore(write_zip(tmp_path / "a.zip", dump))


def test_a_row_that_looks_like_a_line_to_leave_out_stays(machine, tmp_path):
    row = "COMMENT ON EXTENSION pg_trgm IS 'a row';"
    dump = f"COMMENT ON SCHEMA public IS 'left out';\n{TABLES}COPY res_users (login) FROM stdin;\n{row}\n\\.\n"
    hidden = machine.restore(write_zip(tmp_path / "a.zip", dump))
    with cluster().cursor(hidden) as cr:
        cr.execute("SELECT login FROM res_users")
        assert cr.fetchall() == [(row,)]


REFUSED_BY_PSQL = "backslash commands are restricted"
COMMANDS = {
    "a shell command": ("\\! touch /tmp/fleet-was-here\n", REFUSED_BY_PSQL),
    "another database": ("\\connect postgres\n", REFUSED_BY_PSQL),
    "a file of ours": ("\\i /etc/passwd\n", REFUSED_BY_PSQL),
    "a copy to a program": ("\\copy res_users to program 'cat'\n", REFUSED_BY_PSQL),
    "output to a program": ("SELECT 1 \\o |cat\n", REFUSED_BY_PSQL),
    "a guessed key": ("\\unrestrict abc\n\\! true\n", "unrestrict"),
    "a command after rows": ("COPY res_users (login) FROM stdin;\n\\.\n\\! true\n", REFUSED_BY_PSQL),
    "a program of the server": ("COPY res_users TO PROGRAM 'true';", "permission denied"),
    "a statement that fails": ("SELECT 1/0;\n", "division by zero"),
    "a database": ("CREATE DATABASE mine;", "permission denied"),
}  # fmt: skip


@pytest.mark.parametrize("what", COMMANDS)
def test_a_dump_may_not_reach_out_of_its_database(machine, tmp_path, what):
    line, words = COMMANDS[what]
    machine.refuse(write_zip(tmp_path / "a.zip", TABLES + line), "foreign_dump", words)


STATEMENTS = (
    "COPY res_users FROM '/etc/passwd'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT lo_import('/etc/passwd')",
    "SELECT pg_ls_dir('.')",
    "SET ROLE %(us)s",
    "CREATE ROLE mine",
    "GRANT %(us)s TO CURRENT_USER",
    "CREATE SCHEMA mine",
    "CREATE PUBLICATION mine",
    "CREATE SUBSCRIPTION mine CONNECTION 'host=127.0.0.1' PUBLICATION p WITH (connect = false)",
    "CREATE EXTENSION citext",
    "CREATE EXTENSION dblink",
    "CREATE EXTENSION hstore",
    "CREATE EVENT TRIGGER t ON sql_drop EXECUTE FUNCTION f()",
    "CREATE FUNCTION f() RETURNS int AS 'x', 'y' LANGUAGE c",
    "CREATE FOREIGN DATA WRAPPER mine",
    "CREATE TEMPORARY TABLE mine (a int)",
    "ALTER DATABASE %(name)s IS_TEMPLATE false",
    "ALTER ROLE CURRENT_USER RESET temp_file_limit",
    "ALTER ROLE CURRENT_USER CREATEDB",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename <> current_user",
)


def test_a_dump_has_the_rights_of_nobody(machine, tmp_path):
    """Every statement is tried on its own, in one load; those that did not fail write a row."""
    dump = TABLES
    for number, statement in enumerate(STATEMENTS):
        text = statement.replace("%(us)s", os.environ["PGUSER"]).replace("%(name)s", "postgres")
        dump += (
            f"DO $body$ BEGIN EXECUTE $sql${text}$sql$; RESET ROLE; "
            f"INSERT INTO public.res_users (login) VALUES ('{number}'); "
            "EXCEPTION WHEN OTHERS THEN "
            f"INSERT INTO public.ir_config_parameter VALUES ('{number}', SQLERRM); END $body$;\n"
        )
    hidden = machine.restore(write_zip(tmp_path / "a.zip", dump))
    with cluster().cursor(hidden) as cr:
        cr.execute("SELECT login FROM res_users")
        assert [STATEMENTS[int(number)] for (number,) in cr.fetchall()] == []
        cr.execute("SELECT key, value FROM ir_config_parameter ORDER BY key::int")
        said = [(STATEMENTS[int(number)], message) for number, message in cr.fetchall()]
    assert len(said) == len(STATEMENTS)
    refusals = ("permission denied", "must be", "may use", "may set", "may create", "Only roles")
    assert [pair for pair in said if not any(word in pair[1] for word in refusals)] == []


def test_a_dump_that_ends_its_own_guard_is_still_behind_ours(machine, tmp_path):
    dump = f"\\restrict mine\n{TABLES}\\unrestrict mine\n\\! touch /tmp/fleet-was-here\n"
    machine.refuse(write_zip(tmp_path / "a.zip", dump), "foreign_dump", REFUSED_BY_PSQL)


FUNCTION = "CREATE FUNCTION public.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
LEFT_BEHIND = {
    "a function": (FUNCTION, "function f"),
    "a function with its maker's rights": (
        "CREATE FUNCTION public.g() RETURNS int LANGUAGE sql SECURITY DEFINER AS 'SELECT 1';",
        "function g",
    ),
    "a procedure": ("CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1';", "function p"),
    "a trigger": (
        FUNCTION + "CREATE TRIGGER t BEFORE INSERT ON res_users EXECUTE FUNCTION f();",
        "trigger t",
    ),
    # With a function of PostgreSQL's own there is no function to be found.
    "a trigger alone": (
        "CREATE TRIGGER t BEFORE UPDATE ON res_users FOR EACH ROW "
        "EXECUTE FUNCTION suppress_redundant_updates_trigger();",
        "trigger t",
    ),
    "a rule": ("CREATE RULE r AS ON INSERT TO res_users DO ALSO NOTIFY x;", "rule r"),
    "a row policy": ("CREATE POLICY p ON res_users USING (false);", "row policy p"),
    "an operator": (
        "CREATE OPERATOR public.= (FUNCTION = texteq, LEFTARG = text, RIGHTARG = text);",
        "operator =",
    ),
    "a cast": (
        "CREATE TYPE e AS (a int); CREATE CAST (e AS text) WITH INOUT AS IMPLICIT;",
        "cast text",
    ),
    "an enumeration": ("CREATE TYPE mood AS ENUM ('sad');", "type mood"),
    "a large object": ("SELECT lo_from_bytea(0, 'x');", "large object"),
    "a view that acts": (
        "CREATE VIEW v AS SELECT pg_terminate_backend(pid) FROM pg_stat_activity;",
        "view v with pg_terminate_backend()",
    ),
    "a view of other people's queries": (
        "CREATE VIEW v AS SELECT datname, query FROM pg_stat_activity;",
        "view v of pg_stat_activity",
    ),
    "a view of other databases": (
        "CREATE MATERIALIZED VIEW v AS SELECT 1 FROM res_users, pg_catalog.pg_database;",
        "view v of pg_database",
    ),
    "a view of what is written on other databases": (
        "CREATE VIEW v AS SELECT shobj_description(id::oid, 'pg_database') FROM res_users;",
        "view v with shobj_description()",
    ),
    "statistics that act": (
        "CREATE STATISTICS s ON (pg_terminate_backend(id)), (id + 1) FROM res_users;",
        "statistics s with pg_terminate_backend()",
    ),
    "rows that nobody sees": (
        "ALTER TABLE res_users ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;",
        "row security of res_users",
    ),
    "a default that acts": (
        "ALTER TABLE res_users ADD c text DEFAULT set_config('role', 'x', false);",
        "default of res_users with set_config()",
    ),
    "a check that acts": (
        "ALTER TABLE res_users ADD CONSTRAINT c CHECK (pg_notify('a', 'b') IS NULL);",
        "constraint c with pg_notify()",
    ),
    "a query in a string": (
        "CREATE VIEW v AS SELECT query_to_xml('SELECT 1', true, true, '');",
        "view v with query_to_xml()",
    ),
}


@pytest.fixture(scope="module")
def ordinary() -> Iterator[str]:
    """A database with the tables of an ordinary archive."""
    name, server = names.hidden_name("audit"), server_uuid()
    cluster().create_empty(name, mark=Mark(server, "hidden"))
    with cluster().cursor(name) as cr:
        cr.execute(TABLES.partition("COPY")[0])
        cr.execute("INSERT INTO ir_module_module VALUES ('base', '19.0.1.3', 'installed')")
    yield name
    cluster().drop(name, server=server)


@pytest.mark.parametrize("what", LEFT_BEHIND)
def test_nothing_that_would_run_as_us_passes_the_look(ordinary, what):
    line, words = LEFT_BEHIND[what]
    opened = cluster().connect(ordinary, autocommit=False)
    try:
        with opened.cursor() as cr:
            foreign_audit.check(cr, odoo="19.0")
            cr.execute("SET search_path = public")
            cr.execute(line)
            with pytest.raises(errors.HostingError) as caught:
                foreign_audit.check(cr, odoo="19.0")
    finally:
        opened.close()
    assert caught.value.code == "foreign_objects"
    assert words in str(caught.value)


def test_what_odoo_makes_passes_the_look(ordinary):
    opened = cluster().connect(ordinary, autocommit=False)
    try:
        with opened.cursor() as cr:
            cr.execute(
                "SET search_path = public;"
                "CREATE VIEW v AS SELECT login, 'of pg_class' AS note FROM res_users;"
                "CREATE INDEX i ON res_users (lower(login)) WHERE id > 0;"
                "CREATE STATISTICS s ON id, login FROM res_users;"
            )
            foreign_audit.check(cr, odoo="19.0")
    finally:
        opened.close()


def test_a_dump_that_leaves_such_things_is_refused(machine, tmp_path):
    line = LEFT_BEHIND["a trigger"][0]
    machine.refuse(write_zip(tmp_path / "a.zip", TABLES + line), "foreign_objects", "trigger t")


def test_a_view_in_the_place_of_a_table_is_no_odoo_database(machine, tmp_path):
    dump = TABLES.replace("CREATE TABLE public.res_users", "CREATE TABLE public.others")
    dump += "CREATE VIEW public.res_users AS SELECT 1 AS id;"
    machine.refuse(write_zip(tmp_path / "a.zip", dump), "foreign_not_odoo")


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ("DROP COLUMN latest_version", "foreign_not_odoo"),
        ("ALTER latest_version TYPE int USING 19", "archive_version"),
    ],
)
def test_tables_that_are_not_odoos_own_are_no_odoo_database(machine, tmp_path, change, code):
    dump = f"{TABLES}ALTER TABLE ir_module_module {change};"
    machine.refuse(write_zip(tmp_path / "a.zip", dump), code)


def test_the_version_in_the_database_counts_not_only_the_manifest(machine, tmp_path):
    dump = TABLES.replace("19.0.1.3", "18.0.1.3")
    machine.refuse(write_zip(tmp_path / "a.zip", dump), "archive_version", "Odoo 18.0")


def test_what_the_dump_changes_on_its_role_is_undone(machine, tmp_path):
    line = (
        "ALTER ROLE CURRENT_USER PASSWORD 'known'; ALTER ROLE CURRENT_USER RESET ALL;"
        "ALTER ROLE CURRENT_USER SET role = 'none';"
    )
    hidden = machine.restore(write_zip(tmp_path / "a.zip", TABLES + line))
    machine.role.check()
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        psycopg2.connect(dbname=hidden, user=machine.role.name, password="known")
    assert [text for text in machine.left() if "role" in text.split("=")[0]] == []


def test_nothing_is_loaded_while_another_database_of_ours_is_open_to_all(machine, tmp_path):
    other = names.hidden_name("other")
    cluster().create_empty(other, mark=Mark(machine.server, "hidden"))
    with cluster().cursor() as cr:
        cr.execute(f'GRANT CONNECT ON DATABASE "{other}" TO PUBLIC')
    with pytest.raises(errors.HostingError) as caught:
        machine.restore(write_zip(tmp_path / "a.zip"))
    assert caught.value.code == "restore_open"
    assert machine.databases() == [other]


def test_a_query_without_an_end_is_ended(machine, tmp_path):
    dump = TABLES + "SET statement_timeout = 0; SELECT pg_sleep(1e6);"
    limits = ForeignLimits(seconds=1.5)
    machine.refuse(write_zip(tmp_path / "a.zip", dump), "child_deadline", "The load", limits)


def test_a_database_that_grows_without_an_end_is_ended(machine, tmp_path):
    dump = (
        TABLES + "INSERT INTO res_users (login) "
        "SELECT repeat('x', 800) FROM generate_series(1, 100000000);"
    )
    limits = ForeignLimits(database=20 * MB, seconds=60)
    machine.refuse(write_zip(tmp_path / "a.zip", dump), "foreign_size", str(20 * MB), limits)


def test_a_load_for_which_there_is_no_room_any_more_is_ended(machine, tmp_path):
    asked = []

    def room():
        asked.append(machine.hidden)
        if len(asked) > 1:
            raise errors.HostingError("not_ours", name="room")

    dump = TABLES + "SELECT pg_sleep(1e6);"
    machine.refuse(write_zip(tmp_path / "a.zip", dump), "not_ours", room=room)


def test_an_archive_waits_for_the_one_that_is_being_loaded(machine, tmp_path):
    """What loads now is neither disturbed nor waited for in vain."""
    path, waits = write_zip(tmp_path / "a.zip"), []
    lent, ended = threading.Event(), threading.Event()
    other = names.hidden_name("other")
    cluster().create_empty(other, mark=Mark(machine.server, "hidden"))

    def load_another() -> None:
        with machine.role.lent(other):
            lent.set()
            ended.wait(30)

    def progress(_done: float, _total: float, text: str) -> None:
        if text == "Waiting for another archive":
            with cluster().cursor() as cr:
                cr.execute(
                    "SELECT has_database_privilege(%s, %s, 'CONNECT')", [machine.role.name, other]
                )
                waits.append(cr.fetchone()[0])
            ended.set()

    rival = threading.Thread(target=load_another)
    rival.start()
    lent.wait(30)
    machine.restore(path, progress=progress)
    rival.join()
    assert waits and all(waits)


def test_an_archive_waits_no_longer_than_its_operation_may_take(machine, tmp_path):
    other = names.hidden_name("other")
    cluster().create_empty(other, mark=Mark(machine.server, "hidden"))
    with machine.role.lent(other), pytest.raises(errors.Retryable) as caught:
        machine.restore(write_zip(tmp_path / "a.zip"), remaining_s=lambda: 0.0)
    assert caught.value.code == "restore_busy"


def test_what_a_query_spills_is_bounded(machine, tmp_path):
    with cluster().cursor() as cr:
        cr.execute("SELECT rolconfig FROM pg_roles WHERE rolname = %s", [machine.role.name])
        assert "temp_file_limit=2GB" in cr.fetchone()[0]


def test_a_custom_dump_is_held_to_the_same_rules(machine, tmp_path):
    source, server = names.hidden_name("source"), machine.server
    cluster().create_empty(source, mark=Mark(server, "hidden"))
    with cluster().cursor(source) as cr:
        # Nothing but SQL here: psql's way to give rows is none of the server's.
        cr.execute(TABLES.partition("COPY")[0])
        cr.execute("INSERT INTO ir_module_module VALUES ('base', '19.0.1.3', 'installed')")
        cr.execute(FUNCTION)
    dumped = tmp_path / "a.dump"
    command = [machine.tools.path("pg_dump"), "-Fc", "-f", str(dumped), source]
    subprocess.run(command, env=os.environ | cluster().environment(), check=True)
    cluster().drop(source, server=server)
    machine.refuse(dumped, "foreign_objects", "function f")
    dumped.write_bytes(dumped.read_bytes()[:-2000])
    machine.refuse(dumped, "foreign_dump")


# --- what an archive may hold


def test_a_file_that_is_not_what_its_name_says_is_refused(machine, tmp_path):
    path = write_zip(tmp_path / "a.zip", members={stored(b"one"): b"other"})
    machine.refuse(path, "archive_member", "checksum")


@pytest.mark.parametrize(
    "name",
    [
        "../../evil",
        "/etc/cron.d/evil",
        "filestore/../../evil",
        "filestore\\aa\\evil",
        "filestore/aa/../../../evil",
        f"filestore/ab/{'cd' * 20}",
        stored(b"x") + "\n",
        stored(b"x").upper(),
        "filestore/checklist/../../evil",
        "dump.sql/evil",
    ],
)
def test_a_name_that_odoo_does_not_make_is_refused(machine, tmp_path, name):
    machine.refuse(write_zip(tmp_path / "a.zip", members={name: b"x"}), "archive_member")


def test_a_link_is_refused(machine, tmp_path):
    path = write_zip(tmp_path / "a.zip")
    add_link(path, stored(b"/etc/passwd"), "/etc/passwd")
    machine.refuse(path, "archive_member", "link")


def test_a_member_that_is_there_twice_is_refused(machine, tmp_path):
    path = write_zip(tmp_path / "a.zip")
    with zipfile.ZipFile(path, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr("dump.sql", TABLES)
    machine.refuse(path, "archive_member", "twice")


def test_an_unusual_compression_is_refused(machine, tmp_path):
    path = write_zip(tmp_path / "a.zip")
    with zipfile.ZipFile(path, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr(stored(b"x"), b"x")
    machine.refuse(path, "archive_member", "compression")


def test_a_bomb_is_refused_before_it_is_opened(machine, tmp_path):
    path = write_zip(tmp_path / "a.zip", members={stored(bytes(20 * MB)): bytes(20 * MB)})
    machine.refuse(path, "archive_too_big", "compression")


def test_a_bomb_that_lies_about_its_size_never_comes_out(machine, tmp_path):
    name = stored(bytes(20 * MB))
    path = write_zip(tmp_path / "a.zip", members={name: bytes(20 * MB)})
    lie_about_size(path, name, 1000)
    machine.refuse(path, "archive_broken", "CRC")
    lie_about_size(path, name, 30 * MB)
    unbounded = ForeignLimits(archive=ArchiveLimits(ratio=10**9))
    machine.refuse(path, "archive_member", "size", unbounded)


def test_a_dump_shorter_than_declared_is_refused_although_psql_was_content(machine, tmp_path):
    path = write_zip(tmp_path / "a.zip")
    lie_about_size(path, "dump.sql", len(TABLES) + 1)
    machine.refuse(path, "archive_member", "size")


@pytest.mark.parametrize(
    ("limit", "value"),
    [("total", 3000), ("member", 3000), ("members", 2), ("directory", 100), ("manifest", 99)],
)
def test_each_limit_holds(machine, tmp_path, limit, value):
    path = write_zip(tmp_path / "a.zip", members={stored(bytes(4000)): bytes(4000)})
    limits = ForeignLimits(archive=replace(ArchiveLimits(), **{limit: value}))
    machine.refuse(path, "archive_too_big", str(value), limits)


def test_a_million_members_are_refused_without_being_read(machine, tmp_path):
    machine.refuse(write_many(tmp_path / "a.zip", 1_000_000), "archive_too_big", "members")


def test_a_second_list_of_members_that_only_other_readers_find_is_refused(machine, tmp_path):
    path = lead_away(write_zip(tmp_path / "a.zip"))
    machine.refuse(path, "archive_broken", "garbled")


def test_half_an_archive_is_refused(machine, tmp_path):
    path = write_zip(tmp_path / "a.zip", members={stored(b"one"): b"one"})
    whole = path.read_bytes()
    for size in (len(whole) - 1, len(whole) // 2, 10):
        path.write_bytes(whole[:size])
        machine.refuse(path, "archive_broken")


def test_flipped_bytes_are_found(machine, tmp_path):
    content = os.urandom(5000)
    path = write_zip(tmp_path / "a.zip", members={stored(content): content})
    data = bytearray(path.read_bytes())
    data[data.index(content[1000:1020])] ^= 1
    path.write_bytes(data)
    machine.refuse(path, "archive_broken", "CRC")


@pytest.mark.parametrize("missing", ["dump.sql", "manifest.json"])
def test_an_incomplete_archive_is_refused(machine, tmp_path, missing):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr({"dump.sql": "manifest.json"}.get(missing, "dump.sql"), "{}")
    machine.refuse(tmp_path / "a.zip", "archive_member", missing)


@pytest.mark.parametrize(
    ("manifest", "code"),
    [
        ("not JSON", "archive_manifest"),
        ("[" * 100_000, "archive_manifest"),
        ("[]", "archive_manifest"),
        (json.dumps({"modules": {"base; DROP": "1"}}), "archive_manifest"),
        (json.dumps({"modules": {"base": 1}}), "archive_manifest"),
        (json.dumps({"modules": {f"m{n}": "1" for n in range(5001)}}), "archive_too_big"),
        (json.dumps({"modules": {}, "major_version": "18.0"}), "archive_version"),
        (json.dumps({"modules": {}, "major_version": ["19.0"]}), "archive_version"),
    ],
)
def test_a_manifest_that_odoo_19_does_not_write_is_refused(machine, tmp_path, manifest, code):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("dump.sql", TABLES)
        archive.writestr("manifest.json", manifest)
    machine.refuse(tmp_path / "a.zip", code)


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"--\n-- PostgreSQL database dump\n", "archive_plain"),
        (base64.b64decode("H4sIAAAAAAACAwMAAAAAAAAAAAA="), "archive_plain"),
        (b"\x7fELF", "archive_unknown"),
        (b"", "archive_unknown"),
    ],
)
def test_other_files_are_refused_in_plain_words(machine, tmp_path, content, code):
    path = tmp_path / "a.file"
    path.write_bytes(content)
    machine.refuse(path, code, "a.file")


def test_looking_at_an_archive_tells_what_is_in_it(tmp_path):
    path = write_zip(tmp_path / "a.zip", members={stored(b"one"): b"one"})
    facts = archive_check.inspect(path)
    assert (facts.kind, facts.files, facts.file_bytes) == ("zip", 1, 3)
    assert facts.dump_bytes == len(TABLES)
    assert (facts.odoo, facts.database, facts.modules) == (
        "19.0",
        "elsewhere",
        {"base": "19.0.1.3"},
    )


def test_an_old_psql_is_not_used_for_strangers(machine, tmp_path):
    # Not every psql 15 is too old: the list says from which minor release on it is safe.
    assert foreign.RESTRICTING[15] == 14
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "psql"
    program.write_text("#!/bin/sh\necho 'psql (PostgreSQL) 16.9 (Debian 16.9-1)'\n")
    program.chmod(0o755)
    machine.tools = PgTools(cluster(), str(folder))
    machine.refuse(write_zip(tmp_path / "a.zip"), "psql_old", "16.9")


def test_the_psql_that_is_looked_at_is_the_one_that_is_used(tmp_path, monkeypatch):
    program = tmp_path / "psql"
    program.write_text("#!/bin/sh\necho 'psql (PostgreSQL) 14.1'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    said = ""
    try:
        foreign._check_psql(PgTools(cluster()))
    except errors.HostingError as error:
        said = str(error)
    assert "14.1" not in said


def test_a_connection_that_must_be_encrypted_has_no_door(machine, tmp_path):
    demanding = cluster()
    demanding.dsn["sslmode"] = "require"
    with pytest.raises(errors.HostingError) as caught:
        foreign._address(demanding)
    assert caught.value.code == "restore_tls"
