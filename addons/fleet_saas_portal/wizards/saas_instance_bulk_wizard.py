from odoo import Command, api, fields, models
from odoo.exceptions import UserError

from ..models.saas_instance_bulk import KINDS


class SaasInstanceBulkWizard(models.TransientModel):
    """Ask what to do to the selected instances; the next screen is the preview."""

    _name = "saas.instance.bulk.wizard"
    _description = "Operation on the Selected Instances"
    _inherit = ["saas.instance.asking"]

    instance_ids = fields.Many2many("saas.instance", required=True, readonly=True)
    kind = fields.Selection(KINDS, required=True, default="backup")
    canary = fields.Boolean("First One Alone", default=True)
    at_once = fields.Integer("At the Same Time", default=3)
    stop_after = fields.Integer("Stop After Failures", default=1)

    @api.model
    def default_get(self, fields):
        values = super().default_get(fields)
        if "instance_ids" in fields and self.env.context.get("active_ids"):
            values["instance_ids"] = [Command.set(self.env.context["active_ids"])]
        return values

    def action_preview(self):
        """Make the preview and show it."""
        self.ensure_one()
        self.instance_ids.check_access("write")
        if not self.instance_ids:
            raise UserError(self.env._("Choose at least one instance."))
        if self.kind == "plan" and not self.plan_id:
            raise UserError(self.env._("Choose the new plan."))
        bulk = (
            self.env["saas.instance.bulk"]
            .sudo()
            ._prepare_bulk(
                self.kind,
                self.instance_ids,
                self._prepare_arguments(),
                plan_id=self.plan_id.id,
                canary=self.canary,
                at_once=self.at_once,
                stop_after=self.stop_after,
            )
        )
        return self._show(bulk)
