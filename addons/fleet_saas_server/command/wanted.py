"""From the words of the command line to the operations that are asked for."""

from __future__ import annotations

import csv
import getpass
import sys
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..hosting.health import SERVER
from ..hosting.personalise import password_hash

Wanted = tuple[str, str, dict[str, Any]]  # kind, target, arguments
Ask = Callable[[Namespace], list[Wanted]]

# Options of ours → keys of `hosting.personalise.Personal`.
PERSONAL_KEYS = {
    "company": "company",
    "email": "email",
    "login": "login",
    "lang": "language",
    "country": "country",
}
TEMPLATE_KINDS = {
    "build": "template_build",
    "refresh": "template_refresh",
    "checkout": "template_checkout",
    "publish": "template_publish",
    "discard": "template_discard",
    "rollback": "template_rollback",
    "drop": "template_drop",
}


class Usage(Exception):
    """The command line cannot be understood; the text says why."""


def simple(kind: str, *names: str) -> Ask:
    """Return what asks for ``kind`` on every name that is given, with the options ``names``."""

    def ask(options: Namespace) -> list[Wanted]:
        arguments = _given(options, *names)
        targets = options.name if isinstance(options.name, list) else [options.name]
        if len(set(targets)) < len(targets):
            raise Usage("a name is given twice")
        return [(kind, target, arguments) for target in targets]

    return ask


def _given(options: Namespace, *names: str) -> dict[str, Any]:
    found = {name: getattr(options, name) for name in names}
    return {name: value for name, value in found.items() if value not in (None, False, "")}


def _personal(values: dict[str, Any]) -> dict[str, str]:
    return {key: values[name] for name, key in PERSONAL_KEYS.items() if values.get(name)}


def create(options: Namespace) -> list[Wanted]:
    """Ask for a database from a template."""
    arguments = {
        "template": options.template,
        "purpose": options.purpose,
        "personal": _personal(vars(options)),
        "activate": not options.inert,
    }
    return [("create", options.name, arguments)]


def provision(options: Namespace) -> list[Wanted]:
    """Ask for a database for each line of a CSV file."""
    return [
        (
            "create",
            row["name"],
            {
                "template": row["template"],
                "purpose": row.get("purpose") or "customer",
                "personal": _personal(row),
            },
        )
        for row in _rows(options.file)
    ]


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        with open(path, newline="", encoding="utf-8-sig") as handle:
            rows = list(csv.DictReader(handle))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Usage(f"{path} cannot be read: {error}") from error
    columns = set(rows[0]) if rows else set()
    if not {"name", "template"} <= columns:
        raise Usage(f"{path} needs a first line with at least name,template and a line below it")
    unknown = columns - {"name", "template", "purpose", *PERSONAL_KEYS}
    if unknown:
        raise Usage(f"{path} has unknown columns: {', '.join(sorted(map(str, unknown)))}")
    return [{name: (value or "").strip() for name, value in row.items()} for row in rows]


def clone(options: Namespace) -> list[Wanted]:
    """Ask for a copy of a hosted database."""
    arguments = {
        "source": options.source,
        "purpose": options.purpose,
        "keep_logins": options.keep_logins,
        "personal": {},
    }
    return [("duplicate", options.name, arguments)]


def restore(options: Namespace) -> list[Wanted]:
    """Ask for a backup over the database itself, or beside it."""
    arguments = _given(options, "backup")
    if not options.as_name:
        if options.purpose or options.keep_logins:
            raise Usage("--purpose and --keep-logins go with --as NAME")
        return [("restore", options.name, arguments)]
    arguments |= {
        "source": options.name,
        "purpose": options.purpose or "staging",
        "keep_logins": options.keep_logins,
    }
    return [("restore_as", options.as_name, arguments)]


def take_in(options: Namespace) -> list[Wanted]:
    """Ask for a database from an archive; by which name it was uploaded is added later."""
    arguments = {
        "file": options.file.name,
        "purpose": options.purpose,
        "keep_logins": options.keep_logins,
        "personal": _personal(vars(options)),
    }
    return [("import_archive", options.name, arguments)]


def template(options: Namespace) -> list[Wanted]:
    """Ask for what is to be done with a template; nothing to be shown a list."""
    if options.action == "list":
        return []
    if not options.code:
        raise Usage(f"template {options.action} needs the code of a template")
    if options.archive:
        return [_from_archive(options)]
    arguments = {}
    if options.action == "build":
        arguments = _given(options, "lang", "country", "source", "demo")
        if options.modules:
            arguments["modules"] = [name.strip() for name in options.modules.split(",")]
    elif options.action == "refresh":
        arguments = {"rebuild": True}
    elif options.action == "drop":
        arguments = _given(options, "version")
    return [(TEMPLATE_KINDS[options.action], options.code, arguments)]


def _from_archive(options: Namespace) -> Wanted:
    others = _given(options, "modules", "source", "lang", "country", "demo", "version")
    if options.action != "build" or others:
        raise Usage("--archive goes with build alone: the archive says what is in the template")
    return "template_import", options.code, {"file": options.archive.name}


def modules(options: Namespace) -> list[Wanted]:
    """Ask for work on the modules of a database."""
    arguments = {"action": options.action, "modules": options.module}
    return [("modules", options.name, arguments | _given(options, "keep_hours"))]


def parameters(options: Namespace) -> list[Wanted]:
    """Ask for system parameters to be set; without a value one is removed."""
    values: dict[str, str | None] = {}
    for setting in options.setting:
        key, equals, value = setting.partition("=")
        if not equals or key in values:
            raise Usage(f"{setting} is not KEY=VALUE, or its key is given twice")
        values[key] = value or None
    return [("parameters", options.name, {"values": values})]


def administrator(options: Namespace) -> list[Wanted]:
    """Ask for another login or password; the password never stands on a command line."""
    if not (options.login or options.password or options.link):
        raise Usage("say --login, --password or --link")
    arguments = _given(options, "login", "link")
    if options.password:
        arguments["password_hash"] = password_hash(_read_password())
    return [("administrator", options.name, arguments)]


def _read_password() -> str:
    if sys.stdin.isatty():
        password = getpass.getpass("New password: ")
        if getpass.getpass("Once more: ") != password:
            raise Usage("the two are not the same")
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    if not password:
        raise Usage("an empty password is none")
    return password


def reconcile(options: Namespace) -> list[Wanted]:
    """Ask for a comparison of records and machine."""
    return [("reconcile", SERVER, {"repair": True} if options.repair else {})]
