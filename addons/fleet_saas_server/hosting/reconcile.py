"""Compare what is recorded with what is really there, both ways, and repair what is offered.

Five places are compared: the records of hosted databases, templates and pool in the server
database, ``pg_database``, the folders of files, the routes, and the operations that are alive.
Observed beats recorded: every difference is listed with what could be done about it. What does
not carry this server's mark is never touched, only named.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import psycopg2

from . import files
from .contract import Argument, flag, listing, text
from .engine import Context, Plan, Step
from .errors import HostingError
from .failpoints import failpoint
from .health import SERVER
from .host import Host
from .journal import ACTIVE
from .kind import Kind, only
from .names import check_name, is_hidden
from .place import HOSTED
from .postgres import DatabaseFacts
from .routes import ACTIVE as ROUTED
from .routes import MAINTENANCE, SUSPENDED, Route, Routes

REMOVED = ".removed-"  # see `files.remove_tree`
BROKEN = ".broken"  # what a file of routes that could not be read is kept as
# Kinds of hidden databases that can be made again; a snapshot without its record may be the only one.
PASSING = ("hidden", "pool", "template")


@dataclass(frozen=True)
class Difference:
    """One difference.

    :param what: a machine code, one of `REPAIRS` or a code without a repair
    :param name: the database, folder or host name that it is about
    :param more: what a repair or a reader needs besides
    """

    what: str
    name: str
    more: str = ""

    @property
    def repairable(self) -> bool:
        """Tell whether a repair is offered."""
        return self.what in REPAIRS


@dataclass(frozen=True)
class Recorded:
    """One database as the server database knows it.

    :param name: the public name; "" for templates and clones of the pool
    :param state: ``active``, ``suspended``, ``archived``…; ``template``, ``pool``, ``snapshot``
    """

    physical: str
    name: str = ""
    state: str = ""
    uuid: str = ""


@dataclass
class Seen:
    """Everything that is compared, as it was found.

    :param routes: None when their file cannot be read
    :param claimed: every name that an operation worked on meanwhile
    :param noted: hidden names without a record that an operation of this server has noted
    :param hosts: host names of customers' own, with the identity of the database
    """

    records: list[Recorded]
    databases: dict[str, DatabaseFacts]
    folders: set[str]
    routes: dict[str, Any] | None
    claimed: set[str]
    noted: set[str]
    hosts: list[tuple[str, str]] = field(default_factory=list)


# What has a record: visible and suspended databases, versions of templates, the pool, snapshots.
_RECORDS = """
    SELECT physical, name, state, uuid FROM saas_database
     WHERE physical IS NOT NULL AND state NOT IN ('failed', 'dropped')
    UNION ALL SELECT physical, '', 'template', '' FROM saas_database_template_version
     WHERE physical IS NOT NULL AND state NOT IN ('retired', 'failed')
    UNION ALL SELECT physical, '', 'pool', '' FROM saas_pool_clone
    UNION ALL SELECT physical, '', 'snapshot', '' FROM saas_database_snapshot
     WHERE physical IS NOT NULL"""
_HOSTS = """
    SELECT d.name, b.uuid FROM saas_database_domain d JOIN saas_database b ON b.id = d.database_id
     WHERE d.is_routed"""
# An operation still owns what it made until it is written on its record; one that ended while the
# reconciler was looking changed things that were seen before.
_CLAIMS = """
    SELECT o.target, o.request, o.sources, s.evidence FROM saas_operation o
      LEFT JOIN saas_operation_step s ON s.operation_id = o.id
     WHERE (o.state = ANY(%s) OR o.applied IS NOT TRUE OR o.ended >= %s)
       AND o.kind <> 'reconcile'"""
# A hidden name that no operation on record knows may be a customer's: records that were restored
# from a backup are older than what they are about.
_NOTED = """
    SELECT physical FROM unnest(%s) made (physical)
     WHERE EXISTS (SELECT FROM saas_operation o
                     LEFT JOIN saas_operation_step s ON s.operation_id = o.id
                    WHERE o.kind <> 'reconcile'
                      AND strpos(o.request::text || COALESCE(s.evidence::text, ''), physical) > 0)"""


def look(host: Host) -> Seen:
    """Look at everything once.

    What exists is read first, then the records and claims in one snapshot. Whatever an operation
    changed in between is claimed: it still runs, or it ended after the beginning.
    """
    with host.cluster.cursor(host.server_database) as cr:
        cr.execute("SELECT now() AT TIME ZONE 'utc'")
        begin = cr.fetchone()[0]
    databases = {facts.name: facts for facts in host.cluster.all_facts(sizes=False)}
    filestore = host.data_dir / "filestore"
    folders = {path.name for path in filestore.iterdir()} if filestore.is_dir() else set()
    routes = _load_routes(host)
    failpoint("reconcile.looked")
    hidden = [name for name in folders | set(databases) if is_hidden(name)]
    records, claimed, noted, hosts = written(host, begin, hidden)
    return Seen(records, databases, folders, routes, claimed, noted, hosts)


def _load_routes(host: Host) -> dict[str, Any] | None:
    try:
        return Routes(host.routes).load()
    except HostingError:
        return None


def written(
    host: Host, begin: datetime, hidden: list[str]
) -> tuple[list[Recorded], set[str], set[str], list[tuple[str, str]]]:
    """Return the records, the names claimed since ``begin``, which of ``hidden`` without a record
    an operation has noted, and the customers' own host names."""
    connection = host.cluster.connect(host.server_database, autocommit=False)
    try:
        connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
        with connection.cursor() as cr:
            cr.execute(_RECORDS)
            records = [Recorded(*row) for row in cr.fetchall()]
            cr.execute(_CLAIMS, [list(ACTIVE), begin])
            claimed = set(_texts(cr.fetchall()))
            noted, known = [], {record.physical for record in records}
            asked = [name for name in hidden if name not in known]
            if asked:
                cr.execute(_NOTED, [asked])
                noted = [row[0] for row in cr.fetchall()]
            cr.execute(_HOSTS)
            hosts = cr.fetchall()
    finally:
        connection.close()
    return records, claimed, set(noted), hosts


