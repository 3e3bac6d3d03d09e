from datetime import date, datetime, timedelta

from freezegun import freeze_time

from odoo.tests import HttpCase, new_test_user, tagged

from .common import UPGRADE, SaasCase

NOW = datetime(2026, 3, 10, 12)


@tagged("post_install", "-at_install")
class TestBanner(SaasCase, HttpCase):
    """People are told what concerns them, and only that."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.env.ref("base.user_admin")
        cls.employee = new_test_user(cls.env, "employee", groups="base.group_user")

    def notices(self, user=None):
        client = self.client.with_user(user or self.employee)
        with freeze_time(NOW):
            return client._get_banner()["notices"]

    def only(self, user=None):
        [notice] = self.notices(user)
        return notice

    def trial(self, days):
        self.sign(state="trial", ends=str(NOW.date() + timedelta(days=days)))
        return self.only()

    def test_an_active_plan_has_no_banner(self):
        self.sign(limits={"users": 1000, "storage_mb": 100_000})
        self.assertEqual(self.notices(self.admin), [])

    def test_a_trial_says_how_long_it_lasts(self):
        # A plan with 15 days begun today has its last day in 14 days.
        self.assertEqual(self.trial(14)["text"], "Your trial has 15 days left, today included.")
        self.assertEqual(self.trial(1)["text"], "Your trial has 2 days left, today included.")
        self.assertEqual(self.trial(0)["text"], "Today is the last day of your trial.")
        self.assertEqual(self.trial(-1)["text"], "Your trial has ended.")

    def test_a_trial_is_put_out_of_sight_for_a_day_until_it_presses(self):
        far, next_day, near = self.trial(9), self.trial(8), self.trial(3)
        self.assertTrue(far["dismissible"] and next_day["dismissible"])
        self.assertNotEqual(far["id"], next_day["id"])
        self.assertFalse(near["dismissible"])
        self.assertEqual((far["level"], near["level"]), ("info", "warning"))
        self.assertEqual((far["link"], far["link_text"]), (UPGRADE, "Choose a plan"))

    def test_a_grace_period_cannot_be_put_out_of_sight(self):
        self.sign(state="grace", ends="2026-03-20")
        notice = self.only()
        self.assertIn("03/20/2026", notice["text"])
        self.assertFalse(notice["dismissible"])
        self.assertEqual(notice["level"], "danger")

    def test_signed_notices_are_shown_in_their_time_in_their_order(self):
        self.sign(
            notices=[
                {"id": "1", "kind": "news", "text": "<b>New</b>", "start": "2026-03-01"},
                {
                    "id": "2",
                    "kind": "maintenance",
                    "text": "Tonight",
                    "end": "2026-03-10T22:00:00Z",
                },
                {"id": "3", "kind": "news", "text": "over", "end": "2026-03-10T12:00:00Z"},
                {"id": "4", "kind": "news", "text": "later", "start": "2026-03-10T13:00:00+00:00"},
                {"id": "5", "kind": "news", "text": "now", "start": "2026-03-10T13:00:00+01:00"},
                {"id": "6", "kind": "warning", "text": "", "link": "https://x.example"},
                {"id": "7", "kind": "warning", "text": "w", "link": "javascript:alert(1)"},
                {"id": "8", "kind": "warning", "text": "w", "start": "soon"},
                "nonsense",
            ]
        )
        found = self.notices()
        self.assertEqual(
            [notice["id"] for notice in found], ["notice-1", "notice-2", "notice-5", "notice-7"]
        )
        self.assertEqual([notice["dismissible"] for notice in found], [True, False, True, False])
        self.assertEqual(
            [notice["level"] for notice in found], ["info", "warning", "info", "danger"]
        )
        self.assertEqual(found[3]["link"], "")

    def test_the_soft_limits_are_told_to_administrators(self):
        used = self.env["ir.attachment"]._get_used_bytes() >> 20
        limits = {
            "users": self.count() + 1,
            "users_soft": self.count(),
            "storage_mb": used + 10,
            "storage_soft_mb": used - 1,
        }
        self.sign(limits=limits)
        self.assertEqual(self.notices(), [])
        users, storage = self.notices(self.admin)
        self.assertIn(f"{self.count()} of the {self.count() + 1} users", users["text"])
        self.assertIn(f"of the {used + 10} MB", storage["text"])
        self.assertTrue(users["dismissible"] and storage["dismissible"])
        self.sign(limits={"users": 1, "storage_mb": 1})
        users, storage = self.notices(self.admin)
        self.assertFalse(users["dismissible"] or storage["dismissible"])
        self.assertIn("No more files", storage["text"])

    def test_a_document_that_cannot_be_verified_is_told_to_administrators(self):
        self.store("broken")
        self.assertEqual(self.notices(), [])
        self.assertIn("cannot be verified", self.only(self.admin)["text"])

    def test_the_web_client_gets_it_and_asks_again(self):
        self.sign(state="trial", ends=str(date.today() + timedelta(days=20)))
        self.authenticate("employee", "employee")
        info = self.make_jsonrpc_request("/web/session/get_session_info", {})
        self.assertEqual(info["fleet_saas"], self.make_jsonrpc_request("/fleet/notices", {}))
        self.assertIn("21 days", info["fleet_saas"]["notices"][0]["text"])

    def test_portal_users_get_none(self):
        self.sign(state="trial", ends=str(date.today()))
        new_test_user(self.env, "customer", groups="base.group_portal")
        self.authenticate("customer", "customer")
        self.assertEqual(self.make_jsonrpc_request("/fleet/notices", {}), {"notices": []})

    def test_a_notice_is_posted_once_to_the_whole_company(self):
        channel = self.env.ref("mail.channel_all_employees")
        notice = {
            "id": "n1",
            "kind": "news",
            "text": "Version <b>20</b> is here",
            "link": "https://x.example/?a=1&b=2",
            "link_text": "What is new",
            "post": True,
        }
        quiet = {"id": "n2", "kind": "news", "text": "quiet"}
        later = {"id": "n3", "kind": "news", "text": "later", "post": True, "start": "2999-01-01"}
        self.sign(notices=[notice, quiet, later])
        before = channel.message_ids
        for _turn in range(2):
            self.env.ref("fleet_saas_client.ir_cron_post_notices").method_direct_trigger()
        [message] = channel.message_ids - before
        self.assertIn("Version &lt;b&gt;20&lt;/b&gt; is here", message.body)
        self.assertIn('href="https://x.example/?a=1&amp;b=2"', message.body)
        self.assertEqual(message.author_id, self.env.ref("base.partner_root"))

    def test_a_company_without_the_channel_is_no_error(self):
        self.env["ir.model.data"].search([("name", "=", "channel_all_employees")]).unlink()
        self.sign(notices=[{"id": "n1", "kind": "news", "text": "x", "post": True}])
        self.client._cron_post_notices()
