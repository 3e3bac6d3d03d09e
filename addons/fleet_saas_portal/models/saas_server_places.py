from odoo import api, fields, models


class SaasServer(models.Model):
    """Room as stored figures, which graphs can add up.

    They are those of the last answer: were they of now, every new instance would write the row
    that the scheduled actions write too, and wait for them.
    """

    _inherit = "saas.server"

    places_used = fields.Integer(compute="_compute_places", store=True, aggregator="sum")
    places_free = fields.Integer(
        compute="_compute_places",
        store=True,
        aggregator="sum",
        help="How many databases still fit; 0 when the server does not tell.",
    )

    @api.depends("capacity", "last_contact", "max_instances")
    def _compute_places(self):
        for server in self:
            known = server.max_instances or "free_places" in (server.capacity or {})
            server.places_used = server.instance_count
            server.places_free = max(0, server._get_free_places()) if known else 0
