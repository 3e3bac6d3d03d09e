from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from ..hosting.journal import ACTIVE
from .saas_operation import KEEP_DAYS, MAX_UNLINKED

READERS = ("restore_as", "drill", "verify")


class SaasBackup(models.Model):
    """The backups of a dropped database are forgotten when the time is over that was promised."""

    _inherit = "saas.backup"

    @api.model
    def _cron_forget_backups(self):
        """Ask for the backups of every dropped database to be forgotten that are kept no longer."""
        databases = self.env["saas.database"].with_context(active_test=False)
        domain = Domain("state", "=", "dropped") & Domain("backup_ids.state", "=", "verified")
        due = databases.search(domain).filtered(lambda database: database._is_final_backup_over())
        cron = self.env["ir.cron"]
        cron._commit_progress(remaining=len(due))
        for database in due:
            self._submit_safely("forget_backups", database, {"identity": database.uuid})
            if not cron._commit_progress(1):
                break

    @api.model
    def _prepare_forget_backups(self, target, arguments):
        databases = self.env["saas.database"].with_context(active_test=False)
        database = databases.search([("name", "=", target), ("uuid", "=", arguments["identity"])])
        if not database._is_final_backup_over():
            raise UserError(self.env._("The backups of %s are still kept.", target))
        self._check_unread(database)
        repositories = self._get_repositories(database)
        request = {"uuid": database.uuid, "repositories": repositories._get_request()}
        return {"request": request, "res_model": database._name, "res_id": database.id}

    @api.model
    def _check_unread(self, database):
        """Refuse while an operation reads one of the database's backups, or will."""
        numbers = set(self.search([("database_id", "=", database.id)]).mapped("backup"))
        domain = Domain("kind", "in", READERS) & Domain("state", "in", ACTIVE)
        for operation in self.env["saas.operation"].sudo().search(domain):
            request = operation.request
            if request["uuid"] == database.uuid or request.get("backup") in numbers:
                raise UserError(self.env._("“%s” reads these backups.", operation.name))

    @api.model
    def _apply_forget_backups(self, operation):
        """Write what is forgotten, also when one of several storages was away."""
        database = self.env["saas.database"].browse(operation.res_id)
        mine = self.search([("database_id", "=", database.id)])
        forgotten = operation.result["forget"].get("forgotten") or {}
        for repository in forgotten:
            mine.write({"repository_ids": [fields.Command.unlink(int(repository))]})
        gone = mine.filtered(lambda one: one.state == "verified" and not one.repository_ids)
        gone.state = "forgotten"
        if operation.state == "done" and gone:
            database.message_post(
                body=self.env._("Its backups were forgotten: their time is over.")
            )
        elif operation.state == "failed":
            self._tell(operation, database)

    @api.autovacuum
    def _gc_backups(self):
        """Forget the records of old backups that were forgotten or failed and left nothing."""
        limit = fields.Datetime.subtract(fields.Datetime.now(), days=KEEP_DAYS)
        domain = Domain("state", "in", ("forgotten", "failed")) & Domain("taken_at", "<", limit)
        domain &= Domain("repository_ids", "=", False)
        found = self.search(domain, limit=MAX_UNLINKED)
        found.unlink()
        return len(found), len(found) == MAX_UNLINKED  # called again while some are left


class SaasDatabase(models.Model):
    _inherit = "saas.database"

    def _is_final_backup_over(self):
        """Tell whether the backups of a dropped database are kept for nobody any more."""
        until = self.final_backup_until
        return bool(until) and until <= fields.Datetime.now()
