from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from ..hosting import contract
from ..hosting.errors import HostingError
from ..hosting.journal import ACTIVE
from ..hosting.kinds import KINDS
from .saas_errors import words

# What can be done to many databases at once.
BULK_KINDS = (
    "suspend",
    "resume",
    "archive",
    "undelete",
    "snapshot",
    "backup",
    "modules",
    "parameters",
)
# Every state and the states it may go to.
TRANSITIONS = {
    "draft": ("canary", "running"),
    "canary": ("running", "stopped", "done"),
    "running": ("stopped", "done"),
    "stopped": ("canary", "running", "done"),
    "done": (),
}


class SaasDatabaseBulk(models.Model):
    """One operation on many databases: the first alone, then some at a time, until too many fail."""

    _name = "saas.database.bulk"
    _description = "Operation on Many Databases"
    _inherit = ["saas.guarded"]
    _order = "id DESC"

    name = fields.Char(compute="_compute_name")
    kind = fields.Selection("_selection_kind", required=True, readonly=True)
    arguments = fields.Json(readonly=True, groups="fleet_saas_server.group_hosting_operator")
    state = fields.Selection(
        [
            ("draft", "Preview"),
            ("canary", "First Database"),
            ("running", "Running"),
            ("stopped", "Stopped"),
            ("done", "Done"),
        ],
        required=True,
        readonly=True,
        default="draft",
    )
    canary = fields.Boolean(
        "First One Alone", default=True, help="The others begin when the first one succeeded."
    )
    at_once = fields.Integer("At the Same Time", default=3, required=True)
    stop_after = fields.Integer("Stop After Failures", default=1, required=True)
    stop_reason = fields.Char(readonly=True)
    line_ids = fields.One2many("saas.database.bulk.line", "bulk_id", "Databases")
    done_count = fields.Integer("Succeeded", compute="_compute_counts")
    failed_count = fields.Integer("Failed", compute="_compute_counts")
    total_count = fields.Integer("Databases in All", compute="_compute_counts")

    _at_once_positive = models.Constraint(
        "CHECK (at_once BETWEEN 1 AND 50)", "1 to 50 databases at the same time."
    )
    _stop_after_positive = models.Constraint(
        "CHECK (stop_after >= 1)", "It stops after 1 failure at the earliest."
    )

    @api.model
    def _selection_kind(self):
        operations = self.env["saas.operation"]
        return [(name, operations._get_kind_label(name)) for name in BULK_KINDS]

    @api.depends("kind", "line_ids")
    def _compute_name(self):
        labels = dict(self._selection_kind())
        for bulk in self:
            label = labels.get(bulk.kind, bulk.kind)
            if bulk.total_count == 1:
                bulk.name = self.env._("%s 1 database", label)
            else:
                count = bulk.total_count
                bulk.name = self.env._("%(what)s %(count)s databases", what=label, count=count)

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
    def _prepare_bulk(self, kind, databases, arguments, **values):
        """Return a preview: what would be done to which database, and where it cannot be.

        :raises UserError: the arguments are not acceptable, in words
        """
        if kind not in BULK_KINDS:
            raise UserError(self.env._("This cannot be done to many databases at once."))
        try:
            contract.check_arguments(kind, KINDS[kind].arguments, arguments)
        except HostingError as error:
            raise UserError(words(self.env, error.code, error.facts)) from error
        lines = [
            fields.Command.create({"database_id": database.id, "sequence": number})
            for number, database in enumerate(databases)
        ]
        bulk = self.create({"kind": kind, "arguments": arguments, "line_ids": lines, **values})
        bulk.line_ids._preview()
        return bulk

    # --- buttons

    def action_start(self):
        """Begin with the first database, or with several."""
        self.env["saas.operation"]._check_allowed()
        for bulk in self:
            bulk.sudo()._set_state("canary" if bulk.canary else "running")
            bulk.sudo()._advance()

    def action_stop(self):
        """Begin with no other database; those that have begun end."""
        self.env["saas.operation"]._check_allowed()
        for bulk in self:
            reason = self.env._("Stopped by %s.", self.env.user.name)
            bulk.sudo()._set_state("stopped", reason)

    def action_resume(self):
        """Go on, with another try where it failed."""
        self.env["saas.operation"]._check_allowed()
        for bulk in self:
            bulk_sudo = bulk.sudo()
            bulk_sudo.line_ids.filtered(lambda line: line.state == "failed")._begin_again()
            first_done = any(line.state == "done" for line in bulk_sudo.line_ids)
            bulk_sudo._set_state("running" if first_done or not bulk.canary else "canary")
            bulk_sudo._advance()

    # --- going on

    def _advance(self):
        """Look what ended, and begin with as many databases as may run at the same time."""
        for bulk in self:
            # Two operations may end at once; the second one's end finds what the first one left.
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
        if all(line.state in ("done", "failed", "skipped") for line in self.line_ids):
            self._set_state("done" if self.state != "stopped" else "stopped", self.stop_reason)

    def _stop_if_failed(self):
        failed = len(self.line_ids.filtered(lambda line: line.state == "failed"))
        if failed and (self.state == "canary" or failed >= self.stop_after):
            self._set_state("stopped", self.env._("Databases that failed: %s.", failed))
            return True
        return False

    def _get_next_line(self):
        """Return the line that begins now, an empty one when as many as allowed are running."""
        states = self.line_ids.mapped("state")
        if states.count("running") >= (1 if self.state == "canary" else self.at_once):
            return self.line_ids.browse()
        return self.line_ids.filtered(lambda line: line.state == "waiting")[:1]

    @api.model
    def _cron_advance(self):
        """Go on where the end of an operation was missed."""
        self.search([("state", "in", ("canary", "running"))])._advance()


