import re

from odoo.tools import html2plaintext

from .common import SaasCase

VALUES = {
    "name": "acme",
    "email": "ann@example.com",
    "contact_name": "Ann",
    "company_name": "Acme Ltd",
    "lang": "en_US",
}


class SignupCase(SaasCase):
    """Visitors who sign up for the plan ``small``; their mails are caught before they leave."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.Signup = cls.env["saas.signup"]

    def begin(self, **values):
        values = {**VALUES, "template_id": self.template.id, **values}
        return self.Signup._begin(self.plan, values, "203.0.113.7")

    def mails(self, email=VALUES["email"]):
        return self.env["mail.mail"].search([("email_to", "=", email)], order="id DESC")

    def mail_of(self, email=VALUES["email"]):
        """Return token and code of the last mail to ``email``."""
        body = self.mails(email)[0].body_html
        token = re.search(r"/start/confirm/([\w-]+)", body).group(1)
        return token, re.search(r"\b(\d{6})\b", html2plaintext(body)).group(1)

    def proven(self, **values):
        signup = self.begin(**values)
        signup._prove()
        return signup

    @property
    def nobody(self):
        return self.env.ref("base.public_user")
