import base64
import binascii

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..hosting import archive_work

_BLOCK = 1 << 20  # characters of base64 at a time, a multiple of four
# A form carries the whole file in memory, several times over. Odoo itself takes no request of more
# than 128 MiB (odoo.http, DEFAULT_MAX_CONTENT_LENGTH), a file of 96 MiB in base64.
UPLOAD_MB = 64


class SaasUpload(models.AbstractModel):
    """A form with an archive that goes to disk when it is saved; an operation finds it there."""

    _name = "saas.upload"
    _description = "Form With an Archive"

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

    def _compute_archive(self):
        # The file is on disk only; nobody downloads it from here.
        self.archive = False

    def _inverse_archive(self):
        """Write the file to disk; the database never holds it."""
        host = self.env["saas.operation"].sudo()._get_host()
        for form in self.filtered("archive"):
            self._check_size(len(form.archive) * 3 // 4)
            form.upload = archive_work.store_upload(host, self._decode(form.archive))

    @api.model
    def _check_size(self, size):
        """Refuse what a form is not made for, and say how such a file is taken in."""
        if size > UPLOAD_MB << 20:
            raise UserError(
                self.env._(
                    "The file has %(size)s MB, and a form takes up to %(limit)s MB, because it holds "
                    "the whole file in memory. Copy the file to this server, for instance by scp, "
                    "and import it there, at any size: odoo-bin fleet import FILE NAME. For a "
                    "template: odoo-bin fleet template build CODE --archive FILE.",
                    size=-(-size >> 20),
                    limit=UPLOAD_MB,
                )
            )

    @api.model
    def _decode(self, encoded):
        try:
            for start in range(0, len(encoded), _BLOCK):
                yield base64.b64decode(encoded[start : start + _BLOCK], validate=True)
        except binascii.Error as error:
            raise UserError(self.env._("The file arrived damaged. Upload it again.")) from error

    def _get_upload_arguments(self):
        """Return the arguments by which an operation finds the archive; raise when there is none."""
        self.ensure_one()
        if not self.upload:
            raise UserError(self.env._("Choose the archive first."))
        return {"upload": self.upload, "file": (self.archive_name or "").strip()[:200] or None}
