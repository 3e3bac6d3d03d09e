import os
from datetime import datetime, timedelta
from unittest.mock import patch

from odoo.exceptions import AccessError, UserError
from odoo.tests import TransactionCase, tagged
from odoo.tools import mute_logger

from ..models.databases_sentences import (
    ERROR_CODES,
    OWN_SENTENCES,
    PHRASES,
    REMOTE_SENTENCES,
    SENTENCES,
    error_state,
)
from ..remote import ERRORS, REASONS
from ..vault import VaultError
from .common import DatabasesCase, at
from .fake_odoo import moment, number, status, user


class TestSync(DatabasesCase):
    """One synchronisation of one database."""

    def test_success_writes_everything(self):
        """A synchronisation writes version, users, KPIs, history, counts and state."""
        remote, project = self.add(
            users=[
                user(7, "ann@example.com", "Ann", login_date="2026-01-31 23:59:59"),
                user(8, "joe@example.com"),
            ],
            kpis=[
                number("documents.inbox", 4, "Inbox"),
                number("account_journal_type.sale", 3),
                status("vat", "late"),
            ],
        )
        run = self.synchronize(project)
        self.assertEqual(project.database_version, "19.0")
        self.assertEqual(project.database_state, "ok")
        self.assertEqual(project.database_protocol, "json2")
        self.assertEqual(project.database_nb_users, 3)
        self.assertEqual(project.database_nb_documents, 4)
        self.assertTrue(project.database_last_synchro)
        self.assertFalse(project.database_last_error)
        ann = project.database_user_ids.filtered(lambda u: u.login == "ann@example.com")
        self.assertEqual(ann.latest_authentication, moment("2026-01-31 23:59:59"))
        self.assertEqual(
            (run.state, run.line_ids.state, run.line_ids.result), ("done", "done", "synchronized")
        )
        self.assertTrue(run.date_end)
        self.assertEqual(
            sorted(project.database_kpi_properties._values.values(), key=str), [3, 4, "late"]
        )
        self.assertEqual(len(project.database_kpi_value_ids), 3)
        self.assertFalse(remote.mails)

    def test_xml_rpc_only(self):
        """A server without JSON-2 is asked over XML-RPC, and that is remembered."""
        _remote, project = self.add(
            version="17.0", json2=False, kpis=[number("documents.inbox", 2)]
        )
        self.synchronize(project)
        self.assertEqual((project.database_state, project.database_protocol), ("ok", "xmlrpc"))
        self.assertEqual((project.database_version, project.database_nb_documents), ("17.0", 2))

    def test_no_figures_on_an_old_server_is_no_error(self):
        """A server that has no KPIs yet is in order, and the remarks say so."""
        _remote, project = self.add(has_kpis=False)
        self.synchronize(project)
        self.assertEqual(project.database_state, "ok")
        self.assertIn("since Odoo 16", project.database_notes)

    def test_each_fault_has_its_state_and_sentence(self):
        """Every fault of the other side ends in one state and one plain sentence on the record."""
        expected = {
            "login_page": ("login_page", "error", "shows a login page"),
            "web_page": ("web_page", "error", "answers with a web page (HTTP 200)"),
            "redirect": ("redirect", "error", "sends us on to https://elsewhere.example.com,"),
            "garbage": ("malformed", "error", "an answer that we cannot read"),
            "server": ("server", "error", "failed while answering (HTTP 500)"),
            "conflict": ("conflict", "error", "was busy with the same record"),
            "too_large": ("too_large", "error", "larger than we accept"),
            "not_served": ("not_served", "error", "does not serve the database"),
            "drop": ("interrupted", "unreachable", "closed the connection"),
            "users_access": (
                "access",
                "error",
                "has no right to do this (search_read of res.users)",
            ),
            "users_rejected": ("rejected", "error", "Not <b>today</b>"),
            "kpis_server": ("server", "error", "failed while answering (HTTP 500)"),
            "kpis_garbage": ("malformed", "error", "an answer that we cannot read"),
            "kpis_no_method": (
                "no_method",
                "error",
                "does not know get_kpi_summary of kpi.provider",
            ),
        }
        projects = {}
        for place, (fault, _expected) in enumerate(expected.items()):
            remote = self.server.add(f"f{place}", fault=fault)
            projects[fault] = self.connect(remote)
        self.synchronize(self.Project.browse([project.id for project in projects.values()]))
        for fault, (code, state, words) in expected.items():
            with self.subTest(fault):
                project = projects[fault]
                self.assertEqual(
                    (project.database_error_code, project.database_state), (code, state)
                )
                self.assertIn(words, project.database_last_error)
                self.assertEqual(project.database_nb_synchro_errors, 1)
                self.assertFalse(project.database_last_synchro)

    def test_refused_unknown_wrong_key_and_missing_setting(self):
        """Nobody there, no such name, a wrong key and a missing setting are told apart."""
        remote = self.server.add("acme")
        for values, code, state, words in (
            (
                {"database_url": f"http://x.localhost:{self.free_port()}"},
                "refused",
                "unreachable",
                "Nothing answers at",
            ),
            (
                {"database_url": "http://unknown.invalid"},
                "unresolved",
                "unreachable",
                "is not known on the network",
            ),
            ({"database_api_key": "wrong"}, "credentials", "credentials", "Invalid apikey"),
            (
                {"database_name": False},
                "not_configured",
                "credentials",
                "We are missing the database name, the api login",
            ),
            ({"database_api_key": False}, "not_configured", "credentials", "or the api key"),
            (
                {"database_url": "https://169.254.169.254"},
                "blocked",
                "error",
                "it leads to a reserved or internal address",
            ),
        ):
            with self.subTest(code):
                project = self.connect(remote, **values)
                self.synchronize(project)
                self.assertEqual(
                    (project.database_error_code, project.database_state), (code, state)
                )
                self.assertIn(words, project.database_last_error)
                project.unlink()

    def test_private_address_needs_the_servers_configuration(self):
        """Without the server's leave, no private address is called."""
        remote, project = self.add()
        with patch.dict(os.environ, {"FLEET_ALLOW_PRIVATE": "0"}):
            self.synchronize(project)
        self.assertEqual(project.database_error_code, "blocked")
        self.assertIn("private network", project.database_last_error)
        self.assertFalse(remote.requests)

    def test_a_failure_keeps_what_was_known(self):
        """After a failure the last good KPIs, users and version are still there."""
        remote, project = self.add(
            users=[user(7, "ann@example.com")], kpis=[number("documents.inbox", 4)]
        )
        self.synchronize(project)
        before = (
            project.database_last_synchro,
            project.database_kpi_properties._values,
            project.database_nb_users,
        )
        for fault in ("garbage", "server", "drop", "login_page"):
            remote.fault = fault
            self.synchronize(project)
            after = (
                project.database_last_synchro,
                project.database_kpi_properties._values,
                project.database_nb_users,
            )
            self.assertEqual(before, after)
            self.assertEqual((project.database_version, project.database_nb_documents), ("19.0", 4))
        self.assertEqual(project.database_nb_synchro_errors, 4)

    def test_half_an_answer_is_kept(self):
        """When the figures fail, the users that came before are written all the same."""
        remote, project = self.add(
            users=[user(7, "ann@example.com")], kpis=[number("documents.inbox", 4)]
        )
        self.synchronize(project)
        remote.users.append(user(8, "joe@example.com"))
        remote.fault = "kpis_server"
        self.synchronize(project)
        self.assertEqual(project.database_nb_users, 3)
        self.assertEqual(project.database_nb_documents, 4)
        self.assertEqual(project.database_state, "error")

    def test_a_bad_row_is_dropped_with_a_remark(self):
        """One bad figure or user costs only itself, and the remarks name it."""
        _remote, project = self.add(
            kpis=[number("documents.inbox", 4), {"id": 3}, number("documents.big", 2**40)]
        )
        self.synchronize(project)
        self.assertEqual((project.database_state, project.database_nb_documents), ("ok", 4))
        self.assertIn("Figure 2 was left out", project.database_notes)
        self.assertIn("documents.big is no whole number", project.database_notes)

    def test_a_success_clears_the_error(self):
        """A manual success resets the count of errors and the message."""
        remote, project = self.add(fault="server")
        for _time in range(5):
            self.synchronize(project)
        self.assertEqual(project.database_nb_synchro_errors, 5)
        remote.fault = None
        self.synchronize(project)
        self.assertEqual(project.database_nb_synchro_errors, 0)
        self.assertFalse(project.database_error_code)
        self.assertFalse(project.sudo().database_error_params)
        self.assertEqual(project.database_state, "ok")

    def test_other_hosting_is_a_link(self):
        """A system outside Odoo is never asked."""
        remote, project = self.add(values={"database_hosting": "other"})
        self.assertEqual(project.database_state, "link")
        with self.assertRaisesRegex(UserError, "nothing to synchronize"):
            project.action_synchronize()
        self.assertFalse(remote.requests)

    def test_nothing_of_the_remote_reaches_the_log(self):
        """The other side's traceback, which holds our key here, is neither stored nor logged."""
        remote, project = self.add(fault="server")
        with self.assertLogs("", "DEBUG") as logs:
            self.synchronize(project)
        self.assertNotIn(remote.key, "".join(logs.output))
        self.assertNotIn("Traceback", project.database_last_error)

    def test_result_message(self):
        """The button says how many worked, and names what failed with its reason."""
        _remote, good = self.add("good")
        _remote, bad = self.add("bad", fault="server")
        with self.enter_registry_test_mode():
            action = (good | bad).action_synchronize()
        self.assertEqual(action["params"]["type"], "warning")
        self.assertIn("1 database(s) synchronized. 1 failed:\nBad: ", action["params"]["message"])
        with self.enter_registry_test_mode():
            action = good.action_synchronize()
        self.assertEqual((action["params"]["type"], action["params"]["sticky"]), ("success", False))

    def test_a_stranger_cannot_synchronize(self):
        """Who does not see a database cannot have it asked, nor learn that it is there."""
        remote, project = self.add(users=[user(7, self.user.login)])
        for stranger in (self.stranger, self.project_manager, self.internal):
            with self.assertRaises(AccessError):
                project.with_user(stranger).action_synchronize()
        self.assertFalse(remote.requests)
        self.synchronize(project)
        with self.enter_registry_test_mode():
            project.with_user(self.user).action_synchronize()
        self.assertEqual(project.database_state, "ok")

    def test_synchronize_everything_means_what_one_sees(self):
        """With no row selected, the button takes every database that the user sees, and no archived one."""
        mine, project = self.add("mine", users=[user(7, self.user.login)])
        other, other_project = self.add("other")
        self.add("old", {"active": False})
        self.synchronize(project)
        mine.requests.clear()
        with self.enter_registry_test_mode():
            self.Project.with_user(self.user).action_synchronize()
        self.assertTrue(mine.requests)
        self.assertFalse(other.requests)
        with self.enter_registry_test_mode():
            self.Project.with_user(self.manager).action_synchronize()
        self.assertTrue(other_project.database_last_synchro)
        self.assertFalse(self.server.databases["old"].requests)


