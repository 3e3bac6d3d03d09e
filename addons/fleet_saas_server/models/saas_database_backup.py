from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

MAX_LISTED = 200  # backups of a database that other machines are told, the newest first


class SaasDatabase(models.Model):
    """A hosted database's backups, and how it comes back from one."""

    _inherit = "saas.database"

    backup_policy_id = fields.Many2one(
        "saas.backup.policy", help="Empty: the first policy.", tracking=True
    )
    backup_ids = fields.One2many("saas.backup", "database_id", "Backups", readonly=True)
    last_backup = fields.Datetime(
        "Last Verified Backup", compute="_compute_last_backup", search="_search_last_backup"
    )

    @api.depends("backup_ids.state", "backup_ids.taken_at")
    def _compute_last_backup(self):
        groups = self.env["saas.backup"]._read_group(
            [("database_id", "in", self.ids), ("state", "=", "verified")],
            ["database_id"],
            ["taken_at:max"],
        )
        latest = {database.id: moment for database, moment in groups}
        for database in self:
            database.last_backup = latest.get(database.id, False)

    def _search_last_backup(self, operator, value):
        if operator not in ("<", "<=", ">", ">=", "in"):
            return NotImplemented
        if operator == "in":
            with_one = Domain("backup_ids", "any", [("state", "=", "verified")])
            return ~with_one if set(value) == {False} else NotImplemented
        return Domain(
            "backup_ids", "any", [("state", "=", "verified"), ("taken_at", operator, value)]
        )

    def _get_inventory(self):
        # Not by the field: most of its records are about what is no longer kept.
        domain = [("database_id", "=", self.id), ("state", "=", "verified")]
        verified = self.env["saas.backup"].search(domain, limit=MAX_LISTED)
        points = [backup._get_point() for backup in verified]
        return super()._get_inventory() | {"backups": points}

    def _get_backup_policy(self):
        """Return the policy of this database."""
        self.ensure_one()
        return self.backup_policy_id or self.env["saas.backup.policy"]._get_default()

    @api.model
    def _get_operation_secrets(self, operation):
        found = super()._get_operation_secrets(operation)
        if operation.kind in ("restore", "restore_as"):
            found |= self.env["saas.backup"]._get_operation_secrets(operation)
        return found

    # --- restore in place

    @api.model
    def _prepare_restore(self, target, arguments):
        database = self._get_by_name(target)
        if database.state != "active":
            raise UserError(self.env._("%s is not active; resume it first.", target))
        if database.is_protected:
            raise UserError(self.env._("%s is protected. Take the protection away first.", target))
        backup = self.env["saas.backup"]._get_restorable(database, arguments["backup"])
        request = backup._get_restore_request() | {"uuid": database.uuid}
        return {"request": request, "res_model": self._name, "res_id": database.id}

    @api.model
    def _apply_restore(self, operation):
        reopened = operation.step_ids.filtered(lambda step: step.name == "reopen").state == "done"
        if not reopened:
            return
        database = self.browse(operation.res_id)
        database._keep_former(operation.result["put_aside"]["kept"], operation)
        database.message_post(
            body=self.env._(
                "Restored from the backup %s. The former database is kept as a snapshot.",
                operation.request["backup"],
            )
        )

    # --- restore as another database

    @api.model
    def _prepare_restore_as(self, target, arguments):
        self._check_personal(arguments["personal"])
        source = self.env["saas.backup"]._get_database_with_backups(
            arguments["source"], arguments["identity"], arguments["backup"]
        )
        backup = self.env["saas.backup"]._get_restorable(source, arguments["backup"])
        database = self._reserve(target, purpose=arguments["purpose"], source=backup.display_name)
        request = backup._get_restore_request() | {
            "uuid": database.uuid,
            "purpose": arguments["purpose"],
            "personal": arguments["personal"],
            "keep_logins": arguments["keep_logins"],
            "activate": arguments["purpose"] != "staging",
        }
        return {"request": request, "res_model": self._name, "res_id": database.id}

    @api.model
    def _apply_restore_as(self, operation):
        self._apply_made(operation)
