import json
import re

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

from .. import settings
from ..hosting.errors import HostingError
from .saas_errors import words

LOCATIONS = {
    "s3": re.compile(r"https?://[A-Za-z0-9.:-]+/[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9._-]+)*"),
    # No part begins with a hyphen: ssh would read it as an option.
    "sftp": re.compile(
        r"[A-Za-z0-9_][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*:/?[A-Za-z0-9._][A-Za-z0-9._/-]*"
    ),
}


class SaasBackupPlace(models.Model):
    """Where backups are kept: a folder of this machine, an S3 bucket, an SFTP server.

    Below it every database has a repository of its own.
    """

    _name = "saas.backup.place"
    _description = "Backup Place"
    _order = "sequence, id"
    _fleet_encrypted = {"secret": ()}  # see fleet_databases/rotation.py

    name = fields.Char(required=True, translate=True)
    active = fields.Boolean(default=True)
    sequence = fields.Integer(default=10)
    kind = fields.Selection(
        [("local", "Folder of This Machine"), ("s3", "S3 Bucket"), ("sftp", "SFTP")],
        required=True,
        default="local",
    )
    location = fields.Char(
        help="S3: https://host/bucket/folder. SFTP: user@host:/folder. A folder of this machine "
        "is set by fleet_backup_dir in odoo.conf."
    )
    access_key = fields.Char(groups="fleet_saas_server.group_hosting_operator")
    region = fields.Char(help="Only if the S3 service asks for one.")
    secret = fields.Char(copy=False, groups="base.group_system")
    secret_key = fields.Char(
        compute="_compute_secret_key",
        inverse="_inverse_secret_key",
        groups="fleet_saas_server.group_hosting_operator",
        help="Stored encrypted; it is never shown again.",
    )
    repository_ids = fields.One2many("saas.backup.repository", "place_id", "Repositories")

    @api.constrains("kind", "location")
    def _check_location(self):
        for place in self:
            rule = LOCATIONS.get(place.kind)
            if rule and not rule.fullmatch(place.location or ""):
                raise ValidationError(
                    self.env._("“%s” is not an address of such a place.", place.location or "")
                )

    def _compute_secret_key(self):
        for place in self:
            place.secret_key = "********" if place.sudo().secret else False

    def _inverse_secret_key(self):
        for place in self:
            if set(place.secret_key or "") == {"*"}:
                continue
            place.sudo().secret = place._encrypt(place.secret_key) if place.secret_key else False

    def write(self, vals):
        """Forget the secret with the address: else whoever changes it could harvest the key."""
        result = super().write(vals)
        if {"location", "kind"} & set(vals) and set(vals.get("secret_key") or "") <= {"*"}:
            self.sudo().secret = False  # operators may not write it
        return result

    def action_mark_lost(self):
        """Give up all backups of a place that is gone."""
        self.repository_ids.action_mark_lost()

    @api.model
    def _encrypt(self, text):
        try:
            return settings.encrypt(text)
        except HostingError as error:
            raise UserError(words(self.env, error.code, error.facts)) from error

    def _get_location(self, database):
        """Return where restic finds the repository of a database, by its identity."""
        self.ensure_one()
        if self.kind == "local":
            return str(self.env["saas.operation"]._get_host().backups / database.uuid)
        prefix = {"s3": "s3:", "sftp": "sftp:"}[self.kind]
        return f"{prefix}{self.location.rstrip('/')}/{database.uuid}"

    def _get_environment(self):
        """Return the credentials for restic's environment as a JSON text."""
        place_sudo = self.sudo()
        if self.kind != "s3":
            return "{}"
        env = {"AWS_ACCESS_KEY_ID": place_sudo.access_key or ""}
        if place_sudo.secret:
            env["AWS_SECRET_ACCESS_KEY"] = settings.decrypt(place_sudo.secret)
        if self.region:
            env["AWS_DEFAULT_REGION"] = self.region
        return json.dumps(env)
