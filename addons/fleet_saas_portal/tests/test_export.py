import contextlib
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from urllib3.exceptions import HTTPError

from odoo import fields, http
from odoo.exceptions import AccessError, UserError
from odoo.tests import HttpCase, new_test_user, tagged
from odoo.tools import mute_logger

from .customer import CustomerCase

ACME = "/my/databases/uuid-of-acme"
KINDS = {"export": {"arguments": {"backup": {}, "keep_hours": {}}}}
CONTENT = bytes(range(256)) * 4000  # about 1 MB


class Server:
    """A real HTTP server in a hosting server's place: what it sends is set by the test."""

    def __init__(self):
        self.asked, self.answer, self.cut = [], 200, None
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                outer.asked.append((self.path, dict(self.headers)))
                outer.send(self)

            def log_message(self, *_arguments):
                pass

        self.httpd = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.httpd.server_port}"
        threading.Thread(target=self.httpd.serve_forever, daemon=True).start()

    def send(self, handler):
        start = int((handler.headers.get("Range") or "bytes=0-")[6:].split("-")[0])
        body = CONTENT[start:] if self.answer == 200 else b""
        handler.send_response(206 if start and body else self.answer)
        handler.send_header("Content-Length", str(len(body)))
        handler.send_header("ETag", '"one"')
        if start:
            last = len(CONTENT) - 1
            handler.send_header("Content-Range", f"bytes {start}-{last}/{len(CONTENT)}")
        handler.end_headers()
        handler.wfile.write(body[: self.cut])

    def close(self):
        self.httpd.shutdown()
        self.httpd.server_close()


class ExportCase(CustomerCase):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.server.sudo().kinds = KINDS

    def finish(self, export, **values):
        """Have the server make the archive."""
        until = fields.Datetime.now() + timedelta(hours=24)
        evidence = {
            "file": "acme-20260101-000000-00000000.zip",
            "bytes": len(CONTENT),
            "until": fields.Datetime.to_string(until),
        }
        self.answer(export.request_id, "done", steps=[("write", evidence | values)])

    def make_ready(self, instance=None, user=None, **values):
        instance = instance or self.acme
        export = instance.with_user(user or self.ann).sudo()._ask_export()
        self.finish(export, **values)
        return export

    def let_in(self, user, instance=None):
        """Give an operator access, with the reason that is asked for."""
        return (
            self.env["saas.access.request"]
            .with_user(user)
            ._ask((instance or self.acme).with_user(user), "admin", "Ticket 4711", 1)
        )


