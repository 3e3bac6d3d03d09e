"""Build versions of templates: from a list of modules, or from a database that this server has.

A build works on a hidden database of an unguessable name. Nothing refers to it until the record
in the server database does, which is one short write after the last step; killed before that, the
next run begins again or everything is dropped.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import files, odoo_child, template_steps
from .clone import check_source
from .contract import Argument, choice, flag, listing, matching, name, whole
from .engine import Context, Plan, Step
from .errors import HostingError, sentences
from .failpoints import failpoint
from .kind import Kind
from .modules import AddonsPath
from .names import is_hidden
from .pause import paused, unpause
from .template_names import check_target
from .template_steps import FINISH, addons, drop, physical, script, seal_version, watch

OWNER = "saas.database.template"
BUILD_S = 4 * 3600
SHORT_S = 900

sentences(
    module_unknown="There is no module %(module)s on this server's addons path. "
    "Check its spelling, or add its folder.",
    template_gone="The version %(number)s of the template is not on this server any more; "
    "build a new one.",
    template_in_use="Version %(number)s is still used by operations or ready clones (%(count)s). "
    "Wait until they have ended, then try again.",
)


def begin(context: Context) -> dict[str, Any]:
    """Make the hidden database: empty, or a copy of the source with its files."""
    forget(context)
    context.note(physical=physical(context))
    request = context.request
    if not request.get("source"):
        known = addons(context)
        for module in request["modules"]:
            if known.folder(module) is None:
                raise HostingError("module_unknown", module=module)
        context.host.cluster.create_empty(physical(context), mark=template_steps.mark(context))
        failpoint("template.created")
        return {}
    check_source(context)
    if request.get("live"):
        with paused(context, request["source"]):
            return _copy(context)
    return _copy(context)


def _copy(context: Context) -> dict[str, Any]:
    host, source = context.host, context.request["source"]
    host.cluster.clone(source, physical(context), mark=template_steps.mark(context))
    failpoint("template.copied")
    copied = files.copy_tree(host.filestore(source), host.filestore(physical(context)))
    return {"files": copied.files, "how": copied.how}


def forget(context: Context) -> None:
    """Drop what an earlier run made; open the source that it had paused."""
    unpause(context)
    drop(context)


def seal_copy(context: Context) -> dict[str, Any]:
    """Seal what was copied from a database; one that was made of modules belongs to nobody."""
    return seal_version(context) if context.request.get("source") else {}


def install(context: Context) -> dict[str, Any]:
    """Install the modules, progress by module; the country first, because localisations go by it."""
    request = context.request
    if request.get("source"):
        return {}
    demo = "--with-demo" if request["demo"] else "--without-demo=True"
    base = ("-i", "base", f"--load-language={request['lang']}", demo)
    odoo_child.run(context.host, physical(context), base, **watch(context))
    failpoint("template.base")
    facts: dict[str, Any] = {}
    if request.get("country"):
        facts = script(context, "template_country", {"country": request["country"]})
    modules = [module for module in request["modules"] if module != "base"]
    if modules:
        arguments = ("-i", ",".join(modules), demo)
        odoo_child.run(context.host, physical(context), arguments, **watch(context))
    failpoint("template.installed")
    return facts


def settle(context: Context) -> dict[str, Any]:
    """Make the language everybody's, and load a chart of accounts where none was."""
    if context.request.get("source"):
        return {}
    return script(context, "template_finish", {"lang": context.request["lang"]})


BUILD = (
    Step("create", begin, undo=forget),
    Step("seal", seal_copy, restart="create"),
    Step("install", install, restart="create"),
    Step("settle", settle, restart="create"),
    *FINISH,
)


def build_plan(_request: Mapping[str, Any]) -> Plan:
    """Return the plan that builds a version."""
    return Plan(BUILD, deadline_s=BUILD_S)


# --- freshness


def compare(context: Context) -> dict[str, Any]:
    """Compare the modules of the published version with their folders, one by one."""
    return {"differ": differing(addons(context), context.request["modules"], context.progress)}


