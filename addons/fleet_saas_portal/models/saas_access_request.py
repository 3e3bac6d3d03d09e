from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

# Every state and the states it may go to.
TRANSITIONS = {
    "asked": ("granted", "refused", "over"),
    "granted": ("over",),
    "refused": (),
    "over": (),
}
MAX_REASON = 500
ANSWER_WITHIN = timedelta(days=7)


class SaasAccessRequest(models.Model):
    """An operator's entry into a customer's database: why, until when, and who has agreed."""

    _name = "saas.access.request"
    _description = "Operator's Access"
    _inherit = ["mail.thread"]
    _order = "id DESC"
    _rec_name = "reason"

    instance_id = fields.Many2one(
        "saas.instance", required=True, readonly=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="instance_id.company_id", store=True, index=True)
    partner_id = fields.Many2one(related="instance_id.partner_id", string="Customer")
    user_id = fields.Many2one(
        "res.users", "Operator", required=True, readonly=True, index=True, ondelete="restrict"
    )
    login = fields.Char("Goes In As", required=True, readonly=True)
    reason = fields.Char(required=True, readonly=True)
    hours = fields.Integer("For (Hours)", required=True, readonly=True)
    state = fields.Selection(
        [("asked", "Asked"), ("granted", "Granted"), ("refused", "Refused"), ("over", "Over")],
        required=True,
        readonly=True,
        default="asked",
        index=True,
        tracking=True,
        copy=False,
    )
    until = fields.Datetime(readonly=True, copy=False, tracking=True)
    answered_by_id = fields.Many2one("res.users", readonly=True, copy=False)
    answered = fields.Datetime("Answered On", readonly=True, copy=False)
    log_ids = fields.One2many("saas.access.log", "access_id", "Logins", readonly=True)

    _hours = models.Constraint(
        "CHECK (hours BETWEEN 1 AND 72)",
        "An operator comes into a database for 1 to 72 hours.",
    )

    def _set_state(self, state, **values):
        """Change the state along `TRANSITIONS`, and write ``values`` with it."""
        self.ensure_one()
        if state not in TRANSITIONS[self.state]:
            raise UserError(
                self.env._("This was answered already, or it is over. Ask for access again.")
            )
        self.sudo().write({"state": state, **values})

    # --- the operator

    @api.model
    def _ask(self, instance, login, reason, hours):
        """Record that the current user wants to enter; where the plan asks for it, ask the customer.

        :return: the request, granted at once where nobody is asked
        """
        instance._check_operator()
        reason = " ".join((reason or "").split())
        if not reason:
            raise UserError(self.env._("Give the reason; the customer reads it."))
        access = self.sudo().create(
            {
                "instance_id": instance.id,
                "user_id": self.env.uid,
                "login": login,
                "reason": reason[:MAX_REASON],
                "hours": hours,
            }
        )
        if instance.asks_approval:
            access._send_question()
        else:
            access._set_state("granted", until=access._get_end(hours))
        return access.sudo(False)

    @api.model
    def _get_usable(self, instance):
        """Return the access that the current user has to ``instance`` now, if any."""
        found = self.sudo().search(
            [
                ("instance_id", "=", instance.id),
                ("user_id", "=", self.env.uid),
                ("state", "=", "granted"),
            ]
        )
        return found.filtered(lambda access: access._is_usable())[:1].sudo(False)

    def _is_usable(self):
        """Tell whether it lets the operator in now; needs sudo."""
        self.ensure_one()
        if self.state != "granted" or self.until <= fields.Datetime.now():
            return False
        # The plan may have changed since: what nobody has agreed to is asked then.
        return bool(self.answered_by_id) or not self.instance_id.asks_approval

    def _get_end(self, hours):
        return fields.Datetime.now() + timedelta(hours=hours)

    def action_connect(self):
        """Go into the database."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_url",
            "url": f"/saas/access/{self.id}",
            "target": "new",
        }

    def action_end(self):
        """End the access now."""
        for access in self:
            access.instance_id._check_operator()
            access._set_state("over", until=fields.Datetime.now())

    # --- the customer

    def _send_question(self):
        """Mail the people who may agree a link to the page where they do."""
        self.ensure_one()
        template = self.env.ref("fleet_saas_portal.mail_template_access").sudo()
        approvers = self._get_approvers()
        if not approvers:
            raise UserError(
                self.env._(
                    "Nobody can agree: the customer of %s has no e-mail address.",
                    self.instance_id.name,
                )
            )
        for partner in approvers:
            template.with_context(lang=partner.lang).send_mail(
                self.id, email_values={"recipient_ids": [fields.Command.link(partner.id)]}
            )
        self.env.ref("mail.ir_cron_mail_scheduler_action").sudo()._trigger()

    def _get_approvers(self):
        """Return the contacts who are asked: those who may answer, else the customer as such."""
        self.ensure_one()
        instance = self.instance_id
        customer = instance.partner_id.commercial_partner_id
        members = instance._get_people().filtered(lambda member: member.role == "owner")
        return (members.user_id.partner_id | customer).filtered("email")

    def _answer(self, grant, hours):
        """Write the current user's answer.

        :param hours: for how long; never longer than was asked
        :raises AccessError: the answer is not this user's to give
        """
        self.ensure_one()
        self.instance_id._check_approver()
        values = {"answered_by_id": self.env.uid, "answered": fields.Datetime.now()}
        if self.state == "asked" and self._is_late():
            self._set_state("over")
        elif grant:
            end = self._get_end(min(max(hours, 1), self.hours))
            self._set_state("granted", until=end, **values)
        else:
            self._set_state("refused", **values)
        self.sudo()._tell_operator()

    def _tell_operator(self):
        label = dict(self._fields["state"]._description_selection(self.env))[self.state]
        self.message_notify(
            partner_ids=self.user_id.partner_id.ids,
            subject=self.env._("Access to %s", self.instance_id.name),
            body=self.env._(
                "%(state)s: your access to %(name)s for “%(reason)s”.",
                state=label,
                name=self.instance_id.name,
                reason=self.reason,
            ),
        )

    def _end_by_customer(self):
        """Have the operator come in no more."""
        self.ensure_one()
        self.instance_id._check_approver()
        self._set_state("over", until=fields.Datetime.now())

    # --- time

    def _is_late(self):
        return self.create_date < fields.Datetime.now() - ANSWER_WITHIN

    @api.model
    def _cron_over(self):
        """Note what has ended by itself; what decides at the door is the clock."""
        now = fields.Datetime.now()
        ended = self.search([("state", "=", "granted"), ("until", "<=", now)])
        late = self.search([("state", "=", "asked"), ("create_date", "<", now - ANSWER_WITHIN)])
        for access in ended | late:
            access._set_state("over")

    @api.ondelete(at_uninstall=False)
    def _unlink_except_used(self):
        for access in self:
            if access.sudo().log_ids:
                raise AccessError(self.env._("What an operator did stays on record."))
