from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain

from .saas_request import OPEN

# Every state and the states it may go to.
TRANSITIONS = {
    "draft": ("canary", "running"),
    "canary": ("running", "stopped", "done"),
    "running": ("stopped", "done"),
    "stopped": ("canary", "running", "done"),
    "done": (),
}
KINDS = [
    ("create", "Create Database"),
    ("plan", "Change Plan"),
    ("backup", "Back Up"),
    ("snapshot", "Take a Snapshot"),
    ("modules", "Modules"),
    ("parameters", "Set a System Parameter"),
    ("suspend", "Suspend"),
    ("resume", "Resume"),
    ("archive", "Archive"),
    ("undelete", "Bring Back"),
]
ENDED = ("done", "failed", "skipped")


class SaasInstanceBulk(models.Model):
    """One thing done to many instances: the first alone, then some at a time, until too many fail.

    What an instance's request comes to brings the next one on; nothing of it lives in memory.
    """

    _name = "saas.instance.bulk"
    _description = "Operation on Many Instances"
    _order = "id DESC"

    name = fields.Char(compute="_compute_name")
    kind = fields.Selection(KINDS, required=True, readonly=True)
    # It may hold the value of a system parameter.
    arguments = fields.Json(readonly=True, groups="fleet_saas_portal.group_saas_admin")
    plan_id = fields.Many2one("saas.plan", "New Plan", readonly=True, ondelete="restrict")
    state = fields.Selection(
        [
            ("draft", "Preview"),
            ("canary", "First Instance"),
            ("running", "Running"),
            ("stopped", "Stopped"),
            ("done", "Done"),
        ],
        required=True,
        readonly=True,
        default="draft",
        index=True,
    )
    canary = fields.Boolean("First One Alone", default=True, readonly=True)
    at_once = fields.Integer("At the Same Time", default=3, required=True, readonly=True)
    stop_after = fields.Integer("Stop After Failures", default=1, required=True, readonly=True)
    stop_reason = fields.Char(readonly=True)
    company_id = fields.Many2one(
        "res.company", required=True, readonly=True, default=lambda self: self.env.company
    )
    user_id = fields.Many2one(
        "res.users", "Asked By", readonly=True, default=lambda self: self.env.user
    )
    line_ids = fields.One2many("saas.instance.bulk.line", "bulk_id", "Instances", readonly=True)
    done_count = fields.Integer("Succeeded", compute="_compute_counts")
    failed_count = fields.Integer("Failed", compute="_compute_counts")
    total_count = fields.Integer("Instances in All", compute="_compute_counts")

    _at_once_positive = models.Constraint(
        "CHECK (at_once BETWEEN 1 AND 50)", "1 to 50 instances at the same time."
    )
    _stop_after_positive = models.Constraint(
        "CHECK (stop_after >= 1)", "It stops after 1 failure at the earliest."
    )

    @api.depends("kind", "line_ids")
    @api.depends_context("lang")
    def _compute_name(self):
        labels = dict(self._fields["kind"]._description_selection(self.env))
        for bulk in self:
            what, count = labels.get(bulk.kind), len(bulk.line_ids)
            if count == 1:
                bulk.name = self.env._("%s: 1 instance", what)
            else:
                bulk.name = self.env._("%(what)s: %(count)s instances", what=what, count=count)

    @api.depends("line_ids.state")
    def _compute_counts(self):
        for bulk in self:
            states = bulk.line_ids.mapped("state")
            bulk.done_count = states.count("done")
            bulk.failed_count = states.count("failed")
            bulk.total_count = len(states)

    def _set_state(self, state, reason=False):
        """Change the state along `TRANSITIONS`."""
        for bulk in self:
            if state != bulk.state and state not in TRANSITIONS[bulk.state]:
                raise UserError(self.env._("%s is not waiting for this.", bulk.name))
        self.write({"state": state, "stop_reason": reason})

    @api.model
    def _prepare_bulk(self, kind, instances, arguments, **values):
        """Return a preview: what would be done to which instance, and why it cannot be.

        The caller has checked that the person may write the instances.
        """
        lines = [
            fields.Command.create({"instance_id": instance.id, "sequence": number})
            for number, instance in enumerate(instances)
        ]
        bulk = self.create({"kind": kind, "arguments": arguments, "line_ids": lines, **values})
        bulk.line_ids._preview()
        return bulk

    # --- buttons

    def _check_manager(self):
        """Refuse whoever is no manager, or may not write one of the instances."""
        self.check_access("read")
        if not self.env.user.has_group("fleet_saas_portal.group_saas_manager"):
            raise AccessError(self.env._("Only SaaS managers may do this."))
        self.line_ids.instance_id.check_access("write")

    def action_start(self):
        """Begin with the first instance, or with several."""
        self._check_manager()
        for bulk in self.sudo():
            bulk._set_state("canary" if bulk.canary else "running")
            bulk._advance()

    def action_stop(self):
        """Begin with no other instance; those that have begun end."""
        self._check_manager()
        for bulk in self.sudo():
            bulk._set_state("stopped", self.env._("Stopped by %s.", self.env.user.name))

    def action_resume(self):
        """Go on, with another try where it failed."""
        self._check_manager()
        for bulk in self.sudo():
            bulk.line_ids.filtered(lambda line: line.state == "failed")._begin_again()
            first_done = any(line.state == "done" for line in bulk.line_ids)
            bulk._set_state("running" if first_done or not bulk.canary else "canary")
            bulk._advance()

    # --- going on

    def _advance(self):
        """Look what ended, and begin with as many instances as may go on at the same time."""
        for bulk in self:
            # Two requests may end at once; the scheduled action finds what the second one left.
            if bulk.state in ("canary", "running") and bulk.try_lock_for_update():
                bulk._advance_one()

    def _advance_one(self):
        self.line_ids._read_results()
        while not self._stop_if_failed():
            if self.state == "canary" and any(line.state == "done" for line in self.line_ids):
                self._set_state("running")
            line = self._get_next_line()
            if not line:
                break
            line._begin()
        if self.state != "stopped" and all(line.state in ENDED for line in self.line_ids):
            self._set_state("done")

    def _stop_if_failed(self):
        failed = len(self.line_ids.filtered(lambda line: line.state == "failed"))
        if failed and (self.state == "canary" or failed >= self.stop_after):
            self._set_state("stopped", self.env._("Instances that failed: %s.", failed))
            return True
        return False

    def _get_next_line(self):
        """Return the line that begins now, an empty one when as many as allowed are under way."""
        states = self.line_ids.mapped("state")
        if states.count("running") >= (1 if self.state == "canary" else self.at_once):
            return self.line_ids.browse()
        return self.line_ids.filtered(lambda line: line.state == "waiting")[:1]

    @api.model
    def _cron_advance(self):
        """Go on where the end of a request was missed."""
        self.search([("state", "in", ("canary", "running"))])._advance()


