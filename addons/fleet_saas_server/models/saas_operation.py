import secrets

from dateutil.relativedelta import relativedelta
from psycopg2.errors import UniqueViolation

from odoo import api, fields, models
from odoo.exceptions import ConcurrencyError, UserError
from odoo.fields import Domain

from ..hosting import contract, older
from ..hosting.errors import HostingError
from ..hosting.journal import ACTIVE, TRANSITIONS
from ..hosting.kinds import KINDS
from .saas_errors import KeyReused, words

# What an operation is called that has ended while its records do not say so yet.
SETTLING = {"done": "running", "failed": "undoing", "cancelled": "undoing"}
# What the screens call under way: until then the records do not say what came of it.
UNSETTLED = Domain("state", "in", ACTIVE) | Domain("applied", "=", False)
KEEP_DAYS = 180  # finished operations are kept this long
MAX_UNLINKED = 1000  # records in one transaction


class SaasOperation(models.Model):
    """A change on this server: asked for once, done in known steps, finished or undone by itself.

    While it runs, only its runner writes it, by plain SQL (see ``hosting/journal.py``).
    """

    _name = "saas.operation"
    _description = "Operation"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "id DESC"
    _fleet_encrypted = {"request": ("password", "link_key")}  # see fleet_databases/rotation.py

    name = fields.Char(compute="_compute_name")
    kind = fields.Selection("_selection_kind", required=True, readonly=True, index=True)
    target = fields.Char(required=True, readonly=True, index=True)
    sources = fields.Json(readonly=True, export_string_translation=False)
    key = fields.Char("Idempotency Key", required=True, readonly=True, copy=False)
    digest = fields.Char(readonly=True, export_string_translation=False)
    # It may hold what an operator typed, such as the value of a system parameter.
    request = fields.Json(readonly=True, groups="fleet_saas_server.group_hosting_operator")
    result = fields.Json(compute="_compute_result")
    res_model = fields.Char("Record's Model", readonly=True, export_string_translation=False)
    res_id = fields.Many2oneReference(
        "Record", model_field="res_model", readonly=True, export_string_translation=False
    )
    state = fields.Selection(
        [
            ("queued", "Waiting"),
            ("running", "Running"),
            ("undoing", "Being Undone"),
            ("done", "Done"),
            ("failed", "Failed"),
            ("cancelled", "Cancelled"),
        ],
        required=True,
        readonly=True,
        default="queued",
        index=True,
    )
    applied = fields.Boolean(readonly=True, export_string_translation=False)
    step_ids = fields.One2many("saas.operation.step", "operation_id", "Steps", readonly=True)
    progress = fields.Float("Progress of the Step", readonly=True)
    progress_text = fields.Char("Doing", readonly=True)
    attempt = fields.Integer("Tries", readonly=True)
    deadline_s = fields.Integer("Time Limit (s)", readonly=True, default=3600)
    started = fields.Datetime(readonly=True)
    ended = fields.Datetime(readonly=True)
    seconds = fields.Float("Duration (s)", compute="_compute_seconds")
    heartbeat = fields.Datetime("Last Sign of Life", readonly=True)
    runner = fields.Char("Runs On", readonly=True)
    next_try = fields.Datetime(readonly=True)
    wait_operation = fields.Many2one(
        "saas.operation", "Waits For", readonly=True, ondelete="set null"
    )
    wait_reason = fields.Char(compute="_compute_wait_reason")
    cancel_requested = fields.Boolean(readonly=True)
    can_cancel = fields.Boolean(compute="_compute_can_cancel", export_string_translation=False)
    error_code = fields.Char(readonly=True)
    error_facts = fields.Json(readonly=True, export_string_translation=False)
    error_message = fields.Char(readonly=True)
    error = fields.Char("Reason", compute="_compute_error")

    _key_uniq = models.Constraint("UNIQUE(key)", "This idempotency key was used before.")
    _active_idx = models.Index("(target, id) WHERE state IN ('queued', 'running', 'undoing')")

    @api.model
    def _selection_kind(self):
        return [(name, self._get_kind_label(name)) for name in KINDS]

    @api.depends("kind", "target")
    def _compute_name(self):
        labels = dict(self._selection_kind())
        for operation in self:
            operation.name = f"{labels.get(operation.kind, operation.kind)} {operation.target}"

    @api.depends("started", "ended")
    def _compute_seconds(self):
        for operation in self:
            end = operation.ended or fields.Datetime.now()
            spent = (end - operation.started).total_seconds() if operation.started else 0
            operation.seconds = max(spent, 0)

    @api.depends("step_ids.evidence")
    def _compute_result(self):
        for operation in self:
            operation.result = {step.name: step.evidence or {} for step in operation.step_ids}

    @api.depends("error_code", "error_facts")
    @api.depends_context("lang")
    def _compute_error(self):
        for operation in self:
            operation.error = words(self.env, operation.error_code, operation.error_facts or {})

    @api.depends("state", "next_try", "wait_operation", "error_code")
    @api.depends_context("lang", "tz")
    def _compute_wait_reason(self):
        now = fields.Datetime.now()
        for operation in self:
            reason = False
            if operation.state == "queued":
                if operation.wait_operation:
                    reason = self.env._(
                        "It waits for “%(operation)s” (number %(number)s) to end.",
                        operation=operation.wait_operation.name,
                        number=operation.wait_operation.id,
                    )
                elif operation.next_try and operation.next_try > now:
                    reason = self.env._(
                        "It will be tried again at %(time)s. %(error)s",
                        time=fields.Datetime.context_timestamp(self, operation.next_try).strftime(
                            "%H:%M:%S"
                        ),
                        error=operation.error or "",
                    )
                else:
                    reason = self.env._("It waits for a free runner.")
            operation.wait_reason = reason

    @api.depends("state", "cancel_requested")
    def _compute_can_cancel(self):
        for operation in self:
            operation.can_cancel = (
                operation.state in ("queued", "running") and not operation.cancel_requested
            )

    # --- asking

    @api.model
    def _submit(self, kind, target, arguments=None, key=None):
        """Return the operation for a request; the same key with the same request finds the first.

        :param str kind: one of ``hosting.kinds.KINDS``
        :param str target: the name of the database, or of the template
        :param dict arguments: checked against the kind's contract
        :param str key: idempotency key; without one every call is a new request
        :raises KeyReused: the key belongs to another request
        :raises UserError: the request cannot be accepted, in words
        """
        try:
            if not isinstance(kind, str) or kind not in KINDS:
                raise HostingError("unknown_kind", kind=kind, known=", ".join(KINDS))
            checked = contract.check_arguments(kind, KINDS[kind].arguments, arguments or {})
            target = KINDS[kind].check_target(target)
            key = contract.check_key(key) if key else self._get_new_key(kind)
        except HostingError as error:
            raise UserError(words(self.env, error.code, error.facts)) from error
        digest = contract.digest(kind, target, checked)
        return self._find_key(key, digest) or self._record(
            KINDS[kind], target, checked, key, digest
        )

    @api.model
    def _get_kind_label(self, name):
        """Return what a kind of operation is called in the user's language."""
        return name

    @api.model
    def _get_new_key(self, kind):
        return f"{kind}:{secrets.token_hex(16)}"

    def _find_key(self, key, digest):
        """Return the operation of a key; raise when the key belongs to another request."""
        operation = self.search([("key", "=", key)])
        if operation and operation.digest != digest:
            raise KeyReused(words(self.env, "key_reused", {"key": key}))
        return operation

    def _record(self, kind, target, arguments, key, digest):
        """Record the operation, its steps and what it reserves; it starts when this commits."""
        values = {
            "kind": kind.name,
            "target": target,
            "key": key,
            "digest": digest,
            **self._prepare(kind, target, arguments, key),
        }
        plan = kind.plan(values["request"])
        values["deadline_s"] = plan.deadline_s
        values["step_ids"] = [
            fields.Command.create({"name": step.name, "sequence": number})
            for number, step in enumerate(plan.steps)
        ]
        try:
            with self.env.cr.savepoint():
                operation = self.create(values)
        except UniqueViolation as error:
            # A rival with the same key committed after this transaction's snapshot.
            raise ConcurrencyError(f"idempotency key {key}") from error
        operation._enqueue()
        return operation

    def _prepare(self, kind, target, arguments, key):
        """Have the owner reserve what the operation needs; return values of its record."""
        try:
            return self.env[kind.owner]._prepare_operation(kind, target, arguments)
        except UserError as error:
            # Perhaps it was refused because of the same request, which another one asked meanwhile.
            with self.env.registry.cursor() as cr:
                cr.execute("SELECT 1 FROM saas_operation WHERE key = %s", [key])
                if cr.fetchone():
                    raise ConcurrencyError(f"idempotency key {key}") from error
            raise

    # --- what people can do with one

    def action_cancel(self):
        """Ask for the operation to stop; what it has begun is undone."""
        self._check_allowed()
        for operation in self.sudo():
            if not operation.can_cancel:
                raise UserError(self.env._("%s cannot be cancelled any more.", operation.name))
            if operation.state == "queued" and not operation.attempt:
                operation.write({"state": "cancelled", "ended": fields.Datetime.now()})
                operation._apply()
            else:
                operation.write({"cancel_requested": True, "next_try": False})
                operation._enqueue()

    def action_retry(self):
        """Run a failed or cancelled operation again from its first step that is not done."""
        self._check_allowed()
        for operation in self.sudo():
            if not operation._can_retry():
                raise UserError(self.env._("%s does not need to be tried again.", operation.name))
            request = operation.env[KINDS[operation.kind].owner]._retry_operation(operation)
            # What was undone as a whole is not there any more, and its notes would mislead; what
            # could not be undone needs them.
            if set(operation.step_ids.mapped("state")) <= {"pending", "undone"}:
                operation.step_ids.evidence = False
            operation.step_ids.write({"state": "pending", "started": False, "ended": False})
            operation.write(
                {
                    "state": "queued",
                    "applied": False,
                    "attempt": 0,
                    "cancel_requested": False,
                    "started": False,
                    "ended": False,
                    "next_try": False,
                    "error_code": False,
                    "error_facts": False,
                    "error_message": False,
                    "request": request,
                }
            )
            operation._enqueue()

    def _can_retry(self):
        """Tell whether the operation has ended and may begin again, which `older` ended may not."""
        if self.error_code == older.CODE:
            return False
        return self.state not in ACTIVE and "queued" in TRANSITIONS[self.state]

    def action_give_up(self):
        """Stop waiting for the next try and undo what was begun."""
        self.action_cancel()

    def _get_status(self):
        """Return what ``saas.host`` answers about an operation; times are UTC, in ISO 8601.

        It has ended when its records say so too: whoever hears that may ask for the next one.
        """
        self.ensure_one()
        settled = self.applied or self.state in ACTIVE
        return {
            "key": self.key,
            "operation": self.id,
            "kind": self.kind,
            "target": self.target,
            "state": self.state if settled else SETTLING[self.state],
            "progress": self.progress,
            "waits": self.wait_reason or None,
            "asked": fields.Datetime.to_string(self.create_date),
            "started": fields.Datetime.to_string(self.started) or None,
            "ended": (settled and fields.Datetime.to_string(self.ended)) or None,
            "error": {"code": self.error_code, "message": self.error} if self.error_code else None,
            "steps": [
                {"name": step.name, "state": step.state, "evidence": step.evidence or {}}
                for step in self.step_ids
            ],
        }

    def _check_allowed(self):
        self.check_access("read")
        if not self.env.user.has_group("fleet_saas_server.group_hosting_operator"):
            raise UserError(self.env._("Only hosting operators may do this."))

    def action_open_record(self):
        """Open what the operation works on."""
        self.ensure_one()
        record = self.env[KINDS[self.kind].owner]._get_operation_record(self)
        if not record:
            raise UserError(self.env._("What it worked on is not there any more."))
        return {
            "type": "ir.actions.act_window",
            "res_model": record._name,
            "res_id": record.id,
            "view_mode": "form",
        }

    @api.autovacuum
    def _gc_operations(self):
        """Forget what ended long ago; an idempotency key is worth nothing after that."""
        limit = fields.Datetime.now() - relativedelta(days=KEEP_DAYS)
        domain = Domain("ended", "<", limit) & Domain("state", "not in", ACTIVE)
        found = self.search(domain, limit=MAX_UNLINKED)
        found.unlink()
        return len(found), len(found) == MAX_UNLINKED  # called again while some are left
