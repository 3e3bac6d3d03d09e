import re

from odoo import api, fields, models
from odoo.exceptions import UserError

MODULE = re.compile(r"[a-z][a-z0-9_]{1,62}")
PARAMETER = re.compile(r"[A-Za-z0-9_.:-]{1,200}")
# The server refuses these: changing them by hand unseals a database, or cuts it off.
DENIED = ("database.", "fleet.")
MOST_HOURS = 24 * 31


class SaasInstanceAsking(models.AbstractModel):
    """What operations on an instance need to know, asked for and checked."""

    _name = "saas.instance.asking"
    _description = "What an Operation Needs"

    reason = fields.Char(size=200)
    keep_hours = fields.Integer(
        "Hours to Keep the Snapshot", help="0: as long as the server's settings say."
    )
    module_action = fields.Selection(
        [("install", "Install"), ("upgrade", "Upgrade"), ("uninstall", "Uninstall")],
        default="install",
    )
    modules = fields.Char(help="Technical names, separated by commas or blanks.")
    key = fields.Char("System Parameter")
    value = fields.Char(help="Empty: the parameter is removed.")
    plan_id = fields.Many2one("saas.plan", "New Plan", ondelete="cascade")

    def _prepare_arguments(self):
        """Return the arguments of the chosen kind.

        :raises UserError: what was filled in cannot be right
        """
        self.ensure_one()
        prepare = getattr(self, f"_prepare_{self.kind}", None)
        arguments = prepare() if prepare else {}
        return {name: value for name, value in arguments.items() if value not in (False, None)}

    def _prepare_suspend(self):
        return {"reason": (self.reason or "").strip() or None}

    def _prepare_archive(self):
        return self._prepare_suspend()

    def _prepare_snapshot(self):
        return self._prepare_suspend() | {"keep_hours": self._get_hours() or None}

    def _get_hours(self):
        if not 0 <= self.keep_hours <= MOST_HOURS:
            raise UserError(self.env._("A snapshot is kept for 0 to %s hours.", MOST_HOURS))
        return self.keep_hours

    def _prepare_modules(self):
        names = sorted(set(re.split(r"[\s,;]+", (self.modules or "").strip().lower())) - {""})
        if not names:
            raise UserError(self.env._("Name at least one module."))
        wrong = [name for name in names if not MODULE.fullmatch(name)]
        if wrong:
            raise UserError(self.env._("%s is no technical name of a module.", wrong[0]))
        return {
            "action": self.module_action,
            "modules": names,
            "keep_hours": self._get_hours() or None,
        }

    def _prepare_parameters(self):
        key = (self.key or "").strip()
        if not PARAMETER.fullmatch(key):
            raise UserError(self.env._("“%s” is no name of a system parameter.", key))
        if key.lower().startswith(DENIED):
            raise UserError(
                self.env._("The system parameter %s belongs to the server and cannot be set.", key)
            )
        return {"values": {key: self.value or None}}

    @api.model
    def _show(self, record):
        """Return the action that shows a record."""
        return {
            "type": "ir.actions.act_window",
            "res_model": record._name,
            "res_id": record.id,
            "view_mode": "form",
            "views": [(False, "form")],
        }
