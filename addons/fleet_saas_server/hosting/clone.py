"""Make a hosted database: from a template, from the pool of ready clones, or from another database.

The order is the promise. The copy is made under a name nobody can guess, sealed in one
transaction, checked on a second connection, given its files, personalised, and only then renamed;
it is activated while no route leads to it, and the first request is ours. Killed before it has
its name, the copy is dropped and made again; nobody ever saw it.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from . import (
    activate,
    capacity,
    document,
    files,
    half_made,
    monitor,
    personalise,
    pool,
    seal,
    verify,
)
from .contract import Argument, choice, flag, mapping, name
from .engine import Context, Plan, Step
from .errors import HostingError
from .failpoints import failpoint
from .host import Host
from .kind import Kind
from .modules import AddonsPath
from .names import check_name, hidden_name
from .pause import paused, unpause
from .postgres import Mark
from .routes import Routes

DEADLINE_S = 1800
PURPOSES = ("customer", "trial", "staging")


def addons(context: Context) -> AddonsPath:
    """Return the addons that hosted databases are served with."""
    return AddonsPath(context.host.addons_path)


def _mark(context: Context, kind: str) -> Mark:
    uuid = context.request["uuid"]
    return Mark(context.host.server, kind, uuid=uuid, operation=context.operation)


def hidden_of(context: Context) -> str:
    """Return the hidden database that is being made, copied here or restored."""
    hidden = context.find("copy", "hidden") or context.find("load", "hidden")
    if not hidden:
        raise HostingError("unexpected", step=context.step, kind="no hidden database")
    return hidden


# --- the steps


def reserve(context: Context) -> dict[str, Any]:
    """Refuse early what cannot work: the name, a folder in the way, a machine that is full."""
    reserve_name(context)
    return capacity.check_place(context.host, context.request["source"])


def reserve_name(context: Context) -> dict[str, Any]:
    """Refuse a name that a database or a folder on this machine has, whoever made it."""
    target = check_name(context.request["target"])
    facts = context.host.cluster.facts(target)
    if facts and not (facts.mark and facts.mark.uuid == context.request["uuid"]):
        raise HostingError("name_taken", name=target)
    if not facts and context.host.filestore(target).exists():
        raise HostingError("folder_in_the_way", folder=target)
    return {"name": target}


def copy(context: Context) -> dict[str, Any]:
    """Take a ready clone from the pool, or copy the source to a hidden database."""
    forget_copy(context)
    request = context.request
    ready = None
    if request.get("from_pool"):
        ready = pool.take(context.host, request["source"], context.operation)
    if ready:
        context.note(hidden=ready.physical, pooled=True)
        return {"report": ready.report}
    hidden = hidden_name("clone")
    context.note(hidden=hidden, pooled=False)
    failpoint("clone.noted")
    if request.get("live"):
        check_source(context)
        with paused(context, request["source"]):
            _copy_database(context, hidden)
            return _link_files(context.host, request["source"], hidden)
    # A template version is closed: its files stay as they are while PostgreSQL copies it.
    with ThreadPoolExecutor(1) as beside:
        linking = beside.submit(_link_files, context.host, request["source"], hidden)
        _copy_database(context, hidden)
    return linking.result()


def _link_files(host: Host, source: str, hidden: str) -> dict[str, Any]:
    """Give the copy its files, by hard link where the file system can."""
    copied = files.copy_tree(host.filestore(source), host.filestore(hidden))
    return {"files": copied.files, "bytes": copied.bytes, "how": copied.how}


def check_source(context: Context) -> None:
    """Raise ``no_database`` when the name of a live source is another database's by now."""
    wanted, name = context.request.get("source_uuid"), context.request["source"]
    if wanted and wanted != getattr(context.host.cluster.marks().get(name), "uuid", ""):
        raise HostingError("no_database", name=name)


def _copy_database(context: Context, hidden: str) -> None:
    mark = _mark(context, "hidden")
    context.host.cluster.clone(context.request["source"], hidden, mark=mark)
    failpoint("clone.copied")


def forget_copy(context: Context) -> None:
    """Drop a hidden copy that an earlier run had made, with its files; open what it had paused."""
    unpause(context)
    hidden = context.find("copy", "hidden")
    if not hidden and context.request.get("from_pool"):
        hidden = pool.taken_by(context.host, context.operation)
    if hidden:
        context.host.cluster.drop(hidden, server=context.host.server)
        files.remove_tree(context.host.filestore(hidden))
        pool.forget(context.host, hidden)


def seal_copy(context: Context) -> dict[str, Any]:
    """Make the copy inert and give it an identity of its own, in one transaction."""
    if context.find("copy", "pooled"):
        return {}
    request = context.request
    with closing(context.host.cluster.connect(hidden_of(context), autocommit=False)) as connection:
        report = seal.seal(
            connection,
            addons=addons(context),
            identity=request["uuid"],
            purpose=request["purpose"],
            keep_logins=bool(request.get("keep_logins")),
            source="" if request.get("live") else request.get("source", ""),
        )
    return {"report": report.to_dict()}


