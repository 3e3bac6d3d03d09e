import logging
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError

from .ir_cron import RIVALS
from .saas_subscription import NEXT

_logger = logging.getLogger(__name__)

# Days before the end at which the customer is reminded, by state. The invoice itself is the first
# reminder of those who pay.
REMIND = {"trial": (7, 3, 1), "active": (3, 1)}
REMINDERS = {"trial": "mail_template_trial_ending", "active": "mail_template_payment_due"}


class SaasSubscription(models.Model):
    """The scheduled action: payments, renewals, deadlines, reminders, instances that were busy."""

    _inherit = "saas.subscription"

    @api.model
    def _get_jobs(self):
        """Return the methods of the scheduled action, in their order, with what they are for."""
        today = fields.Date.today()
        soon = today + timedelta(days=max(REMIND["trial"]))
        paid = [("invoice_ids", "any", self._get_uncounted_domain())]
        return (
            ("_count_paid", paid),
            ("_renew", [("next_invoice", "<=", today)]),
            ("_advance", [("deadline", "<=", today)]),
            (
                "_remind",
                [
                    ("state", "in", list(REMIND)),
                    ("deadline", ">", today),
                    ("deadline", "<=", soon),
                ],
            ),
            ("_align", [("is_pending", "=", True)]),
        )

    @api.model
    def _cron_work(self):
        """Do what is due, each subscription in a transaction of its own."""
        Cron = self.env["ir.cron"]
        jobs = [(name, self.search(domain).ids) for name, domain in self._get_jobs()]
        Cron._commit_progress(remaining=sum(len(ids) for _name, ids in jobs))
        failed = set()
        for name, ids in jobs:
            for subscription in self.browse(ids):
                if not subscription._work(name, keep_problem=subscription.id in failed):
                    failed.add(subscription.id)
                if not Cron._commit_progress(1):
                    return

    def _work(self, name, *, keep_problem=False):
        """Do one job for one subscription; what fails is written on it and holds up no other.

        :return: whether it was done
        """
        try:
            with self.env.cr.savepoint():
                if self.try_lock_for_update():
                    if self.problem and not keep_problem:
                        self.problem = False
                    getattr(self, name)()
                    self.env.flush_all()
        except RIVALS:
            # Somebody else has just changed it: another run sees what is left to do.
            self.env.cr.rollback()
            self.env.ref("fleet_saas_portal.ir_cron_subscriptions")._trigger()
        except UserError as error:
            self._fail(str(error))
            return False
        except Exception as error:
            _logger.exception("Subscription %s: %s", self.id, name)
            self._fail(type(error).__name__)
            return False
        return True

    def _fail(self, problem):
        self.env.invalidate_all()
        self.problem = problem

    def _renew(self):
        """Invoice the next period when its time has come."""
        if not self.next_invoice or self.next_invoice > fields.Date.today():
            return
        if self._is_free():
            self._move_free()
        else:
            self._make_invoice()

    def _advance(self):
        """Go to the next state when the deadline has come."""
        if not self.deadline or self.deadline > fields.Date.today():
            return
        if self._is_free() and self.auto_renew:
            self._move_free()
            return
        state = NEXT[self.state]
        values = {"closed_reason": "unpaid"} if state == "closed" else {}
        self._set_state(state, self.env._("Nothing was paid in time."), **values)

    def _remind(self):
        """Tell the customer that the end is near: once for each number of days, never two at once."""
        if self._is_cancelled():
            return
        left = (self.deadline - fields.Date.today()).days if self.deadline else 0
        if left < 1 or self.state not in REMIND or (self.state == "active" and self._is_free()):
            return
        begun = self.start if self.state == "trial" else None
        due = [
            days
            for days in REMIND[self.state]
            if days >= left and (not begun or (self.deadline - begun).days > days)
        ]
        sent = self.reminders or []
        # The date is part of the key: after an extension everything is told again.
        keys = [f"{self.state}:{self.deadline}:{days}" for days in due]
        if not keys or keys[-1] in sent:
            return
        self.reminders = [*sent[-20:], *(key for key in keys if key not in sent)]
        self._send_mail(REMINDERS[self.state])
