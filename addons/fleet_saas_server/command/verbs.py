"""The verbs of ``odoo-bin fleet`` as data: what each takes and which operation it asks for."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from ..hosting.module_work import ACTIONS
from . import wanted

PROG = "odoo-bin fleet"
PURPOSE = ("customer", "trial", "staging")
Option = tuple[tuple[str, ...], dict[str, Any]]


@dataclass(frozen=True)
class Verb:
    """One verb.

    :param ask: turns parsed options into the operations to ask for; None for a verb that asks
        for none
    :param destroys: it takes something away: it asks before and takes ``--yes``
    :param example: words that work as they are where the databases and files they name exist
    """

    name: str
    help: str
    options: Sequence[Option] = ()
    ask: wanted.Ask | None = None
    destroys: bool = False
    example: str = field(kw_only=True)


def _option(*flags: str, **settings: Any) -> Option:
    return flags, settings


def _number(text: str) -> int:
    """Return the number of a record; a greater one is none of PostgreSQL's ``int4``."""
    number = int(text)
    if not 0 < number < 2**31:
        raise argparse.ArgumentTypeError(f"there is no operation {number}")
    return number


NAME = _option("name", help="name of the database")
NAMES = _option("name", nargs="+", help="names of the databases")
BACKUP = _option("--backup", metavar="NUMBER", help="number of the backup; the newest one else")
REASON = _option("--reason", help="shown to visitors")
KEEP_LOGINS = _option("--keep-logins", action="store_true", help="people keep their passwords")
PERSONAL = (
    _option("--company", help="name of the company"),
    _option("--email", help="the administrator's e-mail address"),
    _option("--login", help="the administrator's login"),
    _option("--lang", help="language, such as fr_FR; the template must have it"),
    _option("--country", help="country code, such as BE"),
)
TEMPLATE = (
    _option("action", choices=("list", *wanted.TEMPLATE_KINDS)),
    _option("code", nargs="?", default="", help="code of the template"),
    _option("--modules", help="build: technical names, separated by commas"),
    _option("--source", metavar="NAME", help="build: copy this hosted database instead"),
    _option("--archive", type=Path, metavar="FILE", help="build: load this zip or dump instead"),
    _option("--lang", help="build: language, such as fr_BE"),
    _option("--country", help="build: country code, such as BE"),
    _option("--demo", action="store_true", help="build: with demo data"),
    _option("--version", type=int, help="drop: one version; all that are not needed else"),
)
MAKING = (
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
        wanted.create,
        example="create acme --template blank --company 'Acme Ltd' --email joe@acme.example",
    ),
    Verb(
        "provision",
        "make many databases from a CSV file, all or none",
        (_option("file", type=Path, help="columns: name,template,purpose,company,email,…"),),
        wanted.provision,
        example="provision customers.csv",
    ),
    Verb(
        "clone",
        "copy a hosted database",
        (
            _option("source", help="database to copy"),
            NAME,
            _option("--purpose", choices=PURPOSE, default="staging"),
            KEEP_LOGINS,
        ),
        wanted.clone,
        example="clone acme acme-test --keep-logins",
    ),
    Verb(
        "import",
        "make a database from a zip of Odoo's or a dump of pg_dump -Fc",
        (
            _option("file", type=Path, help="the archive, on this machine"),
            NAME,
            _option("--purpose", choices=PURPOSE, default="staging"),
            KEEP_LOGINS,
            *PERSONAL,
        ),
        wanted.take_in,
        example="import acme.zip acme-back --keep-logins",
    ),
    Verb("template", "list, build, edit, publish, drop templates", TEMPLATE, wanted.template,
         destroys=True, example="template build services --modules base_setup --no-wait"),
)  # fmt: skip
KEEPING = (
    Verb(
        "backup", "back up databases now", (NAMES,), wanted.simple("backup"), example="backup acme"
    ),
    Verb(
        "restore",
        "bring a backup back, over the database or beside it",
        (
            NAME,
            BACKUP,
            _option("--as", dest="as_name", metavar="NAME", help="beside it, under a new name"),
            _option("--purpose", choices=PURPOSE, help="with --as; a staging copy else"),
            KEEP_LOGINS,
        ),
        wanted.restore,
        destroys=True,
        example="restore acme --as acme-monday",
    ),
    Verb(
        "verify",
        "read backups back from their storage",
        (NAMES,),
        wanted.simple("verify"),
        example="verify acme",
    ),
    Verb(
        "drill",
        "rehearse a restore and compare, without anybody seeing it",
        (NAMES, BACKUP),
        wanted.simple("drill", "backup"),
        example="drill acme",
    ),
    Verb(
        "snapshot",
        "keep a hidden copy to go back to",
        (
            NAMES,
            _option("--reason", help="what it is for"),
            _option("--keep-hours", type=int, help="0: until somebody drops it"),
        ),
        wanted.simple("snapshot", "reason", "keep_hours"),
        example="snapshot acme --reason 'before the upgrade'",
    ),
    Verb(
        "revert",
        "go back to a snapshot; what it replaces becomes one",
        (NAME, _option("--snapshot", metavar="NAME", help="see info; the newest one else")),
        wanted.simple("revert", "snapshot"),
        destroys=True,
        example="revert acme",
    ),
    Verb(
        "export",
        "write a database as a zip that any Odoo 19 restores",
        (NAME, _option("--to", type=Path, metavar="FILE", help="move it there when it is done")),
        wanted.simple("export_archive"),
        example="export acme --to acme.zip",
    ),
    Verb(
        "kit",
        "print the recovery kit; it holds the repository's password",
        (NAME,),
        example="kit acme",
    ),
)
LIFE = (
    Verb(
        "suspend",
        "take databases out of everybody's reach",
        (NAMES, REASON),
        wanted.simple("suspend", "reason"),
        destroys=True,
        example="suspend acme --reason 'Please pay invoice 123'",
    ),
    Verb(
        "resume",
        "give suspended databases back",
        (NAMES,),
        wanted.simple("resume"),
        example="resume acme",
    ),
    Verb(
        "archive",
        "take databases out of service, to be dropped later",
        (NAMES, REASON),
        wanted.simple("archive", "reason"),
        destroys=True,
        example="archive acme --reason 'Moved away'",
    ),
    Verb(
        "undelete",
        "give archived databases back",
        (NAMES,),
        wanted.simple("undelete"),
        example="undelete acme",
    ),
    Verb(
        "drop",
        "drop archived databases for good; their last backup stays",
        (NAMES, _option("--without-grace", action="store_true", help="before its time")),
        wanted.simple("drop", "without_grace"),
        destroys=True,
        example="drop acme-back --without-grace",
    ),
)
CHANGING = (
    Verb(
        "rename",
        "give a database another name and address",
        (NAME, _option("new_name", help="its new name")),
        wanted.simple("rename", "new_name"),
        example="rename acme-test acme-lab",
    ),
    Verb(
        "adopt",
        "host a database that somebody else made in this PostgreSQL",
        (
            NAME,
            _option(
                "--hidden",
                metavar="NAME",
                help="a suspended database of this server without a record, as reconcile names it",
            ),
        ),
        wanted.simple("adopt", "hidden"),
        example="adopt acme-old",
    ),
    Verb(
        "release",
        "let a database go; it and its files stay as they are",
        (NAMES,),
        wanted.simple("release"),
        destroys=True,
        example="release acme-old",
    ),
    Verb(
        "modules",
        "install, upgrade, uninstall modules, with a way back",
        (
            _option("action", choices=ACTIONS),
            NAME,
            _option("module", nargs="+", help="technical names of the modules"),
            _option("--keep-hours", type=int, help="keep the snapshot of before so long"),
        ),
        wanted.modules,
        destroys=True,
        example="modules install acme auth_password_policy",
    ),
    Verb(
        "parameters",
        "set system parameters",
        (
            NAME,
            _option("setting", nargs="+", metavar="KEY=VALUE", help="KEY= removes it"),
        ),
        wanted.parameters,
        example="parameters acme mail.catchall.alias=hello web.max_file_upload_size=",
    ),
    Verb(
        "administrator",
        "reset the administrator: login, password, second factors",
        (
            NAME,
            _option("--login", help="new login"),
            _option("--password", action="store_true", help="ask for a password, or read a line"),
            _option("--link", action="store_true", help="print a link to choose a password"),
        ),
        wanted.administrator,
        example="administrator acme --login joe@acme.example",
    ),
)
LOOKING = (
    Verb(
        "list",
        "list the hosted databases",
        (_option("--all", action="store_true", help="dropped and released ones too"),),
        example="list --json",
    ),
    Verb("info", "show everything known of a database", (NAME,), example="info acme"),
    Verb(
        "wait",
        "follow operations to their end; run them here when nobody does",
        (_option("number", nargs="+", type=_number, help="numbers of operations"),),
        example="wait 1",
    ),
    Verb(
        "reconcile",
        "compare the records with what is really there",
        (_option("--repair", action="store_true", help="do every repair that is offered"),),
        wanted.reconcile,
        example="reconcile --repair",
    ),
)
VERBS = {verb.name: verb for verb in (*MAKING, *KEEPING, *LIFE, *CHANGING, *LOOKING)}

