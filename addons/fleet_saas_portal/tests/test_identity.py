from datetime import timedelta

from odoo import fields
from odoo.tests import tagged

from .common import SaasCase

UUID = "d0c0ffee-0000-4000-8000-000000000001"


@tagged("post_install", "-at_install")
class TestIdentity(SaasCase):
    """A new database can be entered as soon as its operation has ended."""

    def make_new(self, name="acme", **evidence):
        """Return an instance whose server has told ``evidence`` of the new database."""
        instance = self.make_instance(name)
        instance.action_create()
        evidence = {"url": f"https://{name}.example.com"} | evidence
        self.answer(instance.request_id, "done", [("personalise", evidence)])
        return instance

    def get_next_inventory(self):
        cron = self.env.ref("fleet_saas_portal.ir_cron_servers")
        found = self.env["ir.cron.trigger"].search([("cron_id", "=", cron.id)], order="id DESC")
        return found[0].call_at

    def test_the_operation_tells_who_the_new_database_is(self):
        instance = self.make_new(uuid=UUID)
        self.assertEqual((instance.uuid, instance.state), (UUID, "active"))
        instance._check_can_connect()

    def test_the_servers_inventory_waits_when_the_identity_is_known(self):
        soon = fields.Datetime.now() + timedelta(seconds=30)
        self.make_new(uuid=UUID)
        self.assertGreater(self.get_next_inventory(), soon)

    def test_a_server_that_does_not_tell_it_is_asked_for_its_inventory_at_once(self):
        soon = fields.Datetime.now() + timedelta(seconds=30)
        instance = self.make_new()
        self.assertFalse(instance.uuid)
        self.assertLess(self.get_next_inventory(), soon)

    def test_what_is_no_identity_is_not_taken(self):
        for number, uuid in enumerate((7, "", "acme", f"{UUID}'", UUID.upper(), [UUID])):
            instance = self.make_new(f"acme-{number}", uuid=uuid)
            self.assertEqual((instance.uuid, instance.state), (False, "active"))

    def test_the_identity_of_another_database_is_not_taken(self):
        first = self.make_new("first", uuid=UUID)
        second = self.make_new("second", uuid=UUID)
        self.assertEqual((first.uuid, second.uuid), (UUID, False))
        self.assertEqual(second.state, "active")
