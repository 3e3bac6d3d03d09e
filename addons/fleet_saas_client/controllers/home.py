from odoo.http import request, route

from odoo.addons.web.controllers.home import Home


class SaasHome(Home):
    @route()
    def web_login(self, *args, **kwargs):
        response = super().web_login(*args, **kwargs)
        if response.is_qweb:
            response.qcontext["fleet_connect"] = self._get_connect_link()
        return response

    def _get_connect_link(self):
        """Return where the login page leads to the portal, None without one."""
        client = request.env["saas.client"].sudo()
        portal = client._get_sso_portal()
        if not portal:
            return None
        standing = client._get_standing()
        return {
            "url": f"{portal.url}/my/databases/connect/{standing.document.audience}",
            "name": client._get_provider(standing),
        }
