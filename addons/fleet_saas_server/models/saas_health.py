from odoo import api, models


class SaasHealth(models.AbstractModel):
    """The machine itself: what it has, what it lacks."""

    _name = "saas.health"
    _description = "Health of the Hosting Server"
    _inherit = ["saas.operation.owner"]

    @api.model
    def _prepare_operation(self, kind, target, arguments):
        return {"request": arguments}
