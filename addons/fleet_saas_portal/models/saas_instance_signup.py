from odoo import models


class SaasInstance(models.Model):
    _inherit = "saas.instance"

    def _request_ended(self, request):
        super()._request_ended(request)
        if request.kind == "create":
            signups = self.env["saas.signup"].sudo().search([("instance_id", "in", self.ids)])
            signups._instance_ended(request)
