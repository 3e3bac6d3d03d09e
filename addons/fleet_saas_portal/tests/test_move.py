from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, tagged

from .common import SaasCase

PLACE = "a" * 32


@tagged("post_install", "-at_install")
class TestMove(SaasCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.target = cls.env["saas.server"].create(
            {"name": "Two", "url": "https://two.example.com", "database": "server"}
        )
        for server in (cls.server, cls.target):
            server._write_contact(domain=f"{server.name.lower()}.example.com")
            server.write({"handover_key": "k" * 43, "handover_places": {PLACE: "Bucket"}})

    def setUp(self):
        super().setUp()
        self.acme = self.make_active(url="https://acme.one.example.com")
        self.acme.sudo().uuid = "uuid-of-acme"

    def asked(self, kind, server=None):
        """Return the newest request of a kind, of one server."""
        domain = [("kind", "=", kind), ("target", "=", "acme")]
        if server:
            domain.append(("server_id", "=", server.id))
        return self.env["saas.request"].search(domain, limit=1)

    def handed_over(self):
        """Have the move begun and the first server's part done."""
        self.acme._move(self.target)
        self.answer(self.asked("hand_over"), "done", [("package", {"package": "p" * 99})])
        return self.asked("take_over")

    def arrived(self, state="done", **values):
        request = self.handed_over()
        steps = [
            ("publish", {}),
            ("route", {"url": "https://acme.two.example.com"}),
            ("first_request", {"status": 200}),
        ]
        self.answer(request, state, steps, **values)
        return request

    # --- the whole way

    def test_one_server_hands_over_the_other_takes_over_and_only_then_it_is_there(self):
        request = self.acme._move(self.target)
        self.assertEqual((self.acme.state, self.acme.server_id), ("moving", self.server))
        self.assertTrue(self.acme.deadline)
        self.assertEqual((request.kind, request.server_id), ("hand_over", self.server))
        self.assertEqual(request.arguments, {"key": "k" * 43, "places": [PLACE]})
        self.assertFalse(self.asked("take_over"))
        self.answer(request, "done", [("package", {"package": "p" * 99})])
        second = self.asked("take_over")
        self.assertEqual(second.server_id, self.target)
        self.assertEqual(second.arguments["package"], "p" * 99)
        self.assertEqual(second.arguments["document"]["plan"], self.plan.name)
        self.assertEqual((self.acme.state, self.acme.server_id), ("moving", self.server))
        self.assertFalse(self.asked("archive"), "the former copy is there until the other answers")
        self.answer(
            second,
            "done",
            [("publish", {}), ("route", {"url": "https://acme.two.example.com"})],
        )
        self.assertEqual((self.acme.state, self.acme.server_id), ("active", self.target))
        self.assertEqual(self.acme.url, "https://acme.two.example.com")
        self.assertEqual(self.acme.project_id.database_url, self.acme.url)
        self.assertFalse(self.acme.move_server_id or self.acme.problem or self.acme.deadline)
        self.assertEqual(self.asked("archive").server_id, self.server)

    def test_the_plan_that_the_database_was_told_on_the_way_is_not_told_again(self):
        self.arrived()
        self.acme.max_users = 3
        self.assertFalse(self.acme.sudo()._is_due(self.acme._prepare_document()))

    def test_what_fails_after_the_first_page_has_moved_all_the_same(self):
        self.arrived("failed", error="The storage is away.", error_code="storage_unreachable")
        self.assertEqual((self.acme.state, self.acme.server_id), ("active", self.target))
        self.assertFalse(self.asked("take_back"))

    def test_a_draft_of_the_same_name_there_makes_way(self):
        request = self.handed_over()
        draft = self.make_instance("acme", server_id=self.target.id)
        self.answer(request, "done", [("publish", {}), ("route", {})])
        self.assertEqual(self.acme.server_id, self.target)
        self.assertFalse(draft.server_id)

    def test_snapshots_stay_behind_and_what_there_is_now_the_inventory_says(self):
        self.env["saas.instance.point"].sudo().create(
            {
                "instance_id": self.acme.id,
                "kind": "snapshot",
                "code": "x",
                "taken_at": fields.Datetime.now(),
            }
        )
        self.arrived()
        self.assertFalse(self.acme.point_ids)

    # --- failing

    def test_a_server_that_does_not_hand_over_goes_on_serving(self):
        for state in ("failed", "cancelled"):
            with self.subTest(state=state):
                self.acme._move(self.target)
                self.answer(self.asked("hand_over"), state, error="The disk is full.")
                self.assertEqual((self.acme.state, self.acme.server_id), ("active", self.server))
                self.assertEqual(self.acme.problem, "The disk is full.")
                self.assertFalse(self.asked("take_over") or self.asked("take_back"))

    def test_what_was_not_taken_over_is_taken_back(self):
        for state in ("failed", "cancelled"):
            with self.subTest(state=state):
                self.answer(self.handed_over(), state, error="No room.")
                back = self.asked("take_back")
                self.assertEqual((back.server_id, back.arguments), (self.server, False))
                self.assertEqual(
                    self.acme.state, "moving", "closed until its server says otherwise"
                )
                self.answer(back, "done", [("open", {})])
                self.assertEqual((self.acme.state, self.acme.server_id), ("active", self.server))
                self.assertEqual(self.acme.problem, "No room.")
                self.assertTrue(self.acme.activity_ids)
                self.assertFalse(self.asked("archive"))

    def test_a_refusal_in_words_is_taken_back_too(self):
        request = self.handed_over()
        request._set_state("refused", error="The name acme is taken.")
        self.assertEqual(self.asked("take_back").server_id, self.server)

    def test_while_the_other_one_may_have_it_open_it_is_not_opened_here(self):
        self.answer(self.handed_over(), "failed", error="It was killed.")
        self.answer(self.asked("take_back"), "failed", error_code="handover_claimed", error="Wait.")
        self.assertEqual((self.acme.state, self.acme.move_refused), ("moving", True))
        self.assertEqual(self.acme.problem, "Wait.")
        self.assertTrue(self.acme.activity_ids)
        self.acme.action_take_back()
        again = self.asked("take_back")
        self.assertEqual((again.state, again.arguments), ("waiting", False))
        self.answer(again, "done", [("open", {})])
        self.assertEqual((self.acme.state, self.acme.move_refused), ("active", False))

    def test_a_silent_server_is_waited_for_and_its_late_answer_counts(self):
        request = self.handed_over()
        request._set_state("lost", error="It does not answer.")
        self.assertEqual(self.acme.state, "moving")
        self.assertFalse(self.asked("take_back"), "it may be opening it just now")
        self.assertTrue(self.acme.activity_ids)
        self.answer(request, "done", [("publish", {}), ("route", {})])
        self.assertEqual((self.acme.state, self.acme.server_id), ("active", self.target))

    def test_a_server_that_hands_over_after_all_takes_back(self):
        request = self.acme._move(self.target)
        request._set_state("lost", error="It does not answer.")
        self.acme.action_take_back()
        self.answer(self.asked("take_back"), "done", [("open", {})])
        self.assertEqual(self.acme.state, "active")
        self.answer(request, "done", [("package", {"package": "p" * 99})])
        self.assertFalse(self.asked("take_over"))
        self.assertEqual(self.asked("take_back").state, "waiting", "or it would stay closed")

    def test_by_force_is_for_administrators_and_only_between_two_servers(self):
        with self.assertRaises(UserError):
            self.acme.with_user(self.people["admin"]).action_take_back_by_force()
        self.handed_over()._set_state("lost", error="Burnt down.")
        with self.assertRaises(AccessError):
            self.acme.with_user(self.people["manager"]).action_take_back_by_force()
        self.acme.with_user(self.people["admin"]).action_take_back_by_force()
        self.assertEqual(self.asked("take_back").arguments, {"force": True})

    def test_nothing_else_is_asked_of_it_meanwhile(self):
        self.acme._move(self.target)
        for action in ("action_suspend", "action_backup", "action_archive_database"):
            with self.subTest(action=action), self.assertRaises(UserError):
                getattr(self.acme, action)()
        self.answer(self.asked("hand_over"), "done", [("package", {"package": "p" * 99})])
        self.asked("take_over")._set_state("lost")
        for action in ("action_suspend", "action_resume", "action_undelete"):
            with self.subTest(action=action), self.assertRaises(UserError):
                getattr(self.acme, action)()

    def test_what_either_server_lists_meanwhile_changes_nothing(self):
        request = self.handed_over()
        request._set_state("lost")
        Instance = self.env["saas.instance"]
        Instance._take_inventory(self.server, [self.hosted("acme", state="suspended")])
        self.assertEqual((self.acme.state, self.acme.url), ("moving", "https://acme"))
        Instance._take_inventory(self.target, [self.hosted("acme", state="active")])
        self.assertEqual((self.acme.state, self.acme.server_id), ("moving", self.server))
        self.assertFalse(self.env["saas.instance.found"].search([("name", "=", "acme")]))

    # --- who, and whereto

    def test_managers_move_and_others_do_not(self):
        for name in ("user", "outsider"):
            with self.subTest(name=name), self.assertRaises(AccessError):
                self.acme.with_user(self.people[name])._move(self.target)
        self.acme.with_user(self.people["manager"])._move(self.target)
        self.assertEqual(self.asked("hand_over").user_id, self.people["manager"])

    def test_nobody_writes_the_steps_of_a_move_by_hand(self):
        manager = self.acme.with_user(self.people["manager"])
        for field in ("move_server_id", "move_refused", "move_key"):
            with self.subTest(field=field), self.assertRaises(AccessError):
                manager.write({field: False})

    def test_a_server_that_cannot_take_it_is_refused_in_words(self):
        cases = {
            "takes no new": {"accepts_new": False},
            "no room": {"capacity": {"free_places": 0, "refusal": "The disk is full."}},
            "does not answer": {"error_code": "timeout"},
            "take nothing over": {"handover_key": False},
            "no backup place in common": {"handover_places": {"b" * 32: "Another"}},
        }
        for words, values in cases.items():
            before = {name: self.target[name] for name in values}
            self.target.write(values)
            with self.subTest(words=words), self.assertRaisesRegex(UserError, words):
                self.acme._move(self.target)
            self.target.write(before)
        self.make_instance("birch", server_id=self.target.id, state="active")
        self.target.max_instances = 1
        with self.assertRaisesRegex(UserError, "limit of instances, 1, is reached"):
            self.acme._move(self.target)
        self.target.max_instances = 0
        with self.assertRaisesRegex(UserError, "already"):
            self.acme._move(self.server)
        self.make_instance("acme", server_id=self.target.id)
        with self.assertRaisesRegex(UserError, "Another instance"):
            self.acme._move(self.target)
        self.assertEqual(self.acme.state, "active")

    def test_the_wizard_offers_other_servers_and_says_what_happens(self):
        manager = self.people["manager"]
        context = self.acme.with_user(manager).action_move()["context"]
        Wizard = self.env["saas.instance.move.wizard"].with_user(manager).with_context(**context)
        with Form(Wizard) as form:
            self.assertFalse(form.refusal, "no server is chosen yet")
            form.server_id = self.target
            wizard = form.save()
        self.assertNotIn(self.server, wizard.allowed_ids)
        for words in ("Bucket", "off the air", "acme.two.example.com", "14 days", "anything fails"):
            self.assertIn(words, wizard.preview)
        self.assertNotIn("0 MB", wizard.preview, "nobody has measured it yet")
        action = wizard.action_move()
        self.assertEqual(action["type"], "ir.actions.act_window_close", "its form is below")
        self.assertEqual(self.acme.state, "moving")

    def test_the_wizard_says_why_not_before_anything_happens(self):
        self.target.handover_places = {}
        wizard = self.env["saas.instance.move.wizard"].create(
            {"instance_id": self.acme.id, "server_id": self.target.id}
        )
        self.assertIn("in common", wizard.refusal)
        self.assertFalse(wizard.preview)

    # --- what stays behind

    def former(self):
        former = self.acme.former_ids
        self.answer(former.request_id, "done")
        return former

    def test_the_former_copy_is_archived_kept_and_then_dropped_after_a_last_backup(self):
        self.arrived()
        former = self.former()
        self.assertEqual((former.state, former.server_id), ("kept", self.server))
        self.assertEqual(self.acme.state, "active", "it is another database's archive")
        shown = former.request_ids.action_open_record()
        self.assertEqual((shown["res_model"], shown["res_id"]), (self.acme._name, self.acme.id))
        former._cron_drop()
        self.assertFalse(former.request_id, "its days are not over")
        former.keep_until = fields.Datetime.now() - timedelta(minutes=1)
        former._cron_drop()
        self.assertEqual((former.request_id.kind, former.state), ("backup", "dropping"))
        former._cron_drop()
        self.answer(former.request_id, "done")
        self.assertEqual(former.request_id.kind, "drop")
        self.answer(former.request_id, "done")
        self.assertEqual((former.state, self.acme.state), ("dropped", "active"))

    def test_a_former_copy_stays_while_its_instance_is_missing(self):
        self.arrived()
        former = self.former()
        former.keep_until = fields.Datetime.now() - timedelta(minutes=1)
        self.acme.sudo().is_missing = True
        former._cron_drop()
        self.assertEqual(former.state, "kept")
        with self.assertRaises(UserError):
            former.action_drop()

    def test_what_could_not_be_archived_or_dropped_says_so_and_is_tried_again(self):
        self.arrived()
        former = self.acme.former_ids
        self.answer(former.request_id, "failed", error="The disk is full.")
        self.assertEqual((former.state, former.problem), ("closing", "The disk is full."))
        former._cron_drop()
        self.answer(former.request_id, "done")
        self.assertEqual((former.state, former.problem), ("kept", False))
        with self.assertRaises(AccessError):
            former.with_user(self.people["manager"]).action_drop()
        former.with_user(self.people["admin"]).action_drop()
        self.answer(former.request_id, "failed", error="No storage.")
        self.assertEqual((former.state, former.problem), ("kept", "No storage."))

    def test_it_does_not_go_back_to_where_its_former_copy_is(self):
        self.arrived()
        self.former()
        with self.assertRaisesRegex(UserError, "former copy"):
            self.acme._move(self.server)
        self.acme.former_ids.state = "dropped"
        self.acme._move(self.server)

    def test_the_former_copy_is_offered_to_nobody_as_found(self):
        self.arrived()
        self.env["saas.instance"]._take_inventory(
            self.server, [self.hosted("acme", state="archived")]
        )
        self.assertFalse(self.env["saas.instance.found"].search([("name", "=", "acme")]))
        self.assertEqual((self.acme.state, self.acme.server_id), ("active", self.target))

    def test_another_company_sees_no_former_copy(self):
        self.arrived()
        other = self.env["res.company"].create({"name": "Other"})
        user = self.people["user"]
        user.write({"company_ids": [(6, 0, other.ids)], "company_id": other.id})
        found = self.env["saas.instance.former"].with_user(user).search([])
        self.assertFalse(found)
