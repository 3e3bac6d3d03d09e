from odoo import api, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import Domain

from .saas_instance import GONE, NAME

LIVING = ("active", "suspended", "archived")
# What may be asked for a database, and in which of its states.
ASKED = {
    "suspend": ("active",),
    "resume": ("suspended",),
    "archive": ("active", "suspended"),
    "undelete": ("archived",),
    "backup": LIVING,
    "restore": ("active",),
    "snapshot": LIVING,
    "revert": ("active",),
    "modules": ("active",),
    "parameters": LIVING,
    "administrator": LIVING,
    "rename": ("active",),
}
# For Odoo "readonly" is a matter of the screens; these are written by the portal alone.
OURS = {
    "state",
    "deadline",
    "problem",
    "url",
    "uuid",
    "is_missing",
    "is_deleting",
    "parent_id",
    "project_id",
    "user_count",
    "storage_mb",
    "last_login",
    "figures_date",
    "last_backup",
    "end_date",
    "end_in_order",
    "undelete_until",
    "delete_on",
    "document_date",
    "document_unread",
    "document_problem",
    "point_ids",
    "request_ids",
}


class SaasInstance(models.Model):
    """What an operator has done to a database that exists."""

    _inherit = "saas.instance"

    # --- who writes what

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._check_not_ours(vals)
        return super().create(vals_list)

    def write(self, vals):
        self._check_not_ours(vals)
        return super().write(vals)

    @api.model
    def _check_not_ours(self, vals):
        """Refuse values of fields that the portal alone writes, over RPC and by an import too."""
        if self.env.su:
            return
        ours = OURS & vals.keys()
        if ours:
            raise AccessError(
                self.env._("Only the portal itself writes: %s.", ", ".join(sorted(ours)))
            )

    # --- asking

    def _begin(self, kind, arguments=None):
        """Ask the server for ``kind``; return the request.

        :raises UserError: the instance is in no state for it, or busy
        """
        self.ensure_one()
        if kind == "create":
            self.check_access("write")
            self._create_database()
            return self.request_id
        return self._ask(kind, arguments or {}, *ASKED[kind])

    def _open_wizard(self, kind, **defaults):
        """Open the wizard that asks for what an operation needs.

        :raises UserError: it would be refused when it is filled in, for the instance's state
        """
        self.ensure_one()
        if kind in ASKED:
            self._check_state(*ASKED[kind])
        Wizard = self.env["saas.instance.wizard"]
        return {
            "type": "ir.actions.act_window",
            "name": dict(Wizard._fields["kind"]._description_selection(self.env))[kind],
            "res_model": Wizard._name,
            "view_mode": "form",
            "views": [(False, "form")],
            "target": "new",
            "context": {"default_instance_id": self.id, "default_kind": kind, **defaults},
        }

    def _check_name_free(self, server, name):
        """Refuse a name that is no host name, or that another instance of ``server`` has."""
        if not NAME.fullmatch(name or ""):
            raise ValidationError(
                self.env._(
                    "The name “%s” must be 3 to 42 small letters, digits and dashes, beginning "
                    "with a letter and not ending with a dash.",
                    name or "",
                )
            )
        same = Domain("name", "=", name) & Domain("server_id", "=", server.id)
        everybody = self.sudo().with_context(active_test=False)
        if everybody.search_count(same & Domain("state", "not in", GONE), limit=1):
            raise UserError(self.env._("Another instance has the name %s.", name))

    # --- buttons that ask first

    def action_install_modules(self):
        """Ask which modules to install."""
        return self._open_wizard("modules", default_module_action="install")

    def action_upgrade_modules(self):
        """Ask which modules to upgrade."""
        return self._open_wizard("modules", default_module_action="upgrade")

    def action_uninstall_modules(self):
        """Ask which modules to uninstall."""
        return self._open_wizard("modules", default_module_action="uninstall")

    def action_set_parameter(self):
        """Ask for a system parameter and its value."""
        return self._open_wizard("parameters")

    def action_reset_administrator(self):
        """Ask for the administrator's login and password."""
        return self._open_wizard("administrator")

    def action_snapshot(self):
        """Ask why, and how long the snapshot is kept."""
        return self._open_wizard("snapshot")

    def action_revert(self):
        """Ask to which snapshot the database goes back."""
        return self._open_wizard("revert")

    def action_restore(self):
        """Ask from which backup the database is restored."""
        return self._open_wizard("restore")

    def action_copy_database(self):
        """Ask for the name of a staging copy."""
        return self._open_wizard("duplicate")

    def action_rename(self):
        """Ask for the new name."""
        return self._open_wizard("rename")

    def action_change_plan(self):
        """Ask for the new plan, and show what it means."""
        return self._open_wizard("plan")

    def action_delete_database(self):
        """Ask for the name to be typed."""
        return self._open_wizard("delete")

    # --- what came of it

    def _apply_rename(self, request):
        """Take the new name and address, here and in the fleet list."""
        old, new = self.url, request.arguments["new_name"]
        url = request._get_evidence("address", "url") or old
        # A draft that nobody has created yet finds another server, or is told that the name is taken.
        drafts = self.sudo().search(
            [("name", "=", new), ("server_id", "=", self.server_id.id), ("state", "=", "draft")]
        )
        drafts.server_id = False
        drafts.flush_recordset()
        self.sudo().write({"name": new, "url": url, "problem": False})
        project = self.project_id.sudo()
        if project and project.database_url == old:
            project.write({"name": new, "database_name": new, "database_url": url})
        self.message_post(
            body=self.env._("%(old)s is called %(new)s now.", old=request.target, new=new)
        )
