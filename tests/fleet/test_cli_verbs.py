"""Every verb of ``odoo-bin fleet`` once, as its own help shows it."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.hosting_cli import DONE, FAILED, REFUSED, WAITING, WRONG, Shell, publish_template
from support.hosting_fleet import HostingFleet

from fleetdev import databases

pytestmark = pytest.mark.timeout(580)
ACME = f"acme{os.getpid()}"  # one PostgreSQL serves several runs of the tests
# How each example begins; ``>`` is what none of them shows. The lines of one paragraph work at the
# same time, in an order in which all paragraphs work.
STORY = """
create acme
template build
provision customers.csv
adopt acme-old

backup acme
snapshot acme
release acme-old

clone acme
export acme
restore acme
verify acme
drill acme
kit acme

rename acme-test
import acme.zip
> restore acme --yes

revert acme
> archive acme-back --yes

suspend acme
> backup acme-back

resume acme
drop acme-back

archive acme

undelete acme

parameters acme
administrator acme
modules install

list
info acme
wait 1
reconcile
"""
AT_ONCE = 3
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
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for paragraph in STORY.strip().split("\n\n"):
            lines = {line: _words(line, examples) for line in paragraph.splitlines()}
            ends = {line: pool.submit(shell.run, *words) for line, words in lines.items()}
            for line, words in lines.items():
                code, told[line], errors = ends[line].result()
                assert code == (WAITING if "--no-wait" in words else DONE), (line, errors)
                if "--no-wait" in words:
                    building = re.search(r"number (\d+)", errors)[1]
    shell.do("wait", building)
    assert {line.split()[0] for line in told} >= set(verbs)
    _check_effects(shell, told)


def _words(line: str, examples: list[str]) -> list[str]:
    """Return the command line that a line of the story stands for."""
    words = line.removeprefix("> ")
    if words == line:
        (words,) = [example for example in examples if example.startswith(line)]
    asks = ["--yes"] if words.split()[0] in ASKING else []
    return [*shlex.split(words.replace("acme", ACME)), *asks]


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
