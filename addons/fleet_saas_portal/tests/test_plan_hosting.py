from odoo.exceptions import UserError
from odoo.tests import tagged

from .common import SaasCase


@tagged("post_install", "-at_install")
class TestPlanHosting(SaasCase):
    """How the servers host what a plan sells: alone or shared, and backed up by which policy."""

    def customer(self, name):
        return self.env["res.partner"].create({"name": name})

    def place(self, name, plan, partner):
        """Return the server on which a new instance is created."""
        instance = self.env["saas.instance"].create(
            {"name": name, "plan_id": plan.id, "partner_id": partner.id}
        )
        instance.action_create()
        return instance.server_id

    def test_who_pays_for_a_server_of_its_own_shares_it_with_nobody(self):
        alone = self.plan.copy({"code": "alone", "mode": "dedicated", "max_databases": 0})
        self.plan.max_databases = 0
        big, small = self.customer("Big"), self.customer("Small")
        two = self.server.copy({"name": "Two", "url": "https://two.example.com"})
        self.line.copy({"server_id": two.id, "state": "ready"})
        hers = self.place("big-one", alone, big)
        self.assertEqual(self.place("big-two", alone, big), hers)
        self.assertNotEqual(self.place("small-one", self.plan, small), hers)
        with self.assertRaisesRegex(UserError, "without other customers"):
            self.place("other", alone, self.customer("Other"))

    def test_the_plans_backup_policy_is_named_to_the_server(self):
        self.plan.backup_policy = "Gold"
        instance = self.make_active()
        self.assertEqual(instance._prepare_document()["backup_policy"], "Gold")
        self.plan.backup_policy = False
        self.assertNotIn("backup_policy", instance._prepare_document())

    def test_a_policy_that_a_server_does_not_have_is_said_on_the_plan(self):
        self.plan.backup_policy = "Gold"
        self.assertFalse(self.plan.policy_problem, "an older server does not tell")
        self.server.policies = ["Standard"]
        self.plan.invalidate_recordset(["policy_problem"])
        self.assertIn(self.server.name, self.plan.policy_problem)
        self.server.policies = ["Standard", "Gold"]
        self.plan.invalidate_recordset(["policy_problem"])
        self.assertFalse(self.plan.policy_problem)
