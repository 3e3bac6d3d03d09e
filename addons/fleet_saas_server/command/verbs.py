"""The verbs of ``odoo-bin fleet`` as data: what each takes and which operation it asks for."""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Option = tuple[tuple[str, ...], dict[str, Any]]
Wanted = tuple[str, str, dict[str, Any]]  # kind, target, arguments


class Usage(Exception):
    """The command line cannot be understood; the text says why."""


@dataclass(frozen=True)
class Verb:
    """One verb.

    :param ask: turns parsed options into the operations to ask for; None for a verb that only shows
    :param destroys: it asks before, takes ``--yes`` and ``--dry-run``
    """

    name: str
    help: str
    options: Sequence[Option] = ()
    ask: Callable[[argparse.Namespace], list[Wanted]] | None = None
    destroys: bool = False
    example: str = ""


def _option(*flags: str, **settings: Any) -> Option:
    return flags, settings


NAME = _option("name", help="name of the database")
BACKUP = _option("--backup", metavar="NUMBER", help="number of the backup; the newest one else")
PURPOSE = ("customer", "trial", "staging")
PERSONAL = (
    _option("--company", help="name of the company"),
    _option("--email", help="the administrator's e-mail address"),
    _option("--login", help="the administrator's login"),
    _option("--lang", help="language, such as fr_FR; the template must have it"),
    _option("--country", help="country code, such as BE"),
)
# Options of ours → keys of `hosting.personalise.Personal`.
PERSONAL_KEYS = {
    "company": "company",
    "email": "email",
    "login": "login",
    "lang": "language",
    "country": "country",
}


def _personal(options: argparse.Namespace) -> dict[str, str]:
    given = {key: getattr(options, name) for name, key in PERSONAL_KEYS.items()}
    return {key: value for key, value in given.items() if value}


def _create(options: argparse.Namespace) -> list[Wanted]:
    arguments = {
        "template": options.template,
        "purpose": options.purpose,
        "personal": _personal(options),
        "activate": not options.inert,
    }
    return [("create", options.name, arguments)]


def _provision(options: argparse.Namespace) -> list[Wanted]:
    """Read a CSV file with the columns name, template and, if wanted, purpose and the personal ones."""
    with open(options.file, newline="", encoding="utf-8-sig") as handle:
        rows = list(csv.DictReader(handle))
    if not rows or not {"name", "template"} <= set(rows[0]):
        raise Usage(f"{options.file} needs a first line with at least: name,template")
    unknown = set(rows[0]) - {"name", "template", "purpose", *PERSONAL_KEYS}
    if unknown:
        raise Usage(f"{options.file} has unknown columns: {', '.join(sorted(map(str, unknown)))}")
    return [
        (
            "create",
            row["name"],
            {
                "template": row["template"],
                "purpose": row.get("purpose") or "customer",
                "personal": {
                    key: row[name] for name, key in PERSONAL_KEYS.items() if row.get(name)
                },
            },
        )
        for row in rows
    ]


def _clone(options: argparse.Namespace) -> list[Wanted]:
    arguments = {
        "source": options.source,
        "purpose": options.purpose,
        "keep_logins": options.keep_logins,
    }
    return [("duplicate", options.name, arguments)]


def _restore(options: argparse.Namespace) -> list[Wanted]:
    if options.as_name:
        arguments = {
            "source": options.name,
            "purpose": options.purpose,
            "keep_logins": options.keep_logins,
        }
        kind, target = "restore_as", options.as_name
    else:
        kind, target, arguments = "restore", options.name, {}
    if options.backup:
        arguments["backup"] = options.backup
    return [(kind, target, arguments)]


def _simple(kind: str, *names: str) -> Callable[[argparse.Namespace], list[Wanted]]:
    def ask(options: argparse.Namespace) -> list[Wanted]:
        given = {name: getattr(options, name) for name in names}
        arguments = {name: value for name, value in given.items() if value not in (None, False)}
        return [(kind, target, arguments) for target in _names(options)]

    return ask


def _names(options: argparse.Namespace) -> list[str]:
    return options.name if isinstance(options.name, list) else [options.name]


def _template(options: argparse.Namespace) -> list[Wanted]:
    kinds = {
        "build": "template_build",
        "publish": "template_publish",
        "rollback": "template_rollback",
        "checkout": "template_checkout",
        "discard": "template_discard",
    }
    return [] if options.action == "list" else [(kinds[options.action], options.code, {})]


