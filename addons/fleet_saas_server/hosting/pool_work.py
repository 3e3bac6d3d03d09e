"""The operations on the pool of ready clones: add one, drop one that nobody will ask for any more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import capacity, clone, files, pool
from .engine import Context, Plan, Step
from .errors import HostingError
from .failpoints import failpoint
from .kind import Kind
from .names import is_hidden


def fits(context: Context) -> dict[str, Any]:
    """Refuse when the machine has no room for one more."""
    return capacity.check_place(context.host, context.request["source"], served=False)


def register(context: Context) -> dict[str, Any]:
    """Put the finished clone into the pool."""
    hidden = clone.hidden_of(context)
    report = context.find("seal", "report", {})
    pool.add(context.host, hidden, source=context.request["source"], report=report)
    return {"physical": hidden}


def fill_plan(_request: Mapping[str, Any]) -> Plan:
    """Return the plan that adds one clone to a template's pool."""
    middle = [step for step in clone.STEPS if step.name in ("copy", "seal", "verify")]
    return Plan(
        (Step("fits", fits), *middle, Step("register", register)), deadline_s=clone.DEADLINE_S
    )


def strike_off(context: Context) -> dict[str, Any]:
    """Make sure that nobody takes the clone any more; one that was taken stays its taker's."""
    mine = pool.strike_off(context.host, context.request["target"], context.operation)
    return {"struck": mine}


def drop(context: Context) -> dict[str, Any]:
    """Drop the clone and its files, then its line in the pool."""
    target = context.request["target"]
    if not context.find("strike_off", "struck"):
        return {"dropped": False}
    context.host.cluster.drop(target, server=context.host.server)
    failpoint("pool.dropped")
    files.remove_tree(context.host.filestore(target))
    pool.forget(context.host, target)
    return {"dropped": True}


def drop_plan(_request: Mapping[str, Any]) -> Plan:
    """Return the plan that drops one clone of the pool."""
    return Plan((Step("strike_off", strike_off), Step("drop", drop)), deadline_s=600)


def _check_hidden(target: object) -> str:
    if not isinstance(target, str) or not is_hidden(target):
        raise HostingError("bad_argument", argument="target", reason="it is no hidden database")
    return target


OWNER = "saas.pool.clone"
KINDS = (
    Kind("pool_fill", fill_plan, owner=OWNER, public=False),
    Kind("pool_drop", drop_plan, owner=OWNER, check_target=_check_hidden, public=False),
)
