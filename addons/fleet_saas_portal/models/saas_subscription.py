import logging
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import NO_ACCESS, Domain

from ..billing import MONTHS

_logger = logging.getLogger(__name__)

# Every state and the states it may go to.
STATES = {
    "trial": ("active", "grace", "closed"),
    "active": ("grace", "closed"),
    "grace": ("trial", "active", "suspended", "closed"),
    "suspended": ("trial", "active", "closed"),
    "closed": ("trial", "active", "grace"),
}
# The state that follows by itself when the deadline has come.
NEXT = {"trial": "grace", "active": "grace", "grace": "suspended", "suspended": "closed"}
# The state that the instance shall have.
WANTED = {
    "trial": "active",
    "active": "active",
    "grace": "active",
    "suspended": "suspended",
    "closed": "archived",
}
# What is asked of an instance that has the first state and shall have the second.
ACTIONS = {
    ("active", "suspended"): "action_suspend",
    ("suspended", "active"): "action_resume",
    ("archived", "active"): "action_undelete",
    ("active", "archived"): "action_archive_database",
    ("suspended", "archived"): "action_archive_database",
}
# What the customer is told when the state changes.
MAILS = {
    ("trial", "grace"): "mail_template_trial_ended",
    ("active", "grace"): "mail_template_payment_due",
    ("grace", "suspended"): "mail_template_suspended",
}
BILLED = ("active", "grace")
# Only the methods of this model write them: each change has its message and its consequences.
FIXED = {
    "instance_id",
    "plan_id",
    "period",
    "currency_id",
    "state",
    "state_since",
    "start",
    "trial_end",
    "paid_until",
    "anchor_day",
    "closed_reason",
    "is_pending",
    "reminders",
    "problem",
    # Odoo computes these; a value that is written stays until then.
    "deadline",
    "next_invoice",
    "mrr",
    "name",
    "partner_id",
    "company_id",
    "invoice_ids",
}


