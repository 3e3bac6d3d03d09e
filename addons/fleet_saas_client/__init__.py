from . import controllers, models


def uninstall_hook(env):
    """Take the plain tables along: no model owns them, so Odoo does not know of them."""
    env["saas.client"]._drop_tables()
