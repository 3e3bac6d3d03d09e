"""What the screens of an operation show besides its record."""

from odoo import api, fields, models
from odoo.fields import Domain

from ..hosting.journal import ACTIVE
from ..hosting.template_names import code_of
from .saas_operation_labels import BYTE_FACTS
from .saas_sizes import format_size

LONG = 60  # characters of one fact that are shown
SEALED_FACTS = ("link",)  # encrypted: nobody reads anything in them


class SaasOperation(models.Model):
    _inherit = "saas.operation"

    kind_label = fields.Char("Operation", compute="_compute_kind_label")
    target_name = fields.Char("Database or Template", compute="_compute_target_name")
    duration = fields.Char(compute="_compute_duration")
    share_done = fields.Float("Progress", compute="_compute_share_done")
    doing = fields.Char("Now", compute="_compute_doing")
    failure = fields.Char("What Happened", compute="_compute_failure")
    is_stuck = fields.Boolean(
        "Waits for Another Try", compute="_compute_is_stuck", export_string_translation=False
    )
    has_link = fields.Boolean(compute="_compute_has_link", export_string_translation=False)
    can_retry = fields.Boolean(compute="_compute_can_retry", export_string_translation=False)
    has_report = fields.Boolean(compute="_compute_report_words", export_string_translation=False)
    report_words = fields.Json(compute="_compute_report_words", export_string_translation=False)

    @api.depends("kind")
    @api.depends_context("lang")
    def _compute_kind_label(self):
        for operation in self:
            operation.kind_label = self._get_kind_label(operation.kind)

    @api.depends("target")
    def _compute_target_name(self):
        for operation in self:
            operation.target_name = code_of(operation.target or "")

    @api.depends("seconds")
    def _compute_duration(self):
        for operation in self:
            operation.duration = self._format_seconds(operation.seconds, operation.started)

    @api.model
    def _format_seconds(self, seconds, started):
        """Return a duration as people read it: ``0.8 s``, ``42 s``, ``12 min``, ``2 h 5 min``."""
        if not started:
            return ""
        if seconds < 10:
            return self.env._("%s s", f"{seconds:.1f}")
        if seconds < 600:
            return self.env._("%s s", round(seconds))
        hours, minutes = divmod(round(seconds / 60), 60)
        if hours:
            return self.env._("%(hours)s h %(minutes)s min", hours=hours, minutes=minutes)
        return self.env._("%s min", minutes)

    @api.depends("step_ids.state", "progress", "state")
    def _compute_share_done(self):
        for operation in self:
            states = operation.step_ids.mapped("state")
            done = states.count("done") + ("running" in states) * operation.progress / 100
            operation.share_done = 100 * min(done / len(states), 1) if states else 0

    @api.depends("step_ids.state", "state", "progress_text")
    @api.depends_context("lang")
    def _compute_doing(self):
        for operation in self:
            step = operation.step_ids.filtered(lambda step: step.state == "running")[:1]
            parts = (step.label, operation._get_progress_label()) if step else ()
            operation.doing = ": ".join(filter(None, parts)) if operation.state in ACTIVE else False

    @api.depends("state", "error_code", "step_ids.state")
    @api.depends_context("lang")
    def _compute_failure(self):
        for operation in self:
            operation.failure = operation._get_failure()

    def _get_failure(self):
        """Return in which step the operation ended badly and what became of its steps."""
        if self.state not in ("failed", "undoing"):
            return False
        step = self._get_broken_step()
        if not step:
            return self.env._("It failed before its first step.")
        if self.state == "undoing":
            return self.env._("It failed at “%s”; what it had begun is being undone.", step.label)
        if self.error_code == "undo_failed":
            return self.env._("It failed at “%s”.", step.label)
        if any(step.state == "done" for step in self.step_ids):
            return self.env._("It failed at “%s”; the steps before stay as they are.", step.label)
        return self.env._("It failed at “%s”; what it had begun was undone.", step.label)

    def _get_broken_step(self):
        """Return the step in which the operation went wrong, none while all is well."""
        if self.state not in ("failed", "undoing"):
            return self.step_ids.browse()
        begun = self.step_ids.filtered(lambda step: step.state != "pending")
        return begun.filtered(lambda step: step.state != "done")[-1:] or begun[-1:]

    @api.depends("state", "attempt")
    def _compute_is_stuck(self):
        for operation in self:
            operation.is_stuck = operation.state == "queued" and operation.attempt > 0

    @api.depends("state")
    def _compute_can_retry(self):
        for operation in self:
            operation.can_retry = operation._can_retry()

    @api.depends("state", "kind", "step_ids.evidence")
    def _compute_has_link(self):
        for operation in self:
            link = (operation.result.get("link") or {}).get("link")
            operation.has_link = operation.kind == "administrator" and bool(link)

    @api.depends("step_ids.evidence")
    @api.depends_context("lang")
    def _compute_report_words(self):
        for operation in self:
            found = [step["report"] for step in operation.result.values() if step.get("report")]
            operation.has_report = bool(found)
            operation.report_words = self.env["saas.database"]._translate_report(
                found[0] if found else {}
            )

    @api.model
    def _get_last_failures(self, targets):
        """Return by target the last operation, where it failed and nothing was done since."""
        groups = self._read_group(
            Domain("target", "in", list(targets)) & Domain("state", "not in", ACTIVE),
            ["target"],
            ["id:max"],
        )
        latest = self.browse([identifier for _target, identifier in groups])
        return {each.target: each for each in latest if each.state == "failed"}

    def action_view_report(self):
        """Show what this operation switched off in the copy, left on and found unknown."""
        self.ensure_one()
        view = self.env.ref("fleet_saas_server.saas_operation_view_report")
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Neutralisation Report"),
            "res_model": self._name,
            "res_id": self.id,
            "views": [[view.id, "form"]],
            "target": "new",
        }

    def action_show_link(self):
        """Show the link by which the administrator of a database chooses a password."""
        self.ensure_one()
        return self.env["saas.login.wizard"]._get_show_action(
            self.env._("The Administrator Chooses a Password Here"),
            address=self.env["saas.database"]._get_reset_link(self),
        )

    def _get_form_action(self):
        """Return the action that opens the operation."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.name,
            "res_model": "saas.operation",
            "res_id": self.id,
            "views": [[False, "form"]],
        }


class SaasOperationStep(models.Model):
    _inherit = "saas.operation.step"

    duration = fields.Char(compute="_compute_duration")
    icon = fields.Selection(
        [
            ("pending", "To Do"),
            ("running", "Running"),
            ("done", "Done"),
            ("undone", "Undone"),
            ("broken", "Failed Here"),
        ],
        "State as an Icon",
        compute="_compute_icon",
    )

    @api.depends("state", "operation_id.state")
    def _compute_icon(self):
        for step in self:
            broken = step == step.operation_id._get_broken_step()
            step.icon = "broken" if broken else step.state

    @api.depends("started", "ended", "state")
    def _compute_duration(self):
        now = fields.Datetime.now()
        for step in self:
            end = step.ended or (now if step.state == "running" else step.started)
            seconds = max((end - step.started).total_seconds(), 0) if step.started else 0
            step.duration = self.env["saas.operation"]._format_seconds(seconds, step.started)

    @api.depends("evidence")
    @api.depends_context("lang")
    def _compute_evidence_text(self):
        for step in self:
            facts = (step.evidence or {}).items()
            step.evidence_text = ", ".join(filter(None, (self._describe(*fact) for fact in facts)))

    @api.model
    def _describe(self, name, value):
        """Return one fact of the evidence in words, nothing for what is no single value."""
        if name == "report" and isinstance(value, dict):
            return self._describe_report(value)
        if isinstance(value, (dict, list)) or value in (None, "") or name in SEALED_FACTS:
            return ""
        if isinstance(value, bool):
            value = self.env._("yes") if value else self.env._("no")
        elif name.endswith("bytes") or name in BYTE_FACTS:
            value = format_size(self.env, value)
        elif name.endswith("_mb"):
            value = format_size(self.env, value * 2**20)
        text = str(value)
        return f"{self._get_fact_label(name)}: {text if len(text) <= LONG else text[:LONG] + '…'}"

    @api.model
    def _describe_report(self, report):
        """Return how much sealing switched off, left on and did not know."""
        titles = (
            (self.env._("switched off"), "switched_off"),
            (self.env._("left on"), "left_on"),
            (self.env._("unknown"), "unknown"),
        )
        return ", ".join(f"{title}: {self._count(report.get(part))}" for title, part in titles)

    @api.model
    def _count(self, entries):
        if not entries:
            return self.env._("nothing")
        return self.env._(
            "%(records)s (kinds: %(kinds)s)",
            records=sum(entry["count"] for entry in entries),
            kinds=len(entries),
        )
