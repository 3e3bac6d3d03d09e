"""Run an operation: steps known in advance, each journalled before and after, undone on failure.

The engine knows nothing of databases and nothing of Odoo. It takes a plan and a journal:

* A step that ends leaves its evidence in the journal; one that fails makes the engine undo every
  step that had begun, the last one first.
* A runner that dies leaves the step it was in marked as running. Whoever claims the operation next
  goes on at that step's ``restart`` point, so every step may run twice.
* A `Retryable` error puts the operation back into the queue with a growing delay; after
  `MAX_TRIES` of them, or of deaths, it is undone like any other failure.
* Past a ``final`` step nothing is undone any more: there is only forward.
"""

from __future__ import annotations

import logging
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from .errors import HostingError, Lost
from .failpoints import failpoint

if TYPE_CHECKING:
    from .host import Host

_logger = logging.getLogger(__name__)

MAX_TRIES = 5
UNDO_TRIES = 3
PROGRESS_S = 0.5  # seconds between two writes of the progress


@dataclass(frozen=True)
class Step:
    """One step of a plan.

    :param run: does it and returns its evidence, a small dict of JSON values
    :param undo: takes it back; it finds what it needs in the notes and must bear that the step
        did nothing, half of it, or all of it
    :param restart: the step to begin again from when a runner died in this one; itself by default
    :param final: once it ended nothing is undone any more
    """

    name: str
    run: Callable[[Context], dict[str, Any] | None]
    undo: Callable[[Context], None] | None = None
    restart: str = ""
    final: bool = False


@dataclass(frozen=True)
class Plan:
    """The steps of an operation in their order, and the seconds they may take together."""

    steps: tuple[Step, ...]
    deadline_s: int = 3600

    def index(self, name: str) -> int:
        """Return the position of the step called ``name``."""
        return next(at for at, step in enumerate(self.steps) if step.name == name)


class Journal(Protocol):
    """Where the engine writes what it does. Every method is durable when it returns.

    All of them raise `Lost` when this runner no longer holds the operation.
    """

    kind: str

    def begin(self, step: str) -> None: ...
    def note(self, step: str, facts: Mapping[str, Any]) -> None: ...
    def end(self, step: str, evidence: Mapping[str, Any]) -> None: ...
    def undone(self, step: str) -> None: ...
    def reset(self, steps: list[str]) -> None: ...
    def progress(self, done: float, total: float, text: str) -> None: ...
    def check(self, *, cancellable: bool = True) -> None: ...
    def seconds_left(self) -> float: ...
    def wait(self, error: HostingError, delay_s: float) -> None: ...
    def undoing(self, error: HostingError) -> None: ...
    def close_as(self, state: str, error: HostingError | None = None) -> None: ...


@dataclass
class Context:
    """What a step works with.

    :param request: the operation's arguments, plain values, never a secret
    :param secrets: values that are never journalled
    :param notes: what every step has noted or left as evidence so far, by step
    """

    host: Host
    operation: int
    request: dict[str, Any]
    journal: Journal
    secrets: dict[str, str] = field(default_factory=dict)
    notes: dict[str, dict[str, Any]] = field(default_factory=dict)
    step: str = ""
    past_return: bool = False
    _reported: float = 0.0

    def note(self, **facts: Any) -> None:
        """Keep a fact of the running step before acting on it, so that an undo can find it."""
        self.notes.setdefault(self.step, {}).update(facts)
        self.journal.note(self.step, facts)

    def find(self, step: str, fact: str, default: Any = None) -> Any:
        """Return what an earlier step noted."""
        return self.notes.get(step, {}).get(fact, default)

    def progress(self, done: float, total: float, text: str = "") -> None:
        """Tell how far the running step is; cheap to call often. Also stops what was cancelled."""
        if time.monotonic() - self._reported >= PROGRESS_S:
            self._reported = time.monotonic()
            self.journal.progress(done, total, text)
            self.check()

    def check(self) -> None:
        """Raise when the operation was cancelled, has no time left, or belongs to another runner."""
        self.journal.check(cancellable=not self.past_return)

    def seconds_left(self) -> float:
        """Return the seconds until the deadline."""
        return self.journal.seconds_left()


@dataclass(frozen=True)
class Progress:
    """Where an earlier runner left the operation.

    :param states: each step's state, by name: ``pending``, ``running``, ``done``, ``undone``
    :param error: why it is being undone, None while it goes forward
    """

    states: Mapping[str, str]
    tries: int = 1
    error: HostingError | None = None


