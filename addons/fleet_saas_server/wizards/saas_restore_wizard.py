from odoo import api, fields, models

from ..models.saas_database import GONE


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
    is_gone = fields.Boolean(compute="_compute_is_gone")
    name = fields.Char("Name of the New Database")
    keep_logins = fields.Boolean("People keep their passwords", default=True)

    @api.depends("database_id.state")
    def _compute_is_gone(self):
        for wizard in self:
            wizard.is_gone = wizard.database_id.state in GONE

    @api.onchange("backup_id")
    def _onchange_backup_id(self):
        name = self.database_id.name
        self.name = name and (f"{name}-restored" if self.is_gone else f"{name}-copy")
        if self.is_gone:
            self.mode = "customer"

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
                "identity": self.database_id.uuid,
                "backup": number,
                "purpose": self.mode,
                "keep_logins": self.keep_logins,
            },
            target=self.name or "",
        )
