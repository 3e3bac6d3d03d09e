from odoo import api, fields, models
from odoo.fields import Domain

from .saas_member import ROLES


class SaasInstance(models.Model):
    """Who of a customer may do what."""

    _inherit = "saas.instance"

    member_ids = fields.One2many("saas.member", "instance_id", "Users of This Database")
    domain_ids = fields.One2many("saas.domain", "instance_id", "Own Host Names")

    def write(self, vals):
        result = super().write(vals)
        if "partner_id" in vals:
            # The former customer's people have nothing to look after here any more.
            for instance in self.sudo():
                customer = instance.partner_id.commercial_partner_id
                instance.member_ids.filtered(lambda x, c=customer: x.partner_id != c).active = False
        return result

    @api.model
    def _get_customer_domain(self, user, role="viewer"):
        """Return the domain of what ``user`` may look after in at least ``role``.

        The customer in person is owner; others are what `saas.member` says.
        """
        members = self._get_memberships(user, role)
        whole = members.filtered(lambda member: not member.instance_id)
        return Domain.OR(
            [
                Domain("partner_id", "=", user.partner_id.id),
                Domain("partner_id.commercial_partner_id", "=", user.partner_id.id),
                Domain("partner_id.commercial_partner_id", "in", whole.partner_id.ids),
                Domain("id", "in", members.instance_id.ids),
            ]
        )

    @api.model
    def _get_memberships(self, user, role="viewer"):
        return (
            self.env["saas.member"]
            .sudo()
            .search([("user_id", "=", user.id), ("role", "in", ROLES[ROLES.index(role) :])])
        )

    @api.model
    def _find_for_user(self, uuid, role="viewer", user=None):
        """Return, as sudo, the instance ``uuid`` if ``user`` may look after it in ``role``.

        This is the one door through which a customer's request reaches an instance.

        :param user: the current one when not given
        :return: an empty recordset for what does not exist and for what is somebody else's
        """
        if not uuid or not isinstance(uuid, str):
            return self.sudo().browse()
        domain = self._get_customer_domain(user or self.env.user, role)
        return self.sudo().search(Domain("uuid", "=", uuid) & domain, limit=1)

    def _has_role(self, user, role):
        """Tell whether ``user`` may do here what needs ``role``."""
        self.ensure_one()
        return bool(self.sudo().filtered_domain(self._get_customer_domain(user, role)))

    def _may_connect(self, user):
        """Tell whether ``user`` is one of the customer's people and may log in here."""
        return self._has_role(user, "manager")

    def _owns_customer(self, user):
        """Tell whether ``user`` is owner of everything that this instance's customer has."""
        self.ensure_one()
        customer = self.sudo().partner_id.commercial_partner_id
        if not customer:
            return False
        whole = self._get_memberships(user, "owner").filtered(lambda x: not x.instance_id)
        return user.partner_id == customer or customer in whole.partner_id

    def _get_people(self):
        """Return the members who may look after this instance, of this one and of all."""
        self.ensure_one()
        customer = self.partner_id.commercial_partner_id
        return self.env["saas.member"].search(
            [("partner_id", "=", customer.id), ("instance_id", "in", (self.id, False))]
        )
