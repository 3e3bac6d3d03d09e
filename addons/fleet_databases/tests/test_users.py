from odoo.tests import new_test_user

from .common import GROUP_USER, DatabasesCase
from .fake_odoo import user


class TestUsers(DatabasesCase):
    """The users of a database, as it tells them."""

    def setUp(self):
        super().setUp()
        self.remote, self.project = self.add(
            users=[
                user(7, "ann@example.com", "Ann"),
                user(8, "joe@example.com", "Joe"),
                user(9, "kim@example.com", "Kim"),
            ]
        )
        self.synchronize(self.project)

    def get(self, remote_id):
        return self.project.database_user_ids.filtered(
            lambda account: account.remote_id == remote_id
        )

    def test_the_same_account_under_another_login(self):
        """A renamed login is still the same account: the identifier there counts."""
        before = self.get(8)
        self.remote.get("joe@example.com").update(login="joseph@example.com", name="Joseph")
        self.synchronize(self.project)
        self.assertEqual(self.get(8), before)
        self.assertEqual(
            (before.login, before.login_key, before.name), ("joseph@example.com",) * 2 + ("Joseph",)
        )
        self.assertEqual(self.project.database_nb_users, 4)

    def test_who_is_gone_is_gone_here(self):
        """Removed, deactivated and external accounts disappear, in several databases at once."""
        _remote, second = self.add(
            "second", users=[user(7, "ann@example.com"), user(8, "joe@example.com")]
        )
        self.synchronize(self.project | second)
        self.remote.users.remove(self.remote.get("joe@example.com"))
        self.remote.get("ann@example.com")["active"] = False
        self.remote.get("kim@example.com")["share"] = True
        self.server.databases["second"].users.pop()
        self.synchronize(self.project | second)
        self.assertEqual(self.project.database_user_ids.mapped("login"), [self.remote.login])
        self.assertEqual((self.project.database_nb_users, second.database_nb_users), (1, 2))

    def test_many_databases_lose_users_at_once(self):
        """The work grows with the number of users that go, not faster."""
        projects = self.add_many(30, users=[user(7, "ann@example.com"), user(8, "joe@example.com")])
        with self.enter_registry_test_mode():
            projects._synchronize_later()
        self.run_cron("ir_cron_work")
        for remote in self.server.find_matching("db*"):
            remote.users = remote.users[:1]
        with self.enter_registry_test_mode():
            projects._synchronize_later()
        self.run_cron("ir_cron_work")
        self.assertEqual(set(projects.mapped("database_nb_users")), {1})

    def test_a_reused_login_is_another_account(self):
        """An account that was deleted and made anew under the same login is one account here."""
        self.remote.get("joe@example.com")["id"] = 20
        self.synchronize(self.project)
        self.assertFalse(self.get(8))
        self.assertEqual(self.get(20).login, "joe@example.com")

    def test_nothing_changes_when_nothing_changed(self):
        """A second synchronisation leaves the same records."""
        before = self.project.database_user_ids
        self.synchronize(self.project)
        self.assertEqual(self.project.database_user_ids, before)

    def test_the_local_user_by_login_then_by_email(self):
        """A local user is found by login, else by e-mail address, the case ignored; the login wins."""
        joe = new_test_user(self.env, "joe", GROUP_USER, email="Joe@Example.com")
        self.env.invalidate_all()
        self.assertEqual(self.get(7).local_user_id, self.user)
        self.assertEqual(self.get(8).local_user_id, joe)
        self.assertFalse(self.get(9).local_user_id)
        second = new_test_user(self.env, "JOE@example.com", GROUP_USER, email="other@example.com")
        self.env.invalidate_all()
        self.assertEqual(self.get(8).local_user_id, second)

    def test_portal_users_are_no_local_users(self):
        """Only internal users here count."""
        new_test_user(self.env, "kim@example.com", "base.group_portal")
        self.env.invalidate_all()
        self.assertFalse(self.get(9).local_user_id)

    def test_search_by_local_user(self):
        """Accounts are found by their local user, and those that have none."""
        Account = self.env["databases.user"]
        mine = [("project_id", "=", self.project.id)]
        self.assertEqual(Account.search([*mine, ("local_user_id", "=", self.user.id)]), self.get(7))
        nobody = Account.search([*mine, ("local_user_id", "=", False)])
        self.assertEqual(nobody, self.project.database_user_ids - self.get(7))
        self.assertEqual(Account.search([*mine, ("local_user_id", "!=", False)]), self.get(7))

    def test_display_name(self):
        """An account is shown with its name and its login, once when they are the same."""
        self.assertEqual(self.get(7).display_name, "Ann (ann@example.com)")
        self.get(7).name = "ann@example.com"
        self.assertEqual(self.get(7).display_name, "ann@example.com")
