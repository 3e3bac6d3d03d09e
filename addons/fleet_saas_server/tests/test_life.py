from unittest.mock import patch

from dateutil.relativedelta import relativedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import TransactionCase, new_test_user, tagged
from odoo.tools import mute_logger

from ..hosting.names import hidden_name
from ..hosting.personalise import password_hash
from ..models import saas_operation

HASH = password_hash("a good password")


class LifeCase(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.operations = cls.env["saas.operation"]
        cls.databases = cls.env["saas.database"]
        cls.acme = cls.hosted("acme")

    @classmethod
    def hosted(cls, name, **values):
        return cls.databases.create(
            {
                "name": name,
                "physical": name,
                "uuid": cls.databases._get_new_uuid(),
                "state": "active",
                **values,
            }
        )

    def submit(self, kind, target="acme", **arguments):
        return self.operations._submit(kind, target, arguments)

    def end(self, operation, state="done", **results):
        """Write what the engine would have written, and apply it twice."""
        for step in operation.step_ids:
            step.write({"state": "done" if state == "done" else "undone"})
            step.evidence = results.get(step.name, {})
        operation.write({"state": state, "ended": fields.Datetime.now()})
        operation._apply()
        operation.applied = False
        operation._apply()
        return operation

    def trigger(self, name):
        cron = self.env.ref(f"fleet_saas_server.{name}")
        with self.enter_registry_test_mode():
            cron.method_direct_trigger()

    def refused(self, message, kind, target="acme", **arguments):
        with self.assertRaisesRegex(UserError, message):
            self.submit(kind, target, **arguments)

    def archive(self, database=None, days=0):
        database = database or self.acme
        moment = fields.Datetime.now() - relativedelta(days=days)
        hidden = hidden_name("suspended")
        database.write({"state": "archived", "physical": hidden, "archived_at": moment})

    def back_up(self, database=None, **values):
        database = database or self.acme
        places = database._get_backup_policy()._get_places()
        repositories = self.env["saas.backup.repository"]._get(database, places)
        return self.env["saas.backup"].create(
            {
                "backup": self.env["saas.backup"]._get_new_number(),
                "database_id": database.id,
                "repository_ids": repositories.ids,
                "physical": database.physical,
                "state": "verified",
                "taken_at": fields.Datetime.now(),
                **values,
            }
        )


@tagged("post_install", "-at_install")
class TestLife(LifeCase):
    """What operations on a hosted database ask of its record, and leave on it."""

    def test_a_suspended_database_says_why_and_where_it_is_hidden(self):
        operation = self.submit("suspend", reason="Unpaid")
        self.assertEqual(operation.request["uuid"], self.acme.uuid)
        self.end(operation, hide={"physical": "fleet_x_suspended_1"})
        self.assertEqual(self.acme.state, "suspended")
        self.assertEqual(self.acme.physical, "fleet_x_suspended_1")
        self.assertEqual(self.acme.suspend_reason, "Unpaid")
        self.end(self.submit("resume"), show={"physical": "acme"})
        self.assertEqual((self.acme.state, self.acme.physical), ("active", "acme"))
        self.assertFalse(self.acme.suspend_reason)

    def test_a_suspension_that_failed_leaves_the_record_as_it_was(self):
        self.end(self.submit("suspend"), "failed")
        self.assertEqual((self.acme.state, self.acme.physical), ("active", "acme"))

    def test_an_operation_is_refused_in_the_wrong_state_and_the_state_is_named(self):
        self.refused("Active.*this needs: Suspended", "resume")
        self.refused("Active.*this needs: Archived", "undelete")
        self.refused("Active.*this needs: Archived", "drop")
        self.acme.state = "suspended"
        for kind, arguments in (
            ("suspend", {}),
            ("rename", {"new_name": "acme-two"}),
            ("modules", {"action": "install", "modules": ["sale"]}),
            ("release", {}),
        ):
            self.refused("Suspended", kind, **arguments)

    def test_a_protected_database_is_neither_suspended_nor_archived_nor_changed_back(self):
        self.acme.is_protected = True
        snapshot = self.keep()
        for kind, arguments in (
            ("suspend", {}),
            ("archive", {}),
            ("release", {}),
            ("revert", {"snapshot": snapshot.physical}),
            ("modules", {"action": "uninstall", "modules": ["sale"]}),
        ):
            self.refused("is protected", kind, **arguments)
        self.submit("modules", action="upgrade", modules=["sale"])
        self.submit("snapshot")
        self.archive(days=90)
        self.back_up()
        self.refused("is protected", "drop")

    def test_an_unknown_database_is_refused_by_name(self):
        self.refused("nobody does not exist", "suspend", "nobody")

    # --- rename

    def test_the_operations_of_a_database_stay_its_own_whatever_it_is_called(self):
        backup = self.end(self.submit("backup"), "failed")
        renamed = self.end(self.submit("rename", new_name="acme-two"))
        later = self.submit("suspend", "acme-two", reason="Unpaid")
        heir = self.hosted("acme")
        foreign = self.submit("suspend", reason="Unpaid")
        action = self.acme.action_view_operations()
        found = self.operations.search(action["domain"])
        self.assertEqual(found, later + renamed + backup)
        self.assertEqual(self.acme.operation_count, 3)
        self.assertEqual(self.acme.operation_ids, found)
        # The heir of the name was not there when the backup was taken.
        self.env.cr.execute(
            "UPDATE saas_database SET create_date = create_date + interval '1 hour' WHERE id = %s",
            [heir.id],
        )
        heir.invalidate_recordset()
        self.assertEqual(heir.operation_ids, foreign)

    def test_a_new_name_is_reserved_as_soon_as_it_is_asked_for(self):
        operation = self.submit("rename", new_name="acme-two")
        self.assertEqual(operation.sources, ["acme-two"])
        self.assertTrue(self.databases._is_name_held("acme-two"))
        with self.assertRaisesRegex(UserError, "taken"):
            self.databases._reserve("acme-two")
        self.end(operation, show={"physical": "acme-two"})
        self.assertEqual((self.acme.name, self.acme.physical), ("acme-two", "acme-two"))
        self.assertFalse(self.databases._is_name_held("acme"))
        self.assertFalse(self.acme.new_name)

    def test_a_renaming_that_failed_gives_the_new_name_back(self):
        self.end(self.submit("rename", new_name="acme-two"), "failed")
        self.assertEqual(self.acme.name, "acme")
        self.assertFalse(self.databases._is_name_held("acme-two"))

    def test_a_name_in_use_is_refused(self):
        self.hosted("other")
        self.refused("name other is taken", "rename", new_name="other")

    # --- drop

    def test_a_final_backup_that_no_storage_holds_lets_nothing_be_dropped(self):
        self.archive()
        self.back_up(repository_ids=False)
        with self.assertRaisesRegex(UserError, "no verified final backup"):
            self.submit("drop", without_grace=True)

    def test_a_drop_waits_for_the_grace_period(self):
        self.archive(days=29)
        self.back_up()
        self.refused("may be dropped from", "drop")
        self.submit("drop", without_grace=True)

    def test_a_drop_needs_a_verified_backup_from_after_the_archiving(self):
        self.archive(days=31)
        self.refused("no verified final backup", "drop")
        self.back_up(physical="acme")
        self.refused("no verified final backup", "drop")
        self.back_up(state="taking")
        self.refused("no verified final backup", "drop")
        backup = self.back_up()
        operation = self.submit("drop")
        self.assertEqual(operation.request["final_backup"]["backup"], backup.backup)
        self.assertEqual(backup.reason, "final")

    def test_the_name_of_a_dropped_database_stays_reserved_while_its_final_backup_is_kept(self):
        self.archive(days=31)
        self.back_up()
        self.end(self.submit("drop"))
        self.assertEqual(self.acme.state, "dropped")
        self.assertTrue(self.databases._is_name_held("acme"))
        self.acme.name_held_until = fields.Datetime.now() - relativedelta(days=1)
        self.assertFalse(self.databases._is_name_held("acme"))

    def test_a_drop_that_failed_before_the_end_of_the_database_leaves_the_record(self):
        self.archive(days=31)
        self.back_up()
        self.end(self.submit("drop"), "failed")
        self.assertEqual(self.acme.state, "archived")

    # --- adopt, release

    def test_an_adopted_database_has_the_identity_it_came_with(self):
        found = {"identity": "11111111-aaaa", "neutralized": False}
        self.end(self.submit("adopt", "foreign"), check=found)
        foreign = self.databases._get_by_name("foreign")
        self.assertEqual((foreign.state, foreign.uuid), ("active", "11111111-aaaa"))
        self.end(self.submit("release", "foreign"))
        self.assertEqual(foreign.state, "released")
        self.assertFalse(self.databases._is_name_held("foreign"))
        again = self.end(self.submit("adopt", "foreign"), check=found)
        self.assertEqual(self.databases.browse(again.res_id).uuid, "11111111-aaaa")

    def test_a_suspended_database_is_adopted_as_one_and_can_be_resumed(self):
        hidden = hidden_name("suspended")
        found = {"identity": "22222222-bbbb", "neutralized": False}
        self.end(self.submit("adopt", "rested", hidden=hidden), check=found)
        rested = self.databases._get_by_name("rested")
        self.assertEqual((rested.state, rested.physical), ("suspended", hidden))
        self.assertEqual(rested.uuid, "22222222-bbbb")
        self.assertTrue(self.submit("resume", "rested"))

    def test_what_could_not_be_made_gives_its_identity_to_what_is_adopted(self):
        failed = self.hosted("halfway", state="creating")
        failed.state, identity = "failed", failed.uuid
        found = {"identity": identity, "neutralized": False}
        self.end(self.submit("adopt", "foreign"), check=found)
        self.assertEqual(self.databases._get_by_name("foreign").uuid, identity)
        self.assertEqual(failed.uuid, f"{identity}/failed/{failed.id}")

    def test_a_difference_offers_to_adopt_what_can_be_hosted_and_nothing_else(self):
        hidden, template = hidden_name("suspended"), hidden_name("clone")
        wanted = {
            ("database_suspended", hidden, "rested"): ("rested", hidden),
            ("database_unknown", "lost-db", "hosted"): ("lost-db", False),
            ("database_foreign", "strange-db", "fleet"): ("strange-db", False),
            ("database_unknown", template, "template"): None,
            ("folder_unknown", "left-behind", ""): None,
        }
        for (what, name, more), expected in wanted.items():
            one = self.env["saas.difference"].create({"what": what, "name": name, "more": more})
            self.assertEqual(one.can_adopt, bool(expected))
            if not expected:
                with self.assertRaisesRegex(UserError, "cannot be adopted"):
                    one.action_adopt()
                continue
            action = one.action_adopt()
            wizard = self.env[action["res_model"]].with_context(**action["context"]).create({})
            self.assertEqual((wizard.kind, wizard.name, wizard.hidden), ("adopt", *expected))
        suspended = self.env["saas.difference"].search([("name", "=", hidden)])
        action = suspended.action_adopt()
        wizard = self.env[action["res_model"]].with_context(**action["context"]).create({})
        operation = self.operations.browse(wizard.action_submit()["res_id"])
        self.assertEqual((operation.target, operation.request["hidden"]), ("rested", hidden))

    def test_an_adoption_that_failed_frees_the_name(self):
        self.end(self.submit("adopt", "foreign"), "failed")
        self.assertFalse(self.databases._is_name_held("foreign"))

    def test_a_database_with_snapshots_is_not_released(self):
        self.keep()
        self.refused(r"snapshots \(1\)", "release")

    # --- snapshots

    def keep(self, physical="fleet_x_snapshot_" + "0" * 32, **values):
        return self.acme._keep_snapshot(
            physical, reason="Test", size=1, taken_at=fields.Datetime.now(), **values
        )

    def test_a_snapshot_is_kept_as_long_as_asked_or_as_the_setting_says(self):
        now = fields.Datetime.now()
        taken = {"physical": "fleet_x_snapshot_" + "1" * 32, "size": 5}
        self.end(self.submit("snapshot", reason="Before the sale", keep_hours=2), take=taken)
        snapshot = self.acme.snapshot_ids
        self.assertEqual(len(snapshot), 1)
        self.assertEqual(snapshot.reason, "Before the sale")
        self.assertAlmostEqual((snapshot.keep_until - now).total_seconds(), 7200, delta=60)
        self.env["ir.config_parameter"].set_param("fleet_saas_server.snapshot_hours", "10")
        default = self.keep("fleet_x_snapshot_" + "2" * 32)
        self.assertAlmostEqual((default.keep_until - now).total_seconds(), 36000, delta=60)
        self.assertFalse(self.keep("fleet_x_snapshot_" + "3" * 32, keep_hours=0).keep_until)

    def test_going_back_strikes_the_snapshot_off_and_keeps_what_it_replaced(self):
        snapshot = self.keep()
        replaced = "fleet_x_snapshot_" + "9" * 32
        operation = self.submit("revert", snapshot=snapshot.physical)
        self.end(operation, swap={"replaced": replaced, "size": 7})
        self.assertEqual(self.acme.snapshot_ids.mapped("physical"), [replaced])
        self.end(self.submit("snapshot_drop", snapshot=replaced))
        self.assertFalse(self.acme.snapshot_ids)

    def test_only_a_snapshot_of_the_database_is_gone_back_to(self):
        other = self.hosted("other")
        snapshot = self.keep()
        snapshot.database_id = other
        for kind in ("revert", "snapshot_drop"):
            self.refused("is not a snapshot", kind, snapshot=snapshot.physical)

    def test_expired_snapshots_are_dropped_by_an_operation_each(self):
        snapshot = self.keep()
        snapshot.keep_until = fields.Datetime.now() - relativedelta(hours=1)
        for _again in range(2):
            self.trigger("ir_cron_drop_expired_snapshots")
        asked = self.operations.search([("kind", "=", "snapshot_drop")])
        self.assertEqual(asked.mapped("request"), [
            {"uuid": self.acme.uuid, "snapshot": snapshot.physical}
        ])  # fmt: skip

    def test_operations_that_ended_long_ago_go_however_many_there_are(self):
        long_ago = fields.Datetime.now() - relativedelta(days=181)
        old = [self.submit("snapshot") for _number in range(3)]
        for operation in old[:2]:
            operation.write({"state": "done", "ended": long_ago})
        with patch.object(saas_operation, "MAX_UNLINKED", 1):
            answers = [self.operations._gc_operations() for _again in range(3)]
        self.assertEqual(answers, [(1, True), (1, True), (0, False)])
        self.assertEqual([bool(one.exists()) for one in old], [False, False, True])

    def test_an_operation_that_breaks_its_run_holds_up_no_other(self):
        waiting = [self.submit("snapshot").id, self.submit("backup").id]
        ran = []

        def run(_model, operation_id):
            ran.append(operation_id)
            if operation_id == waiting[0]:
                raise KeyError("what nobody thought of")

        model = type(self.operations)
        with (
            patch.object(model, "_get_runnable_ids", lambda _model: waiting),
            patch.object(model, "_run_outside", run),
            self.assertLogs("odoo.addons.fleet_saas_server", "ERROR"),
        ):
            self.trigger("ir_cron_run_operations")
        self.assertEqual(ran, waiting)

    def test_the_snapshot_before_work_on_modules_is_kept_when_asked_for(self):
        operation = self.submit("modules", action="install", modules=["sale"], keep_hours=3)
        kept = "fleet_x_snapshot_" + "4" * 32
        self.end(operation, forget={"kept": kept, "size": 3})
        self.assertEqual(self.acme.snapshot_ids.mapped("physical"), [kept])

    # --- inside

    def test_a_password_reaches_the_operation_only_encrypted_and_as_a_hash(self):
        operation = self.submit("administrator", password_hash=HASH)
        self.assertNotIn(HASH, str(operation.request))
        secrets = self.databases._get_operation_secrets(operation)
        self.assertEqual(secrets["password_hash"], HASH)
        self.refused("Give a login", "administrator")
        self.refused("not acceptable", "administrator", password_hash="a good password")
        self.refused("not both", "administrator", password_hash=HASH, link=True)

    def test_the_wizard_hashes_the_password_and_keeps_no_copy(self):
        wizard = self.env["saas.database.life.wizard"].create(
            {"kind": "administrator", "database_id": self.acme.id, "password": "a good password"}
        )
        wizard.invalidate_recordset()
        self.assertFalse(wizard.password)
        action = wizard.action_submit()
        operation = self.operations.browse(action["res_id"])
        self.assertEqual(operation.kind, "administrator")
        self.assertNotIn("a good password", str(operation.read()))

    def test_the_identity_of_a_database_is_no_parameter_to_set(self):
        self.submit("parameters", values={"web.some.key": "1"})
        self.refused("belongs to the server", "parameters", values={"database.uuid": "x"})

    def test_a_drop_in_the_wizard_wants_the_name_typed(self):
        self.archive(days=31)
        self.back_up()
        wizard = self.env["saas.database.life.wizard"].create(
            {"kind": "drop", "database_id": self.acme.id, "confirm": "acne"}
        )
        with self.assertRaisesRegex(UserError, "Type acme"):
            wizard.action_submit()
        wizard.confirm = "acme"
        self.assertEqual(wizard.action_submit()["res_model"], "saas.operation")

    def test_only_operators_press_the_buttons(self):
        viewer = new_test_user(self.env, "viewer", groups="fleet_saas_server.group_hosting_user")
        self.archive()
        with self.assertRaises(AccessError):
            self.acme.with_user(viewer).action_undelete()

    def test_an_operation_that_failed_in_another_state_is_not_tried_again(self):
        operation = self.end(self.submit("suspend"), "failed")
        self.archive()
        with self.assertRaisesRegex(UserError, "Archived"):
            operation.action_retry()

    def test_an_operation_is_not_tried_again_on_a_name_that_is_another_databases_now(self):
        failed = self.end(self.submit("modules", action="upgrade", modules=["base"]), "failed")
        self.acme.write({"name": "acme-two", "physical": "acme-two"})
        self.env.flush_all()
        self.hosted("acme")
        with self.assertRaisesRegex(UserError, "acme"):
            failed.action_retry()

    def test_a_drop_names_the_hidden_database_that_its_backup_holds(self):
        self.archive(days=31)
        self.back_up()
        operation = self.submit("drop")
        self.assertEqual(operation.request["archived"], self.acme.physical)

    def test_a_copy_names_the_identity_of_its_source(self):
        operation = self.submit("duplicate", "acme-copy", source="acme")
        self.assertEqual(operation.request["source_uuid"], self.acme.uuid)
        self.hosted("half-made", state="creating", physical=False)
        self.refused("this needs: Active", "duplicate", "other-copy", source="half-made")

    @mute_logger("odoo.addons.fleet_saas_server.models.saas_operation_run")
    def test_an_expired_snapshot_that_cannot_be_dropped_holds_up_no_other(self):
        past = fields.Datetime.now() - relativedelta(hours=1)
        wanted = f"fleet_x_former_{'a' * 32}"
        for physical in ("fleet_x_odd", wanted):
            self.env["saas.database.snapshot"].create(
                {
                    "database_id": self.acme.id,
                    "physical": physical,
                    "taken_at": past,
                    "keep_until": past,
                }
            )
        self.trigger("ir_cron_drop_expired_snapshots")
        asked = self.operations.search([("kind", "=", "snapshot_drop")])
        self.assertEqual([one.request["snapshot"] for one in asked], [wanted])


@tagged("post_install", "-at_install")
class TestBulk(LifeCase):
    """One operation on many databases."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.many = cls.acme | cls.hosted("birch") | cls.hosted("cedar") | cls.hosted("dune")

    def bulk(self, kind="suspend", databases=None, arguments=None, **values):
        return self.env["saas.database.bulk"]._prepare_bulk(
            kind, databases or self.many, arguments or {}, **values
        )

    def running(self, bulk):
        return bulk.line_ids.filtered(lambda line: line.state == "running")

    def finish(self, line, state="done"):
        self.end(line.operation_id, state, hide={"physical": f"fleet_x_{line.id}"})

    def test_the_preview_names_who_cannot_take_part_and_changes_nothing(self):
        self.many[1].is_protected = True
        bulk = self.bulk()
        self.assertEqual(bulk.state, "draft")
        problems = bulk.line_ids.mapped("problem")
        self.assertEqual([bool(problem) for problem in problems], [False, True, False, False])
        self.assertIn("is protected", problems[1])
        self.assertFalse(self.operations.search_count([]))

    def test_a_preview_reserves_nothing(self):
        self.bulk("snapshot")
        self.bulk("backup")
        self.assertFalse(self.env["saas.backup"].search_count([]))

    def test_the_others_begin_only_when_the_first_succeeded(self):
        bulk = self.bulk(at_once=2)
        bulk.action_start()
        self.assertEqual(bulk.state, "canary")
        first = self.running(bulk)
        self.assertEqual(first.database_id, self.acme)
        self.finish(first)
        self.assertEqual(bulk.state, "running")
        self.assertEqual(len(self.running(bulk)), 2)

    def test_when_the_first_fails_no_other_begins(self):
        bulk = self.bulk(stop_after=3)
        bulk.action_start()
        self.finish(self.running(bulk), "failed")
        self.assertEqual(bulk.state, "stopped")
        self.assertEqual(bulk.line_ids.mapped("state"), ["failed"] + ["waiting"] * 3)

    def test_when_the_first_is_refused_no_other_begins(self):
        self.acme.is_protected = True
        bulk = self.bulk(stop_after=3)
        bulk.action_start()
        self.assertEqual(bulk.state, "stopped")
        self.assertEqual(bulk.line_ids.mapped("state"), ["failed"] + ["waiting"] * 3)

    def test_it_stops_after_as_many_failures_as_were_allowed(self):
        bulk = self.bulk(canary=False, at_once=1, stop_after=2)
        bulk.action_start()
        self.finish(self.running(bulk), "failed")
        self.assertEqual(bulk.state, "running")
        self.finish(self.running(bulk), "failed")
        self.assertEqual(bulk.state, "stopped")
        self.assertEqual(bulk.line_ids.mapped("state"), ["failed", "failed", "waiting", "waiting"])

    def test_a_refusal_counts_as_a_failure_with_its_reason(self):
        self.many[1].is_protected = True
        bulk = self.bulk(canary=False, at_once=4, stop_after=9)
        bulk.action_start()
        self.assertEqual(bulk.line_ids[1].state, "failed")
        self.assertIn("is protected", bulk.line_ids[1].problem)
        for line in self.running(bulk):
            self.finish(line)
        self.assertEqual(bulk.state, "done")
        self.assertEqual((bulk.done_count, bulk.failed_count), (3, 1))

    def test_going_on_tries_the_failed_ones_again_and_finishes(self):
        bulk = self.bulk(at_once=4)
        bulk.action_start()
        self.finish(self.running(bulk), "failed")
        bulk.action_resume()
        self.assertEqual(bulk.state, "canary")
        self.finish(self.running(bulk))
        for line in self.running(bulk):
            self.finish(line)
        self.assertEqual(bulk.state, "done")
        self.assertEqual(set(self.many.mapped("state")), {"suspended"})

    def test_a_stopped_one_begins_with_nobody_else_and_a_left_out_one_never(self):
        bulk = self.bulk(canary=False, at_once=1)
        bulk.action_start()
        bulk.action_stop()
        self.finish(self.running(bulk))
        self.assertEqual(len(bulk.line_ids.filtered(lambda line: line.state == "waiting")), 3)
        bulk.line_ids[1].action_leave_out()
        bulk.at_once = 9
        bulk.action_resume()
        for line in self.running(bulk):
            self.finish(line)
        self.assertEqual(bulk.state, "done")
        self.assertEqual(self.many[1].state, "active")

    @mute_logger("odoo.sql_db")
    def test_the_cron_goes_on_where_the_end_of_an_operation_was_missed(self):
        bulk = self.bulk()
        bulk.action_start()
        self.running(bulk).operation_id.write({"state": "done", "applied": True})
        bulk._cron_advance()
        self.assertEqual(bulk.state, "running")
        self.assertEqual(len(self.running(bulk)), 3)

    def test_wrong_arguments_are_refused_before_there_is_a_preview(self):
        with self.assertRaisesRegex(UserError, "needs the argument modules"):
            self.bulk("modules", arguments={"action": "upgrade"})
        with self.assertRaisesRegex(UserError, "many databases at once"):
            self.bulk("drop")

    def test_the_wizard_takes_the_selected_databases(self):
        wizard = (
            self.env["saas.database.bulk.wizard"]
            .with_context(active_ids=self.many.ids, active_model="saas.database")
            .create({"kind": "suspend", "reason": "Moving"})
        )
        action = wizard.action_preview()
        bulk = self.env["saas.database.bulk"].browse(action["res_id"])
        self.assertEqual(bulk.line_ids.database_id, self.many)
        self.assertEqual(bulk.arguments, {"reason": "Moving"})

    def test_a_viewer_starts_nothing(self):
        viewer = new_test_user(self.env, "viewer", groups="fleet_saas_server.group_hosting_user")
        bulk = self.bulk()
        with self.assertRaises(UserError):
            bulk.with_user(viewer).action_start()
        self.assertEqual(bulk.state, "draft")