class SaasInstanceBulkLine(models.Model):
    """One instance of an operation on many, with its result."""

    _name = "saas.instance.bulk.line"
    _description = "Instance of an Operation on Many"
    _order = "bulk_id, sequence, id"

    bulk_id = fields.Many2one(
        "saas.instance.bulk", required=True, readonly=True, index=True, ondelete="cascade"
    )
    sequence = fields.Integer(export_string_translation=False)
    instance_id = fields.Many2one(
        "saas.instance", required=True, readonly=True, index=True, ondelete="cascade"
    )
    state = fields.Selection(
        [
            ("waiting", "Waiting"),
            ("running", "Running"),
            ("done", "Done"),
            ("failed", "Failed"),
            ("skipped", "Left Out"),
        ],
        required=True,
        readonly=True,
        default="waiting",
    )
    attempt = fields.Integer("Tries", readonly=True)
    request_id = fields.Many2one(
        "saas.request", "Operation", readonly=True, index="btree_not_null", ondelete="set null"
    )
    problem = fields.Char("Result", readonly=True)

    def _preview(self):
        """Write why an instance cannot take part; nothing else is changed."""
        for line in self:
            line.problem = line._get_refusal()

    def _get_refusal(self):
        """Return why it would be refused now, False when it would not."""
        try:
            if self.bulk_id.kind == "plan":
                self.instance_id._check_plan(self.bulk_id.plan_id)
                return False
            with self.env.cr.savepoint() as savepoint:
                self._ask()
                # Nothing was asked: this was to see whether it could be.
                self.env.flush_all()
                savepoint.rollback()
                self.env.invalidate_all(flush=False)
        except UserError as error:
            return str(error)
        return False

    def _ask(self):
        """Ask for it; return the request, an empty one when it is done at once."""
        bulk = self.bulk_id
        if bulk.kind == "plan":
            self.instance_id._change_plan(bulk.plan_id)
            return self.env["saas.request"]
        return self.instance_id._begin(bulk.kind, bulk.arguments)

    def action_leave_out(self):
        """Leave out an instance that has not begun."""
        self.bulk_id._check_manager()
        self.sudo().filtered(lambda line: line.state == "waiting").state = "skipped"

    def _begin(self):
        """Ask for it; a refusal is a failure of this line alone."""
        try:
            with self.env.cr.savepoint():
                request = self._ask()
                self.env.flush_all()
        except UserError as error:
            self.write({"state": "failed", "problem": str(error)})
        else:
            state = "running" if request else "done"
            self.write({"state": state, "request_id": request.id, "problem": False})

    def _begin_again(self):
        for line in self:
            line.write({"state": "waiting", "attempt": line.attempt + 1, "problem": False})

    def _read_results(self):
        """Write how ended requests ended."""
        for line in self.filtered(lambda line: line.state == "running"):
            request = line.request_id
            if request.state == "done":
                line.write({"state": "done", "problem": False})
            elif request.state not in OPEN:
                reason = request.error or self.env._("The operation is gone.")
                line.write({"state": "failed", "problem": reason})


class SaasRequest(models.Model):
    _inherit = "saas.request"

    def _set_state(self, state, **values):
        result = super()._set_state(state, **values)
        if self.state not in OPEN:
            running = Domain("request_id", "=", self.id) & Domain("state", "=", "running")
            self.env["saas.instance.bulk.line"].sudo().search(running).bulk_id._advance()
        return result
