from odoo import api, fields, models


class SaasOperationStep(models.Model):
    """One step of an operation, with what it left behind as evidence."""

    _name = "saas.operation.step"
    _description = "Step of an Operation"
    _order = "operation_id, sequence"

    operation_id = fields.Many2one(
        "saas.operation", required=True, readonly=True, index=True, ondelete="cascade"
    )
    sequence = fields.Integer(readonly=True)
    name = fields.Char("Technical Name", required=True, readonly=True)
    label = fields.Char("Step", compute="_compute_label")
    state = fields.Selection(
        [
            ("pending", "To Do"),
            ("running", "Running"),
            ("done", "Done"),
            ("undone", "Undone"),
        ],
        required=True,
        readonly=True,
        default="pending",
    )
    started = fields.Datetime(readonly=True)
    ended = fields.Datetime(readonly=True)
    seconds = fields.Float("Duration (s)", compute="_compute_seconds", digits=(16, 2))
    evidence = fields.Json("Evidence as Data", readonly=True)
    evidence_text = fields.Char("Evidence", compute="_compute_evidence_text")

    @api.depends("name")
    def _compute_label(self):
        for step in self:
            step.label = self._get_label(step.name)

    @api.depends("started", "ended")
    def _compute_seconds(self):
        for step in self:
            ran = step.started and step.ended
            step.seconds = (step.ended - step.started).total_seconds() if ran else 0

    @api.depends("evidence")
    def _compute_evidence_text(self):
        for step in self:
            facts = (step.evidence or {}).items()
            step.evidence_text = ", ".join(
                f"{name}: {value}" for name, value in facts if not isinstance(value, (dict, list))
            )

    @api.model
    def _get_label(self, name):
        """Return what a step is called in the user's language."""
        return name
