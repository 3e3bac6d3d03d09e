from odoo import api, fields, models

from ..hosting.names import hidden_name


class SaasPoolClone(models.Model):
    """A clone of a template that is ready before anybody asks for it.

    The plain package takes and strikes off clones by SQL (``hosting/pool.py``).
    """

    _name = "saas.pool.clone"
    _description = "Ready Clone"
    _inherit = ["saas.operation.owner"]
    _order = "id"
    _rec_name = "physical"

    physical = fields.Char("Name in PostgreSQL", required=True, readonly=True)
    source = fields.Char("Template Version", required=True, readonly=True, index=True)
    state = fields.Selection(
        [("ready", "Ready"), ("taken", "Taken"), ("leaving", "Being Dropped")],
        required=True,
        readonly=True,
        default="ready",
    )
    operation = fields.Integer("Taken By", readonly=True)
    report = fields.Json("Neutralisation Report", readonly=True)

    _physical_uniq = models.Constraint("UNIQUE(physical)", "This clone is in the pool already.")

    @api.model
    def _prepare_pool_fill(self, target, arguments):
        version = self.env["saas.database.template"]._get_published(target)
        identity = self.env["saas.database"]._get_new_uuid()
        return {
            "request": {"source": version.physical, "uuid": identity, "purpose": "customer"},
            "res_model": version._name,
            "res_id": version.id,
        }

    @api.model
    def _get_new_physical(self):
        """Return a name for a clone that nobody can guess."""
        return hidden_name("pool")
