import warnings

from odoo.exceptions import AccessError, UserError
from odoo.fields import Command
from odoo.service.model import call_kw, get_public_method
from odoo.tests import Form, HttpCase, new_test_user, tagged
from odoo.tools import mute_logger

from .common import GROUP_PROJECT_MANAGER, GROUP_USER, DatabasesCase, make_users
from .fake_odoo import number, user

SECRET_NAME = "Zyxwv Holding"


class AccessCase(DatabasesCase):
    """One database in which Ann has an account, with everything that a project may have."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        users = make_users(
            cls.env,
            {
                "both@example.com": f"{GROUP_USER},project.group_project_manager",
                "settings@example.com": f"{GROUP_PROJECT_MANAGER},base.group_system",
            },
        )
        cls.strangers = cls.stranger | cls.project_manager | cls.internal | cls.portal | users

    def setUp(self):
        super().setUp()
        self.remote, self.project = self.add(
            "zyxwv",
            {"name": SECRET_NAME, "privacy_visibility": "portal"},
            users=[user(7, "Ann@Example.com", "Ann")],
            kpis=[number("documents.a", 1)],
        )
        self.run_ = self.synchronize(self.project)
        self.partner = self.env["res.partner"].create({"name": "Customer"})
        self.project.partner_id = self.partner
        self.task = self.env["project.task"].create(
            {
                "name": f"Task of {SECRET_NAME}",
                "project_id": self.project.id,
                "partner_id": self.partner.id,
            }
        )
        self.subtask = self.env["project.task"].create({"name": "Sub", "parent_id": self.task.id})
        self.update = self.env["project.update"].create(
            {
                "name": f"Update of {SECRET_NAME}",
                "project_id": self.project.id,
                "status": "on_track",
            }
        )
        self.milestone = self.env["project.milestone"].create(
            {"name": f"Milestone of {SECRET_NAME}", "project_id": self.project.id}
        )
        self.collaborator = self.env["project.collaborator"].create(
            {"project_id": self.project.id, "partner_id": self.partner.id}
        )
        self.message = self.project.message_post(
            body=f"Said about {SECRET_NAME}", message_type="comment"
        )
        self.activity = self.project.activity_schedule(
            "mail.mail_activity_data_todo", summary=f"Do {SECRET_NAME}", user_id=self.manager.id
        )
        self.attachment = self.env["ir.attachment"].create(
            {
                "name": f"{SECRET_NAME}.txt",
                "raw": b"x",
                "res_model": "project.project",
                "res_id": self.project.id,
            }
        )
        self.plain = self.Project.create({"name": "Plain", "privacy_visibility": "portal"})
        self.plain_task = self.env["project.task"].create(
            {"name": "Plain task", "project_id": self.plain.id}
        )

        self.invalidate()

    def as_user(self, reader, companies=None):
        env = self.env(user=reader, su=False)
        return (
            env
            if companies is None
            else env(context={**env.context, "allowed_company_ids": companies.ids})
        )


class TestAccess(AccessCase):
    """Who sees a database: its users and the administrators, nobody else, whichever way they ask."""

    def assert_hidden(self, env):
        """Check every way to the database that we know of."""
        Project, Task = env["project.project"], env["project.task"]
        ids = [("id", "=", self.project.id)]
        self.assertFalse(Project.with_context(active_test=False).search(ids))
        self.assertFalse(Project.search([("name", "ilike", "Zyxwv")]))
        self.assertEqual(Project.search_count(ids), 0)
        self.assertFalse(Project.search_read(ids))
        self.assertFalse(Project.name_search("Zyxwv"))
        self.assertFalse(Project.web_search_read(ids, {"name": {}})["records"])
        for groupby in (
            "database_hosting",
            "database_state",
            "database_version",
            "user_id",
            "partner_id",
        ):
            self.assertFalse(Project._read_group(ids, [groupby], ["__count"]))
            self.assertFalse(Project.formatted_read_group(ids, [groupby], ["__count"]))
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore", DeprecationWarning
                )  # deprecated, and still open to RPC
                self.assertFalse(Project.read_group(ids, ["__count"], [groupby]))
        self.assertFalse(
            Project.search([*ids, ("database_url", "!=", False)], order="database_url")
        )
        # Record by record.
        project, task = Project.browse(self.project.id), Task.browse(self.task.id)
        for call in (
            lambda: project.read(["name"]),
            lambda: project.name,
            lambda: project.display_name,
            lambda: project.database_url,
            lambda: project.web_read({"name": {}}),
            lambda: project.check_access("read"),
            lambda: project.copy(),
            lambda: project.write({"name": "x"}),
            lambda: project.unlink(),
            lambda: project.message_post(body="x"),
            lambda: task.read(["name"]),
            lambda: task.project_id.name,
            lambda: task.write({"name": "x"}),
        ):
            with self.assertRaises(AccessError):
                call()
            self.env.invalidate_all()
        self.assertFalse(project.has_access("read"))
        # Through other records.
        for domain in (
            [("id", "in", (self.task | self.subtask).ids)],
            [("project_id", "=", self.project.id)],
            [("project_id.database_url", "!=", False)],
            [("project_id.database_name", "=", "zyxwv")],
            [("project_id.name", "ilike", "Zyxwv")],
            [("project_id", "ilike", "Zyxwv")],
            [("parent_id.project_id", "=", self.project.id)],
        ):
            self.assertFalse(Task.search(domain), domain)
            self.assertFalse(Task._read_group(domain, ["project_id"], ["__count"]), domain)
        for model, record in (
            ("project.milestone", self.milestone),
            ("project.update", self.update),
            ("project.collaborator", self.collaborator),
            ("mail.message", self.message),
            ("mail.activity", self.activity),
            ("ir.attachment", self.attachment),
        ):
            if not env[model].has_access("read"):
                continue
            self.assertFalse(env[model].search([("id", "=", record.id)]), model)
            with self.assertRaises(AccessError):
                env[model].browse(record.id).read(["display_name"])
            self.env.invalidate_all()
        for model in ("report.project.task.user", "project.task.burndown.chart.report"):
            if env[model].has_access("read"):
                found = env[model].search([("project_id", "=", self.project.id)])
                self.assertFalse(found, model)

    def assert_no_fleet_models(self, env):
        for model in (
            "databases.user",
            "databases.kpi.value",
            "databases.run",
            "databases.run.line",
        ):
            Model = env[model]
            if Model.has_access("read"):
                self.assertFalse(Model.search([]), model)
        if env["databases.run"].has_access("read"):
            with self.assertRaises(AccessError):
                env["databases.run"].browse(self.run_.id).read(["note"])

    def test_hidden_from_everybody_else(self):
        """Project managers, other users, portal users and settings administrators see nothing of it."""
        for reader in self.strangers:
            with self.subTest(reader.login):
                env = self.as_user(reader)
                self.assert_hidden(env)
                self.assert_no_fleet_models(env)

    def test_followers_see_nothing_either(self):
        """Following, being responsible, being assigned and collaborating open no database."""
        for reader in self.strangers:
            self.project.message_subscribe(reader.partner_id.ids)
            self.task.message_subscribe(reader.partner_id.ids)
        self.project.user_id = self.stranger
        self.task.user_ids = self.stranger | self.project_manager
        self.env["project.collaborator"].create(
            {"project_id": self.project.id, "partner_id": self.portal.partner_id.id}
        )
        self.invalidate()
        for reader in self.strangers:
            with self.subTest(reader.login):
                env = self.as_user(reader)
                self.assertFalse(env["project.project"].search([("id", "=", self.project.id)]))
                self.assertFalse(
                    env["project.task"].search([("id", "in", (self.task | self.subtask).ids)])
                )
                self.assertFalse(env["mail.message"].search([("id", "=", self.message.id)]))

    def test_its_users_see_it(self):
        """Who has an account in it, in any case of letters, sees the database and what belongs to it."""
        env = self.as_user(self.user)
        self.assertEqual(
            env["project.project"].search([("database_hosting", "!=", False)]), self.project
        )
        project = env["project.project"].browse(self.project.id)
        self.assertEqual(project.read(["name", "database_url"])[0]["name"], SECRET_NAME)
        self.assertEqual(project.database_state, "ok")
        self.assertEqual(len(project.database_user_ids), 2)
        self.assertEqual(len(project.database_kpi_value_ids), 1)
        self.assertEqual(env["databases.run.line"].search([]).project_id, project)
        self.assertTrue(env["project.task"].search([("id", "=", self.task.id)]))
        self.assertTrue(env["project.update"].search([("id", "=", self.update.id)]))

    def test_a_private_database_is_seen_by_its_users(self):
        """A project for its followers only is still seen by who has an account in the database."""
        self.project.privacy_visibility = "followers"
        self.invalidate()
        self.assertTrue(
            self.as_user(self.user)["project.project"].search([("id", "=", self.project.id)])
        )

    def test_administrators_see_everything(self):
        """An administrator sees every database, its users, figures and runs."""
        env = self.as_user(self.manager)
        project = env["project.project"].browse(self.project.id)
        self.assertTrue(project.read(["name", "database_url", "database_ca", "database_api_login"]))
        self.assertTrue(env["databases.run"].browse(self.run_.id).read(["note", "name"]))
        self.assertTrue(env["project.task"].search([("id", "=", self.task.id)]))

    def test_plain_projects_stay_as_they_are(self):
        """Projects, their tasks and private tasks are seen by the same people as without this addon."""
        for reader in (self.stranger, self.project_manager, self.internal, self.user, self.manager):
            with self.subTest(reader.login):
                env = self.as_user(reader)
                private = self.env["project.task"].create(
                    {"name": "Private", "project_id": False, "user_ids": [Command.set(reader.ids)]}
                )
                self.assertTrue(env["project.project"].search([("id", "=", self.plain.id)]))
                self.assertEqual(
                    env["project.task"].search([("id", "in", (self.plain_task | private).ids)]),
                    self.plain_task | private,
                )
                self.assertEqual(
                    env["project.task"].browse(private.id).read(["name"])[0]["name"], "Private"
                )
        task = self.as_user(self.stranger)["project.task"].create({"name": "My own"})
        self.assertTrue(task.read(["name"]))

    def test_the_burndown_chart(self):
        """The chart of a plain project is there for its people, that of a database for its own."""
        stage = self.env["project.task.type"].create(
            {"name": "S", "project_ids": [Command.set((self.project | self.plain).ids)]}
        )
        (self.task | self.plain_task).stage_id = stage
        self.invalidate()

        def count(reader, project):
            Report = self.as_user(reader)["project.task.burndown.chart.report"]
            domain = [("project_id", "=", project.id)]
            return len(Report._read_group(domain, ["date:month", "stage_id"], ["__count"]))

        for reader, plain, database in (
            (self.project_manager, True, False),
            (self.stranger, True, False),
            (self.user, True, True),
            (self.manager, True, True),
        ):
            with self.subTest(reader.login):
                self.assertEqual(bool(count(reader, self.plain)), plain)
                self.assertEqual(bool(count(reader, self.project)), database)

    def test_another_company(self):
        """In a company of which one is not, nobody sees the database, its users, figures or lines."""
        ours, theirs = self.env.company, self.env["res.company"].create({"name": "Elsewhere"})
        (self.manager | self.user | self.project_manager).company_ids = ours | theirs
        self.task.unlink()
        self.project.partner_id = False
        self.project.company_id = theirs
        self.invalidate()
        for reader, sees in (
            (self.manager, True),
            (self.user, True),
            (self.project_manager, False),
        ):
            for companies, there in ((ours, False), (theirs, True), (ours | theirs, True)):
                with self.subTest(login=reader.login, companies=companies.mapped("name")):
                    env = self.as_user(reader, companies)
                    found = env["project.project"].search([("id", "=", self.project.id)])
                    self.assertEqual(bool(found), sees and there)
                    for model in ("databases.user", "databases.kpi.value", "databases.run.line"):
                        if env[model].has_access("read"):
                            found = env[model].search([("project_id", "=", self.project.id)])
                            self.assertEqual(bool(found), sees and there, model)

    def test_an_email_address_opens_nothing(self):
        """Everybody may change their own e-mail address: only the login counts."""
        self.stranger.with_user(self.stranger).write({"email": "ann@example.com"})
        self.stranger.partner_id.email = "ann@example.com"
        self.invalidate()
        self.assert_hidden(self.as_user(self.stranger))
        with self.assertRaises(AccessError):
            self.stranger.with_user(self.stranger).write({"login": "ann@example.com"})

    def test_a_login_is_no_pattern(self):
        """A login with % or _ matches only itself."""
        for login in ("%", "ann@example_com", "%@example.com", "ann_example.com"):
            with self.subTest(login):
                sly = new_test_user(self.env, login, GROUP_USER)
                self.assertFalse(
                    self.as_user(sly)["project.project"].search([("database_hosting", "!=", False)])
                )

    def test_an_empty_login_matches_nobody(self):
        """An account without a comparable login opens nothing."""
        self.env["databases.user"].create(
            {"project_id": self.project.id, "remote_id": 50, "login": " ", "name": "Nobody"}
        )
        self.assert_hidden(self.as_user(self.stranger))

    def test_losing_the_account_is_losing_the_sight(self):
        """As soon as the account is gone, so is the database."""
        self.remote.get("Ann@Example.com")["active"] = False
        self.synchronize(self.project)
        self.invalidate()
        self.assert_hidden(self.as_user(self.user))

    def test_nothing_leaks_by_counting(self):
        """Counts that others see leave the database out."""
        for reader in (self.stranger, self.project_manager):
            with self.subTest(reader.login):
                env = self.as_user(reader)
                partner = env["res.partner"].browse(self.partner.id)
                self.assertEqual(partner.task_count, 0)
                self.assertNotIn("Zyxwv", str(partner.read(["task_count", "task_ids"])))

    def test_stages_and_tags_name_no_database(self):
        """Stages that a database uses do not name it to others."""
        stage = self.env["project.task.type"].create(
            {"name": "S", "project_ids": [Command.set(self.project.ids)]}
        )
        self.invalidate()
        for reader in (self.stranger, self.project_manager):
            env = self.as_user(reader)
            self.assertEqual(
                env["project.task.type"].browse(stage.id).read(["project_ids"])[0]["project_ids"],
                [],
            )

    def test_ratings_name_no_database(self):
        """Ratings of its tasks are not seen by others."""
        rating = self.env["rating.rating"].create(
            {
                "res_model_id": self.env["ir.model"]._get_id("project.task"),
                "res_id": self.task.id,
                "parent_res_model_id": self.env["ir.model"]._get_id("project.project"),
                "parent_res_id": self.project.id,
                "partner_id": self.partner.id,
                "rating": 5,
                "consumed": True,
            }
        )
        self.invalidate()
        for reader in (self.stranger, self.project_manager, self.internal):
            with self.subTest(reader.login):
                self.assertFalse(
                    self.as_user(reader)["rating.rating"].search([("id", "=", rating.id)])
                )
        for reader in (self.user, self.manager):
            self.assertTrue(self.as_user(reader)["rating.rating"].search([("id", "=", rating.id)]))

    def test_exports_leave_it_out(self):
        """An export of everything has no row of it."""
        exporter = new_test_user(
            self.env, "exporter@example.com", f"{GROUP_PROJECT_MANAGER},base.group_allow_export"
        )
        env = self.as_user(exporter)
        rows = env["project.project"].search([]).export_data(["name", "database_url"])["datas"]
        self.assertNotIn("Zyxwv", str(rows))
        with self.assertRaises(AccessError):
            env["project.project"].browse(self.project.id).export_data(["name"])

    def test_who_cannot_create_a_database(self):
        """Only administrators create databases, by hand, from a template or by import."""
        values = {
            "name": "New",
            "database_hosting": "premise",
            "database_url": "https://new.example.com",
        }
        for reader in self.strangers | self.user:
            with self.subTest(reader.login), self.assertRaises(AccessError):
                self.as_user(reader)["project.project"].create(values)
        self.assertTrue(self.as_user(self.manager)["project.project"].create(values))

    def test_the_form_of_an_administrator(self):
        """An administrator fills in the form and saves it."""
        with Form(self.as_user(self.manager)["project.project"]) as form:
            form.name = "By form"
        self.assertFalse(form.record.database_hosting)


class TestRecordsOfTheEngine(AccessCase):
    """What the engine writes is read by users, and written by nobody."""

    def test_nobody_writes_what_the_engine_writes(self):
        """Accounts, figures, runs and lines can be neither made, changed nor deleted by hand."""
        samples = {
            "databases.user": self.project.database_user_ids[0],
            "databases.kpi.value": self.project.database_kpi_value_ids[0],
            "databases.run": self.run_,
            "databases.run.line": self.run_.line_ids,
        }
        values = {
            "databases.user": {
                "project_id": self.project.id,
                "login": "stranger",
                "name": "x",
                "remote_id": 99,
            },
            "databases.kpi.value": {"project_id": self.project.id, "value": 3},
            "databases.run": {"kind": "sync", "user_id": self.manager.id},
            "databases.run.line": {"run_id": self.run_.id, "project_id": self.project.id},
        }
        for writer in (
            self.user,
            self.manager,
            self.stranger,
            self.project_manager,
            self.env.ref("base.user_admin"),
        ):
            for model, record in samples.items():
                with self.subTest(login=writer.login, model=model), mute_logger("odoo.sql_db"):
                    mine = record.with_user(writer)
                    for call in (
                        lambda mine=mine, model=model: mine.browse().create(values[model]),
                        lambda mine=mine, model=model: mine.write(values[model]),
                        lambda mine=mine: mine.unlink(),
                    ):
                        with self.assertRaises(AccessError):
                            call()

    def test_a_user_reads_no_run_of_others(self):
        """A user sees their own runs; the lines of databases they see; and no catalogue to change."""
        env = self.as_user(self.user)
        self.assertFalse(env["databases.run"].search([("id", "=", self.run_.id)]))
        with self.enter_registry_test_mode():
            env["project.project"].browse(self.project.id).action_synchronize()
        self.assertEqual(env["databases.run"].search([]).user_id, self.user)
        for model in ("databases.kpi", "databases.kpi.threshold", "databases.kpi.set"):
            for operation in ("write", "create", "unlink"):
                with self.assertRaises(AccessError):
                    env[model].check_access(operation)

    def test_thresholds_are_for_administrators(self):
        """An administrator makes thresholds; users only read them."""
        kpi = self.env["databases.kpi"].search([], limit=1)
        threshold = self.as_user(self.manager)["databases.kpi.threshold"].create(
            {"kpi_id": kpi.id, "value": 1}
        )
        with self.assertRaises(AccessError):
            self.as_user(self.user)["databases.kpi.threshold"].create(
                {"kpi_id": kpi.id, "value": 1}
            )
        self.assertTrue(
            self.as_user(self.user)["databases.kpi.threshold"].browse(threshold.id).read(["value"])
        )

    def test_no_engine_method_is_called_from_outside(self):
        """Everything that bypasses rights is out of reach of RPC."""
        ours = {
            "databases.run": (
                "_start",
                "_work",
                "_claim",
                "_create_run",
                "_start_and_open",
                "_write_results",
                "_gc_runs",
            ),
            "databases.writer": ("_apply_snapshots", "_write_users", "_count_error"),
            "databases.odoocom": (
                "_pull",
                "_set_key",
                "_get_credentials",
                "_pull_now",
                "_cron_pull",
            ),
            "databases.kpi.value": ("_record",),
            "databases.kpi.set": ("_write_definition", "_ensure_columns"),
            "project.project": (
                "_prepare_access",
                "_synchronize_now",
                "_reset_database_errors",
                "_cron_synchronize_all",
            ),
        }
        for model, names in ours.items():
            for name in names:
                with self.subTest(model=model, name=name), self.assertRaises(AccessError):
                    get_public_method(self.as_user(self.manager)[model], name)

    def test_every_public_method_checks_rights(self):
        """Each method of ours that can be called from outside refuses who does not see the database."""
        public = {
            name
            for name in dir(type(self.Project))
            if not name.startswith("_")
            and callable(getattr(type(self.Project), name))
            and any(
                name in cls.__dict__ and "fleet_databases" in cls.__module__
                for cls in type(self.Project).mro()
            )
        }
        known = {"create", "write", "load", "unlink", "copy"}
        on_record = {
            "action_synchronize", "action_connect", "action_open_database", "action_open_kpi_history",
            "action_invite_users", "action_remove_users",
        }  # fmt: skip
        # Odoo's own get_property_definition gives a heading to who may read projects; ours puts it
        # into another language.
        on_all = {"retrieve_database_dashboard", "get_empty_list_help", "get_property_definition"}
        self.assertLessEqual(
            public - known - on_record, on_all, "say here what a new public method may do"
        )
        self.assertLessEqual(on_record, public)
        calls = len(self.remote.requests)
        for reader in self.strangers:
            env = self.as_user(reader)
            for name in (
                "action_synchronize",
                "action_connect",
                "action_invite_users",
                "action_remove_users",
            ):
                with self.subTest(login=reader.login, name=name), self.assertRaises(AccessError):
                    call_kw(env["project.project"], name, [self.project.ids], {})
        self.assertEqual(len(self.remote.requests), calls)

    def test_actions_of_records_of_others(self):
        """Buttons of runs, lines and accounts of others are refused as well."""
        account = self.project.database_user_ids[0]
        for reader in self.strangers:
            env = self.as_user(reader)
            for record, name in (
                (self.run_, "action_retry"),
                (account, "action_remove"),
                (self.run_.line_ids, "action_open_database"),
            ):
                with self.subTest(login=reader.login, name=name), self.assertRaises(AccessError):
                    call_kw(env[record._name], name, [record.ids], {})

    def test_everybody_may_ask_for_everything_they_see(self):
        """Synchronising all with nothing to see is a sentence, not an error."""
        for reader in (self.stranger, self.project_manager, self.internal):
            with self.assertRaisesRegex(UserError, "There is nothing to synchronize"):
                self.as_user(reader)["project.project"].action_synchronize()


@tagged("post_install", "-at_install")
class TestAccessOverHttp(HttpCase):
    """The same from outside, through the web server."""

    def test_portal_pages_name_no_database(self):
        """A portal user who collaborates on a database's project finds nothing on their pages."""
        portal = new_test_user(
            self.env, "portal@example.com", "base.group_portal", password="portal-password"
        )
        project = self.env["project.project"].create(
            {
                "name": SECRET_NAME,
                "privacy_visibility": "portal",
                "database_hosting": "other",
                "database_url": "https://a.example.com",
                "partner_id": portal.partner_id.id,
                "collaborator_ids": [Command.create({"partner_id": portal.partner_id.id})],
                "task_ids": [
                    Command.create(
                        {"name": f"Task of {SECRET_NAME}", "partner_id": portal.partner_id.id}
                    )
                ],
            }
        )
        project.message_subscribe(portal.partner_id.ids)
        project.task_ids.message_subscribe(portal.partner_id.ids)
        plain = self.env["project.project"].create(
            {
                "name": "Plainly seen",
                "privacy_visibility": "portal",
                "partner_id": portal.partner_id.id,
            }
        )
        plain.message_subscribe(portal.partner_id.ids)
        self.authenticate("portal@example.com", "portal-password")
        self.assertIn("Plainly seen", self.url_open("/my/projects").text)
        for path in (
            "/my/projects",
            "/my/tasks",
            f"/my/projects/{project.id}",
            f"/my/tasks/{project.task_ids.id}",
        ):
            with self.subTest(path):
                self.assertNotIn("Zyxwv", self.url_open(path).text)
