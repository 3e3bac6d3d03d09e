import os

from odoo import api, models
from odoo.tools import config

from odoo.addons.queue_job.jobrunner.runner import _channels

from ..hosting.journal import ACTIVE, OPERATION_SPACE
from .saas_health import AMBER, RED

WAITS_S = 60  # an operation that could begin and does not is mentioned
STUCK_S = 300  # after that it is red


class SaasHealth(models.TransientModel):
    """Operations that could run and do not, with what holds each of them up.

    That the runner holds its lock says only that it lives. It may have no place free, no worker or
    thread may take what it sends, or one takes it and is killed: all of that looks green there.
    """

    _inherit = "saas.health"

    @api.model
    def _check_waiting(self):
        """Return a row for each cause for which operations wait that nobody works on."""
        by_cause = {}
        for cause, age in self._get_waiting():
            by_cause.setdefault(cause, []).append(age)
        rows = []
        for cause, ages in by_cause.items():
            why, todo = self._explain_waiting(cause)
            says = self.env._(
                "Operations that nobody works on: %(count)s, the first of them for %(age)s. %(why)s",
                count=len(ages),
                age=self.env["saas.operation"]._format_seconds(max(ages), True),
                why=why,
            )
            state = RED if max(ages) > STUCK_S else AMBER
            title = self.env._("Operations that wait")
            rows.append(
                self._row(f"waiting_{cause}", state, title, says, todo, "saas_operation_action")
            )
        return rows

    @api.model
    def _get_waiting(self):
        """Return ``(cause, seconds)`` of every operation that has waited longer than `WAITS_S`.

        One that waits for its next try, or for another one that is still under way, is in order.
        queue_job stores the records of a job as a text inside a jsonb column (its `JobSerialized`).
        """
        self.env.flush_all()
        self.env.cr.execute(
            """
            SELECT o.state, job.state, EXTRACT(epoch FROM now() AT TIME ZONE 'utc' - waits.since)
              FROM saas_operation o
              LEFT JOIN saas_operation ahead ON ahead.id = o.wait_operation
              LEFT JOIN LATERAL (
                   SELECT j.state FROM queue_job j
                    WHERE j.model_name = 'saas.operation' AND j.method_name = '_job_run'
                      AND (j.records #>> '{}')::jsonb->'ids' @> to_jsonb(o.id)
                    ORDER BY j.id DESC LIMIT 1) job ON TRUE
             CROSS JOIN LATERAL (
                   SELECT GREATEST(o.create_date, o.write_date, o.next_try, o.heartbeat, ahead.ended)
                   AS since) waits
             WHERE o.state = ANY(%s) AND COALESCE(ahead.state <> ALL(%s), TRUE)
               AND waits.since < now() AT TIME ZONE 'utc' - %s * interval '1 second'
               AND NOT EXISTS (
                   SELECT 1 FROM pg_locks l WHERE l.locktype = 'advisory'
                      AND l.classid = %s AND l.objid = o.id AND l.objsubid = 2 AND l.database =
                          (SELECT oid FROM pg_database WHERE datname = current_database()))
             ORDER BY o.id""",
            [list(ACTIVE), list(ACTIVE), WAITS_S, OPERATION_SPACE],
        )
        found = self.env.cr.fetchall()
        has_runner = self.env["saas.operation"]._has_runner()
        return [
            (self._get_waiting_cause(state, job, has_runner), float(age))
            for state, job, age in found
        ]

    @api.model
    def _get_waiting_cause(self, state, job, has_runner):
        """Return why an operation waits, by its state and its job's."""
        if state != "queued":
            return "died"
        if not has_runner:
            return "cron" if self._is_cron_on() else "nobody"
        if job in ("pending", "wait_dependencies"):
            return "place"
        return {"enqueued": "worker", "started": "killed"}.get(job, "lost")

    @api.model
    def _is_cron_on(self):
        """Tell whether the scheduled action that runs operations can run."""
        cron = self.env.ref("fleet_saas_server.ir_cron_run_operations", raise_if_not_found=False)
        return bool(cron and cron.sudo().active and config["max_cron_threads"])

    @api.model
    def _explain_waiting(self, cause):
        """Return what holds the operations up, and what to do, in words."""
        return getattr(self, f"_explain_{cause}")()

    @api.model
    def _explain_nobody(self):
        return (
            self.env._("Neither the job runner nor the scheduled action is there to run them."),
            self.env._("Load the job runner, as the line above says."),
        )

    @api.model
    def _explain_cron(self):
        return (
            self.env._("The scheduled action runs one after another and has not come to them."),
            self.env._(
                "Load the job runner, as the line above says. If no operation runs at all, look "
                "whether scheduled actions run in this process: max_cron_threads = %s.",
                config["max_cron_threads"],
            ),
        )

    @api.model
    def _explain_place(self):
        busy = self.env["queue.job"].sudo().search_count([("state", "in", ("enqueued", "started"))])
        if not busy:
            return (
                self.env._("The job runner has nothing else to do and yet does not send them."),
                self.env._("Restart Odoo, then look for the job runner's lines in its log."),
            )
        return (
            self.env._(
                "The job runner has other jobs under way, %(busy)s, and no place free: "
                "channels = %(channels)s.",
                busy=busy,
                channels=_channels(),
            ),
            self.env._(
                "If those go on, only patience is needed, or more places: ODOO_QUEUE_JOB_CHANNELS, "
                "with two workers more than places. If they do not, look at them first."
            ),
        )

    @api.model
    def _explain_worker(self):
        why = self.env._("The job runner has sent them to Odoo, and nobody there took them.")
        if config["workers"]:
            return why, self.env._(
                "All workers are busy: set workers, now %(workers)s, to two more than the places of "
                "channels = %(channels)s. If they are not busy, the job runner asks the wrong "
                "address: look at [queue_job] host and port in odoo.conf.",
                workers=config["workers"],
                channels=_channels(),
            )
        return why, self.env._(
            "All threads are busy: set ODOO_MAX_HTTP_THREADS, now %(threads)s, to more than the "
            "places of channels = %(channels)s, or start Odoo with workers. If they are not busy, the "
            "job runner asks the wrong address: look at [queue_job] host and port in odoo.conf.",
            threads=os.environ.get("ODOO_MAX_HTTP_THREADS") or self.env._("without a limit"),
            channels=_channels(),
        )

    @api.model
    def _explain_killed(self):
        return (
            self.env._("A worker took them and ended before their first step."),
            self._say_limits(),
        )

    @api.model
    def _explain_died(self):
        return (
            self.env._("They had begun; the process that ran them is gone."),
            self._say_limits(),
        )

    @api.model
    def _say_limits(self):
        todo = self.env._(
            "The scheduled action goes on with them within a minute. If it happens again, a limit of "
            "this process is too low: limit_time_real = %(real)s, limit_time_cpu = %(cpu)s, "
            "limit_memory_hard = %(memory)s. The server's log says which.",
            real=config["limit_time_real"],
            cpu=config["limit_time_cpu"],
            memory=config["limit_memory_hard"],
        )
        return todo if self._is_cron_on() else f"{todo} {self._say_cron_off()}"

    @api.model
    def _say_cron_off(self):
        return self.env._(
            "It is off: turn on “Hosting: run operations that nobody runs”, and set "
            "max_cron_threads to 1 or more."
        )

    @api.model
    def _explain_lost(self):
        why = self.env._("Their job failed, or was removed from the queue.")
        if self._is_cron_on():
            todo = self.env._(
                "The scheduled action takes them within a minute; if it does not, look at the "
                "server's log. Job Queue > Jobs says why a job failed."
            )
            return why, todo
        return why, self._say_cron_off()
