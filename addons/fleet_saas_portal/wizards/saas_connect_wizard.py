from odoo import api, fields, models


class SaasConnectWizard(models.TransientModel):
    """Why an operator enters a customer's database, as whom, and for how long."""

    _name = "saas.connect.wizard"
    _description = "Connect to a Customer's Database"

    instance_id = fields.Many2one("saas.instance", required=True, ondelete="cascade")
    asks_approval = fields.Boolean(related="instance_id.asks_approval")
    login = fields.Char(
        "Go In As",
        required=True,
        compute="_compute_login",
        store=True,
        precompute=True,
        readonly=False,
        help="Login of a user of that database. What you do there is done in this user's name; "
        "that it was you is on record there.",
    )
    reason = fields.Char(required=True, help="The customer reads it.")
    hours = fields.Integer("For (Hours)", required=True, default=4)

    @api.depends("instance_id")
    def _compute_login(self):
        for wizard in self:
            wizard.login = wizard.login or wizard.instance_id.admin_login or "admin"

    def action_connect(self):
        """Go in, or ask the customer first."""
        self.ensure_one()
        access = self.env["saas.access.request"]._ask(
            self.instance_id, self.login, self.reason, self.hours
        )
        if access.state == "granted":
            return {**access.action_connect(), "close": True}
        return {
            "type": "ir.actions.act_window",
            "res_model": "saas.access.request",
            "res_id": access.id,
            "view_mode": "form",
        }
