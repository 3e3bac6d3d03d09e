from datetime import timedelta

from freezegun import freeze_time

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from odoo.addons.base.tests.test_ir_cron import CronMixinCase

from ..models.saas_domain_proof import DAYS, SERVERS
from .customer import CustomerCase
from .dns_server import DnsServer


class DomainCase(CustomerCase, CronMixinCase):
    """A customer's host name, and the one name server that this portal asks."""

    def setUp(self):
        super().setUp()
        self.dns = self.enterContext(DnsServer())
        self.configure(self.dns)
        self.partner.email = "acme@example.com"
        self.domain = self.env["saas.domain"]._add(self.acme, "erp.acme.example")

    def configure(self, server):
        text = "{}:{}".format(*server.address)
        self.env["ir.config_parameter"].sudo().set_param(SERVERS, text)

    def enter_record(self, domain=None):
        domain = domain or self.domain
        self.dns.records[domain.record_name] = [domain.record_value]

    def requests(self, instance=None):
        found = (instance or self.acme).request_ids
        return found.filtered(lambda each: each.kind == "domains").sorted("id")

    def open_request(self, instance=None):
        return self.requests(instance).filtered("is_open")

    def run_cron(self):
        with self.enter_registry_test_mode():
            self.env.ref("fleet_saas_portal.ir_cron_domains").method_direct_trigger()
        self.env.invalidate_all()

    def make_active(self, domain=None):
        self.enter_record(domain)
        (domain or self.domain)._check_now()
        self.answer(self.open_request((domain or self.domain).instance_id), "done")

    def mails(self, subject):
        return self.env["mail.mail"].search([("subject", "like", subject)])


