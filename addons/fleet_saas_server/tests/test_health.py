import json
import os
import shutil
import tempfile
import threading
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from unittest.mock import patch

from odoo import fields
from odoo.tests import tagged

from .. import settings
from ..hosting import capacity
from ..hosting.host import MB, Limits
from ..hosting.journal import OPERATION_SPACE
from ..models.saas_operation_run import RUNNER_LOCK
from ..models.saas_sizes import format_size
from .test_archive import config_option
from .test_screens import OperationCase


class HealthCase(OperationCase):
    def setUp(self):
        super().setUp()
        # Without it the hosted process is this one, which cannot answer while it tests.
        self.give_options(FLEET_HOSTED_URL="http://127.0.0.1:1")

    def give_options(self, **options):
        self.enterContext(patch.dict(os.environ, options))

    def rows(self):
        return {row["key"]: row for row in self.env["saas.health"]._get_rows()}


@tagged("post_install", "-at_install")
class TestWaiting(HealthCase):
    """Operations that nobody works on, whatever is to run them: what holds them up is said."""

    def take_lock(self, *key):
        numbers = ", ".join(["%s"] * len(key))
        self.env.cr.execute(f"SELECT pg_advisory_xact_lock({numbers})", list(key))

    def make_waiting(self, state="queued", job=None, seconds=600, **values):
        """Make an operation that was asked for so long ago, and its job in a state."""
        operation = self.make_operation(state, **values)
        if job:
            uuid = operation.with_delay()._job_run().uuid
            self.env.flush_all()
            self.env.cr.execute("UPDATE queue_job SET state = %s WHERE uuid = %s", [job, uuid])
        self.env.flush_all()
        self.env.cr.execute(
            "UPDATE saas_operation SET create_date = now() AT TIME ZONE 'utc' - "
            "%(age)s * interval '1 second', write_date = NULL WHERE id = %(id)s",
            {"age": seconds, "id": operation.id},
        )
        self.env.invalidate_all()
        return operation

    def waiting(self):
        return {
            key.removeprefix("waiting_"): row
            for key, row in self.rows().items()
            if key.startswith("waiting_")
        }

    def test_one_that_was_just_asked_for_or_waits_for_another_is_in_order(self):
        self.make_waiting(seconds=50)
        first = self.make_waiting("running", seconds=900)
        self.take_lock(OPERATION_SPACE, first.id)
        self.make_waiting(wait_operation=first.id)
        self.make_waiting(next_try="2999-01-01 00:00:00")
        self.assertEqual(self.waiting(), {})

    def test_after_a_minute_it_is_amber_and_after_five_red(self):
        operation = self.make_waiting(seconds=70)
        (row,) = self.waiting().values()
        self.assertEqual(row["state"], "amber")
        self.assertIn("nobody works on: 1, the first of them for 70 s", row["says"])
        self.env.cr.execute(
            "UPDATE saas_operation SET create_date = create_date - interval '4 min' WHERE id = %s",
            [operation.id],
        )
        (row,) = self.waiting().values()
        self.assertEqual(row["state"], "red")

    def test_one_that_waits_for_an_operation_that_has_ended_is_not_in_order(self):
        ended = self.make_operation("done", ended="2020-01-01 00:00:00")
        self.make_waiting(wait_operation=ended.id)
        self.assertEqual(len(self.waiting()), 1)

    def test_without_a_runner_the_scheduled_action_is_behind_or_missing(self):
        self.make_waiting()
        with config_option("max_cron_threads", 2):
            self.assertIn("max_cron_threads = 2", self.waiting()["cron"]["todo"])
        self.assertIn("Load the job runner", self.waiting()["nobody"]["todo"])

    def test_a_job_that_is_sent_and_that_nobody_takes_lacks_threads_or_workers(self):
        self.take_lock(RUNNER_LOCK)
        self.make_waiting(job="enqueued")
        self.assertEqual(self.rows()["runner"]["state"], "green")
        row = self.waiting()["worker"]
        self.assertEqual(row["state"], "red")
        self.assertIn("nobody there took them", row["says"])
        self.assertIn("ODOO_MAX_HTTP_THREADS", row["todo"])
        self.assertIn("[queue_job] host", row["todo"])

    def test_a_job_that_is_not_sent_has_no_place_or_a_runner_that_does_nothing(self):
        self.take_lock(RUNNER_LOCK)
        self.make_waiting(job="pending")
        self.assertIn("Restart Odoo", self.waiting()["place"]["todo"])
        busy = self.make_waiting("running", job="started")
        self.take_lock(OPERATION_SPACE, busy.id)
        self.assertIn("no place free", self.waiting()["place"]["says"])
        self.assertIn("ODOO_QUEUE_JOB_CHANNELS", self.waiting()["place"]["todo"])

    def test_a_job_that_was_taken_and_an_operation_whose_process_died_name_the_limits(self):
        self.take_lock(RUNNER_LOCK)
        self.make_waiting(job="started")
        self.make_waiting("undoing", job="done")
        for cause in ("killed", "died"):
            self.assertIn("limit_time_real =", self.waiting()[cause]["todo"])

    def test_an_operation_without_a_job_waits_for_the_scheduled_action(self):
        self.take_lock(RUNNER_LOCK)
        self.make_waiting()
        self.make_waiting(job="failed")
        with config_option("max_cron_threads", 1):
            self.assertIn("nobody works on: 2", self.waiting()["lost"]["says"])
            self.assertIn("within a minute", self.waiting()["lost"]["todo"])
        self.assertIn("run operations that nobody runs", self.waiting()["lost"]["todo"])


