import os

from werkzeug.exceptions import Forbidden, NotFound

from odoo import http
from odoo.http import request

from ..hosting import archive_work

OPERATOR = "fleet_saas_server.group_hosting_operator"


class ArchiveController(http.Controller):
    @http.route(
        "/fleet_saas_server/archive/<int:operation_id>",
        type="http",
        auth="user",
        methods=["GET"],
        readonly=True,
    )
    def download(self, operation_id):
        """Send the archive that an operation wrote; the path comes from its evidence alone."""
        if not request.env.user.has_group(OPERATOR):
            raise Forbidden
        operation = request.env["saas.operation"].browse(operation_id).exists()
        path = operation and archive_work.export_path(operation._get_host(), operation.archive_file)
        if not path:
            raise NotFound
        return send(path)


def send(path):
    """Return a response with an archive, the rest of it after a broken download."""
    facts = os.stat(path)
    stream = http.Stream(
        type="path",
        path=str(path),
        mimetype="application/zip",
        download_name=path.name,
        etag=f"{facts.st_mtime_ns}-{facts.st_size}",
        last_modified=facts.st_mtime,
        size=facts.st_size,
    )
    response = stream.get_response(as_attachment=True)
    response.headers["Cache-Control"] = "no-store"
    return response
