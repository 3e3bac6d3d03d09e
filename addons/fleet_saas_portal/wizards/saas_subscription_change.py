from odoo import api, fields, models


class SaasSubscriptionChange(models.TransientModel):
    """Change the plan of a subscription, with its price told before."""

    _name = "saas.subscription.change"
    _description = "Change Plan"

    subscription_id = fields.Many2one(
        "saas.subscription",
        required=True,
        default=lambda self: self.env.context.get("active_id"),
    )
    company_id = fields.Many2one(related="subscription_id.company_id")
    old_plan_id = fields.Many2one(related="subscription_id.plan_id", string="From")
    plan_id = fields.Many2one(
        "saas.plan",
        "To",
        required=True,
        domain="[('company_id', '=', company_id), ('id', '!=', old_plan_id)]",
    )
    currency_id = fields.Many2one(related="subscription_id.currency_id")
    charge = fields.Monetary("New Plan, for the Days That Are Paid", compute="_compute_total")
    credit = fields.Monetary("Old Plan, Not Used", compute="_compute_total")
    total = fields.Monetary(
        compute="_compute_total", help="Without taxes. Invoiced now; credited when it is negative."
    )

    @api.depends("plan_id", "subscription_id")
    def _compute_total(self):
        for wizard in self:
            figures = {"charge": 0.0, "credit": 0.0}
            if wizard.plan_id and wizard.subscription_id:
                figures = wizard.subscription_id._prepare_change(wizard.plan_id)
            wizard.charge, wizard.credit = figures["charge"], figures["credit"]
            wizard.total = wizard.charge - wizard.credit

    def action_change(self):
        """Change the plan now."""
        self.subscription_id._change_plan(self.plan_id)
        return {"type": "ir.actions.act_window_close"}