@tagged("post_install", "-at_install")
class TestBackups(HealthCase):
    """Whether every database has a backup that was read back, and is still there."""

    def setUp(self):
        super().setUp()
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory())) / "backups"
        self.give_options(FLEET_BACKUP_DIR=str(self.folder))
        self.repositories = {name: self.back_up(name) for name in ("health-one", "health-two")}

    def back_up(self, name):
        """Make a database with a verified backup of now, and the folder that it is in."""
        database = self.env["saas.database"]._reserve(name, state="active")
        places = database._get_backup_policy()._get_places()
        repository = self.env["saas.backup.repository"]._get(database, places)
        Path(repository.location).mkdir(parents=True)
        self.add_backup(repository, fields.Datetime.now())
        return repository

    def add_backup(self, repository, taken_at):
        self.env["saas.backup"].create(
            {
                "backup": f"{repository.id}-{taken_at:%Y%m%d%H%M%S}",
                "database_id": repository.database_id.id,
                "repository_ids": repository.ids,
                "state": "verified",
                "taken_at": taken_at,
            }
        )

    def row(self):
        self.env.invalidate_all()
        return self.rows()["backups"]

    def test_backups_that_are_where_they_were_verified_are_in_order(self):
        row = self.row()
        self.assertEqual(row["state"], "green")
        self.assertIn("Every database has a verified backup", row["says"])

    def test_where_the_folder_of_a_backup_is_gone_it_is_red_and_named(self):
        shutil.rmtree(self.repositories["health-two"].location)
        row = self.row()
        self.assertEqual(row["state"], "red")
        self.assertIn("cannot be read, “This machine”: health-two.", row["says"])
        shutil.rmtree(self.folder)
        self.assertIn("“This machine”: health-one, health-two.", self.row()["says"])

    def test_a_repository_with_a_problem_is_red_and_says_which(self):
        bucket = self.env["saas.backup.place"].create(
            {"name": "Bucket", "kind": "s3", "location": "https://s3.example.com/backups"}
        )
        self.repositories["health-one"].write({"place_id": bucket.id, "location": "s3:there"})
        self.assertEqual(self.row()["state"], "green")
        self.repositories["health-one"].problem = "The storage does not answer."
        row = self.row()
        self.assertEqual(row["state"], "red")
        said = "in “Bucket” of health-one have a problem: The storage does not answer."
        self.assertIn(said, row["says"])
        self.assertIn("Repair what the reason names", row["todo"])
        self.assertNotIn("its folder is there", row["todo"])

    def test_what_is_wrong_with_a_second_place_is_red_although_the_last_copy_failed(self):
        second = self.env["saas.backup.place"].create({"name": "Second", "kind": "local"})
        database = self.repositories["health-one"].database_id
        repository = self.env["saas.backup.repository"]._get(database, second)
        self.add_backup(repository, fields.Datetime.now() - timedelta(hours=1))
        repository.problem = "There is no backup repository."
        row = self.row()
        self.assertEqual(row["state"], "red")
        self.assertIn("in “Second” of health-one", row["says"])

    def test_a_place_that_holds_older_backups_only_may_be_gone(self):
        former = self.env["saas.backup.place"].create({"name": "Former", "kind": "local"})
        database = self.repositories["health-one"].database_id
        repository = self.env["saas.backup.repository"]._get(database, former)
        self.add_backup(repository, fields.Datetime.now() - timedelta(hours=1))
        self.assertEqual(self.row()["state"], "green")


@tagged("post_install", "-at_install")
class TestSizes(HealthCase):
    def test_bytes_are_told_in_units_of_bytes(self):
        said = {0: "0 B", 1023: "1,023 B", 1536: "1.5 KB", 2**20 - 1: "1.0 MB", 5 << 30: "5.0 GB"}
        self.assertEqual({size: format_size(self.env, size) for size in said}, said)
        self.assertEqual(format_size(self.env, 2**60), "1,048,576.0 TB")


