from datetime import date

from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, tagged
from odoo.tools import mute_logger

from .subscription import SubscriptionCase

WORK = "odoo.addons.fleet_saas_portal.models.saas_subscription_work"


@tagged("post_install", "-at_install")
class TestSubscription(SubscriptionCase):
    def test_a_database_that_was_made_begins_the_trial_of_its_plan_and_welcomes(self):
        instance = self.make_active()
        subscription = instance.subscription_id
        self.assertEqual((subscription.state, str(subscription.trial_end)), ("trial", "2027-01-15"))
        self.assertEqual((subscription.price, subscription.mrr), (30, 0))
        welcome = self.env["mail.mail"].search(
            [("model", "=", "saas.instance"), ("res_id", "=", instance.id)]
        )
        self.assertEqual(len(welcome), 1)
        self.assertIn("https://acme", welcome.body_html)

    def test_before_a_plan_is_chosen_nothing_is_warned_of(self):
        subscription = self.subscribe()
        instance = subscription.instance_id
        change = self.env["saas.subscription.change"].with_context(active_id=subscription.id)
        self.assertFalse(Form(change).excess)
        action = instance.action_change_plan()
        wizard = self.env["saas.instance.wizard"].with_context(**action["context"])
        self.assertFalse(Form(wizard).excess)

    def test_a_plan_without_a_trial_is_invoiced_at_once(self):
        self.plan.trial_days = 0
        subscription = self.subscribe()
        self.run_cron()
        self.assertEqual(subscription.invoice_ids.amount_untaxed, 30)

    def test_staging_copies_and_instances_without_a_plan_have_no_subscription(self):
        self.assertFalse(self.make_active("copy", purpose="staging").subscription_id)
        loose = self.make_active("loose", plan_id=False, template_id=self.template.id)
        self.assertFalse(loose.subscription_id)

    def test_from_trial_to_reminders_grace_suspension_payment_and_back_on_the_air(self):
        subscription = self.subscribe()
        instance = subscription.instance_id
        expected = []
        for day, subject in (("08", 7), ("09", 0), ("12", 3), ("13", 0), ("14", 1)):
            self.go_to(f"2027-01-{day}")
            self.run_cron()
            expected += ["The trial of acme ends soon"] if subject else []
            self.assertEqual(self.mails(subscription), expected, day)
        self.go_to("2027-01-15")
        self.run_cron()
        expected.append("The trial of acme has ended")
        self.assertEqual((subscription.state, self.mails(subscription)), ("grace", expected))
        self.go_to("2027-01-21")
        self.run_cron()
        self.assertEqual((subscription.state, self.asked(instance)), ("grace", []))
        self.go_to("2027-01-22")
        self.run_cron()
        expected.append("acme is suspended")
        self.assertEqual((subscription.state, self.mails(subscription)), ("suspended", expected))
        self.assertEqual(self.asked(instance), ["suspend"])
        self.answer(instance.request_id, "done")
        self.go_to("2027-01-25")
        subscription.action_invoice()
        subscription.action_invoice()
        self.pay(subscription.invoice_ids)
        self.assertEqual(
            (subscription.state, str(subscription.paid_until)), ("active", "2027-02-25")
        )
        self.assertEqual(self.asked(instance), ["suspend", "resume"])
        self.answer(instance.request_id, "done")
        self.run_cron()
        self.assertEqual((instance.state, subscription.state), ("active", "active"))
        self.assertEqual(len(subscription.invoice_ids), 1)
        self.assertEqual(self.asked(instance), ["suspend", "resume"])

    def test_whoever_never_pays_is_archived_after_the_days_that_it_is_kept(self):
        subscription = self.subscribe()
        instance = subscription.instance_id
        self.go_on(14)
        self.run_cron()
        self.go_on(7)
        self.run_cron()
        self.answer(instance.request_id, "done")
        self.go_on(29)
        self.run_cron()
        self.assertEqual(subscription.state, "suspended")
        self.go_on(1)
        self.run_cron()
        self.assertEqual((subscription.state, subscription.closed_reason), ("closed", "unpaid"))
        self.assertEqual(self.asked(instance), ["suspend", "archive"])
        self.answer(instance.request_id, "done")
        self.assertEqual((instance.state, subscription.closed_reason), ("archived", "unpaid"))

    def test_after_days_of_standing_still_one_reminder_comes_not_three(self):
        subscription = self.subscribe()
        self.go_to("2027-01-13")
        self.run_cron()
        self.assertEqual(self.mails(subscription), ["The trial of acme ends soon"])

    def test_a_reminder_and_the_database_name_the_last_day_of_the_trial(self):
        """A trial of 14 days from January 1 is over when the 14th is: that day is told, everywhere."""
        subscription = self.subscribe()
        instance = subscription.instance_id
        self.assertEqual(
            (instance._get_document_state(), instance._get_paid_until()),
            (("trial", date(2027, 1, 14)), date(2027, 1, 14)),
        )
        self.go_to("2027-01-08")
        self.run_cron()
        about = [("model", "=", subscription._name), ("res_id", "=", subscription.id)]
        mail = self.env["mail.message"].search([*about, ("subject", "=like", "The trial of %")])
        self.assertIn("01/14/2027", mail.body)

    def test_grace_counts_from_the_day_it_was_told_however_late_that_is(self):
        subscription = self.subscribe()
        self.go_on(60)
        self.run_cron()
        self.assertEqual((subscription.state, str(subscription.deadline)), ("grace", "2027-03-09"))

    def test_an_instance_that_is_busy_is_suspended_as_soon_as_it_is_not(self):
        subscription = self.subscribe()
        instance = subscription.instance_id
        self.go_on(14)
        self.run_cron()
        self.go_on(7)
        instance.action_backup()
        self.run_cron()
        self.assertTrue(subscription.is_pending)
        self.assertEqual(self.asked(instance), ["backup"])
        self.answer(instance.request_id, "done")
        self.run_cron()
        self.assertFalse(subscription.is_pending)
        self.assertEqual(self.asked(instance), ["backup", "suspend"])

    def test_what_an_operator_has_suspended_is_not_resumed_by_the_work_of_the_hour(self):
        subscription = self.paying()
        instance = subscription.instance_id
        instance.action_suspend()
        self.answer(instance.request_id, "done")
        self.run_cron()
        self.assertEqual((instance.state, self.asked(instance)), ("suspended", ["suspend"]))

    def test_an_extension_moves_the_end_is_reminded_of_anew_and_brings_back(self):
        subscription = self.subscribe()
        self.go_to("2027-01-12")
        self.run_cron()
        subscription._extend(10, "They asked nicely.")
        self.assertEqual(str(subscription.trial_end), "2027-01-25")
        self.go_to("2027-01-22")
        self.run_cron()
        self.assertEqual(len(self.mails(subscription)), 2)
        self.go_to("2027-01-25")
        self.run_cron()
        self.go_to("2027-02-01")
        self.run_cron()
        self.answer(subscription.instance_id.request_id, "done")
        wizard = self.env["saas.subscription.extend"].with_context(active_ids=subscription.ids)
        wizard.create({"days": 5}).action_extend()
        self.assertEqual((subscription.state, str(subscription.trial_end)), ("trial", "2027-02-06"))
        self.assertEqual(self.asked(subscription.instance_id), ["suspend", "resume"])
        with self.assertRaisesRegex(UserError, "one day or more"):
            subscription._extend(0)

    def test_closing_archives_and_bringing_back_goes_on(self):
        subscription = self.paying()
        instance = subscription.instance_id
        subscription.action_close()
        self.assertEqual((subscription.state, subscription.mrr), ("closed", 0))
        self.answer(instance.request_id, "done")
        self.assertEqual(instance.state, "archived")
        instance.action_undelete()
        self.answer(instance.request_id, "done")
        self.assertEqual((instance.state, subscription.state), ("active", "active"))

    def test_a_database_that_its_operator_archives_or_deletes_is_not_billed_any_more(self):
        subscription = self.paying()
        subscription.instance_id._set_state("archived")
        self.assertEqual((subscription.state, subscription.closed_reason), ("closed", "cancelled"))
        subscription.instance_id._set_state("deleted")
        self.go_on(60)
        self.run_cron()
        self.assertEqual(len(subscription.invoice_ids), 1)

    def test_states_go_only_where_the_table_lets_them(self):
        subscription = self.subscribe()
        with self.assertRaisesRegex(UserError, "cannot go from Trial to Suspended"):
            subscription._set_state("suspended")

    def test_what_fails_for_one_is_written_there_and_holds_up_no_other(self):
        poor = self.subscribe("poor")
        rich = self.subscribe("rich")
        (poor + rich)._set_state("active", paid_until="2027-01-02")
        poor.instance_id.partner_id = False
        self.run_cron()
        self.assertIn("no customer", poor.problem)
        self.assertEqual(len(rich.invoice_ids), 1)
        poor.instance_id.partner_id = self.partner
        self.run_cron()
        self.assertFalse(poor.problem)

    def test_a_crash_of_one_is_logged_and_holds_up_no_other(self):
        poor, rich = self.subscribe("poor"), self.subscribe("rich")
        (poor + rich)._set_state("active", paid_until="2027-01-02")
        self.env.flush_all()
        self.env.cr.execute("UPDATE saas_subscription SET period = 'none' WHERE id = %s", [poor.id])
        self.env.invalidate_all()
        with mute_logger(WORK):
            self.env["saas.subscription"].browse(poor.id)._work("_renew")
            self.env["saas.subscription"].browse(rich.id)._work("_renew")
        self.assertEqual((poor.problem, len(rich.invoice_ids)), ("KeyError", 1))

    def test_users_see_managers_act_and_nobody_writes_what_methods_write(self):
        subscription = self.subscribe()
        as_user = subscription.with_user(self.people["user"])
        self.assertEqual(as_user.state, "trial")
        for act in (as_user.action_close, as_user.action_invoice, lambda: as_user._extend(3)):
            with self.assertRaises(AccessError):
                act()
        with self.assertRaises(AccessError):
            self.env["saas.subscription.extend"].with_user(self.people["user"]).create(
                {"subscription_ids": subscription.ids}
            )
        with self.assertRaises(AccessError):
            subscription.with_user(self.people["outsider"]).read(["state"])
        as_manager = subscription.with_user(self.people["manager"])
        for vals in ({"state": "active"}, {"paid_until": "2099-01-01"}, {"trial_end": False}):
            with self.subTest(vals), self.assertRaisesRegex(UserError, "Extend the subscription"):
                as_manager.write(vals)
        as_manager.price = 25
        as_manager._extend(3)
        as_manager.action_invoice()
        as_manager._change_plan(self.big)
        as_manager.action_close()
        with self.assertRaises(AccessError):
            as_manager.copy()

    def test_subscriptions_and_findings_of_other_companies_are_not_seen(self):
        other = self.env["res.company"].create({"name": "Other"})
        self.env.user.company_ids |= other
        plan = self.plan.copy({"code": "theirs", "company_id": other.id})
        theirs = self.subscribe("theirs", plan_id=plan.id, company_id=other.id)
        self.assertEqual(theirs.company_id, other)
        seen = theirs.with_user(self.people["manager"]).search([])
        self.assertNotIn(theirs, seen)
        theirs.instance_id.is_missing = True
        self.run_cron("ir_cron_audit")
        line = self.env["saas.audit.line"].search([("instance_id", "=", theirs.instance_id.id)])
        self.assertEqual(line.kind, "missing")
        self.assertFalse(line.with_user(self.people["manager"]).search([("id", "=", line.id)]))

    def test_the_audit_finds_what_is_billed_and_not_there_and_what_is_there_and_not_billed(self):
        gone, free, differs, fine = (
            self.make_active(name) for name in ("gone", "free", "differs", "fine")
        )
        gone.is_missing = True
        free.subscription_id.unlink()
        differs._set_state("suspended")
        self.make_active("copy", purpose="staging")
        self.run_cron("ir_cron_audit")
        mine = gone + free + differs + fine
        lines = self.env["saas.audit.line"].search([("instance_id", "in", mine.ids)])
        self.assertEqual(
            sorted(lines.mapped(lambda line: (line.instance_id.name, line.kind))),
            [("differs", "state"), ("free", "unbilled"), ("gone", "missing")],
        )
        lines.action_accept()
        gone.is_missing = False
        self.run_cron("ir_cron_audit")
        self.assertEqual(lines.exists().instance_id, free + differs)
        self.assertTrue(all(lines.exists().mapped("is_accepted")))

    def test_every_mail_can_be_previewed_and_has_nothing_left_to_fill_in(self):
        subscription = self.paying()
        subscription.auto_renew = True
        subscription._make_invoice()
        for name in (
            "welcome",
            "backup_ready",
            "export_ready",
            "trial_ending",
            "trial_ended",
            "payment_due",
            "suspended",
            "plan_changed",
        ):
            template = self.env.ref(f"fleet_saas_portal.mail_template_{name}")
            record = subscription if "subscription" in template.model else subscription.instance_id
            preview = self.env["mail.template.preview"].create(
                {
                    "mail_template_id": template.id,
                    "resource_ref": f"{record._name},{record.id}",
                }
            )
            with self.subTest(name):
                self.assertFalse(preview.error_msg)
                self.assertIn("acme", preview.subject)
                self.assertEqual(preview.partner_ids, self.partner)
                self.assertIn("Acme", preview.body_html)

    def test_a_backup_that_a_customer_asked_for_is_told_of_and_no_other(self):
        instance = self.make_active()
        customer = self.env["res.users"].create(
            {
                "name": "Ann",
                "login": "ann@example.com",
                "group_ids": [self.env.ref("base.group_portal").id],
            }
        )
        mails = []
        for user in (self.people["manager"], customer):
            instance.action_backup()
            instance.request_id.user_id = user
            self.answer(instance.request_id, "done")
            found = self.env["mail.mail"].search([("subject", "ilike", "backup of acme")])
            mails.append(len(found))
        self.assertEqual(mails, [0, 1])

    def test_totals_of_a_customer(self):
        self.paying("one")
        self.plan.trial_days = 14
        self.subscribe("two")
        self.assertEqual((self.partner.saas_subscription_count, self.partner.saas_mrr), (2, 30))

    def test_room_on_a_server_is_a_figure_that_graphs_can_add_up(self):
        self.server.max_instances = 5
        self.make_active()
        self.server._write_contact()
        self.assertEqual((self.server.places_used, self.server.places_free), (1, 4))
