from datetime import timedelta

from odoo import fields
from odoo.exceptions import UserError

from ..models.databases_odoocom import LOGIN_PARAMETER, SECRET_PARAMETER
from .common import DatabasesCase
from .fake_odoo import KEY, number, user

ACCOUNT_KEY = "account-key-9d21"


class OdoocomCase(DatabasesCase):
    def setUp(self):
        super().setUp()
        self.account = self.server.add("openerp", host="odoocom", key=ACCOUNT_KEY)
        self.parameters = self.env["ir.config_parameter"]
        self.parameters.set_param(LOGIN_PARAMETER, "account@example.com")
        self.env["databases.odoocom"]._set_key(ACCOUNT_KEY)

    def list(self, *names, **values):
        """Let Odoo.com list databases with these names."""
        self.server.hosted = [self.row(name, **values) for name in names]

    def row(self, name, **values):
        url = f"http://{name}.localhost:{self.server.port}"
        return {"name": name, "url": url, "version": "19.0", "uuid": f"uuid-{name}", **values}

    def pull(self):
        self.run_cron("ir_cron_pull")
        run = self.env["databases.run"].search([("kind", "=", "discover")], limit=1)
        return run

    def find(self, name):
        return self.Project.with_context(active_test=False).search([("database_name", "=", name)])

    def results(self, run):
        return {line.project_id.name: line.result for line in run.line_ids}


