from collections import defaultdict
from contextlib import contextmanager
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.tools import SQL

#: A worker that has not been heard of for this long is taken for dead.
LEASE = timedelta(seconds=120)
#: More databases, or users on databases, than this are worked on in the background.
FOREGROUND_LIMIT = 20


class DatabasesRun(models.Model):
    """One piece of work over many databases: who asked, what came of it on each.

    The lines are the queue as well. Whoever works on a line holds a lease on its database
    (``lease_token``, ``lease_until``): two workers never talk to one database at the same time,
    and when a worker is killed the lease runs out and the next one takes over.
    """

    _name = "databases.run"
    _description = "Run over Databases"
    _order = "id desc"

    name = fields.Char(compute="_compute_name")
    kind = fields.Selection(
        [
            ("sync", "Synchronization"),
            ("invite", "Invitation of users"),
            ("remove", "Removal of users"),
            ("discover", "Pull from Odoo.com"),
        ],
        required=True,
        readonly=True,
    )
    user_id = fields.Many2one("res.users", "Asked By", required=True, readonly=True, index=True)
    background = fields.Boolean(readonly=True)
    state = fields.Selection(
        [("running", "Under Way"), ("done", "Finished")],
        required=True,
        default="running",
        readonly=True,
        index=True,
    )
    date_start = fields.Datetime(default=fields.Datetime.now, required=True, readonly=True)
    date_end = fields.Datetime(readonly=True)
    note = fields.Text("Remarks", readonly=True)
    line_ids = fields.One2many("databases.run.line", "run_id", readonly=True)
    total_count = fields.Integer("All", compute="_compute_counts")
    done_count = fields.Integer("Done", compute="_compute_counts")
    failed_count = fields.Integer("Failed", compute="_compute_counts")
    progress = fields.Integer(compute="_compute_counts")

    @api.depends("kind", "date_start")
    def _compute_name(self):
        kinds = dict(self._fields["kind"]._description_selection(self.env))
        for run in self:
            run.name = f"{kinds.get(run.kind, '')} #{run.id}"

    @api.depends("line_ids.state")
    def _compute_counts(self):
        counts = defaultdict(dict)
        for run, state, count in self.env["databases.run.line"]._read_group(
            [("run_id", "in", self.ids)], ["run_id", "state"], ["__count"]
        ):
            counts[run.id][state] = count
        for run in self:
            states = counts[run.id]
            run.total_count = sum(states.values())
            run.done_count = states.get("done", 0)
            run.failed_count = states.get("failed", 0)
            finished = run.done_count + run.failed_count
            run.progress = 100 * finished // run.total_count if run.total_count else 100

    # ------------------------------------------------------------------
    # Start
    # ------------------------------------------------------------------

    @contextmanager
    def _own_transaction(self):
        """Yield this recordset on a cursor of its own.

        Progress must be visible to others, and last, while the transaction of the user who
        asked goes on.
        """
        with self.env.registry.cursor() as cr:
            yield self.with_env(self.env(cr=cr))

    @api.model
    def _create_run(self, kind, items, background):
        """Create a run with a line for each of ``items``, dicts of values of a line."""
        run = self.sudo().create({"kind": kind, "user_id": self.env.uid, "background": background})
        lease = False if background else fields.Datetime.now() + LEASE
        self.env["databases.run.line"].sudo().create(
            [{**item, "run_id": run.id, "lease_until": lease} for item in items]
        )
        return run

    @api.model
    def _start(self, kind, items, background=False):
        """Work on ``items`` and return the run, finished unless ``background``.

        The run lives in a transaction of its own: read it with :meth:`_action_result` or in
        the next request.

        :param list items: values of lines: ``project_id``, and for users ``login``, ``user_name``
        """
        self.env.flush_all()
        with self._own_transaction() as self_own:
            # Writing here would wait for the transaction that waits for us.
            background = background or self_own._is_any_locked(items)
            run = self_own._create_run(kind, items, background)
            if background:
                self_own.env.ref("fleet_databases.ir_cron_work").sudo()._trigger()
            else:
                self_own.env.cr.commit()  # the lines are the record of what was begun
                self_own.sudo()._work(run)
        self.env.invalidate_all()
        return self.browse(run.id)

    @api.model
    def _is_any_locked(self, items):
        """Tell whether a transaction, such as the caller's own, is changing one of the databases."""
        ids = tuple({item["project_id"] for item in items}) or (0,)
        free = self.env.execute_query(
            SQL("SELECT id FROM project_project WHERE id IN %s FOR NO KEY UPDATE SKIP LOCKED", ids)
        )
        return bool(items) and len(free) < len(ids)

    # ------------------------------------------------------------------
    # Actions
    # ------------------------------------------------------------------

    def _action_follow(self):
        """Return the action that shows the progress of a run in the background."""
        self.ensure_one()
        return {
            "type": "ir.actions.client",
            "tag": "fleet_databases.follow_run",
            "params": {"run_id": self.id},
        }

    def _action_result(self):
        """Return the action that tells what came of a finished synchronisation."""
        self.ensure_one()
        with self._own_transaction() as run:
            if run.state == "running":
                return self._action_follow()
            failed = run.line_ids.filtered(lambda line: line.state == "failed")
            message = run._get_result_message(failed)
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "warning" if failed else "success",
                "message": message,
                "sticky": bool(failed),
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }

    def _get_result_message(self, failed):
        message = self.env._("%(count)s database(s) synchronized.", count=self.done_count)
        if failed:
            message += " " + self.env._("%(count)s failed:", count=len(failed))
            message += "".join(f"\n{line.project_id.name}: {line.sentence}" for line in failed[:5])
        if len(failed) > 5:
            message += "\n" + self.env._("and %(count)s more", count=len(failed) - 5)
        return message

    def action_open(self):
        """Open this run with its results."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": self._name,
            "res_id": self.id,
            "views": [(False, "form")],
        }

    def action_retry(self):
        """Start a new run with what failed in this one."""
        self.ensure_one()
        failed = self.line_ids.filtered(lambda line: line.state == "failed")
        if not failed:
            raise UserError(
                self.env._("Nothing failed in this run, so there is nothing to try again.")
            )
        items = [
            {"project_id": line.project_id.id, "login": line.login, "user_name": line.user_name}
            for line in failed
        ]
        return self._start_and_open(self.kind, items)

    @api.model
    def _start_and_open(self, kind, items):
        """Work on ``items``, in the background when they are many, and open the run."""
        if kind != "sync" and not self.env.user.has_group(
            "fleet_databases.group_databases_manager"
        ):
            raise AccessError(
                self.env._("Only a Databases Administrator may invite or remove users.")
            )
        # Each user is some calls more: many of them take as long as many databases.
        background = len(items) > FOREGROUND_LIMIT
        run = self._start(kind, items, background)
        return run._action_follow() if background else run.action_open()
