"""Run one stored operation from claim to end: the journal, its kind's plan, the engine."""

from __future__ import annotations

import logging

from . import engine, older
from .errors import HostingError, Lost
from .host import Host
from .journal import SqlJournal
from .kinds import KINDS

_logger = logging.getLogger(__name__)


def run(
    host: Host,
    operation: int,
    secrets: dict[str, str] | None = None,
    refusal: HostingError | None = None,
) -> str:
    """Run an operation if it is its turn.

    :param refusal: why it cannot be done, known before: it fails, what was begun is undone
    :returns: ``done``, ``failed``, ``cancelled``, ``queued`` (it waits for another try), ``busy``
        (another runner has it or it is not its turn), or ``lost`` (the connection broke; whoever
        comes next goes on)
    """
    older.end_what_was_begun(host)
    with SqlJournal(host.cluster, host.server_database, operation) as journal:
        try:
            claimed = journal.claim()
            if claimed is None:
                return "busy"
            plan = KINDS[claimed.kind].plan(claimed.request)
            context = engine.Context(
                host=host,
                operation=operation,
                request=claimed.request | {"target": claimed.target},
                journal=journal,
                secrets=secrets or {},
                notes=claimed.notes,
            )
            return engine.run(plan, context, claimed.past, refusal)
        except Lost:
            _logger.warning("operation %s: the connection to its journal was lost", operation)
            return "lost"
