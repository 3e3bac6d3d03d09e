from . import controllers, models
from .models.saas_client import drop_tables


def uninstall_hook(env):
    """Take the plain tables along: no model owns them, so Odoo does not know of them."""
    drop_tables(env.cr)
    monitor = env.ref("fleet_saas_client.user_monitor", raise_if_not_found=False)
    if monitor:
        # Odoo removes the user by itself, and would leave its contact.
        partner = monitor.partner_id
        monitor.unlink()
        partner.unlink()
