from odoo.tests import HttpCase, new_test_user, tagged

from ..trust import NOTHING
from .common import SaasCase


@tagged("post_install", "-at_install")
class TestNothing(SaasCase, HttpCase):
    """Until a provider has signed, a database is as it would be without this addon."""

    def check_nothing(self):
        self.assertEqual(self.client._get_standing(), NOTHING)
        self.assertIsNone(self.client._get_banner())
        new_test_user(self.env, "free", groups="base.group_user")
        app = self.env["ir.module.module"].search(
            [("application", "=", True), ("state", "=", "uninstalled")], limit=1
        )
        app.write({"state": "to install"})
        self.env["ir.attachment"].create({"name": "a", "raw": b"x" * 1000})
        ids = [figure["id"] for figure in self.env["kpi.provider"].get_kpi_summary()]
        self.assertFalse([key for key in ids if key.startswith("saas_client.")])

    def test_without_a_document_nothing_is_different(self):
        self.check_nothing()

    def test_without_a_trust_anchor_a_document_means_nothing(self):
        self.sign(state="suspended", limits={"users": 0, "storage_mb": 0, "apps": []})
        self.anchor.unlink()
        self.addCleanup(self.write_anchor, self.server.public)
        self.check_nothing()

    def test_a_released_database_is_free(self):
        self.sign(state="released", limits={"users": 0, "storage_mb": 0, "apps": []})
        self.assertFalse(self.client._get_standing().is_enforced)
        self.assertIsNone(self.client._get_banner())
        new_test_user(self.env, "free", groups="base.group_user")

    def test_a_trust_anchor_that_cannot_be_read_trusts_nothing_that_is_stored(self):
        self.anchor.write_bytes(b"\xff\xfe not text")
        self.addCleanup(self.write_anchor, self.server.public)
        self.assertEqual(self.client._get_standing(), NOTHING)
        self.sign(limits={"users": 1000})
        self.assertEqual(self.client._get_standing().error.code, "no_anchor")

    def test_login_page_and_session_say_nothing_of_a_portal(self):
        page = self.url_open("/web/login").text
        self.assertNotIn("/my/databases/connect/", page)
        self.authenticate("admin", "admin")
        info = self.make_jsonrpc_request("/web/session/get_session_info", {})
        self.assertNotIn("fleet_saas", info)
        self.assertEqual(self.make_jsonrpc_request("/fleet/notices", {}), {"notices": []})

    def test_a_ticket_is_refused_where_no_portal_was_signed_for(self):
        answer = self.url_open("/fleet/sso", data={"ticket": self.ticket()})
        self.assertEqual(answer.status_code, 403)
        self.assertIn("does not take logins from a portal", answer.text)

    def test_the_neutralised_copy_stands_under_no_document(self):
        from odoo.tools import file_open

        self.sign(limits={"users": 0})
        with file_open("fleet_saas_client/data/neutralize.sql") as script:
            self.env.cr.execute(script.read())
        self.assertEqual(self.client._get_standing(), NOTHING)
