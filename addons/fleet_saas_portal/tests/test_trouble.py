from odoo.tests import new_test_user, tagged
from odoo.tools import mute_logger

from ..contract import Exchange, Outcome
from .common import SaasCase

WORK = "odoo.addons.fleet_saas_portal.models.saas_request_work"


@tagged("post_install", "-at_install")
class TestTrouble(SaasCase):
    def late(self, **values):
        """Return who is told of an instance that takes too long."""
        instance = self.make_instance(**values)
        instance._set_state("creating", deadline="2020-01-01 00:00:00")
        self.env["saas.instance"]._cron_deadlines()
        return instance.activity_ids.user_id

    def test_the_responsible_person_is_told_of_what_takes_too_long(self):
        person = self.people["user"]
        self.assertEqual(self.late(user_id=person.id), person)

    def test_what_a_visitor_has_ordered_is_a_managers_work(self):
        told = self.late(user_id=False)
        self.assertTrue(told.active and told.has_group("fleet_saas_portal.group_saas_manager"))
        self.assertFalse(told.share)

    def test_neither_a_customer_nor_an_archived_person_is_responsible(self):
        customer = new_test_user(self.env, "ann", "base.group_portal")
        gone = new_test_user(self.env, "gone", "fleet_saas_portal.group_saas_manager")
        gone.active = False
        for person in (customer, gone):
            instance = self.make_instance(person.login, user_id=person.id)
            self.assertNotEqual(instance._get_responsible(), person)

    def test_a_problem_is_over_when_something_was_done(self):
        instance = self.make_active()
        instance.action_backup()
        self.answer(instance.request_id, "failed", error="The storage is full.")
        self.assertEqual(instance.problem, "The storage is full.")
        instance.max_users = 9
        instance._tell()
        told = instance.request_ids.filtered(lambda each: each.kind == "document" and each.is_open)
        self.answer(told, "done")
        self.assertTrue(instance.problem, "nobody has asked for the document")
        instance.action_backup()
        self.answer(instance.request_id, "done")
        self.assertFalse(instance.problem)

    def test_an_answer_that_cannot_be_recorded_is_shown_and_tried_again(self):
        instance = self.make_active()
        request = instance._ask("rename", {}, "active")
        status = self.status(request, "done")
        with mute_logger(WORK):
            for _time in range(2):
                self.env["saas.request"]._write_exchange(
                    self.server, Exchange({request.key: Outcome(status=status)})
                )
        self.assertEqual(request.state, "waiting")
        self.assertIn("cannot be recorded (", request.doing)
        request.arguments = {"new_name": "bakery"}
        self.env["saas.request"]._write_exchange(
            self.server, Exchange({request.key: Outcome(status=status)})
        )
        self.assertEqual((request.state, request.waits, instance.name), ("done", False, "bakery"))
