import hmac

from odoo import models
from odoo.exceptions import AccessDenied

from ..signup import digest

CREDENTIAL = "saas_signup"


class ResUsers(models.Model):
    _inherit = "res.users"

    def _check_credentials(self, credential, env):
        """Accept the secret that a sign-up gave the browser that proved the e-mail; it works once."""
        try:
            return super()._check_credentials(credential, env)
        except AccessDenied:
            if credential.get("type") != CREDENTIAL or not self.env.user.active:
                raise
            if not self._use_signup_secret(credential.get("secret")):
                raise
            return {"uid": self.env.user.id, "auth_method": CREDENTIAL, "mfa": "default"}

    def _use_signup_secret(self, secret):
        """Tell whether ``secret`` belongs to this user, and use it up."""
        if not isinstance(secret, str) or not secret:
            return False
        Signup = self.env["saas.signup"].sudo()
        waiting = Signup.search([("user_id", "=", self.env.uid), ("login_hash", "!=", False)])
        for signup in waiting:
            if hmac.compare_digest(signup.login_hash, digest(secret)):
                signup.login_hash = False
                return True
        return False
