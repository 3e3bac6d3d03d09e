"""``odoo-bin fleet`` as its users start it: a process of its own, with and without the server."""

from __future__ import annotations

import json
import os
import signal
import time
import zipfile
from collections.abc import Iterator
from typing import Any

import pytest
from hosting import files
from hosting.archive import export_zip
from hosting.names import hidden_name
from hosting.pgtools import PgTools
from hosting.postgres import Cluster, Mark
from support import backups
from support.hosting_cli import DONE, REFUSED, WAITING, WRONG, Shell, publish_template
from support.hosting_fleet import HostingFleet

from fleetdev import databases

pytestmark = pytest.mark.timeout(280)


def own(name: str) -> str:
    """Return a database's name that no other test uses at the same time."""
    return f"{name}-{os.getpid()}"


def connect() -> Cluster:
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    return Cluster({key: os.environ[name] for key, name in names.items() if name in os.environ})


@pytest.fixture(scope="module")
def fleet() -> Iterator[HostingFleet]:
    with HostingFleet("cli") as fleet:
        publish_template(fleet, "blank")
        yield fleet


@pytest.fixture(scope="module")
def shell(fleet: HostingFleet) -> Shell:
    return Shell(fleet)


def test_with_the_server_running_it_asks_and_follows(
    fleet: HostingFleet, shell: Shell, tmp_path: Any
) -> None:
    name, key = own("asked"), "cli-asked-once"
    asking = ("create", name, "--template", "blank", "--key", key, "--json")
    code, output, errors = shell.run(*asking, "--no-wait")
    assert code in (WAITING, DONE), errors
    (status,) = json.loads(output)
    (again,) = json.loads(shell.do(*asking))
    assert (again["operation"], again["state"]) == (status["operation"], "done")
    (tmp_path / "any.zip").write_bytes(b"PK")
    code, _output, errors = shell.run("import", tmp_path / "any.zip", own("other"), "--key", key)
    assert (code, "was used before" in errors) == (REFUSED, True), errors
    # The server's own process did it.
    ((runner,),) = fleet.rows("SELECT runner FROM saas_operation WHERE key = %s", key)
    assert int(runner.rpartition(":")[2]) not in (0, os.getpid())
    assert fleet.get(name).status_code == 200
    (listed,) = [row for row in json.loads(shell.do("list", "--json")) if row["name"] == name]
    assert (listed["state"], listed["backup"]) == ("active", None)


def test_without_the_server_it_does_everything_itself(
    fleet: HostingFleet, shell: Shell, tmp_path: Any
) -> None:
    fleet.control.stop()
    name, archive = own("alone"), tmp_path / "away.zip"
    shell.do(
        "create", name, "--template", "blank", "--company", "Acme", "--email", "j@acme.example"
    )
    shell.do("export", name, "--to", archive)
    with zipfile.ZipFile(archive) as opened:
        assert "dump.sql" in opened.namelist()
    shell.do("import", archive, own("back"), "--keep-logins")
    assert fleet.get(own("back")).status_code == 200
    assert archive.exists()
    assert not any((fleet.data_dir / "fleet" / "uploads").iterdir())
    shell.do("archive", name, "--yes")
    assert fleet.get(name).status_code == 503
    code, _output, errors = shell.run("drop", name, "--without-grace", "--dry-run")
    assert (code, "final backup" in errors) == (REFUSED, True)
    shell.do("backup", name)
    kit = shell.do("kit", name)
    assert "RESTIC_PASSWORD" in kit
    assert "BEGIN PUBLIC KEY" in kit
    printed = "SELECT body FROM mail_message WHERE model = 'saas.database' AND body LIKE '%%kit%%'"
    ((body,),) = fleet.rows(printed)
    assert "at the command line" in body
    password = next(line for line in kit.splitlines() if "RESTIC_PASSWORD" in line).split("=")[1]
    assert password not in body

    ((physical,),) = fleet.rows("SELECT physical FROM saas_database WHERE name = %s", name)
    before = shell.operations()
    (facts,) = json.loads(shell.do("drop", name, "--without-grace", "--dry-run", "--json"))
    assert (facts["physical"], facts["final_backup"] in kit or facts["backups"]) == (physical, 1)
    assert facts["database_bytes"] > 1 << 20
    assert facts["files"] == files.usage(fleet.filestore(physical))[0] > 0
    assert shell.operations() == before
    # Nobody is there to agree.
    assert shell.run("drop", name, "--without-grace")[0] == REFUSED
    assert physical in fleet.made()
    shell.do("drop", name, "--without-grace", "--yes")
    assert physical not in fleet.made()
    assert not fleet.filestore(physical).exists()


