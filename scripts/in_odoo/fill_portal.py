"""Give the portal of the demo its own people. ``ARGUMENTS``: JSON list of (name, e-mail)."""

import json

for name, email in json.loads(ARGUMENTS[0]):  # noqa: F821 - given by the caller
    env["res.users"].with_context(no_reset_password=True).create(  # noqa: F821
        {
            "name": name,
            "login": email,
            "email": email,
            "password": email,
            "group_ids": [(4, env.ref("fleet_databases.group_databases_user").id)],  # noqa: F821
        }
    )
env.company.name = "Northwind Accounting"  # noqa: F821
env.cr.commit()  # noqa: F821
