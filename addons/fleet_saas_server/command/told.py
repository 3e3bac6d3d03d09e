"""What ended operations have to tell besides that they are done."""

from __future__ import annotations

from typing import Any

from .show import words


def status(operation: Any) -> dict[str, Any]:
    """Return an operation's status as programs get it, with the link it made."""
    link = _link(operation)
    return operation._get_status() | ({"link": link} if link else {})


def result(operation: Any) -> str:
    """Return what a person is to read of an ended operation, "" for nothing."""
    if operation.state != "done":
        return ""
    if operation.kind == "reconcile":
        return words(_differences(operation))
    link = _link(operation)
    return f"{link}\n" if link else ""


def _link(operation: Any) -> str:
    if operation.state != "done" or not operation.has_link:
        return ""
    return operation.env["saas.database"]._get_reset_link(operation)


def _differences(operation: Any) -> list[dict[str, str]]:
    """Return what a comparison found, in the words of the screens."""
    found = operation.result["compare"]["differences"]
    repaired = operation.result["repair"]["repaired"]
    model = operation.env["saas.difference"]
    labels = dict(model._fields["what"]._description_selection(operation.env))
    return [
        {
            "name": one["name"],
            "difference": labels[one["what"]],
            "to do": "repaired" if one["name"] in repaired else model.new(one).advice,
        }
        for one in found
    ]
