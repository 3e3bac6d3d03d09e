"""Run in ``odoo shell`` on a portal: two customers, and every way to ask the portal for something.

Prints as JSON what is Beta's, the routes of the real routing map, the models with their public
methods, and a key of Ann, who is Acme's. Every text of Beta's that nobody else has contains MARK.
"""

import inspect
import json
from datetime import timedelta

from odoo import Command, fields

MARK = "zebra"
OURS = "odoo.addons.fleet_"
env = env  # noqa: F821 - given by the shell


def make_customer(name):
    partner = env["res.partner"].create(
        {"name": name.title(), "is_company": True, "email": f"{name}@{name}.example"}
    )
    user = env["res.users"].with_context(no_reset_password=True).create(
        {
            "name": f"Owner of {name}",
            "login": f"owner@{name}.example",
            "password": f"owner@{name}.example",
            "group_ids": [Command.set(env.ref("base.group_portal").ids)],
        }
    )  # fmt: skip
    env["saas.member"].create({"partner_id": partner.id, "user_id": user.id, "role": "owner"})
    return partner, user


def make_instance(name, partner, plan, server):
    return env["saas.instance"].create(
        {
            "name": name,
            "partner_id": partner.id,
            "plan_id": plan.id,
            "server_id": server.id,
            "state": "active",
            "uuid": str(env["ir.config_parameter"].sudo().get_param("database.uuid"))[:-4] + name[:4],
            "url": f"https://{name}.example.com",
        }
    )  # fmt: skip


def make_belongings(instance, user):
    """Give a customer one record of everything that customers have."""
    name = instance.name
    instance._link_database()
    instance.action_backup()
    subscription = instance._start_subscription()
    subscription._make_invoice()
    env["saas.domain"]._add(instance, f"erp.{name}.example")
    point = {"kind": "backup", "code": f"backup-{name}", "taken_at": fields.Datetime.now()}
    env["saas.instance.point"].create({"instance_id": instance.id, **point})
    access = env["saas.access.request"].create(
        {
            "instance_id": instance.id,
            "user_id": env.ref("base.user_admin").id,
            "login": user.login,
            "reason": f"A look at {name}",
            "hours": 4,
        }
    )
    line = instance._prepare_access_line(user, user.login, access, f"ticket-{name}", "192.0.2.1")
    env["saas.access.log"].create(line)
    env["saas.audit.line"].create({"kind": "state", "instance_id": instance.id})
    instance.message_post(body=f"A word about {name}")
    env["ir.attachment"].create(
        {"name": f"{name}.txt", "raw": name, "res_model": instance._name, "res_id": instance.id}
    )
    env["saas.signup"].create(
        {
            "name": f"{name}-more",
            "plan_id": instance.plan_id.id,
            "template_id": instance.template_id.id,
            "company_id": env.company.id,
            "contact_name": f"Owner of {name}",
            "email": f"new@{name}.example",
            "expires": fields.Datetime.now() + timedelta(hours=2),
        }
    )


def get_routes():
    """Return the routes of our addons: path, type, methods, arguments and who may ask."""
    return [
        {
            "path": rule.rule,
            "type": rule.endpoint.routing["type"],
            "auth": rule.endpoint.routing["auth"],
            "methods": sorted(set(rule.endpoint.routing["methods"] or ("GET", "POST")) - {"OPTIONS"}),
            "arguments": sorted(rule.arguments),
            "parameters": get_parameters(rule.endpoint),
        }
        for rule in env["ir.http"].routing_map().iter_rules()
        if rule.endpoint.__module__.startswith(OURS)
    ]  # fmt: skip


def get_parameters(function):
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    found = inspect.signature(function).parameters.values()
    return {each.name: each.default is each.empty for each in found if each.kind in kinds}


def get_models():
    """Return by model the ids of its records and the public methods that our addons add."""
    found = {}
    for name, model in env.items():
        if model._abstract:
            continue
        methods = {
            attribute: get_parameters(value)
            for attribute, value in inspect.getmembers(type(model), inspect.isfunction)
            if not attribute.startswith("_")
            and value.__module__.startswith(OURS)
            and not getattr(value, "_api_private", False)
        }
        ours = name.startswith(("saas.", "databases."))
        ids = model.with_context(active_test=False).search([]).ids if ours else []
        found[name] = {"ids": ids, "methods": methods, "ours": ours, "transient": model._transient}
    return found


def main():
    server = env["saas.server"].create(
        {"name": MARK, "url": f"https://{MARK}.example.org", "database": MARK}
    )
    template = env["saas.template"].create({"name": "Tiny", "code": "tiny"})
    plan = env["saas.plan"].create(
        {"name": "Small", "code": "small", "template_id": template.id, "price": 30}
    )
    acme, ann = make_customer("acme")
    beta, bob = make_customer(MARK)
    own = make_instance("acme", acme, plan, server)
    theirs = make_instance(MARK, beta, plan, server)
    make_belongings(own, ann)
    make_belongings(theirs, bob)
    env["saas.key"]._get_signing()
    env["res.users.apikeys"].with_user(bob).sudo()._generate("rpc", MARK, None)
    key = env["res.users.apikeys"].with_user(ann).sudo()._generate("rpc", "Test", None)
    env.cr.commit()
    beta_has = {
        "uuid": theirs.uuid,
        "member_id": theirs._get_people().ids[0],
        "domain_id": theirs.domain_ids.id,
        "access_id": theirs.access_ids.id,
        "partner_id": beta.id,
        "instance": theirs.id,
        "project": theirs.project_id.id,
        "invoice": theirs.subscription_id.invoice_ids.id,
    }
    output = {"beta": beta_has, "ann": {"uuid": own.uuid, "key": key, "login": ann.login}}
    print(json.dumps({**output, "routes": get_routes(), "models": get_models()}))


main()
