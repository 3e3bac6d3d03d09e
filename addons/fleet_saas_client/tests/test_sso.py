import secrets
import time
from datetime import datetime, timezone

from freezegun import freeze_time

from odoo.exceptions import AccessDenied
from odoo.tests import HttpCase, new_test_user, tagged

from .common import DATABASE, PORTAL, PORTAL_URL, SERVER, SaasCase, Signer, encode, encode_bytes


@tagged("post_install", "-at_install")
class TestSso(SaasCase, HttpCase):
    """The portal's ticket lets the right person in, once, and nobody else ever."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.user = new_test_user(cls.env, "marc@example.com", groups="base.group_user")
        cls.sign()

    def setUp(self):
        super().setUp()
        # Odoo makes who fails often wait; what is refused is what is looked at here.
        self.env["ir.config_parameter"].set_param("base.login_cooldown_after", 0)

    def send(self, ticket, **options):
        """Post a ticket from a browser that nobody is logged in to."""
        self.opener.cookies.clear()
        return self.url_open("/fleet/sso", {"ticket": ticket}, allow_redirects=False, **options)

    def who(self):
        """Return the login of the session that the last answer left, None without one."""
        answer = self.opener.post(
            self.base_url() + "/web/session/get_session_info", json={"params": {}}
        ).json()
        return answer.get("result", {}).get("username")

    def check_in(self, ticket, login="marc@example.com"):
        answer = self.send(ticket)
        self.assertEqual(answer.status_code, 303, answer.text)
        self.assertEqual(self.who(), login)
        return answer

    def check_out(self, ticket, words=""):
        answer = self.send(ticket)
        self.assertEqual(answer.status_code, 403, answer.text)
        self.assertIn(words, answer.text)
        self.assertIsNone(self.who())
        return answer

    def test_a_ticket_logs_its_user_in_and_leaves_a_line(self):
        ticket = self.ticket(sub=self.user.login, uid=self.user.id, redirect="/odoo/settings?a=1")
        answer = self.check_in(ticket)
        self.assertURLEqual(answer.headers["Location"], "/odoo/settings?a=1")
        line = self.env["saas.access"].search([], limit=1)
        self.assertEqual((line.user_id, line.operator), (self.user, False))

    def test_the_list_of_accesses_has_a_menu_once_there_is_something_in_it(self):
        menu = self.env.ref("fleet_saas_client.saas_access_menu")
        menus = self.env["ir.ui.menu"].with_user(self.env.ref("base.user_admin"))
        self.assertNotIn(menu.id, menus.load_menus(False))
        self.check_in(self.ticket(sub=self.user.login))
        self.assertIn(menu.id, menus.load_menus(False))

    def test_an_operator_comes_in_as_a_user_and_says_why(self):
        operator = "Olga Operator (olga@hoster.example)"
        self.check_in(
            self.ticket(sub=self.user.login, operator=operator, reason="Ticket 4711: no mail")
        )
        line = self.env["saas.access"].search([], limit=1)
        self.assertEqual((line.operator, line.reason), (operator, "Ticket 4711: no mail"))
        self.assertEqual((line.user_id, line.login), (self.user, self.user.login))

    def test_a_session_ends_when_the_access_does(self):
        until = int(time.time()) + 3600
        self.check_in(self.ticket(sub=self.user.login, operator="Olga", reason="x", until=until))
        with freeze_time(datetime.fromtimestamp(until - 60, timezone.utc)):
            self.assertEqual(self.who(), self.user.login)
        with freeze_time(datetime.fromtimestamp(until + 1, timezone.utc)):
            page = self.opener.get(self.base_url() + "/odoo", allow_redirects=False, timeout=60)
            self.assertIn("/web/login", page.headers.get("Location", ""))
            self.assertIsNone(self.who())

    def test_after_the_end_of_an_access_not_one_request_is_served(self):
        until = int(time.time()) + 3600
        ticket = {"sub": self.user.login, "operator": "Olga", "reason": "x", "until": until}
        call = {"model": "res.users", "method": "search_count", "args": [[]], "kwargs": {}}
        url = self.base_url() + "/web/dataset/call_kw"
        self.check_in(self.ticket(**ticket))
        self.assertIn("result", self.opener.post(url, json={"params": call}).json())
        with freeze_time(datetime.fromtimestamp(until + 1, timezone.utc)):
            answer = self.opener.post(url, json={"params": call}).json()
        self.assertEqual(answer["error"]["data"]["name"], "odoo.http.SessionExpiredException")

    def test_a_page_without_a_route_logs_out_at_the_end_too(self):
        file = {"name": "a", "type": "binary", "url": "/a.txt", "raw": b"a", "public": True}
        self.env["ir.attachment"].create(file)
        until = int(time.time()) + 3600
        self.check_in(self.ticket(sub=self.user.login, operator="Olga", reason="x", until=until))
        session = self.opener.cookies["session_id"]
        with freeze_time(datetime.fromtimestamp(until + 1, timezone.utc)):
            self.assertEqual(self.opener.get(self.base_url() + "/a.txt").content, b"a")
        self.assertNotEqual(self.opener.cookies["session_id"], session)

    def test_the_end_of_one_access_is_not_inherited_by_the_next_login(self):
        until = int(time.time()) + 3600
        self.check_in(self.ticket(sub=self.user.login, operator="Olga", reason="x", until=until))
        ticket = self.ticket(sub=self.user.login)
        self.url_open("/fleet/sso", {"ticket": ticket}, allow_redirects=False)
        with freeze_time(datetime.fromtimestamp(until + 1, timezone.utc)):
            self.assertEqual(self.who(), self.user.login)

    def test_a_ticket_is_good_once(self):
        ticket = self.ticket(sub=self.user.login)
        self.check_in(ticket)
        self.check_out(ticket, "used already")

    def test_the_session_is_a_new_one(self):
        self.url_open("/web/login")
        before = self.opener.cookies["session_id"]
        self.url_open(
            "/fleet/sso", {"ticket": self.ticket(sub=self.user.login)}, allow_redirects=False
        )
        self.assertEqual(self.who(), self.user.login)
        self.assertNotEqual(self.opener.cookies["session_id"], before)

    def test_a_refused_ticket_logs_nobody_out(self):
        self.check_in(self.ticket(sub=self.user.login))
        self.url_open("/fleet/sso", {"ticket": "x.y.z"}, allow_redirects=False)
        self.assertEqual(self.who(), self.user.login)

    def test_a_second_factor_is_the_portals_matter(self):
        self.patch(type(self.env["res.users"]), "_mfa_url", lambda user: "/web/login/totp")
        self.check_in(self.ticket(sub=self.user.login))

    def test_only_active_internal_users_come_in(self):
        nobody = "there is no such user, or he was archived"
        self.check_out(self.ticket(sub="stranger@example.com"), nobody)
        customer = new_test_user(self.env, "customer@example.com", groups="base.group_portal")
        self.check_out(self.ticket(sub=customer.login), "only internal users")
        self.check_out(self.ticket(sub=self.env.ref("base.public_user").login), nobody)
        self.check_out(self.ticket(sub="__system__"), nobody)
        self.check_out(self.ticket(sub=self.user.login, uid=self.env.ref("base.user_admin").id))
        self.user.active = False
        self.check_out(self.ticket(sub=self.user.login), nobody)

    def test_only_a_posted_form_is_read(self):
        answer = self.url_open(
            f"/fleet/sso?ticket={self.ticket(sub=self.user.login)}", allow_redirects=False
        )
        self.assertEqual(answer.status_code, 405)
        self.assertIsNone(self.who())

    def test_a_ticket_opens_neither_the_login_form_nor_rpc(self):
        ticket = self.ticket(sub=self.user.login)
        page = self.url_open("/web/login").text
        token = page.partition('name="csrf_token" value="')[2].partition('"')[0]
        form = {
            "login": self.user.login,
            "type": "fleet_ticket",
            "ticket": ticket,
            "password": ticket,
            "csrf_token": token,
        }
        self.url_open("/web/login", form)
        self.assertIsNone(self.who())
        users = self.env["res.users"].with_user(self.user)
        for credential in ({"type": "fleet_ticket", "ticket": ticket}, {"type": "fleet_ticket"}):
            with self.assertRaises(AccessDenied):
                users._check_credentials(credential, {"interactive": True})
            with self.assertRaises(AccessDenied):
                users.authenticate({"login": "admin", "type": "fleet_ticket"}, {})

    def test_the_redirect_stays_in_this_database(self):
        for evil in (
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "https://evil.example",
            "https:evil.example",
            "javascript:alert(1)",
            " javascript:alert(1)",
            "/%2fevil.example",
            "/%252fevil.example",
            "/%5cevil.example",
            "/\t/evil.example",
            "/%09/evil.example",
            "/%0d%0aSet-Cookie:a=b",
            "/\n//evil.example",
            "odoo",
            "",
        ):
            with self.subTest(redirect=evil):
                answer = self.send(self.ticket(sub=self.user.login, redirect=evil))
                self.assertEqual(answer.status_code, 303)
                self.assertURLEqual(answer.headers["Location"], "/odoo")

    def test_the_login_page_leads_to_the_portal(self):
        page = self.url_open("/web/login").text
        self.assertIn(f"{PORTAL_URL}/my/databases/connect/{DATABASE}", page)
        self.assertIn("Good Hosting", page)
        self.sign(portal=None)
        self.assertNotIn("/my/databases/connect/", self.url_open("/web/login").text)
        self.sign(state="released")
        self.assertNotIn("/my/databases/connect/", self.url_open("/web/login").text)

    def test_the_database_is_who_the_document_says_it_is(self):
        self.env["ir.config_parameter"].set_param("database.uuid", "another")
        self.check_in(self.ticket(sub=self.user.login))
        self.check_out(self.ticket(sub=self.user.login, aud="another"), "another database")

    def test_the_portal_changes_its_keys(self):
        new = Signer("portal-2")
        portal = {"url": PORTAL_URL, "iss": PORTAL, "keys": [self.portal.public, new.public]}
        self.sign(portal=portal)
        self.check_in(self.ticket(sub=self.user.login))
        self.check_in(self.ticket(new, sub=self.user.login))
        self.sign(portal=portal | {"keys": [new.public]})
        self.check_out(self.ticket(sub=self.user.login), "nobody here knows")

    def test_a_document_that_cannot_be_verified_lets_nobody_in(self):
        token = self.sign()
        self.store(token[:-6] + "AAAAAA")
        self.check_out(self.ticket(sub=self.user.login), "does not take logins from a portal")

    def test_what_another_transaction_used_is_not_used_again(self):
        number = secrets.token_urlsafe(24)
        self.env.cr.execute("INSERT INTO fleet_ticket VALUES (%s, now())", [number])
        self.check_out(self.ticket(sub=self.user.login, jti=number), "used already")

    def test_forty_mutations_are_refused(self):
        mutations = dict(self.mutations())
        self.assertGreaterEqual(len(mutations), 40)
        for name, ticket in mutations.items():
            with self.subTest(name):
                self.check_out(ticket)
        # So that it is the mutations that were refused.
        self.check_in(self.ticket(sub=self.user.login))

    def mutations(self):
        login = self.user.login
        now = int(time.time())
        good = self.ticket(sub=login)
        head, body, signature = good.split(".")
        yield from self.spelled(good, head, body, signature)
        yield from self.signed_by_others(login)
        for name, claims in {
            "no issuer": {"iss": None},
            "another issuer": {"iss": SERVER},
            "a list of issuers": {"iss": [PORTAL]},
            "no audience": {"aud": None},
            "another audience": {"aud": SERVER},
            "a list of audiences": {"aud": [DATABASE]},
            "two audiences": {"aud": [DATABASE, SERVER]},
            "no user": {"sub": None},
            "an empty user": {"sub": ""},
            "a number as user": {"sub": 2},
            "another user's id": {"uid": 1},
            "an id that is text": {"uid": str(self.user.id)},
            "an id that is true": {"uid": True},
            "no number": {"jti": None},
            "a short number": {"jti": "short"},
            "a number with odd characters": {"jti": "x" * 22 + "';"},
            "a number that is one": {"jti": 12345678901234567890123},
            "a number without end": {"jti": "x" * 200},
            "no time": {"iat": None},
            "no end": {"exp": None},
            "expired": {"iat": now - 100, "exp": now - 40},
            "expired just beyond the skew": {"iat": now - 60, "exp": now - 6},
            "from the future": {"iat": now + 30, "exp": now + 90},
            "for an hour": {"exp": now + 3600},
            "for 61 seconds": {"iat": now, "exp": now + 61},
            "ends before it begins": {"iat": now + 4, "exp": now + 2},
            "a time that is text": {"iat": str(now)},
            "an end that is not whole": {"exp": now + 30.5},
            "not before later": {"nbf": now + 60},
            "an operator that is none": {"operator": {"name": "Olga"}},
            "an end that is none": {"until": "tomorrow"},
            "an end before all time": {"until": 0},
            "a reason without end": {"reason": "x" * 5000},
            "huge": {"padding": "x" * 20_000},
        }.items():
            yield name, self.ticket(**{"sub": login} | claims)

    def spelled(self, good, head, body, signature):
        header = {"alg": "EdDSA", "kid": self.portal.name, "typ": "fleet-ticket+jwt"}
        last = "AQgw"["AQgw".index(signature[-1]) - 1]
        # 64 bytes leave four bits of the last character unused: another one means the same bytes.
        twin = chr(ord(signature[-1]) + 1)
        yield "nothing", ""
        yield "no signature", f"{head}.{body}."
        yield "two parts", f"{head}.{body}"
        yield "four parts", f"{good}.{signature}"
        yield "another signature", f"{head}.{body}.{signature[:-1]}{last}"
        yield "the same signature spelled otherwise", f"{head}.{body}.{signature[:-1]}{twin}"
        yield "with padding", f"{head}.{body}.{signature}=="
        yield "with a line end", f"{good}\n"
        yield "another body", f"{head}.{encode({'sub': 'admin'})}.{signature}"
        yield "no algorithm", f"{encode(header | {'alg': 'none'})}.{body}."
        yield "another algorithm", f"{encode(header | {'alg': 'HS256'})}.{body}.{signature}"
        yield "not JSON", f"{head}.{encode_bytes(b'[1')}.{signature}"

    def signed_by_others(self, login):
        import jwt

        claims = {"sub": login}
        public = self.portal.public["x"]
        now = int(time.time())
        payload = {
            "iss": PORTAL,
            "aud": DATABASE,
            "iat": now,
            "exp": now + 60,
            "jti": "x" * 30,
        } | claims
        headers = {"kid": self.portal.name, "typ": "fleet-ticket+jwt"}
        yield "by somebody else", self.ticket(Signer(self.portal.name), **claims)
        yield "by an unknown key", self.ticket(Signer("portal-9"), **claims)
        yield "by the server", self.ticket(self.server, **claims)
        yield "by the public key as a secret", jwt.encode(payload, public, "HS256", headers=headers)
        yield "as a document", self.ticket(headers={"typ": "fleet-document+jwt"}, **claims)
        yield "as any token", self.ticket(headers={"typ": "JWT"}, **claims)
        yield "with the key in it", self.ticket(headers={"jwk": self.portal.public}, **claims)
        yield "with a demand", self.ticket(headers={"crit": ["exp"]}, **claims)
        yield "without a key id", self.ticket(headers={"kid": None}, **claims)
