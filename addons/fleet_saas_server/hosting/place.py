"""Where a hosted database is: visible under its name, or hidden, with its files, under another.

A database is known by its identity, the ``uuid`` in its owner mark, because its name in PostgreSQL
changes. Of one identity there is at most one database of the kind ``hosted``; its snapshots, and
what a revert replaced, have the kind ``snapshot``.

Database and files are two renames. Hiding renames the database first, showing moves the files
first: nobody ever sees a database without its files. Both find out by themselves how far an
earlier run came.
"""

from __future__ import annotations

from . import files
from .engine import Context
from .errors import HostingError, sentences
from .failpoints import failpoint
from .host import Host
from .postgres import Mark

HOSTED, SNAPSHOT = "hosted", "snapshot"

sentences(
    protected="The database %(name)s is protected. Take the protection off first.",
    identity_twice="The databases %(names)s carry the same identity, so this server cannot tell which "
    "one is meant. Look into both, take the mark off the wrong one as an administrator of "
    "PostgreSQL (COMMENT ON DATABASE … IS NULL), then try again.",
    not_snapshot="%(name)s is not a snapshot of this database. Choose one from its list.",
)


def find(host: Host, identity: str) -> str | None:
    """Return the name in PostgreSQL of the hosted database with this uuid, None without one.

    :raises HostingError: ``identity_twice``
    """
    names = _of_kind(host, identity, HOSTED)
    if len(names) > 1:
        raise HostingError("identity_twice", names=", ".join(names))
    return names[0] if names else None


def snapshots(host: Host, identity: str) -> list[str]:
    """Return the names in PostgreSQL of the snapshots of a database."""
    return _of_kind(host, identity, SNAPSHOT)


def _of_kind(host: Host, identity: str, kind: str) -> list[str]:
    return sorted(
        name
        for name, mark in host.cluster.marks().items()
        if (mark.server, mark.uuid, mark.kind) == (host.server, identity, kind)
    )


def locate(context: Context) -> str:
    """Return the name in PostgreSQL of the operation's database.

    :raises HostingError: ``no_database``, ``identity_twice``
    """
    physical = find(context.host, context.request["uuid"])
    if physical is None:
        raise HostingError("no_database", name=context.request["target"])
    return physical


def check_unprotected(context: Context) -> None:
    """Raise ``protected`` when somebody protected the database after the operation was asked for."""
    with context.host.cluster.cursor(context.host.server_database) as cr:
        cr.execute(
            "SELECT 1 FROM saas_database WHERE uuid = %s AND is_protected",
            [context.request["uuid"]],
        )
        if cr.fetchone():
            raise HostingError("protected", name=context.request["target"])


def check_served(context: Context) -> dict[str, str]:
    """Return where the operation's database is, for what puts another one in its place.

    :raises HostingError: ``protected``; ``no_database`` when it was hidden or renamed since, and
        the name is nobody's or another database's
    """
    check_unprotected(context)
    physical = locate(context)
    if physical != context.request["target"]:
        raise HostingError("no_database", name=context.request["target"])
    return {"physical": physical}


def check_snapshot(context: Context, name: str) -> None:
    """Raise ``not_snapshot`` unless ``name`` is a snapshot of the operation's database."""
    if name not in snapshots(context.host, context.request["uuid"]):
        raise HostingError("not_snapshot", name=name)


def mark(context: Context, kind: str) -> Mark:
    """Return the mark of the operation's database."""
    return Mark(
        context.host.server, kind, uuid=context.request["uuid"], operation=context.operation
    )


def hide(context: Context, name: str, hidden: str, kind: str = HOSTED) -> None:
    """Take a database and its files out of everybody's sight; ends its sessions."""
    host = context.host
    facts = host.cluster.facts(name)
    if facts:
        if not facts.mark or facts.mark.uuid != context.request["uuid"]:
            raise HostingError("not_ours", name=name)
        failpoint("place.hide")
        host.cluster.hide(name, hidden, mark=mark(context, kind))
        failpoint("place.hidden")
    if host.cluster.exists(hidden):
        _move_files(host, name, hidden)


def show(context: Context, hidden: str, name: str) -> None:
    """Give a hidden database and its files the name under which it is served.

    :raises HostingError: ``name_taken`` when another database has the name
    """
    host = context.host
    facts = host.cluster.facts(name)
    if not host.cluster.exists(hidden):
        if facts and facts.mark and not facts.allows_connections:
            host.cluster.allow(name, True)  # killed while it kept everybody out
        return
    if facts:
        raise HostingError("name_taken", name=name)
    _move_files(host, hidden, name)
    failpoint("place.files_shown")
    host.cluster.publish(hidden, name, mark=mark(context, HOSTED))
    failpoint("place.shown")


def _move_files(host: Host, source: str, target: str) -> None:
    """Move the files of a database that is on its way from ``source`` to ``target``.

    A request that was ended may have left a file where the database was; no row names it.
    """
    if host.filestore(source).exists():
        if host.filestore(target).exists():
            stray = target if not host.cluster.exists(target) else source
            files.remove_tree(host.filestore(stray))
            if stray == source:
                return
        files.move_tree(host.filestore(source), host.filestore(target))
    host.filestore(target).mkdir(parents=True, exist_ok=True)


def swap(context: Context, name: str, incoming: str, outgoing: str) -> None:
    """Let the hidden database ``incoming`` be served in the place of the one called ``name``.

    The replaced one is kept hidden as ``outgoing``, a snapshot. The same with both hidden names
    exchanged takes it back, however far it came.
    """
    host = context.host
    for hidden in (incoming, outgoing):
        _settle(host, hidden, name)
    if not host.cluster.exists(incoming):
        return
    if not host.cluster.exists(outgoing):
        hide(context, name, outgoing, SNAPSHOT)
    failpoint("place.swap")
    show(context, incoming, name)


def _settle(host: Host, hidden: str, name: str) -> None:
    """Bring its files to a hidden database, when a runner died between the two renames."""
    alone = host.cluster.exists(hidden) and not host.cluster.exists(name)
    if alone and not host.filestore(hidden).exists() and host.filestore(name).exists():
        files.move_tree(host.filestore(name), host.filestore(hidden))


def forget(host: Host, hidden: str) -> None:
    """Drop a hidden database and then its files."""
    host.cluster.drop(hidden, server=host.server)
    failpoint("place.dropped")
    files.remove_tree(host.filestore(hidden))
