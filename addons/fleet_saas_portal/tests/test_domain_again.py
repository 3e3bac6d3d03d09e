from datetime import timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.tests import tagged
from odoo.tools import html2plaintext

from .dns_server import DnsServer
from .test_domain import DomainCase


@tagged("post_install", "-at_install")
class TestDomainAgain(DomainCase):
    """A name that was proven is looked up every day, and somebody told when its record is gone."""

    def setUp(self):
        super().setUp()
        self.make_active()
        self.begin = fields.Datetime.now() - timedelta(seconds=1)

    def run_on_day(self, day):
        with freeze_time(self.begin + timedelta(days=day, minutes=1)):
            self.run_cron()

    def tasks(self):
        return self.acme.activity_ids.filtered(lambda task: "erp.acme.example" in task.summary)

    def test_it_is_looked_up_once_a_day(self):
        count = len(self.dns.asked)
        self.run_on_day(0)
        self.assertEqual(len(self.dns.asked), count)
        self.run_on_day(1)
        self.run_on_day(1)
        self.assertEqual(len(self.dns.asked), count + 1)
        self.assertFalse(self.tasks() or self.domain.lost_since or self.domain.explanation)

    def test_a_record_that_is_gone_is_a_task_once_and_nothing_is_taken_away(self):
        self.dns.records.clear()
        requests = self.requests()
        for day in (1, 2, 3):
            self.run_on_day(day)
        self.assertEqual(len(self.tasks()), 1)
        self.assertEqual((self.domain.state, self.requests()), ("active", requests))
        self.assertIn("any more", self.domain.explanation)
        self.enter_record()
        self.run_on_day(4)
        self.assertFalse(self.domain.lost_since or self.domain.explanation)

    def test_it_is_told_in_the_language_of_who_is_told(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        self.people["user"].lang = "fr_FR"
        self.acme.user_id = self.people["user"]
        self.dns.records.clear()
        self.run_on_day(1)
        french = self.domain.with_context(lang="fr_FR").explanation
        self.assertIn(french, html2plaintext(self.tasks().note))
        self.assertNotEqual(french, self.domain.explanation)

    def test_nobody_to_tell_is_no_error(self):
        self.patch(type(self.acme), "_get_responsible", lambda self: self.env["res.users"])
        self.dns.records.clear()
        with self.assertLogs("odoo.addons.fleet_saas_portal.models.saas_mail_trouble", "WARNING"):
            self.run_on_day(1)
        self.assertTrue(self.domain.lost_since)
        self.assertFalse(self.tasks())

    def test_it_waits_for_the_next_turn_when_the_time_is_up(self):
        self.env["saas.domain"]._add(self.acme, "www.acme.example")
        watched = self.domain.watched
        self.patch(self.registry["ir.cron"], "_commit_progress", lambda *_args, **_kwargs: 0)
        with freeze_time(self.begin + timedelta(days=1, minutes=1)):
            self.assertFalse(self.env["saas.domain"]._cron_check())
        self.assertEqual(self.domain.watched, watched)

    def test_name_servers_that_are_silent_say_nothing(self):
        with DnsServer("silent") as server:
            self.configure(server)
            # Not with a clock that stands still: by that one the resolver waits for ever.
            self.domain.watched = self.begin - timedelta(days=2)
            self.run_cron()
        self.assertGreater(self.domain.watched, self.begin)
        self.assertFalse(self.tasks() or self.domain.lost_since)

    def test_what_an_operator_vouched_for_is_not_missed(self):
        domain = self.env["saas.domain"]._add(self.acme, "www.acme.example")
        domain.with_user(self.people["manager"]).action_prove()
        self.run_on_day(1)
        self.assertTrue(domain.watched)
        self.assertFalse(domain.lost_since)
