from datetime import timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.tests import tagged

from odoo.addons.base.tests.test_ir_cron import CronMixinCase

from ..models.saas_instance_document import RETRY, RETRY_UNREAD
from .common import SaasCase


@tagged("post_install", "-at_install")
class TestDocument(SaasCase, CronMixinCase):
    def documents(self, instance):
        return instance.request_ids.filtered(lambda request: request.kind == "document")

    def waiting(self, instance):
        return self.documents(instance).filtered("is_open")

    def sweep(self):
        with self.enter_registry_test_mode():
            self.env.ref("fleet_saas_portal.ir_cron_documents").method_direct_trigger()
        self.env.invalidate_all()

    def tell(self, instance, state="done", *, written=True, **values):
        """Have the database told, and write what the server says of it."""
        self.sweep()
        request = self.waiting(instance)
        self.answer(request, state, steps=[("write", {"written": written})], **values)
        return request

    def test_it_says_what_the_contract_knows(self):
        self.plan.write({"max_storage_mb": 1000, "soft_percent": 80, "allowed_apps": "crm, sale"})
        self.plan.trial_days = 0
        instance = self.make_active(max_users=10, max_storage_mb=1000)
        instance.uuid = "its-uuid"
        content = instance._prepare_document()
        portal = content.pop("portal")
        self.assertEqual(
            content,
            {
                "plan": "Small",
                "state": "active",
                "ends": None,
                "limits": {
                    "apps": ["crm", "sale"],
                    "users": 10,
                    "users_soft": 8,
                    "storage_mb": 1000,
                    "storage_soft_mb": 800,
                },
                "notices": [],
            },
        )
        self.assertEqual(portal["keys"], self.env["saas.key"]._get_accepted())
        self.assertEqual(portal["upgrade"], "/my/databases/its-uuid")
        self.assertEqual(portal["iss"], self.env["ir.config_parameter"].get_param("database.uuid"))
        self.assertEqual(portal["url"], instance.get_base_url())
        self.assertEqual(portal["name"], self.env.company.name)

    def test_no_private_key_is_in_it(self):
        [key] = self.make_active()._prepare_document()["portal"]["keys"]
        self.assertEqual(key.keys(), {"kty", "crv", "kid", "x"})

    def test_without_a_plan_there_are_no_limits(self):
        instance = self.make_instance(plan_id=False, template_id=self.template.id)
        self.assertEqual(set(instance._prepare_document()["limits"].values()), {None})

    def test_the_language_of_who_asks_does_not_change_it(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        self.plan.with_context(lang="fr_FR").name = "Petit"
        instance = self.make_active()
        french = instance.with_context(lang="fr_FR")._prepare_document()
        self.assertEqual((french, french["plan"]), (instance._prepare_document(), "Small"))
        instance.lang = "fr_FR"
        self.assertEqual(instance._prepare_document()["plan"], "Petit")

    def test_a_trial_and_a_suspended_database_are_told_so(self):
        instance = self.make_active(purpose="trial")
        self.assertEqual(instance._prepare_document()["state"], "trial")
        instance.action_suspend()
        self.answer(instance.request_id, "done")
        self.assertEqual(instance._prepare_document()["state"], "suspended")

    def test_a_new_database_is_created_with_it_and_told_nothing_twice(self):
        instance = self.make_active()
        [create] = instance.request_ids
        self.assertEqual(create.arguments["document"]["plan"], "Small")
        self.assertTrue(instance.document_date)
        # Its identity comes with the inventory: no reason for an operation of its own.
        self.env["saas.instance"]._take_inventory(self.server, [self.hosted("acme")])
        self.sweep()
        self.assertFalse(self.documents(instance))

    def test_it_is_told_of_another_plan_once(self):
        instance = self.make_active()
        instance.max_users = 7
        request = self.tell(instance)
        self.assertEqual(request.arguments["content"]["limits"]["users"], 7)
        self.sweep()
        self.assertEqual(self.documents(instance), request)

    def test_what_changes_it_wakes_the_scheduled_action(self):
        instance = self.make_active()
        cron = "fleet_saas_portal.ir_cron_documents"
        for record, values in (
            (instance, {"max_users": 7}),
            (instance, {"plan_id": self.plan.copy({"code": "other"}).id}),
            (self.plan, {"soft_percent": 50}),
        ):
            with self.subTest(values=values), self.capture_triggers(cron) as triggers:
                record.write(values)
            self.assertTrue(triggers.records)
        with self.capture_triggers(cron) as triggers:
            instance.admin_name = "Ann"
        self.assertFalse(triggers.records)

    def test_a_suspended_database_is_told_nothing_until_it_is_open_again(self):
        instance = self.make_active()
        instance.action_suspend()
        self.answer(instance.request_id, "done")
        instance.max_users = 7
        self.sweep()
        self.assertFalse(self.waiting(instance))
        instance.action_resume()
        self.answer(instance.request_id, "done")
        self.sweep()
        content = self.waiting(instance).arguments["content"]
        self.assertNotEqual(content["state"], "suspended")
        self.assertEqual(content["limits"]["users"], 7)

    def test_no_open_database_is_told_that_it_is_suspended_or_it_could_not_be_resumed(self):
        instance = self.make_active()
        subscription = instance._start_subscription()
        for state in ("grace", "suspended", "closed"):
            subscription._set_state(state)
            self.sweep()
            for request in self.waiting(instance):
                self.answer(request, "done", steps=[("write", {"written": True})])
            told = self.documents(instance)
            states = {request.arguments["content"]["state"] for request in told}
            with self.subTest(state=state):
                self.assertEqual((instance.state, states), ("active", {"grace"}))

    def test_what_changes_while_it_is_told_is_told_afterwards(self):
        instance = self.make_active()
        instance.max_users = 7
        self.sweep()
        first = self.waiting(instance)
        instance.max_users = 8
        self.sweep()
        self.assertEqual(self.waiting(instance), first, "one at a time")
        self.answer(first, "done", steps=[("write", {"written": True})])
        self.assertEqual(self.waiting(instance).arguments["content"]["limits"]["users"], 8)

    def test_being_told_holds_up_nobody(self):
        instance = self.make_active()
        instance.max_users = 7
        self.sweep()
        self.assertTrue(self.waiting(instance))
        self.assertFalse(instance.request_id)
        instance.action_suspend()
        self.assertEqual(instance.request_id.kind, "suspend")

    def test_what_failed_is_tried_again_after_an_hour_or_a_change(self):
        instance = self.make_active()
        instance.max_users = 7
        messages = instance.message_ids
        failed = self.tell(instance, "failed", error="The disk is full.")
        self.assertEqual(instance.document_problem, "The disk is full.")
        self.assertEqual((instance.problem, instance.message_ids), (False, messages))
        self.sweep()
        self.assertEqual(self.documents(instance), failed)
        with freeze_time(fields.Datetime.now() + RETRY + timedelta(minutes=1)):
            self.tell(instance, "failed", error="The disk is full.")
        instance.max_users = 8
        self.tell(instance)
        self.assertFalse(instance.document_problem)

    def test_a_database_that_cannot_read_it_is_told_again_every_day(self):
        instance = self.make_active()
        instance.max_users = 7
        unread = self.tell(instance, written=False)
        self.assertTrue(instance.document_unread)
        self.sweep()
        self.assertEqual(self.documents(instance), unread)
        with freeze_time(fields.Datetime.now() + RETRY_UNREAD + timedelta(minutes=1)):
            self.tell(instance)
        self.assertFalse(instance.document_unread)

    def test_another_server_tells_it_with_its_own_signature(self):
        instance = self.make_active()
        other = self.server.copy({"name": "Two", "url": "https://two.example.com"})
        instance.sudo().server_id = other
        self.sweep()
        self.assertEqual(self.waiting(instance).server_id, other)

    def test_databases_that_are_not_there_are_told_nothing(self):
        draft = self.make_instance("draft")
        gone = self.make_active("gone")
        gone.action_archive_database()
        self.answer(gone.request_id, "done")
        self.sweep()
        self.assertFalse(self.documents(draft) | self.documents(gone))
