from odoo import models


class SaasDatabaseTemplate(models.Model):
    """A template's pool of ready clones."""

    _inherit = "saas.database.template"

    def _published(self, version):
        """Drain the pool of the version before, and fill it from the new one."""
        result = super()._published(version)
        self.env["saas.pool.clone"]._drain()
        self.env["saas.pool.clone"]._top_up()
        return result
