from datetime import date

from psycopg2.errors import UniqueViolation

from odoo.exceptions import UserError
from odoo.tests import BaseCase, tagged
from odoo.tools import mute_logger

from ..billing import period_end, period_start, unused
from .subscription import SubscriptionCase


@tagged("post_install", "-at_install")
class TestPeriods(BaseCase):
    def test_months_begin_on_the_same_day_where_they_have_it(self):
        day, ends = date(2027, 1, 31), []
        for _month in range(3):
            day = period_end(day, "month", 31)
            ends.append(str(day))
        self.assertEqual(ends, ["2027-02-28", "2027-03-31", "2027-04-30"])
        self.assertEqual(period_start(date(2027, 2, 28), "month", 31), date(2027, 1, 31))

    def test_an_anchor_that_is_not_of_this_day_counts_for_nothing(self):
        self.assertEqual(period_end(date(2027, 1, 10), "month", 31), date(2027, 2, 10))

    def test_a_leap_day_ends_on_the_last_of_february(self):
        self.assertEqual(period_end(date(2028, 2, 29), "year", 29), date(2029, 2, 28))

    def test_half_of_any_month_is_half_a_period(self):
        self.assertEqual(unused(date(2027, 2, 15), date(2027, 3, 1), "month"), 0.5)
        self.assertEqual(unused(date(2027, 4, 16), date(2027, 5, 1), "month"), 0.5)
        self.assertEqual(unused(date(2027, 2, 15), date(2027, 4, 1), "month"), 1.5)
        self.assertEqual(unused(date(2027, 4, 1), date(2027, 4, 1), "month"), 0)


