import inspect

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.models import MAGIC_COLUMNS
from odoo.service.model import get_public_method
from odoo.tests import TransactionCase, new_test_user, tagged
from odoo.tools import mute_logger

PREFIX = "odoo.addons.fleet_saas_server."
USERS = {
    "portal": "base.group_portal",
    "employee": "base.group_user",
    "agent": "fleet_saas_server.group_hosting_agent",
    "viewer": "fleet_saas_server.group_hosting_user",
    "operator": "fleet_saas_server.group_hosting_operator",
}
OPERATIONS = {"c": "create", "r": "read", "w": "write", "u": "unlink"}
# What viewers and operators may do with each model; everybody else may do nothing with any.
MODELS = {
    "saas.operation": ("r", "r"),
    "saas.operation.step": ("r", "r"),
    "saas.database": ("r", "rw"),
    "saas.database.template": ("r", "crwu"),
    "saas.database.template.version": ("r", "r"),
    "saas.pool.clone": ("r", "r"),
    "saas.backup": ("r", "r"),
    "saas.backup.policy": ("r", "crwu"),
    "saas.backup.place": ("r", "crwu"),
    "saas.backup.repository": ("r", "r"),
    "saas.difference": ("r", "r"),
    "saas.usage": ("r", "r"),
    "saas.database.snapshot": ("r", "rw"),
    "saas.database.domain": ("r", "r"),
    "saas.database.bulk": ("r", "rw"),
    "saas.database.bulk.line": ("r", "r"),
    "saas.health": ("crwu", "crwu"),
    "saas.import.wizard": ("", "crwu"),
    "saas.restore.wizard": ("", "crw"),
    "saas.login.wizard": ("", "crwu"),
    "saas.template.wizard": ("", "crwu"),
    "saas.database.create.wizard": ("", "crwu"),
    "saas.database.life.wizard": ("", "crwu"),
    "saas.database.bulk.wizard": ("", "crwu"),
}
ABSTRACT = {"saas.host", "saas.operation.owner", "saas.guarded", "saas.upload"}
# Fields that viewers never read, and those that no operator reads either.
HIDDEN = {
    "saas.operation": {"request"},
    "saas.database.bulk": {"arguments"},
    "saas.database.template.version": {"edit_password"},
    "saas.backup.place": {"access_key", "secret_key", "secret"},
    "saas.backup.repository": {"secret"},
}
SECRET = {"saas.backup.place": {"secret"}, "saas.backup.repository": {"secret"}}


