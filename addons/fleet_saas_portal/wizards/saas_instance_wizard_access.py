from odoo import api, fields, models

HOURS = 1


class SaasInstanceWizard(models.TransientModel):
    """Who resets the administrator could log in as one: it takes the same access as going in."""

    _inherit = "saas.instance.wizard"

    is_let_in = fields.Boolean(compute="_compute_is_let_in", export_string_translation=False)
    asks_approval = fields.Boolean(related="instance_id.asks_approval")

    @api.depends("instance_id")
    @api.depends_context("uid")
    def _compute_is_let_in(self):
        Access = self.env["saas.access.request"]
        for wizard in self:
            wizard.is_let_in = bool(Access._get_usable(wizard.instance_id))

    def _ask_for_access(self, login):
        """Record why the administrator is reset, or ask the customer first.

        :return: the question, when the customer has to answer it; nothing when it may be done now
        """
        Access = self.env["saas.access.request"]
        instance = self.instance_id
        if Access._get_usable(instance):
            return None
        access = Access._ask(instance, login or instance.admin_login or "admin", self.reason, HOURS)
        if access.state == "granted":
            return None
        # What was typed is not kept for a day that may not come.
        self.sudo().hashed = False
        return access
