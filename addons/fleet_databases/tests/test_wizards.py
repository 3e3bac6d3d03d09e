from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.tests import new_test_user

from .common import GROUP_USER, DatabasesCase
from .fake_odoo import LOGIN, user


class WizardCase(DatabasesCase):
    def setUp(self):
        super().setUp()
        self.one, self.first = self.add("one", users=[user(7, "ann@example.com", "Ann")])
        self.two, self.second = self.add("two")
        self.both = self.first | self.second
        self.synchronize(self.both)
        self.mails = self.env["mail.mail"].search_count([])

    def results(self, action):
        run = self.env["databases.run"].browse(action.get("res_id") or action["params"]["run_id"])
        return run, {(line.project_id.name, line.login): line.result for line in run.line_ids}

    def invite(self, users, projects=None, as_user=None):
        env_user = as_user or self.manager
        wizard = (
            self.env["databases.invite.wizard"]
            .with_user(env_user)
            .create(
                {
                    "project_ids": [(6, 0, (projects or self.both).ids)],
                    "user_ids": [(6, 0, users.ids)],
                }
            )
        )
        with self.enter_registry_test_mode():
            return self.results(wizard.action_invite())

    def remove(self, accounts, everywhere=False, projects=None):
        wizard = (
            self.env["databases.remove.wizard"]
            .with_user(self.manager)
            .create(
                {
                    "project_ids": [(6, 0, (projects or accounts.project_id).ids)],
                    "database_user_ids": [(6, 0, accounts.ids)],
                    "everywhere": everywhere,
                }
            )
        )
        with self.enter_registry_test_mode():
            return self.results(wizard.action_remove())

    def account(self, project, login):
        return project.database_user_ids.filtered(lambda account: account.login == login)


