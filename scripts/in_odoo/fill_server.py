"""Give the hosting server of the demo an identity and an agent. ``ARGUMENTS``: its address, its name.

Prints, as JSON, the server's uuid and the agent's API key.
"""

import json
import uuid


def main(odoo_env, address, company):
    identity = str(uuid.uuid4())
    parameters = odoo_env["ir.config_parameter"]
    parameters.set_param("database.uuid", identity)
    parameters.set_param("web.base.url", address)
    odoo_env.company.name = company
    odoo_env.ref("base.user_admin").odoobot_state = "disabled"
    group = odoo_env.ref("fleet_saas_server.group_hosting_agent")
    values = {"name": "Portal", "login": "agent", "group_ids": [(6, 0, group.ids)]}
    agent = odoo_env["res.users"].with_context(no_reset_password=True).create(values)
    # Sudo: a key of an ordinary length of life would run out while the demo is kept.
    key = odoo_env["res.users.apikeys"].with_user(agent).sudo()._generate("rpc", "Demo", None)
    odoo_env.cr.commit()
    print(json.dumps({"uuid": identity, "key": key}))


main(env, *ARGUMENTS)
