from odoo import api, fields, models
from odoo.exceptions import UserError

from ..models.databases_run import FOREGROUND_LIMIT


class DatabasesInviteWizard(models.TransientModel):
    _name = "databases.invite.wizard"
    _description = "Invite Users to Databases"

    project_ids = fields.Many2many(
        "project.project",
        string="Databases",
        required=True,
        domain=[("database_hosting", "in", ("saas", "paas", "premise"))],
    )
    user_ids = fields.Many2many(
        "res.users",
        string="Users",
        domain=[("share", "=", False)],
        help="They get an account under their login there. Nobody is sent an e-mail.",
    )
    has_many = fields.Boolean(compute="_compute_has_many")

    @api.depends("project_ids", "user_ids")
    def _compute_has_many(self):
        for wizard in self:
            wizard.has_many = len(wizard.project_ids) * len(wizard.user_ids) > FOREGROUND_LIMIT

    def action_invite(self):
        """Create the accounts and show what came of it, a line a database and a user."""
        self.ensure_one()
        if not self.user_ids or not self.project_ids:
            raise UserError(
                self.env._("Choose at least one of the Users and one of the Databases.")
            )
        nameless = self.user_ids.filtered(lambda user: "@" not in (user.login or ""))
        if nameless:
            raise UserError(
                self.env._(
                    "The login of %(users)s is not an e-mail address, so no account can be made for it "
                    "elsewhere. Change the login, or leave this user out.",
                    users=", ".join(nameless.mapped("name")),
                )
            )
        items = [
            {"project_id": project.id, "login": user.login, "user_name": user.name}
            for project in self.project_ids
            for user in self.user_ids
        ]
        return self.env["databases.run"]._start_and_open("invite", items)
