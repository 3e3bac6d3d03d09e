from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, ValidationError
from odoo.tests import TransactionCase, tagged
from odoo.tools import file_open

from .common import GROUP_USER, DatabasesCase, make_users, serve_fleet
from .fake_odoo import number, user


class TestHardening(DatabasesCase):
    """What a hostile database, or a colleague who wants more than they may, cannot do."""

    # --- by a colleague

    def test_a_default_url_is_checked(self):
        """A URL that comes from the context, or a default of one's own, is checked like any other."""
        url = "javascript:alert(document.domain)"
        values = {"name": "X", "database_hosting": "other"}
        Project = self.Project.with_user(self.manager)
        with self.assertRaises(ValidationError):
            Project.with_context(default_database_url=url).create(values)
        self.env["ir.default"].set("project.project", "database_url", url, user_id=self.manager.id)
        with self.assertRaises(ValidationError):
            Project.create(values)

    def test_a_default_url_is_normalised(self):
        """No address that only looks like one of Odoo.com gets the account's key."""
        project = (
            self.Project.with_user(self.manager)
            .with_context(default_database_url="https://evil.example.com?.odoo.com")
            .create({"name": "X", "database_hosting": "saas"})
        )
        self.assertEqual(project.database_url, "https://evil.example.com")
        self.assertFalse(project.sudo()._is_odoocom_address())

    def test_what_odoocom_has_named_cannot_be_made_up(self):
        """Not even an administrator marks an address as one that Odoo.com has named."""
        url = "https://evil.example.com"
        values = {"name": "X", "database_hosting": "saas", "database_url": url}
        Project = self.Project.with_user(self.manager).with_context(
            default_database_discovered_url=url, default_database_discovered=True
        )
        with self.assertRaises(AccessError):
            Project.create(values)

    def test_figures_are_not_planted(self):
        """A project manager makes no project with what only a synchronisation knows."""
        Project = self.Project.with_user(self.project_manager)
        for name, value in {
            "database_uuid": "1234",
            "database_discovered": True,
            "database_last_synchro": "2026-01-01 00:00:00",
        }.items():
            with self.subTest(field=name):
                with self.assertRaises(AccessError):
                    Project.create({"name": "X", name: value})
                with self.assertRaises(AccessError):
                    Project.with_context(**{f"default_{name}": value}).create({"name": "X"})
        self.assertTrue(Project.create({"name": "X", "database_fetch_documents": False}))

    def test_a_project_manager_with_an_account_only_looks(self):
        """Who sees a database because of an account there neither deletes, archives nor moves it."""
        _remote, project = self.add(users=[user(7, "both@example.com")])
        self.synchronize(project)
        both = make_users(
            self.env, {"both@example.com": f"{GROUP_USER},project.group_project_manager"}
        )
        mine = project.with_user(both)
        self.assertEqual(mine.name, "Acme")
        for change in (
            mine.unlink,
            mine.action_archive,
            lambda: mine.write({"company_id": self.env.company.id}),
        ):
            with self.assertRaises(AccessError):
                change()
        mine.name = "Renamed"
        project.with_user(self.manager).unlink()

    def test_everywhere_is_in_every_company(self):
        """Off-boarding also reaches databases of a company that is not chosen at the moment."""
        company = self.env["res.company"].create({"name": "Second"})
        self.manager.company_ids += company
        _remote, here = self.add("here", users=[user(7, "leaver@example.com")])
        _remote, there = self.add(
            "there", {"company_id": company.id}, users=[user(8, "leaver@example.com")]
        )
        self.synchronize(here | there)
        account = here.database_user_ids.filtered(lambda account: account.remote_id == 7)
        wizard = (
            self.env["databases.remove.wizard"]
            .with_user(self.manager)
            .with_context(allowed_company_ids=self.env.company.ids)
            .create({"project_ids": here.ids, "database_user_ids": account.ids})
        )
        self.assertEqual((wizard.line_count, wizard.preview), (1, "leaver@example.com: Here"))
        wizard.everywhere = True
        self.assertEqual(wizard.line_count, 2)
        self.assertIn("leaver@example.com: There", wizard.preview)

    # --- by another server

    def test_sums_of_negative_figures_fit(self):
        """Figures that are each in range, and together are not, cost nobody a synchronisation."""
        lowest = -(2**31)
        _remote, project = self.add(
            kpis=[number(f"account_journal_type.{name}", lowest) for name in "ab"]
        )
        self.synchronize(project)
        self.assertEqual((project.database_state, project.database_nb_drafts), ("ok", 0))

    def test_names_of_kpis_are_no_markup(self):
        """A link in the name of a KPI stays text in the activity of a threshold."""
        link = '<a href="https://evil.example.com">Log in again</a>'
        _remote, project = self.add(kpis=[number("a", 5, link)])
        self.synchronize(project)
        kpi = self.env["databases.kpi"].search([("technical_name", "=", "a")])
        self.env["databases.kpi.threshold"].create({"kpi_id": kpi.id, "value": 1})
        self.synchronize(project)
        self.assertIn("Log in again", project.activity_ids.note)
        self.assertNotIn("<a", project.activity_ids.note)

    def test_logins_are_no_markup(self):
        """Markup in a login that another server has told stays text in the chatter."""
        login = "<img src=x onerror=alert(1)>"
        _remote, project = self.add(users=[user(9, login)])
        self.synchronize(project)
        item = {"project_id": project.id, "login": login, "user_name": login}
        with self.enter_registry_test_mode():
            self.env["databases.run"]._start("remove", [item])
        self.assertIn("&lt;img", project.message_ids[0].body)

    # --- workers and copies

    def test_many_users_go_to_the_background(self):
        """Users are counted, not only databases: a request must end in time."""
        _remote, project = self.add()
        many = make_users(
            self.env, {f"user{number}@example.com": "base.group_user" for number in range(21)}
        )
        wizard = (
            self.env["databases.invite.wizard"]
            .with_user(self.manager)
            .create({"project_ids": project.ids, "user_ids": many.ids})
        )
        with self.enter_registry_test_mode():
            self.assertEqual(wizard.action_invite()["tag"], "fleet_databases.follow_run")

    def test_a_late_worker_changes_nothing(self):
        """A result whose lease has run out and gone to another worker is dropped."""
        _remote, project = self.add()
        line = self.synchronize(project).line_ids
        job = {
            "project": project.id,
            "kind": "sync",
            "lines": [{"id": line.id, "lease_token": line.lease_token}],
        }
        line.write(
            {
                "state": "running",
                "lease_token": "theirs",
                "lease_until": fields.Datetime.now() + timedelta(minutes=1),
            }
        )
        self.env.flush_all()
        self.env["databases.run"]._apply([(job, None)])
        self.assertEqual((line.state, project.database_nb_synchro_errors), ("running", 0))
        line.lease_token = job["lines"][0]["lease_token"]
        self.env.flush_all()
        self.env["databases.run"]._apply([(job, None)])
        self.assertEqual((line.state, project.database_nb_synchro_errors), ("failed", 1))

    def test_a_copy_has_no_key_of_a_former_database(self):
        """Neutralising also removes the key of a project that is no database any more."""
        _remote, project = self.add()
        project.database_hosting = False
        self.env.flush_all()
        with file_open("fleet_databases/data/neutralize.sql") as file:
            self.env.cr.execute(file.read())
        self.invalidate()
        self.assertFalse(project.database_api_key_secret)


