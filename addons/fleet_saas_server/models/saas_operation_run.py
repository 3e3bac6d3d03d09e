import logging
import time
from contextlib import closing

from psycopg2 import InterfaceError, OperationalError

from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import ConcurrencyError, UserError
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY
from odoo.tools import config

from .. import settings
from ..hosting import runner
from ..hosting.errors import HostingError
from ..hosting.journal import ACTIVE, OPERATION_SPACE
from ..hosting.kinds import KINDS

_logger = logging.getLogger(__name__)

RUNNER_LOCK = 2293787760715711918  # queue_job's own: held by the runner that watches a database
APPLY_TRIES = 5
LOOK_AFTER_S = 12
FRESH_S = 10
LOST_S = (1, 2, 4, 8)  # seconds until the next try when PostgreSQL broke the connection


class SaasOperation(models.Model):
    """How operations get to run: by queue_job's runner, else by a scheduled action."""

    _inherit = "saas.operation"

    def _enqueue(self):
        """Have the operations run as soon as this transaction commits."""
        for operation in self:
            if self._has_runner():
                channel = "slow" if KINDS[operation.kind].slow else "fast"
                operation.with_delay(
                    channel=f"root.hosting_{channel}",
                    description=operation.name,
                    max_retries=1,
                    eta=operation.next_try or None,
                )._job_run()
        cron = self.env.ref("fleet_saas_server.ir_cron_run_operations", raise_if_not_found=False)
        if cron and not self._has_runner():
            cron.sudo()._trigger()

    @api.model
    def _submit_by_clock(self, kind, target, arguments=None, key=None):
        """Ask for an operation as a scheduled action does: a refusal never holds up the others."""
        try:
            with self.env.cr.savepoint():
                return self.sudo()._submit(kind, target, arguments, key)
        except UserError as error:
            _logger.warning("%s of %s was refused: %s", kind, target, error)
            return self.browse()

    @api.model
    def _has_runner(self):
        """Tell whether a living runner of queue_job watches this database."""
        self.env.cr.execute(
            "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 1 "
            "AND (classid::bigint << 32) + objid::bigint = %s "
            "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [RUNNER_LOCK],
        )
        return bool(self.env.cr.fetchone())

    def _job_run(self):
        """Run one operation; queue_job calls this."""
        self.ensure_one()
        self._run_outside(self.id)

    @api.model
    def _run_outside(self, operation_id):
        """Run an operation with the plain engine and apply its result, each in its own transaction.

        This transaction takes no part: the engine journals over a connection of its own, because
        what it did to databases stays done whatever becomes of a transaction.

        :returns: the outcome, as ``hosting.runner.run`` gives it
        """
        registry = self.env.registry
        with registry.cursor() as cr:
            operation = api.Environment(cr, SUPERUSER_ID, {})["saas.operation"].browse(operation_id)
            if not operation.exists():
                return "done"
            host = operation._get_host()
            secrets, refusal = operation._read_secrets()
        outcome = self._run_or_go_on(host, operation_id, secrets, refusal)
        self._apply_outside(registry, operation_id)
        return outcome

    def _read_secrets(self):
        """Return the secrets that the operation's steps need, and the error that keeps them from us.

        With such an error it fails, in words: raised here, it would let the operation wait for ever.
        """
        self.ensure_one()
        step = self.step_ids[:1].name
        try:
            return self.env[KINDS[self.kind].owner]._get_operation_secrets(self), None
        except HostingError as error:
            return {}, error
        except (ConcurrencyError, OperationalError, InterfaceError):
            raise  # the next try finds what the other one has made, or PostgreSQL back
        except Exception as error:
            _logger.exception("operation %s: its secrets cannot be read", self.id)
            return {}, HostingError("unexpected", step=step, kind=type(error).__name__)

    @api.model
    def _run_or_go_on(self, host, operation_id, secrets, refusal):
        """Run an operation; go on with it when PostgreSQL broke the connection, as a restart does."""
        for delay in LOST_S:
            try:
                outcome = runner.run(host, operation_id, secrets, refusal)
            except HostingError:
                outcome = "lost"  # PostgreSQL lets nobody in yet
            if outcome != "lost":
                return outcome
            time.sleep(delay)
        return runner.run(host, operation_id, secrets, refusal)

    @api.model
    def _apply_outside(self, registry, operation_id):
        for attempt in range(APPLY_TRIES):
            try:
                with registry.cursor() as cr:
                    env = api.Environment(cr, SUPERUSER_ID, {})
                    operation = env["saas.operation"].browse(operation_id)
                    if operation.state in ACTIVE:
                        operation._enqueue_if_waiting()
                    else:
                        operation._apply()
                return
            except PG_CONCURRENCY_EXCEPTIONS_TO_RETRY:
                if attempt == APPLY_TRIES - 1:
                    raise

    def _register_hook(self):
        """Have a runner that starts look after the operations of one that died, and soon again.

        queue_job takes over only jobs older than ten seconds, and looks when it starts and then
        after a minute; a job that is due in between makes it look in time.
        """
        super()._register_hook()
        if "queue_job" in config["server_wide_modules"] and not config["stop_after_init"]:
            now = fields.Datetime.now()
            for seconds in (0, LOOK_AFTER_S):
                self.with_delay(
                    eta=fields.Datetime.add(now, seconds=seconds),
                    identity_key=f"fleet_saas_server.look_after.{seconds}",
                    channel="root.hosting_fast",
                )._job_look_after()

    @api.model
    def _job_look_after(self):
        """Run what no living runner holds, however young: a second job for one does no harm."""
        # One that was recorded since this transaction began has a job of its own.
        for operation in self.browse(self._get_runnable_ids(age_s=0)).exists():
            operation._enqueue()

    def _enqueue_if_waiting(self):
        """Come back for an operation that was put off to a later try."""
        if self.state == "queued" and self.next_try:
            self._enqueue()

    def _apply(self):
        """Write the result of ended operations on their records, once; start who waited for them."""
        for operation in self:
            if operation.applied or operation.state in ACTIVE:
                continue
            # What is written into chatters and activities, in the language of who asked.
            lang = {"lang": operation.create_uid.lang}
            owner = self.env[KINDS[operation.kind].owner].with_context(**lang)
            # Both are one transaction. What the records do next must not find it under way.
            operation.applied = True
            owner._apply_operation(operation.with_context(**lang))
            waiting = self.search([("wait_operation", "=", operation.id), ("state", "=", "queued")])
            waiting._enqueue()

    @api.model
    def _get_host(self):
        """Return this machine as the plain package wants it."""
        uuid = self.env["ir.config_parameter"].sudo().get_param("database.uuid")
        return settings.host(self.env.cr.dbname, uuid)

    @api.model
    def _cron_run_operations(self):
        """Run what no runner runs: all of it without queue_job's runner, the forgotten with it."""
        cron = self.env["ir.cron"]
        ids = self._get_runnable_ids()
        cron._commit_progress(remaining=len(ids))
        for operation_id in ids:
            try:
                self._run_outside(operation_id)
            except Exception:
                # Whatever is wrong with one, the others do not stand behind it.
                _logger.exception("operation %s: it could not be run or applied", operation_id)
            if not cron._commit_progress(1):
                break

    @api.model
    def _get_runnable_ids(self, age_s=None):
        """Return the operations that nobody runs although they could: dead runners, lost jobs.

        :param int age_s: seconds since they were asked for; by default fresh ones are left to a
            living runner for a while
        """
        if age_s is None:
            age_s = FRESH_S if self._has_runner() else 0
        with closing(self._get_host().cluster.connect(self.env.cr.dbname)) as connection:
            with connection.cursor() as cr:
                cr.execute(
                    """
                    SELECT o.id FROM saas_operation o
                     WHERE (o.state = ANY(%s) OR o.applied IS NOT TRUE)
                       AND COALESCE(o.next_try, '-infinity') <= now() AT TIME ZONE 'utc'
                       AND o.create_date <= now() AT TIME ZONE 'utc' - %s * interval '1 second'
                       AND NOT EXISTS (
                           SELECT 1 FROM pg_locks l WHERE l.locktype = 'advisory'
                              AND l.classid = %s AND l.objid = o.id AND l.objsubid = 2
                              AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()))
                     ORDER BY o.id LIMIT 200""",
                    [list(ACTIVE), age_s, OPERATION_SPACE],
                )
                return [row[0] for row in cr.fetchall()]
