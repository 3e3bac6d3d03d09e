import time

from odoo import api, models
from odoo.http import request

from .. import pages

# What stays open in a suspended database: the provider's own way in, leaving, and Odoo's answer to
# who asks whether it lives.
OPEN = ("/fleet/sso", "/web/session/logout", "/web/health")
OPERATOR = "fleet_operator"
UNTIL = "fleet_until"


class IrHttp(models.AbstractModel):
    _inherit = "ir.http"

    @classmethod
    def _authenticate(cls, endpoint):
        cls._end_in_time()
        cls._close_when_suspended()
        return super()._authenticate(endpoint)

    @classmethod
    def _serve_fallback(cls):
        if cls._end_in_time():
            cls._auth_method_public()
        cls._close_when_suspended()
        return super()._serve_fallback()

    @classmethod
    def _end_in_time(cls):
        """Log out who was let in until a time that is over, such as an operator of the provider.

        :return: whether somebody was; then the request is nobody's
        """
        until = request.session.get(UNTIL)
        if not (until and request.session.uid and time.time() >= until):
            return False
        request.session.logout(keep_db=True)
        # Odoo asks the environment, not the session, who makes this very request.
        request.env = api.Environment(request.env.cr, None, request.session.context)
        return True

    @classmethod
    def _close_when_suspended(cls):
        """Answer 503 instead of what was asked for, but to operators of the provider."""
        client = request.env["saas.client"].sudo()
        standing = client._get_standing()
        if not standing.is_suspended or request.httprequest.path in OPEN:
            return
        session = request.session
        if session.uid and session.get(OPERATOR) == session.uid:
            return
        pages.abort_suspended(client, standing)

    def session_info(self):
        result = super().session_info()
        if self.env.user._is_internal() and (found := self.env["saas.client"]._get_banner()):
            result["fleet_saas"] = found
        return result
