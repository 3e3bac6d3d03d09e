import base64
import hashlib
import time
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import jwt
from freezegun import freeze_time

from odoo import fields
from odoo.http import Request
from odoo.tests import HttpCase, tagged
from odoo.tools import mute_logger

from ..models.saas_openid_login import CODE_LIFE, TOKEN_LIFE
from .openid import CALLBACK, OpenidCase, RelyingParty
from .test_i18n import FrenchCase


@tagged("post_install", "-at_install")
class TestOpenidWay(OpenidCase, HttpCase):
    """What is asked for and how, as a relying party walks it."""

    def test_a_customer_logs_in_to_another_system_from_the_first_click_to_the_name(self):
        back = self.came_back(self.walk_in(self.max, self.wiki.address()))
        self.assertEqual((back["state"], back["iss"]), (self.wiki.state, self.wiki.facts["issuer"]))
        # The other system asks by itself, without the browser.
        self.authenticate(None, None)
        answer = self.wiki.take(back["code"])
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        tokens = answer.json()
        claims = self.wiki.read(tokens["id_token"])
        self.assertEqual((claims["sub"], claims["nonce"]), (str(self.max.id), self.wiki.nonce))
        self.assertEqual((claims["name"], claims["preferred_username"]), (self.max.name, "max"))
        self.assertEqual(claims["locale"], "en-US")
        self.assertLess(abs(time.time() - claims["auth_time"]), 60)
        told = self.wiki.who(tokens["access_token"]).json()
        self.assertEqual((told["sub"], told["name"]), (claims["sub"], claims["name"]))
        acme = {"name": "acme", "address": "https://acme.example.com", "role": "manager"}
        self.assertEqual(told["databases"], [acme])

    def test_what_is_said_of_the_portal_is_what_it_does(self):
        facts = self.wiki.facts
        self.assertEqual(facts["issuer"], self.base_url())
        self.assertEqual(facts["code_challenge_methods_supported"], ["S256"])
        self.assertEqual(facts["id_token_signing_alg_values_supported"], ["RS256"])
        [key] = self.wiki.keys()
        self.assertEqual((key["kty"], key["use"], key["alg"]), ("RSA", "sig", "RS256"))
        self.assertFalse({"d", "p", "q"} & key.keys())

    def test_the_secret_goes_in_the_header_or_in_the_form(self):
        for auth in ("basic", "post"):
            with self.subTest(auth=auth):
                self.assertEqual(self.wiki.take(self.code(), auth=auth).status_code, 200)

    def test_an_app_without_a_secret_logs_people_in_by_pkce(self):
        self.client.is_public = True
        party = RelyingParty(self, self.client)
        answer = party.take(self.code(party), auth="none")
        self.assertEqual(party.read(answer.json()["id_token"])["sub"], str(self.max.id))

    def test_a_secret_is_enough_without_pkce(self):
        code = self.code(code_challenge=None, code_challenge_method=None)
        self.assertEqual(self.wiki.take(code, code_verifier=None).status_code, 200)

    def test_the_id_token_is_bound_to_its_access_token(self):
        tokens = self.tokens()
        half = hashlib.sha256(tokens["access_token"].encode()).digest()[:16]
        expected = base64.urlsafe_b64encode(half).rstrip(b"=").decode()
        self.assertEqual(self.wiki.read(tokens["id_token"])["at_hash"], expected)

    def test_names_that_are_not_ascii_arrive_whole(self):
        self.max.name = "Zoé Müller 東京"
        told = self.wiki.who(self.tokens()["access_token"])
        self.assertEqual(told.json()["name"], "Zoé Müller 東京")

    def test_a_scope_tells_its_own_and_nothing_else(self):
        self.max.login = "max@acme.example"
        plain = {"sub", "iss", "aud", "iat", "exp", "nonce", "at_hash"}
        for scope, more, by_token in (
            ("openid", set(), set()),
            ("openid email", {"email", "email_verified"}, set()),
            ("openid profile", {"name", "preferred_username", "locale"}, set()),
            ("openid databases", set(), {"databases"}),
        ):
            with self.subTest(scope=scope):
                tokens = self.tokens(scope=scope)
                self.assertEqual(tokens["scope"], scope)
                claims = self.wiki.read(tokens["id_token"]).keys()
                self.assertEqual(claims - {"auth_time"}, plain | more)
                told = self.wiki.who(tokens["access_token"]).json()
                self.assertEqual(told.keys(), {"sub"} | more | by_token)

    def test_the_address_that_people_write_themselves_is_told_to_nobody(self):
        self.max.partner_id.email = "somebody.else@example.com"
        told = self.wiki.who(self.tokens()["access_token"])
        self.assertNotIn("somebody.else", told.text)
        self.assertNotIn("email", told.json())
        self.max.login = "max@acme.example"
        for scope, proven in (("b2c", False), ("b2b", True)):
            self.env["ir.config_parameter"].set_param("auth_signup.invitation_scope", scope)
            told = self.wiki.who(self.tokens()["access_token"]).json()
            self.assertEqual((told["email"], told["email_verified"]), ("max@acme.example", proven))

    def test_another_customers_databases_are_told_to_nobody(self):
        self.login(self.bob)
        code = self.came_back(self.get(self.wiki.address()))["code"]
        told = self.wiki.who(self.wiki.take(code).json()["access_token"]).json()
        self.assertEqual([each["name"] for each in told["databases"]], ["beta"])

    def test_the_hosters_people_look_after_no_database(self):
        staff = self.people["user"]
        self.make_member(staff, "owner", self.acme)
        self.assertEqual(staff._get_openid_databases(), [])

    def test_every_login_leaves_a_line_without_code_and_token(self):
        code = self.code()
        token = self.wiki.take(code).json()["access_token"]
        [line] = self.client.login_ids
        self.assertEqual((line.user_id, line.is_used), (self.max, True))
        self.env.cr.execute("SELECT to_jsonb(l)::text FROM saas_openid_login l")
        [[row]] = self.env.cr.fetchall()
        self.assertNotIn(code, row)
        self.assertNotIn(token, row)


