from odoo.tests import tagged

from odoo.addons.base.tests.test_ir_cron import CronMixinCase

from .subscription import SubscriptionCase


@tagged("post_install", "-at_install")
class TestCopies(SubscriptionCase, CronMixinCase):
    """Staging copies are suspended and resumed with the database that pays for them."""

    def setUp(self):
        super().setUp()
        self.subscription = self.paying()
        self.original = self.subscription.instance_id
        self.copy = self.make_copy("acme-test")

    def make_copy(self, name):
        copy = self.make_instance(name, purpose="staging", partner_id=self.partner.id)
        copy.sudo().write({"parent_id": self.original.id, "server_id": self.server.id})
        copy._set_state("active")
        return copy

    def suspend(self):
        self.subscription._set_state("grace")
        self.subscription._set_state("suspended")

    def end(self, instance, state="done"):
        kind = instance.request_id.kind
        self.answer(instance.request_id, state)
        return kind

    def test_they_go_and_come_with_the_original(self):
        self.suspend()
        self.assertEqual((self.end(self.original), self.end(self.copy)), ("suspend", "suspend"))
        self.assertEqual(self.copy.state, "suspended")
        self.subscription._set_state("active")
        self.assertEqual((self.end(self.original), self.end(self.copy)), ("resume", "resume"))
        self.assertEqual((self.copy.state, self.copy.is_suspended_with), ("active", False))

    def test_what_an_operator_has_suspended_stays_so(self):
        self.copy.action_suspend()
        self.end(self.copy)
        self.suspend()
        self.end(self.original)
        self.subscription._set_state("active")
        self.end(self.original)
        self.assertFalse(self.copy.request_id)
        self.assertEqual(self.copy.state, "suspended")

    def test_one_that_is_busy_follows_when_it_is_free(self):
        self.copy.action_backup()
        self.suspend()
        self.assertEqual(self.end(self.original), "suspend")
        self.assertTrue(self.subscription.is_pending)
        self.run_cron()
        self.assertEqual(self.end(self.copy), "backup")
        self.run_cron()
        self.assertEqual(self.end(self.copy), "suspend")
        self.run_cron()
        self.assertFalse(self.subscription.is_pending)
        self.assertFalse(self.copy.request_id or self.original.request_id)

    def test_a_copy_of_another_purpose_is_left_alone(self):
        self.copy.sudo().purpose = "customer"
        self.suspend()
        self.assertFalse(self.copy.request_id)
