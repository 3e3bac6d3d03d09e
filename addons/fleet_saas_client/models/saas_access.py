from odoo import api, fields, models
from odoo.exceptions import AccessError
from odoo.http import request


class SaasAccess(models.Model):
    """One login through the provider's portal. Nobody writes it but the login itself."""

    _name = "saas.access"
    _description = "Access through the Provider"
    _order = "id desc"
    _rec_name = "user_id"

    user_id = fields.Many2one("res.users", readonly=True, index=True, ondelete="set null")
    login = fields.Char(readonly=True)
    operator = fields.Char(
        readonly=True,
        help="Who of your provider came in as this user. Empty when the user came in himself.",
    )
    reason = fields.Char(readonly=True)
    address = fields.Char("IP Address", readonly=True)
    create_date = fields.Datetime("Date", readonly=True)

    @api.model_create_multi
    def create(self, vals_list):
        # Access rights alone would not do: an administrator of the database gives them to himself.
        if not self.env.su:
            self._refuse_change()
        return super().create(vals_list)

    def write(self, vals):
        # The superuser is refused too: a server action is one whenever it wants to be.
        self._refuse_change()
        return super().write(vals)

    def unlink(self):
        self._refuse_change()
        return super().unlink()

    def _refuse_change(self):
        raise AccessError(self.env._("Nobody changes the list of who came in."))

    @api.model
    def _log(self, user, ticket):
        """Record that ``ticket`` let somebody in as ``user``."""
        if not self.search_count([], limit=1):
            self.env.registry.clear_cache()  # from now on there is a menu for it
        return self.create(
            {
                "user_id": user.id,
                "login": user.login,
                "operator": ticket.operator or False,
                "reason": ticket.reason or False,
                "address": request.httprequest.remote_addr if request else False,
            }
        )
