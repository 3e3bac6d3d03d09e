from odoo.exceptions import AccessError, UserError

from .common import DatabasesCase
from .fake_odoo import user


class TestConnect(DatabasesCase):
    """Where the Connect button leads."""

    def target(self, **values):
        project = self.Project.create(
            {
                "name": "Acme",
                "database_hosting": "premise",
                "database_url": "https://acme.example.com",
                **values,
            }
        )
        try:
            return project.with_user(self.manager).action_connect()["url"]
        finally:
            project.unlink()

    def test_by_version(self):
        """Since 17.2 the web client lives at /odoo, before at /web, and /web is safe when nothing is known."""
        for version, path in (
            ("14.0", "web"),
            ("saas~16.4", "web"),
            ("17.0", "web"),
            ("17.1", "web"),
            ("saas~17.1", "web"),
            ("17.2", "odoo"),
            ("saas~17.2", "odoo"),
            ("saas~18.3", "odoo"),
            ("18.0", "odoo"),
            ("19.0", "odoo"),
            ("19.0+e", "odoo"),
            ("20.0", "odoo"),
            (False, "web"),
            ("nonsense", "web"),
        ):
            for hosting in ("premise", "paas", "saas"):
                with self.subTest(version=version, hosting=hosting):
                    url = self.target(database_version=version, database_hosting=hosting)
                    self.assertEqual(url, f"https://acme.example.com/{path}")

    def test_hosted_by_identifier(self):
        """A database on Odoo Online opens through the account, by its identifier."""
        url = self.target(database_hosting="saas", database_uuid="12-ab", database_version="17.0")
        self.assertEqual(
            url, f"http://odoocom.localhost:{self.server.port}/my/databases/connect/12-ab"
        )
        self.startPatcher(self.without_odoocom_url())
        url = self.target(database_hosting="saas", database_uuid="1/../2?x#y")
        self.assertEqual(url, "https://www.odoo.com/my/databases/connect/1%2F..%2F2%3Fx%23y")

    def without_odoocom_url(self):
        import os
        from unittest.mock import patch

        return patch.dict(os.environ, {"FLEET_ODOOCOM_URL": ""})

    def test_the_identifier_is_for_hosted_databases_only(self):
        """An identifier on any other hosting is not used."""
        self.assertEqual(
            self.target(database_uuid="12-ab", database_version="19.0"),
            "https://acme.example.com/odoo",
        )

    def test_outside_odoo(self):
        """A system outside Odoo opens at its own address, whatever comes after the host."""
        url = "https://wiki.example.com/start?page=1#top"
        self.assertEqual(self.target(database_hosting="other", database_url=url), url)

    def test_a_plain_project_has_nothing_to_open(self):
        """Without a URL there is a sentence instead of an error."""
        project = self.Project.create({"name": "Plain"})
        with self.assertRaisesRegex(UserError, "Plain has no Database URL to open"):
            project.action_connect()

    def test_only_for_who_sees_the_database(self):
        """Users with an account there may connect, others may not."""
        _remote, project = self.add(users=[user(7, self.user.login)])
        self.synchronize(project)
        self.assertTrue(project.with_user(self.user).action_connect()["url"])
        for stranger in (self.stranger, self.project_manager, self.internal):
            with self.assertRaises(AccessError):
                project.with_user(stranger).action_connect()