@tagged("post_install", "-at_install")
class TestDomain(DomainCase):
    def test_it_is_proven_routed_and_told_to_its_customer(self):
        with self.assertRaisesRegex(UserError, "just looked"):
            self.domain._check_now()
            self.domain._check_now()
        self.assertEqual((self.domain.state, self.domain.trouble), ("asked", "missing"))
        self.assertIn(self.domain.record_name, self.domain.explanation)
        self.assertFalse(self.requests())
        self.enter_record()
        self.domain.checked = False
        self.domain.with_user(self.people["manager"]).action_check_now()
        self.assertEqual((self.domain.state, self.domain.explanation), ("proven", False))
        request = self.open_request()
        self.assertEqual(request.arguments, {"names": ["erp.acme.example"]})
        self.assertFalse(self.acme.request_id, "nothing else has to wait for it")
        self.answer(request, "done")
        self.assertEqual(self.domain.state, "active")
        self.assertEqual(len(self.mails("answers at erp.acme.example")), 1)
        self.run_cron()
        self.assertEqual(self.requests(), request, "it is asked for once")

    def test_what_name_servers_do_wrong_is_said_in_words(self):
        for how, words in (
            ("servfail", "answered with an error"),
            ("silent", "did not answer"),
        ):
            with self.subTest(how=how), DnsServer(how) as server:
                self.configure(server)
                self.domain.checked = False
                self.domain._check_now()
                self.assertEqual(self.domain.state, "asked")
                self.assertIn(words, self.domain.explanation)
        self.configure(self.dns)
        self.dns.records[self.domain.record_name] = ["fleet=other"]
        self.domain.checked = False
        self.domain._check_now()
        self.assertIn("but its value is not", self.domain.explanation)

    def test_it_is_looked_up_less_and_less_often_and_given_up(self):
        begin = fields.Datetime.now()
        seen = []
        while not self.domain.is_given_up:
            seen.append(self.domain.next_check)
            with freeze_time(self.domain.next_check):
                self.run_cron()
            self.assertLess(len(seen), 200)
        pauses = [(b - a).total_seconds() / 60 for a, b in zip(seen, seen[1:], strict=False)]
        self.assertEqual([round(each) for each in pauses[:8]], [2, 5, 10, 30, 60, 180, 360, 360])
        self.assertGreater(seen[-1] - begin, timedelta(days=13))
        self.assertIn("We have stopped looking", self.domain.explanation)
        self.assertEqual(len(self.mails("could not be proven")), 1)
        count = len(self.dns.asked)
        with freeze_time(begin + timedelta(days=60)):
            self.run_cron()
            self.assertEqual(len(self.dns.asked), count, "nobody asks any more")
            self.enter_record()
            self.domain._check_now()
        self.assertEqual((self.domain.state, self.domain.is_given_up), ("proven", False))

    def test_after_how_many_days_is_a_parameter(self):
        self.env["ir.config_parameter"].set_param(DAYS, "1")
        with freeze_time(fields.Datetime.now() + timedelta(hours=25)):
            self.run_cron()
        self.assertTrue(self.domain.is_given_up)

    def test_the_cron_asks_only_when_it_is_due(self):
        self.run_cron()
        self.assertFalse(self.dns.asked)
        self.enter_record()
        with freeze_time(fields.Datetime.now() + timedelta(minutes=2)):
            self.run_cron()
        self.assertEqual(self.domain.state, "proven")

    def test_of_two_who_prove_the_same_name_the_first_has_it(self):
        theirs = self.env["saas.domain"]._add(self.other, "erp.acme.example")
        self.make_active()
        self.dns.records[theirs.record_name].append(theirs.record_value)
        theirs._check_now()
        self.assertEqual((theirs.state, theirs.trouble), ("asked", "taken"))
        self.assertFalse(self.requests(self.other))
        self.domain.unlink()
        theirs.checked = False
        theirs._check_now()
        self.assertEqual(theirs.state, "proven")

    def test_removing_it_takes_the_route_away(self):
        self.make_active()
        self.domain.unlink()
        request = self.open_request()
        self.assertEqual(request.arguments, {"names": []})
        self.answer(request, "failed", error="The disk is full.")
        self.run_cron()
        self.assertTrue(self.open_request(), "until it is done")
        self.answer(self.open_request(), "done")
        self.run_cron()
        self.assertFalse(self.open_request())

    def test_one_that_the_server_refuses_stops_no_other(self):
        second = self.env["saas.domain"]._add(self.acme, "shop.acme.example")
        for domain in self.domain | second:
            self.enter_record(domain)
            domain._check_now()
        first = self.open_request()
        self.assertEqual(first.arguments["names"], ["erp.acme.example"])
        self.answer(first, "failed", error="It leads to another database.")
        self.assertEqual(self.domain.state, "proven")
        self.assertEqual(self.domain.explanation, "It leads to another database.")
        self.assertFalse(self.acme.problem)
        self.answer(self.open_request(), "done")
        self.assertEqual(second.state, "active")
        self.assertFalse(self.open_request(), "not before an hour is over")
        with freeze_time(fields.Datetime.now() + timedelta(minutes=61)):
            self.run_cron()
        self.assertEqual(
            self.open_request().arguments["names"], ["erp.acme.example", "shop.acme.example"]
        )

    def test_it_follows_to_another_server_and_ends_with_the_database(self):
        self.make_active()
        other = self.server.copy({"name": "Two", "url": "https://two.example.com"})
        self.acme.sudo().server_id = other
        request = self.open_request()
        self.assertEqual((request.server_id, self.domain.state), (other, "proven"))
        self.answer(request, "done")
        self.assertEqual(self.domain.state, "active")
        self.acme._set_state("archived")
        self.assertTrue(self.domain.exists())
        self.acme._set_state("deleted")
        self.assertFalse(self.domain.exists())

    def test_what_a_restored_server_has_forgotten_is_asked_again(self):
        self.make_active()
        Instance = self.env["saas.instance"]
        Instance._take_inventory(self.server, [self.hosted("acme", domains=("erp.acme.example",))])
        self.assertFalse(self.open_request())
        Instance._take_inventory(self.server, [self.hosted("acme")])
        self.assertFalse(self.open_request(), "an older server does not tell")
        Instance._take_inventory(self.server, [self.hosted("acme", domains=())])
        self.assertEqual(self.domain.state, "proven")
        self.assertEqual(self.open_request().arguments["names"], ["erp.acme.example"])

    def test_users_only_look_and_a_wrong_parameter_is_said(self):
        with self.assertRaises(AccessError):
            self.domain.with_user(self.people["user"]).action_check_now()
        self.env["ir.config_parameter"].set_param(SERVERS, "dns.example")
        with self.assertRaisesRegex(UserError, "dns_servers is wrong"):
            self.domain._check_now()

    def test_the_customer_is_told_where_it_has_to_point(self):
        self.server.public_addresses = "192.0.2.10"
        self.assertEqual(
            (self.domain.target, self.domain.addresses), ("acme.example.com", "192.0.2.10")
        )
