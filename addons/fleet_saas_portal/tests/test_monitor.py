from unittest.mock import patch

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.fleet_databases import settings
from odoo.addons.fleet_databases.vault import Vault

from ..models.saas_instance_monitor import KEY_CONTEXT
from .common import SaasCase

KINDS = {"create": {"arguments": {"monitor": {}}}, "monitor": {"arguments": {"key": {}}}}


@tagged("post_install", "-at_install")
class TestMonitor(SaasCase):
    """Every instance is in the fleet list, with a key that nobody but its record holds."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.sudo().kinds = KINDS

    def make_monitored(self, name="acme", **values):
        instance = self.make_instance(name, **values)
        instance.action_create()
        evidence = {"url": f"https://{name}", "monitor": "watcher"}
        self.answer(instance.request_id, "done", steps=[("personalise", evidence)])
        return instance

    def get_key(self, project):
        secret = project.sudo().database_api_key_secret
        return secret and Vault(settings.secret_keys()).decrypt(secret)

    def get_told(self, instance, kind):
        arguments = instance.sudo().request_ids.filtered(lambda x: x.kind == kind)[:1].arguments
        return arguments["monitor" if kind == "create" else "key"]

    def set_up(self, instance, login="watcher"):
        """Press the button and have the server do it; return what it was told."""
        instance.action_monitor()
        request = instance.request_ids.filtered(lambda x: x.kind == "monitor" and x.is_open)
        self.answer(request, "done", steps=[("write", {"login": login})])
        return request.sudo().arguments["key"]

    def due(self):
        Project = self.env["project.project"].sudo()
        return Project.search(Project._get_due_domain(fields.Datetime.now()))

    def test_a_new_instance_has_a_key_whose_hash_alone_has_left_the_portal(self):
        instance = self.make_monitored()
        project = instance.project_id
        key = self.get_key(project)
        told = self.get_told(instance, "create")
        self.assertEqual(told["index"], key[:8])
        self.assertTrue(KEY_CONTEXT.verify(key, told["hash"]))
        self.assertNotIn(key, str(instance.sudo().request_ids.mapped("arguments")))
        self.assertEqual(project.sudo().database_api_login, "watcher")
        self.assertFalse(instance.sudo().monitor_secret)
        self.assertIn(project, self.due())
        lines = self.env["databases.run.line"].search([("project_id", "=", project.id)])
        self.assertEqual(lines.mapped("run_id.kind"), ["sync"])

    def test_until_the_server_has_set_the_key_nothing_is_asked_with_it(self):
        instance = self.make_instance()
        instance.action_create()
        self.assertFalse(instance.project_id)
        request = instance.request_id
        self.answer(request, "done", steps=[("personalise", {"url": "https://acme"})])
        self.assertFalse(self.get_key(instance.project_id))
        self.assertNotIn(instance.project_id, self.due())
        told = instance.request_ids.filtered(lambda x: x.kind == "monitor")
        self.assertTrue(told.is_open, "its template has no user for it: one is made there")
        self.assertFalse(instance.request_id, "it holds up nobody")

    def test_a_new_key_replaces_the_former_one_when_it_is_set(self):
        instance = self.make_monitored()
        first = self.get_key(instance.project_id)
        self.set_up(instance)
        second = self.get_key(instance.project_id)
        self.assertNotEqual(first, second)

    def test_of_two_that_were_asked_the_later_one_counts(self):
        instance = self.make_monitored()
        instance.action_monitor()
        first = instance.request_ids.filtered(lambda x: x.kind == "monitor")
        instance.action_monitor()
        second = instance.request_ids.filtered(lambda x: x.kind == "monitor") - first
        before = self.get_key(instance.project_id)
        self.answer(first, "done", steps=[("write", {"login": "watcher"})])
        self.assertEqual(self.get_key(instance.project_id), before)
        self.answer(second, "done", steps=[("write", {"login": "watcher"})])
        key = self.get_key(instance.project_id)
        self.assertEqual(key[:8], second.sudo().arguments["key"]["index"])

    def test_what_fails_is_told_and_keeps_the_former_key(self):
        instance = self.make_monitored()
        before = self.get_key(instance.project_id)
        instance.action_monitor()
        request = instance.request_ids.filtered(lambda x: x.kind == "monitor")
        self.answer(request, "failed", error="No room.")
        self.assertEqual(instance.monitor_problem, "No room.")
        self.assertEqual(self.get_key(instance.project_id), before)
        self.assertFalse(instance.problem)

    def test_an_adopted_one_is_monitored_on_demand_and_asked_from_then_on(self):
        instance = self.make_active()
        instance.request_ids.filtered(lambda x: x.kind == "monitor").unlink()
        self.assertNotIn(instance.project_id, self.due())
        self.set_up(instance, login="stand-in")
        self.assertIn(instance.project_id, self.due())
        self.assertEqual(instance.project_id.sudo().database_api_login, "stand-in")

    def test_a_suspended_one_is_left_alone_and_begins_anew_when_it_is_back(self):
        instance = self.make_monitored()
        project = instance.project_id
        project.sudo().database_nb_synchro_errors = 5
        instance.action_suspend()
        self.answer(instance.request_id, "done")
        self.assertTrue(project.database_is_resting)
        self.assertNotIn(
            project, self.env["project.project"].search(project._get_synchronized_domain())
        )
        instance.action_resume()
        self.answer(instance.request_id, "done")
        self.assertFalse(project.database_nb_synchro_errors)
        self.assertIn(project, self.due())

    def test_the_record_follows_a_new_name_with_its_key(self):
        instance = self.make_monitored()
        key = self.get_key(instance.project_id)
        request = instance._begin("rename", {"new_name": "birch"})
        self.answer(request, "done", steps=[("address", {"url": "https://birch"})])
        project = instance.project_id
        self.assertEqual((project.database_url, project.database_name), ("https://birch", "birch"))
        self.assertEqual(self.get_key(project), key)

    def test_the_record_follows_an_address_that_the_server_tells(self):
        instance = self.make_monitored()
        key = self.get_key(instance.project_id)
        self.env["saas.instance"]._take_inventory(self.server, [self.hosted("acme")])
        self.assertEqual(instance.project_id.database_url, "https://acme.example.com")
        self.assertEqual(self.get_key(instance.project_id), key)

    def test_an_address_that_is_none_keeps_no_other_database_from_being_heard(self):
        instance, other = self.make_monitored(), self.make_monitored("beta")
        url = instance.project_id.database_url
        said = [self.hosted("acme", url="javascript:alert(1)"), self.hosted("beta")]
        self.env["saas.instance"]._take_inventory(self.server, said)
        self.assertEqual(other.project_id.database_url, "https://beta.example.com")
        self.assertEqual(instance.project_id.database_url, url)
        self.assertIn("javascript", instance.monitor_problem)
        self.assertTrue(instance.project_id.sudo().database_api_key_secret)

    @mute_logger("odoo.sql_db")
    def test_the_address_of_another_database_keeps_nobody_from_being_heard(self):
        instance, other = self.make_monitored(), self.make_monitored("beta")
        self.env.flush_all()
        said = [self.hosted("acme", url="https://beta"), self.hosted("beta", url="https://beta")]
        self.env["saas.instance"]._take_inventory(self.server, said)
        self.assertEqual(instance.project_id.database_url, "https://acme")
        self.assertIn("https://beta", instance.monitor_problem)
        self.assertEqual(other.uuid, "uuid-of-beta")

    def test_an_address_that_somebody_else_entered_is_not_touched(self):
        instance = self.make_monitored()
        instance.project_id.sudo().database_url = "https://elsewhere.example.com"
        instance.sudo().url = "https://new.example.com"
        self.assertEqual(instance.project_id.database_url, "https://elsewhere.example.com")

    def test_what_is_dropped_leaves_no_key(self):
        instance = self.make_monitored()
        project = instance.project_id
        instance._set_state("archived")
        request = instance._ask_server(self.server, "drop", "acme")
        self.answer(request, "done")
        self.assertFalse(self.get_key(project))
        self.assertFalse(project.active)

    def test_a_server_that_knows_no_keys_is_not_asked_and_the_instance_is_made(self):
        self.server.sudo().kinds = {"create": {"arguments": {}}}
        instance = self.make_active()
        self.assertEqual(instance.request_ids.mapped("kind"), ["create"])
        self.assertNotIn("monitor", instance.request_ids.sudo().arguments)
        self.assertIn("update its app", instance.monitor_problem)
        with self.assertRaisesRegex(UserError, "update its app"):
            instance.action_monitor()

    def test_a_portal_that_can_keep_no_keys_says_so_and_keeps_the_former_one(self):
        instance = self.make_monitored()
        before = self.get_key(instance.project_id)
        with patch.dict("os.environ", {"FLEET_SECRET_KEYS": ""}):
            with self.assertRaisesRegex(UserError, "no encryption key"):
                instance.action_monitor()
        self.assertEqual(self.get_key(instance.project_id), before)

    def test_who_may_set_it_up(self):
        instance = self.make_monitored()
        with self.assertRaises(AccessError):
            instance.with_user(self.people["user"]).action_monitor()
        instance.with_user(self.people["manager"]).action_monitor()
        draft = self.make_instance("draft")
        with self.assertRaises(UserError):
            draft.action_monitor()

    def test_nobody_reads_or_writes_the_key(self):
        instance = self.make_instance()
        instance.action_create()
        self.assertTrue(instance.sudo().monitor_secret)
        admin = instance.with_user(self.people["admin"])
        with self.assertRaises(AccessError):
            admin.read(["monitor_secret"])
        with self.assertRaises(AccessError):
            admin.write({"monitor_secret": "mine"})
        self.assertFalse(instance.copy({"name": "copy"}).sudo().monitor_secret)
