from datetime import timedelta

from freezegun import freeze_time

from odoo.exceptions import UserError
from odoo.tests import tagged

from .customer import CustomerCase


@tagged("post_install", "-at_install")
class TestCustomerPaid(CustomerCase):
    def test_what_is_cancelled_is_not_renewed_and_closed_with_its_subscription(self):
        subscription = self.acme._start_subscription()
        self.acme._cancel("acme")
        last = subscription._get_end() - timedelta(days=1)
        self.assertEqual((self.acme.end_date, subscription.auto_renew), (last, False))
        with freeze_time(last + timedelta(days=1)):
            self.env["saas.instance"]._cron_end()
            self.answer(self.acme.request_id, "done")
            self.assertEqual((self.acme.state, subscription.state), ("archived", "closed"))
            self.acme._keep()
            self.answer(self.acme.request_id, "done")
        self.assertEqual(self.acme.state, "active")
        self.assertNotEqual(subscription.state, "closed")
        self.assertTrue(subscription.auto_renew)

    def test_who_owes_something_cannot_bring_back_what_they_have_cancelled(self):
        subscription = self.acme._start_subscription()
        with freeze_time(subscription._get_end() + timedelta(days=1)):
            subscription._set_state("grace")
            self.acme._cancel("acme")
            self.answer(self.acme.request_id, "done")
            with self.assertRaises(UserError):
                self.acme._keep()