def differing(
    found: AddonsPath, modules: Mapping[str, list[str]], progress: Any = lambda *_all: None
) -> dict[str, str]:
    """Return the modules that are not what they were, with what is different, in a few words.

    :param modules: version and digest by module, as `template_steps.close` left them
    """
    differ = {}
    for number, (module, (version, digest)) in enumerate(sorted(modules.items())):
        progress(number, len(modules), module)
        if found.folder(module) is None:
            differ[module] = "missing"
            continue
        now = found.identity(module)
        if now.version != version:
            differ[module] = f"{version} → {now.version}"
        elif now.digest != digest:
            differ[module] = "files"
    return differ


def refresh_plan(_request: Mapping[str, Any]) -> Plan:
    """Return the plan that compares the published version with the addons on disk."""
    return Plan((Step("compare", compare),), deadline_s=SHORT_S)


# --- the versions


def check_previous(context: Context) -> dict[str, Any]:
    """Look whether the version before can be used again as it is."""
    facts = context.host.cluster.facts(physical(context))
    if facts is None:
        raise HostingError("template_gone", number=context.request["number"])
    context.host.cluster.close_template(physical(context))
    found = addons(context)
    for module in context.request["modules"]:
        if found.folder(module) is None:
            raise HostingError("module_missing", module=module)
    return {"physical": physical(context)}


def rollback_plan(_request: Mapping[str, Any]) -> Plan:
    """Return the plan that makes the version before the published one again."""
    return Plan((Step("check", check_previous),), deadline_s=SHORT_S)


def check_unused(context: Context) -> dict[str, Any]:
    """Refuse to drop what an unfinished operation or a ready clone depends on.

    Nobody can choose these versions any more, so what is not in use now will not be.
    """
    numbers = context.request["numbers"]
    for version in numbers:
        if not is_hidden(version):
            raise HostingError("not_ours", name=version)
    with context.host.cluster.cursor(context.host.server_database) as cr:
        cr.execute(
            "SELECT v.name, (SELECT count(*) FROM saas_operation o WHERE o.id <> %s "
            "AND o.state IN ('queued', 'running', 'undoing') AND o.request->>'source' = v.name) "
            "+ (SELECT count(*) FROM saas_pool_clone p WHERE p.source = v.name) "
            "FROM unnest(%s::text[]) AS v (name)",
            [context.operation, list(numbers)],
        )
        used = [row for row in cr.fetchall() if row[1]]
    for version, count in used:
        raise HostingError("template_in_use", number=numbers[version], count=count)
    return {"versions": len(numbers)}


def drop_versions(context: Context) -> dict[str, Any]:
    """Drop the versions, database first: files without a database are a leftover, not a loss."""
    dropped = []
    for version in context.request["numbers"]:
        context.check()
        context.host.cluster.drop(version, server=context.host.server)
        failpoint("template.version_dropped")
        files.remove_tree(context.host.filestore(version))
        dropped.append(version)
    return {"dropped": dropped}


def drop_plan(_request: Mapping[str, Any]) -> Plan:
    """Return the plan that drops versions of a template."""
    return Plan(
        (Step("check", check_unused), Step("drop", drop_versions, final=True)), deadline_s=SHORT_S
    )


MODULE = matching(r"[a-z][a-z0-9_]{0,62}", "a module's technical name")
BUILD_ARGUMENTS = {
    "modules": Argument(listing(MODULE)),
    "source": Argument(name),
    "lang": Argument(matching(r"[a-z]{2,3}(_[A-Za-z0-9]{2,4})?(@[a-z]+)?", "such as fr_BE")),
    "country": Argument(matching(r"[A-Z]{2}", "two capital letters")),
    "demo": Argument(flag),
    "assets": Argument(choice(*template_steps.ASSETS), default="all"),
}
KINDS = (
    Kind(
        "template_build",
        build_plan,
        BUILD_ARGUMENTS,
        owner=OWNER,
        check_target=check_target,
        slow=True,
    ),
    Kind(
        "template_refresh",
        refresh_plan,
        {"rebuild": Argument(flag, default=False)},
        owner=OWNER,
        check_target=check_target,
        slow=True,
    ),
    Kind("template_rollback", rollback_plan, owner=OWNER, check_target=check_target),
    Kind(
        "template_drop",
        drop_plan,
        {"version": Argument(whole(1, 1_000_000))},
        owner=OWNER,
        check_target=check_target,
        slow=True,
        destroys=True,
    ),
)
