from odoo import models

MENU = "fleet_saas_client.saas_access_menu"


class IrUiMenu(models.Model):
    _inherit = "ir.ui.menu"

    def _load_menus_blacklist(self):
        """Leave the list of accesses out of the menus until there is a first one in it."""
        result = super()._load_menus_blacklist()
        menu = self.env.ref(MENU, raise_if_not_found=False)
        if menu and not self.env["saas.access"].sudo().search_count([], limit=1):
            result.append(menu.id)
        return result
