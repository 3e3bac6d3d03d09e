from odoo import api, fields, models


class SaasRequest(models.Model):
    """Whose operation it is: that of the record that asked, or of the server."""

    _inherit = "saas.request"

    company_id = fields.Many2one("res.company", readonly=True, index="btree_not_null")

    @api.model_create_multi
    def create(self, vals_list):
        requests = super().create(vals_list)
        for request in requests:
            record = request._get_record()
            asks = record is not None and "company_id" in record._fields
            request.company_id = record.company_id if asks else request.server_id.company_id
        return requests


class SaasInstance(models.Model):
    _inherit = "saas.instance"

    def write(self, vals):
        result = super().write(vals)
        if "company_id" in vals:
            for instance in self.sudo():
                instance.request_ids.company_id = instance.company_id
        return result
