from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import SaasCase


@tagged("post_install", "-at_install")
class TestTemplate(SaasCase):
    """Templates that are built on servers."""

    def build(self, modules):
        self.template.modules = modules
        self.template.action_build()
        return self.line.request_id

    def test_the_app_that_limits_and_logins_work_by_is_in_every_template(self):
        request = self.build("base_setup, contacts")
        self.assertEqual(
            request.arguments["modules"], ["base_setup", "contacts", "fleet_saas_client"]
        )

    def test_a_template_that_names_it_gets_it_once(self):
        request = self.build("fleet_saas_client crm")
        self.assertEqual(request.arguments["modules"], ["fleet_saas_client", "crm"])

    def test_a_build_that_failed_says_why(self):
        request = self.build("crm")
        self.answer(request, "failed", error="The disk is full.")
        self.assertEqual((self.line.state, self.line.error), ("failed", "The disk is full."))

    def test_a_template_without_a_server_is_built_nowhere(self):
        self.template.line_ids.unlink()
        with self.assertRaisesRegex(UserError, "Add a server"):
            self.template.action_build()
