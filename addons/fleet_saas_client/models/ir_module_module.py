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
        # What is refused is undone, also for who catches the exception and goes on.
        with self.env.cr.savepoint():
            modules = super().create(vals_list)
            standing = self.env["saas.client"]._get_standing()
            modules.filtered(lambda module: module.state in LOADED)._check_apps(standing)
        return modules

    def write(self, vals):
        standing = self.env["saas.client"]._get_standing()
        if not standing.is_enforced or not {"name", "state", "imported"} & vals.keys():
            return super().write(vals)
        before = {module: (module.name, module.state) for module in self}
        with self.env.cr.savepoint():
            result = super().write(vals)
            self._check_changes(standing, before)
        return result

    def _check_changes(self, standing, before):
        for module, (name, state) in before.items():
            if state not in LOADED and module.state in LOADED:
                module._check_apps(standing)
            if module.name != name:
                self.env["saas.client"]._refuse(
                    standing, self.env._("The module %s keeps its name.", name)
                )
        self._check_still_loaded(standing)

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
        refused = self.filtered(
            lambda module: module._is_app() and not _comes_along(module.name, allowed)
        )
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


def _comes_along(name, allowed):
    """Tell whether an app is allowed: by the plan, or because Odoo installs it by itself.

    It does so as soon as all that the app waits for is there, and would install nothing without it.
    """
    if name in allowed:
        return True
    manifest = Manifest.for_addon(name, display_warning=False)
    if not manifest or manifest["auto_install"] is False:
        return False
    return all(
        _comes_along(each, allowed)
        for each in _with_dependencies(manifest["depends"])
        if (found := Manifest.for_addon(each, display_warning=False)) and found["application"]
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