class TestPull(OdoocomCase):
    """The account's databases on Odoo.com become the fleet."""

    def test_databases_are_created_and_updated(self):
        """New databases are added, changed ones updated, and a second pull changes nothing."""
        self.list("one", "two")
        run = self.pull()
        self.assertEqual((run.state, run.note), ("done", False))
        self.assertEqual(self.results(run), {"one": "created", "two": "created"})
        one = self.find("one")
        self.assertEqual(
            (one.database_hosting, one.database_url),
            ("saas", f"http://one.localhost:{self.server.port}"),
        )
        self.assertEqual((one.database_uuid, one.database_version), ("uuid-one", "19.0"))
        self.assertEqual(one.database_api_login, "account@example.com")
        self.server.hosted[0]["version"] = "saas~19.1"
        self.assertEqual(self.results(self.pull()), {"one": "updated", "two": "unchanged"})
        self.assertEqual(one.database_version, "saas~19.1")
        self.assertEqual(self.results(self.pull()), {"one": "unchanged", "two": "unchanged"})

    def test_a_moved_database_is_recognised(self):
        """A database with a new address is the same one when its identifier is."""
        self.list("one")
        self.pull()
        one = self.find("one")
        self.list("one", url=f"http://renamed.localhost:{self.server.port}")
        self.assertEqual(self.results(self.pull()), {"one": "updated"})
        self.assertEqual(one.database_url, f"http://renamed.localhost:{self.server.port}")
        self.assertEqual(len(self.find("one")), 1)

    def test_new_databases_inherit_from_the_template(self):
        """Switches, responsible person and tasks come from the template that Settings names."""
        template = self.Project.create(
            {
                "name": "Template",
                "is_template": True,
                "user_id": self.manager.id,
                "database_fetch_documents": False,
                "database_fetch_tax_returns": False,
                "task_ids": [(0, 0, {"name": "Say hello"})],
            }
        )
        self.parameters.set_param("fleet_databases.template_id", template.id)
        self.list("one")
        self.pull()
        one = self.find("one")
        self.assertEqual(one.name, "one")
        self.assertFalse(
            one.is_template or one.database_fetch_documents or one.database_fetch_tax_returns
        )
        self.assertTrue(one.database_fetch_draft_entries)
        self.assertEqual((one.user_id, one.task_ids.mapped("name")), (self.manager, ["Say hello"]))
        # A database that is made by hand inherits the switches as well.
        self.assertFalse(self.Project.new({"name": "By hand"}).database_fetch_documents)

    def test_a_template_that_is_gone_stops_nothing(self):
        """Without its template, a database is created all the same."""
        names = []
        for value in ("999999", "nonsense", ""):
            self.parameters.set_param("fleet_databases.template_id", value)
            names.append(f"db-{value or 'none'}")
            self.list(*names)
            self.assertEqual(self.results(self.pull())[names[-1]], "created")

    def test_what_seems_to_be_configured_is_left(self):
        """An on-premise record with the same address keeps everything, in the words of the description."""
        remote = self.server.add("mine")
        project = self.connect(remote, name="Configured")
        self.list("mine", uuid="new-uuid", version="99.0")
        run = self.pull()
        self.assertIn("Configured: As it seems to be configured we have left it as is", run.note)
        self.assertEqual(self.results(run), {"Configured": "left"})
        self.assertEqual((project.database_hosting, project.database_uuid), ("premise", False))
        self.assertTrue(project.database_has_api_key)
        self.assertFalse(project.database_discovered)

    def test_a_login_of_ones_own_is_kept(self):
        """A login that somebody has entered is not replaced by the account's."""
        self.list("one")
        self.pull()
        self.find("one").database_api_login = "other@example.com"
        self.assertEqual(self.results(self.pull()), {"one": "unchanged"})

    def test_what_is_listed_no_longer_is_archived(self):
        """A database that an earlier pull created and that is gone is archived, and comes back when listed."""
        self.list("one", "two", "three")
        self.pull()
        byhand = self.connect(self.server.add("byhand"), database_hosting="saas")
        self.list("one", "two")
        run = self.pull()
        three = self.find("three")
        self.assertEqual(
            self.results(run), {"one": "unchanged", "two": "unchanged", "three": "archived"}
        )
        self.assertFalse(three.active)
        self.assertIn("Odoo.com no longer lists this database", three.message_ids[0].body)
        self.assertTrue(byhand.active, "a pull archives nothing that it did not create")
        self.list("one", "two", "three")
        self.assertEqual(self.results(self.pull())["three"], "updated")
        self.assertTrue(three.active)

    def test_what_a_person_has_archived_stays_archived(self):
        """A pull does not undo what somebody has decided here."""
        self.list("one", "two", "three")
        self.pull()
        self.find("three").action_archive()
        self.assertEqual(self.results(self.pull())["three"], "unchanged")
        self.assertFalse(self.find("three").active)

    def test_a_short_answer_archives_nothing(self):
        """When more than half would go, it is a fault over there and nothing goes."""
        self.list("one", "two", "three")
        self.pull()
        for names in (["one"], []):
            self.list(*names)
            run = self.pull()
            self.assertIn("no longer. That looks like a fault, so none was archived.", run.note)
        self.assertTrue(all(self.find(name).active for name in ("one", "two", "three")))

    def test_an_answer_with_a_bad_row_archives_nothing(self):
        """As long as one row could not be read, nobody knows what is missing."""
        self.list("one", "two", "three")
        self.pull()
        self.server.hosted = [
            self.row("one"),
            self.row("two"),
            {"name": "bad", "url": "ftp://bad"},
            7,
        ]
        run = self.pull()
        self.assertTrue(self.find("three").active)
        self.assertIn("the URL of bad is not valid", run.note)
        self.assertEqual(self.results(run), {"one": "unchanged", "two": "unchanged"})

    def test_a_row_that_cannot_be_written_costs_only_itself(self):
        """A row that our own rules refuse is named in the remarks; the others are written."""
        self.env.cr.execute(
            "ALTER TABLE project_project ADD CONSTRAINT test_no_bad CHECK (database_name IS DISTINCT FROM 'bad')"
        )
        self.list("one", "bad", "two")
        with self.assertLogs("odoo.sql_db", "ERROR"):
            run = self.pull()
        self.assertEqual(self.results(run), {"one": "created", "two": "created"})
        self.assertIn("bad: ", run.note)
        self.assertEqual(run.state, "done")

    def test_a_database_listed_without_an_address(self):
        """A name alone stands for an address below odoo.com; one that cannot be an address is a remark."""
        self.server.hosted = [{"name": "acme"}, {"name": "a b"}]
        run = self.pull()
        self.assertEqual(self.find("acme").database_url, "https://acme.odoo.com")
        self.assertIn("a b: ", run.note)

    def test_a_wrong_key(self):
        """A key that Odoo.com refuses ends in the words of the description, and changes nothing."""
        self.list("one")
        self.pull()
        self.account.key = "renewed"
        run = self.pull()
        self.assertEqual(run.state, "done")
        self.assertIn("Invalid apikey", run.note)
        self.assertTrue(self.find("one").active)

    def test_faults_of_odoocom(self):
        """Whatever Odoo.com answers, the pull ends with a sentence and changes nothing."""
        self.list("one")
        self.pull()
        for fault in ("garbage", "server", "login_page", "drop"):
            self.account.fault = fault
            run = self.pull()
            self.assertEqual(run.state, "done")
            self.assertTrue(run.note)
        self.account.fault = None
        self.server.hosted = {"error": "x"}
        self.assertIn("an answer that we cannot read", self.pull().note)
        self.assertTrue(self.find("one").active)

    def test_without_credentials_there_is_nothing_to_pull(self):
        """The scheduled action does nothing, the button says what is missing."""
        for name in (LOGIN_PARAMETER, SECRET_PARAMETER):
            with self.subTest(name):
                stored = self.parameters.get_param(name)
                self.parameters.set_param(name, False)
                self.assertFalse(self.pull())
                with self.assertRaisesRegex(
                    UserError, "Fill in the API User and the API Key of Odoo.com"
                ):
                    self.env["databases.odoocom"]._pull_now()
                self.parameters.set_param(name, stored)

    def test_a_wrong_server_key(self):
        """A key that cannot be decrypted any more ends in the sentence about it."""
        self.set_server_keys("")
        self.assertIn("This server has no encryption key", self.pull().note)

    def test_a_killed_pull_is_closed(self):
        """A pull whose server was stopped does not stay under way for ever."""
        run = self.env["databases.run"].create({"kind": "discover", "user_id": self.env.uid})
        self.run_cron("ir_cron_work")
        self.assertEqual(run.state, "running")
        run.date_start = fields.Datetime.now() - timedelta(minutes=11)
        self.run_cron("ir_cron_work")
        self.assertEqual((run.state, bool(run.date_end)), ("done", True))
        self.assertIn("pull again", run.note)

    def test_the_button_of_settings_uses_what_was_just_entered(self):
        """The pull from Settings works with the values of the form, and shows its run."""
        self.parameters.set_param(LOGIN_PARAMETER, False)
        self.env["databases.odoocom"]._set_key("")
        self.list("one")
        with self.commits() as env:
            settings = env["res.config.settings"].create(
                {
                    "databases_odoocom_login": "account@example.com",
                    "databases_odoocom_key": ACCOUNT_KEY,
                }
            )
            action = settings.action_databases_pull()
        self.assertEqual(action["res_model"], "databases.run")
        self.assertEqual(
            self.results(self.env["databases.run"].browse(action["res_id"])), {"one": "created"}
        )

    def test_the_request_is_that_of_the_documentation(self):
        """The list is asked for on the database openerp with the account's key."""
        seen = []
        self.account.fault = lambda handler: (
            seen.append((handler.path, dict(handler.headers))) or False
        )
        self.pull()
        path, headers = seen[-1]
        self.assertEqual(path, "/json/2/odoo.database/list")
        self.assertEqual(
            (headers["X-Odoo-Database"], headers["Authorization"]),
            ("openerp", f"bearer {ACCOUNT_KEY}"),
        )


