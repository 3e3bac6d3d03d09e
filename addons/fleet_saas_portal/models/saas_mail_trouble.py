import logging

from odoo import api, fields, models
from odoo.fields import NO_ACCESS

_logger = logging.getLogger(__name__)

# What a mail of this addon is about, and the field by which its instance or plan is found.
ABOUT = {
    "saas.instance": None,
    "saas.subscription": "instance_id",
    "saas.domain": "instance_id",
    "saas.access.request": "instance_id",
    "saas.member": "instance_id",
    "saas.signup": "plan_id",
}


class MailMail(models.Model):
    """A mail to a customer that cannot be sent is somebody's task; by itself only its queue knows."""

    _inherit = "mail.mail"

    # Of a mail that must be in no chatter, for it leads to a password.
    saas_instance_id = fields.Many2one(
        "saas.instance",
        index="btree_not_null",
        groups=NO_ACCESS,
        export_string_translation=False,
    )

    def _postprocess_sent_message(
        self, success_pids, success_emails, failure_reason=False, failure_type=None
    ):
        if failure_type:
            for mail in self.sudo():
                if not mail.is_notification:
                    mail._tell_saas_staff(failure_reason or mail.failure_reason)
        return super()._postprocess_sent_message(
            success_pids,
            success_emails,
            failure_reason=failure_reason,
            failure_type=failure_type,
        )

    def _find_saas_record(self):
        """Return the instance or plan that this mail is about, empty when it is none of ours."""
        Instance = self.env["saas.instance"]
        if self.saas_instance_id or self.model not in ABOUT:
            return self.saas_instance_id
        record = self.env[self.model].browse(self.res_id).exists()
        path = ABOUT[self.model]
        about = record[path] if record and path else record
        if record._name == "saas.member" and record and not about:
            # Of all that a customer has, any.
            return Instance.search([("partner_id", "child_of", record.partner_id.id)], limit=1)
        return about

    def _tell_saas_staff(self, reason):
        """Make it the task of who is responsible for the instance, or for what visitors order."""
        self.ensure_one()
        about = self._find_saas_record()
        if not about:
            return
        to = self.email_to or ", ".join(self.recipient_ids.mapped("email_formatted"))
        staff = self.env["saas.instance"]._get_staff(about)
        told = self.with_context(lang=staff.lang)
        self.env["saas.instance"]._make_task(
            about,
            staff,
            told.env._("E-mails to customers are not sent"),
            told.env._(
                "“%(subject)s” to %(email)s: %(reason)s Put it right, then send it again under "
                "Settings → Technical → Emails.",
                subject=self.subject or "",
                email=to or told.env._("nobody"),
                reason=reason or "",
            ),
        )


class SaasInstance(models.Model):
    _inherit = "saas.instance"

    @api.model
    def _get_staff(self, record):
        """Return who of the hoster looks at ``record``, an instance or a plan."""
        if record._name == self._name:
            return record.sudo()._get_responsible()
        return self._find_manager(record.sudo().company_id)

    @api.model
    def _make_task(self, record, staff, summary, note):
        """Have ``staff`` look at ``record``, once for each ``summary``.

        Nobody is written to about it: that mail might be the next one that fails.
        """
        record = record.sudo().with_context(mail_activity_quick_update=True)
        if not staff:
            _logger.warning("%s: there is nobody to tell: %s", record.display_name, summary)
        elif summary not in record.activity_ids.mapped("summary"):
            record.activity_schedule(
                "mail.mail_activity_data_todo", user_id=staff.id, summary=summary, note=note
            )


class SaasSignup(models.Model):
    _inherit = "saas.signup"

    def _set_state(self, state, **values):
        result = super()._set_state(state, **values)
        # With advice it is the visitor who can do something about it.
        if state == "failed" and not values.get("advice"):
            self._call_staff()
        return result

    def _call_staff(self):
        """Visitors are told that somebody sees what went wrong."""
        self.ensure_one()
        about = self.instance_id or self.plan_id
        staff = self.env["saas.instance"]._get_staff(about)
        # Who is logged in is the visitor.
        told = self.with_context(lang=staff.lang)
        self.env["saas.instance"]._make_task(
            about,
            staff,
            told.env._("A sign-up has failed"),
            told.env._(
                "%(contact)s (%(email)s) asked for %(name)s: %(problem)s",
                contact=self.contact_name,
                email=self.email,
                name=self.name,
                problem=self.problem or "",
            ),
        )


class SaasPlan(models.Model):
    """Whether those who sign up for a plan get a mail that anybody will take."""

    _inherit = "saas.plan"

    mail_problem = fields.Char(compute="_compute_mail_problem")

    @api.depends("is_public", "company_id.email")
    @api.depends_context("lang")
    def _compute_mail_problem(self):
        for plan in self:
            plan.mail_problem = (
                plan.is_public
                and not plan._has_sender()
                and self.env._(
                    "The company %s has no e-mail address, so nobody can sign up: the mail that "
                    "confirms it has no sender. Enter one in Settings → Companies.",
                    plan.company_id.name,
                )
            )

    def _has_sender(self):
        """Tell whether mails to customers have a sender; needs sudo only for the default one."""
        self.ensure_one()
        company = self.company_id.sudo()
        servers = self.env["ir.mail_server"].sudo().with_company(company)
        return bool(company.email or servers._get_default_from_address())
