from odoo import api, fields, models


class DatabasesUser(models.Model):
    _name = "databases.user"
    _description = "User of a Database"
    _order = "name, login, id"
    _log_access = False

    project_id = fields.Many2one(
        "project.project", "Database", required=True, index=True, ondelete="cascade", readonly=True
    )
    remote_id = fields.Integer("Identifier There", readonly=True, export_string_translation=False)
    login = fields.Char(required=True, readonly=True)
    login_key = fields.Char(
        compute="_compute_login_key",
        store=True,
        index=True,
        export_string_translation=False,
        help="The login as it is compared: Odoo's logins differ in case between servers.",
    )
    name = fields.Char(required=True, readonly=True)
    latest_authentication = fields.Datetime(readonly=True)
    local_user_id = fields.Many2one(
        "res.users",
        compute="_compute_local_user_id",
        search="_search_local_user_id",
        compute_sudo=True,
        help="The user here who has the same login or e-mail address.",
    )

    _project_remote_uniq = models.UniqueIndex(
        "(project_id, remote_id)", "This user is listed already for this database."
    )

    @api.depends("login")
    def _compute_login_key(self):
        for user in self:
            user.login_key = (user.login or "").strip().lower()

    @api.depends("login_key")
    def _compute_local_user_id(self):
        keys = [user.login_key for user in self if user.login_key]
        local_users = (
            self.env["res.users"]
            .search([("share", "=", False)])
            .filtered(
                lambda local: (
                    local._get_database_login() in keys or (local.email_normalized or "") in keys
                )
            )
        )
        by_email = {
            local.email_normalized: local for local in local_users if local.email_normalized
        }
        # A login is unique and an e-mail address is not: the login decides.
        by_login = {**by_email, **{local._get_database_login(): local for local in local_users}}
        for user in self:
            user.local_user_id = by_login.get(user.login_key)

    @api.model
    def _search_local_user_id(self, operator, value):
        if operator not in ("in", "not in"):
            return NotImplemented
        Users = self.env["res.users"].sudo()
        chosen = (
            Users.search([("share", "=", False)]) if set(value) <= {False} else Users.browse(value)
        )
        keys = {local._get_database_login() for local in chosen} | set(
            chosen.mapped("email_normalized")
        )
        found = [("login_key", "in", [key for key in keys if key])]
        if set(value) <= {False}:
            return found if operator == "not in" else ["!", *found]
        return found if operator == "in" else ["!", *found]

    @api.depends("name", "login")
    def _compute_display_name(self):
        for user in self:
            user.display_name = (
                user.login if user.name == user.login else f"{user.name} ({user.login})"
            )

    def action_open_database(self):
        """Open the database in which this account is."""
        self.ensure_one()
        return self.project_id.action_open_database()

    def action_remove(self):
        """Open the wizard that deactivates this account, here or wherever it appears."""
        action = self.project_id._open_users_wizard(
            "databases.remove.wizard", self.env._("Remove Users")
        )
        action["context"]["default_database_user_ids"] = [(6, 0, self.ids)]
        return action
