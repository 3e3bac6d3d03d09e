"""Run in ``odoo shell`` by `HostingFleet`: an identity of its own for a copied server database.

Prints, as JSON, an API key of the administrator, of an agent (a user who holds the group Hosting
Agent and nothing else) and of an outsider (an employee without any group of ours).
"""

import json


def main(odoo_env, server_uuid):
    odoo_env["ir.config_parameter"].set_param("database.uuid", server_uuid)
    groups = {"agent": "fleet_saas_server.group_hosting_agent", "outsider": "base.group_user"}
    users = {"admin": odoo_env.ref("base.user_admin")}
    for login, group in groups.items():
        values = {"name": login, "login": login, "group_ids": [(6, 0, odoo_env.ref(group).ids)]}
        users[login] = odoo_env["res.users"].with_context(no_reset_password=True).create(values)
    keys = {}
    for login, user in users.items():
        maker = odoo_env["res.users.apikeys"].with_user(user).sudo()
        keys[login] = maker._generate("rpc", "Test", None)
    odoo_env.cr.commit()
    print(json.dumps(keys))


main(env, *ARGUMENTS)  # noqa: F821 - given by the caller
