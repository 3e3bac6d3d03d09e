from odoo import Command
from odoo.exceptions import UserError
from odoo.tests import tagged

from .test_access import ConnectCase


@tagged("post_install", "-at_install")
class TestApprovalKept(ConnectCase):
    """Where the customer is asked first, no way around leads into what the database holds."""

    def setUp(self):
        super().setUp()
        self.plan.asks_approval = True
        self.instance = self.make_ready()

    def test_a_copy_holds_the_same_so_its_customer_is_asked_too(self):
        copy = self.instance._copy_database("acme-test")
        self.answer(copy.request_id, "done")
        second = copy._copy_database("acme-test-two")
        for each in (copy, second):
            with self.subTest(name=each.name):
                self.assertTrue(each.with_user(self.operator).asks_approval)
                self.assertEqual(self.ask(each).state, "asked")
        wizard = self.env["saas.connect.wizard"].with_user(self.operator)
        self.assertTrue(wizard.new({"instance_id": copy.id}).asks_approval)

    def test_access_that_nobody_has_agreed_to_ends_where_the_original_asks_now(self):
        self.plan.asks_approval = False
        copy = self.instance._copy_database("acme-test")
        access = self.ask(copy)
        self.assertTrue(access.sudo()._is_usable())
        self.plan.asks_approval = True
        self.assertFalse(access.sudo()._is_usable())

    def test_an_operator_who_writes_the_customers_mail_gets_no_password_link(self):
        mine = "operator@provider.example"
        self.customer.email = mine
        as_operator = self.instance.with_user(self.operator)
        as_operator.admin_login = mine
        with self.assertRaisesRegex(UserError, "neither the customer's address"):
            as_operator.action_send_password_link()
        as_operator.admin_login = self.ann.login
        as_operator.action_send_password_link()
        self.assertEqual(self.instance.request_id.kind, "administrator")

    def test_a_colleague_among_the_customers_contacts_is_no_customer(self):
        colleague = self.people["user"]
        colleague.login = "colleague@provider.example"
        self.customer.write({"user_ids": [Command.link(colleague.id)]})
        as_operator = self.instance.with_user(self.operator)
        as_operator.admin_login = colleague.login
        with self.assertRaisesRegex(UserError, "neither the customer's address"):
            as_operator.action_send_password_link()