@tagged("post_install", "-at_install")
class TestExport(ExportCase):
    """What is asked of the server, how often, and who hears of it."""

    def test_what_is_there_now_and_what_a_backup_had_are_asked_of_the_server(self):
        now = self.acme._ask_export()
        request = now.request_id
        self.assertEqual((request.kind, request.target), ("export", "acme"))
        self.assertEqual(request.arguments, {"keep_hours": 24})
        self.finish(now)
        self.make_backup(self.acme, "b-1")
        then = self.acme._ask_export("b-1")
        self.assertEqual(then.request_id.arguments, {"keep_hours": 24, "backup": "b-1"})
        self.assertEqual((now.state, then.state), ("ready", "asked"))
        self.assertEqual(now.size, len(CONTENT))

    def test_a_backup_of_another_database_is_none(self):
        self.make_backup(self.other, "b-2")
        with self.assertRaises(UserError):
            self.acme._ask_export("b-2")
        self.assertFalse(self.acme.export_ids)

    def test_one_at_a_time(self):
        self.acme._ask_export()
        with self.assertRaisesRegex(UserError, "being made already"):
            self.acme._ask_export()

    @mute_logger("odoo.sql_db")
    def test_of_two_who_ask_at_once_one_gets_it(self):
        self.acme._ask_export()
        self.patch(type(self.acme), "_check_exports", lambda _self: None)
        with self.assertRaisesRegex(UserError, "being made already"):
            self.acme._ask_export()
        self.assertEqual(len(self.acme.export_ids), 1)

    def test_the_plan_says_how_many_a_day_and_failed_ones_do_not_count(self):
        self.plan.write({"exports_a_day": 2, "export_hours": 5})
        export = self.acme._ask_export()
        self.assertEqual(export.request_id.arguments["keep_hours"], 5)
        self.answer(export.request_id, "failed", error="No room.")
        self.assertEqual((export.state, export.error), ("failed", "No room."))
        self.assertFalse(self.acme.problem)
        for _each in range(2):
            self.make_ready()
        with self.assertRaisesRegex(UserError, "is reached: 2 a day"):
            self.make_ready()
        self.env.cr.execute("UPDATE saas_export SET create_date = create_date - interval '2 day'")
        self.make_ready()

    def test_what_customers_had_today_is_taken_from_no_operator(self):
        self.plan.exports_a_day = 1
        self.make_ready()
        with self.assertRaisesRegex(UserError, "is reached: 1 a day"):
            self.acme.with_user(self.max).sudo()._ask_export()
        self.make_ready(user=self.people["manager"])
        with self.assertRaisesRegex(UserError, "is reached: 1 a day"):
            self.acme.with_user(self.people["manager"])._ask_export()

    def test_a_server_that_makes_none_is_not_asked(self):
        self.server.sudo().kinds = {"backup": {}}
        with self.assertRaisesRegex(UserError, "makes no archives yet"):
            self.acme._ask_export()

    def test_who_has_asked_is_written_to_with_a_link_to_the_page_and_no_file(self):
        self.make_ready(user=self.max)
        mail = self.env["mail.mail"].search([], order="id DESC", limit=1)
        self.assertEqual(mail.recipient_ids, self.max.partner_id)
        self.assertEqual(mail.subject, "The zip of acme is ready")
        self.assertIn("/my/databases/uuid-of-acme", mail.body_html)
        self.assertNotIn("/export/", mail.body_html)
        self.assertFalse(mail.attachment_ids)

    def test_nobody_is_written_to_when_it_fails(self):
        before = self.env["mail.mail"].search_count([])
        export = self.acme.with_user(self.max).sudo()._ask_export()
        self.answer(export.request_id, "failed", error="No room.")
        self.assertEqual(self.env["mail.mail"].search_count([]), before)

    def test_it_is_over_by_the_clock_and_with_the_database(self):
        export = self.make_ready(until="2020-01-01 00:00:00")
        self.assertFalse(export.is_available)
        self.env["saas.export"]._gc_exports()
        self.assertEqual(export.state, "gone")
        other = self.make_ready()
        self.acme._set_state("archived")
        self.answer(self.acme._ask_server(self.server, "drop", "acme"), "done")
        self.assertEqual(other.state, "gone")

    def test_operators_ask_by_their_groups_and_companies(self):
        with self.assertRaises(AccessError):
            self.acme.with_user(self.people["user"]).action_export()
        self.acme.with_user(self.people["manager"]).action_export()
        export = self.acme.export_ids
        self.assertEqual(export.user_id, self.people["manager"])
        company = self.env["res.company"].create({"name": "Elsewhere"})
        elsewhere = new_test_user(
            self.env,
            "saas_elsewhere",
            "fleet_saas_portal.group_saas_manager",
            company_id=company.id,
            company_ids=[(6, 0, company.ids)],
        )
        self.assertFalse(self.env["saas.export"].with_user(elsewhere).search([]))
        for person in (elsewhere, self.people["manager"]):
            with self.assertRaises(AccessError):
                export.with_user(person).write({"state": "ready"})

    def test_an_operator_says_why_before_downloading(self):
        export = self.make_ready()
        manager = self.people["manager"]
        action = export.with_user(manager).action_download()
        self.assertEqual(action["res_model"], "saas.connect.wizard")
        self.assertFalse(export._may_download(manager))
        access = self.let_in(manager)
        self.assertTrue(export._may_download(manager))
        self.assertEqual(export.with_user(manager).action_download()["type"], "ir.actions.act_url")
        access.action_end()
        self.assertFalse(export._may_download(manager))

    def test_where_the_customer_is_asked_nobody_downloads_before_the_answer(self):
        self.plan.asks_approval = True
        self.partner.email = "acme@example.com"
        export = self.make_ready()
        self.let_in(self.people["manager"])
        self.assertFalse(export._may_download(self.people["manager"]))