NAMES = _option("name", nargs="+", help="names of the databases")
VERBS = (
    Verb(
        "create",
        "make a database from a template",
        (
            NAME,
            _option("--template", required=True, help="code of the template"),
            _option("--purpose", choices=PURPOSE, default="customer"),
            _option("--inert", action="store_true", help="leave it neutralised"),
            *PERSONAL,
        ),
        _create,
        example="create acme --template blank --company 'Acme Ltd' --email joe@acme.example",
    ),
    Verb(
        "provision",
        "make many databases from a CSV file",
        (_option("file", type=Path, help="columns: name,template,purpose,company,email,…"),),
        _provision,
        example="provision customers.csv --json",
    ),
    Verb(
        "clone",
        "copy a hosted database",
        (
            _option("source", help="database to copy"),
            NAME,
            _option("--purpose", choices=PURPOSE, default="staging"),
            _option("--keep-logins", action="store_true", help="people keep their passwords"),
        ),
        _clone,
        example="clone acme acme-test --keep-logins",
    ),
    Verb("backup", "back up databases now", (NAMES,), _simple("backup"), example="backup acme"),
    Verb(
        "restore",
        "bring a backup back, over the database or beside it",
        (
            NAME,
            BACKUP,
            _option(
                "--as", dest="as_name", metavar="NAME", help="restore beside it, under a new name"
            ),
            _option("--purpose", choices=PURPOSE, default="staging"),
            _option("--keep-logins", action="store_true", help="people keep their passwords"),
        ),
        _restore,
        destroys=True,
        example="restore acme --as acme-monday",
    ),
    Verb("verify", "read backups back from their storage", (NAMES,), _simple("verify")),
    Verb(
        "drill",
        "rehearse a restore and compare, without anybody seeing it",
        (NAMES, BACKUP),
        _simple("drill", "backup"),
    ),
    Verb(
        "suspend",
        "take databases out of everybody's reach",
        (NAMES, _option("--reason", help="shown to visitors")),
        _simple("suspend", "reason"),
        destroys=True,
        example="suspend acme --reason 'Please pay invoice 123'",
    ),
    Verb("resume", "give suspended databases back", (NAMES,), _simple("resume")),
    Verb(
        "drop",
        "drop archived databases for good; their last backup stays",
        (NAMES,),
        _simple("drop"),
        destroys=True,
        example="drop acme --dry-run",
    ),
    Verb(
        "template",
        "list, build, publish, check out or roll back templates",
        (
            _option(
                "action", choices=("list", "build", "publish", "checkout", "discard", "rollback")
            ),
            _option("code", nargs="?", default="", help="code of the template"),
        ),
        _template,
        example="template build restaurant",
    ),
    Verb("list", "list the hosted databases"),
    Verb("info", "show everything known of a database", (NAME,)),
    Verb(
        "reconcile",
        "compare the records with what is really there",
        (_option("--repair", action="store_true", help="do every repair that is offered"),),
        lambda options: [("reconcile", "server", {"repair": True} if options.repair else {})],
    ),
)


def parser(prog: str, description: str) -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    examples = "\n".join(f"  {prog} {verb.example}" for verb in VERBS if verb.example)
    top = argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog=f"examples:\n{examples}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    words = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb in VERBS:
        one = words.add_parser(verb.name, help=verb.help, description=verb.help.capitalize() + ".")
        if verb.example:
            one.epilog = f"example: {prog} {verb.example}"
        for flags, settings in (*verb.options, *_common(verb)):
            one.add_argument(*flags, **settings)
    return top


def _common(verb: Verb) -> list[Option]:
    common = [
        _option("-c", "--config", help="odoo.conf of the server"),
        _option("-d", "--database", help="the server database; db_name of odoo.conf else"),
        _option("--json", action="store_true", help="print JSON"),
    ]
    if verb.ask:
        common += [
            _option("--no-wait", action="store_true", help="ask for it and return at once"),
            _option("--key", help="idempotency key: asked twice, done once"),
        ]
    if verb.destroys:
        common += [
            _option("--dry-run", action="store_true", help="say what would happen, do nothing"),
            _option("--yes", action="store_true", help="do not ask"),
        ]
    return common


EXIT_CODES = """exit codes:
  0  done                    3  refused: the answer says why
  1  failed or cancelled     4  still waiting or running (--no-wait)
  2  wrong command line"""


def to_json(value: Any) -> str:
    """Return ``value`` as JSON that a person can read."""
    return json.dumps(value, indent=2, sort_keys=True, default=str, ensure_ascii=False)
