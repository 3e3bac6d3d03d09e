from datetime import timedelta

from psycopg2.errors import UniqueViolation

from odoo import api, fields, models
from odoo.exceptions import ConcurrencyError, UserError
from odoo.fields import NO_ACCESS, Domain

from odoo.addons.fleet_databases import settings
from odoo.addons.fleet_databases.vault import Vault, VaultError

from .. import openid

SIGNS = timedelta(days=180)
# Longer than an ID token lives, and than anybody should keep the list of keys.
STILL_ACCEPTED = timedelta(days=1)


class SaasOpenidKey(models.Model):
    """A key by which other systems are told who has logged in; they fetch its public half."""

    _name = "saas.openid.key"
    _description = "Key of ID Tokens"
    _order = "id DESC"
    _rec_name = "kid"
    _fleet_encrypted = {"secret": ()}  # see fleet_databases/rotation.py

    kid = fields.Char("Key ID", required=True, readonly=True, copy=False)
    public = fields.Json(required=True, readonly=True, copy=False)
    secret = fields.Char(readonly=True, copy=False, exportable=False, groups=NO_ACCESS)
    is_signing = fields.Boolean("Signs", readonly=True, copy=False)
    accepted_until = fields.Datetime(readonly=True, copy=False)

    _kid_uniq = models.Constraint("UNIQUE(kid)", "This key exists.")
    _signing_uniq = models.UniqueIndex("(is_signing) WHERE is_signing", "Another key signs.")

    @api.model
    def _get_accepted(self):
        """Return the public keys (JWK) that ID tokens can be checked with."""
        accepted = Domain("is_signing", "=", True) | Domain(
            "accepted_until", ">", fields.Datetime.now()
        )
        return [key.public for key in self.sudo().search(accepted)]

    @api.model
    def _get_signing(self):
        """Return the key that signs; the first one is made here, and the next after half a year."""
        found = self.sudo().search([("is_signing", "=", True)])
        if found and found.create_date > fields.Datetime.now() - SIGNS:
            return found
        return self._replace(fields.Datetime.now() + STILL_ACCEPTED)

    @api.model
    def _replace(self, accepted_until):
        """Make a key that signs from now on; the one that did is accepted until that time."""
        self.sudo().search([("is_signing", "=", True)])._retire(accepted_until)
        secret = openid.new_key()
        public = openid.public_key(secret)
        values = {
            "kid": public["kid"],
            "public": public,
            "secret": self.env["project.project"]._get_vault().encrypt(secret),
            "is_signing": True,
        }
        try:
            with self.env.cr.savepoint():
                return self.sudo().create(values)
        except UniqueViolation as error:
            raise ConcurrencyError("a key of ID tokens") from error

    def _retire(self, accepted_until):
        self.sudo().write({"is_signing": False, "secret": False, "accepted_until": accepted_until})
        # One key signs: who follows comes after who leaves, also in the database.
        self.flush_recordset()

    def _sign(self, claims, access_token):
        """Return an ID token.

        :raises UserError: the private half cannot be read
        """
        self.ensure_one()
        try:
            secret = Vault(settings.secret_keys()).decrypt(self.sudo().secret or "")
        except VaultError as error:
            raise UserError(
                self.env._(
                    "The key %s of ID tokens cannot be read: the encryption key of this server has "
                    "changed. Put the former one back, last in fleet_secret_keys, or revoke the "
                    "key of ID tokens.",
                    self.kid,
                )
            ) from error
        return openid.sign(secret, self.kid, claims, access_token)

    # --- people

    def action_rotate(self):
        """Have a new key sign; the former one is accepted for a day."""
        self.env["saas.key"]._check_admin()
        self._replace(fields.Datetime.now() + STILL_ACCEPTED)
        return {"type": "ir.actions.client", "tag": "soft_reload"}

    def action_revoke(self):
        """Have these keys published no more: somebody else may have them."""
        self.env["saas.key"]._check_admin()
        for key in self:
            now = fields.Datetime.now()
            if key.is_signing:
                self._replace(now)
            key._retire(now)
        return {"type": "ir.actions.client", "tag": "soft_reload"}
