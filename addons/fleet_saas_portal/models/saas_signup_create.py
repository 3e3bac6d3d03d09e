from psycopg2.errors import UniqueViolation

from odoo import fields, models
from odoo.exceptions import ConcurrencyError, UserError
from odoo.tools import SQL, email_normalize
from odoo.tools.sql import escape_psql
from odoo.tools.translate import LazyTranslate

from odoo.addons.auth_signup.models.res_partner import SignupError

from ..signup import digest, new_token
from .saas_instance import GONE

_lt = LazyTranslate(__name__)

MOST_TRIES = 5
# What the server's steps are to a customer; several may be one.
WORDS = {
    "reserve": _lt("Keeping the address"),
    "copy": _lt("Preparing your database"),
    "seal": _lt("Giving it its own keys"),
    "verify": _lt("Checking it"),
    "personalise": _lt("Writing your company and language into it"),
    "publish": _lt("Giving it its name"),
    "activate": _lt("Switching it on"),
    "route": _lt("Connecting the address"),
    "first_request": _lt("Opening it for the first time"),
}


class SaasSignup(models.Model):
    """From a proven e-mail to a database."""

    _inherit = "saas.signup"

    # --- who it is

    def _get_known_users(self, user):
        """Return whom the proven e-mail logs in, archived users as well, and ``user`` if it is his.

        The e-mail of a user's contact counts for the one who is logged in only: everybody may write
        another's address there.
        """
        self.ensure_one()
        Users = self.env["res.users"].sudo().with_context(active_test=False)
        known = Users.search([("login", "=ilike", escape_psql(self.email))])
        own = not user._is_public() and user.sudo().email_normalized == self.email
        return known | user if own else known

    def _needs_login(self, user):
        """Tell whether an account has this e-mail and ``user``, who asks, is not logged in with it."""
        known = self._get_known_users(user)
        return bool(known) and user not in known

    def _make_owner(self):
        """Return a new portal user, with a contact, to whom the database will belong."""
        partner = self.env["res.partner"].sudo().create(self._prepare_partner())
        try:
            # The savepoint of Odoo's own method keeps this transaction usable.
            return (
                self.env["res.users"]
                .sudo()
                ._create_user_from_template(
                    {
                        "login": self.email,
                        "name": self.contact_name,
                        "email": self.email,
                        "partner_id": partner.id,
                        "lang": partner.lang,
                        "company_id": self.company_id.id,
                        "company_ids": [fields.Command.set(self.company_id.ids)],
                    }
                )
            )
        except SignupError as error:
            # A rival with the same e-mail was faster: the next try finds the user.
            raise ConcurrencyError(f"sign-up {self.id}") from error

    def _prepare_partner(self):
        """Return the values of the contact; its company is made with it.

        A contact that has the e-mail already is not used: whoever entered it did not prove it, and
        its invoices are not shown to a stranger.
        """
        self.ensure_one()
        common = {"country_id": self.country_id.id, "lang": self.lang}
        parent = self.env["res.partner"].sudo()
        if self.company_name:
            parent = parent.create(
                {
                    "name": self.company_name,
                    "is_company": True,
                    "email": self.email,
                    **common,
                }
            )
        return {
            "name": self.contact_name,
            "email": self.email,
            "parent_id": parent.id,
            **common,
        }

    def _get_customer(self, owner, is_new=False):
        """Return the partner that the database belongs to: ``owner`` or the company it speaks for."""
        partner = owner.partner_id
        company = partner.commercial_partner_id
        Member = self.env.get("saas.member")
        if company == partner or Member is None:
            return partner
        role = [("partner_id", "=", company.id), ("user_id", "=", owner.id)]
        members = Member.sudo().search(role)
        if not members and not is_new:
            return partner
        if not members:
            members = Member.sudo().create(
                {"partner_id": company.id, "user_id": owner.id, "role": "owner"}
            )
        whole = members.filtered(lambda each: each.role == "owner" and not each.instance_id)
        return company if whole else partner

    def _has_place(self, partner):
        """Tell whether the plan lets this customer have one more database."""
        most = self.plan_id.max_databases
        if not most:
            return True
        # A rival of the same customer must not count at the same moment: he fails on this row.
        customer = partner.commercial_partner_id
        self.env.cr.execute(SQL("UPDATE res_partner SET id = id WHERE id = %s", customer.id))
        Instance = self.env["saas.instance"].sudo().with_context(active_test=False)
        has = Instance.search_count(
            [
                ("partner_id", "child_of", customer.id),
                ("plan_id", "=", self.plan_id.id),
                ("state", "not in", GONE),
            ]
        )
        return has < most

    # --- making it

    def _create_for(self, user):
        """Make what was asked for, for ``user`` or, when nobody has the e-mail, for a new user.

        :return: ``login`` when the visitor has to log in first, ``name`` when another address has
            to be chosen, ``failed``, or an empty text
        """
        self.ensure_one()
        if self.state not in ("proven", "failed") or self._is_expired():
            return "failed"
        known = self._get_known_users(user)
        if known and not any(known.mapped("active")):
            return self._fail(self.env._("This e-mail cannot be used here; please write to us."))
        if self._needs_login(user):
            return "login"
        if not self._is_free(self.name):
            return "name"
        if self.tries >= MOST_TRIES:
            return "failed"
        self.tries += 1
        known = user in known
        owner = user if known else self._make_owner()
        self.user_id = owner
        customer = self._get_customer(owner, is_new=not known)
        if not self.instance_id and not self._has_place(customer):
            return self._fail(
                self.env._("The plan %s gives you no further database.", self.plan_id.name)
            )
        return self._create_instance(customer)

    def _fail(self, advice):
        """Fail in words that are meant for the visitor."""
        self._set_state("failed", problem=advice, advice=advice)
        return "failed"

    def _create_instance(self, customer):
        try:
            with self.env.cr.savepoint():
                instance = self.instance_id.sudo()
                if instance:
                    # The server that could not do it need not be the one that is asked again.
                    instance.write({"name": self.name, "lang": self.lang, "server_id": False})
                else:
                    instance = instance.create(self._prepare_instance(customer))
                instance._create_database()
                self._set_state("creating", instance_id=instance.id, problem=False, advice=False)
                self._signup_created(instance)
                self.env.flush_all()
        except UniqueViolation:
            self.env.invalidate_all()
            return "name"
        except UserError as error:
            self.env.invalidate_all()
            # Words for operators, such as that no server takes new databases.
            self._set_state("failed", problem=str(error))
            return "failed"
        return ""

    def _prepare_instance(self, customer):
        """Return the values of the instance."""
        self.ensure_one()
        login = self.user_id.login
        return {
            "name": self.name,
            "plan_id": self.plan_id.id,
            "template_id": self.template_id.id,
            "company_id": self.company_id.id,
            "partner_id": customer.id,
            "user_id": False,
            "purpose": "trial" if self.plan_id.trial_days else "customer",
            "admin_name": self.contact_name,
            # Tickets of the portal name the login, so it has to be the same over there.
            "admin_login": login if email_normalize(login) else self.email,
            "lang": self.lang,
            "country_id": self.country_id.id,
        }

    def _signup_created(self, instance):
        """Hear that ``instance`` was recorded and asked of a server; what is sold begins here."""
        Subscription = self.env.get("saas.subscription")
        if Subscription is not None and hasattr(Subscription, "_signup_created"):
            Subscription.sudo()._signup_created(instance)

    def _instance_ended(self, request):
        """Hear how the creation of the database ended."""
        for signup in self.filtered(lambda each: each.state == "creating"):
            if request.state == "done":
                signup._set_state("done", problem=False)
            elif request.error_code != "language_missing" or not signup._drop_language():
                signup._set_state("failed", problem=request.error or request._get_state_label())

    def _drop_language(self):
        """Ask again in the template's own language: better than no database."""
        self.ensure_one()
        if not self.instance_id.lang:
            return False
        self.instance_id.lang = False
        try:
            self.instance_id._create_database()
        except UserError:
            return False
        return True

    # --- logging in, once, whoever has just been made

    def _new_login_secret(self):
        """Return a secret that logs the new user in once, in this very transaction."""
        self.ensure_one()
        secret = new_token()
        self.login_hash = digest(secret)
        return secret

    # --- what the visitor sees

    def _get_steps(self):
        """Return ``{"text", "state"}`` of each step: ``done``, ``running`` or ``waiting``."""
        self.ensure_one()
        request = self._get_request()
        told = {each["name"]: each["state"] for each in request.steps or []}
        steps = [{"text": self.env._("E-mail confirmed"), "state": "done"}]
        for name, words in WORDS.items():
            state = "done" if self.state == "done" else told.get(name, "waiting")
            if state not in ("done", "running"):
                state = "waiting"
            steps.append({"text": str(words), "state": state})
        return steps

    def _get_request(self):
        """Return the operation that makes the database."""
        requests = self.instance_id.sudo().request_ids
        return requests.filtered(lambda each: each.kind == "create").sorted("id")[-1:]

    def _can_try_again(self):
        """Tell whether the visitor may ask once more, under this or another name."""
        self.ensure_one()
        return self.state in ("proven", "failed") and self.tries < MOST_TRIES