@tagged("post_install", "-at_install")
class TestHardeningTransactions(TransactionCase):
    """Transactions that meet for real."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        serve_fleet(cls)

    def setUp(self):
        super().setUp()
        remote = self.server.add("acme")
        with self.registry.cursor() as cr:
            self.project_id = (
                self.env(cr=cr)["project.project"]
                .create(
                    {
                        "name": "Acme",
                        "database_hosting": "premise",
                        "database_url": remote.url,
                        "database_name": "acme",
                        "database_api_login": remote.login,
                        "database_api_key": remote.key,
                    }
                )
                .id
            )
        self.addCleanup(self._clean)

    def _clean(self):
        with self.registry.cursor() as cr:
            env = self.env(cr=cr)
            env["databases.run.line"].search([("project_id", "=", self.project_id)]).run_id.unlink()
            env["project.project"].browse(self.project_id).unlink()

    def test_who_writes_and_synchronises_does_not_wait_for_themselves(self):
        """A database that the asking transaction has changed is left to the background."""
        with self.registry.cursor() as cr:
            project = self.env(cr=cr)["project.project"].browse(self.project_id)
            project.name = "Changed"
            action = project.action_synchronize()
            self.assertEqual(action["tag"], "fleet_databases.follow_run")
        with self.registry.cursor() as cr:
            env = self.env(cr=cr)
            env["databases.run"]._work()
            self.assertEqual(env["project.project"].browse(self.project_id).database_state, "ok")

    def test_two_workers_close_one_run(self):
        """The second worker that closes a finished run goes on as if nothing was."""
        with self.registry.cursor() as cr:
            env = self.env(cr=cr)
            run = env["databases.run"].create({"kind": "sync", "user_id": env.uid})
            env["databases.run.line"].create(
                {"run_id": run.id, "project_id": self.project_id, "state": "done"}
            )
        with self.registry.cursor() as one, self.registry.cursor() as two:
            first, second = (self.env(cr=cr)["databases.run"] for cr in (one, two))
            second.search_count([])  # it has its snapshot now
            first._work()
            second._work()
            self.assertEqual(second.browse(run.id).state, "done")

    def test_the_answer_of_a_former_address_is_dropped(self):
        """When the URL is changed while the old one is being asked, the new one is asked as well."""
        other = self.server.add("other")
        with self.registry.cursor() as cr:
            env = self.env(cr=cr)
            run = env["databases.run"]._create_run(
                "sync", [{"project_id": self.project_id}], background=True
            )
            [job] = env["databases.run"]._claim("worker", run, 10)
            function, *arguments = job["call"]
            snapshot = function(*arguments)
            with self.registry.cursor() as other_cr:
                self.env(cr=other_cr)["project.project"].browse(self.project_id).write(
                    {
                        "database_url": other.url,
                        "database_name": "other",
                        "database_api_key": other.key,
                    }
                )
            self.assertTrue(env["databases.run"]._try_write([(job, snapshot)]))
            project = env["project.project"].browse(self.project_id)
            self.assertEqual((run.line_ids.state, project.database_state), ("queued", "new"))
            env["databases.run"]._work(run)
            self.assertEqual((run.line_ids.state, project.database_state), ("done", "ok"))
            self.assertTrue(other.requests)
