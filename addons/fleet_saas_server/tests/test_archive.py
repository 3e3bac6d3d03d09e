import base64
import os
import tempfile
import time
from datetime import timedelta

from odoo import fields
from odoo.exceptions import AccessError, UserError
from odoo.tests import HttpCase, TransactionCase, new_test_user, tagged
from odoo.tools import config

from ..controllers.kit import parts
from ..hosting import archive_work
from ..models.saas_upload import UPLOAD_MB

CONTENT = b"PK, as far as this test is concerned" * 1000


class ArchiveCase:
    """An operator, a viewer, a database with a backup, and a folder of their own for the files."""

    def make_people(self):
        groups = "fleet_saas_server.group_hosting"
        for login, group in (("otto", f"{groups}_operator"), ("vera", f"{groups}_user")):
            new_test_user(self.env, login, password=f"{login}-secret", groups=group)

    def use_own_folder(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.enterContext(config_option("data_dir", folder.name))
        return self.env["saas.operation"]._get_host()

    def make_database(self, **values):
        database = self.env["saas.database"].create(
            {"name": "archie", "uuid": "11111111-1111-4111-8111-111111111111", "state": "active"}
            | values
        )
        place = self.env["saas.backup.place"].search([("kind", "=", "local")], limit=1)
        repository = self.env["saas.backup.repository"]._get(database, place)
        self.env["saas.backup"].create(
            {
                "backup": "20260101-000000-abcdef01",
                "database_id": database.id,
                "repository_ids": repository.ids,
                "state": "verified",
            }
        )
        return database

    def make_export(self, database, file, **values):
        return self.env["saas.operation"].create(
            {
                "kind": "export_archive",
                "target": database.name,
                "key": f"test:{file}",
                "state": "done",
                "request": {"uuid": database.uuid},
                "res_model": "saas.database",
                "res_id": database.id,
                "step_ids": [
                    (0, 0, {"name": "write", "state": "done", "evidence": {"file": file}})
                ],
                **values,
            }
        )


class config_option:
    """Give an option of odoo.conf another value for a while."""

    def __init__(self, name, value):
        self.name, self.value = name, value

    def __enter__(self):
        self.before = config[self.name]
        config[self.name] = self.value

    def __exit__(self, *_error):
        config[self.name] = self.before


@tagged("post_install", "-at_install")
class TestArchiveOverHttp(HttpCase, ArchiveCase):
    """Who may download an archive and see a kit, and what they get."""

    def setUp(self):
        super().setUp()
        self.make_people()
        host = self.env["saas.operation"]._get_host()
        self.file = f"archie-20260101-000000-{os.urandom(4).hex()}.zip"
        self.path = archive_work.exports(host) / self.file
        self.path.write_bytes(CONTENT)
        self.addCleanup(self.path.unlink, missing_ok=True)
        self.database = self.make_database()
        self.operation = self.make_export(self.database, self.file)
        self.address = f"/fleet_saas_server/archive/{self.operation.id}"
        self.kit = f"/fleet_saas_server/kit/{self.database.id}"

    def get(self, path, login=None):
        self.authenticate(login, login and f"{login}-secret")
        return self.url_open(path, allow_redirects=False)

    def test_an_operator_gets_the_archive_whole_and_nobody_caches_it(self):
        answer = self.get(self.address, "otto")
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.content, CONTENT)
        self.assertEqual(answer.headers["Content-Length"], str(len(CONTENT)))
        self.assertIn(self.file, answer.headers["Content-Disposition"])
        self.assertEqual(answer.headers["Cache-Control"], "no-store")

    def test_a_viewer_and_a_visitor_get_neither_archive_nor_kit(self):
        for path in (self.address, self.kit):
            self.assertEqual(self.get(path, "vera").status_code, 403)
            answer = self.get(path)
            self.assertEqual(answer.status_code, 303)
            self.assertIn("/web/login", answer.headers["Location"])
        self.assertNotIn("recovery kit", str(self.database.message_ids.mapped("body")))

    def test_another_operations_number_and_a_path_in_the_evidence_answer_404(self):
        values = {"kind": "check", "target": "server", "key": "test:other"}
        other = self.make_export(self.database, self.file, **values)
        outside = self.make_export(self.database, "../../../odoo.conf")
        unfinished = self.make_export(self.database, self.file, key="test:running", state="running")
        for number in (other.id, outside.id, unfinished.id, 2**31 - 1):
            answer = self.get(f"/fleet_saas_server/archive/{number}", "otto")
            self.assertEqual(answer.status_code, 404)

    def test_an_archive_that_is_gone_answers_404(self):
        self.path.unlink()
        self.assertEqual(self.get(self.address, "otto").status_code, 404)

    def test_an_operator_sees_the_kit_and_the_chatter_says_so_without_it(self):
        repository = self.env["saas.backup"]._get_repositories(self.database)
        password = next(
            value for name, value in repository._get_secrets().items() if "password" in name
        )
        answer = self.get(self.kit, "otto")
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assertIn(password, answer.text)
        self.assertIn(repository.location, answer.text)
        self.assertIn("BEGIN PUBLIC KEY", answer.text)
        body = str(self.database.message_ids[0].body)
        self.assertIn("otto", body)
        self.assertNotIn(password, body)

    def test_a_dropped_database_whose_backups_are_kept_has_a_kit_and_an_unknown_one_has_none(self):
        self.database.write({"state": "dropped", "active": False})
        self.assertEqual(self.get(self.kit, "otto").status_code, 200)
        self.assertEqual(self.get("/fleet_saas_server/kit/999999", "otto").status_code, 404)
        self.env["saas.backup"].search([]).state = "forgotten"
        self.assertEqual(self.get(self.kit, "otto").status_code, 404)


