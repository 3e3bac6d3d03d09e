from odoo import api, fields, models

from .. import settings
from ..vault import Vault, VaultError
from .databases_odoocom import LOGIN_PARAMETER, SECRET_PARAMETER


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    databases_odoocom_login = fields.Char("API User", config_parameter=LOGIN_PARAMETER)
    # Computed on purpose: a stored field would leave the key in the table of this wizard.
    databases_odoocom_key = fields.Char(
        "API Key",
        compute="_compute_databases_odoocom_key",
        inverse="_inverse_databases_odoocom_key",
        exportable=False,
    )
    databases_has_odoocom_key = fields.Boolean(compute="_compute_databases_odoocom_key")
    databases_template_id = fields.Many2one(
        "project.project",
        "Project Template",
        config_parameter="fleet_databases.template_id",
        domain=[("is_template", "=", True)],
    )
    databases_secret_state = fields.Selection(
        [("ok", "In order"), ("missing", "Missing"), ("malformed", "Not valid")],
        compute="_compute_databases_server",
    )
    databases_allow_private = fields.Boolean(compute="_compute_databases_server")
    databases_threads = fields.Integer(compute="_compute_databases_server")

    @api.depends("company_id")
    def _compute_databases_odoocom_key(self):
        stored = self.env["ir.config_parameter"].sudo().get_param(SECRET_PARAMETER)
        for config in self:
            config.databases_odoocom_key = False
            config.databases_has_odoocom_key = bool(stored)

    def _inverse_databases_odoocom_key(self):
        for config in self:
            # Write-only: an empty field means "as it was"; see action_databases_forget_key.
            if key := (config.databases_odoocom_key or "").strip():
                self.env["databases.odoocom"]._set_key(key)
        # Or the answer to the request that stored it would hold it.
        self.invalidate_recordset(["databases_odoocom_key", "databases_has_odoocom_key"])

    @api.depends("company_id")
    def _compute_databases_server(self):
        try:
            Vault(settings.secret_keys())
            state = "ok"
        except VaultError as error:
            state = error.code
        for config in self:
            config.databases_secret_state = state
            config.databases_allow_private = settings.network_policy().allow_private
            config.databases_threads = settings.threads()

    def action_databases_forget_key(self):
        """Remove the stored key of Odoo.com."""
        self.check_access("write")
        self.env["databases.odoocom"]._set_key("")
        return {"type": "ir.actions.client", "tag": "reload"}

    def action_databases_pull(self):
        """Save, pull the account's databases and show what came of it."""
        self.execute()
        self.env.cr.commit()  # the pull reads these settings in a transaction of its own
        return self.env["databases.odoocom"]._pull_now()
