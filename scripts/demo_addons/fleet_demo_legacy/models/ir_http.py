from werkzeug.exceptions import NotFound

from odoo import models

MISSING = ("/json/", "/web/version")


class IrHttp(models.AbstractModel):
    _inherit = "ir.http"

    @classmethod
    def _match(cls, path_info):
        # A server without these addresses answers with its ordinary page "404 Not Found".
        if path_info.startswith(MISSING):
            raise NotFound()
        return super()._match(path_info)
