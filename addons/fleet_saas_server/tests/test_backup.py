import tempfile
from pathlib import Path

from odoo import Command, fields
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import TransactionCase, new_test_user, tagged
from odoo.tools import mute_logger


@tagged("post_install", "-at_install")
class TestBackup(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.database = cls.env["saas.database"].create(
            {
                "name": "fleet-acme",
                "uuid": cls.env["saas.database"]._get_new_uuid(),
                "physical": "fleet-acme",
                "state": "active",
            }
        )
        policy = cls.database._get_backup_policy()
        cls.repository = cls.env["saas.backup.repository"]._get(cls.database, policy._get_places())

    def backup(self, number, **values):
        return self.env["saas.backup"].create(
            {
                "backup": number,
                "database_id": self.database.id,
                "repository_ids": [Command.set(self.repository.ids)],
                "state": "verified",
                **values,
            }
        )

    def differences(self):
        found = self.env["saas.difference"].search([("solved", "=", False)])
        return {(one.what, one.name) for one in found}

    def test_a_backup_that_its_storage_has_lost_no_longer_counts(self):
        kept, lost = self.backup("kept-backup"), self.backup("lost-backup")
        self.env["saas.backup"]._compare_stored(self.repository, ["kept-backup"])
        self.assertEqual((kept.state, lost.state), ("verified", "damaged"))
        self.assertEqual(self.differences(), {("backup_missing", "lost-backup")})
        self.assertEqual(self.env["saas.backup"]._get_restorable(self.database), kept)

    def test_a_backup_that_another_storage_still_has_counts(self):
        other = self.env["saas.backup.place"].create({"name": "Second", "kind": "local"})
        second = self.env["saas.backup.repository"]._get(self.database, other)
        backup = self.backup("two-places")
        backup.repository_ids = self.repository | second
        self.env["saas.backup"]._compare_stored(self.repository, [])
        self.assertEqual(backup.state, "verified")
        self.assertEqual(backup.repository_ids, second)

    def test_what_was_repaired_hides_no_other_difference_of_the_same_name(self):
        found = [
            {"what": what, "name": "fleet-acme", "more": ""}
            for what in ("database_closed", "folder_missing")
        ]
        results = {
            "compare": {"differences": found},
            "repair": {"repaired": ["fleet-acme"], "failed": {}},
        }
        operation = self.env["saas.operation"]._submit("reconcile", "server")
        for step in operation.step_ids:
            step.evidence = results[step.name]
        operation.state = "done"
        operation._apply()
        self.assertEqual(self.differences(), {("folder_missing", "fleet-acme")})

    def test_what_a_storage_holds_beyond_the_records_is_listed_until_it_is_gone(self):
        self.backup("known-backup")
        self.env["saas.backup"]._compare_stored(self.repository, ["known-backup", "stray-backup"])
        self.assertEqual(self.differences(), {("backup_unknown", "stray-backup")})
        self.env["saas.backup"]._compare_stored(self.repository, ["known-backup"])
        self.assertEqual(self.differences(), set())

    def test_a_comparison_of_the_machine_leaves_what_the_night_has_found(self):
        self.backup("lost-backup")
        self.env["saas.backup"]._compare_stored(self.repository, [])
        operation = self.env["saas.operation"]._submit("reconcile", "server")
        operation.step_ids.filtered(lambda step: step.name == "compare").evidence = {
            "differences": []
        }
        operation.step_ids.filtered(lambda step: step.name == "repair").evidence = {
            "repaired": [],
            "failed": {},
        }
        operation.state = "done"
        self.env["saas.difference"]._apply_reconcile(operation)
        self.assertEqual(self.differences(), {("backup_missing", "lost-backup")})

    def test_the_newest_verified_backup_and_final_ones_are_never_forgotten(self):
        hour = fields.Datetime.subtract(fields.Datetime.now(), hours=1)
        final = self.backup("final-backup", reason="final", taken_at=hour)
        # Its disk may come back.
        final |= self.backup("lost-final", reason="final", state="damaged", repository_ids=False)
        newest = self.backup("newest-backup")
        self.backup("failed-backup", state="failed")
        self.assertEqual(
            self.env["saas.backup"]._get_never_forgotten(self.database), final | newest
        )

    def failed(self, evidence):
        operation = self.env["saas.operation"]._submit("backup", self.database.name)
        for step in operation.step_ids:
            step.evidence = evidence.get(step.name)
        operation.write({"state": "failed", "error_code": "storage_unreachable"})
        operation._apply()
        return self.env["saas.backup"].browse(operation.res_id)

    def test_the_record_of_what_failed_goes_once_no_repository_holds_anything_of_it(self):
        stored = self.failed({"take": {"snapshots": ["0123abcd"]}})
        self.assertEqual((stored.state, stored.repository_ids), ("failed", self.repository))
        empty = self.failed({})
        self.assertEqual((empty.state, bool(empty.repository_ids)), ("failed", False))
        (stored | empty).taken_at = fields.Datetime.subtract(fields.Datetime.now(), days=181)
        self.env["saas.backup"]._gc_backups()
        self.assertEqual((stored | empty).exists(), stored)

    TAKEN = {
        "taken_at": "2026-01-02T03:04:05+00:00",
        "snapshots": {"dump": "0123abcd"},
        "bytes": 1,
        "added": 1,
        "files": 1,
        "rows": 1,
        "missing": 0,
    }

    def end_well(self, operation, **steps):
        """Write what a good backup leaves behind, with changes by step, and apply it."""
        good = {"take": self.TAKEN, "confirm": {"tables": 1}, "copy": {"copied": [], "failed": {}}}
        for step in operation.step_ids:
            step.write({"state": "done", "evidence": (good | steps).get(step.name)})
        operation.state = "done"
        operation._apply()

    def of(self, backup):
        """Return the operation that has taken a backup."""
        domain = [("kind", "=", "backup"), ("res_id", "=", backup.id)]
        return self.env["saas.operation"].search(domain)

    def test_a_failed_backup_that_succeeds_when_tried_again_can_be_restored(self):
        backup = self.failed({})
        operation = self.of(backup)
        operation.action_retry()
        self.assertEqual((backup.state, backup.problem), ("taking", False))
        self.end_well(operation)
        self.assertEqual((backup.state, backup.repository_ids), ("verified", self.repository))
        self.assertEqual(self.env["saas.backup"]._get_restorable(self.database), backup)
        self.assertTrue(backup._get_restore_request()["repositories"])

    def test_trying_again_forgets_none_of_the_backups_that_were_taken_since(self):
        backup = self.failed({})
        self.backup("final-since", reason="final")
        operation = self.of(backup)
        operation.action_retry()
        self.assertIn("final-since", operation.request["never"])

    def test_what_its_storage_has_forgotten_does_not_count_again(self):
        backup = self.failed({"take": self.TAKEN})
        backup.write({"state": "forgotten", "repository_ids": False})
        with self.assertRaisesRegex(UserError, "Take a new one"):
            self.of(backup).action_retry()

    def test_a_backup_counts_as_copied_where_the_copy_was_read_back_only(self):
        other = self.env["saas.backup.place"].create({"name": "Second", "kind": "local"})
        policy = self.database._get_backup_policy()
        policy.place_ids = self.repository.place_id | other
        operation = self.env["saas.operation"]._submit("backup", self.database.name)
        backup = self.env["saas.backup"].browse(operation.res_id)
        self.assertEqual(len(backup.repository_ids), 2)
        self.end_well(operation, copy={})  # as a deadline leaves it
        self.assertEqual(backup.repository_ids, self.repository)

    def test_a_backup_that_no_storage_holds_is_not_restored(self):
        self.backup("held-nowhere", repository_ids=False)
        with self.assertRaisesRegex(UserError, "no verified backup"):
            self.env["saas.backup"]._get_restorable(self.database)

    def broken(self, **facts):
        """Return a backup that failed because of its repository, applied."""
        operation = self.env["saas.operation"]._submit("backup", self.database.name)
        facts = {"location": self.repository.location, "reason": "a pack is short", **facts}
        code = {"error_code": "repository_damaged", "error_facts": facts}
        operation.write({"state": "failed", **code})
        operation._apply()
        return operation

    def test_a_backup_that_fails_for_its_repository_says_so_there_and_to_the_operator_once(self):
        self.broken()
        self.assertIn("a pack is short", self.repository.problem)
        self.broken(reason="two packs are short")
        self.assertIn("two packs", self.repository.problem)
        self.assertEqual(len(self.database.activity_ids), 1)
        self.assertIn("two packs", self.database.activity_ids.note)

    def test_a_backup_that_fails_for_another_reason_blames_no_repository(self):
        self.failed({})
        self.broken(location="/elsewhere")
        self.assertFalse(self.repository.problem)
        self.assertFalse(self.database.activity_ids)

    def test_a_verification_blames_the_repository_that_is_damaged(self):
        other = self.env["saas.backup.place"].create({"name": "Second", "kind": "local"})
        second = self.env["saas.backup.repository"]._get(self.database, other)
        self.backup("in-both").repository_ids |= second
        operation = self.env["saas.operation"]._submit("verify", self.database.name)
        facts = {"location": second.location, "reason": "a pack is short"}
        code = {"error_code": "repository_damaged", "error_facts": facts}
        operation.write({"state": "failed", **code})
        operation._apply()
        self.assertIn("a pack is short", second.problem)
        self.assertFalse(self.repository.problem)

    def test_a_copy_that_fails_for_its_repository_says_so_there_too(self):
        other = self.env["saas.backup.place"].create({"name": "Second", "kind": "local"})
        second = self.env["saas.backup.repository"]._get(self.database, other)
        self.database._get_backup_policy().place_ids = self.repository.place_id | other
        for broken in ([], second.ids):
            operation = self.env["saas.operation"]._submit("backup", self.database.name)
            failed = {str(second.id): "It is not there."}
            self.end_well(operation, copy={"copied": [], "failed": failed, "broken": broken})
            self.assertEqual(second.problem, "It is not there." if broken else False)
            self.assertEqual(len(self.database.activity_ids), len(broken))
        self.assertFalse(self.repository.problem)

    def test_a_repository_with_verified_backups_is_expected_to_be_there(self):
        other = self.env["saas.backup.place"].create({"name": "Second", "kind": "local"})
        self.database._get_backup_policy().place_ids = self.repository.place_id | other
        first = self.env["saas.operation"]._submit("backup", self.database.name)
        self.assertEqual(first.request["expected"], [])
        self.backup("held-backup")
        second = self.env["saas.operation"]._submit("backup", self.database.name)
        self.assertEqual(second.request["expected"], self.repository.ids)
        first.state = "failed"
        first._apply()
        first.action_retry()
        self.assertEqual(first.request["expected"], self.repository.ids)

    def test_a_backup_that_is_found_again_counts_again(self):
        backup = self.backup("found-again")
        self.env["saas.backup"]._compare_stored(self.repository, [])
        self.assertEqual((backup.state, bool(backup.repository_ids)), ("damaged", False))
        self.env["saas.backup"]._compare_stored(self.repository, ["found-again"])
        self.assertEqual((backup.state, backup.problem), ("verified", False))
        self.assertEqual(backup.repository_ids, self.repository)
        self.assertEqual(self.differences(), set())

    def test_an_operator_says_that_the_backups_of_a_place_are_lost_for_good(self):
        kept, lost = self.backup("kept-elsewhere"), self.backup("lost-for-good")
        other = self.env["saas.backup.place"].create({"name": "Second", "kind": "local"})
        second = self.env["saas.backup.repository"]._get(self.database, other)
        kept.repository_ids |= second
        self.repository.problem = "There is no backup repository."
        user = new_test_user(self.env, "lost-user", groups="fleet_saas_server.group_hosting_user")
        with self.assertRaisesRegex(UserError, "Only hosting operators"):
            self.repository.with_user(user).action_mark_lost()
        group = "fleet_saas_server.group_hosting_operator"
        operator = new_test_user(self.env, "lost-operator", groups=group)
        self.repository.place_id.with_user(operator).action_mark_lost()
        self.assertEqual((kept.state, kept.repository_ids), ("verified", second))
        self.assertEqual((lost.state, bool(lost.repository_ids)), ("damaged", False))
        self.assertFalse(self.repository.problem)
        self.assertIn("lost for good", self.database.message_ids[0].body)
        held = self.env["saas.backup"]._get_held(self.database, self.repository | second)
        self.assertEqual(held["expected"], second.ids)

    def test_what_is_still_there_is_not_lost(self):
        backup = self.backup("still-there")
        folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        (folder / "config").touch()
        self.repository.location = str(folder)
        with self.assertRaisesRegex(UserError, "not gone"):
            self.repository.action_mark_lost()
        self.assertEqual(backup.state, "verified")

    def test_backups_are_staggered_and_wait_longer_after_each_failure(self):
        now = fields.Datetime.now()
        self.assertLess(self.next_time(), now)
        self.backup("good-backup", taken_at=now)
        due = self.next_time()
        self.assertGreater(due, now)
        self.assertLessEqual(due, fields.Datetime.add(now, hours=6, minutes=1))
        later = fields.Datetime.add(now, minutes=1)
        for number in range(5):
            self.backup(f"bad-backup-{number}", state="failed", taken_at=later)
        self.assertGreaterEqual(self.next_time(), fields.Datetime.add(later, minutes=320))
        # One that succeeds makes them forgotten; those before a success never counted.
        self.backup("next-backup", taken_at=fields.Datetime.add(now, minutes=2))
        self.assertLessEqual(self.next_time(), fields.Datetime.add(now, hours=6, minutes=3))

    def test_looking_for_what_is_due_takes_few_queries_for_many_databases(self):
        policy = self.database._get_backup_policy()
        for number in range(20):
            name = f"many-{number}"
            values = {"name": name, "uuid": name, "state": "active", "backup_policy_id": policy.id}
            self.database.copy(values)
        self.env.flush_all()
        self.env.invalidate_all()
        with self.assertQueryCount(10):
            self.assertGreaterEqual(len(self.env["saas.backup"]._get_due()), 20)

    def next_time(self):
        return self.env["saas.backup"]._get_next_times(self.database)[self.database]

    @mute_logger("odoo.addons.fleet_saas_server.models.saas_operation_run")
    def test_a_database_whose_backups_cannot_be_read_back_holds_up_no_other(self):
        self.backup("good-backup")
        named = self.database.copy({"name": "no-backups", "state": "active", "uuid": "second"})
        backups = self.env["saas.backup"]
        backups._submit_safely("verify", named)
        backups._submit_safely("verify", self.database)
        asked = self.env["saas.operation"].search([("kind", "=", "verify")])
        self.assertEqual(asked.mapped("target"), ["fleet-acme"])

    def test_the_last_policy_can_be_neither_deleted_nor_archived(self):
        policies = self.env["saas.backup.policy"].search([])
        with self.assertRaisesRegex(ValidationError, "keep one"), self.env.cr.savepoint():
            policies.unlink()
        with self.assertRaisesRegex(ValidationError, "keep one"), self.env.cr.savepoint():
            policies.active = False
        policies.create({"name": "Another"})
        policies.unlink()

    def test_no_part_of_an_address_is_read_as_an_option(self):
        places = self.env["saas.backup.place"]
        places.create({"name": "Good", "kind": "sftp", "location": "me@files.example:/backups"})
        for location in ("-v@files.example:/a", "me@-F:/a", "me@files.example:-a"):
            with self.assertRaises(ValidationError), self.env.cr.savepoint():
                places.create({"name": "Bad", "kind": "sftp", "location": location})

    def bucket(self):
        return self.env["saas.backup.place"].create(
            {
                "name": "Bucket",
                "kind": "s3",
                "location": "https://s3.example/bucket",
                "access_key": "key",
                "secret_key": "very secret",
            }
        )

    def test_another_address_of_a_place_forgets_its_secret(self):
        place = self.bucket()
        self.assertTrue(place.secret)
        self.assertNotIn("very secret", place.secret)
        place.location = "https://elsewhere.example/bucket"
        self.assertFalse(place.secret)

    def test_the_stars_that_stand_for_a_secret_do_not_take_it_to_another_address(self):
        elsewhere = "https://elsewhere.example/bucket"
        place, other = self.bucket(), self.bucket()
        place.write({"location": elsewhere, "secret_key": "********"})
        self.assertFalse(place.secret)
        other.write({"location": elsewhere, "secret_key": "another secret"})
        self.assertTrue(other.secret)

    def test_who_is_no_operator_leads_no_backup_elsewhere(self):
        place = self.bucket()
        for group in ("base.group_portal", "group_hosting_agent", "group_hosting_user"):
            group = group if "." in group else f"fleet_saas_server.{group}"
            user = new_test_user(self.env, f"not-{group}", groups=group)
            for values in ({"location": "https://elsewhere.example/bucket"}, {"kind": "local"}):
                with self.subTest(group=group, values=values), self.assertRaises(AccessError):
                    place.with_user(user).write(values)
        operator = new_test_user(
            self.env, "place-operator", groups="fleet_saas_server.group_hosting_operator"
        )
        place.with_user(operator).location = "https://elsewhere.example/bucket"
        self.assertFalse(place.secret)
