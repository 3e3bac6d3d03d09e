from odoo import fields, models


class SaasSubscriptionExtend(models.TransientModel):
    """Give customers more days without an invoice."""

    _name = "saas.subscription.extend"
    _description = "Extend Subscriptions"

    subscription_ids = fields.Many2many(
        "saas.subscription",
        required=True,
        default=lambda self: self.env.context.get("active_ids"),
    )
    days = fields.Integer(required=True, default=14)
    reason = fields.Char(help="The chatter keeps it.")

    def action_extend(self):
        """Extend all of them, or none when one cannot be."""
        for subscription in self.subscription_ids:
            subscription._extend(self.days, self.reason or "")
        return {"type": "ir.actions.act_window_close"}
