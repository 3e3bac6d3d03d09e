from ast import literal_eval
from unittest.mock import patch

from dateutil.relativedelta import relativedelta
from lxml import etree

from odoo import Command, fields
from odoo.exceptions import UserError
from odoo.tests import Form, tagged

from ..hosting.names import hidden_name
from ..models import saas_backup_forget
from .test_life import LifeCase


@tagged("post_install", "-at_install")
class TestFinalBackup(LifeCase):
    """What stays of a dropped database: its backups, for as long as was promised."""

    def saved(self, database, **values):
        places = database._get_backup_policy()._get_places()
        repository = self.env["saas.backup.repository"]._get(database, places)
        return self.back_up(database, repository_ids=[Command.set(repository.ids)], **values)

    def drop_acme(self):
        self.archive(days=31)
        backup = self.saved(self.acme)
        self.end(self.submit("drop"))
        return backup

    def succeed_acme(self):
        """Give the name of the dropped database to another one."""
        self.acme.name_held_until = fields.Datetime.now() - relativedelta(days=1)
        self.env.flush_all()
        return self.hosted("acme")

    def restore(self, backup, **values):
        action = backup.action_restore()
        form = Form(self.env["saas.restore.wizard"].with_context(**action["context"]))
        for name, value in values.items():
            setattr(form, name, value)
        return self.operations.browse(form.save().action_restore()["res_id"])

    def asked(self, kind):
        return self.operations.search([("kind", "=", kind)], order="id")

    # --- names that had another owner

    def test_a_dropped_database_comes_back_although_its_name_is_another_ones(self):
        final = self.drop_acme()
        successor = self.succeed_acme()
        self.saved(successor)
        operation = self.restore(final, name="acme-again")
        self.assertEqual((operation.kind, operation.target), ("restore_as", "acme-again"))
        self.assertEqual(operation.request["backup"], final.backup)
        self.assertEqual(operation.request["purpose"], "customer")
        self.assertIn(self.acme.uuid, operation.request["repositories"][0]["location"])

    def test_a_gone_database_is_never_restored_over_the_one_that_has_its_name(self):
        final = self.drop_acme()
        self.succeed_acme()
        with self.assertRaisesRegex(UserError, "acme is gone"):
            self.restore(final, mode="in_place")

    def test_a_living_database_never_lends_its_name_to_the_backups_of_a_former_one(self):
        self.drop_acme()
        self.succeed_acme()
        self.refused("no backup of acme", "restore_as", "acme-again", source="acme")
        self.refused("no backup of acme", "verify")

    def test_a_name_that_nobody_has_any_more_stands_for_the_newest_backups(self):
        final = self.drop_acme()
        failed = self.hosted("acme", state="failed")
        operation = self.submit("restore_as", "acme-again", source="acme")
        self.assertEqual(operation.request["backup"], final.backup)
        self.assertEqual(failed.state, "failed")

    def test_the_number_of_a_backup_says_whose_it_is(self):
        final = self.drop_acme()
        self.saved(self.succeed_acme())
        operation = self.submit("drill", backup=final.backup)
        self.assertEqual(operation.request["backup"], final.backup)
        self.refused("no complete backup", "drill", "other", backup=final.backup)

    def test_the_backups_of_both_databases_of_a_name_are_read_back_and_rehearsed(self):
        final = self.drop_acme()
        latest = self.saved(self.succeed_acme())
        both = {final.database_id.uuid, latest.database_id.uuid}
        self.trigger("ir_cron_verify_backups")
        verified = self.asked("verify")
        self.assertEqual({each.request["uuid"] for each in verified}, both)
        self.trigger("ir_cron_drill_backups")
        drilled = self.asked("drill")
        self.assertEqual(
            {each.request["backup"] for each in drilled}, {final.backup, latest.backup}
        )
        self.trigger("ir_cron_verify_backups")
        self.assertEqual(self.asked("verify"), verified)

    def test_the_buttons_of_a_gone_database_do_nothing_to_the_one_that_has_its_name(self):
        final = self.drop_acme()
        self.succeed_acme()
        for button in ("action_back_up", "action_resume", "action_release", "action_undelete"):
            with self.assertRaisesRegex(UserError, "acme is gone"):
                getattr(self.acme, button)()
        copying = self.env["saas.database.create.wizard"].create(
            {"source_id": self.acme.id, "name": "acme-copy"}
        )
        with self.assertRaisesRegex(UserError, "acme is gone"):
            copying.action_create_database()
        drill = self.operations.browse(final.action_drill()["res_id"])
        self.assertEqual(drill.request["backup"], final.backup)

    def test_an_operation_on_many_leaves_the_one_alone_that_has_the_name_of_a_gone_one(self):
        bulks = self.env["saas.database.bulk"]
        bulk = bulks._prepare_bulk("suspend", self.acme, {"reason": "Unpaid"})
        self.drop_acme()
        self.succeed_acme()
        bulk.line_ids._preview()
        self.assertIn("acme is gone", bulk.line_ids.problem)
        bulk.action_start()
        self.assertEqual((bulk.line_ids.state, self.asked("suspend").ids), ("failed", []))

    def test_a_database_that_comes_back_after_its_release_has_a_repository_of_its_own(self):
        first = self.saved(self.acme).repository_ids
        identity = self.acme.uuid
        self.end(self.submit("release"))
        found = {"identity": identity, "neutralized": False}
        self.end(self.submit("adopt"), check=found)
        again = self.databases._get_by_name("acme")
        second = self.saved(again).repository_ids
        self.assertEqual(again.uuid, identity)
        self.assertNotEqual(first.location, second.location)

    # --- which one is final

    def test_no_clock_makes_a_backup_of_the_open_database_the_final_one(self):
        self.archive(days=31)
        later = fields.Datetime.now() + relativedelta(hours=1)
        self.back_up(physical="acme", taken_at=later)
        self.back_up(physical=hidden_name("suspended"), taken_at=later)
        self.back_up(physical=False, taken_at=later)
        self.refused("no verified final backup", "drop")
        early = fields.Datetime.now() - relativedelta(days=60)
        final = self.back_up(taken_at=early)
        self.assertEqual(self.submit("drop").request["final_backup"]["backup"], final.backup)

    def test_a_backup_says_which_database_it_was_taken_of(self):
        operation = self.submit("backup")
        taken = {"taken_at": "2026-01-31T08:00:00+00:00", "physical": "fleet_x_seen", "bytes": 1}
        taken |= {"added": 1, "files": 0, "rows": 1, "missing": 0}
        self.end(operation, take=taken, confirm={"tables": 1})
        backup = self.env["saas.backup"].browse(operation.res_id)
        self.assertEqual((backup.state, backup.physical), ("verified", "fleet_x_seen"))

    # --- how long it is kept

    def test_the_form_says_until_when_the_final_backup_is_kept(self):
        self.drop_acme()
        days = (self.acme.final_backup_until - fields.Datetime.now()).total_seconds() / 86400
        self.assertAlmostEqual(days, 90, delta=0.1)
        self.set_days(0)
        self.acme.invalidate_recordset()
        self.assertFalse(self.acme.final_backup_until)

    def set_days(self, days):
        settings = self.env["res.config.settings"].create({"hosting_final_backup_days": days})
        settings.set_values()

    def test_zero_in_the_settings_is_a_number(self):
        self.set_days(0)
        self.assertEqual(self.databases._get_life_setting("final_backup_days"), 0)
        self.assertEqual(self.env["res.config.settings"].create({}).hosting_final_backup_days, 0)

    def test_what_is_kept_for_ever_reserves_no_name_and_is_never_forgotten(self):
        self.set_days(0)
        self.drop_acme()
        self.assertFalse(self.databases._is_name_held("acme"))
        self.set_days(1)
        self.trigger("ir_cron_forget_backups")
        self.assertFalse(self.asked("forget_backups"))

    def test_backups_are_forgotten_when_their_time_is_over_and_not_before(self):
        final = self.drop_acme()
        latest = self.saved(self.hosted("other"))
        self.trigger("ir_cron_forget_backups")
        self.refused("still kept", "forget_backups", identity=self.acme.uuid)
        successor = self.saved(self.succeed_acme())
        self.refused("still kept", "forget_backups", identity=successor.database_id.uuid)
        self.trigger("ir_cron_forget_backups")
        operation = self.asked("forget_backups")
        self.assertEqual((len(operation), operation.request["uuid"]), (1, self.acme.uuid))
        repository = final.repository_ids
        self.end(operation, forget={"forgotten": {str(repository.id): [final.backup]}})
        self.assertEqual((final.state, final.repository_ids.ids), ("forgotten", []))
        self.assertEqual({latest.state, successor.state}, {"verified"})
        self.trigger("ir_cron_forget_backups")
        self.assertEqual(self.asked("forget_backups"), operation)

    def test_one_that_another_storage_still_holds_is_not_said_to_be_forgotten(self):
        final = self.drop_acme()
        self.succeed_acme()
        other = self.env["saas.backup.place"].create({"name": "Second", "kind": "local"})
        second = self.env["saas.backup.repository"]._get(self.acme, other)
        first, final.repository_ids = final.repository_ids, final.repository_ids | second
        operation = self.submit("forget_backups", identity=self.acme.uuid)
        self.end(operation, "failed", forget={"forgotten": {str(first.id): [final.backup]}})
        self.assertEqual((final.state, final.repository_ids), ("verified", second))

    def test_nothing_is_forgotten_while_it_is_being_restored(self):
        final = self.drop_acme()
        self.succeed_acme()
        restoring = self.restore(final, name="acme-again")
        self.refused("reads these backups", "forget_backups", identity=self.acme.uuid)
        restoring.state = "failed"
        self.submit("forget_backups", identity=self.acme.uuid)

    def test_the_list_finds_dropped_databases(self):
        self.drop_acme()
        view = self.env.ref("fleet_saas_server.saas_database_view_search")
        (found,) = etree.fromstring(view.arch).xpath("//filter[@name='dropped']")
        databases = self.databases.with_context(**literal_eval(found.get("context")))
        self.assertIn(self.acme, databases.search(literal_eval(found.get("domain"))))

    def test_records_of_what_was_forgotten_or_failed_go_after_half_a_year(self):
        long_ago = fields.Datetime.now() - relativedelta(days=181)
        gone = [
            self.back_up(state=state, repository_ids=False, taken_at=long_ago)
            for state in ("forgotten", "failed")
        ]
        kept = [
            self.back_up(state="verified", taken_at=long_ago),
            self.back_up(state="damaged", taken_at=long_ago),
            self.back_up(state="forgotten", repository_ids=False),
        ]
        with patch.object(saas_backup_forget, "MAX_UNLINKED", 1):
            answers = [self.env["saas.backup"]._gc_backups() for _again in range(3)]
        self.assertEqual(answers, [(1, True), (1, True), (0, False)])
        self.assertEqual([bool(one.exists()) for one in (*gone, *kept)], [False] * 2 + [True] * 3)