def _texts(value: Any) -> Iterator[str]:
    """Give every text inside plain values; names among them are claimed, the others do no harm."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        yield from _texts(list(value.items()))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _texts(item)


def compare(host: Host, seen: Seen) -> list[Difference]:
    """Return every difference, the most serious first."""
    found = [
        *_missing(seen),
        *(_routes(host, seen) if seen.routes is not None else _broken(host)),
        *_closed(host, seen),
        *_unknown_databases(host, seen),
        *_unknown_folders(host, seen),
    ]
    return [one for one in found if one.name.removeprefix(REMOVED) not in seen.claimed]


def _missing(seen: Seen) -> Iterable[Difference]:
    for record in seen.records:
        if record.physical not in seen.databases:
            yield Difference("database_missing", record.physical, record.name)
        elif record.physical not in seen.folders and record.state != "template":
            yield Difference("folder_missing", record.physical, record.name)


def _routes(host: Host, seen: Seen) -> Iterable[Difference]:
    wanted = _addresses(host, seen, ("active", "suspended", "archived"))
    for name, record in wanted.items():
        route = seen.routes.get(name)
        state = ROUTED if record.state == "active" else SUSPENDED
        if record.physical not in seen.databases or record.name in seen.claimed:
            continue
        if route is None and record.state == "archived":
            continue
        # The route of a hidden database keeps the public name: nothing outside knows the other.
        if route is None or route.database != record.name or route.state != state:
            yield Difference("route_wrong", name, f"{record.name} {state}")
    led_to = {name for record in seen.records for name in (record.physical, record.name)}
    led_to |= {name for name, facts in seen.databases.items() if _is_ours(host, facts)}
    led_to |= {_former_name(host, name) for name in seen.databases if _is_lost(host, seen, name)}
    for name, route in seen.routes.items():
        if name not in wanted and route.database not in led_to | seen.claimed:
            yield Difference("route_unknown", name, route.database)


def _addresses(host: Host, seen: Seen, states: Iterable[str]) -> dict[str, Recorded]:
    """Return every host name of databases in one of ``states``: the server's and customers' own."""
    found = [record for record in seen.records if record.state in states]
    by_uuid = {record.uuid: record for record in found}
    return {host.host_name(record.name): record for record in found} | {
        name: by_uuid[uuid] for name, uuid in seen.hosts if uuid in by_uuid
    }


def _is_ours(host: Host, facts: DatabaseFacts) -> bool:
    return bool(facts.mark and facts.mark.server == host.server)


def _broken(host: Host) -> Iterable[Difference]:
    yield Difference("routes_broken", host.routes.name)


def _closed(host: Host, seen: Seen) -> Iterable[Difference]:
    for record in seen.records:
        facts = seen.databases.get(record.physical)
        if facts and record.state == "active" and not facts.allows_connections:
            yield Difference("database_closed", record.physical, record.name)
        if facts and record.state == "active" and facts.is_template:
            yield Difference("database_hidden", record.physical, record.name)


def _unknown_databases(host: Host, seen: Seen) -> Iterable[Difference]:
    known = {record.physical for record in seen.records} | {host.server_database}
    for name, facts in seen.databases.items():
        if name in known:
            continue
        if _is_ours(host, facts):
            if _is_lost(host, seen, name):
                yield Difference("database_suspended", name, _former_name(host, name))
                continue
            leftover = name in seen.noted and facts.mark.kind in PASSING
            yield Difference("leftover" if leftover else "database_unknown", name, facts.mark.kind)
        elif name in seen.noted:
            yield Difference("leftover", name)
        elif facts.mark is None and not is_hidden(name) and not host.is_others(name):
            yield Difference("database_foreign", name, facts.owner)


def _is_lost(host: Host, seen: Seen, physical: str) -> bool:
    """Tell whether a database is one of ours that is suspended and that no record knows."""
    facts = seen.databases[physical]
    if not is_hidden(physical) or not _is_ours(host, facts):
        return False
    recorded = any(record.physical == physical for record in seen.records)
    return facts.mark.kind == HOSTED and bool(facts.mark.uuid) and not recorded


def _former_name(host: Host, physical: str) -> str:
    """Return the public name that a suspended database had by its own address, "" if it is unclear.

    People inside may have changed the address: it is no more than a proposal.
    """
    try:
        with host.cluster.cursor(physical) as cr:
            cr.execute("SELECT value FROM ir_config_parameter WHERE key = 'web.base.url'")
            address = urlsplit((cr.fetchone() or ("",))[0])
        return check_name((address.hostname or "").removesuffix(f".{host.domain}"))
    except (HostingError, psycopg2.Error, ValueError):
        return ""


def _unknown_folders(host: Host, seen: Seen) -> Iterable[Difference]:
    # The files of a database that is missing are what is left of it.
    recorded = {record.physical for record in seen.records}
    for name in seen.folders - set(seen.databases) - recorded:
        leftover = name in seen.noted or name.startswith(REMOVED)
        yield Difference("folder_leftover" if leftover else "folder_unknown", name)


# --- repairs


def _drop_leftover(host: Host, one: Difference) -> None:
    if not is_hidden(one.name):
        raise HostingError("not_ours", name=one.name)
    host.cluster.drop(one.name, server=host.server)
    files.remove_tree(host.filestore(one.name))


def _drop_folder(host: Host, one: Difference) -> None:
    plain = one.name.removeprefix(REMOVED)
    if host.cluster.exists(one.name) or not (is_hidden(plain) or plain != one.name):
        raise HostingError("not_ours", name=one.name)
    files.remove_tree(host.filestore(one.name))


def _write_route(host: Host, one: Difference) -> None:
    database, state = one.more.split()
    routes = Routes(host.routes)
    before = routes.load().get(one.name)
    message = before.message if before and before.state == state else ""
    routes.put(one.name, database, state=state, message=message)


def _write_routes(host: Host, _one: Difference) -> None:
    """Write the file of routes anew from the records; the broken one is kept beside it."""
    seen = look(host)
    states = {"active": ROUTED, "suspended": SUSPENDED, "archived": SUSPENDED}
    # Whoever works on a database opens it at the end.
    table = {
        name: Route(
            record.name, MAINTENANCE if record.name in seen.claimed else states[record.state]
        )
        for name, record in _addresses(host, seen, states).items()
    }
    shutil.copyfile(host.routes, host.routes.with_name(host.routes.name + BROKEN))
    Routes(host.routes).replace_all(table)


def _remove_route(host: Host, one: Difference) -> None:
    Routes(host.routes).remove(one.name)


def _open_database(host: Host, one: Difference) -> None:
    host.cluster.allow(one.name, True)


LEFTOVERS = ("leftover", "folder_leftover")
REPAIRS: dict[str, Callable[[Host, Difference], None]] = {
    "leftover": _drop_leftover,
    "folder_leftover": _drop_folder,
    "route_wrong": _write_route,
    "route_unknown": _remove_route,
    "routes_broken": _write_routes,
    "database_closed": _open_database,
}


def repair(host: Host, one: Difference) -> None:
    """Repair one difference if it is still there, as it was listed."""
    if one not in compare(host, look(host)):
        return
    failpoint(f"reconcile.{one.what}")
    REPAIRS[one.what](host, one)


# --- the operation


def _compare(context: Context) -> dict[str, Any]:
    found = compare(context.host, look(context.host))
    return {"differences": [asdict(one) for one in found], "count": len(found)}


def _repair(context: Context) -> dict[str, Any]:
    """Repair what was asked for; leftovers of dead operations always go."""
    every, chosen = context.request["repair"], context.request["names"]
    done, failed = [], {}
    for values in context.find("compare", "differences", []):
        one = Difference(**values)
        wanted = every or one.name in chosen or one.what in LEFTOVERS
        if not one.repairable or not wanted:
            continue
        try:
            repair(context.host, one)
            done.append(one.name)
        except (HostingError, OSError, psycopg2.Error) as error:
            # One that cannot be repaired never hides the others.
            failed[one.name] = " ".join(str(error).split())[:500]
    return {"repaired": done, "failed": failed}


def _plan(_request: Mapping[str, Any]) -> Plan:
    return Plan((Step("compare", _compare), Step("repair", _repair)), deadline_s=900)


KINDS = (
    Kind(
        "reconcile",
        _plan,
        {
            "repair": Argument(flag, default=False),
            "names": Argument(listing(text(100)), default=()),
        },
        owner="saas.difference",
        check_target=only(SERVER),
    ),
)
