from odoo import models

OURS = "/fleet_"
# The pages of Odoo's own JavaScript tests; they load ours beside everything else.
PAGES_OF_TESTS = ("web.assets_unit_tests_setup", "web.tests_assets")


class IrQweb(models.AbstractModel):
    _inherit = "ir.qweb"

    def _get_bundles_to_pregenarate(self):
        """Leave out Odoo's own: they take half a minute, and no test of ours opens them.

        A bundle that cannot be generated is an error in the log, so those with ours stay.
        """
        js, css = super()._get_bundles_to_pregenarate()
        ours = {bundle for bundle in js | css if self._holds_ours(bundle)}
        return js & ours, css & ours

    def _holds_ours(self, bundle):
        if bundle in PAGES_OF_TESTS:
            return False
        files = self.env["ir.asset"]._get_asset_paths(bundle, {})
        return any(path.startswith(OURS) for path, *_rest in files)
