from odoo import api, models

from ..hosting import handover


class SaasBackupPlace(models.Model):
    """A backup place as the way by which databases go from one server to another."""

    _inherit = "saas.backup.place"

    @api.model
    def _get_shared(self):
        """Return the places by the ids under which other servers know them too."""
        found = {}
        for place in self.search([]):
            if place.kind == "local":
                identity = handover.local_place(self.env["saas.operation"]._get_host())
            else:
                identity = handover.remote_place(place.kind, place.location)
            if identity:
                found.setdefault(identity, place)
        return found

    def _get_folder_location(self, folder):
        """Return where restic finds a repository of a move."""
        self.ensure_one()
        if self.kind == "local":
            return str(self.env["saas.operation"]._get_host().backups / folder)
        prefix = {"s3": "s3:", "sftp": "sftp:"}[self.kind]
        return f"{prefix}{self.location.rstrip('/')}/{folder}"

    def _get_location(self, database):
        # The server that it came from has its repositories under the same identity, and keeps them.
        location = super()._get_location(database)
        if not database.moved_from:
            return location
        return f"{location}-{self.env['saas.operation']._get_host().server[:8]}"
