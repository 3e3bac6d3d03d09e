from odoo import api, models
from odoo.exceptions import AccessDenied

from ..trust import Ticket

CREDENTIAL = "fleet_ticket"
# Every way of changing who is an internal user, but for those of res.groups, ends in these fields.
COUNTED = {"active", "group_ids"}


class ResUsers(models.Model):
    _inherit = "res.users"

    @api.model_create_multi
    def create(self, vals_list):
        with self.env["saas.client"]._guard_users():
            return super().create(vals_list)

    def write(self, vals):
        if not COUNTED & vals.keys():
            return super().write(vals)
        with self.env["saas.client"]._guard_users():
            return super().write(vals)

    def _login(self, credential, user_agent_env):
        client = self.env["saas.client"].sudo()
        if credential["type"] == CREDENTIAL:
            # Before anything counts failed logins: a form that is sent twice locks nobody out.
            ticket = client._read_ticket(credential.get("ticket"))
            client._use_ticket(ticket)
            credential |= {"login": ticket.login, "ticket": ticket}
        elif client._get_standing().is_suspended:
            raise AccessDenied(client._get_suspended_text())
        return super()._login(credential, user_agent_env=user_agent_env)

    def _check_credentials(self, credential, env):
        if credential["type"] != CREDENTIAL:
            return super()._check_credentials(credential, env)
        ticket, user = credential.get("ticket"), self.env.user
        # Only `_login` makes one, of a text that it has verified and used up.
        if not isinstance(ticket, Ticket):
            raise AccessDenied()
        if not user.active or ticket.login != user.login or ticket.uid not in (None, user.id):
            raise AccessDenied()
        if not user._is_internal():
            raise AccessDenied(
                self.env._(
                    "%s may not work in this database: only internal users come in through the "
                    "portal.",
                    user.login,
                )
            )
        self.env["saas.access"].sudo()._log(user, ticket)
        return {"uid": user.id, "auth_method": CREDENTIAL, "mfa": "skip"}

    def _check_uid_passwd(self, uid, passwd):
        # XML-RPC and JSON-RPC name the database themselves and never pass `ir.http`.
        client = self.env["saas.client"].sudo()
        if client._get_standing().is_suspended:
            raise AccessDenied(client._get_suspended_text())
        return super()._check_uid_passwd(uid, passwd)
