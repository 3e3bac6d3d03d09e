import re

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import NO_ACCESS

LOGIN = re.compile(r"[^\s\x00-\x1f]{1,128}")
LEAST_PASSWORD = 8
KINDS = [
    ("modules", "Modules"),
    ("parameters", "Set a System Parameter"),
    ("administrator", "Reset the Administrator"),
    ("snapshot", "Take a Snapshot"),
    ("revert", "Go Back to a Snapshot"),
    ("restore", "Restore a Backup"),
    ("duplicate", "Staging Copy"),
    ("rename", "Rename"),
    ("plan", "Change Plan"),
    ("delete", "Delete Database"),
]


class SaasInstanceWizard(models.TransientModel):
    """Ask for what an operation on one instance needs."""

    _name = "saas.instance.wizard"
    _description = "Operation on an Instance"
    _fleet_encrypted = {"hashed": ()}
    _inherit = ["saas.instance.asking"]

    instance_id = fields.Many2one("saas.instance", required=True, readonly=True, ondelete="cascade")
    kind = fields.Selection(KINDS, required=True, readonly=True)
    name = fields.Char("New Name")
    typed = fields.Char("Type Its Name to Confirm")
    point_id = fields.Many2one("saas.instance.point", "Snapshot or Backup", ondelete="cascade")
    keep_logins = fields.Boolean(
        "People Keep Their Passwords",
        help="People log in to the copy with the passwords that they have now.",
    )
    login = fields.Char("New Login", help="Empty: it stays as it is.")
    password = fields.Char(
        "New Password",
        compute="_compute_password",
        inverse="_inverse_password",
        help="Empty: it stays as it is.",
    )
    hashed = fields.Char(copy=False, groups=NO_ACCESS, export_string_translation=False)
    currency_id = fields.Many2one(related="plan_id.currency_id")
    old_price = fields.Monetary("Price Now", related="instance_id.plan_id.price")
    new_price = fields.Monetary(related="plan_id.price")
    excess = fields.Char(compute="_compute_excess")
    anyway = fields.Boolean("Change It Although More Is Used")

    def _compute_password(self):
        # What was typed is never kept and never shown.
        self.password = False

    def _inverse_password(self):
        """Keep the password as Odoo stores one, encrypted until the server has it."""
        vault = self.env["project.project"]._get_vault()
        crypt = self.env["res.users"]._crypt_context()
        for wizard in self:
            typed = wizard.password or ""
            if typed and len(typed) < LEAST_PASSWORD:
                raise UserError(
                    self.env._("A password has at least %s characters.", LEAST_PASSWORD)
                )
            wizard.sudo().hashed = vault.encrypt(crypt.hash(typed)) if typed else False
        self.invalidate_recordset(["password"])

    @api.depends("plan_id", "instance_id")
    @api.depends_context("lang")
    def _compute_excess(self):
        for wizard in self:
            plan = wizard.plan_id
            wizard.excess = wizard.instance_id._get_excess(plan) if plan else False

    def action_submit(self):
        """Have it done; the form of the instance, below the dialog, shows how far it is."""
        self.ensure_one()
        # What the screen has hidden may come over RPC all the same.
        self.instance_id.check_access("write")
        other = self._submit()
        return self._show(other) if other else {"type": "ir.actions.act_window_close"}

    def _submit(self):
        """Ask for the operation; return the instance to show, if it is another one."""
        submit = getattr(self, f"_submit_{self.kind}", None)
        if submit:
            return submit()
        self.instance_id._begin(self.kind, self._prepare_arguments())
        return None

    def _submit_administrator(self):
        login = (self.login or "").strip()
        if login and not LOGIN.fullmatch(login):
            raise UserError(self.env._("“%s” is no login.", login))
        token = self.sudo().hashed
        if not login and not token:
            raise UserError(self.env._("Give a login, a password, or both."))
        if asked := self._ask_for_access(login):
            return asked
        request = self.instance_id._begin("administrator", {"login": login} if login else {})
        if token:
            hashed = self.env["project.project"]._get_vault().decrypt(token)
            request._keep_secrets({"password_hash": hashed})
            self.sudo().hashed = False
        return None

    def _submit_duplicate(self):
        return self.instance_id._copy_database(
            (self.name or "").strip().lower(),
            backup=self.point_id or None,
            keep_logins=self.keep_logins,
        )

    def _submit_plan(self):
        self.instance_id._change_plan(self.plan_id, anyway=self.anyway)

    def _submit_delete(self):
        self.instance_id._delete_database(self.typed)

    def _prepare_revert(self):
        self.instance_id._check_point(self.point_id, "snapshot")
        return {"snapshot": self.point_id.code}

    def _prepare_restore(self):
        self.instance_id._check_point(self.point_id, "backup")
        return {"backup": self.point_id.code}

    def _prepare_rename(self):
        name = (self.name or "").strip().lower()
        self.instance_id._check_name_free(self.instance_id.server_id, name)
        return {"new_name": name}
