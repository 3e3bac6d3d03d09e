from odoo import models


class ResUsers(models.Model):
    _inherit = "res.users"

    def _get_database_login(self):
        """Return the login as it is compared with the accounts of databases."""
        self.ensure_one()
        return (self.login or "").strip().lower()
