import json
from datetime import datetime, timedelta

from odoo.tests import HttpCase, new_test_user, tagged
from odoo.tools import mute_logger

from .common import UPGRADE, SaasCase

TITLE = "This database is suspended"
ADVICE = "Its data is safe. Ask Good Hosting to open it again."
WORDS = f"{TITLE}. {ADVICE}"


@tagged("post_install", "-at_install")
class TestSuspended(SaasCase, HttpCase):
    """Nobody but the provider works in a suspended database, and everybody learns why."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.user = new_test_user(cls.env, "marc@example.com", groups="base.group_user")
        cls.sign(state="suspended")

    def check_page(self, answer):
        self.assertEqual(answer.status_code, 503)
        self.assertIn("text/html", answer.headers["Content-Type"])
        self.assertIn(f"<h1>{TITLE}</h1>", answer.text)
        self.assertIn(ADVICE, answer.text)
        self.assertIn(f'href="{UPGRADE}"', answer.text)
        self.assertIn("default-src 'none'", answer.headers["Content-Security-Policy"])

    def test_every_page_leads_to_the_portal(self):
        for path in ("/", "/odoo", "/web", "/web/login", "/odoo/users", "/nowhere", "/my"):
            with self.subTest(path):
                self.check_page(self.url_open(path, allow_redirects=False))

    def test_who_is_logged_in_already_is_out(self):
        self.sign()
        self.authenticate("marc@example.com", "marc@example.com")
        self.sign(state="suspended")
        self.check_page(self.url_open("/odoo"))

    def test_programs_get_words_and_503(self):
        call = {"model": "res.users", "method": "context_get", "args": [], "kwargs": {}}
        for path in ("/web/dataset/call_kw", "/web/session/get_session_info", "/fleet/notices"):
            with self.subTest(path):
                answer = self.url_open(path, json={"params": call})
                self.assertEqual(answer.status_code, 503)
                self.assertEqual(answer.json()["error"]["message"], WORDS)
        key = (
            self.env["res.users.apikeys"]
            .with_user(self.user)
            ._generate("rpc", "k", datetime.now() + timedelta(days=1))
        )
        answer = self.url_open(
            "/json/2/res.users/context_get",
            data=json.dumps({}),
            headers={"Authorization": f"bearer {key}", "Content-Type": "application/json"},
        )
        self.assertEqual((answer.status_code, answer.json()["message"]), (503, WORDS))

    @mute_logger("odoo.http", "odoo.addons.rpc.controllers.xmlrpc")
    def test_old_rpc_is_refused_before_it_looks_at_a_password(self):
        from odoo.exceptions import AccessDenied

        users = self.env["res.users"]
        with self.assertRaises(AccessDenied) as caught:
            users._check_uid_passwd(self.user.id, "marc@example.com")
        self.assertEqual(caught.exception.args[0], WORDS)
        credential = {"type": "password", "login": self.user.login, "password": self.user.login}
        with self.assertRaises(AccessDenied):
            users.authenticate(credential, {"interactive": False})

    def test_an_operator_of_the_provider_comes_in_and_works(self):
        self.url_open(
            "/fleet/sso",
            {"ticket": self.ticket(sub=self.user.login, operator="Olga", reason="look")},
            allow_redirects=False,
        )
        info = self.make_jsonrpc_request("/web/session/get_session_info", {})
        self.assertEqual(info["username"], self.user.login)
        self.assertEqual(info["fleet_saas"]["notices"][0]["text"], WORDS)

    def test_a_customer_does_not_come_in_by_a_ticket(self):
        answer = self.url_open("/fleet/sso", {"ticket": self.ticket(sub=self.user.login)})
        self.assertEqual(answer.status_code, 403)
        self.assertIn(WORDS, answer.text)
        self.check_page(self.url_open("/odoo"))

    def test_health_is_answered(self):
        self.assertEqual(self.url_open("/web/health").status_code, 200)

    def test_a_document_that_cannot_be_verified_suspends_nobody(self):
        self.store("broken")
        self.assertEqual(self.url_open("/web/login").status_code, 200)
