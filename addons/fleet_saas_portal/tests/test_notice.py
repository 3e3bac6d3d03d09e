from datetime import timedelta

from freezegun import freeze_time
from psycopg2.errors import CheckViolation

from odoo import fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import Form, tagged
from odoo.tools import mute_logger

from odoo.addons.base.tests.test_ir_cron import CronMixinCase

from .common import SaasCase


@tagged("post_install", "-at_install")
class TestNotice(SaasCase, CronMixinCase):
    def setUp(self):
        super().setUp()
        self.acme, self.beta = self.make_active("acme"), self.make_active("beta")

    def make(self, user="manager", **values):
        values = {"name": "Sunday", "text": "We move to a larger machine."} | values
        return self.env["saas.notice"].with_user(self.people[user]).create(values)

    def shown(self, instance):
        return [each["text"] for each in instance._prepare_document()["notices"]]

    def run_cron(self, name):
        with self.enter_registry_test_mode():
            self.env.ref(f"fleet_saas_portal.ir_cron_{name}").method_direct_trigger()
        self.env.invalidate_all()

    def tell(self, state="done", *, written=True, **values):
        """Have every database told what is new, and write what the server says of each."""
        self.run_cron("documents")
        requests = (self.acme | self.beta).request_ids.filtered(
            lambda each: each.is_open and each.kind == "document"
        )
        for request in requests:
            self.answer(request, state, steps=[("write", {"written": written})], **values)
        return requests

    def deliveries(self, notice):
        instances = notice.recipient_ids.with_context(saas_notice_id=notice.id)
        self.env.invalidate_all()
        return instances.mapped("notice_delivery")

    def test_it_is_in_the_documents_as_the_contract_says(self):
        notice = self.make(
            kind="maintenance",
            link="https://status.example.com/1",
            link_text="Status",
            post=True,
            start="2026-01-02 03:04:05",
        )
        self.assertEqual(self.acme._prepare_document()["notices"], [], "a draft is for nobody")
        notice.action_publish()
        self.assertEqual(
            self.acme._prepare_document()["notices"],
            [
                {
                    "id": notice.code,
                    "kind": "maintenance",
                    "text": "We move to a larger machine.",
                    "link": "https://status.example.com/1",
                    "link_text": "Status",
                    "start": "2026-01-02T03:04:05Z",
                    "end": None,
                    "post": True,
                }
            ],
        )

    def test_each_audience_is_met_and_nobody_else(self):
        tag = self.env["res.partner.category"].create({"name": "Early"})
        gold = self.env["res.partner"].create({"name": "Gold", "category_id": tag.ids})
        plan = self.plan.copy({"code": "gold", "name": "Gold"})
        server = self.server.copy({"name": "Two", "url": "https://two.example.com"})
        self.beta.sudo().write({"partner_id": gold.id, "plan_id": plan.id, "server_id": server.id})
        for values in (
            {"audience": "instances", "instance_ids": self.beta.ids},
            {"audience": "plans", "plan_ids": plan.ids},
            {"audience": "servers", "server_ids": server.ids},
            {"audience": "tags", "tag_ids": tag.ids},
            {"audience": "filter", "filter_domain": "[('name', 'like', 'bet')]"},
        ):
            with self.subTest(values=values):
                notice = self.make(**values)
                self.assertEqual((notice.recipient_ids, notice.recipient_count), (self.beta, 1))
                notice.action_publish()
                self.assertTrue(self.shown(self.beta))
                self.assertFalse(self.shown(self.acme))
                notice.action_withdraw()
        everybody = self.make()
        self.assertEqual(everybody.recipient_ids, self.acme | self.beta)

    def test_the_preview_follows_what_is_typed(self):
        form = Form(self.env["saas.notice"].with_user(self.people["manager"]))
        form.name, form.text = "Sunday", "We move."
        self.assertEqual(form.recipient_count, 2)
        form.audience = "instances"
        form.instance_ids.add(self.acme)
        self.assertEqual(form.recipient_count, 1)
        notice = form.save()
        action = notice.action_open_recipients()
        self.assertEqual(self.env["saas.instance"].search(action["domain"]), self.acme)

    def test_a_notice_for_nobody_is_not_published(self):
        notice = self.make(audience="instances")
        with self.assertRaisesRegex(UserError, "no instance"):
            notice.action_publish()
        over = self.make(
            start=fields.Datetime.now() - timedelta(days=2),
            end=fields.Datetime.now() - timedelta(days=1),
        )
        with self.assertRaisesRegex(UserError, "over already"):
            over.action_publish()

    def test_it_comes_at_its_start_and_goes_at_its_end(self):
        now = fields.Datetime.now().replace(microsecond=0)
        notice = self.make(start=now + timedelta(hours=1), end=now + timedelta(hours=2))
        with self.capture_triggers("fleet_saas_portal.ir_cron_notices") as triggers:
            notice.action_publish()
        moments = set(triggers.records.mapped("call_at"))
        self.assertEqual(moments, {notice.start, notice.end})
        self.assertEqual((notice.state, self.shown(self.acme)), ("scheduled", []))
        with freeze_time(now + timedelta(minutes=61)):
            with self.capture_triggers("fleet_saas_portal.ir_cron_documents") as triggers:
                self.run_cron("notices")
            self.assertTrue(triggers.records, "databases are told at once")
            self.assertEqual(notice.state, "shown")
            self.assertTrue(self.shown(self.acme))
        with freeze_time(now + timedelta(minutes=121)):
            self.run_cron("notices")
            self.assertEqual((notice.state, self.shown(self.acme)), ("ended", []))

    def test_what_was_over_before_the_portal_ran_is_never_shown(self):
        now = fields.Datetime.now()
        notice = self.make(start=now + timedelta(hours=1), end=now + timedelta(hours=2))
        notice.action_publish()
        with freeze_time(now + timedelta(days=2)):
            self.run_cron("notices")
        self.assertEqual(notice.state, "ended")
        self.assertIn("before it could be shown", "".join(notice.message_ids.mapped("body")))

    def test_it_is_taken_back_before_and_after_its_start(self):
        later = self.make(start=fields.Datetime.now() + timedelta(days=1))
        later.action_publish()
        later.action_draft()
        later.kind = "warning"
        notice = self.make()
        notice.action_publish()
        with self.assertRaisesRegex(UserError, "cannot go from"):
            notice.action_draft()
        with self.capture_triggers("fleet_saas_portal.ir_cron_documents") as triggers:
            notice.action_withdraw()
        self.assertTrue(triggers.records)
        self.assertEqual(self.shown(self.acme), [])
        with self.assertRaises(UserError):
            notice.action_publish()
        copy = notice.copy()
        self.assertEqual(copy.state, "draft")
        self.assertNotEqual(copy.code, notice.code, "it is shown to who has put the first away")

    def test_who_has_it_and_who_could_not_be_told(self):
        self.tell()
        notice = self.make()
        notice.action_publish()
        self.assertEqual(self.deliveries(notice), ["waiting"] * 2)
        self.tell("failed", error="The disk is full.")
        self.assertEqual(self.deliveries(notice), ["failed"] * 2)
        self.assertEqual(notice.failed_count, 2)
        self.assertFalse(self.tell(), "not before an hour is over")
        notice.action_tell_again()
        self.assertTrue(self.tell())
        self.assertEqual((self.deliveries(notice), notice.told_count), (["told"] * 2, 2))
        notice.action_withdraw()
        self.assertEqual(self.deliveries(notice), ["waiting"] * 2, "it is still shown there")
        self.tell(written=False)
        self.assertEqual(self.deliveries(notice), ["unread"] * 2)

    def test_publishing_tries_again_where_the_last_document_failed(self):
        self.acme.max_users = 7
        self.tell("failed", error="The disk is full.")
        self.make().action_publish()
        self.assertEqual(len(self.tell()), 2)

    def test_a_suspended_database_gets_it_when_it_is_open_again(self):
        self.tell()
        self.beta.action_suspend()
        self.answer(self.beta.request_id, "done")
        notice = self.make()
        notice.action_publish()
        self.tell()
        self.assertEqual(self.deliveries(notice), ["told", "off"])
        self.beta.action_resume()
        self.answer(self.beta.request_id, "done")
        self.tell()
        self.assertEqual(self.deliveries(notice), ["told", "told"])

    def test_what_is_published_stays_as_it_is_but_for_its_text_and_end(self):
        notice = self.make()
        notice.action_publish()
        with self.assertRaisesRegex(UserError, "Only the text"):
            notice.audience = "plans"
        with self.capture_triggers("fleet_saas_portal.ir_cron_documents") as triggers:
            notice.text = "We move at noon."
        self.assertTrue(triggers.records)
        self.assertEqual(self.shown(self.acme), ["We move at noon."])
        with self.assertRaisesRegex(UserError, "Withdraw a notice before"):
            notice.unlink()
        notice.action_withdraw()
        with self.assertRaisesRegex(UserError, "is over"):
            notice.text = "Again"

    def test_it_is_told_in_the_language_of_the_database(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        notice = self.make()
        notice.with_context(lang="fr_FR").text = "Nous déménageons."
        notice.action_publish()
        self.beta.lang = "fr_FR"
        self.assertEqual(self.shown(self.beta), ["Nous déménageons."])
        self.assertEqual(self.shown(self.acme), ["We move to a larger machine."])
        self.tell()
        self.assertEqual(self.deliveries(notice), ["told"] * 2)

    def test_what_databases_would_not_show_is_refused(self):
        for values in (
            {"link": "javascript:alert(1)"},
            {"link": "https://a b"},
            {"link": "status.example.com"},
            {"text": "  "},
            {"text": "x" * 501},
            {"audience": "filter", "filter_domain": "[('no_field', '=', 1)]"},
            {"audience": "filter", "filter_domain": "__import__('os')"},
        ):
            with self.subTest(values=values), self.assertRaises(ValidationError):
                self.make(**values)
        start = fields.Datetime.now()
        with mute_logger("odoo.sql_db"), self.assertRaises(CheckViolation):
            self.make(start=start, end=start)

    def test_a_filter_tells_nothing_that_its_author_may_not_read(self):
        with self.assertRaises(AccessError):
            self.make(audience="filter", filter_domain="[('document_tried', '!=', False)]")

    def test_a_filter_that_has_become_useless_holds_up_no_document(self):
        notice = self.make(audience="filter", filter_domain="[('name', '=', 'acme')]")
        notice.action_publish()
        self.make(text="Other").action_publish()
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE saas_notice SET filter_domain = %s WHERE id = %s",
            ["[('gone', '=', 1)]", notice.id],
        )
        self.env.invalidate_all()
        with self.assertLogs("odoo.addons.fleet_saas_portal.models.saas_notice", "WARNING"):
            self.assertEqual(self.shown(self.acme), ["Other"])

    def test_a_database_is_told_so_many_at_once(self):
        for number in range(12):
            self.make(text=f"Number {number}").action_publish()
        self.assertEqual(len(self.shown(self.acme)), 10)
        self.assertIn("Number 11", self.shown(self.acme))

    def test_managers_publish_users_read_companies_are_apart(self):
        notice = self.make()
        self.assertEqual(notice.with_user(self.people["user"]).name, "Sunday")
        for act in (
            lambda: notice.with_user(self.people["user"]).action_publish(),
            lambda: notice.with_user(self.people["user"]).write({"text": "x"}),
            lambda: notice.with_user(self.people["outsider"]).read(["text"]),
        ):
            with self.assertRaises(AccessError):
                act()
        for vals in ({"state": "shown"}, {"code": "known"}):
            with self.assertRaises(UserError):
                notice.write(vals)
        company = self.env["res.company"].create({"name": "Other"})
        foreign = self.env["saas.notice"].create(
            {"name": "Theirs", "text": "Theirs", "company_id": company.id}
        )
        foreign.sudo().state = "shown"
        self.assertFalse(self.shown(self.acme))
        with self.assertRaises(AccessError):
            foreign.with_user(self.people["manager"]).read(["text"])

    def test_its_screens_open(self):
        notice = self.make()
        notice.action_publish()
        # As the form asks before it knows the notice.
        recipients = {"fields": {"notice_delivery": {}}, "context": {"saas_notice_id": False}}
        spec = {"name": {}, "recipient_ids": recipients}
        [found] = notice.with_user(self.people["user"]).web_read(spec)
        self.assertEqual(
            [each["notice_delivery"] for each in found["recipient_ids"]], ["waiting"] * 2
        )
