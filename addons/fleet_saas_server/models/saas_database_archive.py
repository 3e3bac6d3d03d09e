"""A hosted database goes away as a zip that any Odoo restores, and comes from one."""

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..hosting import archive_work
from ..hosting.errors import HostingError
from ..hosting.journal import ACTIVE
from .saas_database_life import LIVING
from .saas_errors import words

TAKING_IN = ("import_archive", "template_import")
GIVING_AWAY = ("export", "export_archive")


class SaasDatabase(models.Model):
    _inherit = "saas.database"

    def action_export_archive(self):
        """Ask for an archive of this database; its operation has the button to download it."""
        self.ensure_one()
        return self._submit_and_show("export_archive")

    # --- export

    @api.model
    def _prepare_export_archive(self, target, _arguments):
        return self._get_for(target, *LIVING)._prepare_request()

    @api.model
    def _apply_export_archive(self, operation):
        database = self.browse(operation.res_id)
        if operation.state == "done":
            database.message_post(
                body=self.env._(
                    "Exported as a zip by %(user)s (operation %(number)s).",
                    user=operation.create_uid.name,
                    number=operation.id,
                )
            )

    # --- import

    @api.model
    def _prepare_import_archive(self, target, arguments):
        self._check_personal(arguments["personal"])
        self._check_upload(arguments["upload"])
        database = self._reserve(
            target,
            purpose=arguments["purpose"],
            source=arguments["file"] or self.env._("An archive"),
        )
        request = arguments | {
            "uuid": database.uuid,
            "activate": arguments["purpose"] != "staging",
        }
        return {"request": request, "res_model": self._name, "res_id": database.id}

    @api.model
    def _check_upload(self, upload):
        try:
            archive_work.upload_path(self.env["saas.operation"]._get_host(), upload)
        except HostingError as error:
            raise UserError(words(self.env, error.code, error.facts)) from error

    @api.model
    def _apply_import_archive(self, operation):
        self._apply_made(operation)

    @api.model
    def _retry_operation(self, operation):
        if operation.kind == "import_archive":
            self._check_upload(operation.request["upload"])
        return super()._retry_operation(operation)

    @api.autovacuum
    def _gc_archives(self):
        """Remove archives whose time is over, except those that an operation still needs."""
        operations = self.env["saas.operation"].search(
            [("kind", "in", TAKING_IN), ("state", "in", ACTIVE)]
        )
        used = {operation.request["upload"] for operation in operations}
        archive_work.remove_old(self.env["saas.operation"]._get_host(), used=used)


class SaasOperation(models.Model):
    _inherit = "saas.operation"

    archive_file = fields.Char(compute="_compute_archive_file", export_string_translation=False)

    @api.depends("kind", "state", "step_ids.evidence")
    def _compute_archive_file(self):
        """Name the finished archive while it is there."""
        host = self._get_host()
        for operation in self:
            done = operation.kind in GIVING_AWAY and operation.state == "done"
            file = operation.result.get("write", {}).get("file") if done else None
            operation.archive_file = file if archive_work.export_path(host, file) else False

    def action_download_archive(self):
        """Download the archive that this operation wrote."""
        self.ensure_one()
        if not self.archive_file:
            raise UserError(self.env._("The archive is not kept any longer. Export it again."))
        return {
            "type": "ir.actions.act_url",
            "url": f"/fleet_saas_server/archive/{self.id}",
            "target": "download",
        }
