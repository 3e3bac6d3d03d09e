import logging
from datetime import timedelta

from psycopg2.errors import UniqueViolation

from odoo import SUPERUSER_ID, api, fields, models
from odoo.exceptions import AccessError, ConcurrencyError, UserError
from odoo.fields import NO_ACCESS, Domain
from odoo.tools import config

from odoo.addons.fleet_databases import settings
from odoo.addons.fleet_databases.vault import Vault, VaultError

from ..tickets import new_key, public_key, sign

_logger = logging.getLogger(__name__)

FIRST_LOCK = 0x666C6565746B6579  # advisory lock while the first key is made
# Every state of a key and the states it may go to.
TRANSITIONS = {"announced": ("signing", "retired"), "signing": ("retired",), "retired": ()}
# A key signs for half a year; the next one signs once every database knows it, or at last then.
SIGNS = timedelta(days=180)
ANNOUNCED = timedelta(days=7)
# Longer than a ticket lives: what the key has signed last is still on its way.
STILL_ACCEPTED = timedelta(minutes=10)


class SaasKey(models.Model):
    """A key by which this portal signs tickets; databases learn its public half in their documents."""

    _name = "saas.key"
    _description = "Signing Key"
    _order = "id DESC"
    _rec_name = "kid"
    _fleet_encrypted = {"secret": ()}

    kid = fields.Char("Key ID", required=True, readonly=True, copy=False)
    public = fields.Json(required=True, readonly=True, copy=False)
    secret = fields.Char(readonly=True, copy=False, exportable=False, groups=NO_ACCESS)
    state = fields.Selection(
        [("announced", "Announced"), ("signing", "Signing"), ("retired", "Retired")],
        required=True,
        readonly=True,
        default="announced",
        copy=False,
        help="Databases learn a key while it is announced, before it signs.",
    )
    signing_since = fields.Datetime(readonly=True, copy=False)
    accepted_until = fields.Datetime(readonly=True, copy=False)

    _kid_uniq = models.Constraint("UNIQUE(kid)", "This key exists.")
    _state_uniq = models.UniqueIndex(
        "(state) WHERE state IN ('announced', 'signing')", "There is such a key already."
    )

    # --- what others need of them

    @api.model
    def _get_accepted(self):
        """Return the public keys (JWK) that databases have to accept, the oldest first."""
        self._get_signing()
        accepted = Domain("state", "!=", "retired") | Domain(
            "accepted_until", ">", fields.Datetime.now()
        )
        return [key.public for key in self.sudo().search(accepted, order="id")]

    @api.model
    def _get_signing(self):
        """Return the key that signs; the first one is made here."""
        found = self.sudo().search([("state", "=", "signing")])
        return found or self._make("signing")

    def _sign(self, **claims):
        """Return a ticket, see `tickets.sign`.

        :raises UserError: the private half cannot be read
        """
        self.ensure_one()
        try:
            secret = Vault(settings.secret_keys()).decrypt(self.sudo().secret or "")
        except VaultError as error:
            raise UserError(
                self.env._(
                    "The key %s by which logins are signed cannot be read: the encryption key of "
                    "this server has changed. Put the former one back, last in fleet_secret_keys, "
                    "or revoke the signing key.",
                    self.kid,
                )
            ) from error
        return sign(secret, **claims)

    # --- their life

    def _register_hook(self):
        """Make the first signing key when a process starts: those who come first would be rivals."""
        super()._register_hook()
        if config["stop_after_init"]:
            return
        with self.env.registry.cursor() as cr:
            # Other processes start at this moment too; what they made is seen once the lock is ours.
            cr.execute("SELECT pg_advisory_xact_lock(%s)", [FIRST_LOCK])
            keys = api.Environment(cr, SUPERUSER_ID, {})["saas.key"]
            try:
                keys._get_signing()
            except UserError as error:
                _logger.info("There is no key to sign logins with yet: %s", error)

    @api.model
    def _make(self, state):
        """Make a key; a rival that makes one at the same moment has this transaction run again."""
        secret = new_key()
        public = public_key(secret)
        values = {
            "kid": public["kid"],
            "public": public,
            "secret": self.env["project.project"]._get_vault().encrypt(secret),
            "state": state,
            "signing_since": fields.Datetime.now() if state == "signing" else False,
        }
        try:
            with self.env.cr.savepoint():
                return self.sudo().create(values)
        except UniqueViolation as error:
            raise ConcurrencyError(f"a key that is {state}") from error

    def _set_state(self, state, **values):
        """Change the state along `TRANSITIONS`."""
        self.ensure_one()
        if state not in TRANSITIONS[self.state]:
            raise ValueError(f"key {self.kid} cannot go from {self.state} to {state}")
        self.sudo().write({"state": state, **values})
        # One key signs: who follows comes after who leaves, also in the database.
        self.flush_recordset()

    def _retire(self, accepted_until):
        """Have the key sign no more; its private half is forgotten."""
        self._set_state("retired", secret=False, accepted_until=accepted_until)

    def _promote(self):
        """Have this announced key sign, and the one that did retire."""
        now = fields.Datetime.now()
        for former in self.sudo().search([("state", "=", "signing")]):
            former._retire(now + STILL_ACCEPTED)
        self._set_state("signing", signing_since=now)

    def _is_known(self):
        """Tell whether every database that can be told has been told of this key."""
        self.ensure_one()
        if self.create_date < fields.Datetime.now() - ANNOUNCED:
            return True
        told = self.env["saas.instance"].sudo()._get_told()
        return all(self.kid in instance._get_told_keys() for instance in told)

    @api.model
    def _cron_rotate(self):
        """Announce a key when the one that signs is old; let it sign when everybody knows it."""
        announced = self.search([("state", "=", "announced")])
        if announced:
            if announced._is_known():
                announced._promote()
        elif self._get_signing().signing_since < fields.Datetime.now() - SIGNS:
            self._make("announced")
        self._tell()

    @api.model
    def _tell(self):
        self.env.ref("fleet_saas_portal.ir_cron_documents").sudo()._trigger()

    # --- people

    @api.model
    def _check_admin(self):
        if not self.env.user.has_group("fleet_saas_portal.group_saas_admin"):
            raise AccessError(self.env._("Only SaaS administrators look after signing keys."))

    def action_rotate(self):
        """Announce a new key; it signs once every database knows it."""
        self._check_admin()
        if self.search_count([("state", "=", "announced")]):
            raise UserError(self.env._("A new key is announced already; databases learn it now."))
        self._get_signing()
        self._make("announced")
        self._tell()
        return {"type": "ir.actions.client", "tag": "soft_reload"}

    def action_revoke(self):
        """Have nobody accept these keys any more: somebody else may have them.

        Nobody comes in through the portal until the databases were told of the next key.
        """
        self._check_admin()
        for key in self.filtered(lambda key: key.state != "retired"):
            signed = key.state == "signing"
            key._retire(fields.Datetime.now())
            announced = self.sudo().search([("state", "=", "announced")])
            if signed and announced:
                announced._promote()
        for key in self:
            key.sudo().accepted_until = fields.Datetime.now()
        self._get_signing()
        self._tell()
        return {"type": "ir.actions.client", "tag": "soft_reload"}
