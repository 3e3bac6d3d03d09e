"""Fill the client databases of the demo. ``ARGUMENTS``: a JSON file of clients, the file for the keys.

Each client is ``{label, database, company, users, drafts, inbox, returns}``; see ``demo_fleet.py``.
"""

import json
import os
import random
from base64 import b64encode
from datetime import timedelta
from pathlib import Path

from odoo import SUPERUSER_ID, api, fields
from odoo.fields import Command
from odoo.modules.registry import Registry

CONTEXT = {"no_reset_password": True, "tracking_disable": True, "mail_create_nolog": True}


def main(clients_path, keys_path):
    keys = {}
    for client in json.loads(Path(clients_path).read_text()):
        with Registry(client["database"]).cursor() as cursor:
            odoo_env = api.Environment(cursor, SUPERUSER_ID, CONTEXT)
            keys[client["label"]] = fill(odoo_env, client)
            cursor.commit()
    descriptor = os.open(keys_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as handle:
        json.dump(keys, handle)


def fill(env, client):
    """Fill one database and return an API key of its administrator."""
    chance = random.Random(client["label"])
    env.company.name = client["company"]
    fill_users(env, client["users"], chance)
    content = {"datas": b64encode(b"A receipt"), "description": "Inbox"}
    receipts = [
        content | {"name": f"Receipt {number + 1}.txt"} for number in range(client["inbox"])
    ]
    env["ir.attachment"].create(receipts)
    fill_returns(env, client["returns"])
    fill_drafts(env, client["drafts"], chance)
    admin = env.ref("base.user_admin")
    # Sudo: a key of an ordinary length of life would run out while the demo is kept.
    return env["res.users.apikeys"].with_user(admin).sudo()._generate("rpc", "Fleet demo", None)


def fill_users(env, users, chance):
    values = [{"name": name, "login": email, "email": email} for name, email in users]
    for user in env["res.users"].create(values):
        if chance.random() < 0.8:
            log = env["res.users.log"].with_user(user).sudo().create({})
            seen = fields.Datetime.now() - timedelta(
                days=chance.randint(0, 40), minutes=chance.randint(0, 1400)
            )
            env.flush_all()
            env.cr.execute(
                "UPDATE res_users_log SET create_date = %s WHERE id = %s", [seen, log.id]
            )


def fill_returns(env, returns):
    names = {"vat": "VAT Return", "annual": "Annual Accounts"}
    for code, (days, state) in returns.items():
        deadline = fields.Date.today() + timedelta(days=days)
        env["databases.demo.return"].create(
            {"name": names[code], "code": code, "deadline": deadline, "state": state}
        )


def fill_drafts(env, drafts, chance):
    if not drafts:
        return
    partner = env["res.partner"].create({"name": "Riverside Supplies"})
    moves = []
    for move_type, count in drafts.items():
        for number in range(count):
            values = {"move_type": move_type, "partner_id": partner.id}
            moves.append(values | draft_lines(env, move_type, number, chance.randint(20, 900)))
    env["account.move"].create(moves)


def draft_lines(env, move_type, number, price):
    if move_type == "entry":
        return {"line_ids": balanced_lines(env, price)}
    line = {"name": f"Item {number + 1}", "quantity": 1, "price_unit": price}
    return {"invoice_date": fields.Date.today(), "invoice_line_ids": [Command.create(line)]}


def balanced_lines(env, amount):
    accounts = env["account.account"].search([("account_type", "=", "expense")], limit=2)
    sides = ({"debit": amount}, {"credit": amount})
    return [
        Command.create(side | {"name": "Accrual", "account_id": account.id})
        for side, account in zip(sides, accounts, strict=True)
    ]


main(*ARGUMENTS)
