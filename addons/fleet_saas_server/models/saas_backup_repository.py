import secrets
from pathlib import Path

from odoo import api, fields, models
from odoo.exceptions import UserError

from .. import settings


class SaasBackupRepository(models.Model):
    """The encrypted repository of one database in one place."""

    _name = "saas.backup.repository"
    _description = "Backup Repository"
    _order = "database_id, id"
    _rec_name = "location"
    _fleet_encrypted = {"secret": ()}  # see fleet_databases/rotation.py

    database_id = fields.Many2one(
        "saas.database", required=True, readonly=True, index=True, ondelete="restrict"
    )
    place_id = fields.Many2one(
        "saas.backup.place", required=True, readonly=True, index=True, ondelete="restrict"
    )
    location = fields.Char(required=True, readonly=True)
    secret = fields.Char(required=True, readonly=True, copy=False, groups="base.group_system")
    bytes = fields.Float("Size", readonly=True)
    checked = fields.Datetime("Last Read Back", readonly=True)
    part = fields.Integer("Part Read Last", readonly=True)
    pruned = fields.Datetime("Last Tidied", readonly=True)
    problem = fields.Char(readonly=True)

    _place_uniq = models.Constraint(
        "UNIQUE(database_id, place_id)", "A database has one repository in a place."
    )

    def action_mark_lost(self):
        """Give up the backups in repositories that are gone: the next backup makes new ones."""
        if not self.env.user.has_group("fleet_saas_server.group_hosting_operator"):
            raise UserError(self.env._("Only hosting operators may do this."))
        gone = self.filtered(lambda repository: not repository._is_seen())
        if not gone:
            raise UserError(
                self.env._(
                    "What is not gone is not lost. Verify the backups instead: that says why."
                )
            )
        for repository_sudo in gone.sudo():
            backups_sudo = self.env["saas.backup"].sudo()
            backups_sudo.search([("repository_ids", "in", repository_sudo.ids)])._mark_lost(
                repository_sudo
            )
            repository_sudo.write({"problem": False, "checked": False, "pruned": False, "bytes": 0})
            self.env["saas.difference"].sudo()._apply_stored(repository_sudo, [], [])
            repository_sudo.database_id.message_post(
                body=self.env._(
                    "Its backups in “%s” were marked as lost for good.",
                    repository_sudo.place_id.name,
                )
            )

    def _is_seen(self):
        """Tell whether a repository is in a folder of this machine; elsewhere nobody looks here."""
        return self.place_id.kind == "local" and Path(self.location, "config").exists()

    @api.model
    def _get(self, database, places):
        """Return the repositories of a database in ``places``, in their order; new ones get a password."""
        found = self.browse()
        for place in places:
            repository = self.search(
                [("database_id", "=", database.id), ("place_id", "=", place.id)]
            )
            found |= repository or self.create(
                {
                    "database_id": database.id,
                    "place_id": place.id,
                    "location": self._get_free_location(database, place),
                    "secret": place._encrypt(secrets.token_urlsafe(32)),
                }
            )
        return found

    @api.model
    def _get_free_location(self, database, place):
        """Return where a new repository goes: a released database that came back has an old one."""
        location = place._get_location(database)
        if self.search_count([("location", "=", location)], limit=1):
            return f"{location}-{database.id}"
        return location

    def _get_request(self):
        """Return the repositories as an operation's request names them."""
        return [
            {
                "id": repository.id,
                "location": repository.location,
                "remote": repository.place_id.kind != "local",
            }
            for repository in self
        ]

    def _get_secrets(self):
        """Return passwords and credentials, decrypted, by the names that operations use."""
        found = {}
        for repository in self.sudo():
            found[f"repository.{repository.id}.password"] = settings.decrypt(repository.secret)
            found[f"repository.{repository.id}.env"] = repository.place_id._get_environment()
        return found