@tagged("post_install", "-at_install")
class TestImport(TransactionCase, ArchiveCase):
    """What the wizard stores, and what becomes of it."""

    def setUp(self):
        super().setUp()
        self.make_people()
        self.host = self.use_own_folder()
        self.operator = self.env["res.users"].search([("login", "=", "otto")])

    def make_wizard(self, **values):
        return (
            self.env["saas.import.wizard"]
            .with_user(self.operator)
            .create(
                {
                    "name": "from-zip",
                    "archive_name": "theirs.zip",
                    "archive": base64.b64encode(CONTENT),
                }
                | values
            )
        )

    def uploads(self):
        return list(archive_work.uploads(self.host).iterdir())

    def test_an_uploaded_archive_is_on_disk_and_in_the_request_by_its_name_alone(self):
        wizard = self.make_wizard()
        (path,) = self.uploads()
        self.assertEqual(path.read_bytes(), CONTENT)
        self.assertEqual(path.stat().st_mode & 0o077, 0)
        operation = self.env["saas.operation"].browse(wizard.action_import()["res_id"])
        self.assertEqual(operation.request["upload"], path.name)
        self.assertNotIn("/", str(operation.request["upload"]))
        self.assertFalse(operation.request["activate"])
        database = self.env["saas.database"].browse(operation.res_id)
        self.assertEqual((database.state, database.source), ("creating", "theirs.zip"))

    def test_a_damaged_upload_and_none_at_all_are_refused_in_words(self):
        with self.assertRaisesRegex(UserError, "damaged"):
            self.make_wizard(archive=b"=not base64=")
        self.assertEqual(self.uploads(), [])
        with self.assertRaisesRegex(UserError, "Choose the archive"):
            self.make_wizard(archive=False).action_import()

    def test_a_file_that_is_too_big_for_a_form_is_refused_with_the_way_to_take_it_in(self):
        just_fits = b"A" * ((UPLOAD_MB << 20) // 3 * 4)
        self.make_wizard(archive=just_fits)
        self.assertEqual(len(self.uploads()), 1)
        with self.assertRaisesRegex(
            UserError, "65 MB.* up to 64 MB.*odoo-bin fleet import FILE NAME"
        ):
            self.make_wizard(archive=just_fits + b"AAAA" * 8)
        self.assertEqual(len(self.uploads()), 1)

    def test_a_viewer_may_not_import_and_a_stranger_not_name_a_path(self):
        viewer = self.env["res.users"].search([("login", "=", "vera")])
        with self.assertRaises(AccessError):
            self.env["saas.import.wizard"].with_user(viewer).create({"name": "from-zip"})
        for upload in ("../../odoo.conf", "0" * 32):
            with self.assertRaises(UserError):
                self.env["saas.operation"]._submit("import_archive", "x-y", {"upload": upload})

    def test_a_machine_with_an_api_key_may_ask_for_neither(self):
        agent = new_test_user(self.env, "agent", groups="fleet_saas_server.group_hosting_agent")
        host = self.env["saas.host"].with_user(agent)
        for kind in ("export_archive", "import_archive", "template_import"):
            with self.assertRaisesRegex(UserError, "own use"):
                host.submit(kind, "archie", "key-of-agent", {})

    def test_an_upload_that_waited_for_a_day_goes_unless_an_operation_needs_it(self):
        self.make_wizard().action_import()
        (needed,) = self.uploads()
        stray = archive_work.uploads(self.host) / archive_work.store_upload(self.host, [b"x"])
        for path in (needed, stray):
            os.utime(path, (time.time() - archive_work.KEPT_S - 9,) * 2)
        self.env["saas.database"]._gc_archives()
        self.assertEqual(self.uploads(), [needed])

    def test_a_failed_import_is_tried_again_only_while_its_file_is_there(self):
        number = self.make_wizard().action_import()["res_id"]
        operation = self.env["saas.operation"].browse(number)
        operation.state = "failed"
        operation._apply()
        database = self.env["saas.database"].browse(operation.res_id)
        self.assertEqual(database.state, "failed")
        operation.action_retry()
        self.assertEqual(database.state, "creating")
        operation.write({"state": "failed", "applied": False})
        operation._apply()
        self.uploads()[0].unlink()
        with self.assertRaisesRegex(UserError, "Upload it again"):
            operation.action_retry()

    # --- a template from an archive

    def make_template_wizard(self, **values):
        """Return what the button Build of a template opens, filled in by an operator."""
        template = self.env["saas.database.template"].create(
            {"name": "Brought", "code": "brought", "origin": "archive"} | values
        )
        action = template.with_user(self.operator).action_build()
        self.assertEqual(action["res_model"], "saas.template.wizard")
        wizard = self.env[action["res_model"]].with_user(self.operator)
        content = {"archive_name": "theirs.zip", "archive": base64.b64encode(CONTENT)}
        return wizard.with_context(**action["context"]).create(content)

    def ask_template(self):
        self.make_template_wizard().action_build()
        return self.env["saas.operation"].search([("kind", "=", "template_import")], limit=1)

    def test_the_build_of_a_template_from_a_backup_asks_for_the_file_and_hands_it_on(self):
        operation = self.ask_template()
        (path,) = self.uploads()
        self.assertEqual(path.read_bytes(), CONTENT)
        version = self.env["saas.database.template.version"].browse(operation.res_id)
        self.assertEqual(
            (operation.kind, operation.target), ("template_import", "template:brought")
        )
        self.assertEqual(operation.request["upload"], path.name)
        self.assertEqual(operation.request["physical"], version.physical)
        self.assertEqual(
            (version.state, version.template_id.archive_name), ("building", "theirs.zip")
        )
        path.touch()
        os.utime(path, (time.time() - archive_work.KEPT_S - 9,) * 2)
        self.env["saas.database"]._gc_archives()
        self.assertEqual(self.uploads(), [path])

    def test_a_template_from_a_backup_is_published_when_its_build_is_done(self):
        operation = self.ask_template()
        closed = {"size": 60 << 20, "file_bytes": 1 << 20, "modules": {"base": ["1.0", "a"]}}
        operation.write({"state": "done", "started": fields.Datetime.now()})
        operation.step_ids.filtered(lambda step: step.name == "close").evidence = closed
        operation._apply()
        template = self.env["saas.database.template"]._get_by_code("brought")
        self.assertEqual(template.published_version_id.module_count, 1)
        # The file is gone by then, so the clock builds no other version.
        template.rebuild = "daily"
        self.assertFalse(template._is_rebuild_due(fields.Datetime.now() + timedelta(days=9)))
        with self.assertRaisesRegex(UserError, "Upload one"):
            self.env["saas.operation"]._submit("template_build", "brought")

    def test_a_failed_build_from_a_backup_is_tried_again_only_while_its_file_is_there(self):
        operation = self.ask_template()
        version = self.env["saas.database.template.version"].browse(operation.res_id)
        operation.state = "failed"
        operation._apply()
        self.assertEqual(version.state, "failed")
        operation.action_retry()
        self.assertEqual(version.state, "building")
        operation.write({"state": "failed", "applied": False})
        operation._apply()
        self.uploads()[0].unlink()
        with self.assertRaisesRegex(UserError, "Upload it again"):
            operation.action_retry()

    def test_a_template_that_is_not_there_yet_is_made_by_its_archive(self):
        upload = archive_work.store_upload(self.host, [b"x"])
        arguments = {"upload": upload, "file": "theirs.dump"}
        self.env["saas.operation"]._submit("template_import", "from-theirs", arguments)
        template = self.env["saas.database.template"]._get_by_code("from-theirs")
        self.assertEqual((template.name, template.origin), ("From Theirs", "archive"))
        self.assertEqual(template.archive_name, "theirs.dump")

    def test_a_viewer_may_not_build_from_a_backup_and_nobody_from_a_path(self):
        viewer = self.env["res.users"].search([("login", "=", "vera")])
        template = self.env["saas.database.template"].create(
            {"name": "Brought", "code": "brought", "origin": "archive"}
        )
        with self.assertRaisesRegex(UserError, "operators"):
            template.with_user(viewer).action_build()
        with self.assertRaises(AccessError):
            self.env["saas.template.wizard"].with_user(viewer).create({"template_id": template.id})
        for upload in ("../../odoo.conf", "0" * 32):
            with self.assertRaises(UserError):
                self.env["saas.operation"]._submit("template_import", "brought", {"upload": upload})


@tagged("post_install", "-at_install")
class TestKitPage(TransactionCase):
    def test_the_page_keeps_the_order_and_every_command_of_the_kit(self):
        text = "# Kit of a\n\nWords.\n\n## 1. Where\n\n```sh\nexport A='<b>'\n```\n\n**After**.\n"
        self.assertEqual(
            parts(text),
            [
                ("h1", "Kit of a"),
                ("p", "Words."),
                ("h2", "1. Where"),
                ("pre", "export A='<b>'"),
                ("p", "After."),
            ],
        )