class TestThrottle(DatabasesCase):
    """What the daily scheduled action asks, and what it leaves alone."""

    def synchronize_daily(self):
        self.run_cron("ir_cron_synchronize")

    def test_once_a_day(self):
        """A database is asked again only when a day has gone by."""
        remote, project = self.add()
        start = datetime(2026, 3, 1, 2, 0)
        asked = []
        for hours in (0, 1, 23, 23.9, 47.7):
            remote.requests.clear()
            with at(start + timedelta(hours=hours)):
                self.synchronize_daily()
            asked.append(bool(remote.requests))
        # 23.9: a daily action starts some minutes earlier or later each day.
        self.assertEqual(asked, [True, False, False, True, True])
        self.assertEqual(project.database_nb_synchro_errors, 0)

    def test_the_living_are_asked_before_those_that_failed_last_time(self):
        """Databases that hang wait at the end of the queue, so that they hold up nobody."""
        _remote, failing = self.add("failing", fault="server")
        with at(datetime(2026, 3, 1, 2, 0)):
            self.synchronize_daily()
        _remote, living = self.add("living")
        with at(datetime(2026, 3, 2, 2, 0)):
            self.synchronize_daily()
        run = self.env["databases.run"].search([], limit=1)
        asked = [line.project_id for line in run.line_ids.sorted("id")]
        self.assertEqual(asked, [living, failing])

    def test_a_failing_database_is_asked_once_a_day_and_five_times(self):
        """After five errors in a row the scheduled action leaves a database alone."""
        remote, project = self.add(fault="server")
        start = datetime(2026, 3, 1, 2, 0)
        counts = []
        for day in range(7):
            for hour in (0, 5):
                with at(start + timedelta(days=day, hours=hour)):
                    self.synchronize_daily()
            counts.append(project.database_nb_synchro_errors)
        self.assertEqual(counts, [1, 2, 3, 4, 5, 5, 5])
        remote.fault = None
        self.synchronize_daily()
        self.assertEqual(
            project.database_nb_synchro_errors, 5, "the scheduled action does not try again"
        )
        self.synchronize(project)
        self.assertEqual(project.database_nb_synchro_errors, 0)

    def test_new_credentials_are_a_fresh_start(self):
        """Changing URL, name, login, hosting or key makes the scheduled action try again, at once."""
        for values in (
            {"database_url": "http://other.localhost:1"},
            {"database_name": "other"},
            {"database_api_login": "other@example.com"},
            {"database_hosting": "paas"},
            {"database_api_key": "other"},
        ):
            with self.subTest(values):
                remote, project = self.add(fault="server")
                self.synchronize(project)
                project.sudo().write({"database_nb_synchro_errors": 5})
                project.with_user(self.manager).write(values)
                self.assertEqual(project.database_nb_synchro_errors, 0)
                self.assertEqual(project.database_state, "new")
                due = self.Project.search(self.Project._get_due_domain(datetime.now()))
                self.assertIn(project, due)
                project.unlink()
                self.server.databases.clear()

    def test_the_same_credentials_are_no_fresh_start(self):
        """Saving the form without a change keeps key and count of errors."""
        _remote, project = self.add(fault="server")
        self.synchronize(project)
        project.write(
            {"database_url": project.database_url + "/web", "database_name": project.database_name}
        )
        self.assertEqual(project.database_nb_synchro_errors, 1)
        self.assertTrue(project.database_has_api_key)

    def test_archived_and_other_are_left_alone(self):
        """Archived databases and systems outside Odoo are not asked."""
        archived, _project = self.add("archived", {"active": False})
        other, _project = self.add("other", {"database_hosting": "other"})
        self.synchronize_daily()
        self.assertFalse(archived.requests + other.requests)

    def test_no_remote_fault_fails_the_scheduled_action(self):
        """Whatever the databases do, the scheduled action succeeds and the good ones are fresh."""
        for place, fault in enumerate(
            ("garbage", "server", "drop", "too_large", "login_page", "users_access", None)
        ):
            self.add(f"db{place}", fault=fault)
        self.synchronize_daily()
        states = self.Project.search([("database_hosting", "!=", False)]).mapped("database_state")
        self.assertEqual(states.count("ok"), 1)
        run = self.env["databases.run"].search([("kind", "=", "sync")], limit=1)
        self.assertEqual(
            (run.state, run.background, run.done_count, run.failed_count), ("done", True, 1, 6)
        )

    def test_a_bug_in_one_result_costs_one_database(self):
        """When one result cannot be written, the others are, and the record says so."""
        # NUL is no text for PostgreSQL; the client drops it from names, but nobody promises that
        # for a constraint that an administrator has added.
        self.env.cr.execute(
            "ALTER TABLE databases_user ADD CONSTRAINT test_no_joe CHECK (login != 'joe@example.com')"
        )
        _remote, good = self.add("good", users=[user(7, "ann@example.com")])
        _remote, bad = self.add("bad", users=[user(7, "joe@example.com")])
        with mute_logger("odoo.sql_db", "odoo.addons.fleet_databases.models.databases_run_work"):
            self.synchronize_daily()
        self.assertEqual(good.database_state, "ok")
        self.assertEqual((bad.database_error_code, bad.database_nb_synchro_errors), ("internal", 1))
        self.assertIn("Something unexpected went wrong on our side", bad.database_last_error)

    def test_a_name_of_any_kind_can_be_written(self):
        """Markup, emoji, control characters and very long names harm nothing."""
        name = "<script>alert(1)</script>\x00\u202e\N{PILE OF POO}" + "x" * 500
        _remote, project = self.add(
            users=[user(7, "ann@example.com", name)], kpis=[number("documents.a", 1, name)]
        )
        self.synchronize_daily()
        self.assertEqual(project.database_state, "ok")
        ann = project.database_user_ids.filtered(lambda u: u.login == "ann@example.com")
        self.assertTrue(ann.name.startswith("<script>alert(1)</script>\N{PILE OF POO}xxx"))

    def test_a_wrong_server_key_is_noted_and_fails_nothing(self):
        """With an encryption key that is missing or wrong, each record says what to do."""
        self.add_many(3)
        for keys, code in (
            ("", "secret_missing"),
            ("nonsense", "secret_malformed"),
            (None, "secret_wrong"),
        ):
            with self.subTest(code):
                from ..vault import generate_key

                self.set_server_keys(generate_key() if keys is None else keys)
                projects = self.Project.search([("database_hosting", "!=", False)])
                projects.write({"database_last_attempt": False})
                self.synchronize_daily()
                self.assertEqual(set(projects.mapped("database_error_code")), {code})
                self.assertEqual(set(projects.mapped("database_state")), {"credentials"})
                self.assertEqual(
                    projects[0].database_last_error,
                    VaultError.sentences[code.removeprefix("secret_")],
                )

    def test_more_failures_than_threads(self):
        """When none of the first databases can even be tried, those behind them still are."""
        self.startPatcher(patch.dict(os.environ, {"FLEET_THREADS": "1"}))
        projects = self.add_many(4)
        for project in projects[:3]:
            project.sudo().database_api_key_secret = "not a token"
        self.synchronize_daily()
        self.assertEqual(projects.mapped("database_state"), ["credentials"] * 3 + ["ok"])


