import threading
from datetime import datetime, timedelta

from odoo import fields
from odoo.exceptions import UserError
from odoo.tests import TransactionCase, tagged

from ..models.databases_run import LEASE
from .common import DatabasesCase, at, serve_fleet
from .fake_odoo import user


class TestRuns(DatabasesCase):
    """Runs in the foreground and in the background, and the leases that keep workers apart."""

    def add_lines(self, projects, **values):
        """Create a run as another worker would have left it; return its lines."""
        run = self.env["databases.run"].create(
            {"kind": "sync", "user_id": self.env.uid, "background": True}
        )
        return self.env["databases.run.line"].create(
            [{"run_id": run.id, "project_id": project.id, **values} for project in projects]
        )

    def lease(self, minutes):
        return fields.Datetime.now() + timedelta(minutes=minutes)

    def test_many_go_to_the_background(self):
        """More than 20 databases start a background run with a trigger, which the cron finishes."""
        projects = self.add_many(21)
        triggers = self.env["ir.cron.trigger"].search_count([])
        with self.enter_registry_test_mode():
            action = projects.action_synchronize()
        self.assertEqual(action["tag"], "fleet_databases.follow_run")
        run = self.env["databases.run"].browse(action["params"]["run_id"])
        self.assertEqual(
            (run.state, run.background, run.total_count, run.progress), ("running", True, 21, 0)
        )
        self.assertEqual(self.env["ir.cron.trigger"].search_count([]), triggers + 1)
        self.assertEqual(set(projects.mapped("database_state")), {"new"})
        self.run_cron("ir_cron_work")
        self.assertEqual((run.state, run.done_count, run.progress), ("done", 21, 100))
        self.assertEqual(set(projects.mapped("database_state")), {"ok"})
        self.assertTrue(run.date_end)

    def test_twenty_stay_in_the_foreground(self):
        """Up to 20 databases are done when the button comes back."""
        projects = self.add_many(20)
        with self.enter_registry_test_mode():
            action = projects.action_synchronize()
        self.assertEqual(action["tag"], "display_notification")
        self.assertEqual(set(projects.mapped("database_state")), {"ok"})

    def test_a_lease_of_another_worker_is_respected(self):
        """A database that another worker has right now is not asked: the line says busy."""
        remote, project = self.add()
        theirs = self.add_lines(
            project, state="running", lease_token="theirs", lease_until=self.lease(1), attempts=1
        )
        run = self.synchronize(project)
        self.assertFalse(remote.requests)
        self.assertEqual(
            (run.state, run.line_ids.state, run.line_ids.error_code), ("done", "failed", "busy")
        )
        self.assertIn("Another run is working on this database", run.line_ids.sentence)
        self.assertEqual((theirs.state, theirs.lease_token), ("running", "theirs"))
        self.assertEqual(
            project.database_nb_synchro_errors, 0, "being busy is no error of the database"
        )

    def test_the_background_waits_for_a_leased_database(self):
        """The cron leaves a leased database alone without a word, and takes it when it is free."""
        remote, project = self.add()
        theirs = self.add_lines(
            project, state="running", lease_token="theirs", lease_until=self.lease(1), attempts=1
        )
        waiting = self.add_lines(project)
        self.run_cron("ir_cron_work")
        self.assertFalse(remote.requests)
        self.assertEqual(waiting.state, "queued")
        theirs.write({"state": "done"})
        self.run_cron("ir_cron_work")
        self.assertEqual(waiting.state, "done")

    def test_an_expired_lease_is_taken_over(self):
        """What a killed worker has left is finished by the next one."""
        remote, project = self.add()
        line = self.add_lines(
            project, state="running", lease_token="dead", lease_until=self.lease(-1), attempts=1
        )
        self.run_cron("ir_cron_work")
        self.assertEqual((line.state, line.attempts, line.run_id.state), ("done", 2, "done"))
        self.assertNotEqual(line.lease_token, "dead")
        self.assertTrue(remote.requests)

    def test_a_killed_foreground_run_is_finished_in_the_background(self):
        """Lines that their own request never took are taken by the cron once the lease has run out."""
        remote, project = self.add()
        line = self.add_lines(project, lease_until=self.lease(1))
        self.run_cron("ir_cron_work")
        self.assertFalse(remote.requests)
        line.lease_until = self.lease(-1)
        self.run_cron("ir_cron_work")
        self.assertEqual((line.state, line.run_id.state), ("done", "done"))

    def test_three_dead_attempts_are_enough(self):
        """A database that has taken three workers with it is given up, and says so."""
        remote, project = self.add()
        line = self.add_lines(
            project, state="running", lease_token="dead", lease_until=self.lease(-1), attempts=3
        )
        self.run_cron("ir_cron_work")
        self.assertFalse(remote.requests)
        self.assertEqual(
            (line.state, line.error_code, line.run_id.state), ("failed", "abandoned", "done")
        )
        self.assertEqual(
            (project.database_error_code, project.database_nb_synchro_errors), ("abandoned", 1)
        )
        self.assertIn("stopped three times", project.database_last_error)

    def test_one_database_is_asked_once_at_a_time(self):
        """Two runs over the same databases never talk to one of them at the same time."""
        remote, project = self.add(fault="slow")
        first, second = self.add_lines(project), self.add_lines(project)
        self.run_cron("ir_cron_work")
        self.assertEqual((first.state, second.state), ("done", "done"))
        self.assertEqual(remote.most_concurrent, 1)

    def test_a_lease_is_renewed_while_the_worker_lives(self):
        """A worker renews what it holds, and nothing of another."""
        projects = self.add_many(2)
        mine = self.add_lines(
            projects[0], state="running", lease_token="mine", lease_until=self.lease(0.5)
        )
        theirs = self.add_lines(
            projects[1], state="running", lease_token="theirs", lease_until=self.lease(0.5)
        )
        before = theirs.lease_until
        with self.commits() as env:
            env["databases.run"]._renew_leases("mine")
        self.assertGreater(mine.lease_until, fields.Datetime.now() + LEASE - timedelta(seconds=5))
        self.assertEqual(theirs.lease_until, before)

    def test_a_database_deleted_meanwhile_stops_nothing(self):
        """A project that is deleted while it is asked takes its line along; the others are written."""
        gone, project = self.add("gone")
        _remote, good = self.add("good")

        def delete(_handler):
            self.doomed.append(project.id)
            return False

        self.doomed = []
        gone.fault = delete
        run_env = self.env["databases.run"]
        with self.enter_registry_test_mode():
            with run_env._own_transaction() as Run:
                run = Run._create_run("sync", [{"project_id": p.id} for p in project | good], False)
                jobs = Run._claim("worker", run, 10)
                Run.env["project.project"].browse(project.id).unlink()
                Run.env.cr.commit()
                from concurrent.futures import Future

                finished = []
                for job in jobs:
                    future = Future()
                    function, *arguments = job["call"]
                    future.set_result(function(*arguments))
                    finished.append((job, future))
                Run.sudo()._write_results(finished)
                Run._close_finished_runs()
        self.assertTrue(self.doomed)
        self.assertEqual(good.database_state, "ok")
        self.assertFalse(project.exists())
        run = self.env["databases.run"].browse(run.id)
        self.assertEqual((run.state, run.total_count, run.done_count), ("done", 1, 1))

    def test_a_run_closes_when_its_last_line_is_done(self):
        """A run with a waiting line stays open; without one it closes."""
        line = self.add_lines(self.add()[1], state="running", lease_until=self.lease(1))
        with self.commits() as env:
            env["databases.run"]._close_finished_runs()
        self.assertEqual(line.run_id.state, "running")
        line.state = "failed"
        self.env.flush_all()
        with self.commits() as env:
            env["databases.run"]._close_finished_runs()
        self.assertEqual(line.run_id.state, "done")

    def test_retry_takes_only_what_failed(self):
        """Trying again makes a new run with the failed lines, and nothing of the others."""
        good, good_project = self.add("good")
        bad, bad_project = self.add("bad", fault="server")
        run = self.synchronize(good_project | bad_project)
        good.requests.clear()
        bad.fault = None
        with self.enter_registry_test_mode():
            action = run.action_retry()
        again = self.env["databases.run"].browse(action["res_id"])
        self.assertNotEqual(again, run)
        self.assertEqual(again.line_ids.project_id, bad_project)
        self.assertEqual((again.done_count, again.kind), (1, "sync"))
        self.assertFalse(good.requests)
        with self.assertRaisesRegex(UserError, "Nothing failed in this run"):
            again.action_retry()

    def test_old_runs_are_deleted(self):
        """Synchronisations are kept for a month, invitations and removals for two years."""
        project = self.add()[1]
        now = datetime(2026, 6, 1)
        runs = {}
        with at(now):
            for kind in ("sync", "discover", "invite", "remove"):
                for days in (29, 31, 729, 731):
                    run = self.env["databases.run"].create(
                        {
                            "kind": kind,
                            "user_id": self.env.uid,
                            "date_start": now - timedelta(days=days),
                            "state": "done",
                        }
                    )
                    self.env["databases.run.line"].create(
                        {"run_id": run.id, "project_id": project.id}
                    )
                    runs[kind, days] = run
            self.env["databases.run"]._gc_runs()
        left = {key for key, run in runs.items() if run.exists()}
        kept = {(kind, days) for kind in ("invite", "remove") for days in (29, 31, 729)}
        self.assertEqual(left, kept | {("sync", 29), ("discover", 29)})

    def test_names_and_counts(self):
        """A run is named after its kind, and an empty one is at 100 %."""
        run = self.env["databases.run"].create({"kind": "sync", "user_id": self.env.uid})
        self.assertEqual(run.name, f"Synchronization #{run.id}")
        self.assertEqual((run.total_count, run.progress), (0, 100))