@tagged("post_install", "-at_install")
class TestBilling(SubscriptionCase):
    def test_a_period_is_an_invoice_of_the_plans_product_with_its_taxes(self):
        subscription = self.subscribe()
        subscription.action_invoice()
        invoice = subscription.invoice_ids
        line = invoice.invoice_line_ids
        self.assertEqual((invoice.state, invoice.partner_id), ("posted", self.partner))
        self.assertEqual((line.product_id, line.price_unit), (self.plan.product_id, 30))
        self.assertEqual(line.tax_ids, self.env.company.account_sale_tax_id)
        self.assertEqual(str(invoice.saas_period_start), "2027-01-15")
        self.assertEqual(str(invoice.saas_period_end), "2027-02-15")
        self.assertTrue(invoice.sending_data, "Odoo's own job sends it, with the link to pay")
        self.assertTrue(invoice._get_portal_payment_link())
        other = self.subscribe("other")
        other.action_invoice()
        self.assertEqual(other.invoice_ids.invoice_line_ids.product_id, self.plan.product_id)

    def test_a_trial_that_is_paid_early_keeps_its_days(self):
        subscription = self.subscribe()
        subscription.action_invoice()
        self.pay(subscription.invoice_ids)
        self.assertEqual(
            (subscription.state, str(subscription.paid_until)), ("active", "2027-02-15")
        )
        self.assertEqual(subscription.mrr, 30)

    def test_a_trial_is_not_invoiced_by_itself(self):
        subscription = self.subscribe()
        for _week in range(3):
            self.run_cron()
            self.go_on(7)
        self.assertFalse(subscription.invoice_ids)

    def test_the_next_period_is_invoiced_a_week_before_and_once(self):
        subscription = self.paying()
        self.assertEqual(str(subscription.next_invoice), "2027-01-25")
        self.go_to("2027-01-24")
        self.run_cron()
        self.assertEqual(len(subscription.invoice_ids), 1)
        self.go_to("2027-01-25")
        self.run_cron(times=3)
        self.assertEqual(len(subscription.invoice_ids), 2)
        self.assertFalse(subscription.next_invoice)
        self.pay(subscription._get_open_invoice())
        self.assertEqual(str(subscription.paid_until), "2027-03-01")
        self.assertEqual(str(subscription.next_invoice), "2027-02-22")

    def test_what_is_not_renewed_is_reminded_of_and_not_invoiced(self):
        subscription = self.paying()
        subscription.auto_renew = False
        self.go_to("2027-01-29")
        self.run_cron()
        self.assertEqual(len(subscription.invoice_ids), 1)
        self.assertEqual(self.mails(subscription), ["acme: a payment is due"])

    def test_a_period_that_is_not_paid_in_time_goes_to_grace_and_the_payment_counts_from_its_start(
        self,
    ):
        subscription = self.paying()
        self.go_to("2027-01-25")
        self.run_cron()
        self.go_to("2027-02-01")
        self.run_cron()
        self.assertEqual((subscription.state, subscription.mrr), ("grace", 30))
        self.go_to("2027-02-03")
        self.pay(subscription._get_open_invoice())
        self.assertEqual(
            (subscription.state, str(subscription.paid_until)), ("active", "2027-03-01")
        )

    def test_a_payment_that_is_told_twice_counts_once(self):
        subscription = self.paying()
        subscription.invoice_ids._invoice_paid_hook()
        subscription._count_paid()
        self.assertEqual(str(subscription.paid_until), "2027-02-01")
        subscription.action_close()
        self.go_to("2027-03-01")
        subscription.invoice_ids._invoice_paid_hook()
        self.assertEqual(
            (subscription.state, str(subscription.paid_until)), ("closed", "2027-02-01")
        )

    def test_a_payment_that_no_hook_told_of_is_counted_by_the_work_of_the_hour(self):
        subscription = self.paying()
        subscription.invoice_ids.saas_is_counted = False
        subscription.paid_until = "2027-01-01"
        self.run_cron()
        self.assertEqual(str(subscription.paid_until), "2027-02-01")
        self.assertEqual(subscription.state, "active")

    def test_a_payment_that_comes_back_is_found_by_the_audit(self):
        subscription = self.paying()
        invoice = subscription.invoice_ids
        invoice.line_ids.remove_move_reconcile()
        self.assertEqual(invoice.payment_state, "not_paid")
        self.run_cron("ir_cron_audit")
        lines = self.env["saas.audit.line"].search([("subscription_id", "=", subscription.id)])
        self.assertEqual(lines.kind, "returned")

    def test_what_is_killed_between_the_invoice_and_what_follows_is_not_doubled(self):
        subscription = self.paying()
        self.go_to("2027-01-25")
        with self.assertRaises(InterruptedError), self.env.cr.savepoint():
            subscription._renew()
            self.env.flush_all()
            raise InterruptedError
        self.env.invalidate_all()
        self.assertEqual(len(subscription.invoice_ids), 1)
        self.run_cron()
        self.assertEqual(len(subscription.invoice_ids), 2)

    def test_the_database_itself_refuses_a_second_invoice_of_a_period(self):
        subscription = self.subscribe()
        first = subscription._make_invoice()
        with (
            mute_logger("odoo.sql_db"),
            self.assertRaises(UniqueViolation),
            self.env.cr.savepoint(),
        ):
            first.copy(
                {
                    "saas_subscription_id": subscription.id,
                    "saas_kind": "period",
                    "saas_period_start": first.saas_period_start,
                }
            )
            self.env.flush_all()

    def test_what_costs_nothing_is_renewed_without_an_invoice(self):
        self.plan.price = 0
        subscription = self.subscribe()
        self.go_on(14)
        self.run_cron()
        self.assertEqual(
            (subscription.state, str(subscription.paid_until)), ("active", "2027-02-15")
        )
        self.go_on(100)
        self.run_cron()
        self.assertEqual(subscription.state, "active")
        self.assertFalse(subscription.invoice_ids)

    def test_a_bigger_plan_costs_the_difference_for_the_days_that_are_left(self):
        subscription = self.paying()
        self.go_to("2027-01-17")  # 15 of 31 days are left
        self.assertEqual(subscription._prepare_change(self.big), {"credit": 14.52, "charge": 43.55})
        subscription._change_plan(self.big)
        invoice = subscription.invoice_ids.filtered(lambda move: move.saas_kind == "change")
        self.assertEqual((invoice.move_type, invoice.state), ("out_invoice", "posted"))
        self.assertAlmostEqual(invoice.amount_untaxed, 29.03)
        self.assertEqual((subscription.price, subscription.mrr), (90, 90))
        self.assertEqual(subscription.instance_id.plan_id, self.big)
        self.assertEqual(subscription.instance_id.max_users, self.big.max_users)
        self.assertEqual(self.mails(subscription), ["acme: your plan is now Big"])
        self.pay(invoice)
        self.assertEqual(str(subscription.paid_until), "2027-02-01")
        with self.assertRaisesRegex(UserError, "already"):
            subscription._change_plan(self.big)

    def test_a_smaller_plan_gives_back_the_difference(self):
        subscription = self.paying(plan_id=self.big.id)
        self.go_to("2027-01-17")
        subscription.instance_id.plan_id = self.plan
        credit = subscription.invoice_ids.filtered(lambda move: move.saas_kind == "change")
        self.assertEqual((credit.move_type, credit.state), ("out_refund", "posted"))
        self.assertAlmostEqual(credit.amount_untaxed, 29.03)

    def test_what_is_given_back_is_taken_off_what_a_change_has_cost_and_is_not_paid(self):
        subscription = self.paying()
        self.go_to("2027-01-17")
        subscription._change_plan(self.big)
        invoice = subscription.invoice_ids.filtered(lambda move: move.saas_kind == "change")
        subscription._change_plan(self.plan)
        credit = subscription.invoice_ids.filtered(lambda move: move.move_type == "out_refund")
        self.assertAlmostEqual(credit.amount_untaxed, 29.03)
        self.assertEqual((invoice.amount_residual, credit.amount_residual), (0, 0))
        self.assertEqual(invoice.payment_state, "reversed")
        self.assertEqual(str(subscription.paid_until), "2027-02-01")

    def test_days_that_were_given_are_no_money(self):
        subscription = self.paying(plan_id=self.big.id)
        subscription._extend(300)
        figures = subscription._prepare_change(self.plan)
        self.assertAlmostEqual(figures["credit"] - figures["charge"], 90)
        self.go_to("2027-02-02")
        figures = subscription._prepare_change(self.plan)
        self.assertEqual(figures["credit"], figures["charge"])

    def test_a_change_of_plan_in_the_trial_costs_nothing(self):
        subscription = self.subscribe()
        subscription._change_plan(self.big)
        self.assertFalse(subscription.invoice_ids)
        self.assertEqual(subscription.price, 90)

    def test_what_is_invoiced_and_not_paid_is_credited_and_invoiced_anew(self):
        subscription = self.paying()
        self.go_to("2027-01-25")
        self.run_cron()
        old = subscription._get_open_invoice()
        subscription._change_plan(self.big)
        self.assertEqual(old.payment_state, "reversed")
        self.run_cron()
        new = subscription._get_open_invoice()
        self.assertEqual((new.amount_untaxed, new.saas_period_start), (90, old.saas_period_start))
        self.pay(new, new.amount_total / 2)
        with self.assertRaisesRegex(UserError, "paid in part"):
            subscription._change_plan(self.plan)

    def test_the_wizard_tells_the_price_before(self):
        subscription = self.paying()
        self.go_to("2027-01-17")
        wizard = (
            self.env["saas.subscription.change"]
            .with_user(self.people["manager"])
            .with_context(active_id=subscription.id)
            .create({"plan_id": self.big.id})
        )
        self.assertAlmostEqual(wizard.total, 29.03)
        wizard.action_change()
        self.assertEqual(subscription.plan_id, self.big)

    def test_the_wizard_tells_what_exceeds_the_new_plan_before(self):
        subscription = self.paying()
        self.big.max_users = 2
        subscription.instance_id.sudo().user_count = 3
        wizard = self.env["saas.subscription.change"].create(
            {"subscription_id": subscription.id, "plan_id": self.big.id}
        )
        self.assertIn("has 3 users", wizard.excess)
        with self.assertRaisesRegex(UserError, "has 3 users"):
            wizard.action_change()
        self.assertEqual(subscription.plan_id, self.plan)
        wizard.anyway = True
        wizard.action_change()
        self.assertEqual(subscription.plan_id, self.big)

    def test_an_extension_moves_the_period_that_is_invoiced_too(self):
        subscription = self.paying()
        self.go_to("2027-01-25")
        self.run_cron()
        subscription._extend(9)
        self.assertEqual(str(subscription.paid_until), "2027-02-10")
        self.pay(subscription._get_open_invoice())
        self.assertEqual(str(subscription.paid_until), "2027-03-10")

    def test_a_payment_after_the_end_brings_the_database_back(self):
        subscription = self.paying()
        self.go_to("2027-01-25")
        self.run_cron()
        invoice = subscription._get_open_invoice()
        subscription.instance_id._set_state("archived")
        self.go_to("2027-03-01")
        self.pay(invoice)
        self.assertEqual(
            (subscription.state, str(subscription.paid_until)), ("active", "2027-04-01")
        )
        self.assertEqual(self.asked(subscription.instance_id), ["undelete"])

    def test_a_payment_for_a_database_that_is_gone_is_somebodys_task(self):
        subscription = self.paying()
        self.go_to("2027-01-25")
        self.run_cron()
        subscription.instance_id._set_state("deleted")
        self.pay(subscription._get_open_invoice())
        self.assertEqual(subscription.state, "closed")
        self.assertIn("its database is gone", subscription.activity_ids.summary)
