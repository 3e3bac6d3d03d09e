from odoo import api, fields, models
from odoo.fields import Domain

from .saas_subscription import WANTED
from .saas_subscription_billing import PAID

GONE = ("draft", "failed", "deleted")
HOSTED = ("active", "suspended", "moving")


class SaasAuditLine(models.Model):
    """A difference between what is billed and what exists; it goes when it is no longer true."""

    _name = "saas.audit.line"
    _description = "SaaS Audit"
    _order = "create_date DESC, id DESC"

    kind = fields.Selection(
        [
            ("missing", "Billed, but No Database"),
            ("unbilled", "Database, but Nothing Billed"),
            ("state", "Its State Differs from the Subscription"),
            ("returned", "Counted as Paid, but Not Paid"),
        ],
        required=True,
        readonly=True,
        index=True,
    )
    instance_id = fields.Many2one(
        "saas.instance", required=True, readonly=True, index=True, ondelete="cascade"
    )
    subscription_id = fields.Many2one(
        "saas.subscription", readonly=True, index=True, ondelete="cascade"
    )
    partner_id = fields.Many2one(related="instance_id.partner_id")
    company_id = fields.Many2one(related="instance_id.company_id", store=True, index=True)
    instance_state = fields.Selection(related="instance_id.state", string="State of the Instance")
    subscription_state = fields.Selection(
        related="subscription_id.state", string="State of the Subscription"
    )
    is_accepted = fields.Boolean(
        "Meant to Be So", help="Such as a database of your own that nobody pays for."
    )

    _found_uniq = models.Constraint("UNIQUE(kind, instance_id)", "It was found already.")

    @api.model
    def _cron_audit(self):
        """Compare what is billed with what exists, both ways."""
        found = {
            (kind, instance.id): subscription.id
            for kind, pairs in self._get_differences()
            for instance, subscription in pairs
        }
        known = {(line.kind, line.instance_id.id): line for line in self.search([])}
        self.browse(line.id for key, line in known.items() if key not in found).unlink()
        self.create(
            [
                {"kind": kind, "instance_id": instance_id, "subscription_id": subscription_id}
                for (kind, instance_id), subscription_id in found.items()
                if (kind, instance_id) not in known
            ]
        )
        self.env["ir.cron"]._commit_progress(len(found), remaining=0)

    @api.model
    def _get_differences(self):
        """Return pairs of instances and subscriptions by kind of difference."""
        Subscription = self.env["saas.subscription"]
        covered = Subscription._get_covered_domain()
        billed = Subscription.search(covered)
        missing = billed.filtered(
            lambda each: each.instance_id.state in GONE or each.instance_id.is_missing
        )
        returned = Subscription.search([("invoice_ids", "any", self._get_returned_domain())])
        covers = Domain("subscription_ids", "any", covered)
        hosted = Domain("state", "in", HOSTED) & Domain("purpose", "!=", "staging")
        unbilled = self.env["saas.instance"].search(hosted & ~covers)
        nothing = Subscription.browse()
        return (
            ("missing", [(each.instance_id, each) for each in missing]),
            ("unbilled", [(each, each.subscription_ids or nothing) for each in unbilled]),
            ("state", [(x.instance_id, x) for x in billed - missing if self._differs(x)]),
            ("returned", [(each.instance_id, each) for each in returned]),
        )

    @api.model
    def _differs(self, subscription):
        instance = subscription.instance_id
        busy = subscription.is_pending or instance.request_id
        if busy or instance.state in ("creating", "moving"):
            return False
        return instance.state != WANTED[subscription.state]

    @api.model
    def _get_returned_domain(self):
        return [("saas_is_counted", "=", True), ("payment_state", "not in", PAID)]

    def action_accept(self):
        """Note that this is meant to be so."""
        self.is_accepted = True
