"""The verbs that only show: ``list``, ``info``, ``template list``."""

from __future__ import annotations

import sys
from argparse import Namespace
from typing import Any

from .verbs import to_json


def show(env: Any, verb: str, options: Namespace) -> int:
    """Print what ``verb`` asks to see; return the exit code."""
    found = {"list": _list, "info": _info, "template": _templates}[verb](env, options)
    if options.json:
        sys.stdout.write(to_json(found) + "\n")
    elif isinstance(found, dict):
        sys.stdout.write("".join(f"{name + ':':<22}{value}\n" for name, value in found.items()))
    else:
        sys.stdout.write(table(found))
    return 0


def table(rows: list[dict[str, Any]]) -> str:
    """Return rows as columns of text, with a heading."""
    if not rows:
        return "nothing\n"
    texts = [list(rows[0]), *([str(value or "") for value in row.values()] for row in rows)]
    widths = [max(len(row[column]) for row in texts) for column in range(len(texts[0]))]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in texts)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def _list(env: Any, _options: Namespace) -> list[dict[str, Any]]:
    return [
        {
            "name": database.name,
            "state": database.state,
            "purpose": database.purpose,
            "backup": database.last_backup,
            "address": database.url,
        }
        for database in env["saas.database"].search([("state", "!=", "dropped")])
    ]


def _info(env: Any, options: Namespace) -> dict[str, Any]:
    database = env["saas.database"]._get_by_name(options.name)
    operations = database.operation_ids.sorted("id", reverse=True)[:5]
    return database._get_inventory() | {
        "physical": database.physical,
        "source": database.source,
        "last_backup": database.last_backup,
        "operations": [f"{one.id} {one.kind} {one.state}" for one in operations],
    }


def _templates(env: Any, _options: Namespace) -> list[dict[str, Any]]:
    return [template._get_summary() for template in env["saas.database.template"].search([])]
