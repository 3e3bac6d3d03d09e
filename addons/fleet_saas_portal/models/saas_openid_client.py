import hmac
import secrets

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import NO_ACCESS

from ..openid import is_redirect
from ..signup import digest, new_token

MAX_REDIRECTS = 20


class SaasOpenidClient(models.Model):
    """Another system whose users log in with their account of this portal (OpenID Connect)."""

    _name = "saas.openid.client"
    _description = "System That Logs In by This Portal"
    _order = "name, id"

    name = fields.Char(
        required=True, help="What people are told who wants to know who they are, such as Wiki."
    )
    active = fields.Boolean(default=True, help="Nobody logs in to an archived system any more.")
    identifier = fields.Char(
        "Client ID",
        required=True,
        readonly=True,
        copy=False,
        default=lambda self: secrets.token_hex(12),
    )
    is_public = fields.Boolean(
        "Without a Secret",
        help="For apps on people's own devices, which cannot keep one: PKCE is required of them.",
    )
    secret_hash = fields.Char(readonly=True, copy=False, exportable=False, groups=NO_ACCESS)
    secret_date = fields.Datetime("Secret Made", readonly=True, copy=False)
    redirect_uris = fields.Text(
        "Redirect URIs",
        required=True,
        help="One a line, each exactly as the other system sends it: https, or http on localhost.",
    )
    tells_profile = fields.Boolean(
        "Name and Language", default=True, help="The scope profile: name, login, language."
    )
    tells_email = fields.Boolean(
        "E-mail Address", default=True, help="The scope email: the address that people log in with."
    )
    tells_databases = fields.Boolean(
        "Databases",
        help="The scope databases: names and addresses of the databases that somebody looks "
        "after, with the role in each.",
    )
    asks_consent = fields.Boolean(
        "Ask the Person",
        default=True,
        help="Everybody who logs in there is told what that system learns, and may refuse.",
    )
    discovery_url = fields.Char("Discovery Address", compute="_compute_discovery_url")
    login_ids = fields.One2many("saas.openid.login", "client_id", "Logins", readonly=True)

    _identifier_uniq = models.Constraint("UNIQUE(identifier)", "This client ID exists.")

    @api.depends_context("uid")
    def _compute_discovery_url(self):
        self.discovery_url = f"{self._get_issuer()}/.well-known/openid-configuration"

    @api.constrains("redirect_uris")
    def _check_redirect_uris(self):
        for client in self:
            uris = client._get_redirect_uris()
            if not uris or len(uris) > MAX_REDIRECTS:
                raise ValidationError(
                    self.env._("Enter 1 to %s redirect URIs, one a line.", MAX_REDIRECTS)
                )
            for uri in uris:
                if not is_redirect(uri):
                    raise ValidationError(
                        self.env._(
                            "%s cannot be a redirect URI: it has to begin with https://, or with "
                            "http://localhost on the machine of the person, and has no # part.",
                            uri,
                        )
                    )

    @api.model_create_multi
    def create(self, vals_list):
        clients = super().create(vals_list)
        # Other systems fetch the keys when they are set up, before the first login.
        self.env["saas.openid.key"]._get_signing()
        return clients

    # --- what the protocol asks

    @api.model
    def _get_issuer(self):
        """Return the name of this portal in every token: its address."""
        get_param = self.env["ir.config_parameter"].sudo().get_param
        return (get_param("web.base.url") or "").rstrip("/")

    @api.model
    def _find(self, identifier):
        """Return, as sudo, the active client of this ID; empty when there is none."""
        known = isinstance(identifier, str) and identifier.isalnum()
        domain = [("identifier", "=", identifier)] if known else [("id", "=", False)]
        return self.sudo().search(domain, limit=1)

    def _get_redirect_uris(self):
        self.ensure_one()
        return [line.strip() for line in (self.redirect_uris or "").splitlines() if line.strip()]

    def _get_scopes(self):
        """Return the scopes that this client may ask for."""
        self.ensure_one()
        names = ("profile", "email", "databases")
        return ["openid", *(name for name in names if self[f"tells_{name}"])]

    def _check_secret(self, secret):
        """Tell whether ``secret`` is this client's."""
        self.ensure_one()
        known = self.sudo().secret_hash
        return bool(known) and hmac.compare_digest(known, digest(secret))

    # --- people

    def action_new_secret(self):
        """Make a secret and show it, once; the former one is good no more."""
        self.ensure_one()
        self.check_access("write")
        if self.is_public:
            raise UserError(self.env._("%s works without a secret.", self.name))
        secret = new_token()
        self.sudo().write({"secret_hash": digest(secret), "secret_date": fields.Datetime.now()})
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("New Secret"),
            "res_model": "saas.openid.secret",
            "views": [(False, "form")],
            "target": "new",
            "context": {"default_identifier": self.identifier, "default_secret": secret},
        }


class SaasOpenidSecret(models.AbstractModel):
    """A secret on the screen; it is stored nowhere, like an API key of Odoo's own."""

    _name = "saas.openid.secret"
    _description = "New Secret"

    id = fields.Id()  # the form asks for its values by it
    identifier = fields.Char("Client ID", readonly=True)
    secret = fields.Char(readonly=True)

    def web_save(self, vals, specification, next_id=None):
        """Store nothing: a browser that leaves the page saves what it shows, and that has no table."""
        return []
