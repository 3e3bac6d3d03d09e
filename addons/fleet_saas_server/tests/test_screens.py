import ast
import os
from pathlib import Path
from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, TransactionCase, new_test_user, tagged

from ..hosting import errors, postgres
from ..hosting.kinds import KINDS
from ..models import saas_operation_labels as labels
from ..models.saas_sentences import SENTENCES

ADDON = Path(errors.__file__).parents[1]


def calls(name):
    """Yield every call of ``name`` in the addon."""
    for path in ADDON.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == name:
                yield node


@tagged("post_install", "-at_install")
class TestLabels(TransactionCase):
    """Nothing of an operation is shown by its technical name."""

    def test_every_kind_has_a_label(self):
        self.assertEqual(set(labels.KIND_LABELS), set(KINDS))

    def test_every_step_has_a_label(self):
        named = (call.args[0] for call in calls("Step"))
        steps = {name.value for name in named if isinstance(name, ast.Constant)}
        self.assertGreater(len(steps), 20)
        self.assertEqual(set(labels.STEP_LABELS), steps)

    def test_labels_of_single_kinds_are_about_kinds_and_steps_that_there_are(self):
        for own in labels.KIND_STEP_LABELS:
            kind, step = own.split(".")
            self.assertIn(kind, KINDS)
            self.assertIn(step, labels.STEP_LABELS)

    def test_every_error_is_marked_for_translation_as_it_is_raised(self):
        registered = {
            each.arg: ast.literal_eval(each.value)
            for call in calls("sentences")
            for each in call.keywords
        }
        self.assertLessEqual(errors.SENTENCES.items(), registered.items())
        marked = {code: text._source for code, text in SENTENCES.items()}
        self.assertEqual(marked, registered, "run: make i18n")

    def test_a_step_is_called_by_what_it_means_in_its_kind(self):
        operations = self.env["saas.operation"]
        values = {"state": "done", "step_ids": [(0, 0, {"name": "take", "sequence": 0})]}
        names = [
            operations.create(
                {"kind": kind, "target": "acme", "key": f"key:{kind}", **values}
            ).step_ids.label
            for kind in ("backup", "snapshot")
        ]
        self.assertEqual(names, ["Take the backup", "Copy the database and its files"])


