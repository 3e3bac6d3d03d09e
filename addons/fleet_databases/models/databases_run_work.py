import logging
import time
import uuid
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta

from odoo import api, fields, models
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY
from odoo.tools import SQL

from .. import settings
from ..remote import tasks
from ..vault import VaultError
from .databases_run import LEASE

_logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 20
#: Results are gathered for this long before they are written in one batch.
GATHER_SECONDS = 0.25
MAX_ATTEMPTS = 3
KEEP_DAYS = {"sync": 30, "discover": 30, "invite": 730, "remove": 730}


class DatabasesRun(models.Model):
    """The worker: claims databases, asks them in threads, writes what they answered."""

    _inherit = "databases.run"

    @api.model
    def _get_unfinished(self, kind):
        return self.search(
            [("kind", "=", kind), ("state", "=", "running"), ("background", "=", True)], limit=1
        )

    @api.model
    def _cron_work(self):
        """Do what waits in the background, and take over what a killed worker has left."""
        self._work()

    @api.model
    def _work(self, run=None):
        """Work on the lines of ``run``, or on every line that waits, until time is up.

        Threads do the network on plain values and never see the ORM; this thread claims,
        reads before and writes after, a batch at a time, with a commit for each.
        """
        worker = uuid.uuid4().hex
        Cron = self.env["ir.cron"]
        self._settle()
        left = Cron._commit_progress(remaining=self._count_waiting(run))
        if left <= 0:
            return
        size = settings.threads()
        heartbeat = time.monotonic()
        with ThreadPoolExecutor(size, thread_name_prefix="databases") as pool:
            pending = {}
            while True:
                free = size - len(pending)
                if left > 0 and free:
                    for job in self._claim(worker, run, free):
                        pending[pool.submit(*job["call"])] = job
                if not pending:
                    break
                finished, _waiting = wait(pending, timeout=GATHER_SECONDS)
                if finished:
                    self._write_results([(pending.pop(future), future) for future in finished])
                    left = Cron._commit_progress(len(finished), remaining=self._count_waiting(run))
                if time.monotonic() - heartbeat > HEARTBEAT_SECONDS:
                    heartbeat = time.monotonic()
                    self._renew_leases(worker)
        self._settle(run)
        Cron._commit_progress(remaining=self._count_waiting(run))

    @api.model
    def _get_claimable(self, run):
        """Return the SQL condition of the lines that a worker may take, as alias ``line``."""
        condition = SQL(
            """line.state IN ('queued', 'running')
            AND (line.lease_until IS NULL OR line.lease_until < %(now)s
                 OR line.state = 'queued' AND line.run_id = %(run)s)
            AND NOT EXISTS (
                 SELECT 1 FROM databases_run_line other
                  WHERE other.project_id = line.project_id
                    AND other.state = 'running' AND other.lease_until >= %(now)s)""",
            now=fields.Datetime.now(),
            run=run.id if run else 0,
        )
        return SQL("%s AND line.run_id = %s", condition, run.id) if run else condition

    @api.model
    def _count_waiting(self, run):
        [[count]] = self.env.execute_query(
            SQL(
                "SELECT count(DISTINCT (line.run_id, line.project_id)) FROM databases_run_line line WHERE %s",
                self._get_claimable(run),
            )
        )
        return count

    @api.model
    def _claim(self, worker, run, limit):
        """Take up to ``limit`` databases and return a job for each.

        :return: dicts with ``call`` (a function and its arguments, plain values), ``lines``
            (ids), ``project`` (id), ``kind``; ends in a commit
        """
        conflicts = 0
        while rows := self._claim_rows(worker, run, limit):
            self.env.invalidate_all()
            try:
                jobs = self._prepare_jobs(rows)
                failed = len({row["project_id"] for row in rows}) - len(jobs)
                # Nothing is asked before the claim is safe.
                self.env["ir.cron"]._commit_progress(failed)
            except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
                # Somebody changes a database that could not be tried: the claim is undone too.
                self._undo()
                conflicts += 1
                if conflicts == 5:
                    break
                continue
            if jobs:
                return jobs
            # None of these could even be tried; there may be others behind them.
        return []

    @api.model
    def _undo(self):
        self.env.cr.rollback()
        self.env.invalidate_all()

    @api.model
    def _claim_rows(self, worker, run, limit):
        for _attempt in range(3):
            try:
                return self._claim_rows_once(worker, run, limit)
            except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
                self.env.cr.rollback()
        return []

    @api.model
    def _claim_rows_once(self, worker, run, limit):
        now = fields.Datetime.now()
        # The lock comes before the first query, so that the snapshot of this transaction is
        # younger than the last claim of any other worker.
        self.env.cr.commit()
        self.env.cr.execute("LOCK TABLE databases_run_line IN SHARE ROW EXCLUSIVE MODE")
        claimable = self._get_claimable(run)
        return self.env.execute_query_dict(
            SQL(
                """
                WITH candidate AS (
                    SELECT DISTINCT ON (line.project_id) line.project_id, line.run_id, line.id, line.attempts
                      FROM databases_run_line line
                     WHERE %(claimable)s
                  ORDER BY line.project_id, line.id
                ), picked AS (
                    SELECT * FROM candidate ORDER BY attempts, id LIMIT %(limit)s
                )
                UPDATE databases_run_line line
                   SET state = 'running', lease_token = %(worker)s, lease_until = %(until)s,
                       attempts = line.attempts + 1
                  FROM picked
                 WHERE line.run_id = picked.run_id AND line.project_id = picked.project_id AND %(claimable)s
             RETURNING line.id, line.project_id, line.kind, line.login, line.user_name, line.attempts,
                       line.lease_token
                """,
                claimable=claimable,
                until=now + LEASE,
                limit=limit,
                worker=worker,
            )
        )

    @api.model
    def _prepare_jobs(self, rows):
        """Turn claimed rows into jobs; what cannot even be tried is written as failed at once."""
        groups = defaultdict(list)
        for row in rows:
            groups[row["project_id"]].append(row)
        now, policy = fields.Datetime.now(), settings.network_policy()
        projects = self.env["project.project"].sudo().browse(groups).with_context(active_test=False)
        projects.fetch(
            ["database_url", "database_name", "database_api_login", "database_api_key_secret"]
        )
        jobs = []
        for project in projects:
            lines = groups[project.id]
            job = {"project": project.id, "kind": lines[0]["kind"], "lines": lines}
            if lines[0]["attempts"] > MAX_ATTEMPTS:
                self._write_failure(job, "abandoned")
                continue
            try:
                access = project._prepare_access(now)
            except VaultError as error:
                self._write_failure(job, f"secret_{error.code}")
                continue
            jobs.append({**job, "call": self._prepare_call(job, access, policy)})
        return jobs

    @api.model
    def _prepare_call(self, job, access, policy):
        """Return the plain function, and its arguments, that a thread runs for ``job``."""
        logins = [line["login"] for line in job["lines"]]
        if job["kind"] == "invite":
            names = [line["user_name"] or line["login"] for line in job["lines"]]
            return tasks.invite, access, list(zip(logins, names, strict=True)), policy
        if job["kind"] == "remove":
            return tasks.remove, access, logins, policy
        return tasks.synchronize, access, policy

    @api.model
    def _renew_leases(self, worker):
        try:
            self.env.cr.execute(
                "UPDATE databases_run_line SET lease_until = %s WHERE lease_token = %s AND state = 'running'",
                [fields.Datetime.now() + LEASE, worker],
            )
            self.env.cr.commit()  # others must see that this worker lives
        except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
            self._undo()  # somebody has taken one of them over; the next heartbeat sees that

    @api.model
    def _write_results(self, finished):
        """Write what the threads brought, in one go; one bad result never takes the others along.

        :param list finished: pairs of a job and its finished future
        """
        results = []
        for job, future in finished:
            if error := future.exception():
                _logger.error("Database %s: %s failed", job["project"], job["kind"], exc_info=error)
                results.append((job, None))
            else:
                results.append((job, future.result()))
        if not self._try_write(results):
            for result in results:
                if not self._try_write([result]):
                    self._try_write([(result[0], None)])

    @api.model
    def _try_write(self, results):
        """Write ``results`` and commit; return False when that cannot be done."""
        # Others may have changed these records while the threads were asking.
        self.env.invalidate_all()
        for attempt in range(5):
            try:
                self._apply(results)
                self.env.cr.commit()  # each batch lasts, whatever happens to the next
            except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
                # Somebody else has changed one of these records in the meantime.
                self._undo()
                time.sleep(0.05 * attempt)
            except Exception:
                _logger.exception(
                    "Results of databases %s", [job["project"] for job, _result in results]
                )
                self._undo()
                return False
            else:
                return True
        return False

    @api.model
    def _apply(self, results):
        by_kind = defaultdict(list)
        for job, result in results:
            if self._is_taken_over(job):
                _logger.info("Database %s: another worker has it by now", job["project"])
            elif result is None:
                self._write_failure(job, "internal")
            elif job["kind"] == "sync" and self._is_moved(job):
                self._requeue(job)
            else:
                by_kind[job["kind"]].append((job, result))
        Writer = self.env["databases.writer"].sudo()
        if by_kind["sync"]:
            Writer._apply_snapshots(by_kind["sync"])
        for kind in ("invite", "remove"):
            for job, outcomes in by_kind[kind]:
                Writer._apply_outcomes(job, outcomes)
        self.env.flush_all()

    @api.model
    def _is_taken_over(self, job):
        """Tell whether the lease ran out and another worker has taken the lines of ``job``."""
        return bool(
            self.env.execute_query(
                SQL(
                    "SELECT 1 FROM databases_run_line WHERE id IN %s AND lease_token != %s LIMIT 1",
                    tuple(line["id"] for line in job["lines"]),
                    job["lines"][0]["lease_token"],
                )
            )
        )

    @api.model
    def _is_moved(self, job):
        """Tell whether the database has got another address since it was asked."""
        _function, access, *_more = job["call"]
        return bool(
            self.env.execute_query(
                SQL(
                    """
                    SELECT 1 FROM project_project
                     WHERE id = %s
                       AND (COALESCE(database_url, ''), COALESCE(database_name, '')) != (%s, %s)
                    """,
                    job["project"],
                    access.url,
                    access.database,
                )
            )
        )

    @api.model
    def _requeue(self, job):
        """Ask once more: what came is the answer of another server."""
        lines = self.env["databases.run.line"].sudo().browse([line["id"] for line in job["lines"]])
        lines.exists().write({"state": "queued", "lease_until": False, "lease_token": False})

    @api.model
    def _write_failure(self, job, code):
        """Note on the record, and on the lines, why a job has no result."""
        lines = self.env["databases.run.line"].sudo().browse([line["id"] for line in job["lines"]])
        lines.exists().write(
            {
                "state": "failed",
                "result": "failed",
                "error_code": code,
                "date_done": fields.Datetime.now(),
            }
        )
        if job["kind"] == "sync":
            self.env["databases.writer"].sudo()._count_error(job["project"], code, {})
        self.env.flush_all()

    @api.model
    def _fail_unclaimed(self, run):
        """Say of the lines that could not be claimed that another worker has their database."""
        run.line_ids.filtered(lambda line: line.state == "queued").write(
            {
                "state": "failed",
                "result": "failed",
                "error_code": "busy",
                "date_done": fields.Datetime.now(),
            }
        )
        self.env.flush_all()

    @api.model
    def _settle(self, run=None):
        """Close what is finished. That another worker does so at this moment is no error."""
        for attempt in range(5):
            self.env.cr.commit()  # the snapshot must be younger than what others have closed
            self.env.invalidate_all()
            time.sleep(0.05 * attempt)
            try:
                if run:
                    self._fail_unclaimed(run)
                self._close_finished_runs()
                self.env.cr.commit()
                return
            except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
                self._undo()

    @api.model
    def _close_finished_runs(self):
        open_runs = self.sudo().search([("state", "=", "running"), ("kind", "!=", "discover")])
        waiting = self.env["databases.run.line"]._read_group(
            [("run_id", "in", open_runs.ids), ("state", "in", ("queued", "running"))], ["run_id"]
        )
        closed = open_runs - self.browse([run.id for [run] in waiting])
        closed.write({"state": "done", "date_end": fields.Datetime.now()})
        killed = self.sudo().search(
            [
                ("state", "=", "running"),
                ("kind", "=", "discover"),
                ("date_start", "<", fields.Datetime.now() - timedelta(minutes=10)),
            ]
        )
        killed.write(
            {
                "state": "done",
                "date_end": fields.Datetime.now(),
                "note": self.env._("The server was stopped meanwhile; pull again."),
            }
        )
        self.env.flush_all()

    @api.autovacuum
    def _gc_runs(self):
        """Delete old runs; who was invited and removed is kept for two years."""
        now = fields.Datetime.now()
        for kind, days in KEEP_DAYS.items():
            self.search(
                [("kind", "=", kind), ("date_start", "<", now - timedelta(days=days))]
            ).unlink()
