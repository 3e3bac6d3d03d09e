"""What a kind of operation is: its arguments, its plan, who may ask for it from outside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .contract import Argument
from .engine import Plan
from .errors import HostingError
from .names import check_name


@dataclass(frozen=True)
class Kind:
    """A kind of operation.

    :param name: as in ``submit``
    :param plan: makes the plan from the stored request; the names of its steps depend on nothing else
    :param arguments: what ``submit`` accepts; a kind without ``public`` is for the server's own use
    :param owner: the model whose hooks prepare a request and apply its result
    :param check_target: returns the clean target or raises; by default the name of a database
    :param slow: it may take minutes and then must not hold up the fast ones
    :param destroys: the command line and the screens ask before it
    """

    name: str
    plan: Callable[[Mapping[str, Any]], Plan]
    arguments: Mapping[str, Argument] = field(default_factory=dict)
    owner: str = "saas.database"
    check_target: Callable[[object], str] = check_name
    public: bool = True
    slow: bool = False
    destroys: bool = False


def only(expected: str) -> Callable[[object], str]:
    """Accept one target, for operations on the server as a whole."""

    def check(target: object) -> str:
        if target != expected:
            raise HostingError("bad_argument", argument="target", reason=f"it must be {expected}")
        return expected

    return check
