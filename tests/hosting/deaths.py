"""Where the tests kill a runner: an operation several times, at places far from each other.

@pytest.mark.parametrize("places", forward("suspend", hide=("place.hide", "place.hidden")))
def test_a_suspension_killed_anywhere_is_finished(server, places):
    operation = server.submit("suspend", …)
    kill(server.run, operation, places)
    assert server.run(operation) == "done"
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hosting.engine import MAX_TRIES
from hosting.kinds import KINDS

PLACES: set[str] = set()  # all of them, of every test that was imported


def in_turn(*places: str, most: int = MAX_TRIES - 1) -> list[Any]:
    """Share places out among operations, for `pytest.mark.parametrize`.

    :param places: in the order in which a run passes them
    :param most: deaths that one operation bears
    :return: for each operation its places, in that order
    """
    PLACES.update(places)
    operations = -(-len(places) // most)
    shared = [places[first::operations] for first in range(operations)]
    return [pytest.param(each, id="+".join(each)) for each in shared]


def forward(kind: str, *, without: tuple[str, ...] = (), **inside: tuple[str, ...]) -> list[Any]:
    """Return the places of a kind: inside its steps, and after each one before that is journalled.

    Between two steps there is nothing else to find: one is journalled, the next has done nothing.

    :param without: steps in which nobody is killed
    :param inside: places inside a step
    """
    places: list[str] = []
    for step in KINDS[kind].plan({}).steps:
        places += [*inside.pop(step.name, ()), f"{kind}.{step.name}.after"]
        if step.name in without:
            places.pop()
    assert not inside, f"{kind} has no step {inside}"
    return in_turn(*places)


def back(kind: str, **inside: tuple[str, ...]) -> list[Any]:
    """Return the places of a kind while it is undone; an undo bears any number of deaths."""
    places: list[str] = []
    for step in KINDS[kind].plan({}).steps:
        if step.final:
            break
        if step.undo:
            places[:0] = [*inside.pop(step.name, ()), f"{kind}.{step.name}.undone"]
    assert not inside, f"{kind} undoes no step {inside}"
    return in_turn(*places, most=len(places))


def kill(
    run: Callable[[int, str], str], operation: int, places: Iterable[str], failing: str = ""
) -> None:
    """Let one runner after another take up an operation, each to be killed at its place.

    :param run: runs an operation with failpoints and returns the outcome
    :param failing: failpoints at which all of them fail
    """
    for place in places:
        outcome = run(operation, ",".join(filter(None, [failing, f"{place}=kill"])))
        assert outcome == "killed", f"at {place}: {outcome}"