def verify_copy(context: Context) -> dict[str, Any]:
    """Look on a second connection whether anything of the source is still live."""
    if context.find("copy", "pooled"):
        return {}
    with closing(context.host.cluster.connect(hidden_of(context))) as connection:
        return verify.verify(
            connection,
            identity=context.request["uuid"],
            source=seal.SourceFacts(**context.find("seal", "report")["source"]),
            keep_logins=bool(context.request.get("keep_logins")),
        )


def personalise_copy(context: Context) -> dict[str, Any]:
    """Write the customer's company, administrator, language and address into the hidden copy."""
    request = context.request
    with closing(context.host.cluster.connect(hidden_of(context), autocommit=False)) as connection:
        if context.find("copy", "pooled"):
            with connection.cursor() as cr:
                cr.execute(
                    "UPDATE ir_config_parameter SET value = %s WHERE key = 'database.uuid'",
                    [request["uuid"]],
                )
        if request.get("document"):
            with connection.cursor() as cr:
                document.put_content(context, cr, request["uuid"], request["document"])
        told = {}
        if request.get("monitor"):
            with connection.cursor() as cr:
                told["monitor"] = monitor.put(cr, request["monitor"])
        given = request.get("personal") or {}
        own = {
            "base_url": context.host.url(request["target"]),
            "password_hash": context.secrets.get("password_hash", ""),
        }
        personalise.personalise(connection, personalise.Personal.from_request(given | own))
    return {"url": own["base_url"], "uuid": request["uuid"]} | told


def publish(context: Context) -> dict[str, Any]:
    """Give files and database their name; the files first, so that nobody inherits another's."""
    host, target = context.host, context.request["target"]
    hidden = hidden_of(context)
    if host.cluster.exists(hidden):
        files.move_tree(host.filestore(hidden), host.filestore(target))
        failpoint("clone.files_moved")
        half_made.begin(context)
        host.cluster.publish(hidden, target, mark=_mark(context, "hosted"))
        failpoint("clone.renamed")
    if context.find("copy", "pooled"):
        pool.forget(host, hidden)
    return {"physical": target}


def forget_published(context: Context) -> None:
    """Drop what was published, if it is ours and half-made, with the files that were moved for it.

    :raises HostingError: ``in_use_already``
    """
    half_made.check(context)
    host, target = context.host, context.request["target"]
    facts = host.cluster.facts(target)
    if facts:
        if not facts.mark or facts.mark.uuid != context.request["uuid"]:
            return
        host.cluster.drop(target, server=host.server)
    elif host.filestore(hidden_of(context)).exists():
        return  # its files were not moved yet: the folder in the way is somebody else's
    files.remove_tree(host.filestore(target))


def activate_copy(context: Context) -> dict[str, Any]:
    """Turn on what the source had running; a staging copy stays neutralised."""
    request = context.request
    if not request.get("activate"):
        return {"neutralized": True}
    with closing(context.host.cluster.connect(request["target"], autocommit=False)) as connection:
        done = activate.activate(
            connection,
            base_url=context.host.url(request["target"]),
            mail_server=mail_server(context),
        )
    return {"neutralized": False} | done.to_dict()


def mail_server(context: Context) -> activate.MailServer | None:
    """Return the mail server that the host gives its customers, None when it gives none."""
    given = context.request.get("mail")
    if not given:
        return None
    return activate.MailServer(**given, password=context.secrets.get("smtp_password", ""))


def open_route(context: Context) -> dict[str, Any]:
    """Lead the host name to the database."""
    host_name = context.host.host_name(context.request["target"])
    Routes(context.host.routes).put(host_name, context.request["target"])
    return {"host": host_name}


def close_route(context: Context) -> None:
    """Take the route away, unless it leads to what is in use.

    :raises HostingError: ``in_use_already``
    """
    half_made.check(context)
    Routes(context.host.routes).remove(context.host.host_name(context.request["target"]))


STEPS = (
    Step("reserve", reserve),
    Step("copy", copy, undo=forget_copy),
    Step("seal", seal_copy, restart="copy"),
    Step("verify", verify_copy, restart="copy"),
    Step("personalise", personalise_copy, restart="copy"),
    Step("publish", publish, undo=forget_published),
    Step("activate", activate_copy),
    Step("route", open_route, undo=close_route),
    Step("first_request", half_made.finish, final=True),
)

PERSONAL = Argument(mapping(), default={})
CREATE = {
    "template": Argument(name, required=True),
    "purpose": Argument(choice(*PURPOSES), default="customer"),
    "personal": PERSONAL,
    "document": Argument(document.check_content, default={}),
    "monitor": monitor.KEY,
    "activate": Argument(flag, default=True),
    "from_pool": Argument(flag, default=True),
}
DUPLICATE = {
    "source": Argument(name, required=True),
    "purpose": Argument(choice(*PURPOSES), default="staging"),
    "personal": PERSONAL,
    "keep_logins": Argument(flag, default=False),
}


def plan(_request: Mapping[str, Any]) -> Plan:
    """Return the plan of every way to make a hosted database."""
    return Plan(STEPS, deadline_s=DEADLINE_S)


KINDS = (
    Kind("create", plan, CREATE),
    Kind("duplicate", plan, DUPLICATE),
)
