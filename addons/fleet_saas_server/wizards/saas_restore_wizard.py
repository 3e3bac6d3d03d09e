from odoo import api, fields, models


class SaasRestoreWizard(models.TransientModel):
    """Bring a backup back: over the database, or beside it."""

    _name = "saas.restore.wizard"
    _description = "Restore a Backup"

    backup_id = fields.Many2one("saas.backup", required=True, ondelete="cascade")
    database_id = fields.Many2one(related="backup_id.database_id")
    mode = fields.Selection(
        [
            ("staging", "Beside it, as a neutralised staging copy"),
            ("customer", "Beside it, as a new live database"),
            ("in_place", "Over the database itself"),
        ],
        required=True,
        default="staging",
    )
    name = fields.Char("Name of the New Database")
    keep_logins = fields.Boolean("People keep their passwords", default=True)

    @api.onchange("backup_id")
    def _onchange_backup_id(self):
        self.name = f"{self.database_id.name}-copy" if self.database_id else False

    def action_restore(self):
        """Ask for the restore and show its operation."""
        self.ensure_one()
        number = self.backup_id.backup
        if self.mode == "in_place":
            return self.database_id._submit_and_show("restore", {"backup": number})
        return self.database_id._submit_and_show(
            "restore_as",
            {
                "source": self.database_id.name,
                "backup": number,
                "purpose": self.mode,
                "keep_logins": self.keep_logins,
            },
            target=self.name or "",
        )