class SaasSubscription(models.Model):
    """What a customer pays for an instance, until when, and what follows when it is not paid."""

    _name = "saas.subscription"
    _description = "SaaS Subscription"
    _inherit = ["mail.thread", "mail.activity.mixin", "saas.customer.mail"]
    _order = "deadline, id"

    name = fields.Char(related="instance_id.name", store=True)
    instance_id = fields.Many2one(
        "saas.instance", required=True, index=True, ondelete="cascade", copy=False
    )
    partner_id = fields.Many2one(
        related="instance_id.partner_id", store=True, string="Customer", index=True
    )
    company_id = fields.Many2one(related="instance_id.company_id", store=True, index=True)
    user_id = fields.Many2one(related="instance_id.user_id", store=True, string="Responsible")
    plan_id = fields.Many2one(
        "saas.plan", required=True, index=True, ondelete="restrict", tracking=True
    )
    state = fields.Selection(
        [
            ("trial", "Trial"),
            ("active", "Active"),
            ("grace", "In Grace"),
            ("suspended", "Suspended"),
            ("closed", "Closed"),
        ],
        required=True,
        readonly=True,
        default="trial",
        index=True,
        copy=False,
    )
    state_since = fields.Date(readonly=True, copy=False, default=fields.Date.today)
    start = fields.Date(required=True, readonly=True, default=fields.Date.today)
    trial_end = fields.Date("Trial Until", readonly=True, help="First day after the trial.")
    paid_until = fields.Date(readonly=True, copy=False, help="First day that is not paid.")
    anchor_day = fields.Integer(readonly=True, copy=False, export_string_translation=False)
    deadline = fields.Date(
        compute="_compute_deadline",
        store=True,
        index=True,
        help="On this day it goes to the next state, unless it is paid or extended.",
    )
    closed_reason = fields.Selection(
        [("cancelled", "Cancelled"), ("unpaid", "Not Paid"), ("deleted", "Database Deleted")],
        readonly=True,
        tracking=True,
        copy=False,
    )

    period = fields.Selection(
        [("month", "Month"), ("year", "Year")],
        compute="_compute_price",
        store=True,
        required=True,
        precompute=True,
    )
    currency_id = fields.Many2one(
        "res.currency", required=True, default=lambda self: self.env.company.currency_id
    )
    price = fields.Monetary(
        compute="_compute_price", store=True, readonly=False, tracking=True, precompute=True
    )
    company_currency_id = fields.Many2one(
        related="company_id.currency_id", string="Company Currency"
    )
    mrr = fields.Monetary(
        "Revenue a Month",
        compute="_compute_mrr",
        store=True,
        currency_field="company_currency_id",
        aggregator="sum",
    )
    auto_renew = fields.Boolean(
        "Renewed Automatically",
        default=True,
        tracking=True,
        help="The next period is invoiced before this one ends.",
    )
    invoice_ids = fields.One2many("account.move", "saas_subscription_id", "Invoices", readonly=True)
    invoice_count = fields.Integer(compute="_compute_invoice_count")
    next_invoice = fields.Date(compute="_compute_next_invoice", store=True, index=True)

    is_pending = fields.Boolean(
        "Waits for the Instance",
        readonly=True,
        copy=False,
        help="The instance was busy when the state changed and is asked again.",
    )
    reminders = fields.Json(readonly=True, copy=False, groups=NO_ACCESS)
    problem = fields.Char(readonly=True, copy=False)

    _instance_uniq = models.Constraint(
        "UNIQUE(instance_id)", "This instance has a subscription already."
    )
    _price_positive = models.Constraint("CHECK (price >= 0)", "A price cannot be negative.")

    # --- computed

    @api.depends("plan_id")
    def _compute_price(self):
        for subscription in self:
            plan = subscription.plan_id
            subscription.period = plan.period or "month"
            subscription.price = subscription._get_plan_price(plan)

    def _get_plan_price(self, plan):
        """Return what ``plan`` costs a period, in this subscription's currency."""
        if not plan or plan.currency_id == self.currency_id:
            return plan.price
        return plan.currency_id._convert(
            plan.price, self.currency_id, plan.company_id, fields.Date.today()
        )

    @api.depends(
        "state",
        "trial_end",
        "paid_until",
        "state_since",
        "plan_id.grace_days",
        "plan_id.keep_days",
    )
    def _compute_deadline(self):
        for subscription in self:
            since, plan = subscription.state_since, subscription.plan_id
            if subscription.state == "grace":
                # From the day it was told: whoever is told late still has all days.
                subscription.deadline = since and since + timedelta(days=plan.grace_days)
            elif subscription.state == "suspended":
                subscription.deadline = since and since + timedelta(days=plan.keep_days)
            elif subscription.state == "closed":
                subscription.deadline = False
            else:
                subscription.deadline = subscription._get_end()

    def _get_end(self):
        """Return the first day that is neither paid nor in the trial."""
        return self.paid_until or self.trial_end or self.start

    @api.depends("state", "price", "period", "currency_id", "company_id", "paid_until")
    def _compute_mrr(self):
        for subscription in self:
            monthly = 0.0
            if subscription.state in BILLED and subscription.paid_until:
                monthly = subscription.price / MONTHS[subscription.period]
            ours, company = subscription.currency_id, subscription.company_id
            if monthly and company and ours != company.currency_id:
                monthly = ours._convert(monthly, company.currency_id, company, fields.Date.today())
            subscription.mrr = monthly

    @api.depends(
        "state",
        "auto_renew",
        "paid_until",
        "plan_id.invoice_days",
        "invoice_ids.state",
        "invoice_ids.payment_state",
        "invoice_ids.saas_kind",
    )
    def _compute_next_invoice(self):
        for subscription in self:
            # A trial is invoiced when its customer asks for it, never by itself.
            is_paying = subscription.state in BILLED and subscription.paid_until
            due = is_paying and subscription.auto_renew
            if due and not subscription._get_open_invoice():
                early = timedelta(days=subscription.plan_id.invoice_days)
                subscription.next_invoice = subscription._get_end() - early
            else:
                subscription.next_invoice = False

    @api.depends("invoice_ids")
    def _compute_invoice_count(self):
        for subscription in self:
            subscription.invoice_count = len(subscription.sudo().invoice_ids)

    def write(self, vals):
        if not self.env.su and FIXED & vals.keys():
            raise UserError(self.env._("Extend the subscription, change its plan or close it."))
        return super().write(vals)

    # --- states

    def _set_state(self, state, reason="", **values):
        """Change the state along `STATES`; log it, post it, tell the customer, ask the instance.

        :param str reason: why, in the words that the chatter shows
        :param values: written with the state
        """
        for subscription in self.sudo():
            old = subscription.state
            if state not in STATES[old]:
                raise UserError(
                    self.env._(
                        "The subscription of %(name)s cannot go from %(old)s to %(new)s.",
                        name=subscription.name,
                        old=subscription._get_label(old),
                        new=subscription._get_label(state),
                    )
                )
            values.setdefault("closed_reason", False)
            today = fields.Date.today()
            subscription.write({"state": state, "state_since": today, **values})
            name = subscription.name
            _logger.info("Subscription %s (%s): %s -> %s", subscription.id, name, old, state)
            subscription._post_state(old, reason)
            if WANTED[old] != WANTED[state]:
                subscription.is_pending = True
                subscription._align()
            subscription.instance_id._subscription_changed()

    def _is_cancelled(self):
        """Tell whether the customer has cancelled the database: then nothing more is asked of them."""
        return bool(self.instance_id.end_date)

    def _get_label(self, state):
        return dict(self._fields["state"]._description_selection(self.env))[state]

    def _post_state(self, old, reason):
        """Say in the chatter, and where `MAILS` says so by mail, that the state has changed."""
        body = self.env._(
            "%(old)s → %(new)s. %(reason)s",
            old=self._get_label(old),
            new=self._get_label(self.state),
            reason=reason,
        )
        self.message_post(body=body.strip())
        mail = MAILS.get((old, self.state))
        if mail and not self._is_cancelled():
            self._send_mail(mail)

    def _align(self):
        """Ask the instance once for the state that it shall have; later while it is busy.

        What its operator has suspended or archived since is left alone: only a change of the
        subscription's state asks.
        """
        self.ensure_one()
        instance = self.instance_id
        if not self.is_pending or instance.request_id or instance.state in ("creating", "moving"):
            return
        action = ACTIONS.get((instance.state, WANTED[self.state]))
        try:
            with self.env.cr.savepoint():
                if action:
                    getattr(instance, action)()
        except UserError as error:
            self.problem = str(error)
        else:
            self.is_pending = False

    def _get_covered_domain(self):
        """Return what the open subscriptions are: those with a right to a database."""
        return Domain("state", "!=", "closed")

    # --- what people do

    def action_close(self):
        """End the subscriptions; their databases are archived."""
        self.check_access("write")
        for subscription in self:
            subscription._set_state("closed", closed_reason="cancelled")

    def _reopen(self):
        """Go on after the database was brought back: as it is paid, or with the days of grace."""
        self.ensure_one()
        state = "grace"
        if self._get_end() > fields.Date.today():
            state = "active" if self.paid_until else "trial"
        self._set_state(state, self.env._("The database was brought back."))

    def _extend(self, days, reason=""):
        """Move the end of the trial or of the paid time; what was suspended is resumed.

        :param int days: counted from today when the end has passed
        """
        self.ensure_one()
        self.check_access("write")
        if days < 1:
            raise UserError(self.env._("Extend by one day or more."))
        today = fields.Date.today()
        subscription = self.sudo()
        if subscription.instance_id.state in ("failed", "deleted"):
            raise UserError(self.env._("The database of %s is gone.", self.name))
        end = max(subscription._get_end(), today) + timedelta(days=days)
        is_trial = not subscription.paid_until
        subscription._shift_open_invoice(end)
        subscription.write({"trial_end" if is_trial else "paid_until": end})
        text = self.env._(
            "Extended until %(end)s. %(reason)s",
            end=end.isoformat(),
            reason=reason,
        )
        state = "trial" if is_trial else "active"
        if state == subscription.state:
            subscription.message_post(body=text.strip())
            subscription.instance_id._subscription_changed()
        else:
            subscription._set_state(state, text)

    def _get_told_state(self):
        """Return what an open database is told: the state, and its last day (a date) or None.

        Its server closes it. One that has been told so itself, in the moment before, stays closed
        when it is resumed.
        """
        self.ensure_one()
        if self.state in ("suspended", "closed"):
            return "grace", None
        state = self.state
        goes_on = self.state == "active" and self.auto_renew
        ends = None if goes_on or not self.deadline else self.deadline - timedelta(days=1)
        return state, ends

    def action_open_invoices(self):
        """Show the invoices."""
        self.ensure_one()
        action = self.env["ir.actions.actions"]._for_xml_id("account.action_move_out_invoice_type")
        domain = [("saas_subscription_id", "=", self.id)]
        return {**action, "domain": domain, "context": {"create": False}}