EXIT_CODES = """exit codes:
  0  done                    3  refused: the answer says why
  1  failed or cancelled     4  still waiting or running
  2  wrong command line"""


class _Parser(argparse.ArgumentParser):
    """A parser that raises instead of ending the process, so that `--json` gets its answer."""

    def error(self, message: str) -> NoReturn:
        """Refuse the command line."""
        raise wanted.Usage(f"{message}; see {self.prog} --help")


def parser(description: str) -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    examples = "\n".join(f"  {PROG} {verb.example}" for verb in VERBS.values())
    top = _Parser(
        prog=PROG,
        description=description,
        epilog=f"examples:\n{examples}\n\n{EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    for flags, settings in SERVER:
        top.add_argument(*flags, **settings)
    words = top.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb in VERBS.values():
        one = words.add_parser(verb.name, help=verb.help, description=f"{verb.help.capitalize()}.")
        one.epilog = f"example: {PROG} {verb.example}"
        for flags, settings in (*verb.options, *_common(verb)):
            one.add_argument(*flags, **settings)
    return top


SERVER = (
    _option("-c", "--config", help="odoo.conf of the server"),
    _option("-d", "--database", help="the server database; db_name of odoo.conf else"),
    _option("-v", "--verbose", action="store_true", help="show Odoo's log"),
)


def _common(verb: Verb) -> list[Option]:
    # Given after the verb or before it; a default here would hide what was given before.
    common = [(flags, {**kept, "default": argparse.SUPPRESS}) for flags, kept in SERVER]
    if verb.name != "kit":
        common.append(_option("--json", action="store_true", help="print JSON"))
    if verb.ask:
        common += [
            _option("--dry-run", action="store_true", help="say what would happen, do nothing"),
            _option("--no-wait", action="store_true", help="ask for it and return at once"),
            _option("--key", help="idempotency key: asked twice, done once"),
        ]
    if verb.destroys:
        common.append(_option("--yes", action="store_true", help="do not ask"))
    return common


def to_json(value: Any) -> str:
    """Return ``value`` as JSON that a person can read."""
    return json.dumps(value, indent=2, default=str, ensure_ascii=False)
