from datetime import timedelta

from cryptography.fernet import Fernet
from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from ..models.saas_instance_password import AT_MOST_EVERY
from .customer import CustomerCase

LINK = "https://acme.example.com/web/reset_password?token=secret-of-acme"


@tagged("post_install", "-at_install")
class TestPassword(CustomerCase):
    """The link by which an administrator chooses a password is mailed, and is nowhere else."""

    def setUp(self):
        super().setUp()
        self.acme.admin_login = self.partner.email = "ann@acme.example"

    def send(self):
        self.acme.with_user(self.people["manager"]).action_send_password_link()
        return self.acme.request_id

    def key(self, request):
        """Return the key that the server gets."""
        [wanted] = [
            each
            for each in request._prepare_exchange(self.server, request)[2]
            if each.key == request.key
        ]
        return wanted.arguments["link_key"]

    def end(self, request, link=LINK, key=None):
        encrypted = Fernet(key or self.key(request)).encrypt(link.encode()).decode()
        self.answer(request, "done", steps=[("link", {"link": encrypted})])

    def mails(self):
        return self.env["mail.mail"].search([("subject", "like", "Choose a password for")])

    def test_it_goes_to_the_administrator_and_is_kept_nowhere(self):
        request = self.send()
        self.assertEqual((request.kind, request.arguments), ("administrator", {"link": True}))
        self.end(request)
        mail = self.mails()
        self.assertEqual(mail.email_to, "ann@acme.example")
        self.assertIn(LINK, mail.body_html)
        self.assertTrue(mail.auto_delete)
        self.assertFalse(mail.model or mail.res_id, "it is in nobody's chatter")
        said = "".join(self.acme.message_ids.mapped("body"))
        self.assertIn("was sent to ann@acme.example", said)
        self.assertNotIn("secret-of-acme", said + str(request.steps))
        self.assertFalse(self.acme.sudo().link_key or request.sudo().secrets)

    def test_without_an_address_as_login_it_goes_to_the_customer(self):
        self.acme.admin_login = "admin"
        self.partner.email = "Acme <office@acme.example>"
        self.assertEqual(self.acme.link_email, "office@acme.example")
        self.partner.email = False
        with self.assertRaisesRegex(UserError, "neither an administrator"):
            self.send()
        self.assertFalse(self.acme.request_id)

    def test_an_operator_sends_it_to_the_customers_addresses_only(self):
        self.acme.admin_login = "somebody@else.example"
        with self.assertRaisesRegex(UserError, "neither the customer's address"):
            self.send()
        self.env["saas.access.request"].with_user(self.people["manager"])._ask(
            self.acme, "admin", "The owner has left", 1
        )
        self.assertEqual(self.send().kind, "administrator")

    def test_a_link_that_cannot_be_read_is_not_sent(self):
        for link, key in ((LINK, Fernet.generate_key()), ("javascript:alert(1)", None)):
            request = self.send()
            self.end(request, link, key)
            self.assertFalse(self.mails())
            self.assertIn("no link that can be used", self.acme.message_ids[0].body)
            self.acme.sudo().link_asked = False

    def test_not_twice_in_ten_minutes_unless_it_failed(self):
        self.end(self.send())
        with self.assertRaisesRegex(UserError, "a moment ago"):
            self.send()
        with freeze_time(fields.Datetime.now() + AT_MOST_EVERY + timedelta(seconds=1)):
            request = self.send()
            self.answer(request, "failed", error="It lacks the module auth_signup.")
            self.assertIn("auth_signup", self.acme.problem)
            self.assertTrue(self.send())

    def test_users_do_not_send_it_and_nobody_reads_the_key(self):
        with self.assertRaises(AccessError):
            self.acme.with_user(self.people["user"]).action_send_password_link()
        self.send()
        with self.assertRaises(AccessError):
            self.acme.with_user(self.people["admin"]).read(["link_key"])
