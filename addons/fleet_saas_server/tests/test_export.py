import os

from odoo.exceptions import UserError
from odoo.tests import HttpCase, TransactionCase, new_test_user, tagged
from odoo.tools import mute_logger

from ..hosting import archive_work
from .test_archive import CONTENT, ArchiveCase

KEY = {
    "index": "0123abcd",
    "hash": "$pbkdf2-sha512$6000$aaaaaaaaaaaaaaaa$" + "a" * 86,
}


@tagged("post_install", "-at_install")
class TestExportOverHttp(HttpCase, ArchiveCase):
    """Another machine downloads the archives that it has asked for."""

    def setUp(self):
        super().setUp()
        agent = new_test_user(self.env, "agent_http", "fleet_saas_server.group_hosting_agent")
        self.make_people()
        viewer = self.env["res.users"].search([("login", "=", "vera")])
        self.keys = {
            user.login: self.env["res.users.apikeys"]
            .with_user(user)
            .sudo()
            ._generate("rpc", "test", None)
            for user in agent | viewer
        }
        host = self.env["saas.operation"]._get_host()
        self.file = f"archie-20260101-000000-{os.urandom(4).hex()}.zip"
        self.path = archive_work.exports(host) / self.file
        self.path.write_bytes(CONTENT)
        self.addCleanup(self.path.unlink, missing_ok=True)
        self.database = self.make_database()
        self.operation = self.make_export(self.database, self.file, kind="export")
        self.address = f"/fleet/export/{self.operation.key}"

    def get(self, path=None, login="agent_http", **headers):
        if login:
            headers["Authorization"] = f"bearer {self.keys[login]}"
        return self.url_open(path or self.address, headers=headers, allow_redirects=False)

    def test_the_agent_gets_it_whole_and_nobody_caches_it(self):
        answer = self.get()
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.content, CONTENT)
        self.assertEqual(answer.headers["Content-Length"], str(len(CONTENT)))
        self.assertEqual(answer.headers["Cache-Control"], "no-store")

    def test_a_broken_download_goes_on_while_the_file_is_the_same(self):
        tag = self.get().headers["ETag"]
        rest = self.get(Range="bytes=1000-", **{"If-Range": tag})
        self.assertEqual(rest.status_code, 206)
        self.assertEqual(rest.content, CONTENT[1000:])
        self.assertEqual(
            rest.headers["Content-Range"], f"bytes 1000-{len(CONTENT) - 1}/{len(CONTENT)}"
        )
        other = self.get(Range="bytes=1000-", **{"If-Range": '"another"'})
        self.assertEqual((other.status_code, other.content), (200, CONTENT))
        self.assertEqual(self.get(Range=f"bytes={len(CONTENT)}-").status_code, 416)

    @mute_logger("odoo.http")
    def test_nobody_else_gets_it(self):
        self.assertEqual(self.get(login="vera").status_code, 403)
        self.assertIn(self.get(login=None).status_code, (303, 401, 403))
        self.authenticate("otto", "otto-secret")
        self.assertNotEqual(self.get(login=None).status_code, 200)

    def test_what_is_no_export_is_not_given(self):
        own = self.make_export(self.database, self.file, key="test:own-archive")
        outside = self.make_export(self.database, "../../odoo.conf", kind="export")
        running = self.make_export(
            self.database, self.file, kind="export", key="test:running", state="running"
        )
        for key in (own.key, outside.key, running.key, "unknown", "..%2F..%2Fodoo.conf"):
            with self.subTest(key=key):
                self.assertEqual(self.get(f"/fleet/export/{key}").status_code, 404)
        self.path.unlink()
        self.assertEqual(self.get().status_code, 404)

    def test_a_dropped_database_leaves_no_archive(self):
        self.database.state = "archived"
        drop = self.make_export(
            self.database,
            self.file,
            kind="drop",
            key="test:drop",
            step_ids=[(0, 0, {"name": "drop", "state": "done"})],
        )
        self.env["saas.database"]._apply_drop(drop)
        self.assertEqual(self.database.state, "dropped")
        self.assertFalse(self.path.exists())


@tagged("post_install", "-at_install")
class TestExport(TransactionCase, ArchiveCase):
    """What another machine may ask for."""

    def setUp(self):
        super().setUp()
        self.use_own_folder()
        self.database = self.make_database()
        agent = new_test_user(self.env, "agent", groups="fleet_saas_server.group_hosting_agent")
        self.host = self.env["saas.host"].with_user(agent)

    def submit(self, kind, **arguments):
        status = self.host.submit(kind, "archie", f"test:{kind}:{os.urandom(4).hex()}", arguments)
        return self.env["saas.operation"].browse(status["operation"])

    def test_the_state_of_now_and_that_of_a_backup(self):
        now = self.submit("export")
        self.assertEqual(now.step_ids.mapped("name"), ["fits", "write"])
        self.assertEqual(now.request["keep_hours"], 24)
        then = self.submit("export", backup="20260101-000000-abcdef01", keep_hours=2)
        self.assertEqual(then.step_ids.mapped("name"), ["load", "fits", "write", "drop"])
        secrets = self.env["saas.database"]._get_operation_secrets(then)
        self.assertTrue([name for name in secrets if name.startswith("repository.")])
        self.assertFalse(self.env["saas.database"]._get_operation_secrets(now))

    def test_what_is_not_there_is_refused_in_words(self):
        for arguments in ({"backup": "20260101-000000-ffffffff"}, {"keep_hours": 1000}):
            with self.assertRaises(UserError):
                self.submit("export", **arguments)
        self.database.state = "dropped"
        with self.assertRaises(UserError):
            self.submit("export")

    def test_a_key_is_set_and_set_again_after_a_restore(self):
        monitor = self.submit("monitor", key=KEY)
        self.assertEqual(monitor.request["key"], KEY)
        monitor.state = "done"
        monitor._apply()
        self.assertEqual(self.database.sudo().monitor_key, KEY)
        self.env["saas.database"]._tell_again(monitor)
        again = self.env["saas.operation"].search([("kind", "=", "monitor")], limit=1)
        self.assertEqual((again.key, again.request["key"]), (f"monitor:after:{monitor.id}", KEY))

    def test_a_new_database_is_told_its_key_with_the_rest(self):
        for wrong in ({"index": "x"}, {"index": "0123abcd", "hash": "secret"}):
            with self.assertRaises(UserError):
                self.submit("monitor", key=wrong)