class SaasDatabaseBulkLine(models.Model):
    """One database of an operation on many, with its result."""

    _name = "saas.database.bulk.line"
    _description = "Database of an Operation on Many"
    _order = "bulk_id, sequence, id"

    bulk_id = fields.Many2one(
        "saas.database.bulk", required=True, readonly=True, index=True, ondelete="cascade"
    )
    sequence = fields.Integer(export_string_translation=False)
    database_id = fields.Many2one(
        "saas.database", required=True, readonly=True, index=True, ondelete="cascade"
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
    operation_id = fields.Many2one("saas.operation", readonly=True, index=True, ondelete="set null")
    problem = fields.Char("Result", readonly=True)

    def _preview(self):
        """Write why a database cannot take part; nothing else is changed."""
        for line in self:
            line.problem = line._get_refusal()

    def _get_refusal(self):
        """Return why the operation would be refused now, False when it would not."""
        kind = KINDS[self.bulk_id.kind]
        arguments = contract.check_arguments(
            kind.name, kind.arguments, self.bulk_id.arguments or {}
        )
        owner_sudo = self.env[kind.owner].sudo()
        try:
            with self.env.cr.savepoint() as savepoint:
                owner_sudo._prepare_operation(kind, self.database_id._get_target(), arguments)
                # What was reserved belongs to no operation.
                savepoint.rollback()
                self.env.invalidate_all(flush=False)
        except UserError as error:
            return str(error)
        return False

    def action_leave_out(self):
        """Leave a database out that has not begun."""
        self.env["saas.operation"]._check_allowed()
        self.sudo().filtered(lambda line: line.state == "waiting").state = "skipped"

    def _begin(self):
        """Ask for the operation on this database; a refusal is a failure of this line."""
        bulk = self.bulk_id
        key = f"bulk:{bulk.id}:{self.id}:{self.attempt}"
        try:
            operation = self.env["saas.operation"]._submit(
                bulk.kind, self.database_id._get_target(), bulk.arguments, key
            )
        except UserError as error:
            self.write({"state": "failed", "problem": str(error)})
        else:
            self.write({"state": "running", "operation_id": operation.id, "problem": False})

    def _begin_again(self):
        for line in self:
            line.write({"state": "waiting", "attempt": line.attempt + 1, "problem": False})

    def _read_results(self):
        """Write how ended operations ended."""
        for line in self.filtered(lambda line: line.state == "running"):
            operation = line.operation_id
            if operation.state == "done":
                line.write({"state": "done", "problem": False})
            elif operation.state not in ACTIVE:
                reason = operation.error or self.env._("The operation is gone.")
                line.write({"state": "failed", "problem": reason})


class SaasOperationOwner(models.AbstractModel):
    _inherit = "saas.operation.owner"

    @api.model
    def _apply_operation(self, operation):
        result = super()._apply_operation(operation)
        domain = Domain("operation_id", "=", operation.id) & Domain("state", "=", "running")
        lines = self.env["saas.database.bulk.line"].sudo().search(domain)
        lines.bulk_id._advance()
        return result
