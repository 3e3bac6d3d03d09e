import os
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import TransactionCase, tagged

from .. import settings

GIVEN = {
    "FLEET_SMTP_HOST": "mail.example.com",
    "FLEET_SMTP_PORT": "587",
    "FLEET_SMTP_USER": "customers",
    "FLEET_SMTP_PASSWORD": "smtp-secret",
    "FLEET_SMTP_ENCRYPTION": "starttls_strict",
}


@tagged("post_install", "-at_install")
class TestMailServer(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        template = cls.env["saas.database.template"].create({"name": "Mail", "code": "mail-test"})
        cls.env["saas.database.template.version"].create(
            {
                "template_id": template.id,
                "number": 1,
                "physical": "fleet_t_mailtest_" + "0" * 32,
                "state": "published",
            }
        )

    def submit(self, name, **arguments):
        arguments["template"] = "mail-test"
        return self.env["saas.operation"]._submit("create", name, arguments)

    def test_a_database_that_goes_live_gets_the_host_s_mail_server(self):
        with patch.dict(os.environ, GIVEN):
            operation = self.submit("mail-live")
            secrets = self.env["saas.database"]._get_operation_secrets(operation)
        self.assertEqual(
            operation.request["mail"],
            {
                "host": "mail.example.com",
                "port": 587,
                "user": "customers",
                "encryption": "starttls_strict",
            },
        )
        self.assertEqual(secrets["smtp_password"], "smtp-secret")
        self.assertNotIn("smtp-secret", str(operation.read()))

    def test_one_that_stays_neutralised_gets_none(self):
        with patch.dict(os.environ, GIVEN):
            for name, arguments in (
                ("mail-inert", {"activate": False}),
                ("mail-staging", {"purpose": "staging"}),
            ):
                self.assertNotIn("mail", self.submit(name, **arguments).request)

    def test_a_host_without_a_mail_server_gives_none(self):
        with patch.dict(os.environ, {"FLEET_SMTP_HOST": ""}):
            self.assertIsNone(settings.mail_server())
            self.assertIsNone(self.submit("mail-none").request["mail"])

    def test_options_that_describe_no_mail_server_refuse_in_words(self):
        for name, value in (("PORT", "many"), ("PORT", "70000"), ("ENCRYPTION", "secret")):
            with patch.dict(os.environ, GIVEN | {f"FLEET_SMTP_{name}": value}):
                with self.assertRaisesRegex(UserError, "fleet_smtp_"):
                    self.submit(f"mail-{value}")
