from .common import DatabasesCase
from .fake_odoo import moment, number, status, user


class TestSync(DatabasesCase):
    """One synchronisation of one database."""

    def test_success_writes_everything(self):
        """A synchronisation writes version, users, KPIs, history, counts and state."""
        remote, project = self.add(
            users=[user(7, "ann@example.com", "Ann", login_date="2026-01-31 23:59:59"), user(8, "joe@example.com")],
            kpis=[number("documents.inbox", 4, "Inbox"), number("account_journal_type.sale", 3), status("vat", "late")],
        )
        run = self.synchronize(project)
        self.assertEqual(project.database_version, "19.0")
        self.assertEqual(project.database_state, "ok")
        self.assertEqual(project.database_nb_users, 3)
        self.assertEqual(project.database_nb_documents, 4)
        self.assertTrue(project.database_last_synchro)
        ann = project.database_user_ids.filtered(lambda u: u.login == "ann@example.com")
        self.assertEqual(ann.latest_authentication, moment("2026-01-31 23:59:59"))
        self.assertEqual((run.state, run.line_ids.state, run.line_ids.result), ("done", "done", "synchronized"))
        self.assertEqual(sorted(project.database_kpi_properties._values.values(), key=str), [3, 4, "late"])
        self.assertEqual(len(project.database_kpi_value_ids), 3)
        self.assertFalse(remote.mails)
