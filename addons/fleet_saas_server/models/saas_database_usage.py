from odoo import api, fields, models


class SaasDatabase(models.Model):
    """A hosted database's latest figures."""

    _inherit = "saas.database"

    usage_ids = fields.One2many("saas.usage", "database_id", readonly=True)
    usage_id = fields.Many2one("saas.usage", "Latest Figures", compute="_compute_usage_id")
    users = fields.Integer(compute="_compute_usage_id")
    size = fields.Float(compute="_compute_usage_id")

    @api.depends("usage_ids.day")
    def _compute_usage_id(self):
        groups = self.env["saas.usage"]._read_group(
            [("database_id", "in", self.ids)], ["database_id"], ["id:max"]
        )
        latest = {database.id: line for database, line in groups}
        for database in self:
            line = self.env["saas.usage"].browse(latest.get(database.id))
            database.usage_id = line
            database.users = line.internal_users
            database.size = line.database_bytes + line.filestore_bytes

    def _get_inventory(self):
        usage = self.usage_id
        return super()._get_inventory() | {"usage": usage._get_figures() if usage else None}

    def action_usage(self):
        """Show how the figures went."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "fleet_saas_server.saas_usage_action"
        )
        return action | {"domain": [("database_id", "=", self.id)]}
