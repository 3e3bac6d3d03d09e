"""Every verb of ``odoo-bin fleet`` once, as its own help shows it."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.hosting_cli import DONE, FAILED, REFUSED, WAITING, WRONG, Shell, publish_template
from support.hosting_fleet import HostingFleet

from fleetdev import databases

pytestmark = pytest.mark.timeout(580)
ACME = f"acme{os.getpid()}"  # one PostgreSQL serves several runs of the tests
# How each example begins, in an order in which all work; ``>`` is what none of them shows.
STORY = """
create acme
template build
provision customers.csv
backup acme
snapshot acme
clone acme
export acme
import acme.zip
restore acme
> restore acme --yes
verify acme
drill acme
kit acme
revert acme
suspend acme
resume acme
archive acme
undelete acme
parameters acme
administrator acme
modules install
rename acme-test
adopt acme-old
release acme-old
> archive acme-back --yes
> backup acme-back
drop acme-back
list
info acme
wait 1
reconcile
"""
ASKING = ("restore", "revert", "suspend", "archive", "drop", "release", "template")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cli")


@pytest.fixture(scope="module")
def shell(folder: Path) -> Iterator[Shell]:
    with HostingFleet("verbs") as fleet:
        publish_template(fleet, "blank")
        yield Shell(fleet, folder)


@pytest.fixture
def stranger(shell: Shell) -> Iterator[str]:
    """A database that somebody else made; it is dropped here, since the server lets it go."""
    name = f"{ACME}-old"
    source = databases.template("tiny")
    with shell.fleet.psql("postgres") as cursor:
        cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{source}"')
        databases.copy_files(source, name, shell.fleet.data_dir)
        yield name
        cursor.execute(f'DROP DATABASE "{name}" (FORCE)')


def test_every_verb_does_what_the_example_in_its_help_says(
    shell: Shell, folder: Path, stranger: str
) -> None:
    text = shell.do("--help")
    examples = re.findall(r"^  odoo-bin fleet (.*)$", text, re.MULTILINE)
    verbs = re.findall(r"^    ([a-z]+) ", text, re.MULTILINE)
    assert [example.split()[0] for example in examples] == verbs
    (folder / "customers.csv").write_text(f"name,template\nbakery-{os.getpid()},blank\n")
    told = {}
    for line in STORY.strip().splitlines():
        words = line.removeprefix("> ")
        if words == line:
            (words,) = [example for example in examples if example.startswith(line)]
        asks = ["--yes"] if words.split()[0] in ASKING else []
        code, told[line], errors = shell.run(*shlex.split(words.replace("acme", ACME)), *asks)
        assert code == (WAITING if "--no-wait" in words else DONE), (line, errors)
        if "--no-wait" in words:
            building = re.search(r"number (\d+)", errors)[1]
    shell.do("wait", building)
    assert {line.split()[0] for line in told} >= set(verbs)
    _check_effects(shell, told)


def _check_effects(shell: Shell, told: dict[str, str]) -> None:
    fleet = shell.fleet
    states = dict(fleet.rows("SELECT name, state FROM saas_database"))
    assert {name: states[ACME + name] for name in ("", "-lab", "-monday", "-back", "-old")} == {
        "": "active",
        "-lab": "active",
        "-monday": "active",
        "-back": "dropped",
        "-old": "released",
    }
    query = (
        "SELECT (SELECT login FROM res_users WHERE id = 2), "
        "(SELECT value FROM ir_config_parameter WHERE key = 'mail.catchall.alias'), "
        "(SELECT state FROM ir_module_module WHERE name = 'auth_password_policy')"
    )
    found = fleet.rows(query, database=ACME)
    assert found == [(f"joe@{ACME}.example", "hello", "installed")]
    assert {row["name"] for row in json.loads(told["list"])} >= {ACME, f"{ACME}-lab"}
    assert "fleet_x_snapshot" in told["info acme"]
    assert "RESTIC_PASSWORD" in told["kit acme"]
    assert f"{fleet.database}" not in told["reconcile"]
    assert "Not made by this server" in told["reconcile"]


@pytest.mark.parametrize(
    ("words", "expected", "code"),
    [
        (["explode"], WRONG, "usage"),
        (["modules", "explode", "acme", "contacts"], WRONG, "usage"),
        (["parameters", "acme", "no-equals-sign"], WRONG, "usage"),
        (["administrator", "acme"], WRONG, "usage"),
        (["rename", "nobody", "somebody"], REFUSED, "refused"),
        (["restore", "nobody"], REFUSED, "refused"),
        (["release", "nobody", "--yes"], REFUSED, "refused"),
        (["parameters", "nobody", "database.uuid=1"], WRONG, "bad_argument"),
    ],
)
def test_with_json_a_refusal_is_json_too(
    shell: Shell, words: list[str], expected: int, code: str
) -> None:
    returned, output, errors = shell.run(*words, "--json")
    answer = json.loads(output)
    assert (returned, answer["exit"], answer["error"]["code"]) == (expected, expected, code)
    assert answer["error"]["message"] == errors.strip()


def test_an_operation_that_fails_is_told_with_its_reason(shell: Shell) -> None:
    name = f"zz-{os.getpid()}"
    code, output, errors = shell.run(
        "create", name, "--template", "blank", "--country", "ZZ", "--json"
    )
    (status,) = json.loads(output)
    assert (code, status["state"], status["error"]["code"]) == (FAILED, "failed", "country_unknown")
    assert "There is no country with the code ZZ" in errors


def test_a_server_that_cannot_be_reached_is_told(shell: Shell) -> None:
    code, output, errors = shell.run("list", "--json", PGPORT="1")
    assert (code, json.loads(output)["exit"]) == (FAILED, FAILED)
    assert errors.startswith("PostgreSQL cannot be reached")


def test_a_broken_pipe_does_not_change_the_exit_code(shell: Shell) -> None:
    words = ["create", f"pipe-{os.getpid()}", "--template", "blank", "--country", "ZZ", "--json"]
    process = shell.start(*words)
    process.stdout.close()
    process.stderr.read()
    assert process.wait(60) == FAILED
