from datetime import timedelta

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import TransactionCase, tagged

from odoo.addons.fleet_saas_server import settings
from odoo.addons.fleet_saas_server.hosting.personalise import password_hash


@tagged("post_install", "-at_install")
class TestCreate(TransactionCase):
    def test_a_password_is_stored_neither_in_clear_nor_as_its_hash(self):
        hashed = password_hash("correct horse")
        template = self.env["saas.database.template"].create(
            {"name": "Tiny", "code": "tiny", "module_names": "base_setup"}
        )
        version = self.env["saas.database.template.version"].create(
            {"template_id": template.id, "number": 1, "physical": "fleet_t_tiny_" + "0" * 32}
        )
        version.state = "published"
        operation = self.env["saas.operation"]._submit(
            "create",
            "fleet-secretive",
            {"template": "tiny", "personal": {"company": "Acme", "password_hash": hashed}},
        )
        self.assertNotIn(hashed, str(operation.request))
        self.assertEqual(operation.request["personal"], {"company": "Acme"})
        found = self.env["saas.database"]._get_operation_secrets(operation)
        self.assertEqual(found["password_hash"], hashed)
        self.assertEqual(settings.decrypt(operation.request["password"]), hashed)

    def test_only_a_neutralised_copy_keeps_the_logins_of_its_source(self):
        database = self.env["saas.database"].create(
            {
                "name": "fleet-source",
                "uuid": self.env["saas.database"]._get_new_uuid(),
                "physical": "fleet-source",
                "state": "active",
            }
        )
        for purpose, kept in (("staging", True), ("customer", False)):
            operation = self.env["saas.operation"]._submit(
                "duplicate",
                f"fleet-{purpose}",
                {"source": database.name, "purpose": purpose, "keep_logins": True},
            )
            self.assertIs(operation.request["keep_logins"], kept)

    def make(self, name="fleet-late"):
        source = self.env["saas.database"].create(
            {
                "name": f"{name}-source",
                "uuid": self.env["saas.database"]._get_new_uuid(),
                "physical": f"{name}-source",
                "state": "active",
            }
        )
        operation = self.env["saas.operation"]._submit("duplicate", name, {"source": source.name})
        return operation, self.env["saas.database"].browse(operation.res_id)

    def fail(self, operation, **notes):
        for step in operation.step_ids:
            step.write({"state": "undone", "evidence": notes.get(step.name)})
        operation.write({"state": "failed", "error_code": "undo_failed"})
        operation._apply()

    def test_what_was_made_is_measured_soon_but_not_at_once(self):
        operation, database = self.make()
        measure = self.env.ref("fleet_saas_server.ir_cron_measure")
        triggers = self.env["ir.cron.trigger"].search([("cron_id", "=", measure.id)])
        operation.step_ids.state = "done"
        operation.state = "done"
        operation._apply()
        self.assertEqual(database.state, "active")
        new = self.env["ir.cron.trigger"].search([("cron_id", "=", measure.id)]) - triggers
        self.assertEqual(len(new), 1)
        self.assertGreater(new.call_at, fields.Datetime.now() + timedelta(seconds=20))

    def test_what_an_undo_found_in_use_is_hosted_and_not_made_again(self):
        operation, database = self.make()
        self.fail(operation, publish={"in_use": True})
        self.assertEqual((database.state, database.physical), ("active", "fleet-late"))
        with self.assertRaisesRegex(UserError, "finished or is in use"):
            operation.action_retry()

    def test_what_was_undone_is_made_again_unless_it_was_taken_off_the_list(self):
        operation, database = self.make()
        self.fail(operation)
        self.assertEqual(database.state, "failed")
        operation.action_retry()
        self.assertEqual(database.state, "creating")
        self.fail(operation)
        database.action_forget()
        with self.assertRaisesRegex(UserError, "does not exist"):
            operation.action_retry()
