from datetime import timedelta

from freezegun import freeze_time
from lxml import etree

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged
from odoo.tools.safe_eval import safe_eval

from .common import SaasCase


@tagged("post_install", "-at_install")
class TestInstance(SaasCase):
    def test_limits_and_template_come_from_the_plan_and_can_be_changed(self):
        instance = self.make_instance()
        self.assertEqual((instance.max_users, instance.template_id), (3, self.template))
        instance.max_users = 9
        self.assertEqual(instance.max_users, 9)

    def test_names_that_are_no_host_names_are_refused(self):
        for name in ("Acme", "a", "1acme", "acme-", "ac_me", "acme.x", "a" * 43, "acme\n", ""):
            with self.subTest(name=name), self.assertRaises(ValidationError):
                self.make_instance(name)

    def test_creating_asks_the_server_once(self):
        instance = self.make_instance(admin_login="ann@example.com")
        instance.action_create()
        request = instance.request_id
        self.assertEqual((instance.state, instance.server_id), ("creating", self.server))
        self.assertEqual((request.kind, request.target), ("create", "acme"))
        self.assertEqual(request.arguments["template"], "tiny")
        self.assertEqual(request.arguments["personal"]["login"], "ann@example.com")
        with self.assertRaises(UserError):
            instance.action_create()

    def test_when_it_is_done_it_is_in_the_fleet_list(self):
        instance = self.make_active()
        self.assertEqual((instance.state, instance.url), ("active", "https://acme"))
        self.assertEqual(instance.project_id.database_url, "https://acme")
        self.assertEqual(instance.project_id.database_hosting, "premise")

    def test_a_creation_that_failed_can_be_tried_again(self):
        instance = self.make_instance()
        instance.action_create()
        self.answer(instance.request_id, "failed", error="The disk is full.")
        self.assertEqual((instance.state, instance.problem), ("failed", "The disk is full."))
        instance.action_create()
        self.assertEqual((instance.state, instance.problem), ("creating", False))

    def test_nothing_is_asked_while_something_is_under_way(self):
        instance = self.make_active()
        instance.action_backup()
        with self.assertRaisesRegex(UserError, "still under way"):
            instance.action_suspend()

    def test_the_ends_of_operations_change_the_state(self):
        instance = self.make_active()
        for action, state in (
            (instance.action_suspend, "suspended"),
            (instance.action_resume, "active"),
            (instance.action_archive_database, "archived"),
            (instance.action_undelete, "active"),
        ):
            action()
            self.answer(instance.request_id, "done")
            self.assertEqual(instance.state, state)

    def test_what_failed_stays_as_it_was_and_says_why(self):
        instance = self.make_active()
        instance.action_suspend()
        self.answer(instance.request_id, "failed", error="It is protected.")
        self.assertEqual((instance.state, instance.problem), ("active", "It is protected."))

    def test_a_state_that_lasts_too_long_is_somebodys_task(self):
        instance = self.make_instance(user_id=self.people["manager"].id)
        instance.action_create()
        instance._cron_deadlines()
        self.assertFalse(instance.activity_ids)
        with freeze_time(fields.Datetime.now() + timedelta(hours=2)):
            instance._cron_deadlines()
            instance._cron_deadlines()
        self.assertEqual(instance.activity_ids.user_id, self.people["manager"])

    def test_the_inventory_gives_identity_figures_and_state(self):
        instance = self.make_active()
        usage = {"internal_users": 4, "database_bytes": 3 << 20, "filestore_bytes": 1 << 20}
        hosted = self.hosted("acme", state="suspended", figures=usage)
        self.env["saas.instance"]._take_inventory(self.server, [hosted])
        self.assertEqual((instance.uuid, instance.state), ("uuid-of-acme", "suspended"))
        self.assertEqual((instance.user_count, instance.storage_mb), (4, 4))

    def test_a_database_that_is_gone_from_the_server_is_marked_never_deleted(self):
        instance = self.make_active()
        self.env["saas.instance"]._take_inventory(self.server, [])
        self.assertTrue(instance.is_missing)
        self.assertEqual(instance.state, "active")

    def test_another_database_of_the_same_name_is_not_taken_for_ours(self):
        instance = self.make_active(uuid="its-own")
        self.env["saas.instance"]._take_inventory(self.server, [self.hosted("acme")])
        self.assertTrue(instance.is_missing)
        self.assertEqual(instance.uuid, "its-own")

    def test_a_living_instance_is_neither_deleted_nor_renamed_by_writing(self):
        instance = self.make_active()
        with self.assertRaises(UserError):
            instance.unlink()
        with self.assertRaises(UserError):
            instance.with_user(self.people["manager"]).name = "other"

    def test_users_see_and_managers_act_and_others_do_neither(self):
        instance = self.make_active()
        as_user = instance.with_user(self.people["user"])
        self.assertEqual(as_user.state, "active")
        with self.assertRaises(AccessError):
            as_user.action_suspend()
        with self.assertRaises(AccessError):
            instance.with_user(self.people["outsider"]).read(["name"])
        instance.with_user(self.people["manager"]).action_suspend()
        self.assertEqual(instance.request_id.kind, "suspend")

    def test_instances_of_other_companies_are_not_seen(self):
        other = self.env["res.company"].create({"name": "Other"})
        self.make_instance(plan_id=False, company_id=other.id, template_id=self.template.id)
        seen = self.env["saas.instance"].with_user(self.people["manager"]).search([])
        self.assertNotIn(other, seen.company_id)

    def test_the_report_by_state_counts_the_databases(self):
        pivot = self.env.ref("fleet_saas_portal.saas_instance_view_pivot_state")
        arch = self.env["saas.instance"].get_view(pivot.id, "pivot")["arch"]
        self.assertTrue(etree.fromstring(arch).get("display_quantity"))

    def test_the_first_button_that_a_small_screen_shows_is_the_primary_one(self):
        manager = self.env["saas.instance"].with_user(self.people["manager"])
        form = self.env.ref("fleet_saas_portal.saas_instance_view_form")
        arch = etree.fromstring(manager.get_view(form.id, "form")["arch"])
        values = dict.fromkeys(manager._fields, False) | {"state": "active", "uuid": "x"}
        shown = [
            button.get("name")
            for button in arch.findall("header/button")
            if not safe_eval(button.get("invisible"), values)
        ]
        self.assertEqual(shown[0], "action_connect")
