from psycopg2 import IntegrityError

from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Command
from odoo.service.model import retrying
from odoo.tests import new_test_user

from .common import DatabasesCase


class TestFields(DatabasesCase):
    """What can be stored in the fields of a database."""

    def create(self, **values):
        return self.Project.create({"name": "Acme", "database_hosting": "premise", **values})

    def test_the_url_has_one_spelling(self):
        """Whatever is pasted, the URL is stored in one spelling, on creation and on every change."""
        for text, stored in (
            ("HTTPS://A.Example.com:443/web?debug=1#action=2", "https://a.example.com"),
            ("a.example.com", "https://a.example.com"),
            ("  http://a.example.com:80  ", "http://a.example.com"),
            ("https://a.example.com:8443/odoo/contacts", "https://a.example.com:8443"),
            ("https://BÜCHER.example", "https://xn--bcher-kva.example"),
            ("http://[::1]:8069/", "http://[::1]:8069"),
        ):
            with self.subTest(text):
                project = self.create(database_url=text)
                self.assertEqual(project.database_url, stored)
                project.write({"database_url": "https://else.example.com"})
                project.write({"database_url": text})
                self.assertEqual(project.database_url, stored)
                project.unlink()

    def test_a_url_that_cannot_be_one_names_the_field(self):
        """What cannot be an address is refused with the field and the reason."""
        for text, reason in (
            ("ftp://a", "must start with http:// or https://"),
            ("javascript:alert(1)", ""),
            ("https://", "contains no host name"),
            ("https://user:pw@a.example.com", "must not contain a user name or password"),
            ("https://a.example.com:99999", "port"),
            ("https://a b", "must not contain spaces"),
            ("https://a.example.com\\@b", "backslashes"),
        ):
            with (
                self.subTest(text),
                self.assertRaisesRegex(ValidationError, f"Database URL “.*{reason}"),
            ):
                self.create(database_url=text)

    def test_links_outside_odoo(self):
        """A system outside Odoo keeps its whole URL; only web addresses are taken."""
        url = "https://Wiki.example.com/Start?page=1#top"
        self.assertEqual(self.create(database_hosting="other", database_url=url).database_url, url)
        for text in (
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)//http://",
            " javascript:alert(1)",
            "data:text/html,x",
            "//evil.example.com",
            "http://",
            "https://a\nb",
            "http:///x",
            "/web",
        ):
            with (
                self.subTest(text),
                self.assertRaisesRegex(ValidationError, "must start with http"),
            ):
                self.create(database_hosting="other", database_url=text)

    def test_from_a_link_to_a_database(self):
        """When a link becomes a database, its URL gets the one spelling of databases."""
        project = self.create(database_hosting="other", database_url="https://A.example.com/web#x")
        second = self.create(database_hosting="other", database_url="https://B.example.com/web")
        (project | second).write({"database_hosting": "premise"})
        self.assertEqual(project.database_url, "https://a.example.com")
        self.assertEqual(second.database_url, "https://b.example.com")

    def test_a_link_that_only_looks_like_one(self):
        """A stored link cannot become a database when its URL could not be one."""
        project = self.create(database_hosting="other", database_url="https://u:p@a.example.com/")
        with self.assertRaisesRegex(ValidationError, "user name or password"):
            project.write({"database_hosting": "premise"})

    def refusal(self, function):
        """Return the words in which the server tells the browser about a constraint."""
        with self.assertRaises(ValidationError) as caught, self.commits() as env:
            retrying(lambda: function(env), env)
        return str(caught.exception)

    def test_the_url_is_unique(self):
        """Two databases with one URL are refused in plain words, archived ones and other spellings too."""
        self.create(database_url="https://a.example.com", active=False)
        values = {
            "name": "B",
            "database_hosting": "premise",
            "database_url": "https://A.example.com/web",
        }
        with self.assertLogs("odoo.sql_db", "ERROR"):
            words = self.refusal(lambda env: env["project.project"].create(values))
        self.assertIn(
            "Another database already has this URL. Open that one, it may be archived.", words
        )

    def test_a_url_is_required_with_hosting(self):
        """A hosting without a URL is refused in plain words, also when the URL is cleared later."""
        with self.assertLogs("odoo.sql_db", "ERROR"):
            words = self.refusal(
                lambda env: env["project.project"].create({"name": "B", "database_hosting": "paas"})
            )
        self.assertIn("A database needs a Database URL, such as https://client.example.com", words)
        project = self.create(database_url="https://a.example.com")
        with self.assertRaisesRegex(ValidationError, "The URL is empty"):
            project.database_url = "  "
        with (
            self.assertLogs("odoo.sql_db", "ERROR"),
            self.assertRaises(IntegrityError),
            self.env.cr.savepoint(),
        ):
            project.database_url = False

    def test_one_url_at_a_time(self):
        """Several databases of different hosting cannot get one URL."""
        one = self.create(database_url="https://a.example.com")
        two = self.create(database_hosting="other", database_url="https://b.example.com")
        with self.assertRaisesRegex(UserError, "Change the URL of one database at a time"):
            (one | two).write({"database_url": "https://c.example.com"})

    def test_names_are_trimmed(self):
        """Spaces around what is pasted are dropped."""
        project = self.create(
            database_url="https://a.example.com",
            database_name=" acme ",
            database_api_login="\tme@x.com ",
        )
        self.assertEqual((project.database_name, project.database_api_login), ("acme", "me@x.com"))

    def test_a_template_is_no_database(self):
        """A project template cannot be a database, nor a database a template."""
        project = self.create(database_url="https://a.example.com")
        for action in (
            lambda: project.write({"is_template": True}),
            lambda: self.create(database_url="https://b.example.com", is_template=True),
        ):
            with self.assertRaisesRegex(ValidationError, "A project template cannot be a database"):
                action()

    def test_a_copy_is_a_plain_project(self):
        """A copy carries no hosting, URL, name, login, key, version, users nor figures."""
        _remote, project = self.add(values={"database_api_key_expiry": "2030-01-01"})
        self.synchronize(project)
        copy = project.copy()
        for name in self.Project._fields:
            if name.startswith("database_") and not name.startswith("database_fetch_"):
                self.assertFalse(copy.sudo()[name], name)
            elif name.startswith("database_fetch_"):
                self.assertEqual(copy[name], project[name], name)
        self.assertFalse(copy._fields["database_api_key_secret"].copy)

    def test_the_certificate_must_be_one(self):
        """A trusted certificate is PEM, and never a private key."""
        project = self.create(database_url="https://a.example.com")
        for text in ("nonsense", "-----BEGIN CERTIFICATE-----\nx\n-----BEGIN PRIVATE KEY-----"):
            with self.assertRaisesRegex(
                ValidationError, "Trusted Certificate of Acme must be a certificate in PEM"
            ):
                project.database_ca = text

    def test_project_managers_can_still_create_projects(self):
        """Plain projects work as without this addon for everybody: create, read all fields, write, copy."""
        project = self.Project.with_user(self.project_manager).create({"name": "Plain"})
        project.write({"name": "Plainer", "user_id": self.project_manager.id})
        self.assertEqual(project.copy().name, "Plainer (copy)")
        for reader in (self.project_manager, self.internal, self.manager, self.user):
            with self.subTest(reader.login):
                names = self.Project.with_user(reader).fields_get()
                ours = [name for name in names if name.startswith("database_")]
                [values] = project.with_user(reader).read(["name", *ours])
                self.assertEqual(values["name"], "Plainer")
                self.assertTrue(self.Project.with_user(reader).search([("id", "=", project.id)]))

    def test_only_administrators_change_databases(self):
        """Nobody else turns a project into a database, or changes what belongs to one."""
        project = self.Project.create({"name": "Plain"})
        both = new_test_user(
            self.env,
            "both@example.com",
            "project.group_project_manager,fleet_databases.group_databases_user",
        )
        _remote, database = self.add()
        self.env["databases.user"].create(
            {"project_id": database.id, "remote_id": 1, "login": both.login, "name": "Both"}
        )
        values = {"database_hosting": "premise", "database_url": "https://a.example.com"}
        for writer in (self.project_manager, both):
            with self.subTest(writer.login):
                with self.assertRaisesRegex(
                    AccessError, "Only a Databases Administrator may change databases"
                ):
                    project.with_user(writer).write(values)
                with self.assertRaisesRegex(
                    AccessError, "Only a Databases Administrator may change databases"
                ):
                    self.Project.with_user(writer).create({"name": "New", **values})
        with self.assertRaises(AccessError):
            database.with_user(both).write({"database_url": "https://evil.example.com"})
        with self.assertRaises(AccessError):
            database.with_user(both).write({"database_version": "1.0"})
        database.with_user(both).write({"name": "A new name"})
        project.with_user(self.manager).write(values)
        self.assertEqual(project.database_state, "new")

    def test_import_and_export(self):
        """What is exported can be imported again; a key in a file is refused by name."""
        _remote, project = self.add()
        project.database_nb_synchro_errors = 3
        Project = self.Project.with_user(self.manager)
        names = [
            "id", "name", "database_hosting", "database_url", "database_name", "database_api_login",
            "database_fetch_documents", "database_api_key_expiry",
        ]  # fmt: skip
        rows = project.with_user(self.manager).export_data(names)["datas"]
        self.assertEqual(rows[0][2:5], ["On Premise", project.database_url, "acme"])
        texts = [["" if value is False else str(value) for value in row] for row in rows]
        result = Project.load(names, texts)
        self.assertEqual((result["ids"], result["messages"]), (project.ids, []))
        self.assertTrue(project.database_has_api_key, "the same address keeps its key")
        self.assertEqual(project.database_nb_synchro_errors, 3)
        texts[0][0] = "__import__.new"
        texts[0][3] = "https://new.example.com/web"
        result = Project.load(names, texts)
        self.assertFalse(result["messages"])
        new = self.Project.browse(result["ids"])
        self.assertEqual(
            (new.database_url, new.database_hosting), ("https://new.example.com", "premise")
        )

    def test_a_bad_row_of_an_import_is_named(self):
        """A row with a bad URL is told by its row and field, and nothing is stored."""
        result = self.Project.with_user(self.manager).load(
            ["name", "database_hosting", "database_url"],
            [
                ["Good", "On Premise", "https://good.example.com"],
                ["Bad", "On Premise", "ftp://bad"],
            ],
        )
        self.assertFalse(result["ids"])
        # Odoo itself tells the error of a batch once more, with the batch's first row.
        message = result["messages"][-1]
        self.assertIn("Database URL “ftp://bad”", message["message"])
        self.assertEqual(message["rows"], {"from": 1, "to": 1})
        self.assertFalse(self.Project.search([("name", "=", "Good")]))

    def test_a_key_is_never_imported(self):
        """A column with keys is refused as a whole, under each of its names."""
        for column in ("database_api_key", "database_api_key_secret", "database_api_key/.id"):
            result = self.Project.with_user(self.manager).load(["name", column], [["A", "secret"]])
            self.assertFalse(result["ids"])
            self.assertIn(
                "API Key: keys cannot be imported from a file", result["messages"][0]["message"]
            )
        self.assertFalse(self.Project.search([("name", "=", "A")]))

    def test_the_warning_of_the_form(self):
        """Changing the address in the form says that the key goes, before it is saved."""
        _remote, project = self.add()
        spec = {"database_url": {}, "database_name": {}}
        values = {"database_url": "https://new.example.com", "database_name": "acme"}
        result = project.with_user(self.manager).onchange(values, ["database_url"], spec)
        self.assertEqual(result["warning"]["title"], "The API key will be removed")
        project.database_api_key = False
        result = project.with_user(self.manager).onchange(values, ["database_url"], spec)
        self.assertNotIn("warning", result)

    def test_deleting_a_database_takes_everything_along(self):
        """Users, figures, lines and alerts go with their project; runs stay."""
        _remote, project = self.add()
        run = self.synchronize(project)
        accounts = project.database_user_ids
        project.unlink()
        self.assertFalse(accounts.exists() or run.line_ids.exists())
        self.assertTrue(run.exists())

    def test_command_of_users_is_refused(self):
        """The list of users comes from the database itself: nobody edits it here."""
        _remote, project = self.add()
        with self.assertRaises(AccessError):
            project.with_user(self.manager).write(
                {"database_user_ids": [Command.create({"login": "x", "name": "x", "remote_id": 3})]}
            )
