"""Give the portal of the demo its own people. ``ARGUMENTS``: JSON list of (name, e-mail)."""

import json

for name, email in json.loads(ARGUMENTS[0]):
    env["res.users"].with_context(no_reset_password=True).create(
        {
            "name": name,
            "login": email,
            "email": email,
            "password": email,
            "group_ids": [(4, env.ref("fleet_databases.group_databases_user").id)],
        }
    )
env.company.name = "Northwind Accounting"
env.cr.commit()
