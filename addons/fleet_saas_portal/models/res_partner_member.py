from odoo import fields, models


class ResPartner(models.Model):
    _inherit = "res.partner"

    saas_member_ids = fields.One2many(
        "saas.member",
        "partner_id",
        "Users of the Databases",
        groups="fleet_saas_portal.group_saas_user",
    )
