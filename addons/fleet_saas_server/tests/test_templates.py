from datetime import timedelta

from freezegun import freeze_time
from psycopg2.errors import UniqueViolation

from odoo import fields
from odoo.exceptions import UserError, ValidationError
from odoo.tests import Form, TransactionCase, new_test_user, tagged
from odoo.tools import mute_logger

CLOSED = {"size": 60 << 20, "files": 3, "file_bytes": 1 << 20, "modules": {"base": ["1.0", "a"]}}


@tagged("post_install", "-at_install")
class TestTemplates(TransactionCase):
    """What operations on templates reserve, and what they leave on the records."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.operations = cls.env["saas.operation"]
        cls.template = cls.env["saas.database.template"].create(
            {
                "name": "Grocery",
                "code": "grocery",
                "module_names": "sale,  stock\nsale",
                "demo": True,
            }
        )

    def submit(self, kind, arguments=None, key=None):
        return self.operations._submit(kind, "grocery", arguments, key)

    def end(self, operation, state="done", **evidence):
        """End an operation as its runner does, and apply its result."""
        now = fields.Datetime.now()
        operation.write({"state": state, "started": now, "ended": now, "error_message": "No."})
        for step in operation.step_ids:
            step.evidence = evidence.get(step.name, {})
        operation._apply()

    def build(self):
        operation = self.submit("template_build")
        self.end(operation, close=CLOSED)
        return self.env["saas.database.template.version"].browse(operation.res_id)

    def check_out(self):
        operation = self.submit("template_checkout")
        self.end(operation, show={"url": "https://grocery-edit.example", "login": "admin"})
        return self.env["saas.database.template.version"].browse(operation.res_id)

    def states(self):
        self.template.invalidate_recordset()
        return {version.number: version.state for version in self.template.version_ids}

    # --- definitions

    def test_four_definitions_are_ready(self):
        codes = self.env["saas.database.template"].search([]).mapped("code")
        self.assertLessEqual({"blank", "restaurant", "ecommerce", "services"}, set(codes))

    def test_a_code_follows_the_name_rule_also_for_its_editable_copy(self):
        for code in ("Grocery", "a_b", "www", "x", "a" * 40):
            with self.assertRaises(ValidationError):
                self.template.code = code
                self.template.flush_recordset()

    def test_what_is_no_module_name_is_refused(self):
        with self.assertRaisesRegex(ValidationError, "--stop"):
            self.template.module_names = "sale --stop"

    def test_the_code_stays_once_a_version_exists(self):
        self.build()
        with self.assertRaises(UserError):
            self.template.code = "store"

    def test_the_form_saves_a_new_definition(self):
        with Form(self.env["saas.database.template"]) as form:
            form.name = "Kiosk"
            form.code = "kiosk"
        self.assertEqual(form.record.status, "empty")

    # --- building

    def test_a_build_is_asked_with_what_the_definition_says(self):
        operation = self.submit("template_build")
        version = self.template.version_ids
        self.assertEqual(operation.target, "template:grocery")
        self.assertEqual(version.state, "building")
        self.assertEqual(operation.request["modules"], ["sale", "stock"])
        self.assertEqual(operation.request["physical"], version.physical)
        self.assertTrue(operation.request["demo"])

    def test_arguments_change_the_definition_and_may_make_one(self):
        self.submit("template_build", {"modules": ["crm"], "lang": "fr_FR", "country": "FR"})
        self.assertEqual(self.template._get_modules(), ["crm"])
        self.assertEqual(self.template.country_id.code, "FR")
        self.operations._submit("template_build", "new-one", {"modules": ["crm"]})
        self.assertTrue(self.env["saas.database.template"]._get_by_code("new-one").version_ids)
        with self.assertRaises(UserError):
            self.operations._submit("template_build", "nothing-known")

    def test_one_version_is_built_at_a_time(self):
        self.submit("template_build")
        with self.assertRaisesRegex(UserError, "is being built"):
            self.submit("template_build")

    def test_two_versions_cannot_both_be_published(self):
        first = self.build()
        with mute_logger("odoo.sql_db"), self.assertRaises(UniqueViolation):
            first.copy({"number": 9, "physical": "x", "state": "published"}).flush_recordset()

    def test_a_finished_build_is_published_and_the_version_before_kept(self):
        self.build()
        self.build()
        third = self.build()
        self.assertEqual(self.states(), {1: "retired", 2: "previous", 3: "published"})
        self.assertEqual(self.env["saas.database.template"]._get_published("grocery"), third)
        self.assertEqual(third.size_mb, 60)

    def test_a_failed_build_changes_nothing_that_is_published(self):
        self.build()
        self.end(self.submit("template_build"), "failed")
        self.assertEqual(self.states(), {1: "published", 2: "failed"})

    def test_a_failed_build_can_be_retried(self):
        operation = self.submit("template_build")
        self.end(operation, "failed")
        operation.action_retry()
        self.assertEqual(self.states(), {1: "building"})

    def test_nothing_is_published_before_the_first_build(self):
        with self.assertRaisesRegex(UserError, "no published version"):
            self.env["saas.database.template"]._get_published("grocery")

    def test_a_result_is_applied_once_even_when_asked_twice(self):
        self.build()
        operation = self.submit("template_build")
        self.end(operation, close=CLOSED)
        self.template._apply_template_build(operation)
        self.assertEqual(self.states(), {1: "previous", 2: "published"})

    # --- editing

    def test_an_edited_copy_becomes_the_next_version(self):
        self.build()
        version = self.check_out()
        self.assertEqual(version.physical, "grocery-edit")
        operation = self.submit("template_publish")
        self.assertEqual(version.state, "building")
        physical = operation.request["physical"]
        self.end(operation, close=CLOSED, route={"physical": physical})
        self.assertEqual(self.states(), {1: "previous", 2: "published"})
        self.assertEqual(version.physical, physical)
        self.assertFalse(version.sudo().edit_password)

    def test_a_copy_that_could_not_be_published_stays_checked_out(self):
        self.build()
        self.check_out()
        self.end(self.submit("template_publish"), "failed")
        self.assertEqual(self.states(), {1: "published", 2: "editing"})

    def test_a_template_is_checked_out_once(self):
        self.build()
        self.check_out()
        with self.assertRaisesRegex(UserError, "already"):
            self.submit("template_checkout")

    def test_a_name_that_a_customer_has_is_not_taken_for_the_copy(self):
        self.build()
        self.env["saas.database"].create({"name": "grocery-edit", "uuid": "x", "state": "active"})
        with self.assertRaisesRegex(UserError, "grocery-edit is taken"):
            self.submit("template_checkout")

    def test_after_a_failed_check_out_another_one_can_be_asked_for(self):
        self.build()
        self.end(self.submit("template_checkout"), "failed")
        self.check_out()
        self.assertEqual(self.states(), {1: "published", 2: "failed", 3: "editing"})

    def test_a_discarded_copy_is_forgotten(self):
        self.build()
        self.check_out()
        self.end(self.submit("template_discard"))
        self.assertEqual(self.states(), {1: "published"})

    def test_the_password_of_the_copy_is_stored_encrypted_and_handed_on_hashed(self):
        self.build()
        operation = self.submit("template_checkout")
        version = self.template.editing_version_id
        secrets = self.template._get_operation_secrets(operation)
        self.assertTrue(secrets["password_hash"].startswith("$pbkdf2-sha512$"))
        self.end(operation, show={"url": "https://grocery-edit.example", "login": "admin"})
        password = self.template.action_show_password()["context"]["default_password"]
        self.assertNotIn(password, version.sudo().edit_password)
        self.assertNotIn(password, str(operation.request))

    # --- versions

    def test_a_rollback_swaps_the_two_last_versions(self):
        self.build()
        self.build()
        self.end(self.submit("template_rollback"))
        self.assertEqual(self.states(), {1: "published", 2: "previous"})
        self.end(self.submit("template_rollback"))
        self.assertEqual(self.states(), {1: "previous", 2: "published"})

    def test_without_a_version_before_there_is_no_rollback(self):
        self.build()
        with self.assertRaisesRegex(UserError, "no version before"):
            self.submit("template_rollback")

    def test_a_published_version_is_not_dropped_alone(self):
        self.build()
        with self.assertRaisesRegex(UserError, "cannot be dropped"):
            self.submit("template_drop", {"version": 1})

    def test_a_version_in_use_is_not_dropped(self):
        version = self.build()
        self.operations._submit("create", "acme", {"template": "grocery"})
        self.build()
        self.assertEqual(version.in_use_count, 1)
        with self.assertRaisesRegex(UserError, r"still used by operations or ready clones \(1\)"):
            self.submit("template_drop", {"version": 1})

    def test_nobody_can_choose_a_template_that_is_being_dropped(self):
        self.build()
        operation = self.submit("template_drop")
        with self.assertRaisesRegex(UserError, "no published version"):
            self.env["saas.database.template"]._get_published("grocery")
        self.end(operation, "failed")
        self.assertEqual(self.states(), {1: "published"})

    def test_a_dropped_template_is_archived_and_can_be_deleted(self):
        self.build()
        with self.assertRaises(UserError):
            self.template.unlink()
        self.end(self.submit("template_drop"))
        self.assertFalse(self.template.active)
        self.template.unlink()

    def test_retired_versions_that_nobody_uses_are_dropped_by_the_clock(self):
        for _number in range(3):
            self.build()
        self.template.compared_at = fields.Datetime.now()
        self.env["saas.database.template"]._drop_retired()
        dropped = self.operations.search([("kind", "=", "template_drop")])
        self.assertEqual(list(dropped.request["numbers"].values()), [1])

    def test_dropping_a_failed_check_out_leaves_the_copy_of_another_one_alone(self):
        self.build()
        self.end(self.submit("template_checkout"), "failed")
        self.check_out()
        operation = self.submit("template_drop", {"version": 2})
        self.assertEqual(operation.request["numbers"], {})
        self.end(operation)
        self.assertEqual(self.states(), {1: "published", 3: "editing"})

    # --- freshness

    def test_a_template_that_differs_is_stale_and_built_again_when_that_is_asked(self):
        version = self.build()
        operation = self.submit("template_refresh", {"rebuild": True})
        self.end(operation, compare={"differ": {"base": "1.0 → 1.1"}})
        self.assertTrue(self.template.is_stale)
        self.assertEqual(version.stale_text, "base (1.0 → 1.1)")
        self.assertEqual(self.states(), {1: "published", 2: "building"})

    def test_a_template_that_is_fresh_is_not_built_again(self):
        self.build()
        self.end(self.submit("template_refresh", {"rebuild": True}), compare={"differ": {}})
        self.assertEqual(self.states(), {1: "published"})

    def test_a_stale_template_whose_source_is_gone_says_so(self):
        source = self.env["saas.database"].create(
            {"name": "origin", "uuid": "o", "state": "active", "physical": "origin"}
        )
        self.template.write({"origin": "database", "source_id": source.id})
        version = self.build()
        built = self.operations.search([("res_id", "=", version.id)], limit=1)
        self.assertEqual(built.request["source_uuid"], "o")
        source.state = "dropped"
        operation = self.submit("template_refresh", {"rebuild": True})
        self.end(operation, compare={"differ": {"base": "files"}})
        self.assertTrue(operation.applied)
        self.assertIn("cannot be built again", self.template.message_ids[0].body)

    def asked(self):
        self.env["saas.database.template"]._cron_look_after()
        found = self.operations.search(
            [("kind", "=", "template_refresh"), ("target", "=", "template:grocery")]
        )
        return [operation.request["rebuild"] for operation in found]

    def test_the_clock_compares_once_a_day_and_builds_at_the_rhythm_of_the_template(self):
        # 2026-03-04 is a Wednesday.
        self.template.write({"rebuild": "weekly", "rebuild_weekday": "3", "rebuild_hour": 2})
        with freeze_time("2026-03-04 01:00:00"):
            self.build()
            self.assertEqual(self.asked(), [])
        with freeze_time("2026-03-04 02:30:00"):
            self.assertEqual(self.asked(), [False])
            self.assertEqual(self.asked(), [False])
            self.end(
                self.operations.search([("kind", "=", "template_refresh")]), compare={"differ": {}}
            )
            self.assertEqual(self.asked(), [False])
        with freeze_time("2026-03-05 02:30:00"):
            self.assertEqual(self.asked(), [True, False])

    def test_a_template_that_is_rebuilt_by_hand_is_compared_only(self):
        self.template.rebuild = "never"
        self.build()
        with freeze_time(fields.Datetime.now() + timedelta(days=20)):
            self.assertEqual(self.asked(), [False])

    # --- its form

    def test_its_form_stays_open_and_says_which_module_is_being_installed(self):
        action = self.template.action_build()
        self.assertEqual(action["type"], "ir.actions.act_window_close")
        operation = self.template.operation_id
        self.assertEqual(operation.kind, "template_build")
        install = operation.step_ids.filtered(lambda step: step.name == "install")
        install.state = "running"
        operation.write({"state": "running", "progress_text": "Module web"})
        self.template.invalidate_recordset()
        self.assertEqual(self.template.operation_text, "Install the modules: Module web")
        self.assertEqual(self.template.status, "working")

    def test_a_failure_stays_on_its_form_until_something_else_was_done(self):
        operation = self.submit("template_build")
        operation.write({"error_code": "module_unknown", "error_facts": {"module": "sail"}})
        self.end(operation, "failed")
        self.assertEqual(self.template.failed_operation_id, operation)
        self.assertIn("There is no module sail", self.template.failure_reason)
        self.build()
        self.template.invalidate_recordset()
        self.assertFalse(self.template.failed_operation_id or self.template.failure_reason)

    def test_operations_lead_to_the_template_since_versions_have_no_form(self):
        operation = self.submit("template_build")
        action = operation.action_open_record()
        self.assertEqual(
            (action["res_model"], action["res_id"]), (self.template._name, self.template.id)
        )
        self.end(operation, close=CLOSED)
        fill = self.operations._submit("pool_fill", "grocery")
        self.assertEqual(fill.action_open_record()["res_id"], self.template.id)

    # --- rights

    def test_viewers_see_templates_and_ask_for_nothing(self):
        self.build()
        viewer = new_test_user(
            self.env, "template-viewer", groups="fleet_saas_server.group_hosting_user"
        )
        template = self.template.with_user(viewer)
        self.assertEqual(template.status, "ready")
        for action in ("action_build", "action_check_out", "action_show_password"):
            with self.assertRaises(UserError):
                getattr(template, action)()
        self.assertFalse(
            self.env["saas.database.template.version"].with_user(viewer).has_access("write")
        )
