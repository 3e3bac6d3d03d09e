from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import SaasCase


@tagged("post_install", "-at_install")
class TestServer(SaasCase):
    def test_the_key_is_stored_encrypted_and_never_read_back(self):
        self.server.api_key = "a-secret-key"
        self.assertTrue(self.server.has_api_key)
        self.assertFalse(self.server.api_key)
        self.assertNotIn("a-secret-key", self.server.api_key_secret)
        self.assertEqual(self.server._prepare_access().key, "a-secret-key")

    def test_another_address_forgets_the_key(self):
        for values in ({"url": "https://two.example.com"}, {"database": "other"}):
            self.server.api_key = "a-secret-key"
            self.server.write(values)
            self.assertFalse(self.server.has_api_key, values)

    def test_nobody_reads_the_secret_over_rpc(self):
        for name in ("user", "manager", "admin"):
            with self.subTest(name=name), self.assertRaises(AccessError):
                self.server.with_user(self.people[name]).read(["api_key_secret"])

    def test_an_address_that_is_none_is_refused(self):
        for url in ("ftp://one", "https://user:password@one", "https://o ne"):
            with self.subTest(url=url), self.assertRaises(ValidationError):
                self.server.url = url

    @mute_logger("odoo.sql_db")
    def test_a_server_is_known_once(self):
        with self.assertRaises(Exception), self.env.cr.savepoint():  # noqa: B017 - psycopg2's
            self.env["saas.server"].create(
                {"name": "Twin", "url": self.server.url, "database": "server"}
            )

    def test_the_freest_server_is_chosen(self):
        self.server.capacity = {"free_places": 3}
        two = self.server.copy({"name": "Two", "url": "https://two.example.com"})
        two._write_contact(capacity={"free_places": 9})
        self.line.copy({"server_id": two.id, "state": "ready"})
        self.assertEqual(self.env["saas.server"]._choose(self.template), two)
        two.accepts_new = False
        self.assertEqual(self.env["saas.server"]._choose(self.template), self.server)

    def test_a_region_or_a_pool_limits_the_choice(self):
        region = self.env["saas.region"].create({"name": "France", "code": "fr"})
        with self.assertRaisesRegex(UserError, "No server"):
            self.env["saas.server"]._choose(self.template, region=region)
        self.server.region_id = region
        self.assertEqual(self.env["saas.server"]._choose(self.template, region=region), self.server)
        two = self.server.copy({"name": "Two", "url": "https://two.example.com"})
        with self.assertRaisesRegex(UserError, "No server"):
            self.env["saas.server"]._choose(self.template, two)

    def test_a_full_server_takes_no_more(self):
        self.server.max_instances = 1
        self.make_active("first")
        with self.assertRaisesRegex(UserError, "No server"):
            self.make_instance("second").action_create()

    def test_a_server_with_instances_is_not_deleted(self):
        self.make_active()
        with self.assertRaisesRegex(UserError, "archive it"):
            self.server.unlink()

    def test_a_silent_server_says_so_and_since_when(self):
        self.server._write_error("timeout", {"host": "one.example.com", "seconds": 15})
        since = self.server.error_since
        self.server._write_error("refused", {"host": "one.example.com"})
        self.assertEqual((self.server.state, self.server.error_since), ("unreachable", since))

    def test_what_the_server_says_of_its_templates_is_written(self):
        rows = ({"code": "tiny", "status": "stale", "version": 4}, {"code": "elsewhere"})
        self.env["saas.template"]._take_server_templates(self.server, rows)
        self.assertEqual(
            (self.line.state, self.line.is_stale, self.line.version), ("ready", True, "4")
        )
        self.env["saas.template"]._take_server_templates(self.server, ())
        self.assertEqual(self.line.state, "missing")
