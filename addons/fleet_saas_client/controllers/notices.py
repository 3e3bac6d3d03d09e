from odoo.http import Controller, request, route


class SaasNotices(Controller):
    @route("/fleet/notices", type="jsonrpc", auth="user", readonly=True)
    def notices(self):
        """Return what `ir.http.session_info` says of it, for a page that stays open for days."""
        if not request.env.user._is_internal():
            return {"notices": []}
        return request.env["saas.client"]._get_banner() or {"notices": []}
