import re

from werkzeug.exceptions import Forbidden, NotFound

from odoo import http
from odoo.exceptions import UserError
from odoo.http import request

from .archive import OPERATOR

_BLOCK = re.compile(r"```sh\n(.*?)```", re.DOTALL)
_PAGE = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "X-Frame-Options": "DENY",
}


def parts(text):
    """Cut a kit's text into pairs of what it is (``h1``, ``h2``, ``p``, ``pre``) and its text."""
    found = []
    for number, piece in enumerate(_BLOCK.split(text)):
        if number % 2:
            found.append(("pre", piece.rstrip("\n")))
            continue
        for paragraph in filter(None, map(str.strip, piece.split("\n\n"))):
            for line in paragraph.split("\n") if paragraph.startswith("#") else [paragraph]:
                marks = len(line) - len(line.lstrip("#"))
                kind = f"h{marks}" if marks else "p"
                found.append((kind, line.lstrip("# ").replace("**", "").strip()))
    return found


class KitController(http.Controller):
    @http.route(
        "/fleet_saas_server/kit/<int:database_id>", type="http", auth="user", methods=["GET"]
    )
    def print_kit(self, database_id):
        """Show the recovery kit of a database; nothing of it is stored or cached."""
        if not request.env.user.has_group(OPERATOR):
            raise Forbidden
        databases = request.env["saas.database"].with_context(active_test=False)
        database = databases.browse(database_id).exists()
        try:
            kits = database and database._get_kits()
        except UserError as error:
            raise NotFound(error.args[0]) from error
        if not kits:
            raise NotFound
        return request.make_response(
            request.env["ir.qweb"]._render(
                "fleet_saas_server.kit_page",
                {"title": database.name, "kits": [parts(each.text()) for each in kits]},
            ),
            headers=[("Content-Type", "text/html; charset=utf-8"), *_PAGE.items()],
        )