@tagged("post_install", "-at_install")
class TestGate(HealthCase):
    """Whether the hosted process is there, and keeps its databases apart."""

    def setUp(self):
        super().setUp()
        body = self.body = []

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(body[0]).encode())

            def log_message(self, *_values):
                pass

        server = self.enterContext(ThreadingHTTPServer(("127.0.0.1", 0), Handler))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.shutdown)
        self.url = f"http://127.0.0.1:{server.server_port}"

    def gate(self, body):
        self.body[:] = [body]
        return self.rows()["gate"]

    def test_where_nobody_answers_the_address_is_named(self):
        row = self.rows()["gate"]
        self.assertEqual(row["state"], "red")
        self.assertIn("http://127.0.0.1:1 does not answer", row["says"])
        self.assertIn("fleet_hosted_url", row["todo"])

    def test_a_process_without_the_gate_is_red_whatever_it_answers(self):
        self.give_options(FLEET_HOSTED_URL=self.url)
        for body in ({}, [], "on", {"gate": "off"}):
            row = self.gate(body)
            self.assertEqual(row["state"], "red")
            self.assertIn("without the gate", row["says"])

    def test_the_gate_is_asked_directly_and_what_it_lacks_is_said(self):
        self.give_options(FLEET_HOSTED_URL=self.url, http_proxy="http://127.0.0.1:1")
        row = self.gate({"gate": "on", "databases": 3, "error": None})
        self.assertEqual(row["state"], "green")
        self.assertIn("serves 3 databases", row["says"])
        self.assertIn("serves 1 database.", self.gate({"gate": "on", "databases": 1})["says"])
        row = self.gate({"gate": "on", "error": {"code": "routes_broken", "message": "No."}})
        self.assertEqual((row["state"], row["says"]), ("red", "No."))


@tagged("post_install", "-at_install")
class TestRoom(HealthCase):
    """What is used and what is left, against the limits of odoo.conf."""

    def test_the_options_are_the_limits_of_the_machine(self):
        self.give_options(
            FLEET_DISK_RESERVE="10",
            FLEET_DISK_FACTOR="1.5",
            FLEET_MEMORY_RESERVE="20",
            FLEET_CONNECTION_RESERVE="30",
            FLEET_MAX_DATABASES="40",
        )
        expected = Limits(10 * MB, 1.5, 20 * MB, 30, 40)
        self.assertEqual(self.env["saas.operation"]._get_host().limits, expected)

    def test_the_databases_that_others_look_after_are_an_option_too(self):
        self.assertEqual(self.env["saas.operation"]._get_host().others, ())
        self.give_options(FLEET_OTHER_DATABASES=" wiki, dev_*,")
        self.assertEqual(self.env["saas.operation"]._get_host().others, ("wiki", "dev_*"))

    def test_without_options_the_limits_are_those_that_are_documented(self):
        self.assertEqual(settings.limits(), Limits())

    def test_an_option_that_is_no_number_places_nothing_and_is_named(self):
        for value in ("lots", "-1", "nan", "1e99"):
            self.give_options(FLEET_DISK_FACTOR=value)
            row = self.rows()["room"]
            self.assertEqual(row["state"], "red")
            self.assertIn(f"fleet_disk_factor in odoo.conf is {value}", row["says"])

    def test_used_and_left_are_shown_with_the_limits(self):
        self.give_options(
            FLEET_MAX_DATABASES="40", FLEET_DISK_RESERVE="7", FLEET_MEMORY_RESERVE="9"
        )
        rows = self.rows()
        hosted = capacity.facts(self.env["saas.operation"]._get_host()).databases
        self.assertIn(
            f"Hosted: {hosted} of at most 40; left: {40 - hosted}", rows["room_databases"]["says"]
        )
        self.assertIn("7.0 MB of them stay free", rows["room_disk"]["says"])
        self.assertIn("9.0 MB of them stay free", rows["room_memory"]["says"])
        self.assertRegex(rows["room_connections"]["says"], r"can need \d+, PostgreSQL has \d+")

    def test_a_limit_is_amber_before_it_refuses_and_red_when_it_does(self):
        host = self.env["saas.operation"]._get_host()
        machine = capacity.facts(host)
        self.give_options(FLEET_MAX_DATABASES=str(machine.databases + 3))
        row = self.rows()["room_databases"]
        self.assertEqual(row["state"], "amber")
        self.assertIn("The next 5 databases would not all fit", row["todo"])
        needed = capacity.needed_connections(machine, machine.databases, host.limits)
        reserve = machine.connection_limit - needed + 16
        self.give_options(
            FLEET_DISK_RESERVE=str(machine.disk_total // MB + 1),
            FLEET_CONNECTION_RESERVE=str(reserve),
        )
        rows = self.rows()
        self.assertEqual(rows["room_disk"]["state"], "red")
        self.assertIn(
            f"{machine.disk_total // MB + 1} MB are to stay free", rows["room_disk"]["todo"]
        )
        self.assertEqual(rows["room_connections"]["state"], "red")
        self.assertIn(f"has {machine.connection_limit} to give", rows["room_connections"]["todo"])

    def test_the_size_of_the_largest_database_counts_for_the_next_ones(self):
        free = capacity.facts(self.env["saas.operation"]._get_host()).disk_free
        self.give_options(FLEET_DISK_RESERVE="1", FLEET_DISK_FACTOR="1")
        self.assertEqual(self.rows()["room_disk"]["state"], "green")
        acme = self.env["saas.database"]._reserve("acme-room", state="active")
        self.env["saas.usage"].create(
            {"database_id": acme.id, "day": self.env.cr.now().date(), "database_bytes": free // 4}
        )
        self.assertEqual(self.rows()["room_disk"]["state"], "amber")