@tagged("post_install", "-at_install")
class TestOpenidConsent(OpenidCase, HttpCase):
    """The person's word."""

    def setUp(self):
        super().setUp()
        self.client.asks_consent = True
        self.login(self.max)

    def test_the_person_is_told_what_and_to_whom_and_allows(self):
        answer = self.get(self.wiki.address())
        for words in ("Wiki", "wiki.example.com", self.max.name, "databases"):
            self.assertIn(words, answer.text)
        self.assertEqual(answer.headers["X-Frame-Options"], "DENY")
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assertFalse(self.client.login_ids)
        back = self.came_back(self.reply(answer, answer="allow"))
        self.assertEqual(back["state"], self.wiki.state)
        claims = self.wiki.read(self.wiki.take(back["code"]).json()["id_token"])
        self.assertEqual(claims["nonce"], self.wiki.nonce)

    def test_who_refuses_goes_back_without_a_code(self):
        for given in ("refuse", "", "Allow"):
            back = self.came_back(self.reply(self.get(self.wiki.address()), answer=given))
            self.assertEqual((back["error"], back["state"]), ("access_denied", self.wiki.state))
            self.assertNotIn("code", back)
        self.assertFalse(self.client.login_ids)

    @mute_logger("odoo.http")
    def test_no_other_page_allows_in_the_persons_name(self):
        values = self.form(self.get(self.wiki.address()))
        for stolen in ("", "o1"):
            with self.subTest(csrf=stolen):
                answer = self.reply(
                    self.get(self.wiki.address()), answer="allow", csrf_token=stolen
                )
                self.assertEqual(answer.status_code, 400)
        answer = self.get(f"/openid/answer?answer=allow&client_id={values['client_id']}")
        self.assertEqual(answer.status_code, 405)
        self.assertFalse(self.client.login_ids)

    def test_what_is_posted_is_checked_again(self):
        question = self.get(self.wiki.address())
        self.assertStays(self.reply(question, answer="allow", redirect_uri="https://evil.example/"))
        self.assertStays(self.reply(question, answer="allow", client_id="0" * 24))
        self.client.tells_databases = False
        back = self.came_back(self.reply(question, answer="allow"))
        self.assertNotIn("databases", self.wiki.take(back["code"]).json()["scope"])

    def test_a_system_that_wants_no_page_shown_gets_no_code_without_asking(self):
        back = self.came_back(self.get(self.wiki.address(prompt="none")))
        self.assertEqual(back["error"], "consent_required")

    def test_a_system_may_have_the_person_asked(self):
        self.client.asks_consent = False
        self.form(self.get(self.wiki.address(prompt="consent")))


