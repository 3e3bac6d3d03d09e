from odoo.exceptions import UserError
from odoo.tests import TransactionCase, tagged

from ..hosting.seal_report import LEFT_ON
from ..hosting.seal_rules import KEEP, RULES
from ..models import saas_seal_labels as labels


@tagged("post_install", "-at_install")
class TestI18n(TransactionCase):
    """The French texts reach the interface; whether they are complete is for fleet_lint to say."""

    def _in_french(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        self.env["ir.module.module"]._load_module_terms(["fleet_saas_server"], ["fr_FR"])
        return self.env(context={**self.env.context, "lang": "fr_FR"})

    def test_views_fields_and_data_are_shown_in_french(self):
        env = self._in_french()
        view = env.ref("fleet_saas_server.saas_database_view_form")
        arch = env["saas.database"].get_view(view.id, "form")["arch"]
        self.assertIn("Suspendre…", arch)
        self.assertNotIn("Suspend…", arch)
        state = env["saas.database"].fields_get(["state"])["state"]
        self.assertEqual(state["string"], "État")
        self.assertEqual(dict(state["selection"])["suspended"], "Suspendue")
        self.assertEqual(env.ref("fleet_saas_server.policy_default").name, "Toutes les six heures")

    def test_operations_steps_and_errors_are_told_in_french(self):
        env = self._in_french()
        operations = env["saas.operation"]
        self.assertEqual(operations._get_kind_label("snapshot"), "Prendre un instantané de")
        self.assertEqual(env["saas.operation.step"]._get_label("open"), "Ouvrir son adresse")
        running = env["saas.operation"].new({"progress_text": "Saving the files"})
        self.assertEqual(running._get_progress_label(), "Enregistrement des fichiers")
        env["saas.database"]._reserve("acme-i18n", purpose="customer")
        with self.assertRaises(UserError) as caught:
            env["saas.database"]._reserve("acme-i18n", purpose="customer")
        self.assertEqual(
            str(caught.exception), "Le nom acme-i18n est déjà pris. Choisissez-en un autre."
        )

    def test_the_neutralisation_report_is_told_in_french(self):
        entries = [
            {
                "what": "cron",
                "count": 2,
                "says": "Scheduled actions are off.",
                "code": "seal_crons",
            },
            {
                "what": "passkey",
                "count": 1,
                "says": "Without this: one passkey opens both.",
                "code": "seal_rule",
                "facts": {"why": "one passkey opens both"},
            },
            {"what": "acme_shop.token", "count": 1, "says": "Sealed before there were codes."},
        ]
        # A whole report holds more than the three lists that are shown.
        report = {"switched_off": entries, "crons": [7], "purpose": "customer"}
        database = self._in_french()["saas.database"].new({"report": report})
        self.assertEqual(set(database.report_words), {"switched_off", "left_on", "unknown"})
        told = database.report_words["switched_off"]
        self.assertEqual(
            [(entry["what"], entry["count"], entry["says"]) for entry in told],
            [
                ("action planifiée", 2, "Les actions planifiées sont désactivées."),
                ("clé d'accès", 1, "Sinon\u00a0: une même clé d'accès ouvre les deux."),
                ("acme_shop.token", 1, "Sealed before there were codes."),
            ],
        )

    def test_every_rule_of_the_seal_can_be_translated(self):
        rules = [rule for rule in RULES if rule.action != KEEP]
        named = {what for _column, what, _query, _code in LEFT_ON}
        named |= {"cron", "mail server", "password", "source"}
        self.assertEqual(
            {text._source for text in labels.KINDS}, named | {rule.kind for rule in rules}
        )
        self.assertEqual({text._source for text in labels.REASONS}, {rule.why for rule in rules})