def test_a_template_that_is_not_there_yet_is_built_from_an_archive(
    fleet: HostingFleet, shell: Shell, tmp_path: Any
) -> None:
    fleet.control.stop()
    cluster, stranger, path = connect(), hidden_name("stranger"), tmp_path / "brought.zip"
    cluster.clone(databases.template("tiny"), stranger, mark=Mark(fleet.uuid, "hidden"))
    folder = databases.filestore(databases.template("tiny"))
    tools = PgTools(cluster, backups.pg_bin())
    export_zip(tools, stranger, folder, path, staging=tmp_path)
    cluster.drop(stranger, server=fleet.uuid)
    code = own("brought")
    shell.do("template", "build", code, "--archive", path)
    (listed,) = [
        one for one in json.loads(shell.do("template", "list", "--json")) if one["code"] == code
    ]
    assert listed["version"] == 1
    assert path.exists()
    assert not any((fleet.data_dir / "fleet" / "uploads").iterdir())


def test_an_interrupted_command_says_how_to_go_on_and_that_works(
    fleet: HostingFleet, shell: Shell
) -> None:
    fleet.control.stop()
    name = own("stopped")
    process = shell.start(
        "create",
        name,
        "--template",
        "blank",
        FLEET_TEST_FAILPOINTS_ALLOWED="1",
        FLEET_FAILPOINTS="create.copy.after=sleep:60",
    )
    query = "SELECT 1 FROM saas_operation_step WHERE name = 'copy' AND state = 'running' " \
            "AND evidence ->> 'hidden' IS NOT NULL"  # fmt: skip
    end = time.monotonic() + 100
    while not fleet.rows(query):
        assert time.monotonic() < end
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _output, errors = process.communicate(timeout=60)
    assert process.returncode == WAITING, errors
    assert "Traceback" not in errors
    number = errors.split("fleet wait ")[1].split()[0]
    shell.do("wait", number)
    assert fleet.get(name).status_code == 200


def test_of_many_databases_all_are_asked_for_or_none(
    fleet: HostingFleet, shell: Shell, tmp_path: Any
) -> None:
    fleet.control.stop()
    table = tmp_path / "many.csv"
    table.write_text(f"name,template,company\n{own('one')},blank,One\n{own('two')},nowhere,Two\n")
    before = shell.operations()
    code, _output, errors = shell.run("provision", table)
    assert (code, "no template nowhere" in errors) == (REFUSED, True)
    assert shell.operations() == before
    table.write_text(f"name,template,company\n{own('one')},blank,One\n{own('two')},blank,Two\n")
    shell.do("provision", table)
    assert {own("one"), own("two")} <= set(fleet.made())


@pytest.mark.parametrize(
    ("words", "expected", "said"),
    [
        (["explode"], WRONG, "invalid choice"),
        (["list", "-d", "no_such_database"], WRONG, "there is no database no_such_database"),
        (["list", "-d", "postgres"], WRONG, "is no server database"),
        (["list", "-c", "/no/such.conf"], WRONG, "there is no file"),
        (["info", "nobody"], REFUSED, "nobody does not exist"),
        (["template", "build"], WRONG, "needs the code"),
        (["import", "/no/such.zip", "acme"], WRONG, "cannot be read"),
        (["template", "build", "x", "--archive", "/no/such.zip"], WRONG, "cannot be read"),
        (["template", "drop", "x", "--archive", "/no/such.zip"], WRONG, "goes with build alone"),
        (["create", "Not_A_Name", "--template", "blank"], WRONG, "is not a valid name"),
        (["create", "admin", "--template", "blank"], REFUSED, "is reserved"),
        (["wait", "999999"], WRONG, "no operation 999999"),
        (["wait", "99999999999"], WRONG, "no operation 99999999999"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_sentence(
    shell: Shell, words: list[str], expected: int, said: str
) -> None:
    code, output, errors = shell.run(*words)
    assert (code, output) == (expected, ""), errors
    assert said in errors
    assert len(errors.strip().splitlines()) <= 2


def test_the_help_shows_examples_and_exit_codes(shell: Shell) -> None:
    output = shell.do("--help")
    assert "odoo-bin fleet create acme --template blank" in output
    assert all(f"  {code}  " in output for code in (0, 1, 2)), output
