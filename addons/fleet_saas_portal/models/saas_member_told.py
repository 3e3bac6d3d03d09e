from odoo import api, models

from .saas_instance_access import STAFF

# What makes somebody one of a customer's people, or makes more of them.
GIVES = {"role", "user_id", "partner_id", "instance_id", "active"}


class SaasMember(models.Model):
    """A customer hears whom the hoster's people let in: a role is a way into the database."""

    _inherit = "saas.member"

    @api.model_create_multi
    def create(self, vals_list):
        members = super().create(vals_list)
        members._tell_customer()
        return members

    def write(self, vals):
        result = super().write(vals)
        if GIVES & vals.keys() and vals.get("active", True):
            self._tell_customer()
        return result

    def _tell_customer(self):
        """Write the customer's owners, if it was one of the hoster's people who gave the role."""
        if self.env.su or not self.env.user.has_group(STAFF):
            return
        roles = dict(self._fields["role"]._description_selection(self.env))
        for member in self.sudo():
            company = member.instance_id.company_id or self.env.company
            # The operator's own address may be none, or none that customers shall write to.
            sender = {"email_from": company.email_formatted} if company.email else {}
            member.partner_id.message_post(
                **sender,
                partner_ids=member._get_told().ids,
                subject=self.env._("Somebody may look after your databases"),
                body=self.env._(
                    "%(operator)s of your provider gave %(email)s the role %(role)s for %(place)s. "
                    "If you did not ask for that, remove the user on the page of the database.",
                    operator=self.env.user.name,
                    email=member.email,
                    role=roles[member.role],
                    place=member._get_place(),
                ),
            )

    def _get_told(self):
        """Return the contacts who hear of it: the customer, and its owners before this one."""
        self.ensure_one()
        owners = self.partner_id.saas_member_ids.filtered(
            lambda member: member.role == "owner" and member.active and member != self
        )
        return (owners.user_id.partner_id | self.partner_id).filtered("email")
