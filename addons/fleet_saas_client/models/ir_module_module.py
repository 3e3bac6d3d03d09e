from odoo import api, models
from odoo.modules import Manifest

OURS = "fleet_saas_client"
LOADED = {"installed", "to upgrade", "to install"}


class IrModuleModule(models.Model):
    """Apps are installed as the plan says, and this addon stays while the provider's word holds.

    Every way to install, be it a button, a setting, another module that needs it, an uploaded
    archive or a call over RPC, ends in a module's state. What the file system says of a module
    counts, not its row, which an administrator may write.
    """

    _inherit = "ir.module.module"

    @api.model_create_multi
    def create(self, vals_list):
        modules = super().create(vals_list)
        standing = self.env["saas.client"]._get_standing()
        modules.filtered(lambda module: module.state in LOADED)._check_apps(standing)
        return modules

    def write(self, vals):
        standing = self.env["saas.client"]._get_standing()
        if not standing.is_enforced or not {"name", "state", "imported"} & vals.keys():
            return super().write(vals)
        before = {module: (module.name, module.state) for module in self}
        result = super().write(vals)
        for module, (name, state) in before.items():
            if state not in LOADED and module.state in LOADED:
                module._check_apps(standing)
            if module.name != name:
                self.env["saas.client"]._refuse(
                    standing, self.env._("The module %s keeps its name.", name)
                )
        self._check_still_loaded(standing)
        return result

    def button_install(self):
        # Before its dependencies are: the refusal names what was asked for.
        asked = self.filtered(lambda module: module.state not in LOADED)
        asked._check_apps(self.env["saas.client"]._get_standing())
        return super().button_install()

    def unlink(self):
        self._check_may_go()
        return super().unlink()

    def module_uninstall(self):
        self._check_may_go()
        return super().module_uninstall()

    def _check_apps(self, standing):
        """Refuse apps that the plan does not have; what an allowed app needs is allowed too."""
        if standing.apps is None or not self:
            return
        allowed = _with_dependencies(standing.apps)
        refused = self.filtered(lambda module: module._is_app() and module.name not in allowed)
        if refused:
            names = ", ".join(module.shortdesc or module.name for module in refused)
            reason = self.env._("Your plan does not include: %(apps)s.", apps=names)
            self.env["saas.client"]._refuse(standing, reason)

    def _is_app(self):
        manifest = Manifest.for_addon(self.name, display_warning=False)
        return bool(manifest["application"] if manifest else self.application)

    def _check_still_loaded(self, standing):
        """Refuse what would keep this addon from being loaded the next time."""
        needed = _with_dependencies([OURS])
        for module in self:
            imported = "imported" in module._fields and module.imported
            if module.name in needed and (module.state not in LOADED or imported):
                self._refuse_to_go(standing)

    def _check_may_go(self):
        standing = self.env["saas.client"]._get_standing()
        if standing.is_enforced and _with_dependencies([OURS]) & set(self.mapped("name")):
            self._refuse_to_go(standing)

    def _refuse_to_go(self, standing):
        self.env["saas.client"]._refuse(
            standing,
            self.env._(
                "The app Hosted Database, and what it needs, stay while %s hosts this database.",
                self.env["saas.client"]._get_provider(standing),
            ),
        )


def _with_dependencies(names):
    """Return ``names`` and all that they depend on, by the manifests."""
    found, todo = set(), list(names)
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        manifest = Manifest.for_addon(name, display_warning=False)
        todo += manifest["depends"] if manifest else []
    return found
