"""What every new version of a template goes through, however its database came to be.

Assets are generated, nothing of the visits that made them stays, the database is packed, a real
Odoo opens its first page without generating anything, and then nobody can connect any more.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from psycopg2.extensions import cursor

from . import files, odoo_child, seal
from .boot import login_page
from .clone import addons
from .engine import Context, Step
from .errors import HostingError, sentences
from .failpoints import failpoint
from .postgres import Mark

SCRIPTS = Path(__file__).with_name("in_odoo")
FULL_BELOW = 4 << 30  # bytes; VACUUM FULL writes the whole database anew
ASSETS = ("all", "first")

sentences(
    template_page="The page %(page)s of the new version answers %(status)s. "
    "The log of the operation has the reason; repair it and build again.",
    template_modules="The new version has modules that are not installed: %(modules)s. "
    "The log of the operation has the reason.",
    template_unprepared="The first page of the new version generates %(count)s assets anew, so every "
    "database made of it would be slow at first.",
)


def physical(context: Context) -> str:
    """Return the name in PostgreSQL of the version that the operation makes."""
    return context.request["physical"]


def mark(context: Context) -> Mark:
    """Return the owner mark of the version."""
    return Mark(context.host.server, "template", operation=context.operation)


def watch(context: Context) -> dict[str, Any]:
    """Return what lets a child of Odoo report, stop when it is cancelled, and end in time."""
    return {
        "beat": context.check,
        "progress": context.progress,
        "remaining_s": context.seconds_left,
    }


def script(context: Context, name: str, arguments: dict[str, Any]) -> Any:
    """Run one of the scripts in ``in_odoo`` on the version; return its answer."""
    text = (SCRIPTS / f"{name}.py").read_text()
    return odoo_child.script(context.host, physical(context), text, arguments, **watch(context))


def drop(context: Context) -> None:
    """Drop the version with its files; nothing when it is not there."""
    context.host.cluster.drop(physical(context), server=context.host.server)
    failpoint("template.dropped")
    files.remove_tree(context.host.filestore(physical(context)))


def seal_version(context: Context) -> dict[str, Any]:
    """Take away what identifies who owned or edited the database; what was live is remembered.

    A customer's database that is made of it is activated as one made of the original would be.
    """
    opened = context.host.cluster.connect(physical(context), autocommit=False)
    try:
        report = seal.seal(
            opened,
            addons=addons(context),
            identity=context.request["uuid"],
            purpose="customer",
        )
    finally:
        opened.close()
    return {"report": report.to_dict()}


def generate(context: Context) -> dict[str, Any]:
    """Generate the assets that browsers ask for first, and look at the pages that name them."""
    every = context.request.get("assets", "all") == "all"
    found = script(context, "template_assets", {"every": every})
    for page, status in found["pages"].items():
        if status != 200:
            raise HostingError("template_page", page=page, status=status)
    return found


def verify(context: Context) -> dict[str, Any]:
    """Open the login page in an Odoo of its own; it must not have to generate an asset."""
    host, name = context.host, physical(context)
    with host.cluster.cursor(name) as cr:
        installed = _check_modules(context, cr)
        before = _last_asset(cr)
    facts = login_page(host, name, seconds=context.seconds_left())
    with host.cluster.cursor(name) as cr:
        cr.execute(
            "SELECT count(*) FROM ir_attachment WHERE id > %s AND url LIKE '/web/assets/%%'",
            [before],
        )
        generated = cr.fetchone()[0]
    if generated:
        raise HostingError("template_unprepared", count=generated)
    return facts | {"modules": len(installed)}


def _check_modules(context: Context, cr: cursor) -> list[str]:
    found = addons(context)
    for module in found.missing(cr):
        raise HostingError("module_missing", module=module)
    cr.execute(
        "SELECT name FROM ir_module_module WHERE state IN ('to install', 'to upgrade', 'to remove') "
        "OR (name = ANY(%s) AND state <> 'installed') ORDER BY name",
        [context.request.get("modules") or []],
    )
    wrong = [row[0] for row in cr.fetchall()]
    if wrong:
        raise HostingError("template_modules", modules=", ".join(wrong))
    return found.installed(cr)


def _last_asset(cr: cursor) -> int:
    cr.execute("SELECT COALESCE(max(id), 0) FROM ir_attachment")
    return cr.fetchone()[0]


def prepare(context: Context) -> dict[str, Any]:
    """Seal the version, so that sealing a clone of it only has to renew what clones may not share."""
    opened = context.host.cluster.connect(physical(context), autocommit=False)
    try:
        report = seal.prepare(opened, addons=addons(context), identity=context.request["uuid"])
    finally:
        opened.close()
    return {"report": report.to_dict()}


def pack(context: Context) -> dict[str, Any]:
    """Make the database small, with fresh statistics: every clone copies each of its pages.

    Rows are frozen, so that no clone has to write them again for their visibility.
    """
    with context.host.cluster.cursor(physical(context)) as cr:
        before = _size(cr)
        if before <= FULL_BELOW:
            cr.execute("VACUUM FULL")
            failpoint("template.packed")
        cr.execute("VACUUM (FREEZE, ANALYZE)")
        after = _size(cr)
    shutil.rmtree(context.host.filestore(physical(context)) / files.SKIPPED, ignore_errors=True)
    return {"before": before, "after": after}


def _size(cr: cursor) -> int:
    cr.execute("SELECT pg_database_size(current_database())")
    return cr.fetchone()[0]


def close(context: Context) -> dict[str, Any]:
    """Let nobody connect any more; leave what the record of the version has to say."""
    host, name = context.host, physical(context)
    host.cluster.allow(name, True)  # an earlier run may have closed it
    found = addons(context)
    with host.cluster.cursor(name) as cr:
        modules = {each: found.identity(each) for each in found.installed(cr)}
        size = _size(cr)
    count, total = files.usage(host.filestore(name))
    host.cluster.set_mark(name, mark(context))
    failpoint("template.marked")
    host.cluster.close_template(name)
    return {
        "size": size,
        "files": count,
        "file_bytes": total,
        "modules": {each: [facts.version, facts.digest] for each, facts in modules.items()},
    }


FINISH = (
    Step("assets", generate),
    Step("verify", verify),
    Step("prepare", prepare),
    Step("pack", pack),
    Step("close", close),
)