@tagged("post_install", "-at_install")
class TestAccess(TransactionCase):
    """Who may do what with this server, over RPC too."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.users = {
            name: new_test_user(cls.env, f"access-{name}", groups=groups)
            for name, groups in USERS.items()
        }
        cls.acme = cls.env["saas.database"].create(
            {
                "name": "acme-access",
                "physical": "acme-access",
                "uuid": cls.env["saas.database"]._get_new_uuid(),
                "state": "active",
            }
        )
        cls.operation = cls.env["saas.operation"]._submit("suspend", "acme-access")
        cls.samples = {"saas.database": cls.acme, "saas.operation": cls.operation}
        for name in MODELS:
            cls.get_sample(name)

    @classmethod
    def get_sample(cls, model):
        """Return a record of a model, made of what it requires."""
        if model not in cls.samples:
            records = cls.env[model]
            values = {
                name: cls.make_value(model, field)
                for name, field in records._fields.items()
                if field.required and field.store and not field.compute and not field.default
            }
            cls.samples[model] = records.create(values)
        return cls.samples[model]

    @classmethod
    def make_value(cls, model, field):
        if field.type == "many2one":
            return cls.get_sample(field.comodel_name).id
        if field.type == "many2many":
            return [fields.Command.set(cls.acme.ids)]
        if field.type == "selection":
            return field.get_values(cls.env)[0]
        return {
            "char": f"sample-{model.replace('.', '-')}",
            "date": fields.Date.today(),
            "datetime": fields.Datetime.now(),
            "integer": 1,
        }[field.type]

    def ours(self):
        """Return the names of the models that this addon makes."""
        self.env.cr.execute(
            "SELECT m.model FROM ir_model m JOIN ir_model_data d "
            "ON d.model = 'ir.model' AND d.res_id = m.id AND d.module = 'fleet_saas_server' "
            "WHERE m.model LIKE 'saas.%'"
        )
        return {row[0] for row in self.env.cr.fetchall()}

    def test_every_model_is_in_the_table(self):
        self.assertEqual(self.ours(), set(MODELS) | ABSTRACT)

    def test_every_group_may_do_what_the_table_says_and_nothing_else(self):
        for model, (viewer, operator) in MODELS.items():
            wanted = {"viewer": viewer, "operator": operator}
            for name, user in self.users.items():
                records = self.env[model].with_user(user)
                found = {letter for letter, what in OPERATIONS.items() if records.has_access(what)}
                with self.subTest(model=model, user=name):
                    self.assertEqual(found, set(wanted.get(name, "")))

    def test_secrets_are_readable_by_nobody_and_what_operators_typed_by_them_alone(self):
        for model, hidden in HIDDEN.items():
            for name in ("viewer", "operator"):
                out_of_sight = hidden if name == "viewer" else SECRET.get(model, set())
                records = self.env[model].with_user(self.users[name])
                with self.subTest(model=model, user=name):
                    self.assertFalse(out_of_sight & set(records.fields_get()))
                    for field in out_of_sight:
                        with self.assertRaises(AccessError), mute_logger("odoo.models"):
                            records.browse(self.samples[model].id).read([field])

    def test_what_the_server_knows_of_a_database_is_written_by_nobody_else(self):
        values = {
            "saas.database": ("physical", "uuid", "name", "state", "archived_at"),
            "saas.database.snapshot": ("physical", "database_id"),
            "saas.database.bulk": ("state", "kind", "arguments"),
        }
        for model, names in values.items():
            record = self.samples[model].with_user(self.users["operator"])
            for name in names:
                with self.subTest(model=model, field=name), self.assertRaises(AccessError):
                    record.write({name: self.samples[model][name]})
        self.acme.with_user(self.users["operator"]).is_protected = True

    @mute_logger("odoo.models", "odoo.addons.base.models.ir_model")
    def test_no_write_of_ours_lets_anybody_else_write(self):
        for model, record in self.samples.items():
            values = {
                name: field.convert_to_write(record[name], record)
                for name, field in record._fields.items()
                if field.store and name not in MAGIC_COLUMNS
            }
            for user in ("portal", "employee", "agent", "viewer"):
                if model == "saas.health" and user == "viewer":
                    continue
                with self.subTest(model=model, user=user), self.assertRaises(AccessError):
                    record.with_user(self.users[user]).write(values)

    def public_methods(self):
        """Give every method of this addon that RPC may call: its model, its name."""
        for model in sorted(set(MODELS) | {"saas.host"}):
            records = self.env[model]
            for name in dir(type(records)):
                function = inspect.unwrap(getattr(type(records), name, None) or int)
                if name.startswith("_") or not inspect.isfunction(function):
                    continue
                if function.__module__.startswith(PREFIX) and name not in ("write", "default_get"):
                    try:
                        get_public_method(records, name)
                    except AccessError:
                        continue
                    yield model, name

    def state_of_everything(self):
        self.env.flush_all()
        found = [self.env["saas.operation"].search_count([])]
        for model, record in self.samples.items():
            self.env.cr.execute(
                f'SELECT to_jsonb(t) FROM "{record._table}" t WHERE id = %s',
                [record.id],
            )
            found.append((model, self.env.cr.fetchall()))
        return found

    def call(self, user, model, name):
        """Call a public method as RPC would, with an operation asked for where it wants arguments."""
        arguments = {
            "submit": ("suspend", "acme-access", "key-of-attack"),
            "status": ([self.operation.key],),
        }
        records = self.env[model].with_user(user)
        if model in self.samples:
            records = records.browse(self.samples[model].id)
        method = getattr(records, name)
        return method(*arguments.get(name, ()))

    @mute_logger("odoo.models", "odoo.addons.base.models.ir_model")
    def test_no_method_changes_anything_for_who_is_no_operator(self):
        methods = list(self.public_methods())
        self.assertGreater(len(methods), 40)
        self.assertIn(("saas.database", "action_resume"), methods)
        before = self.state_of_everything()
        for model, name in methods:
            for user in ("portal", "employee", "agent", "viewer"):
                if (model, user) == ("saas.host", "agent"):
                    continue
                with self.subTest(model=model, method=name, user=user):
                    try:
                        with self.env.cr.savepoint():
                            self.call(self.users[user], model, name)
                    except (AccessError, UserError):
                        pass
                    self.assertEqual(self.state_of_everything(), before)

    def test_who_is_no_agent_learns_nothing_from_the_methods_for_machines(self):
        for name in ("submit", "status", "inventory", "capabilities"):
            for user in ("portal", "employee", "viewer", "operator"):
                with self.subTest(method=name, user=user), self.assertRaises(AccessError):
                    self.call(self.users[user], "saas.host", name)

    def test_an_agent_gets_words_for_arguments_of_the_wrong_type(self):
        host = self.env["saas.host"].with_user(self.users["agent"])
        for keys in ([["x"]], [{}], "key", {}, [1]):
            with self.subTest(keys=keys), self.assertRaises(UserError):
                host.status(keys)
        for arguments in (
            (["create"], "acme-access", "key-of-attack"),
            ({}, "acme-access", "key-of-attack"),
            ("create", ["acme"], "key-of-attack"),
            ("create", "acme-two", ["key"]),
            ("create", "acme-two", "key-of-attack", ["x"]),
            ("create", "acme-two", "key-of-attack", {"template": {}}),
        ):
            with self.subTest(arguments=arguments), self.assertRaises(UserError):
                host.submit(*arguments)

    def test_secrets_are_shown_to_no_viewer(self):
        viewer = self.users["viewer"]
        for record, name in (
            (self.samples["saas.database.template"], "action_show_password"),
            (self.operation, "action_show_link"),
            (self.acme, "action_print_kit"),
        ):
            with self.subTest(method=name), self.assertRaisesRegex(UserError, "operators"):
                getattr(record.with_user(viewer), name)()