def run(plan: Plan, context: Context, past: Progress, refusal: HostingError | None = None) -> str:
    """Bring an operation to its end or back into the queue; return its state then.

    :param refusal: why no step of it can be run, known before
    :returns: ``done``, ``failed``, ``cancelled`` or ``queued``
    :raises Lost: when another runner may have taken over; nothing was written after that
    """
    journal = context.journal
    if past.error is not None:
        return _undo(plan, context, past.states, past.error)
    states = dict(past.states)
    context.past_return = _floor(plan, states) > 0
    try:
        if refusal:
            raise refusal
        if past.tries > MAX_TRIES:
            raise HostingError("gave_up", attempts=past.tries - 1, step=_unfinished(plan, states))
        for step in plan.steps[_start(plan, journal, states) :]:
            states[step.name] = "running"
            _run_step(step, context)
            states[step.name] = "done"
            context.past_return = context.past_return or step.final
    except HostingError as error:
        return _failed(plan, context, states, error, past.tries)
    except (Lost, GeneratorExit):
        raise
    except Exception as error:
        _logger.exception("operation %s: step %s failed", context.operation, context.step)
        named = HostingError("unexpected", step=context.step, kind=type(error).__name__)
        return _failed(plan, context, states, named, past.tries)
    journal.close_as("done")
    return "done"


def _unfinished(plan: Plan, states: Mapping[str, str]) -> str:
    return next((s.name for s in plan.steps if states.get(s.name) != "done"), plan.steps[-1].name)


def _start(plan: Plan, journal: Journal, states: dict[str, str]) -> int:
    """Return where to begin, and reset the steps from there on."""
    first = plan.index(_unfinished(plan, states))
    step = plan.steps[first]
    if states.get(step.name) == "running" and step.restart:
        first = plan.index(step.restart)
    again = [s.name for s in plan.steps[first:] if states.get(s.name, "pending") != "pending"]
    if again:
        journal.reset(again)
        states.update(dict.fromkeys(again, "pending"))
    return first


def _run_step(step: Step, context: Context) -> None:
    context.check()
    context.step = step.name
    context.journal.begin(step.name)
    place = f"{context.journal.kind}.{step.name}"
    failpoint(f"{place}.before")
    evidence = step.run(context) or {}
    failpoint(f"{place}.after")
    context.notes.setdefault(step.name, {}).update(evidence)
    context.journal.end(step.name, evidence)
    failpoint(f"{place}.ended")


def _failed(
    plan: Plan, context: Context, states: Mapping[str, str], error: HostingError, tries: int
) -> str:
    if error.retryable and tries < MAX_TRIES:
        context.journal.wait(error, min(60.0, 2.0**tries) * random.uniform(0.7, 1.3))
        return "queued"
    _logger.info("operation %s: undoing, %s: %s", context.operation, error.code, error)
    context.journal.undoing(error)
    failpoint(f"{context.journal.kind}.undoing")
    return _undo(plan, context, states, error)


def _undo(plan: Plan, context: Context, states: Mapping[str, str], error: HostingError) -> str:
    """Take back every step that began after the last final one, the last one first."""
    floor = _floor(plan, states)
    for step in reversed(plan.steps[floor:]):
        if states.get(step.name, "pending") in ("running", "done"):
            problem = _undo_step(step, context)
            if problem:
                error = HostingError("undo_failed", reason=error, undo=problem)
    state = "cancelled" if error.code == "cancelled" and not floor else "failed"
    context.journal.close_as(state, error)
    return state


def _floor(plan: Plan, states: Mapping[str, str]) -> int:
    """Return the position after the last final step that ended."""
    ended = [at for at, s in enumerate(plan.steps) if s.final and states.get(s.name) == "done"]
    return ended[-1] + 1 if ended else 0


def _undo_step(step: Step, context: Context) -> str:
    """Undo one step and return why it could not be done, or nothing."""
    context.step = step.name
    problem = ""
    for attempt in range(UNDO_TRIES if step.undo else 0):
        try:
            step.undo(context)
        except Lost:
            raise
        except Exception as error:
            _logger.warning(
                "operation %s: undoing %s failed", context.operation, step.name, exc_info=True
            )
            problem = str(error)
            time.sleep(0.2 * (attempt + 1))
        else:
            problem = ""
            break
    failpoint(f"{context.journal.kind}.{step.name}.undone")
    if not problem:
        context.journal.undone(step.name)
    return problem
