import re
from unittest.mock import patch

from odoo.exceptions import UserError
from odoo.tests import HttpCase, new_test_user, tagged
from odoo.tools import mute_logger

from .signup import VALUES, SignupCase
from .test_signup import BAD_NAMES

FORM = {
    "company_name": VALUES["company_name"],
    "contact_name": VALUES["contact_name"],
    "email": VALUES["email"],
    "name": VALUES["name"],
    "template": "tiny",
    "lang": "en_US",
    "country_id": "",
    "website_url": "",
}
WAIT = "Look into your mail"


@tagged("post_install", "-at_install")
class TestStart(SignupCase, HttpCase):
    def setUp(self):
        super().setUp()
        self.authenticate(None, None)

    # --- a browser

    def get(self, path):
        return self.url_open(path)

    def csrf(self):
        return re.search(r'name="csrf_token" value="([^"]+)"', self.get("/start/small").text).group(
            1
        )

    def post(self, path, **data):
        return self.url_open(path, data={"csrf_token": self.csrf(), **data})

    def submit(self, **values):
        return self.post("/start/small", **{**FORM, **values})

    def ask(self, path, **params):
        return self.make_jsonrpc_request(path, params)

    def count(self):
        self.env.invalidate_all()
        models = ("saas.signup", "mail.mail", "res.partner", "res.users", "saas.instance")
        return [
            self.env[model].with_context(active_test=False).search_count([]) for model in models
        ]

    def log_in(self, login):
        self.env.flush_all()
        self.post("/web/login", login=login, password=login)

    # --- the whole way

    def walk_to_end(self, signup):
        self.assertEqual(signup.state, "creating")
        page = self.get("/start/progress").text
        self.assertIn("Preparing your database", page)
        self.assertEqual(self.ask("/start/status")["state"], "creating")
        self.answer(
            signup.instance_id.request_id,
            "done",
            [("personalise", {"url": "https://acme.example.com"})],
        )
        self.env["saas.instance"]._take_inventory(self.server, [self.hosted("acme")])
        instance = signup.instance_id
        key = {"kid": self.env["saas.key"]._get_signing().kid}
        instance.write({"document_told": {"portal": {"keys": [key]}}, "document_unread": False})
        status = self.ask("/start/status")
        self.assertEqual({step["state"] for step in status["steps"]}, {"done"})
        self.assertEqual(status["url"], "/my/databases/connect/uuid-of-acme")
        self.assertIn(f'href="{status["url"]}"', self.get("/start/progress").text)

    def test_a_database_that_the_portal_cannot_enter_is_opened_at_its_own_login(self):
        self.submit()
        self.post("/start/code", code=self.mail_of()[1])
        signup = self.Signup.search([("email", "=", VALUES["email"])])
        address = "https://acme.example.com"
        self.answer(signup.instance_id.request_id, "done", [("personalise", {"url": address})])
        signup.instance_id.write({"document_told": False, "document_unread": False})
        # For a moment it may be that the portal has not introduced itself yet.
        self.date_sign_ups("0 seconds")
        self.assertEqual(self.ask("/start/status")["url"], "")
        signup.instance_id.document_unread = True
        self.assertEqual(self.ask("/start/status")["url"], address)
        signup.instance_id.document_unread = False
        self.date_sign_ups("1 minute")
        self.assertEqual(self.ask("/start/status")["url"], address)

    def date_sign_ups(self, age):
        """Let the last change be this old by the clock; a test's own time stands still."""
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE saas_signup "
            "SET write_date = clock_timestamp() AT TIME ZONE 'UTC' - %s::interval",
            [age],
        )
        self.env.invalidate_all()

    def test_from_the_plans_to_the_database_by_the_link(self):
        self.assertIn('href="/start/small"', self.get("/start").text)
        self.assertIn(WAIT, self.submit().text)
        token, _code = self.mail_of()
        self.assertIn("Yes, create it", self.get(f"/start/confirm/{token}").text)
        answer = self.post(f"/start/confirm/{token}")
        self.assertIn("Your database is being made", answer.text)
        signup = self.Signup.search([("email", "=", VALUES["email"])])
        self.walk_to_end(signup)
        # The browser that proved the mail is logged in to the portal as the new customer.
        self.assertIn("Ann", self.get("/my").text)
        self.assertNotIn("/web/login", self.get("/my").url)

    def test_by_the_code_in_the_browser_that_began(self):
        self.submit()
        _token, code = self.mail_of()
        self.assertIn("not right", self.post("/start/code", code="000000").text)
        self.assertIn("Your database is being made", self.post("/start/code", code=code).text)
        self.walk_to_end(self.Signup.search([("email", "=", VALUES["email"])]))

    def test_a_link_works_once(self):
        self.submit()
        token, _code = self.mail_of()
        self.post(f"/start/confirm/{token}")
        again = self.post(f"/start/confirm/{token}")
        self.assertEqual(again.status_code, 404)
        self.assertIn("does not work", again.text)
        self.assertIn("does not work", self.get(f"/start/confirm/{token}").text)
        self.assertEqual(self.env["saas.instance"].search_count([("name", "=", "acme")]), 1)

    def test_nothing_changes_by_looking(self):
        self.submit()
        token, _code = self.mail_of()
        before = self.count()
        for path in (
            "/start",
            "/start/small",
            "/start?template=tiny",
            "/start/create",
            "/start/code",
            "/start/progress",
            f"/start/confirm/{token}",
            f"/start/confirm/{token}?csrf_token={self.csrf()}",
        ):
            self.get(path)
        self.assertEqual(self.count(), before)
        self.assertEqual(self.Signup._find_by_token(token).state, "new")

    def test_what_does_not_come_from_our_pages_is_refused(self):
        self.submit()
        token, code = self.mail_of()
        before = self.count()
        with self.assertLogs("odoo.http", "WARNING"):
            for path in ("/start/small", f"/start/confirm/{token}", "/start/code", "/start/create"):
                answer = self.url_open(path, data={**FORM, "code": code})
                self.assertEqual(answer.status_code, 400, path)
        self.assertEqual(self.count(), before)

    # --- who it is

    def test_a_customer_has_to_log_in_and_gets_the_database_then(self):
        ann = new_test_user(self.env, "ann@example.com", "base.group_portal")
        answer = self.submit()
        self.assertIn(WAIT, answer.text)
        token, _code = self.mail_of()
        answer = self.post(f"/start/confirm/{token}")
        self.assertIn("/web/login", answer.url)
        signup = self.Signup.search([("email", "=", VALUES["email"])])
        self.assertEqual((signup.state, signup.instance_id.id), ("proven", False))
        self.assertIn("have an account", self.get("/start/progress").text)
        self.post("/start/create")
        self.assertFalse(signup.instance_id)
        self.log_in("ann@example.com")
        self.assertIn("Create the database", self.get("/start/progress").text)
        self.post("/start/create", name="acme")
        self.env.invalidate_all()
        self.assertEqual((signup.state, signup.user_id), ("creating", ann))

    def test_who_has_not_read_the_mail_goes_no_further(self):
        self.submit()
        signup = self.Signup.search([("email", "=", VALUES["email"])])
        self.post("/start/create", name="acme")
        self.assertFalse(signup.instance_id)
        # Another browser proves it: this one may look, and is nobody.
        signup._prove()
        signup._create_for(self.nobody)
        self.env.flush_all()
        self.post("/start/create", name="stolen")
        self.assertEqual(self.ask("/start/status")["state"], "creating")
        self.assertIn("/web/login", self.get("/my").url)
        self.assertEqual(signup.name, "acme")

    def test_nobody_learns_who_is_a_customer(self):
        new_test_user(self.env, "ann@example.com", "base.group_portal")
        pages = [self.submit(email=email).text for email in ("ann@example.com", "new@example.com")]
        for page, email in zip(pages, ("ann@example.com", "new@example.com"), strict=True):
            self.assertIn(WAIT, page)
            self.assertIn(email, page)
        subjects = {self.mails(email).subject for email in ("ann@example.com", "new@example.com")}
        self.assertEqual(len(subjects), 1)

    # --- what is refused

    def test_taken_and_not_allowed_have_one_answer(self):
        self.make_instance("taken")
        answers = {
            re.search(r'id="error_name"[^>]*>([^<]+)<', self.submit(name=name).text).group(1)
            for name in ("taken", "www", "x", "acme'; DROP TABLE x; --", "../etc")
        }
        self.assertEqual(len(answers), 1)
        live = [self.ask("/start/name", name=name) for name in ("taken", "www", "../etc")]
        self.assertEqual({each["free"] for each in live}, {False})
        self.assertEqual({frozenset(each) for each in live}, {frozenset({"free", "proposal"})})

    def test_names_that_are_sql_or_paths_come_to_nothing(self):
        before = self.count()
        for name in [each for each in BAD_NAMES if each.strip() and each.strip() != "acme"]:
            if name == "Acme":
                continue
            with self.subTest(name=name):
                self.assertEqual(self.submit(name=name).status_code, 422)
        self.assertEqual(self.count(), before)

    def test_a_free_name_is_answered_and_an_empty_one_is_generated(self):
        self.assertEqual(self.ask("/start/name", name="Acme"), {"free": True, "proposal": "acme"})
        self.assertRegex(self.ask("/start/name", company="Acme Ltd")["proposal"], "^acme-ltd-")
        self.submit(name="")
        signup = self.Signup.search([("email", "=", VALUES["email"])])
        self.assertRegex(signup.name, r"\Aacme-ltd-\d+\Z")

    def test_what_programs_fill_in_comes_to_nothing_and_looks_the_same(self):
        before = self.count()
        self.assertIn(WAIT, self.submit(website_url="https://spam.example").text)
        self.assertEqual(self.ask("/start/status")["state"], "new")
        self.assertEqual(self.count(), before)

    def test_too_many_of_one_address_are_refused_and_counted_over_browsers(self):
        self.env["ir.config_parameter"].set_param("fleet_saas_portal.signup_start_address", "2")
        found = []
        for number in range(3):
            self.authenticate(None, None)
            found.append(
                self.submit(email=f"{number}@example.com", name=f"name-{number}").status_code
            )
        self.assertEqual(found, [200, 200, 429])

    def test_a_mailbox_is_not_flooded_and_nobody_is_told(self):
        for number in range(5):
            self.assertIn(WAIT, self.submit(name=f"name-{number}").text)
        self.assertEqual(len(self.mails()), 3)

    def test_guessing_codes_and_names_ends(self):
        ICP = self.env["ir.config_parameter"]
        ICP.set_param("fleet_saas_portal.signup_prove_address", "2")
        ICP.set_param("fleet_saas_portal.signup_name_address", "3")
        self.submit()
        codes = [self.post("/start/code", code="000000").status_code for _try in range(3)]
        self.assertEqual(codes, [200, 200, 429])
        names = [self.ask("/start/name", name="free-one")["free"] for _try in range(3)]
        self.assertEqual(names, [True, True, None])

    def test_fields_are_checked_and_kept(self):
        answer = self.submit(email="nonsense", company_name="<b>Acme</b>", template="other")
        self.assertEqual(answer.status_code, 422)
        self.assertIn("&lt;b&gt;Acme&lt;/b&gt;", answer.text)
        self.assertIn('id="error_email"', answer.text)
        for values in (
            {"email": "a@mailinator.com"},
            {"email": "a@intranet"},
            {"template": "other"},
            {"contact_name": ""},
            {"contact_name": "Win at https://spam.example"},
            {"contact_name": "x" * 61},
        ):
            self.assertEqual(self.submit(**values).status_code, 422, values)

    def test_a_country_that_no_browser_sends_is_none(self):
        for country in ("²", "٣", "0", "99999999", "-1", "1e3"):
            answer = self.submit(country_id=country, email=f"{ord(country[0])}@example.org")
            self.assertIn(WAIT, answer.text, country)

    def test_a_price_to_which_tax_will_be_added_says_so(self):
        self.plan.price = 30
        company = self.plan.company_id
        company.account_sale_tax_id = False
        self.assertNotIn("plus tax", self.get("/start").text)
        company.account_sale_tax_id = self.env["account.tax"].create(
            {"name": "Tax of 15%", "amount": 15, "price_include_override": "tax_excluded"}
        )
        self.env.flush_all()
        self.assertIn("plus tax", self.get("/start").text)

    def test_plans_that_are_not_public_do_not_exist_here(self):
        self.plan.is_public = False
        self.env.flush_all()
        self.assertEqual(self.get("/start/small").status_code, 404)
        self.assertNotIn("/start/small", self.get("/start").text)

    def test_a_template_may_be_chosen_by_the_address(self):
        other = self.env["saas.template"].create({"name": "Other", "code": "other"})
        self.plan.other_template_ids = other
        self.env.flush_all()
        self.assertIn('href="/start/small?template=other"', self.get("/start?template=other").text)
        self.assertNotIn("/start/small", self.get("/start?template=nonsense").text)
        self.submit(template="other")
        signup = self.Signup.search([("email", "=", VALUES["email"])])
        self.assertEqual(signup.template_id, other)

    def test_the_link_in_the_mail_is_ours_whatever_host_was_asked(self):
        base = "https://portal.example.com"
        self.env["ir.config_parameter"].set_param("web.base.url", base)
        self.submit()
        self.assertIn(f'href="{base}/start/confirm/', self.mails()[0].body_html)

    def test_pages_with_the_token_are_for_this_browser_alone(self):
        self.submit()
        token, _code = self.mail_of()
        headers = self.get(f"/start/confirm/{token}").headers
        self.assertEqual(headers["Cache-Control"], "no-store")
        self.assertEqual(headers["Referrer-Policy"], "no-referrer")
        self.assertIn("frame-ancestors 'self'", headers["Content-Security-Policy"])

    def test_a_captcha_addon_is_asked_when_the_form_is_sent(self):
        self.assertIn('data-captcha="saas_signup"', self.get("/start/small").text)
        asked = []

        def refuse(_self, action):
            asked.append(action)
            raise UserError("No person.")

        csrf, before = self.csrf(), self.count()
        # The captcha itself is somebody else's server.
        with patch.object(self.registry["ir.http"], "_verify_request_recaptcha_token", refuse):
            with mute_logger("odoo.http"):
                answer = self.url_open("/start/small", data={"csrf_token": csrf, **FORM})
        self.assertEqual((answer.status_code, asked), (422, ["saas_signup"]))
        self.assertEqual(self.count(), before)

    # --- in a real browser

    def in_browser(self, path, condition, act=""):
        """Wait in Chromium until ``condition`` holds on the page ``path``; fail when it never does."""
        self.browser_js(
            path,
            f"""(async () => {{
                for (let wait = 0; wait < 100; wait++) {{
                    {act};
                    await new Promise((resolve) => setTimeout(resolve, 100));
                    if ({condition}) {{
                        console.log("test successful");
                        return;
                    }}
                }}
                console.error("never: " + {condition!r});
            }})()""",
        )

    def test_the_address_is_answered_while_it_is_typed(self):
        type_it = """
            const field = document.querySelector("#name");
            if (wait % 20 === 0) {
                field.value = "www";
                field.dispatchEvent(new Event("input", { bubbles: true }));
            }"""
        self.in_browser(
            "/start/small", "document.querySelector('#name_answer button')", act=type_it
        )


@tagged("post_install", "-at_install")
class TestStartPhone(SignupCase, HttpCase):
    browser_size = "375x667"
    touch_enabled = True

    def test_pages_fit_a_phone(self):
        for path in ("/start", "/start/small"):
            self.browser_js(
                path,
                """document.documentElement.scrollWidth <= window.innerWidth
                    ? console.log("test successful")
                    : console.error("wider than the screen")""",
            )
