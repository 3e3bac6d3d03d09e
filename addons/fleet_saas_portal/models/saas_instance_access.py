import re
from datetime import timezone
from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

HOST = re.compile(r"[a-z0-9.-]+(:\d+)?|\[[0-9a-f:]+\](:\d+)?", re.IGNORECASE)
OPERATORS = "fleet_saas_portal.group_saas_manager"
STAFF = "fleet_saas_portal.group_saas_user"
ENTRANCE = "/fleet/sso"


class SaasInstance(models.Model):
    """Who comes into a database through the portal."""

    _inherit = "saas.instance"

    access_ids = fields.One2many("saas.access.request", "instance_id", "Operators' Access")
    access_log_ids = fields.One2many("saas.access.log", "instance_id", "Logins")
    asks_approval = fields.Boolean(
        "Operators Ask First",
        compute="_compute_asks_approval",
        compute_sudo=True,
        recursive=True,
        export_string_translation=False,
    )

    @api.depends("plan_id.asks_approval", "parent_id.asks_approval")
    def _compute_asks_approval(self):
        for instance in self:
            # A copy has no plan, and holds what its original holds.
            parent = instance.parent_id
            instance.asks_approval = instance.plan_id.asks_approval or parent.asks_approval

    # --- who may

    def _check_operator(self):
        """Check that the current user may enter customers' databases, with a reason."""
        self.check_access("read")
        if not self.env.user.has_group(OPERATORS):
            raise AccessError(self.env._("Only SaaS managers enter the databases of customers."))

    def _is_staff(self, user):
        """Tell whether ``user`` works for the hoster: such people never count as the customer."""
        return user.has_group(STAFF)

    def _may_connect(self, user):
        """Tell whether ``user`` is one of the customer's people and may log in here."""
        self.ensure_one()
        return not self._is_staff(user) and self._has_role(user, "manager")

    def _may_approve(self, user):
        """Tell whether ``user`` may let operators in."""
        self.ensure_one()
        return not self._is_staff(user) and self._has_role(user, "owner")

    def _check_approver(self):
        self.ensure_one()
        if not self._may_approve(self.env.user):
            raise AccessError(self.env._("Only the customer lets operators in."))

    # --- going in

    def action_connect(self):
        """Go into the database, or say why first."""
        self.ensure_one()
        self._check_operator()
        self.sudo()._check_can_connect()
        usable = self.env["saas.access.request"]._get_usable(self)
        if usable:
            return usable.action_connect()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Connect to %s", self.name),
            "res_model": "saas.connect.wizard",
            "view_mode": "form",
            "target": "new",
            "context": {"default_instance_id": self.id},
        }

    def _check_can_connect(self):
        """Check that the database is there and has been told whose tickets it may believe."""
        self.ensure_one()
        if self.state != "active" or not self.uuid or not self.url:
            raise UserError(
                self.env._("%s is not running now, so nobody can log in to it.", self.name)
            )
        if self.document_unread:
            raise UserError(
                self.env._(
                    "%s does not know this portal: the app Hosted Database is not installed in it.",
                    self.name,
                )
            )
        if self.env["saas.key"]._get_signing().kid not in self._get_told_keys():
            self._tell_soon()
            raise UserError(
                self.env._(
                    "%s was not told yet how this portal signs. Try again in a minute.", self.name
                )
            )

    def _get_entrance(self):
        """Return where tickets are posted to: the origin, and the whole address.

        :raises UserError: the server has given an address that is none
        """
        self.ensure_one()
        parts = urlsplit(self.url or "")
        if parts.scheme not in ("http", "https") or not HOST.fullmatch(parts.netloc):
            raise UserError(self.env._("%s has no address yet.", self.name))
        origin = f"{parts.scheme}://{parts.netloc}"
        return origin, origin + ENTRANCE

    def _issue_ticket(self, user, login, redirect=None, access=None, address=""):
        """Sign a ticket for this database and write the line about it.

        Whether ``user`` may have it was checked before; needs sudo.

        :param user: who goes in, as ``login``
        :param access: by which an operator does
        :return: the token, which is given to this person's browser and to nobody else
        """
        self.ensure_one()
        self._check_can_connect()
        operator = {}
        if access:
            operator = {"operator": f"{user.name} ({user.login})", "reason": access.reason}
            if access.until:
                operator["until"] = int(access.until.replace(tzinfo=timezone.utc).timestamp())
        ticket = (
            self.env["saas.key"]
            ._get_signing()
            ._sign(
                issuer=self._get_portal_uuid(),
                audience=self.uuid,
                login=login,
                redirect=redirect,
                **operator,
            )
        )
        self.env["saas.access.log"].create(
            self._prepare_access_line(user, login, access, ticket.number, address)
        )
        return ticket.token

    def _prepare_access_line(self, user, login, access, number, address):
        return {
            "instance_id": self.id,
            "name": self.name,
            "company_id": self.company_id.id,
            "user_id": user.id,
            "user_name": user.name,
            "login": login,
            "is_operator": bool(access),
            "access_id": access.id if access else False,
            "reason": access.reason if access else False,
            "address": address,
            "number": number,
        }
