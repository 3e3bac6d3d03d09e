from odoo.tests import tagged

from .test_life import LifeCase


@tagged("post_install", "-at_install")
class TestPolicy(LifeCase):
    """The plan of a portal names the backup policy of a database."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.gold = cls.env["saas.backup.policy"].create({"name": "Gold", "every_hours": 1})

    def tell(self, **content):
        return self.end(self.submit("document", content={"plan": "Pro", **content}))

    def test_a_database_is_backed_up_as_its_plan_says(self):
        self.tell(backup_policy="Gold")
        self.assertEqual(self.acme._get_backup_policy(), self.gold)
        self.tell()
        self.assertFalse(self.acme.backup_policy_id)

    def test_a_plan_without_a_policy_leaves_what_an_operator_has_chosen(self):
        self.acme.backup_policy_id = self.gold
        self.tell()
        self.assertEqual(self.acme.backup_policy_id, self.gold)

    def test_a_policy_that_is_not_there_changes_nothing_and_is_told_once(self):
        self.acme.backup_policy_id = self.gold
        self.tell(backup_policy="Platinum")
        self.assertEqual(self.acme.backup_policy_id, self.gold)
        told = self.acme.message_ids.filtered(lambda message: "Platinum" in (message.body or ""))
        self.assertEqual(len(told), 1)
        self.assertIn("Gold", told.body)

    def test_a_policy_has_to_be_a_name(self):
        self.refused("backup_policy", "document", content={"backup_policy": 5})
