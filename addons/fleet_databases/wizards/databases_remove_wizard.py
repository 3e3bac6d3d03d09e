from odoo import api, fields, models
from odoo.exceptions import UserError


class DatabasesRemoveWizard(models.TransientModel):
    _name = "databases.remove.wizard"
    _description = "Remove Users from Databases"

    project_ids = fields.Many2many("project.project", string="Databases")
    database_user_ids = fields.Many2many(
        "databases.user", string="Users", domain="[('project_id', 'in', project_ids)]"
    )
    everywhere = fields.Boolean(
        "From Every Database",
        help="Remove them from every database where they appear, not only from the ones above.",
    )
    line_count = fields.Integer(compute="_compute_lines")
    preview = fields.Text(compute="_compute_lines")

    def _get_accounts(self):
        """Return the accounts that would be deactivated."""
        self.ensure_one()
        domain = [("login_key", "in", self.database_user_ids.mapped("login_key"))]
        Account = self.env["databases.user"]
        if self.everywhere:
            # Also where the company is not among those chosen at the top right just now.
            Account = Account.with_context(allowed_company_ids=self.env.user.company_ids.ids)
        else:
            domain += [("project_id", "in", self.project_ids.ids)]
        return Account.search(domain, order="login_key, id")

    @api.depends("database_user_ids", "everywhere", "project_ids")
    def _compute_lines(self):
        for wizard in self:
            accounts = wizard._get_accounts()
            wizard.line_count = len(accounts)
            wizard.preview = "\n".join(
                f"{account.login}: {account.project_id.name}" for account in accounts[:50]
            )

    def action_remove(self):
        """Deactivate the accounts and show what came of it, a line a database and a user."""
        self.ensure_one()
        accounts = self._get_accounts()
        if not accounts:
            raise UserError(self.env._("Choose at least one of the Users to remove."))
        items = [
            {"project_id": account.project_id.id, "login": account.login, "user_name": account.name}
            for account in accounts
        ]
        return self.env["databases.run"]._start_and_open("remove", items)