@tagged("post_install", "-at_install")
class TestDownload(HttpCase, ExportCase):
    """Who gets the file, whole or not at all."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.source = Server()
        cls.addClassCleanup(cls.source.close)
        cls.server.write({"url": cls.source.url, "api_key": "key-of-agent"})

    def setUp(self):
        super().setUp()
        self.export = self.make_ready()
        self.path = f"{ACME}/export/{self.export.id}"
        self.source.asked.clear()
        self.source.answer, self.source.cut = 200, None

    def login(self, user):
        self.authenticate(user and user.login, user and user.login)

    def get(self, path=None, **options):
        self.env.flush_all()
        answer = self.url_open(path or self.path, timeout=60, allow_redirects=False, **options)
        self.env.invalidate_all()
        return answer

    def post(self, token=True, **data):
        if token:
            data["csrf_token"] = http.Request.csrf_token(self)
        self.env.flush_all()
        answer = self.url_open(
            f"{ACME}/export", data=data or {"x": ""}, timeout=60, allow_redirects=False
        )
        self.env.invalidate_all()
        return answer

    def test_the_customer_gets_the_whole_file_and_it_is_on_record(self):
        self.login(self.ann)
        answer = self.get()
        self.assertEqual(answer.status_code, 200)
        self.assertEqual(answer.content, CONTENT)
        self.assertEqual(answer.headers["Content-Length"], str(len(CONTENT)))
        self.assertIn("attachment", answer.headers["Content-Disposition"])
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        [(path, headers)] = self.source.asked
        self.assertEqual(path, f"/fleet/export/{self.export.request_id.key}")
        self.assertEqual(headers["Authorization"], "bearer key-of-agent")
        self.assertNotIn("Cookie", headers)
        line = self.export.download_ids
        self.assertEqual((line.user_id, line.is_operator, line.name), (self.ann, False, "acme"))
        self.assertTrue(line.address)

    def test_a_broken_download_goes_on(self):
        self.login(self.ann)
        headers = {"Range": "bytes=1000000-", "If-Range": '"one"'}
        answer = self.get(headers=headers)
        self.assertEqual(answer.status_code, 206)
        self.assertEqual(answer.content, CONTENT[1000000:])
        self.assertEqual(answer.headers["Content-Range"].split("/")[1], str(len(CONTENT)))
        self.assertEqual(self.export.download_ids.offset, 1000000)
        self.assertEqual(self.source.asked[0][1]["If-Range"], '"one"')

    @mute_logger("werkzeug", "odoo.http")
    def test_a_server_that_dies_in_the_middle_is_a_failure_and_no_short_file(self):
        self.source.cut = 300000
        self.login(self.ann)
        self.env.flush_all()
        answer = self.opener.get(self.base_url() + self.path, stream=True, timeout=60)
        self.assertEqual(answer.headers["Content-Length"], str(len(CONTENT)))
        received = 0
        with contextlib.suppress(HTTPError):  # newer libraries say themselves that it is too short
            while block := answer.raw.read(65536):
                received += len(block)
        self.assertLess(received, len(CONTENT))

    def test_what_the_server_has_no_more_is_told_and_noted(self):
        self.source.answer = 404
        self.login(self.ann)
        answer = self.get()
        self.assertEqual(answer.status_code, 410)
        self.assertIn("The archive is removed", answer.text)
        self.assertEqual(self.export.state, "gone")
        self.assertFalse(self.export.download_ids)
        self.source.asked.clear()
        self.assertEqual(self.get().status_code, 410)
        self.assertFalse(self.source.asked, "the server is not asked for what is over")

    def test_a_server_that_does_not_answer_is_told_in_words(self):
        for status in (401, 500):
            self.source.answer = status
            self.login(self.ann)
            answer = self.get()
            self.assertEqual(answer.status_code, 502)
            self.assertIn("does not answer", answer.text)
        self.assertEqual(self.export.state, "ready")

    def test_what_is_over_by_the_clock_is_not_given(self):
        self.export.until = fields.Datetime.now() - timedelta(seconds=1)
        self.login(self.ann)
        self.assertEqual(self.get().status_code, 410)
        self.assertFalse(self.source.asked)

    def test_who_gets_it(self):
        expected = {
            self.ann: 200,
            self.max: 200,
            self.olga: 200,
            self.wilma: 200,
            self.victor: 403,
            self.bob: 404,
            self.people["manager"]: 404,
            self.people["outsider"]: 404,
        }
        for user, status in expected.items():
            with self.subTest(user=user.login):
                self.login(user)
                self.assertEqual(self.get().status_code, status)
        self.login(None)
        self.assertEqual(self.get().status_code, 303)
        self.assertEqual(len(self.source.asked), 4)

    def test_the_number_of_anothers_archive_under_ones_own_database_is_none(self):
        theirs = self.make_ready(self.other, self.bob)
        self.login(self.ann)
        self.assertEqual(self.get(f"{ACME}/export/{theirs.id}").status_code, 404)
        beta = f"/my/databases/uuid-of-beta/export/{theirs.id}"
        self.assertEqual(self.get(beta).status_code, 404)
        mine = f"/my/databases/uuid-of-beta/export/{self.export.id}"
        self.assertEqual(self.get(mine).status_code, 404)
        self.assertFalse(self.source.asked)

    def test_an_operator_with_access_gets_it_and_is_on_record_as_one(self):
        manager = self.people["manager"]
        self.let_in(manager)
        self.login(manager)
        self.assertEqual(self.get().content, CONTENT)
        self.assertTrue(self.export.download_ids.is_operator)

    def test_it_is_asked_for_by_a_post_of_ones_own_page(self):
        self.login(self.max)
        self.assertEqual(self.post().status_code, 303)
        self.assertEqual(len(self.acme.export_ids), 2)
        page = self.get(ACME)
        self.assertIn(self.path, page.text)
        answer = self.post()
        self.assertEqual(answer.status_code, 422)
        self.assertIn("being made already", answer.text)

    def test_it_is_said_to_be_made_as_long_as_it_is(self):
        self.login(self.max)
        said = "The archive is being made; you get an e-mail"
        self.post()
        self.assertIn(said, self.get(f"{ACME}?done=export").text)
        self.finish(self.acme.export_ids[0])
        page = self.get(f"{ACME}?done=export").text
        self.assertNotIn(said, page)
        self.assertIn("It is ready.", page)

    @mute_logger("odoo.http")
    def test_it_is_asked_for_by_nobody_else(self):
        for user, status in ((self.victor, 403), (self.bob, 404)):
            self.login(user)
            self.assertEqual(self.post().status_code, status)
        self.login(self.max)
        self.assertEqual(self.post(token=False).status_code, 400)
        self.assertEqual(self.get(f"{ACME}/export").status_code, 405)
        self.assertEqual(len(self.acme.export_ids), 1)
        self.login(self.victor)
        self.assertNotIn(self.path, self.get(ACME).text)

    def test_what_the_browser_says_reaches_the_server_only_as_a_part_of_a_file(self):
        self.login(self.ann)
        headers = {"Range": "bytes=0-", "X-Odoo-Database": "", "Authorization": "bearer x"}
        headers.pop("X-Odoo-Database")
        self.get(headers=headers | {"X-Forwarded-Host": "evil"})
        [(_path, sent)] = self.source.asked
        self.assertEqual(sent["Authorization"], "bearer key-of-agent")
        self.assertNotIn("X-Forwarded-Host", sent)
