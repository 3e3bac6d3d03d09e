from cryptography.fernet import Fernet

from odoo import models
from odoo.exceptions import UserError

from .. import settings


class SaasDatabase(models.Model):
    """The buttons of a hosted database's life."""

    _inherit = "saas.database"

    def action_suspend(self):
        """Ask for the reason that visitors are told."""
        return self._open_life_wizard("suspend", self.env._("Suspend"))

    def action_archive(self):
        """Ask for the reason that visitors are told."""
        return self._open_life_wizard("archive", self.env._("Archive"))

    def action_rename(self):
        """Ask for the new name."""
        return self._open_life_wizard("rename", self.env._("Rename"))

    def action_drop(self):
        """Ask to be sure, and whether the grace period counts."""
        return self._open_life_wizard("drop", self.env._("Drop"))

    def action_snapshot(self):
        """Ask for a reason and how long the snapshot is kept."""
        return self._open_life_wizard("snapshot", self.env._("Take a Snapshot"))

    def action_revert(self):
        """Ask to which snapshot the database goes back."""
        if not self.snapshot_ids:
            raise UserError(self.env._("%s has no snapshot yet.", self.name))
        return self._open_life_wizard("revert", self.env._("Go Back"))

    def action_install_modules(self):
        """Ask which modules to install."""
        return self._open_life_wizard("modules", self.env._("Install Modules"), "install")

    def action_upgrade_modules(self):
        """Ask which modules to upgrade."""
        return self._open_life_wizard("modules", self.env._("Upgrade Modules"), "upgrade")

    def action_uninstall_modules(self):
        """Ask which modules to uninstall."""
        return self._open_life_wizard("modules", self.env._("Uninstall Modules"), "uninstall")

    def action_set_parameter(self):
        """Ask for a system parameter and its value."""
        return self._open_life_wizard("parameters", self.env._("Set a System Parameter"))

    def action_reset_administrator(self):
        """Ask for the administrator's login and password."""
        return self._open_life_wizard("administrator", self.env._("Reset the Administrator"))

    def action_adopt(self):
        """Ask for the name of a database that somebody else made."""
        return self._open_life_wizard("adopt", self.env._("Adopt a Database"))

    def action_resume(self):
        """Open the database again."""
        self.ensure_one()
        return self._submit_and_show("resume")

    def action_undelete(self):
        """Take the database back from the archive."""
        self.ensure_one()
        return self._submit_and_show("undelete")

    def action_release(self):
        """Let the database go: it stays where it is, and is no longer hosted."""
        self.ensure_one()
        return self._submit_and_show("release")

    def action_final_backup(self):
        """Take the backup that a drop asks for."""
        self.ensure_one()
        return self._submit_and_show("backup", {"reason": "final"})

    def _open_life_wizard(self, kind, name, module_action=False):
        """Open the wizard that asks for what an operation needs."""
        return {
            "type": "ir.actions.act_window",
            "name": name,
            "res_model": "saas.database.life.wizard",
            "view_mode": "form",
            "target": "new",
            "context": {
                "default_kind": kind,
                "default_database_id": self[:1].id,
                "default_module_action": module_action or "install",
            },
        }

    def _get_reset_link(self, operation):
        """Return the link by which the administrator chooses a password; operators only."""
        self.env["saas.operation"]._check_allowed()
        token = (operation.result.get("link") or {}).get("link")
        if operation.kind != "administrator" or not token:
            raise UserError(self.env._("There is no link."))
        key = settings.decrypt(operation.request["link_key"])
        return Fernet(key).decrypt(token.encode()).decode()
