from . import models, redaction, wizards

redaction.install()


def uninstall_hook(env):
    """Remove the settings, with the account's key among them: Odoo leaves them in place."""
    env["ir.config_parameter"].search([("key", "=like", "fleet_databases.%")]).unlink()
