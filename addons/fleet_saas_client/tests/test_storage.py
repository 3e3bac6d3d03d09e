import base64

from odoo.tests import tagged
from odoo.tools import mute_logger

from .common import SaasCase

MB = 1 << 20


@tagged("post_install", "-at_install")
class TestStorage(SaasCase):
    """People add files until the plan is full; Odoo itself goes on."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.files = cls.env["ir.attachment"].with_user(cls.env.ref("base.user_admin"))

    def refuse(self):
        return self.refused(r"plan Starter holds \d+ MB")

    def used_mb(self):
        return self.files._get_used_bytes() // MB

    def fill(self):
        """Sign for a little less than there is."""
        self.sign(limits={"storage_mb": int(self.used_mb() * 0.9)})

    def test_the_measure_is_database_and_distinct_files(self):
        before = self.files._get_used_bytes()
        self.env.cr.execute("SELECT pg_database_size(current_database())")
        self.assertGreaterEqual(before, self.env.cr.fetchone()[0])
        self.files.create([{"name": name, "raw": b"x" * 3 * MB} for name in ("a", "b", "c")])
        self.env.flush_all()
        self.files._forget_used_bytes()
        self.assertAlmostEqual(self.files._get_used_bytes() - before, 3 * MB, delta=MB)

    def test_a_file_is_refused_when_the_plan_is_full(self):
        self.fill()
        with self.refuse():
            self.files.create({"name": "film", "raw": b"x" * MB})
        with self.refuse():
            self.files.create({"name": "film", "datas": base64.b64encode(b"x" * MB)})
        with self.refuse():
            self.files.create({"name": "film", "db_datas": base64.b64encode(b"x" * MB)})
        empty = self.files.create({"name": "empty"})
        with self.refuse():
            empty.raw = b"x" * MB
        for name in ("datas", "db_datas"):
            with self.refuse():
                empty.write({name: base64.b64encode(b"x" * MB)})

    def test_files_inside_records_and_under_odoos_own_names_are_files_too(self):
        self.fill()
        admin = self.env.ref("base.user_admin")
        with self.refuse():
            self.files.create(
                {
                    "name": "bundle",
                    "raw": b"x" * MB,
                    "url": "/web/assets/1/bundle.js",
                    "res_model": "ir.ui.view",
                    "public": True,
                }
            )
        if "x_film" not in self.env["res.partner"]._fields:
            report = self.env["ir.attachment"].with_user(admin).sudo()
            with self.refuse():
                report.create({"name": "f", "raw": b"x" * MB, "res_field": "image_1920"})

    def test_what_was_let_in_counts_before_it_is_measured_again(self):
        self.sign(limits={"storage_mb": self.used_mb() + 10})
        self.files.create({"name": "a", "raw": b"x" * 6 * MB})
        with self.refuse():
            self.files.create({"name": "b", "raw": b"y" * 6 * MB})

    def test_what_is_deleted_meanwhile_hinders_no_upload(self):
        self.files._get_used_bytes()
        self.files._forget_used_bytes()
        self.files._add_used_bytes(MB)
        self.assertGreater(self.files._get_used_bytes(), 0)

    def test_deleting_makes_room_at_once(self):
        self.sign(limits={"storage_mb": self.used_mb() + 10})
        first = self.files.create({"name": "a", "raw": b"x" * 6 * MB})
        first.unlink()
        self.files.create({"name": "b", "raw": b"y" * 6 * MB})

    def test_a_full_database_still_prints_an_invoice(self):
        self.sign(limits={"storage_mb": self.used_mb()})
        self.files.create({"name": "invoice.pdf", "raw": b"x" * 100_000})
        self.fill()
        with self.refuse():
            self.files.create({"name": "invoice.pdf", "raw": b"x" * 100_000})

    def test_odoo_itself_is_never_refused(self):
        self.sign(limits={"storage_mb": 0})
        self.env["ir.attachment"].with_user(1).create({"name": "x", "raw": b"x" * MB})
        with mute_logger("odoo.addons.base.models.assetsbundle"):
            bundle = self.env["ir.qweb"]._get_asset_bundle("web.assets_common_minimal", js=True)
            self.env["ir.attachment"].search([("url", "=like", "/web/assets/%minimal%")]).unlink()
            self.assertTrue(bundle.js())

    def test_links_and_names_take_no_room(self):
        self.sign(limits={"storage_mb": 0})
        link = self.files.create({"name": "x", "type": "url", "url": "https://example.com"})
        link.name = "y"

    def test_without_a_limit_or_under_a_broken_document_files_are_added(self):
        self.sign()
        self.files.create({"name": "a", "raw": b"x" * MB})
        self.store("broken")
        self.files.create({"name": "a", "raw": b"x" * MB})
