from odoo.tests import HttpCase, new_test_user, tagged

from .common import SaasCase


@tagged("post_install", "-at_install")
class TestI18n(SaasCase, HttpCase):
    """The French texts reach people; whether they are complete is for fleet_lint to say."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["res.lang"]._activate_lang("fr_FR")
        cls.env["ir.module.module"]._load_module_terms(["fleet_saas_client"], ["fr_FR"])

    def test_limits_and_banner_are_told_in_french(self):
        self.limit_to(0)
        with self.refused("Votre offre Starter est prévue pour .* il y en aurait"):
            new_test_user(
                self.env(context={**self.env.context, "lang": "fr_FR"}),
                "beyond",
                groups="base.group_user",
            )
        self.sign(state="grace")
        [notice] = self.client.with_context(lang="fr_FR")._get_banner()["notices"][:1]
        self.assertIn("Votre abonnement a pris fin", notice["text"])

    def test_pages_without_a_user_are_in_the_visitors_language(self):
        self.sign()
        french = {"Accept-Language": "fr-BE,fr;q=0.9"}
        answer = self.url_open("/fleet/sso", {"ticket": "x"}, headers=french)
        self.assertIn('<html lang="fr">', answer.text)
        self.assertIn("Ceci n’est pas un texte signé.", answer.text)
        self.sign(state="suspended")
        answer = self.url_open("/odoo", headers=french)
        self.assertIn("Cette base de données est suspendue", answer.text)
        german = self.url_open("/odoo", headers={"Accept-Language": "de"})
        self.assertIn("This database is suspended", german.text)
