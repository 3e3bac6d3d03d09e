from odoo import fields, models
from odoo.tools import SQL


class SaasSignup(models.Model):
    """Who signed up was let in by a proven e-mail; the next time a password is needed."""

    _inherit = "saas.signup"

    password_mailed = fields.Datetime("Asked to Choose a Password", readonly=True, copy=False)

    def _instance_ended(self, request):
        result = super()._instance_ended(request)
        for signup in self.filtered(lambda each: each.state == "done"):
            signup._mail_password_choice()
        return result

    def _mail_password_choice(self):
        """Queue Odoo's own mail by which a new portal user chooses a password, once for each user.

        It leaves with this transaction or not at all; Odoo's method would send it at once.
        """
        self.ensure_one()
        user = self.user_id.sudo()
        template = self.env.ref("auth_signup.portal_set_password_email", raise_if_not_found=False)
        if not template or not user.active or not user.email or self._has_password(user):
            return
        if self.sudo().search_count([("user_id", "=", user.id), ("password_mailed", "!=", False)]):
            return
        user.partner_id.signup_prepare()
        values = {"auto_delete": True, "saas_instance_id": self.instance_id.id}
        template.sudo().send_mail(user.id, email_values=values)
        self.password_mailed = fields.Datetime.now()

    def _has_password(self, user):
        """Tell whether the user has ever chosen one; the field itself never tells."""
        self.env.flush_all()
        query = SQL("SELECT password IS NOT NULL FROM res_users WHERE id = %s", user.id)
        return self.env.execute_query(query)[0][0]
