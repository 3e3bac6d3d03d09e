"""The recovery kit of a hosted database, for the operator's safe; it is made anew each time."""

import logging
import time

from odoo import api, models
from odoo.exceptions import AccessError, UserError

from ..hosting import kit, manifest, restore
from ..hosting.errors import HostingError
from ..hosting.restic import Repository
from .saas_errors import words

_logger = logging.getLogger(__name__)

LOOK_S = 10  # so long the page may wait for a storage
STORAGE_ENV = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


class SaasDatabase(models.Model):
    _inherit = "saas.database"

    def action_print_kit(self):
        """Open the recovery kit in a page of its own, ready to be printed."""
        self.ensure_one()
        self._check_kit_allowed()
        return {
            "type": "ir.actions.act_url",
            "url": f"/fleet_saas_server/kit/{self.id}",
            "target": "new",
        }

    def _check_kit_allowed(self):
        """Refuse who may not restore, and a database of which nothing is kept."""
        self.ensure_one()
        if not self.env.user.has_group("fleet_saas_server.group_hosting_operator"):
            raise AccessError(self.env._("Only hosting operators may do this."))
        if not self.env["saas.backup"].sudo()._get_repositories(self):
            raise UserError(self.env._("There is no backup of %s yet.", self.name))

    def _get_kits(self, who=""):
        """Return a kit for each place that keeps backups of this database, local ones first.

        The chatter says who had them, never what is in them.

        :param str who: a name for the chatter, of the user by default
        """
        self._check_kit_allowed()
        backups_sudo = self.env["saas.backup"].sudo()
        repositories_sudo = backups_sudo._get_repositories(self)
        try:
            secrets = repositories_sudo._get_secrets()
            kits = [self._get_kit(each, secrets) for each in repositories_sudo]
        except HostingError as error:
            raise UserError(words(self.env, error.code, error.facts)) from error
        self.sudo().message_post(
            body=self.env._("%s printed the recovery kit.", who or self.env.user.name),
            author_id=self.env.user.partner_id.id,
        )
        return kits

    def _get_kit(self, repository_sudo, secrets):
        place_sudo = repository_sudo.place_id
        remote = place_sudo.kind == "s3"
        return kit.Kit(
            name=self.name,
            uuid=self.uuid,
            location=repository_sudo.location,
            password=secrets[f"repository.{repository_sudo.id}.password"],
            public_key=self.env["saas.backup"].sudo()._get_public_keys()[-1],
            env={"AWS_DEFAULT_REGION": place_sudo.region} if place_sudo.region else {},
            env_needed=STORAGE_ENV if remote else (),
            newest=None if remote else self._read_newest(repository_sudo, secrets),
        )

    @api.model
    def _read_newest(self, repository_sudo, secrets):
        """Return the manifest of the newest backup in a repository, None when it cannot be had now."""
        backups_sudo = self.env["saas.backup"].sudo()
        newest = backups_sudo.search(
            [("repository_ids", "in", repository_sudo.ids), ("state", "=", "verified")], limit=1
        )
        host = self.env["saas.operation"].sudo()._get_host()
        end = time.monotonic() + LOOK_S
        opened = Repository(
            location=repository_sudo.location,
            password=secrets[f"repository.{repository_sudo.id}.password"],
            binary=host.restic,
        ).watched(lambda *_told: None, lambda: end - time.monotonic())
        keys = [manifest.public_key(pem) for pem in backups_sudo._get_public_keys()]
        try:
            return restore.fetch_manifest(opened, newest.backup, keys).manifest
        except HostingError as error:
            _logger.info("recovery kit of %s: no manifest, %s", self.name, error)
            return None
