from odoo import models
from odoo.fields import Domain

from .saas_request import OPEN


class SaasServer(models.Model):
    """What a server says of its databases may be older than what became of an operation meanwhile."""

    _inherit = "saas.server"

    def _note_requests(self):
        """Return this server, in whose context stands what is under way; before it is asked."""
        self.ensure_one()
        Request = self.env["saas.request"].sudo()
        under_way = Request.search([("server_id", "=", self.id), ("state", "in", OPEN)])
        last = Request.search([], order="id DESC", limit=1)
        return self.with_context(saas_asked=(under_way.ids, last.id or 0))

    def _get_overtaken(self):
        """Return the ids of the instances with an operation that has ended since `_note_requests`."""
        under_way, last = self.env.context.get("saas_asked") or ((), None)
        if last is None:
            return set()
        ended = (
            Domain("server_id", "=", self.id)
            & Domain("res_model", "=", "saas.instance")
            & Domain("state", "not in", OPEN)
            & (Domain("id", "in", under_way) | Domain("id", ">", last))
        )
        return set(self.env["saas.request"].sudo().search(ended).mapped("res_id"))
