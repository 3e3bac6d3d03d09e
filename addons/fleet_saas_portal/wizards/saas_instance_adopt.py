from odoo import fields, models
from odoo.exceptions import UserError


class SaasInstanceAdopt(models.TransientModel):
    """Ask whose the databases are that servers host and nobody knows here."""

    _name = "saas.instance.adopt"
    _description = "Make Instances of Databases"

    found_ids = fields.Many2many("saas.instance.found", string="Databases", readonly=True)
    partner_id = fields.Many2one("res.partner", "Customer", ondelete="cascade")
    plan_id = fields.Many2one("saas.plan", ondelete="cascade")

    def action_adopt(self):
        """Make the instances and show them."""
        self.ensure_one()
        if not self.found_ids:
            raise UserError(self.env._("Choose at least one database."))
        instances = self.found_ids._adopt(partner_id=self.partner_id.id, plan_id=self.plan_id.id)
        action = self.env["ir.actions.actions"]._for_xml_id(
            "fleet_saas_portal.saas_instance_action"
        )
        return {**action, "domain": [("id", "in", instances.ids)], "context": {}}
