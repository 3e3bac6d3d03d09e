from odoo import api, models


class KpiProvider(models.AbstractModel):
    _inherit = "kpi.provider"

    @api.model
    def get_kpi_summary(self):
        return [*super().get_kpi_summary(), *self._get_demo_documents(), *self._get_demo_returns()]

    @api.model
    def _get_demo_documents(self):
        """Count the files that wait in the inbox: attachments of no record with that description."""
        waiting = [
            ("res_model", "=", False),
            ("type", "=", "binary"),
            ("description", "=", "Inbox"),
        ]
        count = self.env["ir.attachment"].search_count(waiting)
        return [{"id": "documents.inbox", "name": "Inbox", "type": "integer", "value": count}]

    @api.model
    def _get_demo_returns(self):
        grouped = self.env["databases.demo.return"].search([]).grouped("code")
        return [
            {
                "id": f"account_return.{code}",
                "name": returns[0].name,
                "type": "return_status",
                "value": returns._get_status(),
            }
            for code, returns in sorted(grouped.items())
        ]
