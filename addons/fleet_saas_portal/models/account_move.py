from odoo import fields, models


class AccountMove(models.Model):
    _inherit = "account.move"

    saas_subscription_id = fields.Many2one(
        "saas.subscription",
        "SaaS Subscription",
        readonly=True,
        copy=False,
        index="btree_not_null",
        ondelete="restrict",
    )
    saas_kind = fields.Selection(
        [("period", "Period"), ("change", "Change of Plan")],
        "SaaS Invoice",
        readonly=True,
        copy=False,
    )
    saas_period_start = fields.Date("Period From", readonly=True, copy=False)
    saas_period_end = fields.Date(
        "Period Until", readonly=True, copy=False, help="First day that is not part of it."
    )
    saas_is_counted = fields.Boolean(
        "Counted as Paid", readonly=True, copy=False, export_string_translation=False
    )

    _saas_period_uniq = models.UniqueIndex(
        "(saas_subscription_id, saas_period_start) WHERE saas_kind = 'period' "
        "AND state <> 'cancel' AND payment_state <> 'reversed'",
        "This period of the subscription is invoiced already.",
    )

    def _invoice_paid_hook(self):
        result = super()._invoice_paid_hook()
        for move in self.sudo():
            if move.saas_subscription_id:
                move.saas_subscription_id._count(move)
        return result
