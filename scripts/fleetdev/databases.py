"""Odoo databases: cached templates, copies of them with their files, and dropping both."""

import os
import re
import shutil

from . import console, files, odoo_run, odoo_source, parallel, paths, postgres

# What each template has installed, and the template it grows from.
TEMPLATES = {
    "base": (None, ("project", "contacts")),
    "tiny": (None, ("base_setup",)),
    "account": ("base", ("account",)),
    "shop": ("account", ("sale_management,crm,website_sale,stock,point_of_sale",)),
    "client": ("base", ("fleet_demo_client",)),
    "client_account": ("account", ("fleet_demo_client",)),
    "legacy": ("client", ("fleet_demo_legacy",)),
    "portal": ("base", ("fleet_databases",)),
    "server": ("base", ("queue_job", "fleet_saas_server")),
    "server_users": ("server", ()),
    "saas": ("account", ("fleet_databases", "fleet_saas_portal")),
    "hosted": ("tiny", ("fleet_saas_client",)),
    "hosted_account": ("client_account", ("fleet_saas_client",)),
    "sender": ("base", ("base_automation",)),
    # Everything of Odoo's that holds credentials or sends something, for the tests of the seal.
    "hosting_trap": (
        "account",
        (
            "auth_oauth,auth_passkey,auth_totp,base_automation,certificate,"
            "cloud_storage,event,google_calendar,google_gmail,hr_attendance,mass_mailing,"
            "microsoft_calendar,microsoft_outlook,payment_stripe,point_of_sale,sms,survey,"
            "website_sale"
        ).split(","),
    ),
}
PREPARE = {
    # Who asks a server in the tests: the users of a portal and of somebody without any group of ours.
    "server_users": """
groups = {"agent": "fleet_saas_server.group_hosting_agent", "outsider": "base.group_user"}
for login, group in groups.items():
    values = {"name": login, "login": login, "group_ids": [(6, 0, env.ref(group).ids)]}
    env["res.users"].with_context(no_reset_password=True).create(values)
env.cr.commit()
""",
    "account": """
company = env.ref("base.main_company")
company.country_id = company.country_id or env.ref("base.us")
if not company.chart_template:
    env["account.chart.template"].try_loading("generic_coa", company)
env.cr.commit()
""",
}
# The bundles that a browser loads; Odoo would make them in every copy anew, for seconds each.
BUNDLES = {
    "server_users": (
        "web.assets_frontend",
        "web.assets_frontend_minimal",
        "web.assets_frontend_lazy",
        "web.assets_web",
        "web.assets_web_print",
        "web.assets_emoji",
        "bus.websocket_worker_assets",
        "web_tour.interactive",
    ),
}
BUNDLE = """
for name in %s:
    bundle = env["ir.qweb"]._get_asset_bundle(name, css=True, js=True)
    bundle.js()
    bundle.css()
env.cr.commit()
"""


def templates(*names):
    """Make several templates, those that do not grow from each other at the same time."""
    template("base")
    wanted = dict.fromkeys(names)
    accounting = [name for name in wanted if "account" in name]
    others = [name for name in wanted if "account" not in name]
    parallel.run(
        *(
            lambda part=part: [template(name) for name in part]
            for part in (accounting, others)
            if part
        )
    )


def template(name):
    """Return the name of the cached template database, made when it is not there."""
    parent, modules = TEMPLATES[name]
    database = _version(name)
    if postgres.exists(database):
        return database
    source = template(parent) if parent else None
    with files.setup_lock(f"template-{name}"):
        if not postgres.exists(database):
            drop_versions(name)
            _build(name, database, source, modules)
    return database


def _version(name):
    """Return what the template is called as long as nothing changes of what it is made of."""
    parent, modules = TEMPLATES[name]
    identity = files.digest(
        odoo_source.read()["identity"],
        _version(parent) if parent else "",
        _preparation(name),
        *map(_module_identity, modules),
    )[:8]
    return f"{postgres.prefix()}tpl_{name}_{identity}"


def _preparation(name):
    """Return what is done in a template after its modules are installed, as a script of Odoo's shell."""
    bundles = BUNDLE % (BUNDLES[name],) if name in BUNDLES else ""
    return PREPARE.get(name, "") + bundles


def publish(building, database):
    """Give a finished database its name: from now on it counts as made."""
    shutil.rmtree(filestore(database), ignore_errors=True)
    if filestore(building).exists():
        filestore(building).rename(filestore(database))
    postgres.rename(building, database)
    # An Odoo that lists every database would open it, and nobody could copy it meanwhile.
    postgres.close(database)


def drop_versions(name):
    """Drop every version of a template: what it was made of has changed."""
    head = f"{postgres.prefix()}tpl_{name}_"
    for old in postgres.names(f"tpl_{name}_"):
        if re.fullmatch(r"[0-9a-f]{8}(_new)?", old.removeprefix(head)):
            drop(old)


def _module_identity(module):
    """Return the name of a module of Odoo's, and for one of ours a hash of its files too."""
    for folder in (paths.ADDONS / module, paths.DEMO_ADDONS / module):
        if folder.exists():
            sources = sorted(
                path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"
            )
            return files.digest(module, *sources)
    return module


def _build(name, database, source, modules):
    """Install in a database of another name, so that a killed run leaves no half template."""
    building = f"{database}_new"
    log = paths.LOG / f"template-{name}.log"
    with console.step(f"Making the template database with {', '.join(modules) or name}"):
        drop(building)
        if source:
            copy(source, building)
        if modules:
            install = ("-d", building, "-i", ",".join(modules), "--stop-after-init", "--no-http")
            odoo_run.call(*install, log=log, what=f"Installing {', '.join(modules)}")
        if script := _preparation(name):
            prepare_log = paths.LOG / f"template-{name}-prepare.log"
            odoo_run.script(
                building, script, log=prepare_log, what=f"Preparing the template {name}"
            )
        publish(building, database)


def filestore(database, data=paths.DATA):
    """Return the folder of a database's attachments."""
    return data / "filestore" / database


def copy(source, target, data=paths.DATA):
    """Copy a database and its files. Files are written once and never changed, so hard links do.

    :param data: the data folder of the Odoo that serves the copy
    """
    drop(target)
    postgres.copy(source, target)
    copy_files(source, target, data)


def copy_files(source, target, data=paths.DATA):
    """Link the files of a database to another one's folder."""
    if filestore(source).exists():
        shutil.copytree(
            filestore(source),
            filestore(target, data),
            copy_function=os.link,
            ignore=shutil.ignore_patterns("checklist"),
        )


def drop(database):
    """Drop a database and its files."""
    postgres.drop(database)
    shutil.rmtree(filestore(database), ignore_errors=True)
