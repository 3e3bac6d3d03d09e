from odoo import api, fields, models

# Settings that are numbers: their system parameter and what counts while nobody set one.
NUMBERS = {
    "grace_days": ("fleet_saas_server.grace_days", 30),
    "final_backup_days": ("fleet_saas_server.final_backup_days", 90),
    "snapshot_hours": ("fleet_saas_server.snapshot_hours", 72),
}


class ResConfigSettings(models.TransientModel):
    """What a hosting server does when nobody says otherwise."""

    _inherit = "res.config.settings"

    hosting_grace_days = fields.Integer(
        "Days in the Archive",
        config_parameter=NUMBERS["grace_days"][0],
        default=NUMBERS["grace_days"][1],
        help="An archived database may be dropped after so many days.",
    )
    hosting_final_backup_days = fields.Integer(
        "Days a Final Backup Is Kept",
        config_parameter=NUMBERS["final_backup_days"][0],
        default=NUMBERS["final_backup_days"][1],
        help="After so many days the backups of a dropped database are forgotten; until then nobody "
        "else gets its name. 0 keeps them for ever and frees the name at once.",
    )
    hosting_snapshot_hours = fields.Integer(
        "Hours a Snapshot Is Kept",
        config_parameter=NUMBERS["snapshot_hours"][0],
        default=NUMBERS["snapshot_hours"][1],
        help="0 keeps a snapshot until somebody drops it.",
    )

    def set_values(self):
        """Store 0 as a number: Odoo takes it for "not set", and the default would count again."""
        result = super().set_values()
        for name, (key, _default) in NUMBERS.items():
            if not self[f"hosting_{name}"]:
                self.env["ir.config_parameter"].sudo().set_param(key, "0")
        return result

    @api.model
    def _get_hosting_number(self, name):
        """Return one of `NUMBERS`; nonsense in the system parameter counts as not set."""
        key, default = NUMBERS[name]
        stored = self.env["ir.config_parameter"].sudo().get_param(key)
        return int(stored) if stored and stored.isdigit() else default
