import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.modules import get_module_path
from odoo.tests import HttpCase, tagged
from odoo.tools import SQL, config

from ..models.databases_odoocom import SECRET_PARAMETER
from ..vault import Vault, generate_key
from .common import DatabasesCase
from .fake_odoo import KEY, LOGIN

SECRET = "very-secret-key-8842"


class TestKey(DatabasesCase):
    """An API key goes in, and never comes out."""

    def setUp(self):
        super().setUp()
        self.remote, self.project = self.add(key=SECRET, values={"database_api_key": SECRET})

    def stored(self, project=None):
        """Return what the table holds."""
        self.env.flush_all()
        query = SQL(
            "SELECT database_api_key_secret FROM project_project WHERE id = %s",
            (project or self.project).id,
        )
        [[token]] = self.env.execute_query(query)
        return token

    def tables_with(self, text):
        """Return the tables and columns, of any type, in which ``text`` can be read."""
        self.env.flush_all()
        columns = self.env.execute_query(
            SQL("""
                SELECT c.table_name, array_agg(c.column_name::text) FROM information_schema.columns c
                  JOIN information_schema.tables t USING (table_schema, table_name)
                 WHERE c.table_schema = 'public' AND t.table_type = 'BASE TABLE'
                   AND c.data_type IN ('text', 'character varying', 'jsonb', 'json', 'bytea', 'ARRAY', 'xml')
              GROUP BY c.table_name""")
        )
        found = []
        for table, names in columns:
            one = SQL(" || ' ' || ").join(
                SQL("coalesce(%s::text, '')", SQL.identifier(name)) for name in names
            )
            query = SQL(
                "SELECT 1 FROM %s WHERE position(%s in %s) > 0 LIMIT 1",
                SQL.identifier(table),
                text,
                one,
            )
            if self.env.execute_query(query):
                found.append(table)
        return found

    def test_only_its_ciphertext_is_stored(self):
        """The table holds a token that only the server's key opens, and no table holds the key itself."""
        token = self.stored()
        self.assertEqual(Vault([self.secret_key]).decrypt(token), SECRET)
        with self.commits() as env:
            env["res.config.settings"].create({"databases_odoocom_key": SECRET}).execute()
        self.synchronize(self.project)
        self.project.with_user(self.manager).write({"database_api_key": SECRET + "x"})
        self.assertTrue(self.tables_with(token[:5]), "the search itself works")
        self.assertFalse(self.tables_with(SECRET))
        parameter = self.env["ir.config_parameter"].get_param(SECRET_PARAMETER)
        self.assertEqual(Vault([self.secret_key]).decrypt(parameter), SECRET)

    def test_nobody_reads_it(self):
        """Not even an administrator reads key or ciphertext, whichever way they ask."""
        for reader in (self.manager, self.env.ref("base.user_admin")):
            project = self.project.with_user(reader)
            names = ["database_api_key"]
            texts = [
                project.read(names),
                project.read(
                    [name for name in project.fields_get() if name.startswith("database_")]
                ),
                project.web_read({"database_api_key": {}, "database_has_api_key": {}}),
                project.search_read([("id", "=", project.id)], names),
                project.export_data(names),
                project.copy_data(),
                project.database_api_key,
                project.onchange({}, [], {"database_api_key": {}}),
                self.env["project.project"].with_user(reader).default_get(names),
            ]
            self.assertNotIn(SECRET, str(texts))
            self.assertNotIn(self.stored(), str(texts))
            self.assertTrue(project.database_has_api_key)
            for call in (
                lambda p: p.read(["database_api_key_secret"]),
                lambda p: p.database_api_key_secret,
                lambda p: p.export_data(["database_api_key_secret"]),
                lambda p: p.search([("database_api_key_secret", "=like", "gA%")]),
                lambda p: p.search([], order="database_api_key_secret"),
                lambda p: p._read_group([], ["database_api_key_secret"]),
                lambda p: p.formatted_read_group([], ["database_api_key_secret"], ["__count"]),
                lambda p: p.write({"database_api_key_secret": "x"}),
                lambda p: p.env["project.task"].search(
                    [("project_id.database_api_key_secret", "=like", "gA%")]
                ),
                lambda p: p.mapped("database_api_key_secret"),
            ):
                with self.assertRaises(AccessError):
                    call(project)
            self.assertNotIn("database_api_key_secret", project.fields_get())

    def test_it_cannot_be_guessed_by_searching(self):
        """There is no search, order nor group over the key."""
        Project = self.Project.with_user(self.manager)
        for call in (
            lambda: Project.search([("database_api_key", "=like", "v%")]),
            lambda: Project.search([("database_api_key", "!=", False)]),
            lambda: Project.search([], order="database_api_key"),
            lambda: Project._read_group([], ["database_api_key"]),
            lambda: (
                self.env["project.task"]
                .with_user(self.manager)
                .search([("project_id.database_api_key", "ilike", "v")])
            ),
        ):
            with self.assertRaises(Exception) as caught:
                call()
            self.assertIsInstance(caught.exception, (ValueError, UserError))

    def test_lower_groups_do_not_know_the_field(self):
        """Below administrator the field does not exist, and the login only from Databases User on."""
        self.env["databases.user"].create(
            {
                "project_id": self.project.id,
                "remote_id": 90,
                "login": self.user.login,
                "name": "Ann",
            }
        )
        project = self.project.with_user(self.user)
        self.assertEqual(project.database_api_login, LOGIN)
        names = project.fields_get()
        self.assertIn("database_api_login", names)
        self.assertNotIn("database_api_key", names)
        with self.assertRaises(AccessError):
            project.read(["database_api_key"])
        with self.assertRaises(AccessError):
            project.read(["database_ca"])
        for stranger in (self.project_manager, self.internal, self.portal):
            names = self.Project.with_user(stranger).fields_get()
            self.assertFalse(
                {"database_api_key", "database_api_login", "database_has_api_key"} & names.keys()
            )

    def test_chatter_says_nothing(self):
        """Neither messages nor tracking values hold the key."""
        with self.commits() as env:
            project = env["project.project"].with_user(self.manager).browse(self.project.id)
            project.write({"database_api_key": SECRET + "2", "database_name": "renamed"})
            env.cr.flush()
        messages = self.project.message_ids
        values = self.env["mail.tracking.value"].search([("mail_message_id", "in", messages.ids)])
        self.assertTrue(values, "other fields are tracked")
        self.assertNotIn(SECRET, str(messages.mapped("body")) + str(values.read()))
        self.assertFalse(values.filtered(lambda value: "api_key" in value.field_id.name))

    def test_another_address_blanks_it(self):
        """Key, certificate and end date go when URL or database name change."""
        for values in ({"database_url": "https://evil.example.com"}, {"database_name": "evil"}):
            with self.subTest(values):
                self.project.write(
                    {
                        "database_url": self.remote.url,
                        "database_name": "acme",
                        "database_ca": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
                    }
                )
                self.project.write(
                    {"database_api_key": SECRET, "database_api_key_expiry": "2030-01-01"}
                )
                self.assertTrue(self.stored())
                self.project.with_user(self.manager).write(values)
                self.assertFalse(self.stored())
                self.assertFalse(self.project.database_has_api_key or self.project.database_ca)
                self.assertFalse(self.project.database_api_key_expiry)

    def test_a_key_written_with_its_address_stays(self):
        """A new address with its new key is one change."""
        self.project.with_user(self.manager).write(
            {"database_url": "https://new.example.com", "database_api_key": "new"}
        )
        self.assertEqual(Vault([self.secret_key]).decrypt(self.stored()), "new")

    def test_the_form_blanks_it_too(self):
        """Saving the form with another address removes the key; with the key filled in it is the new one."""
        project = self.project.with_user(self.manager)
        project.web_save({"database_name": "other"}, {"database_has_api_key": {}})
        self.assertFalse(self.stored())
        project.web_save(
            {"database_name": "acme", "database_api_key": "new"}, {"database_has_api_key": {}}
        )
        self.assertEqual(Vault([self.secret_key]).decrypt(self.stored()), "new")
        project.web_save({"name": "Renamed"}, {"database_has_api_key": {}})
        self.assertTrue(self.stored())

    def test_several_at_once(self):
        """A change over many databases blanks the key of those that it moves, and of no other."""
        _remote, second = self.add("second", {"database_api_key": SECRET})
        (self.project | second).write({"database_name": "acme"})
        self.assertTrue(self.stored())
        self.assertFalse(self.stored(second))

    def test_an_empty_key_removes_it(self):
        """Clearing the field removes the stored key."""
        self.project.with_user(self.manager).write({"database_api_key": False})
        self.assertFalse(self.stored())

    def test_spaces_around_it_are_dropped(self):
        """A key that was pasted with a line break works."""
        self.project.database_api_key = f" {SECRET}\n"
        self.synchronize(self.project)
        self.assertEqual(self.project.database_state, "ok")

    def test_without_the_servers_key_nothing_is_stored(self):
        """A missing or malformed encryption key is told when a key is entered, and in Settings."""
        for keys, state, words in (
            ("", "missing", "has no encryption key"),
            ("abc", "malformed", "is not valid: fleet_secret_keys"),
            (f"{generate_key()},abc", "malformed", "is not valid: fleet_secret_keys"),
        ):
            with self.subTest(state):
                self.set_server_keys(keys)
                with self.assertRaisesRegex(UserError, words):
                    self.project.with_user(self.manager).write({"database_api_key": "x"})
                settings = self.env["res.config.settings"].create({})
                self.assertEqual(settings.databases_secret_state, state)
        self.set_server_keys(self.secret_key)
        self.assertEqual(self.env["res.config.settings"].create({}).databases_secret_state, "ok")

    def test_the_former_key_still_decrypts(self):
        """With a new key in front of the old one, everything still works."""
        self.set_server_keys(f"{generate_key()}, {self.secret_key}")
        self.synchronize(self.project)
        self.assertEqual(self.project.database_state, "ok")

    def test_the_log_never_holds_it(self):
        """Around writes and synchronisations, also failing ones, the log at DEBUG has no key."""
        with self.assertLogs("", "DEBUG") as logs:
            self.project.with_user(self.manager).write({"database_api_key": SECRET + "3"})
            self.synchronize(self.project)
            self.remote.key = SECRET + "3"
            self.synchronize(self.project)
            self.remote.fault = "server"
            self.synchronize(self.project)
            self.env["databases.odoocom"]._set_key(SECRET)
        self.assertNotIn(SECRET, "\n".join(logs.output))

    def test_errors_never_hold_it(self):
        """A key that cannot be sent is named by its field, not by its value."""
        self.project.database_api_key = "very-secret\nkey"
        self.synchronize(self.project)
        self.assertEqual(self.project.database_error_code, "bad_setting")
        self.assertIn("api key", self.project.database_last_error)
        self.assertNotIn("very-secret", self.project.database_last_error)

    def test_the_settings_field_is_write_only(self):
        """Settings show that there is a key, never which; an empty field leaves it, a button forgets it."""
        settings = self.env["res.config.settings"].create({"databases_odoocom_key": SECRET})
        self.assertNotIn(SECRET, str(settings.read()))
        again = self.env["res.config.settings"].create({})
        self.assertFalse(again.databases_odoocom_key)
        self.assertTrue(again.databases_has_odoocom_key)
        again.execute()
        self.assertTrue(self.env["ir.config_parameter"].get_param(SECRET_PARAMETER))
        again.action_databases_forget_key()
        self.assertFalse(self.env["ir.config_parameter"].get_param(SECRET_PARAMETER))
        with self.assertRaises(AccessError):
            settings.with_user(self.manager).action_databases_forget_key()
        with self.assertRaises(AccessError):
            self.env["res.config.settings"].with_user(self.manager).create(
                {"databases_odoocom_key": "x"}
            )

    def test_neutralisation_removes_every_secret(self):
        """A neutralised copy has no key, and asks nobody."""
        self.env["databases.odoocom"]._set_key(SECRET)
        self.env.flush_all()
        text = Path(get_module_path("fleet_databases"), "data", "neutralize.sql").read_text(
            encoding="utf-8"
        )
        self.env.cr.execute(text)
        self.env.invalidate_all()
        self.assertFalse(self.stored())
        self.assertFalse(self.env["ir.config_parameter"].search([("key", "=", SECRET_PARAMETER)]))
        crons = self.env["ir.cron"].with_context(active_test=False)
        for name in ("ir_cron_pull", "ir_cron_synchronize", "ir_cron_work"):
            self.assertFalse(crons.browse(self.env.ref(f"fleet_databases.{name}").id).active, name)
        self.assertTrue(self.project.database_url)


