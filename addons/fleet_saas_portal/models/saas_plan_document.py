from odoo import models


class SaasPlan(models.Model):
    _inherit = "saas.plan"

    def write(self, vals):
        result = super().write(vals)
        if {"name", "soft_percent", "allowed_apps", "backup_policy"} & vals.keys():
            self.env["saas.instance"]._tell_soon()
        return result
