from odoo.exceptions import ValidationError
from odoo.tests import TransactionCase, tagged


@tagged("post_install", "-at_install")
class TestProjectProject(TransactionCase):
    def test_url_is_normalised(self):
        project = self.env["project.project"].create(
            {"name": "A", "database_hosting": "premise", "database_url": "HTTPS://A.Example.com:443/web"}
        )
        self.assertEqual(project.database_url, "https://a.example.com")

    def test_refused_url_names_the_field(self):
        with self.assertRaisesRegex(ValidationError, "Database URL"):
            self.env["project.project"].create(
                {"name": "A", "database_hosting": "premise", "database_url": "ftp://a"}
            )
