from odoo import api, fields, models


class SaasRequestOwner(models.AbstractModel):
    """A record whose life is a server's operations: it asks for them and hears of their end."""

    _name = "saas.request.owner"
    _description = "Asks Servers for Operations"
    # Kinds that hold up nobody: they are not shown as what is under way.
    _quiet_kinds = ()

    request_ids = fields.One2many(
        "saas.request",
        "res_id",
        "Operations",
        domain=lambda self: [("res_model", "=", self._name)],
        readonly=True,
    )
    request_id = fields.Many2one(
        "saas.request", "Operation Under Way", compute="_compute_request_id"
    )
    request_progress = fields.Float("Progress", compute="_compute_request_id")
    request_text = fields.Char("Doing", compute="_compute_request_id")

    @api.depends("request_ids.state", "request_ids.progress", "request_ids.steps")
    def _compute_request_id(self):
        found = self.env["saas.request"].search(
            [
                ("res_model", "=", self._name),
                ("res_id", "in", self.ids),
                ("is_open", "=", True),
                ("kind", "not in", self._quiet_kinds),
            ],
            order="id DESC",
        )
        by_id = {request.res_id: request for request in found}
        for record in self:
            request = by_id.get(record.id, self.env["saas.request"])
            record.request_id = request
            record.request_progress = request.progress
            record.request_text = request.doing

    def _ask_server(self, server, kind, target, arguments=None, key=None):
        """Record a request to ``server`` about this record; it is sent when this commits.

        :param str key: idempotency key, when asking twice must be asking once
        """
        self.ensure_one()
        return (
            self.env["saas.request"]
            .sudo()
            ._ask(server, kind, target, arguments, key, res_model=self._name, res_id=self.id)
        )

    def _get_shown_record(self):
        """Return the record whose form shows this one."""
        self.ensure_one()
        return self

    def _request_accepted(self, request):
        """Take note that the server has begun, or will begin, what was asked."""

    def _request_ended(self, request):
        """Write what came of ``request``: ``done``, ``failed``, ``cancelled`` or ``refused``.

        It runs once, in the transaction that writes the end; an exception takes both back.
        """
