from odoo.tools import config

from . import models, wizards


def post_load():
    """Put the gate into a process that serves hosted databases, and only there."""
    if "fleet_saas_server" in config["server_wide_modules"]:
        from . import gate

        gate.install_if_wanted()