@tagged("post_install", "-at_install")
class TestConcurrency(TransactionCase):
    """Real transactions side by side: what is written here is committed, and removed at the end."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        serve_fleet(cls)

    def setUp(self):
        super().setUp()
        self.remote = self.server.add("acme", users=[user(7, "ann@example.com")])
        with self.registry.cursor() as cr:
            env = self.env(cr=cr)
            project = env["project.project"].create(
                {
                    "name": "Acme",
                    "database_hosting": "premise",
                    "database_url": self.remote.url,
                    "database_name": "acme",
                    "database_api_login": self.remote.login,
                    "database_api_key": self.remote.key,
                }
            )
            self.project_id = project.id
        self.addCleanup(self._clean)

    def _clean(self):
        with self.registry.cursor() as cr:
            env = self.env(cr=cr)
            project = env["project.project"].browse(self.project_id).exists()
            env["databases.run.line"].search([("project_id", "=", self.project_id)]).run_id.unlink()
            project.unlink()

    def write_meanwhile(self, **values):
        """Write on the project in a transaction of its own, as another user would."""
        with self.registry.cursor() as cr:
            self.env(cr=cr)["project.project"].browse(self.project_id).write(values)

    def read(self, name):
        with self.registry.cursor() as cr:
            return self.env(cr=cr)["project.project"].browse(self.project_id)[name]

    def start_run(self, env):
        return env["databases.run"]._create_run(
            "sync", [{"project_id": self.project_id}], background=True
        )

    def test_a_serialization_conflict_is_tried_again(self):
        """A result that meets somebody else's change is written in a second try, both are kept."""
        with self.registry.cursor() as cr:
            env = self.env(cr=cr)
            run = self.start_run(env)
            [job] = env["databases.run"]._claim("worker", run, 10)
            function, *arguments = job["call"]
            snapshot = function(*arguments)
            # The transaction has its snapshot now, and the other change comes after it.
            env["project.project"].browse(self.project_id).database_state  # noqa: B018
            self.write_meanwhile(database_notes="changed meanwhile", name="Changed")
            with self.assertLogs("odoo.sql_db", "ERROR"):
                self.assertTrue(env["databases.run"]._try_write([(job, snapshot)]))
        self.assertEqual((self.read("database_state"), self.read("name")), ("ok", "Changed"))

    def test_two_workers_never_claim_the_same_database(self):
        """Of two workers at the same moment, one gets the database and the other nothing."""
        with self.registry.cursor() as cr:
            self.start_run(self.env(cr=cr))
        with self.registry.cursor() as one, self.registry.cursor() as two:
            first = self.env(cr=one)["databases.run"]._claim("one", None, 10)
            second = self.env(cr=two)["databases.run"]._claim("two", None, 10)
        self.assertEqual((len(first), second), (1, []))

    def test_runs_of_their_own_never_share_a_database(self):
        """While one worker is claiming a database for its run, another one with its own run waits."""
        with self.registry.cursor() as cr:
            runs = [self.start_run(self.env(cr=cr)).id for _place in range(2)]
        with self.registry.cursor() as one, self.registry.cursor() as two:
            # Both environments are made here: other threads have to wait for Odoo's test loader.
            first, second = (
                self.env(cr=cr)["databases.run"].browse(run)
                for cr, run in zip((one, two), runs, strict=True)
            )
            claimed = []
            thread = threading.Thread(
                target=lambda: claimed.append(second._claim_rows_once("two", second, 10)),
                daemon=True,
            )
            self.assertEqual(len(first._claim_rows_once("one", first, 10)), 1)
            thread.start()
            thread.join(0.3)
            waited = thread.is_alive()
            one.commit()
            thread.join(20)
            self.assertEqual((waited, claimed), (True, [[]]))

    def test_progress_is_seen_and_kept_while_the_asker_is_undecided(self):
        """A synchronisation lasts even when the transaction of the user who asked is undone."""
        cr = self.registry.cursor()
        self.env(cr=cr)["project.project"].browse(self.project_id)._synchronize_now()
        cr.rollback()
        cr.close()
        self.assertEqual(self.read("database_state"), "ok")
