import re
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.tools.sql import escape_psql

from odoo.addons.auth_signup.models.res_partner import SignupError

from .saas_mail_domain import normalize_address

# What each role may do includes what those before it may.
ROLES = ("viewer", "manager", "owner")
MAX_MEMBERS = 50  # a customer
MAX_INVITATIONS = 20  # a customer and day: each of them is a mail to an address that was typed
# What a mail to strangers gives no customer's name for: links, markup, or more than a name.
NO_NAME = re.compile(r"://|www\.|[<>@\\]|.{81}|[\r\n]", re.IGNORECASE)


class SaasMember(models.Model):
    """Somebody who may look after one database of a customer, or after all of them."""

    _name = "saas.member"
    _description = "User of a Customer's Databases"
    _rec_name = "email"
    _order = "partner_id, email, id"

    partner_id = fields.Many2one(
        "res.partner", "Customer", required=True, index=True, ondelete="cascade"
    )
    instance_id = fields.Many2one(
        "saas.instance",
        index="btree_not_null",
        ondelete="cascade",
        help="Every database of the customer when empty.",
    )
    user_id = fields.Many2one("res.users", required=True, index=True, ondelete="cascade")
    # What was typed: the name behind an address that has an account already stays its own.
    email = fields.Char("E-mail", compute="_compute_email", store=True, readonly=False)
    role = fields.Selection(
        [("viewer", "Viewer"), ("manager", "Manager"), ("owner", "Owner")],
        required=True,
        default="viewer",
        help="Viewers look, managers also log in, back up and restore, owners also look after "
        "users, invoices and the end.",
    )
    active = fields.Boolean(default=True)

    _uniq = models.UniqueIndex(
        "(partner_id, user_id, COALESCE(instance_id, 0)) WHERE active",
        "This user has a role there already.",
    )

    @api.depends("user_id")
    def _compute_email(self):
        for member in self:
            member.email = member.email or member.user_id.login

    @api.constrains("partner_id", "instance_id")
    def _check_customer(self):
        for member in self:
            if member.partner_id != member.partner_id.commercial_partner_id:
                raise ValidationError(
                    self.env._("%s is no customer but a contact.", member.partner_id.name)
                )
            customer = member.instance_id.partner_id.commercial_partner_id
            if member.instance_id and customer != member.partner_id:
                raise ValidationError(
                    self.env._("%s belongs to another customer.", member.instance_id.name)
                )

    # --- inviting

    @api.model
    def _invite(self, customer, instance, email, role):
        """Give the person behind ``email`` a role, and tell them by mail.

        An address without an account gets one; what comes back is the same for both, so that
        nobody learns who has an account here.

        :param instance: the only database that is meant, or none for every one of ``customer``
        :raises UserError: the address is none, or too many were invited
        """
        address = normalize_address(email)
        if not address or role not in ROLES:
            raise UserError(self.env._("Enter an e-mail address and choose a role."))
        user = self._find_user(address)
        if user == self.env.user:
            raise UserError(self.env._("You cannot change your own role; ask another owner."))
        known = self.search(
            [
                ("partner_id", "=", customer.id),
                ("instance_id", "=", instance.id),
                ("user_id", "in", user.ids),
            ]
        )
        if known:
            known.role = role
            return known
        self._check_room(customer)
        # A contact of its own: a contact of the customer would read all of its documents.
        user = user or self._create_user(address)
        member = self.create(
            {
                "partner_id": customer.id,
                "instance_id": instance.id,
                "user_id": user.id,
                "email": address,
                "role": role,
            }
        )
        template = self.env.ref("fleet_saas_portal.mail_template_invitation")
        template.send_mail(member.id)
        self.env.ref("mail.ir_cron_mail_scheduler_action").sudo()._trigger()
        return member

    @api.model
    def _check_room(self, customer):
        # Those who were removed again have had their mail too.
        since = fields.Datetime.now() - timedelta(days=1)
        invited = self.with_context(active_test=False).search_count(
            [("partner_id", "=", customer.id), ("create_date", ">", since)]
        )
        present = self.search_count([("partner_id", "=", customer.id)])
        if invited >= MAX_INVITATIONS or present >= MAX_MEMBERS:
            raise UserError(
                self.env._("Too many people were invited; try again tomorrow or ask your provider.")
            )

    @api.model
    def _find_user(self, address):
        """Return the user with this login, empty when there is none."""
        Users = self.env["res.users"].with_context(active_test=False)
        user = Users.search([("login", "=ilike", escape_psql(address))], limit=1)
        if user and (not user.active or user._is_public()):
            raise UserError(self.env._("This address cannot be invited; ask your provider."))
        return user

    @api.model
    def _create_user(self, address):
        Users = self.env["res.users"]
        try:
            user = Users._create_user_from_template(
                {"name": address, "login": address, "email": address}
            )
        except SignupError as error:
            # Somebody else has just invited the same address.
            raise UserError(self.env._("Not done; try once more.")) from error
        user.partner_id.signup_prepare()
        return user

    def _get_link(self):
        """Return where the invited person goes: to choose a password first, or to the databases."""
        self.ensure_one()
        partner = self.user_id.partner_id
        base = partner.get_base_url()
        if self.user_id.login_date or not partner.signup_type:
            return f"{base}/my/databases"
        return partner._get_signup_url()

    def _get_giver(self):
        """Return whose role it is, for the invitation, and no name that is none.

        Customers name themselves, and this mail goes to whom they like.
        """
        self.ensure_one()
        name = self.partner_id.name or ""
        return self.env._("Somebody") if not name or NO_NAME.search(name) else name

    def _prepare_copy(self):
        """Return the values by which the same person has the same role elsewhere."""
        self.ensure_one()
        return {
            "partner_id": self.partner_id.id,
            "user_id": self.user_id.id,
            "email": self.email,
            "role": self.role,
        }

    def _get_place(self):
        """Return what the role is for, in words."""
        self.ensure_one()
        return self.instance_id.name or self.env._("all databases of %s", self._get_giver())
