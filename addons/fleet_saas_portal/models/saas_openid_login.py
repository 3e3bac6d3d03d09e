from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import NO_ACCESS

from ..signup import digest

CODE_LIFE = timedelta(seconds=60)
TOKEN_LIFE = timedelta(hours=1)
KEEP = timedelta(days=90)


class SaasOpenidLogin(models.Model):
    """One login of a person to another system: its code, then its access token, as hashes."""

    _name = "saas.openid.login"
    _description = "Login to Another System"
    _order = "id DESC"
    _rec_name = "user_id"

    client_id = fields.Many2one(
        "saas.openid.client", "System", required=True, readonly=True, index=True, ondelete="cascade"
    )
    user_id = fields.Many2one(
        "res.users", required=True, readonly=True, index=True, ondelete="cascade"
    )
    scope = fields.Char(required=True, readonly=True)
    redirect_uri = fields.Char(required=True, readonly=True)
    nonce = fields.Char(readonly=True, groups=NO_ACCESS)
    challenge = fields.Char(readonly=True, groups=NO_ACCESS)
    auth_time = fields.Integer(readonly=True, groups=NO_ACCESS)
    code_hash = fields.Char(readonly=True, index=True, groups=NO_ACCESS)
    code_until = fields.Datetime(readonly=True, groups=NO_ACCESS)
    is_used = fields.Boolean("Fetched", readonly=True, help="That system has taken the code.")
    token_hash = fields.Char(readonly=True, index="btree_not_null", groups=NO_ACCESS)
    token_until = fields.Datetime("Ends", readonly=True)

    @api.model
    def _begin(self, code, client, user, **values):
        """Keep a code that is good once, for a minute."""
        until = fields.Datetime.now() + CODE_LIFE
        values |= {"code_hash": digest(code), "code_until": until}
        return self.sudo().create({"client_id": client.id, "user_id": user.id, **values})

    @api.model
    def _take_code(self, code, client):
        """Return, as sudo, the login whose code it is; empty when the code is good no more.

        A code is tried once, whatever comes of it. Who brings it again may have stolen it, or was
        stolen from: what it gave is taken back (RFC 6749, 4.1.2).
        """
        domain = [("code_hash", "=", digest(code)), ("client_id", "=", client.id)]
        login = self.sudo().search(domain, limit=1)
        if login.is_used:
            login.token_hash = False
            return login.browse()
        login.is_used = True
        # Of two at the same time one waits here, is run again, and finds it used.
        login.flush_recordset()
        return login.filtered(lambda each: each.code_until > fields.Datetime.now())

    def _keep_token(self, token):
        self.ensure_one()
        until = fields.Datetime.now() + TOKEN_LIFE
        self.sudo().write({"token_hash": digest(token), "token_until": until})

    @api.model
    def _find_token(self, token):
        """Return, as sudo, the login whose access token it is; empty when that is over."""
        login = self.sudo().search([("token_hash", "=", digest(token))], limit=1)
        now = fields.Datetime.now()
        return login.filtered(
            lambda each: each.token_until > now and each.client_id.active and each.user_id.active
        )

    @api.autovacuum
    def _gc_logins(self):
        self.search([("create_date", "<", fields.Datetime.now() - KEEP)]).unlink()
