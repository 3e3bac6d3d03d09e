from odoo import api, models


class SaasHost(models.AbstractModel):
    _inherit = "saas.host"

    @api.model
    @api.readonly
    def capabilities(self):
        """Return also what another server needs to hand a database over to this one."""
        able = super().capabilities()
        places = self.env["saas.backup.place"].sudo()._get_shared()
        return able | {
            "handover_key": self.env["saas.database"].sudo()._get_handover_public_key() or None,
            "handover_places": [
                {"place": identity, "name": place.name, "kind": place.kind}
                for identity, place in places.items()
            ],
        }
