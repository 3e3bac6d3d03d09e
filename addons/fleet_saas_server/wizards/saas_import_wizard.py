import base64
import binascii

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..hosting import archive_work

_BLOCK = 1 << 20  # characters of base64 at a time, a multiple of four


class SaasImportWizard(models.TransientModel):
    """Make a hosted database from an archive that Odoo or pg_dump made."""

    _name = "saas.import.wizard"
    _description = "Import an Archive"

    archive = fields.Binary(
        "Archive File",
        compute="_compute_archive",
        inverse="_inverse_archive",
        help="A zip made by Odoo’s database manager, or a dump made by pg_dump -Fc.",
    )
    archive_name = fields.Char("File")
    upload = fields.Char(
        readonly=True, groups="fleet_saas_server.group_hosting_operator", copy=False
    )
    name = fields.Char("Name of the New Database", required=True)
    purpose = fields.Selection(
        [("customer", "Customer"), ("trial", "Trial"), ("staging", "Staging Copy")],
        required=True,
        default="staging",
    )
    keep_logins = fields.Boolean("People keep their passwords", default=True)

    def _compute_archive(self):
        # The file is on disk only; nobody downloads it from here.
        self.archive = False

    def _inverse_archive(self):
        """Write the file to disk; the database never holds it."""
        host = self.env["saas.operation"].sudo()._get_host()
        for wizard in self.filtered("archive"):
            wizard.upload = archive_work.store_upload(host, self._decode(wizard.archive))

    @api.model
    def _decode(self, encoded):
        try:
            for start in range(0, len(encoded), _BLOCK):
                yield base64.b64decode(encoded[start : start + _BLOCK], validate=True)
        except binascii.Error as error:
            raise UserError(self.env._("The file arrived damaged. Upload it again.")) from error

    def action_import(self):
        """Ask for the import and show its operation."""
        self.ensure_one()
        if not self.upload:
            raise UserError(self.env._("Choose the archive first."))
        return self.env["saas.database"]._submit_and_show(
            "import_archive",
            {
                "upload": self.upload,
                "file": (self.archive_name or "").strip()[:200] or None,
                "purpose": self.purpose,
                "keep_logins": self.keep_logins,
            },
            target=(self.name or "").strip(),
        )
