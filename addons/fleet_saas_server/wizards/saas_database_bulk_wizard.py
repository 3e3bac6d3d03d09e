from odoo import Command, api, fields, models
from odoo.exceptions import UserError

from ..models.saas_database_bulk import BULK_KINDS


class SaasDatabaseBulkWizard(models.TransientModel):
    """Ask what to do to the selected databases; the next screen is the preview."""

    _name = "saas.database.bulk.wizard"
    _description = "Operation on the Selected Databases"

    database_ids = fields.Many2many("saas.database", required=True, readonly=True)
    kind = fields.Selection("_selection_kind", required=True, default="snapshot")
    reason = fields.Char(size=200)
    module_action = fields.Selection(
        [("install", "Install"), ("upgrade", "Upgrade"), ("uninstall", "Uninstall")],
        default="upgrade",
    )
    modules = fields.Char(help="Technical names, separated by commas or blanks.")
    key = fields.Char("System Parameter")
    value = fields.Char(help="Empty: the parameter is removed.")
    canary = fields.Boolean("First One Alone", default=True)
    at_once = fields.Integer("At the Same Time", default=3)
    stop_after = fields.Integer("Stop After Failures", default=1)

    @api.model
    def _selection_kind(self):
        return [(kind, self.env["saas.operation"]._get_kind_label(kind)) for kind in BULK_KINDS]

    @api.model
    def default_get(self, fields):
        values = super().default_get(fields)
        if "database_ids" in fields and self.env.context.get("active_ids"):
            values["database_ids"] = [Command.set(self.env.context["active_ids"])]
        return values

    def action_preview(self):
        """Make the preview and show it."""
        self.ensure_one()
        if not self.env.user.has_group("fleet_saas_server.group_hosting_operator"):
            raise UserError(self.env._("Only hosting operators may do this."))
        bulk = (
            self.env["saas.database.bulk"]
            .sudo()
            ._prepare_bulk(
                self.kind,
                self.database_ids,
                self._prepare_arguments(),
                canary=self.canary,
                at_once=self.at_once,
                stop_after=self.stop_after,
            )
        )
        return {
            "type": "ir.actions.act_window",
            "res_model": bulk._name,
            "res_id": bulk.id,
            "view_mode": "form",
        }

    def _prepare_arguments(self):
        if self.kind in ("suspend", "archive", "snapshot"):
            return {"reason": self.reason or None}
        if self.kind == "modules":
            names = (self.modules or "").replace(",", " ").split()
            return {"action": self.module_action, "modules": names}
        if self.kind == "parameters":
            return {"values": {self.key or "": self.value or None}}
        return {}
