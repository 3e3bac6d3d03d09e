import os
import socket
from contextlib import contextmanager
from unittest.mock import patch

from odoo import fields
from odoo.fields import Command
from odoo.tests import TransactionCase, tagged

from ..vault import generate_key
from .fake_odoo import KEY, LOGIN, FakeOdoo

GROUP_USER = "base.group_user,fleet_databases.group_databases_user"
GROUP_MANAGER = "base.group_user,base.group_allow_export,fleet_databases.group_databases_manager"
GROUP_PROJECT_MANAGER = "base.group_user,project.group_project_manager"


@contextmanager
def at(moment):
    """Let our models believe that it is ``moment``, naive UTC."""
    with (
        patch.object(fields.Datetime, "now", staticmethod(lambda *_args: moment)),
        patch.object(fields.Date, "today", staticmethod(lambda *_args: moment.date())),
    ):
        yield


def make_users(env, groups):
    """Create users in one go, which is much faster than one by one.

    :param dict groups: names of groups, comma separated, by login
    """
    quiet = {"no_reset_password": True, "mail_create_nosubscribe": True, "mail_create_nolog": True}
    return (
        env["res.users"]
        .with_context(**quiet)
        .create(
            [
                {
                    "login": login,
                    "name": login.partition("@")[0].title(),
                    "email": login,
                    "group_ids": [Command.set([env.ref(name).id for name in names.split(",")])],
                }
                for login, names in groups.items()
            ]
        )
    )


def in_environment(cls, server):
    """Configure this server, for the tests of the class ``cls``, to talk to ``server``."""
    cls.secret_key = generate_key()
    values = {
        "FLEET_SECRET_KEYS": cls.secret_key,
        "FLEET_ALLOW_PRIVATE": "1",
        "FLEET_ODOOCOM_URL": f"http://odoocom.localhost:{server.port}",
        "FLEET_THREADS": "16",
        "FLEET_PROXY": "",
    }
    cls.startClassPatcher(patch.dict(os.environ, values))


def serve_fleet(cls):
    """Start a loopback server for the fleet of a test class and configure this server for it."""
    cls.server = FakeOdoo()
    cls.server.start()
    cls.addClassCleanup(cls.server.stop)
    in_environment(cls, cls.server)


@tagged("post_install", "-at_install")
class DatabasesCase(TransactionCase):
    """A fleet on a loopback server, and one user of each kind."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        serve_fleet(cls)
        cls.env = cls.env(
            context={**cls.env.context, "tracking_disable": False, "mail_create_nolog": False}
        )
        cls.Project = cls.env["project.project"]
        (cls.manager, cls.user, cls.stranger, cls.project_manager, cls.internal, cls.portal) = (
            make_users(
                cls.env,
                {
                    "fleet.manager@example.com": GROUP_MANAGER,
                    "ann@example.com": GROUP_USER,
                    "bob@example.com": GROUP_USER,
                    "pm@example.com": GROUP_PROJECT_MANAGER,
                    "internal@example.com": "base.group_user",
                    "portal@example.com": "base.group_portal",
                },
            )
        )

    def setUp(self):
        super().setUp()
        self.server.databases.clear()
        self.server.hosted = []

    # --- making databases

    def connect(self, remote, **values):
        """Return the project that looks after ``remote``."""
        return self.Project.create(
            {
                "name": remote.name.title(),
                "database_hosting": "premise",
                "database_url": remote.url,
                "database_name": remote.name,
                "database_api_login": LOGIN,
                "database_api_key": KEY,
                **values,
            }
        )

    def add(self, name="acme", values=None, **state):
        """Serve a database and return it with its project."""
        remote = self.server.add(name, **state)
        return remote, self.connect(remote, **(values or {}))

    def add_many(self, count, **state):
        """Serve ``count`` databases and return their projects."""
        remotes = [self.server.add(f"db{number:02}", **state) for number in range(count)]
        return self.Project.browse([self.connect(remote).id for remote in remotes])

    def free_port(self):
        """Return a port on which nobody answers."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return probe.getsockname()[1]

    # --- running

    @contextmanager
    def commits(self):
        """Let the code under test commit; yield an environment that may do so itself."""
        with self.enter_registry_test_mode(), self.registry.cursor() as cr:
            yield self.env(cr=cr)

    def synchronize(self, projects):
        """Synchronise as the button does; return the run."""
        with self.enter_registry_test_mode():
            return projects._synchronize_now()

    def run_cron(self, name):
        """Run a scheduled action as the scheduler does and check that it did not fail."""
        with self.enter_registry_test_mode():
            result = self.env.ref(f"fleet_databases.{name}").method_direct_trigger()
        self.assertIs(result, True, "a scheduled action never fails")

    def set_server_keys(self, keys):
        """Change the encryption keys of this server for the rest of the test."""
        self.startPatcher(patch.dict(os.environ, {"FLEET_SECRET_KEYS": keys}))

    def invalidate(self):
        self.env.flush_all()
        self.env.invalidate_all()