@tagged("post_install", "-at_install")
class TestOpenidAttacks(OpenidCase, HttpCase):
    """What must not work."""

    # --- on the way there

    def test_nobody_is_sent_to_an_address_that_is_not_registered(self):
        self.login(self.max)
        for uri in (
            "https://evil.example/callback",
            CALLBACK + "/more",
            CALLBACK + "?more=1",
            CALLBACK + "#more",
            CALLBACK[:-1],
            CALLBACK.upper(),
            "https://wiki.example.com@evil.example/login/callback",
            "https://wiki.example.com.evil.example/login/callback",
            "http://wiki.example.com/login/callback",
            "http://localhost:8124/callback",
            CALLBACK + '"<script>',
            "javascript:alert(1)",
            "//evil.example",
            "",
            None,
        ):
            # Whatever else is wrong with it.
            for changed in ({}, {"response_type": "token"}, {"scope": "x"}, {"prompt": "none"}):
                with self.subTest(uri=uri, **changed):
                    self.assertStays(self.get(self.wiki.address(redirect_uri=uri, **changed)))

    def test_the_public_is_not_even_asked_to_log_in_for_them(self):
        self.authenticate(None, None)
        self.assertStays(self.get(self.wiki.address(redirect_uri="https://evil.example/")))

    def test_a_system_that_is_unknown_or_archived_gets_no_answer(self):
        self.login(self.max)
        for name in ("0" * 24, "' OR 1=1 --", "a\0b", "", None):
            with self.subTest(name=name):
                self.assertStays(self.get(self.wiki.address(client_id=name)))
        self.client.active = False
        self.assertStays(self.get(self.wiki.address()))

    def test_a_parameter_that_comes_twice_is_refused(self):
        self.login(self.max)
        for name in ("redirect_uri", "client_id", "scope", "state"):
            value = parse_qs(urlsplit(self.wiki.address()).query)[name][0]
            with self.subTest(name=name):
                self.assertStays(self.get(self.wiki.address(**{name: [value, value]})))

    def test_characters_that_nothing_is_made_of_are_refused(self):
        self.login(self.max)
        for name in ("state", "nonce", "scope", "prompt", "code_challenge"):
            for value in ("a\0b", "a\r\nb", "x" * 2001):
                with self.subTest(name=name, value=value[:9]):
                    self.assertStays(self.get(self.wiki.address(**{name: value})))
        self.assertStays(self.get(self.wiki.address(response_type='"é')))

    def assertBack(self, error, **changed):
        back = self.came_back(self.get(self.wiki.address(**changed)))
        self.assertEqual((back.get("error"), back.get("state")), (error, self.wiki.state))
        self.assertNotIn("code", back)
        self.assertFalse(self.env["saas.openid.login"].search([]))

    def test_other_ways_than_a_code_do_not_exist(self):
        self.login(self.max)
        for kind in ("token", "id_token", "id_token token", "code id_token", "none"):
            with self.subTest(kind=kind):
                self.assertBack("unsupported_response_type", response_type=kind)
        self.assertBack("invalid_request", response_mode="fragment")
        self.assertBack("invalid_request", response_mode="form_post")
        self.assertBack("request_not_supported", request="e30.e30.")
        self.assertBack("request_uri_not_supported", request_uri="https://evil.example/r")

    def test_only_s256_proves_anything(self):
        self.login(self.max)
        for method in ("plain", "s256", None):
            with self.subTest(method=method):
                self.assertBack("invalid_request", code_challenge_method=method)
        self.client.is_public = True
        self.assertBack("invalid_request", code_challenge=None, code_challenge_method=None)

    def test_a_system_asks_for_no_more_than_it_may(self):
        self.client.write({"tells_databases": False, "tells_email": False})
        tokens = self.tokens(scope="openid profile email databases admin")
        self.assertEqual(tokens["scope"], "openid profile")
        told = self.wiki.who(tokens["access_token"]).json()
        self.assertFalse({"email", "databases"} & told.keys())

    def test_without_the_scope_openid_there_is_nothing(self):
        self.login(self.max)
        for scope in ("profile", "", None, "openidx"):
            with self.subTest(scope=scope):
                self.assertBack("invalid_scope", scope=scope)

    def test_who_is_not_logged_in_is_not_let_in_silently(self):
        self.authenticate(None, None)
        self.assertBack("login_required", prompt="none")
        self.assertBack("invalid_request", prompt="none login")

    def test_a_login_that_is_too_old_is_not_taken_for_a_new_one(self):
        self.login(self.max)
        self.assertBack("login_required", prompt="login")
        # The session of these tests does not say since when.
        self.assertBack("login_required", max_age="3600")
        self.assertBack("invalid_request", max_age="soon")
        # Who has just logged in does not do so twice.
        self.assertIn(
            "code", self.came_back(self.walk_in(self.max, self.wiki.address(prompt="login")))
        )
        address = self.wiki.address(max_age="3600")
        self.assertIn("code", self.came_back(self.get(address)))
        with freeze_time(fields.Datetime.now() + timedelta(hours=2)):
            self.assertEqual(self.came_back(self.get(address))["error"], "login_required")

    def test_who_is_not_logged_in_may_be_asked_for_a_fresh_login(self):
        for max_age in ("0", "1"):
            with self.subTest(max_age=max_age):
                back = self.came_back(self.walk_in(self.max, self.wiki.address(max_age=max_age)))
                claims = self.wiki.read(self.wiki.take(back["code"]).json()["id_token"])
                self.assertLess(abs(time.time() - claims["auth_time"]), 60)
        self.authenticate(None, None)
        self.assertEqual(
            self.came_back(self.get(self.wiki.address(max_age="soon")))["error"], "invalid_request"
        )

    def test_a_login_that_is_asked_for_takes_no_question_away(self):
        self.form(self.walk_in(self.max, self.wiki.address(prompt="login consent")))
        self.assertFalse(self.client.login_ids)

    # --- the code

    def test_a_code_is_good_once_and_its_second_use_takes_the_token_back(self):
        code = self.code()
        token = self.wiki.take(code).json()["access_token"]
        self.assertEqual(self.wiki.who(token).status_code, 200)
        self.assertError(self.wiki.take(code), 400, "invalid_grant")
        self.assertError(self.wiki.who(token), 401, "invalid_token")

    def test_a_code_is_good_for_a_minute(self):
        code = self.code()
        with freeze_time(fields.Datetime.now() + CODE_LIFE + timedelta(seconds=1)):
            self.assertError(self.wiki.take(code), 400, "invalid_grant")

    def test_a_key_that_cannot_be_read_is_our_error_and_uses_no_code_up(self):
        code, key = self.code(), self.env["saas.openid.key"]._get_signing()
        secret, key.secret = key.secret, "gAAAAA"
        with self.assertLogs("odoo.addons.fleet_saas_portal.controllers.openid", "ERROR"):
            self.assertError(self.wiki.take(code), 500, "server_error")
        key.secret = secret
        self.assertEqual(self.wiki.take(code).status_code, 200)

    def test_a_code_is_tried_once(self):
        code = self.code()
        self.assertError(self.wiki.take(code, code_verifier="x" * 43), 400, "invalid_grant")
        self.assertError(self.wiki.take(code), 400, "invalid_grant")

    def test_a_code_needs_what_it_was_asked_with(self):
        for changed, error in (
            ({"code_verifier": "x" * 43}, "invalid_grant"),
            ({"code_verifier": self.wiki.challenge}, "invalid_grant"),
            ({"code_verifier": None}, "invalid_request"),
            ({"code_verifier": ""}, "invalid_request"),
            ({"redirect_uri": "http://localhost:8123/callback"}, "invalid_grant"),
            ({"redirect_uri": None}, "invalid_grant"),
            ({"code": "x" * 43}, "invalid_grant"),
            ({"code": "a\0b"}, "invalid_request"),
            ({"code": None}, "invalid_request"),
            ({"grant_type": "password"}, "unsupported_grant_type"),
            ({"grant_type": "refresh_token"}, "unsupported_grant_type"),
            ({"grant_type": None}, "unsupported_grant_type"),
        ):
            with self.subTest(**changed):
                self.assertError(self.wiki.take(self.code(), **changed), 400, error)

    def test_a_proof_without_a_question_is_refused(self):
        code = self.code(code_challenge=None, code_challenge_method=None)
        self.assertError(self.wiki.take(code), 400, "invalid_request")

    def test_a_wrong_secret_gets_nothing_and_uses_nothing_up(self):
        code, right = self.code(), self.wiki.secret
        for wrong in ("", "x", right[:-1], right + "x", self.client.sudo().secret_hash):
            self.wiki.secret = wrong
            for auth in ("basic", "post"):
                with self.subTest(wrong=wrong, auth=auth):
                    self.assertError(self.wiki.take(code, auth=auth), 401, "invalid_client")
        # Nor does a system with a secret get along without it.
        self.assertError(self.wiki.take(code, auth="none"), 401, "invalid_client")
        self.wiki.secret = right
        self.assertEqual(self.wiki.take(code).status_code, 200)

    def test_a_secret_that_was_replaced_is_good_no_more(self):
        code = self.code()
        self.client.action_new_secret()
        self.assertError(self.wiki.take(code), 401, "invalid_client")

    def test_a_client_without_a_secret_yet_is_nobody(self):
        self.client.sudo().secret_hash = False
        for secret in ("", "None", "False"):
            self.wiki.secret = secret
            self.assertError(self.wiki.take(self.code()), 401, "invalid_client")

    def test_a_header_that_is_none_is_no_error_of_ours(self):
        for pair in (b"\xff\xfe:x", b"no-colon", b"\0:\0"):
            headers = {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}
            data = {"grant_type": "authorization_code", "code": "x"}
            answer = self.url_open("/openid/token", data=data, headers=headers)
            self.assertError(answer, 401, "invalid_client")

    def test_another_systems_code_is_nothing_and_stays_good(self):
        other = self.client.copy({"name": "Tickets"})
        secret = other.action_new_secret()["context"]["default_secret"]
        thief = RelyingParty(self, other, secret)
        thief.verifier, code = self.wiki.verifier, self.code()
        self.assertError(thief.take(code), 400, "invalid_grant")
        self.assertEqual(self.wiki.take(code).status_code, 200)

    def test_who_was_archived_gets_no_token_and_is_told_of_no_more(self):
        token, code = self.tokens()["access_token"], self.code()
        self.max.active = False
        self.assertError(self.wiki.take(code), 400, "invalid_grant")
        self.assertError(self.wiki.who(token), 401, "invalid_token")

    def test_a_system_that_was_archived_gets_no_token_and_hears_no_more(self):
        token, code = self.tokens()["access_token"], self.code()
        self.client.active = False
        self.assertError(self.wiki.take(code), 401, "invalid_client")
        self.assertError(self.wiki.who(token), 401, "invalid_token")

    def test_attempts_are_counted_and_end(self):
        self.env["ir.config_parameter"].set_param("fleet_saas_portal.signup_openid_address", "2")
        statuses = [self.wiki.take("x").status_code for _turn in range(3)]
        self.assertEqual(statuses, [400, 400, 429])

    # --- tokens

    def test_an_access_token_lives_an_hour(self):
        token = self.tokens()["access_token"]
        with freeze_time(fields.Datetime.now() + TOKEN_LIFE + timedelta(seconds=1)):
            self.assertError(self.wiki.who(token), 401, "invalid_token")

    def test_only_a_token_opens_what_is_known_of_a_person(self):
        tokens = self.tokens()
        login = self.env["saas.openid.login"].sudo().search([], limit=1)
        for text in ("", "x", tokens["id_token"], login.token_hash, login.code_hash):
            with self.subTest(text=text[:9]):
                self.assertError(self.wiki.who(text), 401, "invalid_token")
        self.login(self.max)
        answer = self.url_open("/openid/userinfo")
        self.assertError(answer, 401, "invalid_token")
        self.assertIn("Bearer", answer.headers["WWW-Authenticate"])
        token = tokens["access_token"]
        self.assertEqual(self.url_open(f"/openid/userinfo?access_token={token}").status_code, 401)

    def test_a_token_that_nobody_signed_is_not_taken_for_the_portals(self):
        head, claims = self.claims_unsigned(self.tokens()["id_token"])
        self.assertEqual((head["alg"], head["kid"]), ("RS256", self.wiki.keys()[0]["kid"]))
        forged = jwt.encode(claims, None, algorithm="none", headers={"kid": head["kid"]})
        with self.assertRaises(jwt.InvalidTokenError):
            self.wiki.read(forged)

    def test_the_tokens_of_one_system_are_not_for_another(self):
        claims = self.wiki.read(self.tokens()["id_token"])
        self.assertEqual(claims["aud"], self.client.identifier)

    def test_a_frame_of_another_page_shows_no_question(self):
        self.client.asks_consent = True
        self.login(self.max)
        answer = self.get(self.wiki.address())
        self.assertIn("frame-ancestors 'none'", answer.headers["Content-Security-Policy"])

    def test_what_a_page_says_is_text(self):
        self.client.write({"asks_consent": True, "name": "<script>evil</script>"})
        self.login(self.max)
        answer = self.get(self.wiki.address(state='"><script>evil</script>'))
        self.assertNotIn("<script>evil", answer.text)
        back = self.came_back(self.reply(answer, answer="allow"))
        self.assertEqual(back["state"], '"><script>evil</script>')

    def test_the_question_is_for_this_browser_only(self):
        self.client.asks_consent = True
        self.login(self.max)
        values = self.form(self.get(self.wiki.address()))
        token = Request.csrf_token(self)
        self.login(self.bob)
        data = {**values, "csrf_token": token, "answer": "allow"}
        with mute_logger("odoo.http"):
            answer = self.url_open("/openid/answer", data=data, allow_redirects=False)
        self.assertEqual(answer.status_code, 400)
        self.assertFalse(self.client.login_ids)


@tagged("post_install", "-at_install")
class TestOpenidFrench(OpenidCase, FrenchCase):
    def test_people_are_asked_and_refused_in_french(self):
        self.client.asks_consent = True
        self.max.lang = "fr_FR"
        self.login(self.max)
        words = self.words(self.wiki.address())
        self.assertIn("Se connecter à Wiki? Vous poursuivez vers wiki.example.com", words)
        self.assertIn("vos bases de données, et votre rôle dans chacune Votre mot de passe", words)
        self.assertIn("Autoriser Refuser", words)
        self.assertIn("Rien ne lui a été", self.words(self.wiki.address(client_id="x")))
