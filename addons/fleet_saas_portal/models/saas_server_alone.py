from odoo import fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from .saas_instance import GONE


class SaasServer(models.Model):
    """Servers that one customer has alone, by the hosting mode of its plan."""

    _inherit = "saas.server"

    policies = fields.Json("Backup Policies", readonly=True, copy=False)

    def _take_answer(self, answer, error):
        super()._take_answer(answer, error)
        if not error:
            policies = answer[0].policies
            self.sudo().policies = None if policies is None else list(policies)

    def _leave_alone(self, instance):
        """Return the servers that ``instance`` may go to: none that another customer has alone.

        :raises UserError: its plan wants a server without other customers, and there is none
        """
        fitting = self.filtered(lambda server: server._is_open_to(instance))
        if instance.plan_id.mode == "dedicated" and self and not fitting:
            raise UserError(
                self.env._(
                    "The plan %(plan)s wants a server without other customers, and none is free. "
                    "Add a server, or choose another plan.",
                    plan=instance.plan_id.name,
                )
            )
        return fitting

    def _is_open_to(self, instance):
        """Tell whether ``instance`` may be beside those that are here or on their way; needs sudo."""
        self.ensure_one()
        customer = instance.partner_id.commercial_partner_id
        others = (
            Domain("server_id", "=", self.id)
            & Domain("state", "not in", ("draft", *GONE))
            & Domain("partner_id.commercial_partner_id", "!=", customer.id)
        )
        if instance.plan_id.mode != "dedicated":
            others &= Domain("plan_id.mode", "=", "dedicated")
        return not self.env["saas.instance"].search_count(others, limit=1)