@tagged("post_install", "-at_install")
class TestSentences(TransactionCase):
    """Every code of the client has the same words here, and a label."""

    def test_the_sentences_are_those_of_the_client(self):
        """Each template of the client is known here, word for word."""
        templates = {code: error.template for code, error in ERRORS.items()}
        self.assertEqual({code: text._source for code, text in REMOTE_SENTENCES.items()}, templates)

    def test_every_code_has_a_label(self):
        """Each code of ours and of the client can be stored on a record."""
        self.assertEqual(dict(ERROR_CODES).keys(), SENTENCES.keys())
        self.assertEqual(len(dict(ERROR_CODES)), len(ERROR_CODES))

    def test_the_vault_says_the_same(self):
        """The sentences about the server's encryption key are those of the vault."""
        for code, sentence in VaultError.sentences.items():
            self.assertEqual(OWN_SENTENCES[f"secret_{code}"]._source, sentence)

    def test_reasons_can_be_translated(self):
        """Every fixed phrase that fills a sentence is known here."""
        self.assertLessEqual(set(REASONS.values()), PHRASES.keys())
        self.assertTrue(all(phrase == lazy._source for phrase, lazy in PHRASES.items()))

    def test_states(self):
        """Each code leads to one of the states of the list."""
        states = {error_state(code) for code, _label in ERROR_CODES}
        self.assertEqual(states, {"credentials", "unreachable", "error"})

    def test_a_sentence_never_fails(self):
        """A sentence is shown even when what it names was not stored."""
        Line = self.env["databases.run.line"]
        for code, _label in ERROR_CODES:
            self.assertTrue(Line._get_sentence(code, None))
        reason = REASONS["expired"]
        self.assertIn(reason, Line._get_sentence("tls", {"host": "acme", "reason": reason}))
