from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.base.tests.test_ir_cron import CronMixinCase
from odoo.addons.fleet_databases.remote.errors import Timeout

from ..contract import Exchange, Outcome, Refusal
from .common import SaasCase


@tagged("post_install", "-at_install")
class TestRequest(SaasCase, CronMixinCase):
    def ask(self, key=None, target="acme", kind="suspend"):
        return self.env["saas.request"]._ask(self.server, kind, target, {}, key)

    def test_the_same_key_with_the_same_request_finds_the_first(self):
        first = self.ask("test:0001")
        self.assertEqual(self.ask("test:0001"), first)

    def test_the_same_key_with_another_request_is_refused(self):
        self.ask("test:0001")
        with self.assertRaisesRegex(UserError, "another request"):
            self.ask("test:0001", target="other")

    def test_what_is_asked_wakes_the_worker(self):
        with self.capture_triggers("fleet_saas_portal.ir_cron_requests") as triggers:
            self.ask()
        self.assertEqual(len(triggers.records), 1)

    def test_a_silent_server_leaves_the_request_waiting_with_the_reason(self):
        request = self.ask()
        silent = Exchange(error=Timeout(host="one.example.com", seconds=15))
        self.env["saas.request"]._write_exchange(self.server, silent)
        self.assertEqual(request.state, "waiting")
        self.assertIn("one.example.com", request.trouble)
        self.assertEqual(self.server.state, "unreachable")

    def test_an_answer_clears_the_error_of_the_server(self):
        self.server._write_error("timeout", {"host": "one", "seconds": 15})
        request = self.ask()
        found = Exchange({request.key: Outcome(status=self.status(request, "running"))})
        self.env["saas.request"]._write_exchange(self.server, found)
        self.assertEqual((request.state, self.server.state), ("running", "ok"))
        self.assertFalse(self.server.error_since)

    def test_a_refusal_ends_the_request_in_the_servers_words(self):
        request = self.ask()
        found = Exchange({request.key: Outcome(refusal=Refusal("The name acme is taken."))})
        self.env["saas.request"]._write_exchange(self.server, found)
        self.assertEqual((request.state, request.error), ("refused", "The name acme is taken."))

    def test_a_key_that_the_server_has_forgotten_is_sent_again(self):
        request = self.ask()
        self.answer(request, "running")
        self.env["saas.request"]._write_exchange(self.server, Exchange({request.key: Outcome()}))
        self.assertEqual(request.state, "waiting")
        _access, _policy, wanted, keys = request._prepare_exchange(self.server, request)
        self.assertEqual(([each.key for each in wanted], keys), ([request.key], []))

    def test_an_end_does_not_change_any_more(self):
        request = self.ask()
        self.answer(request, "done")
        with self.assertRaises(ValueError):
            self.answer(request, "failed")
        self.assertEqual(request.state, "done")

    def test_a_record_that_cannot_take_its_end_holds_up_no_other(self):
        instance = self.make_active()
        bad = instance._ask_server(self.server, "create", "acme")
        good = self.ask()
        # The instance is active: it cannot be told that it was not created.
        found = Exchange(
            {each.key: Outcome(status=self.status(each, "failed")) for each in (bad, good)}
        )
        with mute_logger("odoo.addons.fleet_saas_portal.models.saas_request_work"):
            self.env["saas.request"]._write_exchange(self.server, found)
        self.assertEqual((bad.state, good.state), ("waiting", "failed"))

    def test_after_days_of_silence_somebody_is_told(self):
        request = self.ask()
        self.server._write_error("timeout", {"host": "one", "seconds": 15})
        self.env["saas.request"]._give_up()
        self.assertEqual(request.state, "waiting")
        old = fields.Datetime.now() - timedelta(days=3)
        self.env.cr.execute("UPDATE saas_request SET create_date = %s", [old])
        self.env.invalidate_all()
        self.env["saas.request"]._give_up()
        self.assertEqual(request.state, "lost")
        self.answer(request, "done")
        self.assertEqual(request.state, "done", "a late answer counts")

    def test_a_manager_waits_no_longer_for_a_server_that_is_silent(self):
        request = self.ask()
        with self.assertRaisesRegex(UserError, "server answers"):
            request.with_user(self.people["manager"]).action_give_up()
        self.server._write_error("timeout", {"host": "one", "seconds": 15})
        request.invalidate_recordset(["trouble"])
        with self.assertRaises(AccessError):
            request.with_user(self.people["user"]).action_give_up()
        request.with_user(self.people["manager"]).action_give_up()
        self.assertEqual(request.state, "lost")

    def test_only_administrators_read_the_arguments(self):
        request = self.ask()
        fields_seen = request.with_user(self.people["manager"]).fields_get(["arguments", "state"])
        self.assertEqual(list(fields_seen), ["state"])
