from werkzeug.exceptions import Forbidden, NotFound

from odoo import http
from odoo.http import request

from ..hosting import archive_work
from .archive import send

AGENT = "fleet_saas_server.group_hosting_agent"


class ExportController(http.Controller):
    @http.route(
        "/fleet/export/<string:key>",
        type="http",
        auth="bearer",
        methods=["GET"],
        readonly=True,
        save_session=False,
    )
    def download(self, key):
        """Send the archive that the operation ``export`` with this idempotency key has written."""
        if not request.env.user.has_group(AGENT):
            raise Forbidden
        operation = (
            request.env["saas.operation"]
            .sudo()
            .search([("key", "=", key), ("kind", "=", "export")], limit=1)
        )
        path = operation and archive_work.export_path(operation._get_host(), operation.archive_file)
        if not path:
            raise NotFound
        return send(path)