class TestInvite(WizardCase):
    """Accounts for local users on many databases."""

    def test_a_result_for_each_database_and_user(self):
        """Each pair has its own result; who has an account is left alone; nobody is mailed."""
        run, results = self.invite(self.user | self.stranger)
        self.assertEqual(
            results,
            {
                ("One", "ann@example.com"): "already",
                ("One", "bob@example.com"): "done",
                ("Two", "ann@example.com"): "done",
                ("Two", "bob@example.com"): "done",
            },
        )
        self.assertEqual((run.state, run.user_id, run.failed_count), ("done", self.manager, 0))
        self.assertEqual(self.two.get("bob@example.com")["name"], self.stranger.name)
        self.assertFalse(self.one.mails + self.two.mails)
        self.assertEqual(self.env["mail.mail"].search_count([]), self.mails)

    def test_a_slow_database_is_asked_in_turns(self):
        """When time is up, the remaining users wait for another turn, and that is no failure."""
        with patch("odoo.addons.fleet_databases.remote.tasks.USERS_SECONDS", 0.0):
            run, results = self.invite(self.user | self.stranger)
        self.assertEqual(set(results.values()), {"already", "done"})
        self.assertEqual((run.state, run.total_count, run.failed_count), ("done", 4, 0))

    def test_once_more_changes_nothing(self):
        """Repeating an invitation changes nothing there, nothing here, and mails nobody."""
        self.invite(self.user | self.stranger)
        before = (
            [dict(row) for row in self.one.users + self.two.users],
            self.both.database_user_ids,
        )
        messages = self.both.message_ids
        _run, results = self.invite(self.user | self.stranger)
        self.assertEqual(set(results.values()), {"already"})
        self.assertEqual(before, (self.one.users + self.two.users, self.both.database_user_ids))
        self.assertEqual(self.both.message_ids, messages)
        self.assertEqual(self.env["mail.mail"].search_count([]), self.mails)

    def test_the_list_of_users_follows_at_once(self):
        """An invited user is in the list, and the next synchronisation knows the account as one."""
        self.invite(self.stranger)
        self.assertEqual(self.account(self.second, "bob@example.com").local_user_id, self.stranger)
        self.assertEqual(self.second.database_nb_users, 2)
        self.assertIn(
            f"{self.manager.name} invited: bob@example.com", self.second.message_ids[0].body
        )
        self.synchronize(self.second)
        self.assertEqual(len(self.account(self.second, "bob@example.com")), 1)
        self.assertGreater(self.account(self.second, "bob@example.com").remote_id, 0)

    def test_an_inactive_account_comes_back(self):
        """Somebody who was removed gets the same account again."""
        self.one.users.append(user(9, "bob@example.com", active=False))
        _run, results = self.invite(self.stranger, self.first)
        self.assertEqual(results, {("One", "bob@example.com"): "done"})
        self.assertTrue(self.one.get("bob@example.com")["active"])

    def test_a_portal_account_is_not_touched(self):
        """A portal account there is a failure with a reason, not a second account."""
        self.one.users.append(user(9, "bob@example.com", share=True))
        run, results = self.invite(self.stranger, self.first)
        self.assertEqual(results, {("One", "bob@example.com"): "failed"})
        self.assertIn("has a portal account", run.line_ids.sentence)

    def test_no_right_and_unreachable(self):
        """A database that refuses and one that does not answer are told apart; retry takes only them."""
        self.one.may_manage_users = False
        gone = self.connect(
            self.server.add("gone"), database_url=f"http://gone.localhost:{self.free_port()}"
        )
        run, results = self.invite(self.stranger, self.both | gone)
        self.assertEqual(
            results,
            {
                ("One", "bob@example.com"): "no_right",
                ("Two", "bob@example.com"): "done",
                ("Gone", "bob@example.com"): "unreachable",
            },
        )
        self.assertEqual(run.failed_count, 2)
        self.assertFalse(self.account(self.first, "bob@example.com"))
        self.one.may_manage_users = True
        with self.enter_registry_test_mode():
            again, results = self.results(run.with_user(self.manager).action_retry())
        self.assertEqual(
            results,
            {("One", "bob@example.com"): "done", ("Gone", "bob@example.com"): "unreachable"},
        )
        self.assertEqual(again.kind, "invite")

    def test_an_invitation_that_fails_is_no_synchronisation_error(self):
        """A failed invitation leaves the count of synchronisation errors alone."""
        self.one.fault = "server"
        self.invite(self.stranger, self.first)
        self.assertEqual(
            (self.first.database_nb_synchro_errors, self.first.database_state), (0, "ok")
        )

    def test_a_login_that_is_no_address_is_named(self):
        """Users whose login is no e-mail address are named before anything is sent."""
        plain = new_test_user(self.env, "plainlogin", GROUP_USER, name="Plain Jane")
        calls = len(self.one.requests)
        with self.assertRaisesRegex(UserError, "The login of Plain Jane is not an e-mail address"):
            self.invite(plain | self.stranger)
        self.assertEqual(len(self.one.requests), calls)

    def test_something_must_be_chosen(self):
        """Without users there is a sentence that names the field."""
        with self.assertRaisesRegex(UserError, "Choose at least one of the Users"):
            self.invite(self.env["res.users"])

    def test_many_go_to_the_background(self):
        """More than 20 databases are left to the background, which comes to the same results."""
        projects = self.add_many(21)
        run, results = self.invite(self.stranger, projects)
        self.assertEqual((run.state, set(results.values())), ("running", {False}))
        self.run_cron("ir_cron_work")
        self.assertEqual((run.state, set(run.line_ids.mapped("result"))), ("done", {"done"}))

    def test_a_databases_user_may_not_invite(self):
        """Only administrators invite and remove: by wizard, by button, by retry and by RPC."""
        self.account(self.first, "ann@example.com")
        with self.assertRaises(AccessError):
            self.invite(self.stranger, self.first, as_user=self.user)
        run, _results = self.invite(self.stranger, self.first)
        with self.assertRaises(AccessError):
            run.with_user(self.user).action_retry()
        with self.assertRaises(AccessError):
            self.env["databases.remove.wizard"].with_user(self.user).create({})
        with self.assertRaisesRegex(AccessError, "Only a Databases Administrator"):
            self.env["databases.run"].with_user(self.user)._start_and_open(
                "invite", [{"project_id": self.first.id}]
            )

    def test_a_retry_of_ones_own_old_run_needs_the_right_too(self):
        """Somebody who was an administrator once cannot use an old run again."""
        self.one.may_manage_users = False
        run, _results = self.invite(self.stranger, self.first)
        run.user_id = self.user
        with self.assertRaisesRegex(AccessError, "Only a Databases Administrator"):
            run.with_user(self.user).action_retry()

    def test_the_button_opens_the_wizard_for_odoo_databases(self):
        """Links outside Odoo have no users, so they are left out; alone they are refused."""
        link = self.Project.create(
            {"name": "L", "database_hosting": "other", "database_url": "https://x.example.com"}
        )
        action = (self.first | link).action_invite_users()
        self.assertEqual(action["context"]["default_project_ids"], [(6, 0, self.first.ids)])
        with self.assertRaisesRegex(UserError, "Select at least one Odoo database"):
            link.action_invite_users()


