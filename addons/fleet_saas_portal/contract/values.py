"""The plain values that a hosting server answers, with their shapes checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from odoo.addons.fleet_databases.remote.errors import Malformed, plain

ACTIVE = ("queued", "running", "undoing")
ENDED = ("done", "failed", "cancelled")
STATES = ACTIVE + ENDED
MOST = 1 << 31  # of a number that is kept as one
MOMENT = "%Y-%m-%d %H:%M:%S"  # UTC, as Odoo writes it


class Refusal(Exception):
    """The server will never accept this request, in its own words; nothing was begun.

    :ivar code: ``refused``, or ``key_reused`` when the idempotency key belongs to another request
    """

    def __init__(self, message: str, code: str = "refused") -> None:
        self.code, self.message = code, plain(message)
        super().__init__(self.message)


@dataclass(frozen=True)
class Status:
    """How an operation of the server is.

    :param state: one of `STATES`; the last three are the end
    :param progress: percent of the running step
    :param steps: ``{"name", "state", "evidence"}`` in their order
    :param error: a sentence, "" without an error; ``error_code`` is for programs
    """

    key: str
    operation: int
    kind: str
    target: str
    state: str
    progress: float = 0.0
    waits: str = ""
    error: str = ""
    error_code: str = ""
    steps: tuple[dict[str, Any], ...] = ()

    @property
    def ended(self) -> bool:
        """Tell whether it will not change any more."""
        return self.state in ENDED


@dataclass(frozen=True)
class Point:
    """A snapshot or a backup to which a database can go back.

    :param kind: ``snapshot`` or ``backup``
    :param code: what the server calls it
    :param taken_at: UTC, as is ``keep_until``; that is None when it stays
    """

    kind: str
    code: str
    taken_at: datetime
    reason: str = ""
    bytes: int = 0
    keep_until: datetime | None = None


@dataclass(frozen=True)
class Hosted:
    """A database of the server's inventory; ``figures`` are its latest, as they came.

    :param points: to what it can go back; None from a server that does not tell
    :param domains: host names of its customer's own that lead to it; None as well
    """

    name: str
    uuid: str
    state: str
    purpose: str
    url: str
    neutralized: bool
    protected: bool
    figures: dict[str, Any] = field(default_factory=dict)
    points: tuple[Point, ...] | None = None
    domains: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Capabilities:
    """What a server can do.

    :param kinds: its operations, by name, with their arguments
    :param capacity: numbers of the machine, {} where the server tells none
    :param templates: ``{"code", "name", "status", "version"}`` of each, as they came
    :param handover_key: for what is handed over to it; "" where it can take nothing over
    :param handover_places: names of the backup places through which it could, by their ids
    :param policies: names of its backup policies; None from a server that does not tell
    """

    api: int
    domain: str
    kinds: dict[str, dict[str, Any]]
    capacity: dict[str, Any] = field(default_factory=dict)
    templates: tuple[dict[str, Any], ...] = ()
    handover_key: str = ""
    handover_places: dict[str, str] = field(default_factory=dict)
    policies: tuple[str, ...] | None = None


def status(answer: Any, host: str) -> Status:
    """Return a checked status.

    :raises Malformed: the answer has another shape
    """
    row = _object(answer, host)
    error = row.get("error")
    found = Status(
        key=_text(row, "key", host),
        operation=_integer(row, "operation", host),
        kind=_text(row, "kind", host),
        target=_text(row, "target", host),
        state=_text(row, "state", host),
        progress=_number(row.get("progress")),
        waits=_optional(row.get("waits")),
        error=_optional(error.get("message")) if isinstance(error, dict) else "",
        error_code=_optional(error.get("code")) if isinstance(error, dict) else "",
        steps=tuple(_step(each, host) for each in _list(row.get("steps", []), host)),
    )
    if found.state not in STATES:
        raise Malformed(host=host)
    return found


def _step(answer: Any, host: str) -> dict[str, Any]:
    row = _object(answer, host)
    evidence = row.get("evidence")
    return {
        "name": _text(row, "name", host),
        "state": _text(row, "state", host),
        "evidence": evidence if isinstance(evidence, dict) else {},
    }


def hosted(answer: Any, host: str) -> Hosted:
    """Return a checked entry of the inventory; raise `Malformed`."""
    row = _object(answer, host)
    figures = row.get("usage")
    return Hosted(
        name=_text(row, "name", host),
        uuid=_text(row, "uuid", host),
        state=_text(row, "state", host),
        purpose=_text(row, "purpose", host),
        url=_optional(row.get("url")),
        neutralized=row.get("neutralized") is True,
        protected=row.get("protected") is True,
        figures=figures if isinstance(figures, dict) else {},
        points=_points(row, host),
        domains=_domains(row, host),
    )


def _domains(row: dict[str, Any], host: str) -> tuple[str, ...] | None:
    if "domains" not in row:
        return None
    names = _list(row["domains"], host)
    if not all(isinstance(name, str) for name in names):
        raise Malformed(host=host)
    return tuple(plain(name) for name in names)


def _points(row: dict[str, Any], host: str) -> tuple[Point, ...] | None:
    if "snapshots" not in row and "backups" not in row:
        return None
    return tuple(
        _point(kind, each, host)
        for kind in ("snapshot", "backup")
        for each in _list(row.get(f"{kind}s", []), host)
    )


def _point(kind: str, answer: Any, host: str) -> Point:
    row = _object(answer, host)
    size = row.get("bytes")
    known = isinstance(size, (int, float)) and not isinstance(size, bool) and 0 <= size < 2**62
    return Point(
        kind=kind,
        code=_text(row, kind, host),
        taken_at=_moment(row.get("taken_at"), host),
        reason=_optional(row.get("reason")),
        bytes=int(size) if known else 0,
        keep_until=_moment(row["keep_until"], host) if row.get("keep_until") else None,
    )


def _moment(value: Any, host: str) -> datetime:
    try:
        return datetime.strptime(value, MOMENT)
    except (TypeError, ValueError) as error:
        raise Malformed(host=host) from error


def capabilities(answer: Any, host: str) -> Capabilities:
    """Return checked capabilities; raise `Malformed`."""
    row = _object(answer, host)
    kinds = _object(row.get("kinds"), host)
    templates = _list(row.get("templates", []), host)
    capacity = row.get("capacity", {})
    return Capabilities(
        api=_integer(row, "api", host),
        domain=_text(row, "domain", host),
        kinds={plain(name): _object(kind, host) for name, kind in kinds.items()},
        capacity=_object(capacity or {}, host),
        templates=tuple(_object(each, host) for each in templates),
        handover_key=_optional(row.get("handover_key")),
        handover_places=dict(
            _place(each, host) for each in _list(row.get("handover_places", []), host)
        ),
        policies=_policies(row.get("backup_policies"), host),
    )


def _policies(answer: Any, host: str) -> tuple[str, ...] | None:
    if answer is None:
        return None
    return tuple(_optional(each) for each in _list(answer, host))


def _place(answer: Any, host: str) -> tuple[str, str]:
    row = _object(answer, host)
    return _text(row, "place", host), _text(row, "name", host)


def _object(answer: Any, host: str) -> dict[str, Any]:
    if not isinstance(answer, dict):
        raise Malformed(host=host)
    return answer


def _list(answer: Any, host: str) -> list[Any]:
    if not isinstance(answer, list):
        raise Malformed(host=host)
    return answer


def _text(row: dict[str, Any], name: str, host: str) -> str:
    value = row.get(name)
    if not isinstance(value, str) or not value:
        raise Malformed(host=host)
    return plain(value)


def _integer(row: dict[str, Any], name: str, host: str) -> int:
    value = row.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < MOST:
        raise Malformed(host=host)
    return value


def _number(value: Any) -> float:
    known = isinstance(value, (int, float)) and not isinstance(value, bool)
    # Compared before it is a float: JSON's integers may be larger than any.
    return float(min(max(value, 0), 100)) if known else 0.0


def _optional(value: Any) -> str:
    return plain(value) if isinstance(value, str) else ""
