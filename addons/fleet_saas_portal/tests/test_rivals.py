import time
from unittest.mock import patch

from psycopg2.errors import SerializationFailure

from odoo import fields
from odoo.exceptions import ConcurrencyError
from odoo.tests import tagged
from odoo.tools import mute_logger

from odoo.addons.base.tests.test_ir_cron import CronMixinCase

from ..contract import Outcome
from ..models import ir_cron, saas_request_work
from .common import SaasCase
from .subscription import SubscriptionCase


class Rival:
    """Stands before a method: somebody else has written the same, so many times."""

    def __init__(self, times, then=None, error=SerializationFailure):
        self.times, self.then, self.error, self.calls = times, then, error, 0

    def __call__(self, *args, **kwargs):
        self.calls += 1
        if self.calls <= self.times:
            raise self.error("somebody else was first")
        return self.then and self.then(*args, **kwargs)


@tagged("post_install", "-at_install")
class TestRivals(SaasCase, CronMixinCase):
    def setUp(self):
        super().setUp()
        self.patch(ir_cron, "PAUSE_S", 0)

    def stand_before(self, model, method, times, **values):
        """Let a method meet a rival; return what counts its calls."""
        found = Rival(times, **values)
        self.patch(self.registry[model], method, lambda *args, **kwargs: found(*args, **kwargs))
        return found

    def run_cron(self, name):
        """Run a scheduled action; return whether it went well."""
        with self.enter_registry_test_mode():
            result = self.env.ref(name).method_direct_trigger()
        self.env.invalidate_all()
        return result is True

    def test_an_action_is_run_again_when_somebody_else_wrote_the_same(self):
        for error in (SerializationFailure, ConcurrencyError):
            rival = self.stand_before("saas.notice", "_cron_advance", 4, error=error)
            self.assertTrue(self.run_cron("fleet_saas_portal.ir_cron_notices"), error)
            self.assertEqual(rival.calls, 5)

    @mute_logger("odoo.addons.base.models.ir_cron")
    def test_what_meets_rivals_all_the_time_fails_in_the_end(self):
        rival = self.stand_before("saas.notice", "_cron_advance", 99)
        self.assertFalse(self.run_cron("fleet_saas_portal.ir_cron_notices"))
        self.assertEqual(rival.calls, ir_cron.TRIES)

    @mute_logger("odoo.addons.base.models.ir_cron")
    def test_actions_of_other_addons_are_left_as_they_are(self):
        rival = self.stand_before("ir.autovacuum", "_run_vacuum_cleaner", 1)
        self.assertFalse(self.run_cron("base.autovacuum_job"))
        self.assertEqual(rival.calls, 1)

    def test_a_lock_that_comes_too_late_is_asked_for_again(self):
        locks = type(self.server).try_lock_for_update
        rival = self.stand_before("saas.server", "try_lock_for_update", 2, then=locks)
        with self.enter_registry_test_mode(), self.registry.cursor() as cr:
            self.server.with_env(self.env(cr=cr))._wait_alone()
        self.assertEqual(rival.calls, 3)

    def test_asking_every_server_begins_again_after_a_rival(self):
        said = (None, ("timeout", {"host": "one.example.com", "seconds": 15}))
        self.patch(self.registry["saas.server"], "_ask_all", lambda _self: said)
        writes = type(self.server)._take_answer
        rival = self.stand_before("saas.server", "_take_answer", 1, then=writes)
        with self.assertNoLogs("odoo.addons.fleet_saas_portal", "WARNING"):
            self.assertTrue(self.run_cron("fleet_saas_portal.ir_cron_servers"))
        self.assertEqual(rival.calls, 1 + len(self.env["saas.server"].search([])))
        self.assertEqual(self.server.error_code, "timeout")

    @mute_logger("odoo.sql_db")
    def test_a_server_whose_answer_cannot_be_written_is_told_by_its_name(self):
        self.patch(self.registry["saas.server"], "_ask_all", lambda _self: (None, None))
        self.patch(
            self.registry["saas.server"],
            "_take_answer",
            lambda server, *_said: server.env.cr.execute("SELECT 1 / 0"),
        )
        with self.assertLogs("odoo.addons.fleet_saas_portal.models.saas_server") as logs:
            self.assertTrue(self.run_cron("fleet_saas_portal.ir_cron_servers"))
        self.assertIn("Server One", logs.output[0])

    def test_what_an_answer_tells_is_written_after_a_rival(self):
        request = self.make_instance()._ask_server(self.server, "create", "acme")
        takes = type(request)._take_status
        rival = self.stand_before(
            "saas.request", "_take_status", 1, then=takes, error=ConcurrencyError
        )
        worker = saas_request_work._Worker(self.env)
        outcome = Outcome(status=self.status(request, "running"))
        with self.enter_registry_test_mode(), self.registry.cursor() as cr:
            worker.env = self.env(cr=cr)
            there = request.with_env(worker.env)
            self.assertTrue(worker._settle(there._write_outcome, outcome))
        self.assertEqual((rival.calls, request.state), (2, "running"))

    def test_a_run_whose_time_is_up_goes_on_at_once(self):
        self.env["saas.request"]._ask(self.server, "suspend", "acme")
        self.patch(saas_request_work, "WORK_S", 0)
        action = "fleet_saas_portal.ir_cron_requests"
        with self.enter_registry_test_mode(), self.capture_triggers(action) as triggers:
            self.env.ref(action).method_direct_trigger()
        self.assertLessEqual(triggers.records.call_at, fields.Datetime.now())

    def test_a_server_that_is_silent_is_asked_later(self):
        self.env["saas.request"]._ask(self.server, "suspend", "acme")
        worker = saas_request_work._Worker(self.env)
        worker.next[self.server.id] = (time.monotonic() + 30, 1)
        # What another server is asked next does not count: nothing is open there.
        worker.next[0] = (time.monotonic(), 1)
        before = fields.Datetime.now()
        with self.capture_triggers("fleet_saas_portal.ir_cron_requests") as triggers:
            worker._come_back()
        self.assertGreater((triggers.records.call_at - before).total_seconds(), 20)

    def test_an_inventory_that_an_operation_has_overtaken_changes_nothing(self):
        instance, other = self.make_active(), self.make_active("other")
        instance.action_suspend()
        asked = self.server._note_requests()
        self.answer(instance.request_id, "done")
        take = asked.env["saas.instance"]._take_inventory
        take(asked, [self.hosted("acme"), self.hosted("other", state="suspended")])
        self.assertEqual((instance.state, other.state), ("suspended", "suspended"))
        take(asked, [])
        self.assertEqual((instance.is_missing, other.is_missing), (False, True))
        # What the server says from now on counts again.
        self.env["saas.instance"]._take_inventory(
            self.server._note_requests(), [self.hosted("acme")]
        )
        self.assertEqual(instance.state, "active")

    def test_an_operation_that_began_and_ended_meanwhile_counts_too(self):
        instance = self.make_active()
        asked = self.server._note_requests()
        instance.action_suspend()
        self.answer(instance.request_id, "done")
        asked.env["saas.instance"]._take_inventory(asked, [self.hosted("acme")])
        self.assertEqual(instance.state, "suspended")


@tagged("post_install", "-at_install")
class TestSubscriptionRivals(SubscriptionCase, CronMixinCase):
    def test_a_subscription_that_somebody_else_changed_comes_soon_again(self):
        subscription = self.subscribe()
        rival = Rival(1)
        model = self.registry["saas.subscription"]
        action = "fleet_saas_portal.ir_cron_subscriptions"
        with patch.object(model, "_advance", lambda _self: rival()):
            self.go_to(subscription.deadline)
            with self.capture_triggers(action) as triggers:
                self.run_cron(times=1)
        self.assertEqual((rival.calls, len(triggers.records)), (1, 1))
