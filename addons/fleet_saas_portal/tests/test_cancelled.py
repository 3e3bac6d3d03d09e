from odoo.tests import tagged

from .subscription import SubscriptionCase


@tagged("post_install", "-at_install")
class TestCancelled(SubscriptionCase):
    """A customer who has cancelled is asked for nothing more."""

    def test_whoever_has_cancelled_is_not_told_that_a_payment_is_due(self):
        subscription = self.paying()
        subscription.instance_id._cancel("acme")
        for day in ("2027-01-29", "2027-01-31", "2027-02-01"):
            self.go_to(day)
            self.run_cron()
        self.assertEqual((subscription.state, self.mails(subscription)), ("grace", []))

    def test_whoever_has_not_cancelled_is_told(self):
        subscription = self.paying()
        subscription.auto_renew = False
        for day in ("2027-01-29", "2027-01-31", "2027-02-01"):
            self.go_to(day)
            self.run_cron()
        self.assertEqual(self.mails(subscription), ["acme: a payment is due"] * 3)

    def test_a_period_after_the_last_day_is_credited_and_invoiced_again_when_they_stay(self):
        subscription = self.paying()
        self.go_to("2027-01-28")
        self.run_cron()
        invoice = subscription._get_open_invoice()
        self.assertEqual(str(invoice.saas_period_start), "2027-02-01")
        subscription.instance_id._cancel("acme")
        self.assertEqual(invoice.payment_state, "reversed")
        self.assertFalse(subscription._get_open_invoice())
        self.run_cron()
        self.assertFalse(subscription._get_open_invoice())
        subscription.instance_id._keep()
        self.run_cron()
        again = subscription._get_open_invoice()
        self.assertEqual((str(again.saas_period_start), again.amount_untaxed), ("2027-02-01", 30))

    def test_a_period_that_has_begun_is_still_owed(self):
        subscription = self.paying()
        self.go_to("2027-02-03")
        self.run_cron()
        invoice = subscription._get_open_invoice()
        subscription.instance_id._cancel("acme")
        self.assertEqual(subscription._get_open_invoice(), invoice)
