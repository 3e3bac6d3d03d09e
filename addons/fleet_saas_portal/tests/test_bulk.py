from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged

from .test_operate import OperateCase


@tagged("post_install", "-at_install")
class TestBulk(OperateCase):
    """The same on many instances: a preview, the first alone, and an end when too many fail."""

    def setUp(self):
        super().setUp()
        self.instances = self.env["saas.instance"]
        for name in ("one", "two", "three", "four"):
            self.instances |= self.make_active(name)

    def preview(self, kind="backup", instances=None, user="manager", **values):
        chosen = self.instances if instances is None else instances
        Wizard = self.env["saas.instance.bulk.wizard"].with_user(self.people[user])
        wizard = Wizard.with_context(active_ids=chosen.ids).create({"kind": kind, **values})
        return self.env["saas.instance.bulk"].browse(wizard.action_preview()["res_id"])

    def states(self, bulk):
        return "".join(state[0] for state in bulk.line_ids.mapped("state"))

    def end(self, bulk, state="done", **values):
        """Have the first request that is under way end."""
        line = bulk.line_ids.filtered(lambda line: line.state == "running")[0]
        self.answer(line.request_id, state, **values)

    def test_the_preview_asks_nothing_and_says_where_it_cannot_be(self):
        self.instances[1]._set_state("archived")
        bulk = self.preview("suspend", reason="Unpaid")
        self.assertEqual(bulk.state, "draft")
        self.assertFalse(self.instances.request_id)
        self.assertEqual(
            [bool(line.problem) for line in bulk.line_ids], [False, True, False, False]
        )
        self.assertIn("this can be done only in “Active”", bulk.line_ids[1].problem)

    def test_the_others_begin_when_the_first_has_succeeded(self):
        bulk = self.preview(at_once=2)
        bulk.with_user(self.people["manager"]).action_start()
        self.assertEqual((bulk.state, self.states(bulk)), ("canary", "rwww"))
        self.end(bulk)
        self.assertEqual((bulk.state, self.states(bulk)), ("running", "drrw"))
        self.end(bulk)
        self.assertEqual(self.states(bulk), "ddrr")
        self.end(bulk)
        self.end(bulk)
        self.assertEqual((bulk.state, self.states(bulk)), ("done", "dddd"))
        self.assertEqual((bulk.done_count, bulk.failed_count, bulk.total_count), (4, 0, 4))

    def test_a_first_one_that_fails_stops_it_and_it_can_go_on(self):
        bulk = self.preview()
        bulk.action_start()
        self.end(bulk, "failed", error="The disk is full.")
        self.assertEqual((bulk.state, self.states(bulk)), ("stopped", "fwww"))
        self.assertEqual(bulk.line_ids[0].problem, "The disk is full.")
        bulk.action_resume()
        self.assertEqual((bulk.state, self.states(bulk)), ("canary", "rwww"))
        self.assertEqual(bulk.line_ids[0].attempt, 1)

    def test_it_stops_after_as_many_failures_as_were_allowed(self):
        bulk = self.preview(canary=False, at_once=1, stop_after=2)
        bulk.action_start()
        self.end(bulk, "failed", error="No.")
        self.assertEqual((bulk.state, self.states(bulk)), ("running", "frww"))
        self.end(bulk, "failed", error="No.")
        self.assertEqual((bulk.state, self.states(bulk)), ("stopped", "ffww"))
        self.assertIn("2", bulk.stop_reason)

    def test_a_refusal_is_a_failure_of_its_line_alone(self):
        self.instances[0]._set_state("archived")
        bulk = self.preview("suspend", canary=False, at_once=4, stop_after=2)
        bulk.action_start()
        self.assertEqual(self.states(bulk), "frrr")

    def test_what_has_begun_ends_after_a_stop(self):
        bulk = self.preview(canary=False, at_once=1)
        bulk.action_start()
        bulk.with_user(self.people["manager"]).action_stop()
        self.end(bulk)
        self.assertEqual((bulk.state, self.states(bulk)), ("stopped", "rwww"))
        bulk.action_resume()
        self.assertEqual((bulk.state, self.states(bulk)), ("running", "drww"))

    def test_an_end_that_was_missed_is_found_later(self):
        bulk = self.preview()
        bulk.action_start()
        request = bulk.line_ids[0].request_id
        self.env.flush_all()
        self.env.cr.execute("UPDATE saas_request SET state = 'done', is_open = false")
        self.env.invalidate_all()
        self.assertEqual((request.state, self.states(bulk)), ("done", "rwww"))
        self.env["saas.instance.bulk"]._cron_advance()
        self.assertEqual(self.states(bulk), "drrr")

    def test_a_line_can_be_left_out(self):
        bulk = self.preview(canary=False)
        bulk.line_ids[0].with_user(self.people["manager"]).action_leave_out()
        bulk.action_start()
        self.assertEqual(self.states(bulk), "srrr")

    def test_plans_change_at_once_and_databases_are_created(self):
        large = self.plan.copy({"name": "Large", "code": "large", "max_users": 10})
        bulk = self.preview("plan", plan_id=large.id)
        self.assertEqual(self.instances.plan_id, self.plan)
        bulk.action_start()
        self.assertEqual((bulk.state, self.instances.plan_id), ("done", large))
        drafts = self.make_instance("five") | self.make_instance("six")
        bulk = self.preview("create", drafts, canary=False)
        self.assertEqual(set(drafts.mapped("state")), {"draft"})
        bulk.action_start()
        self.assertEqual(set(drafts.mapped("state")), {"creating"})

    def test_who_only_looks_may_neither_preview_nor_start(self):
        with self.assertRaises(AccessError):
            self.preview(user="user")
        bulk = self.preview().with_user(self.people["user"])
        for action in (bulk.action_start, bulk.action_stop, bulk.action_resume):
            with self.assertRaises(AccessError):
                action()
        with self.assertRaises(AccessError):
            bulk.line_ids.action_leave_out()
        with self.assertRaises(AccessError):
            bulk.with_user(self.people["manager"]).write({"state": "done"})

    def test_what_is_not_filled_in_is_refused_before_the_preview(self):
        with self.assertRaisesRegex(UserError, "at least one module"):
            self.preview("modules")
        with self.assertRaisesRegex(UserError, "new plan"):
            self.preview("plan")
        with self.assertRaisesRegex(UserError, "at least one instance"):
            self.preview(instances=self.instances.browse())
