from odoo import models


class SaasBackup(models.Model):
    """What a person can do with a backup."""

    _inherit = "saas.backup"

    def action_restore(self):
        """Ask how this backup is to come back."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Restore %s", self.display_name),
            "res_model": "saas.restore.wizard",
            "view_mode": "form",
            "target": "new",
            "context": {"default_backup_id": self.id},
        }

    def action_drill(self):
        """Restore this backup where nobody sees it, and compare."""
        self.ensure_one()
        database = self.database_id
        return database._submit_and_show(
            "drill", {"backup": self.backup, "identity": database.uuid}, target=database.name
        )
