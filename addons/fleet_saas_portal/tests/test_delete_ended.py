from datetime import timedelta

from odoo import fields
from odoo.tests import tagged

from .customer import CustomerCase


@tagged("post_install", "-at_install")
class TestDeleteEnded(CustomerCase):
    """What a customer has left is deleted when its time is over, after a last backup."""

    def leave(self):
        """Have Acme's database archived on its last day."""
        self.acme.end_date = fields.Date.today()
        self.acme._ask("archive", {}, "active")
        self.answer(self.acme.request_id, "done")
        self.assertEqual(self.acme.state, "archived")

    def past(self):
        self.acme.delete_on = fields.Date.today() - timedelta(days=1)
        self.env["saas.instance"]._cron_delete_ended()
        return self.acme.request_id

    def test_it_is_kept_for_the_days_of_its_plan_and_then_deleted(self):
        self.leave()
        days = timedelta(days=self.plan.keep_days)
        self.assertEqual(self.acme.delete_on, fields.Date.today() + days)
        self.env["saas.instance"]._cron_delete_ended()
        self.assertFalse(self.acme.request_id)
        kinds = []
        request = self.past()
        while request:
            kinds.append((request.kind, request.arguments))
            self.answer(request, "done")
            request = self.acme.request_id
        self.assertEqual([kind for kind, _arguments in kinds], ["backup", "drop"])
        self.assertEqual(kinds[0][1], {"reason": "final"})
        self.assertEqual(self.acme.state, "deleted")

    def test_without_a_last_backup_nothing_is_dropped(self):
        self.leave()
        self.answer(self.past(), "failed", error="The disk is full.")
        self.assertEqual((self.acme.state, self.acme.is_deleting), ("archived", False))
        self.assertTrue(self.acme.activity_ids)

    def test_what_was_brought_back_is_not_deleted(self):
        self.leave()
        self.acme._ask("undelete", {}, "archived")
        self.answer(self.acme.request_id, "done")
        self.assertFalse(self.acme.delete_on)
        self.assertEqual(self.acme.state, "active")

    def test_what_an_operator_has_archived_stays(self):
        self.acme._ask("archive", {}, "active")
        self.answer(self.acme.request_id, "done")
        self.assertFalse(self.acme.delete_on)
        self.env["saas.instance"]._cron_delete_ended()
        self.assertFalse(self.acme.request_id)
