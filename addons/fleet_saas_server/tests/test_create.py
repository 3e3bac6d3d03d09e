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
