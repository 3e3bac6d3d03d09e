from datetime import timedelta

from cryptography.fernet import Fernet, InvalidToken

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import NO_ACCESS
from odoo.tools import email_normalize

# A link makes the one before useless, and the mail has to arrive first.
AT_MOST_EVERY = timedelta(minutes=10)


class SaasInstance(models.Model):
    """A link by which the administrator of a database chooses a password, sent by mail.

    The server encrypts it with a key of this portal's that lives as long as the operation. Nobody
    reads the link here: it is in no message, no log and no operation.
    """

    _inherit = "saas.instance"
    _fleet_encrypted = {"link_key": ()}

    link_key = fields.Char(copy=False, groups=NO_ACCESS, export_string_translation=False)
    link_asked = fields.Datetime(readonly=True, copy=False, groups=NO_ACCESS)
    link_email = fields.Char("Password Links Go To", compute="_compute_link_email")

    @api.depends("admin_login", "partner_id.email")
    def _compute_link_email(self):
        for instance in self:
            login = email_normalize(instance.admin_login or "")
            instance.link_email = login or email_normalize(instance.partner_id.email or "")

    def action_send_password_link(self):
        """Have the administrator get a link to choose a password."""
        self.check_access("write")
        for instance in self:
            instance._check_link_address()
            instance._send_password_link()

    def _check_link_address(self):
        """Refuse an operator an address that is not the customer's, without access to the database.

        Whoever gets the link logs in as administrator.
        """
        if not self.link_email or self.link_email in self.sudo()._get_customer_addresses():
            return
        if self.env["saas.access.request"]._get_usable(self):
            return
        raise UserError(
            self.env._(
                "%(email)s is neither the customer's address nor that of an owner. Press Connect "
                "and give a reason first, or send the link to the customer.",
                email=self.link_email,
            )
        )

    def _get_customer_addresses(self):
        """Return the addresses that are known to be the customer's; needs sudo."""
        self.ensure_one()
        customer = self.partner_id | self.partner_id.commercial_partner_id
        owners = self._get_people().filtered(lambda member: member.role == "owner")
        people = (customer.user_ids | owners.user_id).filtered(
            lambda user: not self._is_staff(user)
        )
        addresses = people.mapped("login")
        if not self.asks_approval:
            # Any operator may write the e-mail of a contact. To make it a login is a step more
            # (*Grant Portal Access*), that leaves a user: see the readme.
            addresses += customer.mapped("email")
        return {email_normalize(email or "") for email in addresses} - {False}

    def _send_password_link(self):
        """Ask the server for the link; it is mailed when it comes.

        :raises UserError: there is no address, or one was asked for a moment ago
        """
        self.ensure_one()
        now, instance = fields.Datetime.now(), self.sudo()
        if not instance.link_email:
            raise UserError(
                self.env._(
                    "%s has neither an administrator nor a customer with an e-mail.", self.name
                )
            )
        if instance.link_asked and instance.link_asked > now - AT_MOST_EVERY:
            raise UserError(
                self.env._("A link was sent a moment ago; wait ten minutes before the next one.")
            )
        key = Fernet.generate_key().decode()
        request = self._begin("administrator", {"link": True})
        request._keep_secrets({"link_key": key})
        vault = self.env["project.project"]._get_vault()
        instance.write({"link_key": vault.encrypt(key), "link_asked": now})

    def _request_ended(self, request):
        result = super()._request_ended(request)
        asked = request.kind == "administrator" and (request.sudo().arguments or {}).get("link")
        if asked:
            if request.state == "done":
                self._mail_password_link(request._get_evidence("link", "link"))
            else:
                self.sudo().link_asked = False
            self.sudo().link_key = False
        return result

    def _mail_password_link(self, encrypted):
        """Decrypt the link and mail it; what is wrong with it is said in the chatter."""
        self.ensure_one()
        instance = self.sudo()
        try:
            key = self.env["project.project"]._get_vault().decrypt(instance.link_key)
            link = Fernet(key).decrypt((encrypted or "").encode()).decode()
        except (InvalidToken, ValueError):
            link = ""
        if not link.startswith(("https://", "http://")) or not instance.link_email:
            self.message_post(body=self.env._("The server sent no link that can be used."))
            return
        instance._prepare_password_mail(link)
        self.message_post(
            body=self.env._("A link to choose a password was sent to %s.", instance.link_email)
        )

    def _prepare_password_mail(self, link):
        """Queue the mail: of no record, so that it is in nobody's chatter, and removed once sent."""
        lang = self.partner_id.lang or self.env.lang
        instance = self.with_context(lang=lang)
        body = self.env["ir.qweb"]._render(
            "fleet_saas_portal.mail_password_link",
            {"instance": instance, "link": link, "company": instance.company_id},
            lang=lang,
        )
        mail = self.env["mail.mail"].sudo()
        mail.create(
            {
                "subject": instance.env._("Choose a password for %s", instance.name),
                "body_html": body,
                "email_to": self.link_email,
                "email_from": self.company_id.email_formatted or self.env.user.email_formatted,
                "auto_delete": True,
                "saas_instance_id": self.id,
            }
        )
        self.env.ref("mail.ir_cron_mail_scheduler_action").sudo()._trigger()
