"""Run in ``odoo shell`` by `OdooFleet.api_keys`: print an API key of a login, by label."""

import json

from odoo import SUPERUSER_ID, api
from odoo.modules.registry import Registry


def main(wanted, login):
    keys = {}
    for label, database in json.loads(wanted).items():
        with Registry(database).cursor() as cursor:
            odoo_env = api.Environment(cursor, SUPERUSER_ID, {})
            user = odoo_env["res.users"].search([("login", "=", login)])
            maker = odoo_env["res.users.apikeys"].with_user(user).sudo()
            keys[label] = maker._generate("rpc", "Test", None)
            cursor.commit()
    print(json.dumps(keys))


main(*ARGUMENTS)  # noqa: F821 - given by the caller
