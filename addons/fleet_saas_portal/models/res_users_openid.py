from odoo import models
from odoo.tools import email_normalize

from .saas_member import ROLES


class ResUsers(models.Model):
    """What other systems learn of somebody who logs in there (OpenID Connect Core 1.0, 5.1)."""

    _inherit = "res.users"

    def _get_openid_claims(self, scopes):
        """Return the claims of these scopes about this user."""
        self.ensure_one()
        claims = {"sub": str(self.id)}
        if "profile" in scopes:
            claims |= {"name": self.name, "preferred_username": self.login}
            if self.lang:
                claims["locale"] = self.lang.partition("@")[0].replace("_", "-")
        if "email" in scopes:
            claims |= self._get_openid_email()
        return claims

    def _get_openid_email(self):
        """Return the address that this user logs in with, if it is one.

        The contact's address is told to nobody: people write it themselves, and other systems
        would take them for whoever has an account with it there.
        """
        email = email_normalize(self.login)
        if not email:
            return {}
        # Where everybody makes an account by a form, a login was proven by nobody.
        proven = self._get_signup_invitation_scope() != "b2c"
        return {"email": email, "email_verified": proven}

    def _get_openid_databases(self):
        """Return the databases that this user looks after: ``[{"name", "address", "role"}]``.

        People of the hoster look after none: they never count as the customer.
        """
        self.ensure_one()
        Instance = self.env["saas.instance"].sudo()
        if Instance._is_staff(self):
            return []
        roles = {}
        # Who has a role has those before it: the last one counts.
        for role in ROLES:
            for instance in Instance.search(Instance._get_customer_domain(self, role)):
                roles[instance] = role
        return [
            {"name": instance.name, "address": instance.url or "", "role": role}
            for instance, role in roles.items()
        ]
