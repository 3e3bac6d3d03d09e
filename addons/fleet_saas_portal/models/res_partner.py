from odoo import fields, models


class ResPartner(models.Model):
    _inherit = "res.partner"

    saas_instance_ids = fields.One2many(
        "saas.instance",
        "partner_id",
        "Instances",
        groups="fleet_saas_portal.group_saas_user",
    )
    saas_instance_count = fields.Integer(
        "Hosted Databases",
        compute="_compute_saas_instance_count",
        groups="fleet_saas_portal.group_saas_user",
    )

    def _compute_saas_instance_count(self):
        counts = dict(
            self.env["saas.instance"]._read_group(
                [("partner_id", "in", self.ids), ("state", "not in", ("failed", "deleted"))],
                ["partner_id"],
                ["__count"],
            )
        )
        for partner in self:
            partner.saas_instance_count = counts.get(partner._origin, 0)

    def action_open_saas_instances(self):
        """Show the customer's instances."""
        action = self.env["ir.actions.actions"]._for_xml_id(
            "fleet_saas_portal.saas_instance_action"
        )
        return {**action, "domain": [("partner_id", "=", self.id)], "context": {}}
