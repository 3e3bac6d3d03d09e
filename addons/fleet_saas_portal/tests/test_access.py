from datetime import timedelta

from freezegun import freeze_time
from psycopg2.errors import CheckViolation

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from .common import SaasCase


class ConnectCase(SaasCase):
    """A database of Acme that is ready for logins, and Acme's owner."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ann = new_test_user(
            cls.env, "ann@acme.example", "base.group_portal", email="ann@acme.example", name="Ann"
        )
        cls.bob = new_test_user(cls.env, "bob@other.example", "base.group_portal", name="Bob")
        cls.customer = cls.ann.partner_id
        cls.operator = cls.people["manager"]

    def make_ready(self, name="acme", **values):
        values = {"partner_id": self.customer.id, "admin_login": "ann@acme.example"} | values
        instance = self.make_active(name, **values)
        self.env["saas.instance"]._take_inventory(self.server, [self.hosted(name)])
        return instance

    def ask(self, instance, reason="Ticket 4711", hours=4, user=None):
        """Have an operator ask; return the access as that operator."""
        user = user or self.operator
        wizard = self.env["saas.connect.wizard"].with_user(user)
        wizard = wizard.create({"instance_id": instance.id, "reason": reason, "hours": hours})
        wizard.action_connect()
        return self.env["saas.access.request"].with_user(user).search([], limit=1)

    def later(self, **time):
        return freeze_time(fields.Datetime.now() + timedelta(**time))


@tagged("post_install", "-at_install")
class TestAccess(ConnectCase):
    def setUp(self):
        super().setUp()
        self.instance = self.make_ready()

    def mails(self):
        return self.env["mail.mail"].search([("subject", "like", "asks for access")])

    def answer_as(self, access, user, grant=True, hours=4):
        access.with_user(user).sudo()._answer(grant, hours)

    def test_the_button_asks_for_the_reason_first(self):
        action = self.instance.with_user(self.operator).action_connect()
        self.assertEqual(action["res_model"], "saas.connect.wizard")

    def test_where_nobody_is_asked_the_reason_opens_the_door_until_its_end(self):
        access = self.ask(self.instance)
        self.assertEqual((access.state, access.reason), ("granted", "Ticket 4711"))
        again = self.instance.with_user(self.operator).action_connect()
        self.assertEqual(again["url"], f"/saas/access/{access.id}")
        self.assertFalse(self.mails())
        with self.later(hours=4, minutes=1):
            again = self.instance.with_user(self.operator).action_connect()
        self.assertEqual(again["res_model"], "saas.connect.wizard")

    def test_no_reason_no_access(self):
        for reason in ("", "   ", "\n"):
            with self.subTest(reason=reason), self.assertRaisesRegex(UserError, "reason"):
                self.env["saas.access.request"].with_user(self.operator)._ask(
                    self.instance.with_user(self.operator), "admin", reason, 4
                )

    def test_only_managers_ask(self):
        for name in ("user", "outsider"):
            instance = self.instance.with_user(self.people[name])
            with self.subTest(name=name), self.assertRaises(AccessError):
                instance.action_connect()
            with self.subTest(name=name), self.assertRaises(AccessError):
                instance.env["saas.access.request"]._ask(instance, "admin", "Curious", 4)

    def test_nobody_grants_access_by_writing(self):
        self.plan.asks_approval = True
        access = self.ask(self.instance)
        for user in (self.operator, self.people["admin"]):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                access.with_user(user).write({"state": "granted"})
        with self.assertRaises(AccessError):
            self.env["saas.access.request"].with_user(self.people["admin"]).create(
                {"instance_id": self.instance.id, "user_id": 2, "login": "a", "reason": "b"}
            )

    def test_where_the_plan_asks_for_it_the_customer_is_mailed_and_nobody_comes_in(self):
        self.plan.asks_approval = True
        access = self.ask(self.instance)
        self.assertEqual((access.state, access.until), ("asked", False))
        mail = self.mails()
        self.assertEqual(mail.recipient_ids, self.customer)
        self.assertIn("Ticket 4711", mail.body_html)
        self.assertIn(f"/my/databases/access/{access.id}", mail.body_html)
        again = self.instance.with_user(self.operator).action_connect()
        self.assertEqual(again["res_model"], "saas.connect.wizard")

    def test_a_customer_without_address_cannot_be_asked(self):
        self.plan.asks_approval = True
        self.customer.email = False
        with self.assertRaisesRegex(UserError, "no e-mail"):
            self.ask(self.instance)

    def test_the_customer_chooses_a_shorter_time_and_no_longer_one(self):
        self.plan.asks_approval = True
        for wanted, hours in ((1, 1), (4, 4), (400, 4), (-7, 1)):
            access = self.ask(self.instance)
            with freeze_time(fields.Datetime.now()):
                self.answer_as(access, self.ann, hours=wanted)
                self.assertEqual(access.until, fields.Datetime.now() + timedelta(hours=hours))
        self.assertEqual((access.state, access.answered_by_id), ("granted", self.ann))

    def test_who_has_agreed_is_told_to_the_operator(self):
        self.plan.asks_approval = True
        self.answer_as(self.ask(self.instance), self.ann)
        told = self.env["mail.message"].search([("subject", "=", "Access to acme")])
        self.assertEqual(told.partner_ids, self.operator.partner_id)

    def test_neither_strangers_nor_the_hoster_agree_for_the_customer(self):
        self.plan.asks_approval = True
        access = self.ask(self.instance)
        self.env["saas.member"].create(
            {
                "partner_id": self.customer.id,
                "user_id": self.operator.id,
                "role": "owner",
            }
        )
        for user in (self.bob, self.operator, self.people["admin"]):
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                self.answer_as(access, user)
            with self.subTest(user=user.login), self.assertRaises(AccessError):
                access.with_user(user).sudo()._end_by_customer()
        self.assertEqual(access.state, "asked")

    def test_an_answer_is_given_once(self):
        self.plan.asks_approval = True
        access = self.ask(self.instance)
        self.answer_as(access, self.ann, grant=False)
        self.assertEqual(access.state, "refused")
        with self.assertRaises(UserError):
            self.answer_as(access, self.ann)
        self.assertEqual(access.state, "refused")

    def test_what_was_asked_long_ago_is_granted_no_more(self):
        self.plan.asks_approval = True
        access = self.ask(self.instance)
        with self.later(days=8):
            self.answer_as(access, self.ann)
        self.assertEqual(access.state, "over")

    def test_a_plan_that_asks_now_closes_what_was_open_without_asking(self):
        access = self.ask(self.instance)
        self.assertTrue(access.sudo()._is_usable())
        self.plan.asks_approval = True
        self.assertFalse(access.sudo()._is_usable())

    def test_customer_and_operator_end_it_early(self):
        access = self.ask(self.instance)
        access.with_user(self.ann).sudo()._end_by_customer()
        self.assertEqual(access.state, "over")
        access = self.ask(self.instance)
        access.action_end()
        self.assertFalse(access.sudo()._is_usable())

    def test_what_has_ended_by_itself_is_marked(self):
        granted = self.ask(self.instance)
        self.plan.asks_approval = True
        asked = self.ask(self.instance)
        self.env["saas.access.request"]._cron_over()
        self.assertEqual((granted.state, asked.state), ("granted", "asked"))
        with self.later(days=8):
            self.env["saas.access.request"]._cron_over()
        self.assertEqual((granted.state, asked.state), ("over", "over"))

    @mute_logger("odoo.sql_db")
    def test_nobody_asks_for_weeks(self):
        with self.assertRaises(CheckViolation), self.env.cr.savepoint():
            self.ask(self.instance, hours=1000)

    def test_an_access_opens_one_database_for_one_operator(self):
        self.ask(self.instance)
        other = self.make_ready("other")
        usable = self.env["saas.access.request"].with_user(self.operator)._get_usable(other)
        self.assertFalse(usable)
        colleague = self.people["admin"]
        usable = self.env["saas.access.request"].with_user(colleague)._get_usable(self.instance)
        self.assertFalse(usable)

    def test_other_companies_see_nothing_of_it(self):
        access = self.ask(self.instance)
        company = self.env["res.company"].create({"name": "Other"})
        stranger = new_test_user(
            self.env,
            "saas_stranger",
            "fleet_saas_portal.group_saas_manager",
            company_id=company.id,
            company_ids=[fields.Command.set(company.ids)],
        )
        self.instance.sudo()._issue_ticket(self.ann, "ann")
        for model in ("saas.access.request", "saas.access.log"):
            self.assertTrue(self.env[model].with_user(self.operator).search([]))
            self.assertFalse(self.env[model].with_user(stranger).search([]))
        with self.assertRaises(AccessError):
            access.with_user(stranger).read(["reason"])

    def test_the_lines_are_nobodys_to_change(self):
        self.instance.sudo()._issue_ticket(self.ann, "ann")
        line = self.instance.access_log_ids.with_user(self.people["admin"])
        with self.assertRaises(AccessError):
            line.write({"user_name": "Nobody"})
        with self.assertRaises(AccessError):
            line.unlink()
