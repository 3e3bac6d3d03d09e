from odoo import fields, models


class ResPartner(models.Model):
    _inherit = "res.partner"

    saas_subscription_ids = fields.One2many(
        "saas.subscription",
        "partner_id",
        "SaaS Subscriptions",
        groups="fleet_saas_portal.group_saas_user",
    )
    saas_subscription_count = fields.Integer(
        "SaaS Subscriptions Open",
        compute="_compute_saas_totals",
        groups="fleet_saas_portal.group_saas_user",
    )
    saas_mrr = fields.Monetary(
        "SaaS Revenue a Month",
        compute="_compute_saas_totals",
        groups="fleet_saas_portal.group_saas_user",
    )

    def _compute_saas_totals(self):
        totals = {
            partner: (count, mrr)
            for partner, count, mrr in self.env["saas.subscription"]._read_group(
                [
                    ("partner_id", "in", self.ids),
                    ("state", "!=", "closed"),
                    ("company_id", "=", self.env.company.id),
                ],
                ["partner_id"],
                ["__count", "mrr:sum"],
            )
        }
        for partner in self:
            count, mrr = totals.get(partner._origin, (0, 0.0))
            partner.saas_subscription_count, partner.saas_mrr = count, mrr

    def action_open_saas_subscriptions(self):
        """Show the customer's subscriptions."""
        action = self.env["ir.actions.actions"]._for_xml_id(
            "fleet_saas_portal.saas_subscription_action"
        )
        return {**action, "domain": [("partner_id", "=", self.id)], "context": {}}
