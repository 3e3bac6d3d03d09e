from odoo import Command
from odoo.exceptions import AccessError, ValidationError
from odoo.tests import tagged

from .common import SaasCase


@tagged("post_install", "-at_install")
class TestTricks(SaasCase):
    """What an administrator may try without SQL gives him no user more, and no document less."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.admin = cls.env.ref("base.user_admin")
        cls.env = cls.env(user=cls.admin)
        cls.client = cls.env["saas.client"]
        cls.internal = cls.env.ref("base.group_user")

    def create_user(self, login="beyond", **values):
        return self.env["res.users"].create({"login": login, "name": login} | values)

    def refuse(self):
        return self.refused(r"is for \d+ users")

    def test_users_that_are_declared_external_count(self):
        mate = self.create_user("mate")
        self.limit_to(0)
        mate.write({"share": True})
        with self.refuse():
            self.create_user()
        with self.refuse():
            self.create_user(share=True)

    def test_the_meaning_of_internal_is_not_moved_to_make_room(self):
        self.limit_to(0)
        other = self.env["res.groups"].create({"name": "Other"})
        row = self.env["ir.model.data"].search(
            [("module", "=", "base"), ("name", "=", "group_user")]
        )
        row.write({"res_id": other.id})
        self.env.registry.clear_cache()
        with self.refuse():
            # Nobody is in the other group: these are free, until the name comes back.
            for number in range(3):
                self.create_user(f"n{number}", group_ids=[Command.set(self.internal.ids)])
            row.write({"res_id": self.internal.id})
        row.write({"name": "elsewhere", "res_id": self.internal.id})
        self.create_user("m", group_ids=[Command.set(self.internal.ids)])
        with self.refuse():
            row.write({"name": "group_user"})
        row.unlink()
        with self.refuse():
            self.env["ir.model.data"].create(
                {
                    "module": "base",
                    "name": "group_user",
                    "model": "res.groups",
                    "res_id": self.internal.id,
                }
            )
        self.env.registry.clear_cache()

    def test_an_import_does_not_move_the_meaning_of_internal(self):
        self.limit_to(0)
        limit = self.count()
        other = self.env["res.groups"].create({"name": "Other"})
        people = [self.create_user(f"n{n}", group_ids=other.ids).id for n in range(limit + 1)]
        self.env["ir.model.data"].search(
            [("module", "=", "base"), ("name", "=", "group_user")]
        ).unlink()
        rows = [["base.group_user", "User", ",".join(map(str, people))]]
        result = self.env["res.groups"].load(["id", "name", "user_ids/.id"], rows)
        self.assertFalse(result["ids"])
        self.assertRegex(result["messages"][0]["message"], r"is for \d+ users")
        self.assertEqual(self.count(), 0)
        self.env.registry.clear_cache()

    def run_code(self, code):
        """Run a server action as somebody does who takes no refusal for an answer."""
        code = f"try:\n    {code}\nexcept Exception:\n    pass"
        action = {"name": "x", "model_id": self.env["ir.model"]._get("res.users").id}
        self.env["ir.actions.server"].create(action | {"state": "code", "code": code}).run()

    def test_who_goes_on_after_a_refusal_has_nothing_of_it(self):
        self.limit_to(0)
        before = self.count()
        self.run_code("env['res.users'].create({'login': 'beyond', 'name': 'Beyond'})")
        self.assertEqual(self.count(), before)
        self.assertFalse(self.env["res.users"].search([("login", "=", "beyond")]))
        self.sign(limits={"apps": []})
        crm = self.env.ref("base.module_crm")
        self.run_code(f"env['ir.module.module'].browse({crm.id}).write({{'state': 'to install'}})")
        self.run_code(
            "env['ir.module.module'].create({'name': 'mine', 'state': 'installed', "
            "'application': True})"
        )
        self.env.invalidate_all()
        self.assertEqual(crm.state, "uninstalled")
        self.assertFalse(self.env["ir.module.module"].search([("name", "=", "mine")]))

    def test_no_method_takes_document_or_log_away(self):
        self.limit_to(0)
        line = self.env["saas.access"].sudo().create({"login": "x", "operator": "Olga"})
        self.run_code("env['saas.client']._drop_tables()")
        self.run_code("env['saas.access'].sudo().search([]).unlink()")
        self.run_code("env['saas.access'].sudo().search([]).write({'operator': False})")
        self.assertEqual(line.operator, "Olga")
        with self.refuse():
            self.create_user()

    def test_a_custom_field_reaches_no_table_of_the_limits(self):
        self.sign()
        for table in (
            "fleet_document",
            "fleet_ticket",
            "fleet_notice",
            "res_groups_users_rel",
            "res_groups_implied_rel",
            "ir_module_module",
            "ir_model_data",
        ):
            with self.subTest(table), self.assertRaises(ValidationError):
                self.create_field(table)

    def test_custom_fields_on_tables_of_their_own_are_free(self):
        self.sign()
        values = {"state": "manual", "relation_table": "x_partner_bank_rel"}
        self.env["ir.model.fields"].new(values)._check_relation_table_is_free()

    def create_field(self, table):
        return self.env["ir.model.fields"].create(
            {
                "model_id": self.env["ir.model"]._get("res.partner").id,
                "name": "x_members",
                "ttype": "many2many",
                "relation": "res.bank",
                "relation_table": table,
                "column1": "id",
                "column2": "checked",
                "state": "manual",
            }
        )

    def test_no_module_takes_the_document_along_when_it_goes(self):
        values = {
            "model": self.env["ir.model"]._get("res.partner").id,
            "module": self.env.ref("base.module_contacts").id,
        }
        with self.assertRaises(ValidationError):
            self.env["ir.model.relation"].create(values | {"name": "fleet_document"})
        relation = self.env["ir.model.relation"].create(values | {"name": "x_rel"})
        with self.assertRaises(ValidationError):
            relation.name = "fleet_document"

    def test_neither_model_nor_parameter_leads_to_the_document(self):
        self.assertNotIn("fleet.document", self.env)
        tables = {model._table for model in self.env.values()}
        self.assertFalse(tables & {"fleet_document", "fleet_ticket", "fleet_notice"})
        self.assertFalse(
            [name for name in dir(self.client) if not name.startswith("_") and "fleet" in name]
        )
        self.limit_to(0)
        parameters = self.env["ir.config_parameter"]
        for key in ("database.uuid", "fleet_trust", "data_dir", "fleet.trust"):
            parameters.set_param(key, "/elsewhere")
        with self.refuse():
            self.create_user()

    def test_rules_access_rights_crons_and_views_change_no_limit(self):
        self.limit_to(0)
        self.env["ir.rule"].create(
            {
                "name": "Nobody",
                "model_id": self.env["ir.model"]._get("res.users").id,
                "domain_force": "[('id', '=', 0)]",
                "groups": [Command.set(self.env.ref("base.group_portal").ids)],
            }
        )
        self.env.ref("fleet_saas_client.ir_cron_post_notices").active = False
        self.env.ref("fleet_saas_client.login_portal").active = False
        self.env["ir.model.data"].search([("module", "=", "fleet_saas_client")]).unlink()
        with self.refuse():
            self.create_user()

    def test_a_server_action_that_writes_records_is_refused_like_a_person(self):
        self.limit_to(0)
        former = (
            self.env["res.users"]
            .with_context(active_test=False)
            .search([("active", "=", False), ("id", "not in", [1])], limit=1)
        )
        former.group_ids = [Command.set(self.internal.ids)]
        action = self.env["ir.actions.server"].create(
            {
                "name": "Back",
                "model_id": self.env["ir.model"]._get("res.users").id,
                "state": "object_write",
                "update_path": "active",
                "update_boolean_value": "true",
            }
        )
        with self.refuse():
            action.with_context(
                active_model="res.users", active_id=former.id, active_ids=former.ids
            ).run()

    def test_the_log_of_accesses_is_only_read(self):
        access = self.env["saas.access"]
        self.assertTrue(access.has_access("read"))
        for operation in ("create", "write", "unlink"):
            self.assertFalse(access.has_access(operation))
        line = access.sudo().create({"login": "x", "operator": "Olga"}).sudo(False)
        self.env.ref("fleet_saas_client.access_saas_access_system").write(
            {"perm_create": True, "perm_write": True, "perm_unlink": True}
        )
        for change in (
            lambda: line.write({"operator": False}),
            lambda: line.unlink(),
            lambda: access.create({"operator": "Somebody else"}),
        ):
            with self.assertRaisesRegex(AccessError, "Nobody changes the list"):
                change()
