from datetime import date

from odoo.exceptions import AccessError, UserError
from odoo.tests import BaseCase, tagged
from odoo.tools import mute_logger

from odoo.addons.fleet_databases.remote.errors import Malformed

from ..contract import HostingServer, Refusal, values
from ..models.saas_instance_customer import MAX_BACKUPS
from .common import SaasCase
from .customer import CustomerCase
from .signup import SignupCase
from .subscription import SubscriptionCase
from .test_contract import GOOD


class _Canned(HostingServer):
    """The contract's client, with an answer that was not asked of anybody."""

    def __init__(self, answer):
        self.answer = answer

    def _call(self, method, **arguments):
        return self.answer

    @property
    def _host(self):
        return "one"


@tagged("post_install", "-at_install")
class TestAnswersOfServers(BaseCase):
    def test_the_status_of_another_operation_is_no_answer(self):
        mine = {"portal:1": GOOD, "portal:2": None}
        found = _Canned(mine).status(list(mine))
        self.assertEqual((found["portal:1"].state, found["portal:2"]), ("done", None))
        with self.assertRaises(Malformed):
            _Canned({"portal:2": GOOD}).status(["portal:2"])

    def test_numbers_that_nothing_can_hold_are_no_answer(self):
        for number in (10**400, 2**31, -1):
            with self.subTest(number=number), self.assertRaises(Malformed):
                values.status({**GOOD, "operation": number}, "one")
        self.assertEqual(values.status({**GOOD, "progress": 10**400}, "one").progress, 100)


@tagged("post_install", "-at_install")
class TestInventoryBoundaries(SaasCase):
    def take(self, *hosted):
        self.env["saas.instance"]._take_inventory(self.server, hosted)
        self.env.flush_all()

    def test_figures_that_nothing_can_hold_hinder_nothing(self):
        instance = self.make_active()
        usage = {"internal_users": 10**12, "database_bytes": 10**300, "filestore_bytes": 5}
        self.take(self.hosted("acme", figures=usage))
        self.assertEqual((instance.user_count, instance.uuid), (0, "uuid-of-acme"))

    def test_a_database_of_the_name_that_is_being_asked_for_is_not_the_new_one(self):
        instance = self.make_instance()
        instance.action_create()
        self.take(self.hosted("acme"))
        self.assertFalse(instance.uuid or instance.url)
        instance.request_id._take_refusal(Refusal("The name acme is taken."))
        self.take(self.hosted("acme"))
        self.assertFalse(instance.uuid)
        self.assertIn("acme", self.env["saas.instance.found"].search([]).mapped("name"))

    @mute_logger("odoo.addons.fleet_saas_portal.models.saas_instance")
    def test_an_address_of_another_instance_gives_nobody_its_record(self):
        acme, other = self.make_active(), self.make_instance("other")
        record = acme.project_id
        other.action_create()
        self.answer(other.request_id, "done", steps=[("personalise", {"url": acme.url})])
        self.assertEqual((acme.project_id, other.state), (record, "active"))
        self.assertFalse(other.project_id)


@tagged("post_install", "-at_install")
class TestOperatorsBoundaries(SaasCase):
    def test_who_only_looks_builds_no_template(self):
        for person in ("user", "manager"):
            for record in (self.template, self.line):
                with self.subTest(person=person), self.assertRaises(AccessError):
                    record.with_user(self.people[person]).action_build()
        self.line.with_user(self.people["admin"]).action_build()
        self.assertTrue(self.line.request_id)

    def test_a_living_instance_is_not_put_out_of_sight(self):
        instance = self.make_active()
        with self.assertRaisesRegex(UserError, "exists on a server"):
            instance.with_user(self.people["manager"]).action_archive()
        draft = self.make_instance("draft").with_user(self.people["manager"])
        draft.action_archive()
        self.assertFalse(draft.active)

    def test_what_is_suspended_does_not_move_and_is_told_what_to_do(self):
        instance = self.make_active()
        instance._set_state("suspended")
        wizard = self.env["saas.instance.move.wizard"].with_user(self.people["manager"])
        two = self.server.copy({"name": "Two", "url": "https://two.example.com"})
        refusal = wizard.create({"instance_id": instance.id, "server_id": two.id}).refusal
        self.assertIn("resume it", refusal)

    def test_operations_of_another_company_are_not_seen(self):
        other = self.env["res.company"].create({"name": "Other"})
        plan = self.plan.copy({"code": "other", "company_id": other.id})
        theirs = self.make_active("theirs", company_id=other.id, plan_id=plan.id).request_ids
        ours = self.make_active().request_ids
        self.line.action_build()
        Request = self.env["saas.request"]
        seen = Request.with_user(self.people["admin"]).search([])
        self.assertEqual(seen & (theirs | ours), ours)
        self.assertIn(self.line.request_id, seen, "a server of no company is everybody's")

    def test_operations_follow_their_instance_to_another_company(self):
        instance, other = self.make_active(), self.env["res.company"].create({"name": "Other"})
        plan = self.plan.copy({"code": "other", "company_id": other.id})
        instance.write({"company_id": other.id, "plan_id": plan.id})
        self.assertEqual(instance.request_ids.company_id, other)

    def test_contacts_tell_others_nothing_of_instances(self):
        for person, sees in (("user", True), ("outsider", False)):
            known = self.partner.with_user(self.people[person]).fields_get()
            self.assertEqual("saas_instance_ids" in known, sees, person)

    def test_what_odoo_computes_of_a_subscription_is_not_written(self):
        subscription = self.make_active()._start_subscription()
        as_manager = subscription.with_user(self.people["manager"])
        for vals in ({"deadline": "2099-01-01"}, {"company_id": 1}, {"next_invoice": False}):
            with self.subTest(vals=vals), self.assertRaises(UserError):
                as_manager.write(vals)
        as_manager.auto_renew = False