class TestRemove(WizardCase):
    """Accounts deactivated on one database, or on all of them."""

    def test_here_only(self):
        """Without the toggle only the chosen databases change; nothing is deleted there."""
        self.invite(self.user)
        run, results = self.remove(self.account(self.first, "ann@example.com"))
        self.assertEqual(results, {("One", "ann@example.com"): "done"})
        self.assertFalse(self.one.get("ann@example.com")["active"])
        self.assertTrue(self.two.get("ann@example.com")["active"])
        self.assertFalse(self.account(self.first, "ann@example.com"))
        self.assertTrue(self.account(self.second, "ann@example.com"))
        self.assertEqual(self.first.database_nb_users, 1)
        self.assertIn("removed: ann@example.com", self.first.message_ids[0].body)
        self.assertEqual(self.env["mail.mail"].search_count([]), self.mails)

    def test_everywhere(self):
        """With the toggle the person goes from every database where they appear, archived ones too."""
        self.invite(self.user)
        self.second.active = False
        self.two.get("ann@example.com")["login"] = "Ann@Example.com"
        self.synchronize(self.second)
        wizard = self.env["databases.remove.wizard"].create(
            {
                "project_ids": [(6, 0, self.first.ids)],
                "database_user_ids": [(6, 0, self.account(self.first, "ann@example.com").ids)],
            }
        )
        self.assertEqual((wizard.line_count, wizard.preview), (1, "ann@example.com: One"))
        wizard.everywhere = True
        self.assertEqual(wizard.line_count, 2)
        _run, results = self.remove(self.account(self.first, "ann@example.com"), everywhere=True)
        self.assertEqual(set(results.values()), {"done"})
        self.assertFalse(
            any(row["active"] for row in self.one.users + self.two.users if row["login"] != LOGIN)
        )

    def test_once_more_changes_nothing(self):
        """An account that is gone or inactive already is a success, and leaves the list."""
        self.one.get("ann@example.com")["active"] = False
        run, results = self.remove(self.account(self.first, "ann@example.com"))
        self.assertEqual((results, run.failed_count), ({("One", "ann@example.com"): "already"}, 0))
        self.synchronize(self.first)
        self.one.users.append(user(30, "joe@example.com"))
        self.synchronize(self.first)
        self.one.users.pop()
        run, results = self.remove(self.account(self.first, "joe@example.com"))
        self.assertEqual((results, run.failed_count), ({("One", "joe@example.com"): "missing"}, 0))
        self.assertEqual(self.first.database_user_ids.mapped("login"), [LOGIN])
        self.assertFalse(self.one.calls("res.users.write"))

    def test_the_account_whose_key_we_use_stays(self):
        """Removing the account that we come in with is refused in plain words."""
        run, results = self.remove(self.account(self.first, LOGIN))
        self.assertEqual(results, {("One", LOGIN): "failed"})
        self.assertIn("is the account whose key we use", run.line_ids.sentence)
        self.assertTrue(self.one.get(LOGIN)["active"])
        self.assertTrue(self.account(self.first, LOGIN))

    def test_an_underscore_in_a_login_is_no_wildcard(self):
        """Removing a_b removes a_b and nobody whose login looks like it."""
        self.one.users += [
            user(20, "a_b@example.com"),
            user(21, "axb@example.com"),
            user(22, "%@example.com"),
        ]
        self.synchronize(self.first)
        self.remove(
            self.account(self.first, "a_b@example.com") | self.account(self.first, "%@example.com")
        )
        active = {row["login"] for row in self.one.users if row["active"]}
        self.assertEqual(active, {LOGIN, "ann@example.com", "axb@example.com"})

    def test_unreachable_is_not_removed(self):
        """While a database does not answer, the account stays in the list and can be tried again."""
        self.first.database_url = f"http://gone.localhost:{self.free_port()}"
        self.first.database_api_key = self.one.key
        run, results = self.remove(self.account(self.first, "ann@example.com"))
        self.assertEqual(
            (results, run.failed_count), ({("One", "ann@example.com"): "unreachable"}, 1)
        )
        self.assertTrue(self.account(self.first, "ann@example.com"))

    def test_something_must_be_chosen(self):
        """Without accounts there is a sentence that names the field."""
        with self.assertRaisesRegex(UserError, "Choose at least one of the Users to remove"):
            self.remove(self.env["databases.user"], projects=self.first)

    def test_the_trash_icon(self):
        """The icon of an account opens the wizard for that account."""
        account = self.account(self.first, "ann@example.com")
        action = account.with_user(self.manager).action_remove()
        context = action["context"]
        wizard = (
            self.env["databases.remove.wizard"]
            .with_user(self.manager)
            .with_context(**context)
            .create({})
        )
        self.assertEqual((wizard.database_user_ids, wizard.project_ids), (account, self.first))