class TestAccountKey(OdoocomCase):
    """To whom the key of the whole account is sent."""

    def synchronize_hosted(self):
        remote = self.server.add(
            "one", key=ACCOUNT_KEY, login="account@example.com", kpis=[number("documents.a", 1)]
        )
        self.list("one")
        self.pull()
        project = self.find("one")
        self.synchronize(project)
        return remote, project

    def keys_sent(self, remote):
        seen = []
        remote.fault = lambda handler: (
            seen.append(handler.headers.get("Authorization") or "") or False
        )
        return seen

    def test_to_a_database_that_odoocom_has_named(self):
        """A database without a key of its own is asked with the account's."""
        _remote, project = self.synchronize_hosted()
        self.assertEqual((project.database_state, project.database_nb_documents), ("ok", 1))

    def test_not_to_an_address_that_somebody_typed(self):
        """A hosted record with another address never gets the account's key."""
        evil, worse = self.server.add("evil"), self.server.add("worse")
        seen = self.keys_sent(evil), self.keys_sent(worse)
        typed = self.Project.with_user(self.manager).create(
            {
                "name": "Typed",
                "database_hosting": "saas",
                "database_url": evil.url,
                "database_name": "evil",
            }
        )
        _remote, moved = self.synchronize_hosted()
        moved.with_user(self.manager).write({"database_url": worse.url, "database_name": "worse"})
        for project in (typed, moved):
            project.database_api_login = "account@example.com"
            self.synchronize(project)
            self.assertEqual(project.database_error_code, "not_configured")
        self.assertFalse([key for keys in seen for key in keys if key])

    def test_a_typed_address_is_never_odoocoms(self):
        """Not even a host below odoo.com gets the account's key before Odoo.com has named it."""
        for url in (
            "https://acme.odoo.com",
            "https://acme-main-123.dev.odoo.com",
            "http://acme.odoo.com",
            "https://odoo.com.evil.example",
        ):
            with self.subTest(url):
                project = self.Project.create(
                    {"name": "A", "database_hosting": "saas", "database_url": url}
                )
                self.assertFalse(project._is_odoocom_address())
                project.unlink()

    def test_a_database_added_by_hand_gets_the_key_once_it_is_listed(self):
        """A pull confirms its address; it is still not the pull's to archive."""
        self.list("one", "two", "three")
        self.pull()
        byhand = self.Project.create(
            {
                "name": "By hand",
                "database_hosting": "saas",
                "database_url": f"http://four.localhost:{self.server.port}",
            }
        )
        self.assertFalse(byhand._is_odoocom_address())
        self.list("one", "two", "three", "four")
        self.pull()
        self.assertTrue(byhand._is_odoocom_address())
        self.list("one", "two", "three")
        self.pull()
        self.assertTrue(byhand.active)

    def test_who_may_not_forge_a_discovery(self):
        """Even an administrator cannot say that Odoo.com named an address."""
        evil = self.server.add("evil")
        project = self.connect(evil, database_hosting="saas", database_api_key=False)
        with self.assertRaises(Exception) as caught:
            project.with_user(self.manager).write(
                {"database_discovered_url": evil.url, "database_discovered": True}
            )
        self.assertEqual(type(caught.exception).__name__, "AccessError")

    def test_a_key_of_ones_own_wins(self):
        """A hosted database with a key of its own is asked with that one."""
        remote, project = self.synchronize_hosted()
        seen = self.keys_sent(remote)
        remote.key = KEY
        project.write({"database_api_key": KEY})
        self.synchronize(project)
        self.assertEqual({key for key in seen if key}, {f"bearer {KEY}"})

    def test_others_get_no_account_key(self):
        """On-premise records without a key send nothing at all."""
        remote, project = self.add(
            "mine", {"database_api_key": False}, users=[user(7, "ann@example.com")]
        )
        seen = self.keys_sent(remote)
        self.synchronize(project)
        self.assertEqual(project.database_error_code, "not_configured")
        self.assertFalse([key for key in seen if key])
