import threading
from datetime import datetime, timedelta

from freezegun import freeze_time

from odoo import fields, sql_db
from odoo.exceptions import AccessDenied, AccessError, UserError
from odoo.tests import BaseCase, new_test_user, tagged

from ..contract import Refusal
from ..signup import (
    RESERVED,
    Limit,
    is_allowed,
    mail_key,
    network_of,
    new_code,
    new_token,
    plain_address,
    suggest,
    take,
)
from .signup import VALUES, SignupCase

BAD_NAMES = (
    "",
    "a",
    "Acme",
    "1acme",
    "acme-",
    "acme.evil",
    "acme\n",
    "a" * 43,
    "../etc/passwd",
    "acme/../beta",
    "acme'; DROP DATABASE postgres; --",
    'acme" OR 1=1',
    "acme%",
    "acme_x",
    "äcme",
    "pg-catalog",
    "xn--acme",
    "www",
    "postgres",
)


@tagged("post_install", "-at_install")
class TestSignupValues(BaseCase):
    def test_names_that_are_sql_paths_or_the_hosters_own_are_not_allowed(self):
        for name in BAD_NAMES:
            with self.subTest(name=name):
                self.assertFalse(is_allowed(name))
        self.assertTrue(is_allowed("acme-2"))
        self.assertFalse(is_allowed("acme", {"acme"}))

    def test_what_is_proposed_is_allowed_whatever_the_company_is_called(self):
        for company in (
            "Acme Ltd",
            "",
            "123",
            "---",
            "Ünïcødé & Söhne",
            "公司",
            "x" * 300,
            "xn--a",
        ):
            with self.subTest(company=company):
                self.assertTrue(is_allowed(suggest(company)))
        self.assertTrue(suggest("Café de la Paix").startswith("cafe-de-la-paix-"))

    def test_every_reserved_name_could_be_asked_for(self):
        for name in RESERVED:
            self.assertRegex(name, r"\A[a-z][a-z0-9]+\Z")

    def test_addresses_are_counted_in_one_way_of_writing(self):
        for text, plain, network in (
            ("203.0.113.7", "203.0.113.7", "203.0.113.0/24"),
            ("::ffff:203.0.113.7", "203.0.113.7", "203.0.113.0/24"),
            ("2001:DB8:0:12ff::1", "2001:db8:0:12ff::1", "2001:db8:0:1200::/56"),
            ("fe80::1%eth0", "fe80::1", "fe80::/56"),
            ("nonsense", "unknown", "unknown"),
            (None, "unknown", "unknown"),
        ):
            with self.subTest(text=text):
                self.assertEqual((plain_address(text), network_of(text)), (plain, network))

    def test_one_mailbox_counts_once(self):
        self.assertEqual(mail_key(" Ann+shop@Example.com"), mail_key("ann@example.com"))
        self.assertNotEqual(mail_key("bob@example.com"), mail_key("ann@example.com"))

    def test_tokens_are_long_and_codes_have_six_digits(self):
        self.assertGreaterEqual(len(new_token()), 43)
        self.assertNotEqual(new_token(), new_token())
        self.assertRegex(new_code(), r"\A\d{6}\Z")


