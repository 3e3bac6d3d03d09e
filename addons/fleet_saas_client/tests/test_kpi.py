from datetime import timedelta

from odoo import fields
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