class TestKeysCommand(DatabasesCase):
    """``odoo-bin databases_keys``, as a process of its own."""

    def run_command(self, *arguments, keys="", head=True):
        addons = ",".join(
            dict.fromkeys(
                [*config["addons_path"], str(Path(get_module_path("fleet_databases")).parent)]
            )
        )
        paths = [f"--addons-path={addons}"] if head else []
        environment = {
            **os.environ,
            "FLEET_SECRET_KEYS": keys,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        }
        if config["db_password"]:
            environment["PGPASSWORD"] = config["db_password"]
        return subprocess.run(
            [sys.executable, "-m", "odoo", *paths, "databases_keys", *arguments],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def test_generate_prints_a_key(self):
        """The command is found on the addons path and prints a key that works."""
        result = self.run_command("generate")
        self.assertEqual(result.returncode, 0, result.stderr)
        key = result.stdout.strip()
        self.assertEqual(Vault([key]).decrypt(Vault([key]).encrypt("x")), "x")

    def test_rotate_needs_a_database(self):
        """Without a database the command says what is missing."""
        result = self.run_command("rotate")
        self.assertEqual(result.returncode, 2)
        self.assertIn("rotate needs the name of a database: -d NAME", result.stderr)

    def commit(self, function):
        with self.registry.cursor() as cr:
            return function(self.env(cr=cr))

    def test_rotate_encrypts_everything_anew(self):
        """After a rotation the new key alone opens everything; with a lost key nothing is changed."""
        old, new = generate_key(), generate_key()
        with patch.dict(os.environ, {"FLEET_SECRET_KEYS": old}):
            project_id = self.commit(
                lambda env: (
                    env["project.project"]
                    .create(
                        {
                            "name": "Rotated",
                            "database_hosting": "premise",
                            "database_url": "https://rotate.example.com",
                            "database_api_key": KEY,
                        }
                    )
                    .id
                )
            )
            self.commit(lambda env: env["databases.odoocom"]._set_key(SECRET))
        self.addCleanup(self.commit, lambda env: env["project.project"].browse(project_id).unlink())
        self.addCleanup(self.commit, lambda env: env["databases.odoocom"]._set_key(""))

        def tokens(env):
            env["ir.config_parameter"].env.registry.clear_cache("stable")
            project = env["project.project"].browse(project_id)
            return project.database_api_key_secret, env["ir.config_parameter"].get_param(
                SECRET_PARAMETER
            )

        options = ["-d", self.env.cr.dbname, "--log-level=warn"]
        options += [
            f"--{name}={config[name]}" for name in ("db_host", "db_port", "db_user") if config[name]
        ]
        if config["config"] and Path(config["config"]).is_file():
            options += ["-c", config["config"]]
        before = self.commit(tokens)
        lost = self.run_command("rotate", *options, keys=new)
        self.assertEqual(lost.returncode, 1, lost.stderr)
        self.assertIn("was encrypted with another encryption key", lost.stderr)
        self.assertIn("Nothing was changed", lost.stderr)
        self.assertIn(f"parameter {SECRET_PARAMETER}", lost.stderr)
        self.assertEqual(self.commit(tokens), before)
        left = self.run_command("rotate", *options, "--skip-unreadable", keys=new)
        self.assertEqual(left.returncode, 0, left.stderr)
        self.assertIn("0 secret(s)", left.stdout)
        self.assertIn(f"project.project.database_api_key_secret {project_id}: none", left.stderr)
        self.assertEqual(self.commit(tokens), before)
        result = self.run_command("rotate", *options, keys=f"{new},{old}")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertIn("2 secret(s)", result.stdout)
        self.assertEqual(
            [Vault([new]).decrypt(token) for token in self.commit(tokens)], [KEY, SECRET]
        )
        self.assertNotIn(KEY, lost.stdout + lost.stderr + result.stdout + result.stderr)


@tagged("post_install", "-at_install")
class TestKeyOverRpc(HttpCase):
    """Writing a key the way a browser or a script does."""

    def test_the_request_log_has_no_key(self):
        """A key written over RPC is in no log at DEBUG, and the answer does not give it back."""
        with patch.dict(os.environ, {"FLEET_SECRET_KEYS": generate_key()}):
            project = self.env["project.project"].create(
                {
                    "name": "A",
                    "database_hosting": "premise",
                    "database_url": "https://rpc.example.com",
                }
            )
            self.env.ref("base.user_admin").password = "admin-password-1"
            self.authenticate("admin", "admin-password-1")
            with self.assertLogs("", "DEBUG") as logs:
                answer = self.make_jsonrpc_request(
                    "/web/dataset/call_kw/project.project/web_save",
                    {
                        "model": "project.project",
                        "method": "web_save",
                        "args": [project.ids, {"database_api_key": SECRET}],
                        "kwargs": {
                            "specification": {"database_api_key": {}, "database_has_api_key": {}}
                        },
                    },
                )
            self.env.invalidate_all()
            self.assertEqual(
                answer,
                [{"id": project.id, "database_api_key": False, "database_has_api_key": True}],
            )
            self.assertNotIn(SECRET, "\n".join(logs.output))
            self.assertIn("web_save({'database_api_key': '***'}", "\n".join(logs.output))