@tagged("post_install", "-at_install")
class TestSignupLimit(SignupCase):
    SUBJECT = "test:rivals"

    def limit(self, most=5, subject=SUBJECT):
        return Limit("address", subject, most, 3600)

    def test_of_twenty_rivals_exactly_as_many_pass_as_the_limit_says(self):
        database, answers, start = self.env.cr.dbname, [], threading.Barrier(20)

        def rival():
            with sql_db.db_connect(database).cursor() as cr:
                start.wait(20)
                answers.append(take(cr, [self.limit()], datetime(2026, 1, 1)))

        def clean():
            with sql_db.db_connect(database).cursor() as cr:
                cr.execute("DELETE FROM saas_signup_limit WHERE subject = %s", [self.SUBJECT])

        self.addCleanup(clean)
        threads = [threading.Thread(target=rival) for _number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        # Each got an answer, too: none of them fell over a rival.
        self.assertEqual((answers.count(None), answers.count(self.limit())), (5, 15))

    def test_what_one_limit_refuses_is_counted_by_none(self):
        now, other = datetime(2026, 1, 1), self.limit(1, "test:other")
        self.assertIsNone(take(self.env.cr, [other], now))
        for _try in range(9):
            self.assertEqual(take(self.env.cr, [self.limit(), other], now), other)
        self.assertIsNone(take(self.env.cr, [self.limit(1)], now))

    def test_a_new_window_begins_at_zero(self):
        now = datetime(2026, 1, 1, 10, 59)
        self.assertIsNone(take(self.env.cr, [self.limit(1)], now))
        self.assertTrue(take(self.env.cr, [self.limit(1)], now))
        self.assertIsNone(take(self.env.cr, [self.limit(1)], now + timedelta(minutes=1)))

    def test_each_scope_has_its_limit(self):
        Limits = self.env["saas.signup.limit"]
        for scope in ("address", "network", "mail", "total"):
            self.set_limits(**{scope: 2})
            with self.subTest(scope=scope), self.enter_registry_test_mode():
                Limits.search([]).unlink()
                found = [
                    Limits._take("start", address, email) for address, email in self.visitors(scope)
                ]
                self.assertEqual(found, [False, False, scope])

    def set_limits(self, **limits):
        for scope in ("address", "network", "mail", "total"):
            self.env["ir.config_parameter"].set_param(
                f"fleet_saas_portal.signup_start_{scope}", str(limits.get(scope, 0))
            )

    def visitors(self, scope):
        """Return three visitors who have nothing in common but ``scope``."""
        return {
            "address": [("203.0.113.7", f"{x}@example.com") for x in "abc"],
            "network": [(f"203.0.113.{x}", f"{x}@example.com") for x in (1, 2, 3)],
            "mail": [(f"203.0.{x}.7", f"ann+{x}@example.com") for x in (1, 2, 3)],
            "total": [(f"203.0.{x}.7", f"{x}@example.com") for x in (1, 2, 3)],
        }[scope]

    def test_who_signed_up_cannot_be_read_from_the_counts(self):
        limits = self.env["saas.signup.limit"]._get_limits("start", "::1", "ann@example.com")
        self.assertEqual({each.scope for each in limits}, {"address", "network", "mail", "total"})
        self.assertFalse([each for each in limits if "ann" in each.subject])


@tagged("post_install", "-at_install")
class TestSignup(SignupCase):
    def test_nothing_is_created_before_the_mail_is_proven(self):
        def counted():
            models = ("res.partner", "res.users", "saas.instance", "saas.request")
            return [
                self.env[model].with_context(active_test=False).search_count([]) for model in models
            ]

        before = counted()
        signup = self.begin()
        self.assertEqual(counted(), before)
        self.assertEqual(signup._create_for(self.nobody), "failed")
        self.assertEqual(counted(), before)

    def test_neither_token_nor_code_is_stored(self):
        signup = self.begin()
        token, code = self.mail_of()
        self.env.flush_all()
        self.env.cr.execute("SELECT * FROM saas_signup WHERE id = %s", [signup.id])
        [row] = self.env.cr.dictfetchall()
        self.assertFalse([name for name, value in row.items() if value in (token, code)])
        with self.assertRaises(AccessError):
            signup.with_user(self.people["admin"]).read(["token_hash"])

    def test_the_right_token_is_found_and_wrong_used_or_old_ones_are_not(self):
        signup = self.begin()
        token, _code = self.mail_of()
        self.assertEqual(self.Signup._find_by_token(token), signup)
        for wrong in ("", "x", token[:-1], token.upper(), None, [token], "\udcff"):
            self.assertFalse(self.Signup._find_by_token(wrong))
        with freeze_time(fields.Datetime.now() + timedelta(hours=3)):
            self.assertFalse(self.Signup._find_by_token(token))
        signup._prove()
        self.assertFalse(self.Signup._find_by_token(token))
        with self.assertRaises(UserError):
            signup._set_state("new")

    def test_the_code_proves_too_however_it_is_typed(self):
        signup = self.begin()
        _token, code = self.mail_of()
        self.assertTrue(signup._check_code(f" {code[:3]} {code[3:]} "))

    def test_after_five_wrong_codes_the_right_one_is_void_and_the_link_is_not(self):
        signup = self.begin()
        token, code = self.mail_of()
        wrong = f"{(int(code) + 1) % 10**6:06d}"
        for _try in range(5):
            self.assertFalse(signup._check_code(wrong))
        self.assertFalse(signup._check_code(code))
        self.assertEqual(self.Signup._find_by_token(token), signup)

    def test_a_code_that_is_too_old_is_void(self):
        signup = self.begin()
        _token, code = self.mail_of()
        with freeze_time(fields.Datetime.now() + timedelta(hours=3)):
            self.assertFalse(signup._check_code(code))

    def test_only_the_last_mail_counts(self):
        first = self.begin()
        token, code = self.mail_of()
        self.begin(name="acme-two")
        self.assertFalse(self.Signup._find_by_token(token))
        self.assertFalse(first._check_code(code))

    def test_a_proven_mail_makes_customer_portal_user_and_database(self):
        signup = self.proven()
        self.assertEqual(signup._create_for(self.nobody), "")
        instance, user = signup.instance_id, signup.user_id
        self.assertEqual((signup.state, instance.state), ("creating", "creating"))
        self.assertEqual((user.login, user.name), ("ann@example.com", "Ann"))
        self.assertTrue(user._is_portal())
        self.assertEqual(instance.partner_id.commercial_partner_id.name, "Acme Ltd")
        self.assertEqual(instance.partner_id.commercial_partner_id, user.commercial_partner_id)
        request = instance.request_id
        self.assertEqual((request.kind, request.target), ("create", "acme"))
        self.assertEqual(request.arguments["personal"]["login"], "ann@example.com")
        self.assertEqual(request.arguments["personal"]["company"], "Acme Ltd")

    def test_twice_makes_one(self):
        signup = self.proven()
        signup._create_for(self.nobody)
        self.assertEqual(signup._create_for(signup.user_id), "failed")
        self.assertEqual(self.env["saas.instance"].search_count([("name", "=", "acme")]), 1)

    def test_a_login_is_not_taken_over_by_whoever_reads_its_mail(self):
        ann = new_test_user(self.env, "Ann@example.com", "base.group_portal")
        signup = self.proven()
        self.assertEqual(signup._create_for(self.nobody), "login")
        self.assertEqual(signup._create_for(self.people["user"]), "login")
        self.assertFalse(signup.instance_id)
        self.assertEqual(signup._create_for(ann), "")
        self.assertEqual(signup.user_id, ann)
        self.assertEqual(signup.instance_id.partner_id, ann.partner_id)

    def test_an_account_that_was_closed_gets_nothing(self):
        ann = new_test_user(self.env, "ann@example.com", "base.group_portal")
        ann.active = False
        signup = self.proven()
        self.assertEqual(signup._create_for(self.nobody), "failed")
        self.assertFalse(signup.instance_id)

    def test_another_users_contact_with_the_same_mail_is_no_account_and_is_not_shared(self):
        other = new_test_user(self.env, "other", "base.group_portal", email="ann@example.com")
        known = self.env["res.partner"].create({"name": "Ann", "email": "ann@example.com"})
        signup = self.proven()
        self.assertEqual(signup._create_for(self.nobody), "")
        self.assertNotIn(signup.user_id.partner_id, other.partner_id | known)
        self.assertEqual(self.proven(name="two")._create_for(self.nobody), "login")

    def test_a_contact_does_not_order_for_its_company(self):
        company = self.env["res.partner"].create({"name": "Big", "is_company": True})
        ann = new_test_user(self.env, "ann@example.com", "base.group_portal")
        ann.partner_id.parent_id = company
        signup = self.proven()
        signup._create_for(ann)
        self.assertEqual(signup.instance_id.partner_id, ann.partner_id)

    def test_a_name_that_another_took_meanwhile_has_to_be_chosen_again(self):
        signup = self.proven()
        self.make_instance("acme")
        self.assertEqual(signup._create_for(self.nobody), "name")
        self.assertEqual(signup.state, "proven")
        signup.name = "acme-two"
        self.assertEqual(signup._create_for(self.nobody), "")

    def test_taken_names_are_free_again_when_the_database_is_gone(self):
        instance = self.make_instance("acme")
        self.assertFalse(self.Signup._is_free("acme"))
        instance.active = False
        self.assertFalse(self.Signup._is_free("acme"))
        instance._set_state("deleted")
        self.assertTrue(self.Signup._is_free("acme"))

    def test_the_hoster_may_keep_names(self):
        self.env["ir.config_parameter"].set_param("fleet_saas_portal.reserved_names", "acme, beta")
        self.assertFalse(self.Signup._is_free("beta"))

    def test_a_customer_gets_no_more_databases_than_the_plan_gives(self):
        self.plan.max_databases = 1
        self.proven()._create_for(self.nobody)
        again = self.proven(name="acme-two")
        ann = self.env["res.users"].search([("login", "=", "ann@example.com")])
        self.assertEqual(again._create_for(ann), "failed")
        self.assertIn("no further", again.advice)
        self.plan.max_databases = 2
        self.assertEqual(again._create_for(ann), "")

    def test_without_a_server_the_visitor_is_not_told_what_operators_are(self):
        self.server.accepts_new = False
        signup = self.proven()
        self.assertEqual(signup._create_for(self.nobody), "failed")
        self.assertIn("No server", signup.problem)
        self.assertFalse(signup.advice or signup.instance_id)
        self.server.accepts_new = True
        self.assertEqual(signup._create_for(signup.user_id), "")

    def test_the_end_of_the_servers_operation_is_the_end_of_the_signup(self):
        signup = self.proven()
        signup._create_for(self.nobody)
        self.answer(signup.instance_id.request_id, "done", [("personalise", {"url": "https://a"})])
        self.assertEqual(signup.state, "done")
        self.assertEqual({step["state"] for step in signup._get_steps()}, {"done"})

    def choices(self):
        return self.env["mail.mail"].search([("body_html", "like", "/web/signup?")])

    def test_who_signed_up_is_asked_once_to_choose_a_password(self):
        signup = self.proven()
        signup._create_for(self.nobody)
        self.assertFalse(self.choices(), "not before there is a database")
        self.answer(signup.instance_id.request_id, "done")
        mail = self.choices()
        self.assertEqual(len(mail), 1)
        self.assertIn(signup.user_id.login, mail.email_to or mail.recipient_ids.email)
        self.assertTrue(mail.auto_delete)
        signup._mail_password_choice()
        second = self.proven(name="second")
        second.sudo().user_id = signup.user_id
        second._mail_password_choice()
        self.assertEqual(self.choices(), mail)

    def test_who_has_a_password_is_not_asked_for_another(self):
        user = new_test_user(self.env, VALUES["email"], "base.group_portal", email=VALUES["email"])
        signup = self.proven()
        signup._create_for(user)
        self.answer(signup.instance_id.request_id, "done")
        self.assertEqual(signup.state, "done")
        self.assertFalse(self.choices())

    def test_what_the_server_refuses_can_be_asked_under_another_name(self):
        signup = self.proven()
        signup._create_for(self.nobody)
        first = signup.instance_id
        first.request_id._take_refusal(Refusal("The name acme is taken."))
        self.assertEqual((signup.state, signup.problem), ("failed", "The name acme is taken."))
        signup.name = "acme-two"
        self.assertEqual(signup._create_for(signup.user_id), "")
        self.assertEqual((signup.instance_id, first.request_id.target), (first, "acme-two"))

    def test_it_is_not_tried_for_ever(self):
        signup = self.proven()
        signup._create_for(self.nobody)
        for _try in range(4):
            self.answer(signup.instance_id.request_id, "failed", error="Broken.")
            signup._create_for(signup.user_id)
        self.answer(signup.instance_id.request_id, "failed", error="Broken.")
        self.assertFalse(signup._can_try_again())
        self.assertEqual(signup._create_for(signup.user_id), "failed")
        self.assertFalse(signup.instance_id.request_id)

    def test_a_language_that_the_template_lacks_costs_the_language_only(self):
        signup = self.proven()
        signup._create_for(self.nobody)
        self.answer(
            signup.instance_id.request_id, "failed", error="No.", error_code="language_missing"
        )
        self.assertEqual(signup.state, "creating")
        request = signup.instance_id.request_id
        self.assertNotIn("language", request.arguments["personal"])

    def test_the_visitor_reads_plain_words_and_no_evidence(self):
        signup = self.proven()
        signup._create_for(self.nobody)
        self.answer(signup.instance_id.request_id, "running", [("reserve", {"secret": "x"})])
        steps = signup._get_steps()
        self.assertEqual([set(step) for step in steps], [{"text", "state"}] * len(steps))
        self.assertEqual([step["state"] for step in steps[:3]], ["done", "done", "waiting"])

    def test_the_secret_of_the_signup_logs_in_once_and_this_user_only(self):
        signup = self.proven()
        signup._create_for(self.nobody)
        user, secret = signup.user_id, signup._new_login_secret()

        def log_in(login, given):
            credential = {"type": "saas_signup", "login": login, "secret": given}
            return self.env["res.users"].authenticate(credential, {"interactive": True})["uid"]

        for login, given in (("saas_admin", secret), (user.login, "x"), (user.login, None)):
            with self.assertRaises(AccessDenied):
                log_in(login, given)
        self.assertEqual(log_in(user.login, secret), user.id)
        with self.assertRaises(AccessDenied):
            log_in(user.login, secret)

    def test_who_never_answered_is_forgotten(self):
        signup, kept = self.begin(), self.proven(email="bob@example.com", name="bobs")
        kept._create_for(self.nobody)
        with freeze_time(fields.Datetime.now() + timedelta(hours=3)):
            self.Signup._gc_signups()
        self.assertEqual(signup.state, "expired")
        with freeze_time(fields.Datetime.now() + timedelta(days=40)):
            self.Signup._gc_signups()
        self.assertEqual((signup.exists(), kept.exists()), (self.Signup, kept))

    def test_disposable_domains_are_refused_with_what_is_below_them(self):
        Domains = self.env["saas.mail.domain"]
        Domains.create({"name": " @Throwaway.Example "})
        for email, refused in (
            ("a@throwaway.example", True),
            ("a@sub.Throwaway.example", True),
            ("a@mailinator.com", True),
            ("a@nothrowaway.example", False),
            ("a@example", False),
        ):
            with self.subTest(email=email):
                self.assertEqual(Domains._is_refused(email), refused)

    def test_only_operators_see_signups(self):
        signup = self.begin()
        self.assertEqual(signup.with_user(self.people["user"]).email, "ann@example.com")
        for person in ("outsider",):
            with self.assertRaises(AccessError):
                signup.with_user(self.people[person]).read(["email"])
        with self.assertRaises(AccessError):
            signup.with_user(self.people["admin"]).write({"state": "proven"})
