"""Whether a published database is still the half-made thing of the operation that would undo it.

An undo drops what its operation has published. The records may have come back from a backup and
the operation have ended long ago: its database is a customer's. So what is dropped has to carry
the operation's own number, nobody may have logged in since it got its name, and it must not say
that the operation came to its end. None of this is kept in the server database.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .doors import first_request
from .engine import Context
from .errors import HostingError, sentences
from .failpoints import failpoint

sentences(
    in_use_already="The database %(name)s was finished or is in use, so it was not taken back: it is "
    "hosted as it is. The records of this server may be older than it; compare them with what is there."
)


def begin(context: Context) -> None:
    """Note since when the database has its name; to be called before it gets it."""
    with context.host.cluster.cursor() as cr:
        cr.execute("SELECT (now() AT TIME ZONE 'utc')::text")
        context.note(since=cr.fetchone()[0])


def check(context: Context, step: str = "publish") -> None:
    """Raise ``in_use_already``, and note ``in_use``, unless the operation's database is half-made, or none of its own.

    :param step: the one that gave it its name
    :raises Retryable: ``postgres_down`` when it cannot be looked into
    """
    name = context.request["target"]
    facts = context.host.cluster.facts(name)
    if not facts or not facts.mark or facts.mark.uuid != context.request["uuid"]:
        return
    since = context.find(step, "since")
    own = facts.mark.operation == context.operation and not facts.mark.live
    if not own or not since or _is_entered(context, name, since):
        context.note(in_use=True)
        raise HostingError("in_use_already", name=name)


def check_entered(context: Context, step: str) -> None:
    """Raise ``in_use_already``, and note ``in_use``, when somebody has logged in since ``step`` began.

    For what works on a database behind a page of maintenance: only long after its end can there be
    a login.
    """
    name, since = context.request["target"], context.find(step, "since")
    if since and context.host.cluster.exists(name) and _is_entered(context, name, since):
        context.note(in_use=True)
        raise HostingError("in_use_already", name=name)


def _is_entered(context: Context, name: str, since: str) -> bool:
    with context.host.cluster.cursor(name) as cr:
        cr.execute("SELECT EXISTS (SELECT FROM res_users_log WHERE create_date >= %s)", [since])
        return cr.fetchone()[0]


def finish(context: Context) -> dict[str, Any]:
    """Send the first request, then write on the database that it is finished."""
    told = first_request(context)
    cluster, name = context.host.cluster, context.request["target"]
    facts = cluster.facts(name)
    failpoint("half_made.answered")
    if facts and facts.mark:
        cluster.set_mark(name, replace(facts.mark, live=True))
    return told
