from datetime import timedelta
from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError
from odoo.tests import new_test_user, tagged

from .common import SaasCase


@tagged("post_install", "-at_install")
class TestKpi(SaasCase):
    """The provider sees how a database is used."""

    def figures(self, user=None):
        provider = self.env["kpi.provider"].with_user(user or self.env.ref("base.user_admin"))
        found = provider.get_kpi_summary()
        for figure in found:
            self.assertEqual(set(figure), {"id", "name", "type", "value"})
        return {figure["id"]: figure["value"] for figure in found}

    def test_each_figure_says_what_it_is_called(self):
        self.sign()
        before = self.figures()
        self.assertEqual(before["saas_client.users"], self.count())
        self.assertGreater(before["saas_client.storage_mb"], 5)
        user = new_test_user(self.env, "user", groups="base.group_user")
        self.env["mail.mail"].create({"state": "exception", "subject": "x"})
        self.env["ir.cron"].search([], limit=1).failure_count = 3
        self.env.cr.execute("DELETE FROM res_users_log")
        self.env["res.users.log"].invalidate_model()
        self.assertNotIn("saas_client.days_since_login", self.figures())
        self.env["res.users.log"].with_user(user).sudo().create({})
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE res_users_log SET create_date = %s",
            [fields.Datetime.now() - timedelta(days=9, hours=1)],
        )
        after = self.figures()
        self.assertEqual(after["saas_client.users"], before["saas_client.users"] + 1)
        self.assertEqual(
            after["saas_client.failing_crons"], before["saas_client.failing_crons"] + 1
        )
        self.assertEqual(
            after["saas_client.mails_in_error"], before["saas_client.mails_in_error"] + 1
        )
        self.assertEqual(after["saas_client.days_since_login"], 9)

    def test_portal_users_learn_nothing(self):
        self.sign()
        customer = new_test_user(self.env, "customer", groups="base.group_portal")
        self.assertFalse([key for key in self.figures(customer) if "saas_client" in key])

    def monitor(self):
        """Return the provider's user, as the hosting server switches it on."""
        user = self.env.ref("fleet_saas_client.user_monitor")
        user.active = True
        return user

    def test_who_monitors_reads_figures_and_users_and_counts_for_no_limit(self):
        before = self.count()
        self.sign(limits={"users": before})
        monitor = self.monitor()
        self.assertTrue(monitor.share)
        self.assertEqual(self.count(), before)
        self.assertEqual(self.figures(monitor)["saas_client.users"], before)
        fields_read = ["login", "name", "active", "share", "login_date"]
        users = self.env["res.users"].with_user(monitor)
        logins = [row["login"] for row in users.search_read([("share", "=", False)], fields_read)]
        self.assertIn("admin", logins)

    def test_who_monitors_reads_no_records(self):
        monitor = self.monitor()
        for model in ("res.partner", "ir.cron", "mail.mail", "ir.config_parameter"):
            with self.subTest(model=model), self.assertRaises(AccessError):
                self.env[model].with_user(monitor).search([], limit=1).mapped("display_name")
        with self.assertRaises(AccessError):
            self.env.ref("base.user_admin").with_user(monitor).write({"name": "x"})

    def test_the_figures_of_every_app_are_read_whatever_was_loaded_last(self):
        provider = self.env["kpi.provider"]
        seen = []

        def get_kpi_summary(self):
            seen.append(self.env.su)
            return []

        with patch.object(type(provider).mro()[1], "get_kpi_summary", get_kpi_summary):
            provider.with_user(self.monitor()).get_kpi_summary()
            provider.with_user(self.env.ref("base.user_admin")).get_kpi_summary()
        self.assertEqual(seen, [True, False])

    def test_a_tenant_who_makes_the_monitor_a_colleague_has_one_user_more(self):
        monitor = self.monitor()
        self.sign(limits={"users": self.count()})
        with self.refused("users"):
            monitor.write({"group_ids": [(4, self.env.ref("base.group_user").id)]})
