"""Edit a template by hand: a copy of the published version, open to its administrator.

The copy is a database of the name ``CODE-edit`` behind the gate. It stays neutralised, because
whoever edits a template wants to send nothing. Publishing hides and seals it again, and the
published version is not touched before that is done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import files, personalise, seal, template_steps
from .contract import Argument, choice
from .engine import Context, Plan, Step
from .errors import HostingError, sentences
from .failpoints import failpoint
from .kind import Kind
from .names import hidden_name
from .postgres import Mark
from .routes import MAINTENANCE, Routes
from .template import BUILD_S, OWNER, SHORT_S
from .template_names import check_target, code_of, edit_name
from .template_steps import FINISH, addons, physical, seal_version

sentences(
    no_edit_copy="The checked-out copy %(name)s is gone. Discard it, then check out again.",
    edit_password="The one-time password of the checked-out copy cannot be read. Discard the copy, "
    "then check out again.",
)


def _edit(context: Context) -> str:
    return edit_name(code_of(context.request["target"]))


def _mark(context: Context) -> Mark:
    uuid = context.request["uuid"]
    return Mark(context.host.server, "template", uuid=uuid, operation=context.operation)


# --- check out


def copy(context: Context) -> dict[str, Any]:
    """Copy the published version, with its files, to a hidden database."""
    forget_copy(context)
    host, source = context.host, context.request["source"]
    if host.cluster.exists(_edit(context)):
        raise HostingError("name_taken", name=_edit(context))
    hidden = hidden_name("edit")
    context.note(hidden=hidden)
    host.cluster.clone(source, hidden, mark=_mark(context))
    failpoint("template.edit_copied")
    copied = files.copy_tree(host.filestore(source), host.filestore(hidden))
    return {"files": copied.files, "how": copied.how}


def forget_copy(context: Context) -> None:
    """Drop the hidden copy of an earlier run."""
    hidden = context.find("copy", "hidden")
    if hidden:
        context.host.cluster.drop(hidden, server=context.host.server)
        files.remove_tree(context.host.filestore(hidden))


def seal_copy(context: Context) -> dict[str, Any]:
    """Make the copy inert, and give it its address and its administrator a password for once."""
    opened = context.host.cluster.connect(context.find("copy", "hidden"), autocommit=False)
    try:
        seal.seal(
            opened,
            addons=addons(context),
            identity=context.request["uuid"],
            purpose="staging",
        )
        _let_in(context, opened)
    finally:
        opened.close()
    return {}


def _let_in(context: Context, opened: Any) -> None:
    """Set the administrator's password to the one that the operator sees, and the address."""
    password_hash = context.secrets.get("password_hash")
    if not password_hash:
        raise HostingError("edit_password")
    url = context.host.url(_edit(context))
    personalise.personalise(opened, personalise.Personal(base_url=url))
    personalise.reset_administrator(opened, hashed=password_hash)


def _login(context: Context) -> str:
    with context.host.cluster.cursor(_edit(context)) as cr:
        cr.execute(
            "SELECT login FROM res_users WHERE id = (SELECT res_id FROM ir_model_data "
            "WHERE module = 'base' AND name = 'user_admin' AND model = 'res.users')"
        )
        return cr.fetchone()[0]


def show(context: Context) -> dict[str, Any]:
    """Give files and database their visible name, and lead the host name there."""
    host, edit = context.host, _edit(context)
    hidden = context.find("copy", "hidden")
    if host.cluster.exists(hidden):
        files.move_tree(host.filestore(hidden), host.filestore(edit))
        failpoint("template.edit_moved")
        host.cluster.publish(hidden, edit, mark=_mark(context))
    login = _login(context)
    Routes(host.routes).put(host.host_name(edit), edit)
    return {"physical": edit, "url": host.url(edit), "login": login}


def drop_edit(context: Context) -> None:
    """Drop the checked-out copy, its files and its route, if it is this one."""
    host, edit = context.host, _edit(context)
    facts = host.cluster.facts(edit)
    if facts and not (facts.mark and facts.mark.uuid == context.request["uuid"]):
        return
    hidden = context.find("copy", "hidden")
    if not facts and hidden and host.filestore(hidden).exists():
        return  # nothing was shown yet: a folder of that name is somebody else's
    Routes(host.routes).remove(host.host_name(edit))
    host.cluster.drop(edit, server=host.server)
    failpoint("template.edit_dropped")
    files.remove_tree(host.filestore(edit))


CHECK_OUT = (
    Step("copy", copy, undo=forget_copy),
    Step("seal", seal_copy, restart="copy"),
    Step("show", show, undo=drop_edit),
)


def checkout_plan(_request: Mapping[str, Any]) -> Plan:
    """Return the plan that checks out the published version."""
    return Plan(CHECK_OUT, deadline_s=SHORT_S)


# --- publish


def hide(context: Context) -> dict[str, Any]:
    """Take the copy out of everybody's sight, under the name of the new version."""
    host, edit = context.host, _edit(context)
    context.note(physical=physical(context))
    Routes(host.routes).set_state(edit, MAINTENANCE)
    if host.cluster.exists(edit):
        host.cluster.hide(edit, physical(context), mark=template_steps.mark(context))
        failpoint("template.edit_hidden")
    if not host.cluster.exists(physical(context)):
        raise HostingError("no_edit_copy", name=edit)
    files.move_tree(host.filestore(edit), host.filestore(physical(context)))
    return {}


def show_again(context: Context) -> None:
    """Give the copy back to its administrator, with the password that the operator sees."""
    host, edit = context.host, _edit(context)
    name = physical(context)
    if host.cluster.exists(name):
        host.cluster.allow(name, True)
        opened = host.cluster.connect(name, autocommit=False)
        try:
            _let_in(context, opened)
        finally:
            opened.close()
        if host.filestore(name).exists():
            files.move_tree(host.filestore(name), host.filestore(edit))
        failpoint("template.edit_back")
        host.cluster.publish(name, edit, mark=_mark(context))
    if host.cluster.exists(edit):
        Routes(host.routes).put(host.host_name(edit), edit)


def leave_route(context: Context) -> dict[str, Any]:
    """Take away the route of the copy that is none any more."""
    Routes(context.host.routes).remove(context.host.host_name(_edit(context)))
    return {"physical": physical(context)}


PUBLISH = (
    Step("hide", hide, undo=show_again),
    Step("seal", seal_version),
    *FINISH,
    Step("route", leave_route),
)


def publish_plan(_request: Mapping[str, Any]) -> Plan:
    """Return the plan that makes the checked-out copy the next version."""
    return Plan(PUBLISH, deadline_s=BUILD_S)


# --- discard


def discard(context: Context) -> dict[str, Any]:
    """Drop the copy."""
    drop_edit(context)
    return {}


def discard_plan(_request: Mapping[str, Any]) -> Plan:
    """Return the plan that throws the checked-out copy away."""
    return Plan((Step("drop", discard, final=True),), deadline_s=SHORT_S)


KINDS = (
    Kind("template_checkout", checkout_plan, owner=OWNER, check_target=check_target),
    Kind(
        "template_publish",
        publish_plan,
        {"assets": Argument(choice(*template_steps.ASSETS), default="all")},
        owner=OWNER,
        check_target=check_target,
        slow=True,
    ),
    Kind("template_discard", discard_plan, owner=OWNER, check_target=check_target, destroys=True),
)
