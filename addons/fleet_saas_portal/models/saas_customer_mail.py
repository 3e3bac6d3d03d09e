from odoo import models


class SaasCustomerMail(models.AbstractModel):
    """A record with a customer (``partner_id``) who is written to by mail templates."""

    _name = "saas.customer.mail"
    _description = "Writes to Customers"

    def _send_mail(self, template):
        """Queue the mail in this transaction, to leave at its end: with what it tells, or not at all.

        :param str template: name of a template of this addon
        """
        self.ensure_one()
        found = self.env.ref(f"fleet_saas_portal.{template}", raise_if_not_found=False)
        if found and self.partner_id.email:
            found.sudo().send_mail(self.id, email_layout_xmlid="mail.mail_notification_light")
            # By itself the queue is sent once an hour.
            self.env.ref("mail.ir_cron_mail_scheduler_action").sudo()._trigger()
