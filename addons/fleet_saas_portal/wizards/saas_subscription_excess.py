from odoo import api, fields, models
from odoo.exceptions import UserError


class SaasSubscriptionChange(models.TransientModel):
    """What the new plan allows less of than is used is told before, and has to be meant."""

    _inherit = "saas.subscription.change"

    excess = fields.Char(compute="_compute_excess")
    anyway = fields.Boolean("Change It Although More Is Used")

    @api.depends("plan_id", "subscription_id")
    @api.depends_context("lang")
    def _compute_excess(self):
        for wizard in self:
            plan, instance = wizard.plan_id, wizard.subscription_id.instance_id
            wizard.excess = instance._get_excess(plan) if plan else False

    def action_change(self):
        if self.excess and not self.anyway:
            raise UserError(self.excess)
        return super().action_change()
