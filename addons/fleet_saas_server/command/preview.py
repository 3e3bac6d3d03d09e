"""What an operation would do, with the facts of this moment; nothing is done."""

from __future__ import annotations

from typing import Any

from ..hosting.host import Host
from .show import measure

# Facts of the request that say what is taken, kept or changed.
_SHOWN = (
    "source",
    "file",
    "purpose",
    "backup",
    "snapshot",
    "reason",
    "new_name",
    "modules",
    "numbers",
)


def preview(operations: Any, host: Host) -> list[dict[str, Any]]:
    """Return what each recorded operation will do, as the request says and the machine shows.

    :param operations: records of ``saas.operation``, recorded in a transaction that is undone
    """
    return [_one(operation, host) for operation in operations]


def _one(operation: Any, host: Host) -> dict[str, Any]:
    request = operation.request
    facts: dict[str, Any] = {"operation": operation.name, "kind": operation.kind}
    facts |= {name: request[name] for name in _SHOWN if request.get(name)}
    if "from_pool" in request:
        facts["source"] = operation.env["saas.database"].browse(operation.res_id).source
    if operation.res_model == "saas.database":
        database = operation.env["saas.database"].browse(operation.res_id)
        if database.physical:
            facts |= _database(database, host)
    if request.get("final_backup"):
        facts["final_backup"] = request["final_backup"]["backup"]
    return facts | {"steps": [step.label for step in operation.step_ids]}


def _database(database: Any, host: Host) -> dict[str, Any]:
    """Return what there is of the database that the operation works on."""
    return {
        "database": database.name,
        "physical": database.physical,
        **measure(host, database.name, database.physical),
        "snapshots": len(database.snapshot_ids),
        "last_backup": str(database.last_backup or "none"),
        "backups": database.backup_count,
    }
