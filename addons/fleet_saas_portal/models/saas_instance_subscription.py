from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools import format_date


class SaasInstance(models.Model):
    _name = "saas.instance"
    _inherit = ["saas.instance", "saas.customer.mail"]

    subscription_ids = fields.One2many("saas.subscription", "instance_id", "Subscriptions")
    subscription_id = fields.Many2one("saas.subscription", compute="_compute_subscription_id")
    subscription_state = fields.Selection(
        lambda self: self.env["saas.subscription"]._fields["state"].selection,
        "Paid State",
        compute="_compute_subscription_id",
    )

    @api.depends("subscription_ids.state")
    def _compute_subscription_id(self):
        for instance in self:
            instance.subscription_id = instance.subscription_ids[:1]
            instance.subscription_state = instance.subscription_id.state

    def write(self, vals):
        before = [(each, each.plan_id) for each in self] if "plan_id" in vals else []
        result = super().write(vals)
        for instance, old in before:
            subscription = instance.sudo().subscription_id
            if subscription and instance.plan_id != old:
                subscription._take_plan(instance.sudo().plan_id)
        if "end_date" in vals:
            # A customer who has cancelled is not invoiced again; one who stays is.
            for instance in self.sudo():
                instance.subscription_ids.auto_renew = not instance.end_date
                if instance.end_date:
                    instance.subscription_ids._take_back_after(instance.end_date)
        return result

    def action_start_subscription(self):
        """Begin the subscriptions, with the plan's trial or to be paid at once."""
        self.check_access("write")
        for instance in self:
            if not instance.plan_id or instance.purpose == "staging":
                raise UserError(self.env._("%s has no plan to subscribe to.", instance.name))
            instance._start_subscription()

    def _start_subscription(self):
        """Return the subscription; begun now when there is none. None without a plan."""
        self.ensure_one()
        Subscription = self.env["saas.subscription"].sudo()
        known = Subscription.search([("instance_id", "=", self.id)])
        if known or not self.plan_id or self.purpose == "staging":
            return known
        started = Subscription.create(self._prepare_subscription())
        self.env.ref("fleet_saas_portal.ir_cron_subscriptions").sudo()._trigger()
        return started

    def _prepare_subscription(self):
        """Return the values of a new subscription."""
        today, plan = fields.Date.today(), self.plan_id
        values = {
            "instance_id": self.id,
            "plan_id": plan.id,
            "currency_id": plan.currency_id.id,
            "start": today,
        }
        if plan.trial_days:
            end = fields.Date.add(today, days=plan.trial_days)
            return {**values, "state": "trial", "trial_end": end}
        return {**values, "state": "active", "paid_until": today}

    def _subscription_changed(self):
        """Have the database told its plan, state and end anew."""
        cron = self.env.ref("fleet_saas_portal.ir_cron_documents", raise_if_not_found=False)
        if cron:
            cron.sudo()._trigger()

    def _get_document_state(self):
        subscription = self.sudo().subscription_id
        if self.state == "archived" or not (subscription or self._begins_subscription()):
            return super()._get_document_state()
        if not subscription:
            # What the database is created with says what is true when it is there.
            begun = self.sudo()._prepare_subscription()
            trial_end = begun.get("trial_end")
            return begun["state"], trial_end and trial_end - timedelta(days=1)
        state, ends = subscription._get_told_state()
        return ("suspended" if self.state == "suspended" else state), ends

    def _begins_subscription(self):
        """Tell whether a subscription begins when the database has been created."""
        new = self.state in ("draft", "creating", "failed")
        return new and self.plan_id and self.purpose != "staging"

    def _get_paid_until(self):
        """Return the last day that is paid or on trial, None without a subscription."""
        subscription = self.sudo().subscription_id
        return subscription._get_end() - timedelta(days=1) if subscription else None

    def _get_paid_words(self):
        """Return until when it is paid or on trial, in a sentence; "" where it never was."""
        subscription = self.sudo().subscription_id
        if not subscription:
            return ""
        day = format_date(self.env, self._get_paid_until())
        if subscription.state == "trial":
            return self.env._("On trial until %s.", day)
        # What begins without a trial is paid until its first day before anything is paid.
        if subscription.paid_until and subscription.paid_until > subscription.start:
            return self.env._("Paid until %s.", day)
        return self.env._("Its trial was until %s.", day) if subscription.trial_end else ""

    # --- what the server has done

    def _apply_create(self, request):
        super()._apply_create(request)
        if self._start_subscription():
            self._send_mail("mail_template_welcome")

    def _set_state(self, state, **values):
        before = [(each, each.state) for each in self]
        result = super()._set_state(state, **values)
        for instance, old in before:
            if old != state:
                instance._follow_state(old, state)
        return result

    def _follow_state(self, old, state):
        """Close the subscription with its database, and open it again with it."""
        subscription = self.sudo().subscription_id
        if not subscription:
            return
        if state in ("archived", "deleted") and subscription.state != "closed":
            reason = "deleted" if state == "deleted" else "cancelled"
            subscription._set_state("closed", closed_reason=reason)
        elif (old, state) == ("archived", "active") and subscription.state == "closed":
            subscription._reopen()

    def _send_backup_ready(self):
        """Tell the customer that the backup they asked for is there."""
        self._send_mail("mail_template_backup_ready")

    def _request_ended(self, request):
        result = super()._request_ended(request)
        if request.kind == "backup" and request.state == "done" and request.user_id.share:
            self._send_backup_ready()
        return result
