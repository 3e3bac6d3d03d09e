from lxml import html

from odoo.tests import HttpCase, tagged

from .customer import CustomerCase
from .signup import SignupCase
from .test_access import ConnectCase


class FrenchCase(HttpCase):
    """Whether the French texts are complete is for fleet_lint to say; here they reach people."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["res.lang"]._activate_lang("fr_FR")
        modules = ["web", "portal", "fleet_saas_portal"]
        cls.env["ir.module.module"]._load_module_terms(modules, ["fr_FR"])
        cls.env.registry.clear_all_caches()

    def words(self, path, **kwargs):
        """Return the words of a page, with single spaces between them."""
        answer = self.url_open(path, headers={"Accept-Language": "fr-BE,fr;q=0.9"}, **kwargs)
        return " ".join(html.fromstring(answer.text).text_content().split())


@tagged("post_install", "-at_install")
class TestFrenchSignup(SignupCase, FrenchCase):
    def test_a_visitor_signs_up_in_french(self):
        self.assertIn("Votre propre base de données", self.words("/start"))
        page = self.url_open("/start/small", headers={"Accept-Language": "fr-BE,fr;q=0.9"}).text
        self.assertIn("Nous vous envoyons d'abord un e-mail", html.fromstring(page).text_content())
        [answer] = html.fromstring(page).xpath("//div[@id='name_answer']")
        self.assertEqual(
            [answer.get(f"data-{name}") for name in ("free", "taken", "proposal")],
            [
                "Cette adresse est disponible.",
                "Cette adresse n'est pas disponible.",
                "Prendre celle-ci\xa0:",
            ],
        )

    def test_the_mail_of_a_sign_up_is_in_the_language_that_was_chosen(self):
        self.begin(lang="fr_FR")
        mail = self.mails()[0]
        self.assertEqual(mail.subject, "Confirmez votre adresse e-mail pour acme")
        self.assertIn("Créer ma base de données", mail.body_html)


@tagged("post_install", "-at_install")
class TestFrenchConnect(ConnectCase, FrenchCase):
    def test_the_page_on_the_way_into_a_database_is_in_french(self):
        instance = self.make_ready()
        self.ann.lang = "fr_FR"
        self.authenticate(self.ann.login, self.ann.login)
        words = self.words(f"/my/databases/connect/{instance.uuid}")
        self.assertIn("Ouverture de acme… Continuer", words)

    def test_each_who_may_let_an_operator_in_is_asked_in_their_own_language(self):
        self.ann.lang = "fr_FR"
        instance = self.make_ready()
        self.plan.asks_approval = True
        self.ask(instance)
        mails = self.env["mail.mail"].search([("recipient_ids", "in", self.ann.partner_id.ids)])
        subjects = mails.mapped("subject")
        self.assertIn("Votre base de données acme est prête", subjects)
        company = instance.company_id.name
        self.assertIn(f"{company} demande l'accès à acme", subjects)


@tagged("post_install", "-at_install")
class TestFrenchPages(CustomerCase, FrenchCase):
    def test_a_customer_reads_the_pages_in_french(self):
        self.olga.lang = "fr_FR"
        self.authenticate("olga", "olga")
        words = self.words(f"/my/databases/{self.acme.uuid}")
        self.assertIn("Vos propres noms de domaine", words)
        self.assertIn("Saisissez « acme » pour la résilier", words)
        self.assertIn("En service", words)
