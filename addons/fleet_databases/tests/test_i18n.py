from odoo.exceptions import ValidationError
from odoo.tests import TransactionCase, tagged

from ..models.databases_sentences import URL_SENTENCES
from ..remote import URL_FAULTS


@tagged("post_install", "-at_install")
class TestI18n(TransactionCase):
    """The French texts reach the interface; whether they are complete is for fleet_lint to say."""

    def _in_french(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        return self.env(context={**self.env.context, "lang": "fr_FR"})

    def test_shown_in_french(self):
        env = self._in_french()
        self.env["ir.module.module"]._load_module_terms(["fleet_databases"], ["fr_FR"])
        view = env.ref("fleet_databases.project_project_view_list_databases")
        arch = env["project.project"].get_view(view.id, "list")["arch"]
        self.assertIn("Ouvrir cette base de données", arch)
        self.assertNotIn("Open this database", arch)
        description = env["project.project"].fields_get(["database_hosting"])["database_hosting"]
        self.assertEqual(description["string"], "Hébergement")
        self.assertEqual(dict(description["selection"])["premise"], "Sur site")
        params = {"host": "acme.example.com"}
        params["reason"] = "its certificate has expired"
        sentence = env["databases.run.line"]._get_sentence("tls", params)
        self.assertTrue(
            sentence.startswith(
                "La connexion sécurisée à acme.example.com n'a pas été acceptée, "
                "car son certificat a expiré"
            ),
            sentence,
        )

    def test_url_sentences(self):
        self.assertEqual({code: text._source for code, text in URL_SENTENCES.items()}, URL_FAULTS)
        values = {"name": "Acme", "database_hosting": "premise", "database_url": "ftp://acme"}
        with self.assertRaises(ValidationError) as caught:
            self._in_french()["project.project"].create(values)
        self.assertEqual(
            str(caught.exception),
            "URL de base de données «\u00a0ftp://acme\u00a0»\u00a0: "
            "L'URL doit commencer par http:// ou https://, et non par ftp://.",
        )