@tagged("post_install", "-at_install")
class TestCustomersBoundaries(CustomerCase):
    def as_max(self):
        return self.acme.with_user(self.max).sudo()

    def test_two_copies_at_once_are_one_and_words(self):
        self.make_backup(self.acme, "b-1")
        first = self.acme._restore_staging("b-1")
        # What the second transaction could not see when it looked for a name.
        kind = type(self.acme)
        self.patch(kind, "_get_staging_name", lambda self: first.name)
        self.patch(kind, "_check_name_free", lambda self, server, name: None)
        with mute_logger("odoo.sql_db"), self.assertRaisesRegex(UserError, "just been begun"):
            self.acme._restore_staging("b-1")
        self.assertEqual(self.acme.child_ids, first)

    def test_customers_take_as_many_backups_a_day_as_people_need(self):
        for _number in range(MAX_BACKUPS):
            self.as_max()._back_up_for_customer()
            self.answer(self.acme.request_id, "done")
        with self.assertRaisesRegex(UserError, "tomorrow"):
            self.as_max()._back_up_for_customer()
        self.acme.with_user(self.people["manager"]).action_backup()
        self.assertTrue(self.acme.request_id)

    def test_a_name_that_is_none_is_in_no_invitation(self):
        member = self.members["wilma"]
        self.assertEqual(member._get_giver(), "Acme")
        self.assertIn("Acme", member._get_place())
        for name in ("Pay at https://evil.example", "www.evil.example", "x" * 90, "A <b>"):
            self.partner.name = name
            with self.subTest(name=name):
                self.assertEqual(member._get_giver(), "Somebody")
                self.assertNotIn(name, member._get_place())
        self.partner.name = "Møller & Søn A/S"
        self.assertEqual(member._get_giver(), self.partner.name)


@tagged("post_install", "-at_install")
class TestSignupBoundaries(SignupCase):
    def test_states_are_told_by_their_labels(self):
        with self.assertRaisesRegex(UserError, "from E-mail Not Proven to Done"):
            self.begin()._set_state("done")
        instance = self.make_active("labelled")
        instance.action_backup()
        self.answer(instance.request_id, "cancelled")
        self.assertIn(": Cancelled.", instance.message_ids[0].body)

    def test_the_next_try_is_made_where_there_is_room(self):
        signup = self.proven()
        signup._create_for(self.nobody)
        two = self.server.copy({"name": "Two", "url": "https://two.example.com"})
        two._write_contact()
        self.line.copy({"server_id": two.id, "state": "ready"})
        self.answer(signup.instance_id.request_id, "failed", error="The disk is full.")
        self.server.accepts_new = False
        self.assertEqual(signup._create_for(signup.user_id), "")
        self.assertEqual(signup.instance_id.server_id, two)


@tagged("post_install", "-at_install")
class TestBillingBoundaries(SubscriptionCase):
    def change(self, subscription, plan):
        before = subscription.invoice_ids
        subscription._change_plan(plan)
        move = (subscription.invoice_ids - before).filtered(lambda x: x.saas_kind == "change")
        return move.amount_untaxed_in_currency_signed

    def test_up_and_down_again_on_one_day_costs_nothing(self):
        subscription = self.paying()
        up = self.change(subscription, self.big)
        self.assertEqual(up, 60)
        self.assertEqual(self.change(subscription, self.plan), -60)

    def test_days_that_were_given_are_given_back_once(self):
        subscription = self.paying(plan_id=self.big.id)
        middle = self.plan.copy({"code": "middle", "price": 60})
        subscription._extend(300)
        given_back = self.change(subscription, middle) + self.change(subscription, self.plan)
        self.assertAlmostEqual(given_back, -90)

    def test_the_last_of_january_is_billed_month_by_month(self):
        self.go_to("2028-01-31")
        subscription, ends = self.paying(), []
        for _month in range(4):
            ends.append(subscription.paid_until)
            self.go_to(subscription.next_invoice)
            self.run_cron()
            self.pay(subscription._get_open_invoice())
        self.assertEqual(
            ends, [date(2028, 2, 29), date(2028, 3, 31), date(2028, 4, 30), date(2028, 5, 31)]
        )
