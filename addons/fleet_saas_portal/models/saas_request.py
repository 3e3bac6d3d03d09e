import uuid
from datetime import timedelta

from psycopg2.errors import UniqueViolation

from odoo import api, fields, models
from odoo.exceptions import AccessError, ConcurrencyError, UserError

# Every state of a request and the states it may go to.
TRANSITIONS = {
    "waiting": ("running", "done", "failed", "cancelled", "refused", "lost"),
    "running": ("done", "failed", "cancelled", "lost", "waiting"),
    "done": (),
    "failed": (),
    "cancelled": (),
    "refused": (),
    "lost": ("running", "done", "failed", "cancelled"),
}
OPEN = ("waiting", "running")
# A server that is silent for longer is somebody's work; what it has done, its inventory tells.
GIVE_UP_AFTER = timedelta(days=2)
KEEP = timedelta(days=400)


class SaasRequest(models.Model):
    """An operation that was asked of a server: sent until it is heard, then watched to its end.

    The idempotency key is the server's memory of it: a lost answer costs nothing but asking again.
    """

    _name = "saas.request"
    _description = "Operation on a Server"
    _order = "id DESC"

    name = fields.Char(compute="_compute_name")
    server_id = fields.Many2one(
        "saas.server", required=True, readonly=True, index=True, ondelete="restrict"
    )
    kind = fields.Char(required=True, readonly=True, index=True)
    target = fields.Char(required=True, readonly=True, index=True)
    key = fields.Char(required=True, readonly=True, copy=False)
    # It may hold what a customer typed, such as the value of a system parameter.
    arguments = fields.Json(readonly=True, groups="fleet_saas_portal.group_saas_admin")
    res_model = fields.Char(readonly=True, index=True, export_string_translation=False)
    res_id = fields.Many2oneReference(
        model_field="res_model", readonly=True, index=True, export_string_translation=False
    )
    state = fields.Selection(
        [
            ("waiting", "Not Sent Yet"),
            ("running", "Under Way"),
            ("done", "Done"),
            ("failed", "Failed"),
            ("cancelled", "Cancelled"),
            ("refused", "Refused"),
            ("lost", "No Answer"),
        ],
        required=True,
        readonly=True,
        default="waiting",
        index=True,
    )
    is_open = fields.Boolean(compute="_compute_is_open", store=True, index=True)
    operation = fields.Integer("Number on the Server", readonly=True)
    progress = fields.Float(readonly=True)
    steps = fields.Json(readonly=True)
    doing = fields.Char(compute="_compute_doing")
    waits = fields.Char("Waits For", readonly=True)
    error = fields.Char("Reason", readonly=True)
    error_code = fields.Char(readonly=True)
    trouble = fields.Char("Why It Is Not Sent", compute="_compute_trouble")
    sent = fields.Datetime(readonly=True)
    ended = fields.Datetime(readonly=True)
    user_id = fields.Many2one("res.users", "Asked By", readonly=True)

    _key_uniq = models.Constraint("UNIQUE(key)", "This idempotency key was used before.")
    _open_idx = models.Index("(server_id, id) WHERE state IN ('waiting', 'running')")

    @api.depends("kind", "target")
    def _compute_name(self):
        for request in self:
            request.name = f"{request.kind} {request.target}"

    @api.depends("state")
    def _compute_is_open(self):
        for request in self:
            request.is_open = request.state in OPEN

    @api.depends("steps", "state", "waits")
    def _compute_doing(self):
        for request in self:
            running = [
                x["name"] for x in request.steps or [] if x["state"] in ("running", "undoing")
            ]
            request.doing = request.waits or (running[0] if running and request.is_open else False)

    @api.depends("state", "server_id.error_code")
    @api.depends_context("lang")
    def _compute_trouble(self):
        for request in self:
            request.trouble = request.is_open and request.server_id.error

    # --- asking

    @api.model
    def _ask(
        self, server, kind, target, arguments=None, key=None, *, res_model=False, res_id=False
    ):
        """Record a request; it is sent as soon as this transaction commits.

        The same key with the same request returns the first one.

        :raises UserError: the key belongs to another request
        """
        values = {
            "server_id": server.id,
            "kind": kind,
            "target": target,
            "arguments": arguments or {},
            "res_model": res_model,
            "res_id": res_id,
        }
        if key and (known := self.search([("key", "=", key)])):
            known._check_same(values)
            return known
        key = key or f"portal:{uuid.uuid4().hex}"
        try:
            with self.env.cr.savepoint():
                request = self.create({**values, "key": key, "user_id": self.env.uid})
        except UniqueViolation as error:
            # A rival with the same key committed after this transaction's snapshot.
            raise ConcurrencyError(f"idempotency key {key}") from error
        self.env.ref("fleet_saas_portal.ir_cron_requests")._trigger()
        return request

    def _check_same(self, values):
        same = all(
            ((self[name].id if name == "server_id" else self[name]) or False) == (value or False)
            for name, value in values.items()
        )
        if not same:
            raise UserError(self.env._("The key %s belongs to another request.", self.key))

    # --- hearing

    def _set_state(self, state, **values):
        """Change the state along `TRANSITIONS`; an end is told to the record that asked."""
        self.ensure_one()
        if state != self.state and state not in TRANSITIONS[self.state]:
            raise ValueError(f"request {self.id} cannot go from {self.state} to {state}")
        changed = state != self.state
        ends = changed and state not in OPEN
        self.write({"state": state, **values, **({"ended": fields.Datetime.now()} if ends else {})})
        record = self._get_record()
        if not changed or not record:
            return
        if state == "running":
            record._request_accepted(self)
        elif ends:
            record._request_ended(self)

    def _get_record(self):
        """Return the record that asked, None when there is none any more."""
        if not self.res_model or self.res_model not in self.env:
            return None
        return self.env[self.res_model].sudo().browse(self.res_id).exists() or None

    def _take_status(self, status):
        """Write what the server says of this request."""
        state = status.state if status.ended else "running"
        self._set_state(
            state,
            operation=status.operation,
            progress=100.0 if state == "done" else status.progress,
            steps=list(status.steps),
            waits=status.waits or False,
            error=status.error or False,
            error_code=status.error_code or False,
            sent=self.sent or fields.Datetime.now(),
        )

    def _take_refusal(self, refusal):
        self._set_state("refused", error=refusal.message, error_code=refusal.code)

    def _take_unknown(self):
        """The server does not know the key that it had accepted: send the request once more.

        That happens when the server's own database was restored from a backup. Whether the change
        was made, its operation finds out as every second run does.
        """
        self._set_state("waiting", operation=0, steps=False)

    def _get_evidence(self, step, fact, default=None):
        """Return what the step ``step`` has left as ``fact``."""
        for each in self.steps or []:
            if each["name"] == step:
                return each["evidence"].get(fact, default)
        return default

    # --- people

    def action_open_record(self):
        """Open the record that asked, or the one whose form shows it."""
        self.ensure_one()
        record = self._get_record()
        if not record:
            raise UserError(self.env._("What asked for it is not there any more."))
        shown = record._get_shown_record()
        return {
            "type": "ir.actions.act_window",
            "res_model": shown._name,
            "res_id": shown.id,
            "view_mode": "form",
        }

    def action_send_now(self):
        """Ask the server again at once."""
        self.check_access("read")
        self.env.ref("fleet_saas_portal.ir_cron_requests").sudo()._trigger()

    def action_give_up(self):
        """Wait no longer for servers that do not answer: what was asked of them can be asked anew."""
        self.check_access("read")
        if not self.env.user.has_group("fleet_saas_portal.group_saas_manager"):
            raise AccessError(self.env._("Only SaaS managers may do this."))
        for request in self.sudo():
            if not request.trouble:
                raise UserError(
                    self.env._("The server answers, so “%s” comes to its end.", request.name)
                )
            request._set_state("lost", error=request.server_id.error)

    @api.autovacuum
    def _gc_requests(self):
        self.search([("ended", "<", fields.Datetime.now() - KEEP)], limit=1000).unlink()