class OperationCase(TransactionCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        group = "fleet_saas_server.group_hosting"
        cls.viewer = new_test_user(cls.env, "vera", groups=f"{group}_user")
        cls.operator = new_test_user(cls.env, "otto", groups=f"{group}_operator")

    def make_operation(self, state, steps=(), **values):
        return self.env["saas.operation"].create(
            {
                "kind": "check",
                "target": "server",
                "key": f"test:{state}:{len(self.env['saas.operation'].search([]))}",
                "state": state,
                "step_ids": [
                    (0, 0, {"name": name, "sequence": number, "state": step})
                    for number, (name, step) in enumerate(steps)
                ],
                **values,
            }
        )


@tagged("post_install", "-at_install")
class TestOperationScreen(OperationCase):
    """What the screen of an operation says, and which buttons it offers."""

    def test_buttons_follow_the_state(self):
        offered = {}
        for state in ("queued", "running", "undoing", "done", "failed", "cancelled"):
            operation = self.make_operation(state)
            offered[state] = (operation.can_cancel, operation.can_retry)
        self.assertEqual(
            offered,
            {
                "queued": (True, False),
                "running": (True, False),
                "undoing": (False, False),
                "done": (False, False),
                "failed": (False, True),
                "cancelled": (False, True),
            },
        )

    def test_a_running_operation_is_not_retried_under_its_runner(self):
        operation = self.make_operation("running", [("postgres", "running")])
        with self.assertRaisesRegex(UserError, "does not need to be tried again"):
            operation.with_user(self.operator).action_retry()
        self.assertEqual(operation.step_ids.state, "running")

    def test_an_operator_retries_what_failed_and_cancels_what_waits(self):
        failed = self.make_operation("failed", [("postgres", "undone")], error_code="cancelled")
        failed.with_user(self.operator).action_retry()
        self.assertEqual((failed.state, failed.error), ("queued", False))
        self.assertEqual(failed.step_ids.state, "pending")
        failed.with_user(self.operator).action_cancel()
        self.assertEqual(failed.state, "cancelled")

    def test_giving_up_is_offered_to_what_waits_for_another_try(self):
        self.assertFalse(self.make_operation("queued").is_stuck)
        self.assertTrue(self.make_operation("queued", attempt=1).is_stuck)

    def test_who_only_looks_can_neither_cancel_nor_retry(self):
        for state, action in (("queued", "action_cancel"), ("failed", "action_retry")):
            operation = self.make_operation(state).with_user(self.viewer)
            with self.assertRaises(UserError):
                getattr(operation, action)()

    def test_a_failure_names_its_step_and_says_what_became_of_the_others(self):
        operation = self.make_operation(
            "failed",
            [("postgres", "undone"), ("programs", "undone"), ("folders", "pending")],
            error_code="program_missing",
            error_facts={"program": "restic", "reason": "FileNotFoundError"},
        )
        self.assertEqual(
            operation.failure, "It failed at “Look at the programs”; what it had begun was undone."
        )
        self.assertIn("The program restic cannot be started", operation.error)
        self.assertEqual(operation.step_ids.mapped("icon"), ["undone", "broken", "pending"])

    def test_what_could_not_be_undone_is_not_called_undone(self):
        operation = self.make_operation(
            "failed",
            [("postgres", "undone"), ("programs", "running")],
            error_code="undo_failed",
            error_facts={"reason": "It broke.", "undo": "the disk is full"},
        )
        self.assertEqual(operation.failure, "It failed at “Look at the programs”.")

    def test_progress_counts_steps_and_the_share_of_the_running_one(self):
        steps = [("postgres", "done"), ("programs", "running"), ("folders", "pending")]
        operation = self.make_operation("running", steps, progress=50, progress_text="2 of 4")
        self.assertEqual(operation.share_done, 50)
        self.assertEqual(operation.doing, "Look at the programs: 2 of 4")

    def test_evidence_is_read_as_words(self):
        step = self.make_operation("done", [("folders", "done")]).step_ids
        step.evidence = {"files_free_mb": 2048, "superuser": False, "more": {"a": 1}, "none": None}
        self.assertEqual(step.evidence_text, "free for files: 2.0 GB, superuser: no")
        step.evidence = {"link": "gAAAAABnothing-that-anybody-reads"}
        self.assertFalse(step.evidence_text)

    def test_sealing_says_how_much_it_switched_off_and_shows_its_report(self):
        report = {
            "switched_off": [
                {"what": "cron", "count": 30, "code": "seal_crons"},
                {"what": "queued mail", "count": 50, "says": "x"},
            ],
            "left_on": [{"what": "cron", "count": 1, "code": "seal_autovacuum"}],
            "unknown": [],
        }
        operation = self.make_operation("done", [("copy", "done"), ("seal", "done")])
        self.assertFalse(operation.has_report)
        operation.step_ids[1].evidence = {"report": report}
        self.assertEqual(
            operation.step_ids[1].evidence_text,
            "switched off: 80 (kinds: 2), left on: 1 (kinds: 1), unknown: nothing",
        )
        operation.invalidate_recordset()
        self.assertTrue(operation.has_report)
        action = operation.with_user(self.viewer).action_view_report()
        with Form(
            operation.with_user(self.viewer), self.env["ir.ui.view"].browse(action["views"][0][0])
        ) as form:
            self.assertEqual(
                form.report_words["switched_off"][0]["says"], "Scheduled actions are off."
            )
        self.assertIn('name="action_view_report"', operation.get_view(view_type="form")["arch"])

    def test_what_an_operation_writes_into_a_chatter_is_in_the_language_of_who_asked(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        self.env["ir.module.module"]._load_module_terms(["fleet_saas_server"], ["fr_FR"])
        self.operator.lang = "fr_FR"
        acme = self.env["saas.database"]._reserve("acme-french", state="active")
        operation = self.make_operation(
            "done", kind="export_archive", target=acme.name, res_model=acme._name, res_id=acme.id
        )
        self.env.cr.execute(
            "UPDATE saas_operation SET create_uid = %s WHERE id = %s",
            [self.operator.id, operation.id],
        )
        operation.invalidate_recordset()
        operation._apply()
        self.assertIn("Exportée", acme.message_ids[0].body)

    def test_what_is_gone_is_not_opened_as_a_new_record(self):
        operation = self.make_operation("done", kind="drop", res_model="saas.database", res_id=0)
        with self.assertRaisesRegex(UserError, "not there any more"):
            operation.action_open_record()

    def test_durations_are_short_and_readable(self):
        texts = [
            self.env["saas.operation"]._format_seconds(seconds, True)
            for seconds in (0.42, 42.4, 720, 7500)
        ]
        self.assertEqual(texts, ["0.4 s", "42 s", "12 min", "2 h 5 min"])


@tagged("post_install", "-at_install")
class TestDatabaseScreen(OperationCase):
    """What the screens of a hosted database say, and the wizard that makes one."""

    def make_database(self, name, **values):
        databases = self.env["saas.database"]
        return databases._reserve(name, **{"state": "active", "physical": name, **values})

    def test_problems_are_named(self):
        acme = self.make_database("acme-screen", report={"unknown": [{"what": "x", "count": 1}]})
        self.assertEqual(acme.problem, "No verified backup · Unknown credentials: 1")
        self.make_operation("failed", target="acme-screen", kind="backup")
        acme.invalidate_recordset()
        self.assertIn("Failed: Back Up", acme.problem)
        self.make_operation("done", target="acme-screen", kind="backup")
        acme.invalidate_recordset()
        self.assertNotIn("Failed", acme.problem)

    def test_the_operation_under_way_is_the_one_that_others_wait_for(self):
        acme = self.make_database("acme-screen")
        first = self.make_operation("running", target="acme-screen")
        self.make_operation("queued", target="acme-screen")
        self.assertEqual(acme.running_operation_id, first)
        self.assertEqual(acme.operation_count, 2)

    def test_an_operation_is_under_way_until_its_records_say_what_came_of_it(self):
        acme = self.make_database("acme-screen")
        operation = self.make_operation("failed", target="acme-screen")
        operation.applied = False
        self.assertEqual(acme.running_operation_id, operation)
        operation.applied = True
        acme.invalidate_recordset()
        self.assertFalse(acme.running_operation_id)
        self.assertEqual(acme.failed_operation_id, operation)

    def test_a_database_that_is_not_open_is_not_opened(self):
        acme = self.make_database("acme-screen", state="suspended")
        with self.assertRaisesRegex(UserError, "is not open"):
            acme.action_open()

    def test_what_was_never_made_is_taken_off_the_list_and_nothing_else_is(self):
        dune = self.make_database("dune-screen", state="failed").with_user(self.operator)
        dune.action_forget()
        self.assertEqual(dune.state, "dropped")
        acme = self.make_database("acme-screen").with_user(self.operator)
        with self.assertRaisesRegex(UserError, "is not forgotten"):
            acme.action_forget()

    def make_template(self):
        template = self.env["saas.database.template"].create(
            {"name": "Screen", "code": "screen", "lang": "fr_BE"}
        )
        self.env["saas.database.template.version"].create(
            {
                "template_id": template.id,
                "number": 1,
                "physical": f"fleet_t_screen_{'0' * 32}",
                "state": "published",
            }
        )
        return template

    def test_the_wizard_says_in_words_why_a_name_cannot_be_had(self):
        self.make_database("acme-screen")
        form = Form(self.env["saas.database.create.wizard"].with_user(self.operator))
        for name, says in (
            ("Acme!", "is not a valid name"),
            ("admin", "is reserved"),
            ("acme-screen", "is taken"),
        ):
            form.name = name
            self.assertIn(says, form.name_problem)
            self.assertFalse(form.address)
        form.name = "birch-screen"
        self.assertFalse(form.name_problem)
        self.assertIn("birch-screen", form.address)

    def test_the_wizard_asks_for_what_was_filled_in(self):
        form = Form(self.env["saas.database.create.wizard"].with_user(self.operator))
        form.template_id = self.make_template()
        self.assertEqual(form.lang, "fr_BE")
        form.name = "birch-screen"
        form.company = "Birch"
        form.admin_email = "ann@birch.example.com"
        form.country_id = self.env.ref("base.be")
        action = form.save().action_create_database()
        operation = self.env["saas.operation"].browse(action["res_id"])
        self.assertEqual((operation.kind, operation.target), ("create", "birch-screen"))
        self.assertEqual(operation.create_uid, self.operator)
        personal = operation.request["personal"]
        self.assertEqual(personal["company"], "Birch")
        self.assertEqual(personal["login"], "ann@birch.example.com")
        self.assertEqual(personal["country"], "BE")
        self.assertNotIn("password_hash", personal)

    def test_a_password_is_kept_as_its_hash_only(self):
        wizard = self.env["saas.database.create.wizard"].create(
            {"name": "birch-screen", "admin_password": "correct horse"}
        )
        self.env.flush_all()
        self.env.cr.execute(
            "SELECT to_jsonb(w)::text FROM saas_database_create_wizard w WHERE id = %s", [wizard.id]
        )
        self.assertNotIn("correct horse", self.env.cr.fetchone()[0])
        self.assertTrue(wizard.password_hash.startswith("$pbkdf2-sha512$"))
        wizard.invalidate_recordset()
        self.assertFalse(wizard.admin_password)

    def test_the_wizard_duplicates_too(self):
        acme = self.make_database("acme-screen")
        action = acme.with_user(self.operator).action_duplicate()
        form = Form(
            self.env["saas.database.create.wizard"]
            .with_user(self.operator)
            .with_context(**action["context"])
        )
        self.assertEqual((form.name, form.purpose), ("acme-screen-copy", "staging"))
        shown = form.save().action_create_database()
        operation = self.env["saas.operation"].browse(shown["res_id"])
        self.assertEqual((operation.kind, operation.target), ("duplicate", "acme-screen-copy"))
        self.assertEqual(operation.sources, ["acme-screen"])

    def test_the_wizards_refuse_in_the_words_of_a_person(self):
        acme = self.make_database("acme-screen")
        wizards = self.env["saas.database.life.wizard"].with_user(self.operator)
        for values, says in (
            ({"kind": "rename", "name": "www"}, "The name www is reserved"),
            ({"kind": "rename", "name": "acme-screen"}, "The name acme-screen is taken"),
            ({"kind": "adopt", "name": "not-there-screen"}, "not-there-screen does not exist"),
            ({"kind": "parameters", "key": "database.uuid", "value": "x"}, "The system parameter"),
        ):
            wizard = wizards.create({"database_id": acme.id, **values})
            with self.assertRaisesRegex(UserError, f"^{says}|^The database {says}"):
                wizard.action_submit()

    def test_lists_do_not_offer_odoos_own_archive(self):
        self.assertTrue(self.env["saas.database"].fields_get(["active"])["active"]["readonly"])

    def test_who_only_looks_makes_nothing(self):
        acme = self.make_database("acme-screen").with_user(self.viewer)
        with self.assertRaises(AccessError):
            acme.action_back_up()
        with self.assertRaises(AccessError):
            self.env["saas.database.create.wizard"].with_user(self.viewer).create({"name": "birch"})


@tagged("post_install", "-at_install")
class TestHealth(OperationCase):
    """The screen that says whether this machine can host."""

    def setUp(self):
        super().setUp()
        # Without it the hosted process is this one, which cannot answer while it tests.
        nobody = {"FLEET_HOSTED_URL": "http://127.0.0.1:1"}
        self.enterContext(patch.dict(os.environ, nobody))

    def row(self, key):
        rows = {row["key"]: row for row in self.env["saas.health"]._get_rows()}
        return rows[key]

    def test_everybody_in_hosting_can_open_it(self):
        health = self.env["saas.health"].with_user(self.viewer)
        opened = health.browse(health.action_open()["res_id"])
        self.assertGreater(len(opened.rows), 9)
        self.assertIn(opened.state, ("green", "amber", "red", "grey"))
        for row in opened.rows:
            self.assertIn(row["state"], ("green", "amber", "red", "grey"))
            self.assertTrue(row["says"], row)
            if row["state"] == "red":
                self.assertTrue(row["todo"] or len(row["says"]) > 20, row)

    def test_without_the_job_runner_it_says_how_to_load_it(self):
        row = self.row("runner")
        self.assertIn(row["state"], ("amber", "red"))
        self.assertIn("queue_job", row["todo"])

    def test_the_gate_that_does_not_answer_is_red(self):
        self.assertEqual(self.row("gate")["state"], "red")

    def test_failed_operations_are_counted_for_a_week(self):
        self.assertEqual(self.row("failed")["state"], "green")
        self.make_operation("failed", ended="2020-01-01 00:00:00")
        self.assertEqual(self.row("failed")["state"], "green")
        self.make_operation("failed", ended=self.env.cr.now())
        self.assertEqual(self.row("failed")["state"], "amber")

    def test_what_the_last_check_found_is_shown(self):
        self.assertEqual(self.row("programs")["state"], "grey")
        self.make_operation(
            "failed", error_code="program_missing", error_facts={"program": "restic", "reason": "x"}
        )
        row = self.row("programs")
        self.assertEqual(row["state"], "red")
        self.assertIn("restic", row["says"])
        self.make_operation("done", [("programs", "done")]).step_ids.evidence = {"restic": "0.19"}
        self.assertEqual(self.row("programs")["says"], "restic: 0.19")

    def test_a_database_open_to_every_role_is_named(self):
        self.assertEqual(self.row("public")["state"], "green")
        name = self.env.cr.dbname
        self.env["saas.database"].create(
            {"name": "acme-public", "uuid": "u", "state": "active", "physical": name}
        )
        cluster = postgres.Cluster(self.env["saas.operation"]._get_host().cluster.dsn)
        with cluster.cursor() as cr:
            cr.execute("SELECT has_database_privilege('public', %s, 'CONNECT')", [name])
            [is_open] = cr.fetchone()
        row = self.row("public")
        self.assertEqual(row["state"], "amber" if is_open else "green")
        self.assertEqual(name in row["says"], is_open)

    def test_a_database_without_a_backup_is_named(self):
        self.assertEqual(self.row("backups")["state"], "green")
        database = self.env["saas.database"].create(
            {"name": "acme-backup", "uuid": "u", "state": "active", "physical": "acme-backup"}
        )
        self.assertIn("acme-backup", self.row("backups")["says"])
        backup = self.env["saas.backup"].create(
            {"database_id": database.id, "backup": "n1", "state": "verified"}
        )
        database.invalidate_recordset()
        self.assertEqual(self.row("backups")["state"], "green")
        backup.taken_at = "2020-01-01 00:00:00"
        database.invalidate_recordset()
        self.assertEqual(self.row("backups")["state"], "red")

    def test_open_differences_are_counted(self):
        self.assertEqual(self.row("differences")["state"], "green")
        self.env["saas.difference"].create({"what": "leftover", "name": "fleet_x_test"})
        self.assertEqual(self.row("differences")["state"], "amber")

    def test_checking_asks_for_the_operation(self):
        health = self.env["saas.health"].with_user(self.operator)
        opened = health.browse(health.action_open()["res_id"])
        opened.action_check()
        opened.invalidate_recordset()
        self.assertEqual(opened.running_operation_id.kind, "check")
        with self.assertRaises(AccessError):
            opened.with_user(self.viewer).action_check()
