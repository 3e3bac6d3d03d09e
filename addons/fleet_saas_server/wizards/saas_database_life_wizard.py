from odoo import api, fields, models
from odoo.exceptions import UserError

from ..hosting.errors import HostingError
from ..hosting.names import check_name
from ..hosting.parameters import check_parameters
from ..hosting.personalise import password_hash
from ..models.saas_errors import words

KINDS = (
    "suspend",
    "archive",
    "rename",
    "drop",
    "snapshot",
    "revert",
    "modules",
    "parameters",
    "administrator",
    "adopt",
)


class SaasDatabaseLifeWizard(models.TransientModel):
    """Ask for what an operation on a hosted database needs."""

    _name = "saas.database.life.wizard"
    _description = "Operation on a Hosted Database"

    database_id = fields.Many2one("saas.database", readonly=True, ondelete="cascade")
    kind = fields.Selection("_selection_kind", required=True)
    reason = fields.Char(size=200)
    name = fields.Char("New Name")
    hidden = fields.Char("Suspended As", readonly=True)
    confirm = fields.Char("Type Its Name to Confirm")
    without_grace = fields.Boolean("Do Not Wait for the Grace Period")
    droppable_at = fields.Datetime(related="database_id.droppable_at")
    keep_hours = fields.Integer("Hours to Keep the Snapshot")
    snapshot_id = fields.Many2one("saas.database.snapshot", ondelete="cascade")
    module_action = fields.Selection(
        [("install", "Install"), ("upgrade", "Upgrade"), ("uninstall", "Uninstall")],
        default="install",
    )
    modules = fields.Char(help="Technical names, separated by commas or blanks.")
    key = fields.Char("System Parameter")
    value = fields.Char(help="Empty: the parameter is removed.")
    login = fields.Char("New Login", help="Empty: it stays as it is.")
    password = fields.Char("New Password", compute="_compute_password", inverse="_inverse_password")
    password_hash = fields.Char(
        copy=False,
        groups="fleet_saas_server.group_hosting_operator",
        export_string_translation=False,
    )
    link = fields.Boolean(
        "Make a Link",
        help="The password becomes unusable; by the link the administrator chooses another one.",
    )

    @api.model
    def _selection_kind(self):
        return [(kind, self.env["saas.operation"]._get_kind_label(kind)) for kind in KINDS]

    @api.model
    def default_get(self, fields):
        values = super().default_get(fields)
        if values.get("kind") == "snapshot" and "keep_hours" in fields:
            numbers = self.env["res.config.settings"]
            values["keep_hours"] = numbers._get_hosting_number("snapshot_hours")
        return values

    def _compute_password(self):
        # What was typed is never kept and never shown.
        self.password = False

    def _inverse_password(self):
        for wizard in self:
            wizard.password_hash = password_hash(wizard.password) if wizard.password else False

    def action_submit(self):
        """Ask for the operation and show it."""
        self.ensure_one()
        target = (self.name or "").strip() if self.kind == "adopt" else None
        return self.database_id._submit_and_show(self.kind, self._prepare_arguments(), target)

    def _prepare_arguments(self):
        """Return what was filled in as the arguments of the kind; refuse in a person's words."""
        try:
            return getattr(self, f"_prepare_{self.kind}")()
        except HostingError as error:
            raise UserError(words(self.env, error.code, error.facts)) from error

    def _prepare_suspend(self):
        return {"reason": self.reason or None}

    def _prepare_archive(self):
        return self._prepare_suspend()

    def _prepare_rename(self):
        new_name = check_name((self.name or "").strip().lower())
        if self.database_id._is_name_used(new_name):
            raise HostingError("name_taken", name=new_name)
        return {"new_name": new_name}

    def _prepare_adopt(self):
        if self.hidden:
            if self.database_id._is_name_used(check_name((self.name or "").strip())):
                raise HostingError("name_taken", name=self.name)
            return {"hidden": self.hidden}
        if not self.database_id._is_name_used(check_name((self.name or "").strip())):
            raise HostingError("no_database", name=self.name)
        return {}

    def _prepare_drop(self):
        if (self.confirm or "").strip() != self.database_id.name:
            raise UserError(self.env._("Type %s to confirm.", self.database_id.name))
        return {"without_grace": self.without_grace}

    def _prepare_snapshot(self):
        return {"reason": self.reason or None, "keep_hours": self.keep_hours}

    def _prepare_revert(self):
        return {"snapshot": self.snapshot_id.physical}

    def _prepare_modules(self):
        names = (self.modules or "").replace(",", " ").split()
        return {"action": self.module_action, "modules": names, "keep_hours": self.keep_hours}

    def _prepare_parameters(self):
        return {"values": check_parameters({(self.key or "").strip(): self.value or None})}

    def _prepare_administrator(self):
        return {
            "login": (self.login or "").strip() or None,
            "password_hash": self.password_hash or None,
            "link": self.link,
        }
