from datetime import datetime, timezone

import jwt
from jwt.algorithms import OKPAlgorithm
from lxml import html

from odoo.exceptions import UserError
from odoo.http import Request
from odoo.tests import HttpCase, tagged
from odoo.tools import mute_logger

from .test_access import ConnectCase


@tagged("post_install", "-at_install")
class TestConnect(ConnectCase, HttpCase):
    def setUp(self):
        super().setUp()
        self.instance = self.make_ready()
        self.path = f"/my/databases/connect/{self.instance.uuid}"

    def login(self, user):
        self.authenticate(user.login, user.login)

    def get(self, path):
        self.env.flush_all()
        return self.url_open(path, allow_redirects=False)

    def form(self, answer):
        self.assertEqual(answer.status_code, 200, answer.text)
        [form] = html.fromstring(answer.text).xpath("//form[@id='connect']")
        return form

    def claims(self, answer):
        """Return what the ticket of a page says, checked with the keys that the database knows."""
        token = self.form(answer).fields["ticket"]
        kid = jwt.get_unverified_header(token)["kid"]
        told = self.instance.sudo().document_told["portal"]
        [key] = [key for key in told["keys"] if key["kid"] == kid]
        return jwt.decode(
            token,
            OKPAlgorithm.from_jwk(key),
            algorithms=["EdDSA"],
            audience=self.instance.uuid,
            issuer=told["iss"],
        )

    def post(self, path, **data):
        return self.url_open(
            path, data={"csrf_token": Request.csrf_token(self), **data}, allow_redirects=False
        )

    # --- the customer

    def test_the_customer_gets_a_ticket_in_their_own_name(self):
        self.login(self.ann)
        answer = self.get(self.path + "?redirect=/odoo/settings")
        claims = self.claims(answer)
        self.assertEqual((claims["sub"], claims["redirect"]), (self.ann.login, "/odoo/settings"))
        self.assertFalse({"operator", "reason"} & claims.keys())
        form = self.form(answer)
        self.assertEqual((form.method, form.action), ("POST", "https://acme.example.com/fleet/sso"))

    def test_the_page_goes_to_the_database_only_and_stays_nowhere(self):
        self.login(self.ann)
        answer = self.get(self.path)
        policy = dict(
            part.strip().split(" ", 1)
            for part in answer.headers["Content-Security-Policy"].split(";")
        )
        self.assertEqual(policy["default-src"], "'none'")
        self.assertEqual(policy["form-action"], "https://acme.example.com")
        self.assertEqual(policy["frame-ancestors"], "'none'")
        [nonce] = set(html.fromstring(answer.text).xpath("//script/@nonce|//style/@nonce"))
        self.assertEqual(policy["script-src"], f"'nonce-{nonce}'")
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assertEqual(answer.headers["Referrer-Policy"], "no-referrer")
        self.assertEqual(answer.headers["X-Frame-Options"], "DENY")

    def test_every_ticket_leaves_a_line_with_its_number(self):
        self.login(self.ann)
        numbers = [self.claims(self.get(self.path))["jti"] for _turn in range(2)]
        lines = self.instance.access_log_ids
        self.assertEqual(lines.mapped("number"), numbers[::-1])
        self.assertEqual(lines.user_id, self.ann)
        self.assertEqual(set(lines.mapped("address")), {"127.0.0.1"})
        self.assertFalse(any(lines.mapped("is_operator")))

    def test_nothing_but_the_line_changes(self):
        self.login(self.ann)
        self.env.flush_all()
        before = self.instance.read()[0]
        self.get(self.path)
        self.env.invalidate_all()
        after = self.instance.read()[0]
        self.assertEqual(len(after.pop("access_log_ids")), 1)
        before.pop("access_log_ids")
        self.assertEqual(after, before)

    def test_a_page_elsewhere_is_never_the_next_one(self):
        self.login(self.ann)
        for path in ("//evil.example", "https://evil.example", "/%5Cevil.example"):
            with self.subTest(path=path):
                claims = self.claims(self.get(f"{self.path}?redirect={path}"))
                self.assertEqual(claims["redirect"], "/odoo")

    def test_other_customers_find_nothing_there(self):
        self.login(self.bob)
        for path in (self.path, "/my/databases/connect/uuid-of-nothing"):
            with self.subTest(path=path):
                self.assertEqual(self.get(path).status_code, 404)
        self.assertFalse(self.instance.access_log_ids)

    def test_viewers_of_the_customer_do_not_log_in(self):
        for role, status in (("viewer", 404), ("manager", 200)):
            self.env["saas.member"].search([]).unlink()
            self.env["saas.member"].create(
                {"partner_id": self.customer.id, "user_id": self.bob.id, "role": role}
            )
            self.login(self.bob)
            with self.subTest(role=role):
                self.assertEqual(self.get(self.path).status_code, status)

    def test_the_public_is_asked_to_log_in(self):
        self.authenticate(None, None)
        answer = self.get(self.path)
        self.assertEqual(answer.status_code, 303)
        self.assertIn("/web/login", answer.headers["Location"])
        self.assertFalse(self.instance.access_log_ids)

    def test_employees_who_are_no_operators_find_nothing_there(self):
        self.login(self.people["outsider"])
        self.assertEqual(self.get(self.path).status_code, 404)

    @mute_logger("odoo.http")
    def test_a_database_that_is_not_ready_is_told_in_words(self):
        self.login(self.ann)
        for values, words in (
            ({"state": "suspended"}, "not running"),
            ({"document_unread": True}, "not installed"),
            ({"document_told": {}}, "not told yet"),
            ({"url": "javascript:alert(1)"}, "no address"),
            ({"url": "https://evil.example;script-src *"}, "no address"),
        ):
            with self.subTest(words=words):
                before = {name: self.instance.sudo()[name] for name in values}
                self.instance.sudo().write(values)
                answer = self.get(self.path)
                self.assertEqual(answer.status_code, 409)
                self.assertIn(words, answer.text)
                self.instance.sudo().write(before)
        self.assertFalse(self.instance.access_log_ids)

    def test_a_key_that_the_database_does_not_know_signs_nothing(self):
        self.env["saas.key"]._get_signing().action_revoke()
        with self.assertRaisesRegex(UserError, "not told yet"):
            self.instance.sudo()._issue_ticket(self.ann, "ann")

    # --- operators

    def test_an_operator_is_led_to_the_button_that_asks_why(self):
        self.login(self.operator)
        answer = self.get(self.path)
        self.assertEqual(answer.status_code, 303)
        self.assertIn(f"saas_instance_action/{self.instance.id}", answer.headers["Location"])
        self.assertFalse(self.instance.access_log_ids)

    def test_an_operator_is_never_taken_for_the_customer(self):
        self.env["saas.member"].create(
            {"partner_id": self.customer.id, "user_id": self.operator.id, "role": "owner"}
        )
        self.login(self.operator)
        self.assertEqual(self.get(self.path).status_code, 303)

    def test_an_operator_comes_in_with_name_and_reason(self):
        access = self.ask(self.instance)
        self.login(self.operator)
        claims = self.claims(self.get(f"/saas/access/{access.id}"))
        self.assertEqual(claims["sub"], "ann@acme.example")
        self.assertEqual(claims["operator"], f"{self.operator.name} ({self.operator.login})")
        self.assertEqual(claims["reason"], "Ticket 4711")
        end = datetime.fromtimestamp(claims["until"], timezone.utc).replace(tzinfo=None)
        self.assertEqual(end, access.until.replace(microsecond=0))
        [line] = self.instance.access_log_ids
        self.assertEqual((line.is_operator, line.reason), (True, "Ticket 4711"))
        self.assertEqual((line.access_id, line.number), (access, claims["jti"]))

    def test_nobody_uses_the_access_of_another(self):
        access = self.ask(self.instance)
        for user in (self.people["admin"], self.people["user"], self.ann, self.bob):
            self.login(user)
            with self.subTest(user=user.login):
                self.assertEqual(self.get(f"/saas/access/{access.id}").status_code, 404)
        self.assertFalse(self.instance.access_log_ids)

    def test_who_is_no_operator_any_more_does_not_come_in(self):
        access = self.ask(self.instance)
        group = self.env.ref("fleet_saas_portal.group_saas_manager")
        self.operator.group_ids -= group
        self.login(self.operator)
        self.assertEqual(self.get(f"/saas/access/{access.id}").status_code, 404)

    def test_the_customers_yes_is_waited_for(self):
        self.plan.asks_approval = True
        access = self.ask(self.instance)
        self.login(self.operator)
        self.assertEqual(self.get(f"/saas/access/{access.id}").status_code, 409)
        self.login(self.ann)
        self.post(f"/my/databases/access/{access.id}/answer", answer="grant", hours="1")
        self.env.invalidate_all()
        self.assertEqual((access.state, access.answered_by_id), ("granted", self.ann))
        self.login(self.operator)
        self.claims(self.get(f"/saas/access/{access.id}"))
        with self.later(hours=1, minutes=1):
            self.assertFalse(access.sudo()._is_usable())

    # --- the customer's word

    def test_looking_at_the_question_answers_nothing(self):
        self.plan.asks_approval = True
        access = self.ask(self.instance)
        self.login(self.ann)
        path = f"/my/databases/access/{access.id}"
        answer = self.get(f"{path}?answer=grant")
        self.assertEqual(answer.status_code, 200)
        self.assertIn("Ticket 4711", answer.text)
        self.assertEqual(self.get(f"{path}/answer?answer=grant").status_code, 405)
        self.env.invalidate_all()
        self.assertEqual(access.state, "asked")

    def test_the_customer_refuses_and_ends(self):
        self.plan.asks_approval = True
        self.login(self.ann)
        for answers, state in ((["refuse"], "refused"), (["grant", "end"], "over")):
            access = self.ask(self.instance)
            for answer in answers:
                self.env.flush_all()
                page = f"/my/databases/access/{access.id}"
                self.assertEqual(self.post(f"{page}/answer", answer=answer).status_code, 303)
                self.assertEqual(self.get(page).status_code, 200)
            self.env.invalidate_all()
            self.assertEqual(access.state, state)

    def test_others_neither_see_nor_answer_the_question(self):
        self.plan.asks_approval = True
        access = self.ask(self.instance)
        path = f"/my/databases/access/{access.id}"
        for user in (self.bob, self.operator, self.people["admin"], self.people["outsider"]):
            self.login(user)
            with self.subTest(user=user.login):
                self.assertEqual(self.get(path).status_code, 404)
                self.assertEqual(self.post(f"{path}/answer", answer="grant").status_code, 404)
        self.env.invalidate_all()
        self.assertEqual(access.state, "asked")

    @mute_logger("odoo.http")
    def test_a_foreign_page_answers_nothing_in_the_customers_name(self):
        self.plan.asks_approval = True
        access = self.ask(self.instance)
        self.login(self.ann)
        path = f"/my/databases/access/{access.id}/answer"
        answer = self.url_open(path, data={"answer": "grant"}, allow_redirects=False)
        self.assertEqual(answer.status_code, 400)
        self.env.invalidate_all()
        self.assertEqual(access.state, "asked")
