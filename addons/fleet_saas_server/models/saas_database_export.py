"""The archive of a hosted database that another machine asks for and downloads."""

from odoo import api, models

from ..hosting import archive_work
from .saas_database_archive import GIVING_AWAY
from .saas_database_life import LIVING


class SaasDatabase(models.Model):
    _inherit = "saas.database"

    @api.model
    def _prepare_export(self, target, arguments):
        database = self._get_for(target, *LIVING)
        request = {"keep_hours": arguments["keep_hours"]}
        if arguments["backup"]:
            backup = self.env["saas.backup"]._get_restorable(database, arguments["backup"])
            request |= backup._get_restore_request()
        return database._prepare_request(**request)

    @api.model
    def _apply_export(self, operation):
        self._apply_export_archive(operation)

    @api.model
    def _get_operation_secrets(self, operation):
        found = super()._get_operation_secrets(operation)
        if operation.kind == "export" and operation.request.get("backup"):
            found |= self.env["saas.backup"]._get_operation_secrets(operation)
        return found

    @api.model
    def _apply_drop(self, operation):
        super()._apply_drop(operation)
        database = self.browse(operation.res_id)
        if database.state == "dropped":
            database._remove_archives()

    def _remove_archives(self):
        """Remove what was to be downloaded of a database that is gone."""
        self.ensure_one()
        operations = self.env["saas.operation"].search(
            [
                ("kind", "in", GIVING_AWAY),
                ("res_model", "=", self._name),
                ("res_id", "=", self.id),
                ("state", "=", "done"),
            ]
        )
        archive_work.remove_exports(
            self.env["saas.operation"]._get_host(),
            [operation.result.get("write", {}).get("file") for operation in operations],
        )

    @api.model
    def _cron_remove_archives(self):
        """Remove archives whose time is over."""
        self._gc_archives()
