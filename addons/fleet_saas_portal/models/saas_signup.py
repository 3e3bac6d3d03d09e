import hmac
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import NO_ACCESS
from odoo.tools import email_normalize

from ..signup import digest, is_allowed, network_of, new_code, new_token, plain_address, suggest

# Every state, the states it may go to, and how long it lasts before it expires.
STATES = {
    "new": (("proven", "expired"), timedelta(hours=2)),
    "proven": (("creating", "failed", "expired"), timedelta(days=7)),
    "creating": (("done", "failed"), None),
    "failed": (("creating",), None),
    "done": ((), None),
    "expired": ((), None),
}
CODE_TRIES = 5
KEEP = timedelta(days=30)  # who never proved the address has not become a customer


class SaasSignup(models.Model):
    """A visitor who wants a database; nothing is created before the e-mail is proven."""

    _name = "saas.signup"
    _description = "Sign-up"
    _order = "id DESC"

    name = fields.Char("Database", required=True, readonly=True, help="The address wanted.")
    plan_id = fields.Many2one(
        "saas.plan", required=True, readonly=True, index=True, ondelete="cascade"
    )
    template_id = fields.Many2one(
        "saas.template", required=True, readonly=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one("res.company", required=True, readonly=True, index=True)
    company_name = fields.Char("Customer's Company", readonly=True)
    contact_name = fields.Char("Contact", required=True, readonly=True)
    email = fields.Char("E-mail", required=True, readonly=True, index=True)
    country_id = fields.Many2one("res.country", readonly=True)
    lang = fields.Char("Language", readonly=True)
    address = fields.Char("Visitor's Address", readonly=True)
    network = fields.Char("Visitor's Network", readonly=True)

    state = fields.Selection(
        [
            ("new", "E-mail Not Proven"),
            ("proven", "E-mail Proven"),
            ("creating", "Being Created"),
            ("done", "Done"),
            ("failed", "Failed"),
            ("expired", "Expired"),
        ],
        required=True,
        readonly=True,
        default="new",
        index=True,
    )
    expires = fields.Datetime(readonly=True)
    proven = fields.Datetime(readonly=True)
    problem = fields.Char(readonly=True)
    advice = fields.Char("Told to the Visitor", readonly=True)
    token_hash = fields.Char(groups=NO_ACCESS, copy=False, index="btree_not_null")
    code_hash = fields.Char(groups=NO_ACCESS, copy=False)
    code_tries = fields.Integer("Wrong Codes", readonly=True)
    login_hash = fields.Char(groups=NO_ACCESS, copy=False)
    tries = fields.Integer(readonly=True, export_string_translation=False)
    user_id = fields.Many2one("res.users", readonly=True, ondelete="set null")
    instance_id = fields.Many2one(
        "saas.instance", readonly=True, index="btree_not_null", ondelete="set null"
    )

    # --- states

    def _set_state(self, state, **values):
        """Change the state along `STATES`, and write ``values`` with it."""
        self.ensure_one()
        allowed, lasts = STATES[self.state][0], STATES[state][1]
        if state != self.state and state not in allowed:
            labels = dict(self._fields["state"]._description_selection(self.env))
            raise UserError(
                self.env._(
                    "The sign-up cannot go from %(old)s to %(new)s.",
                    old=labels[self.state],
                    new=labels[state],
                )
            )
        expires = fields.Datetime.now() + lasts if lasts else False
        self.write({"state": state, "expires": expires, **values})

    def _is_expired(self):
        self.ensure_one()
        return self.state == "expired" or (self.expires and self.expires < fields.Datetime.now())

    @api.autovacuum
    def _gc_signups(self):
        now = fields.Datetime.now()
        for signup in self.search([("state", "in", ("new", "proven")), ("expires", "<", now)]):
            signup._set_state("expired", token_hash=False, code_hash=False)
        self.search([("state", "=", "expired"), ("create_date", "<", now - KEEP)]).unlink()

    # --- names

    @api.model
    def _is_free(self, name):
        """Tell whether a visitor may have ``name`` now; why not is told to nobody."""
        reserved = (
            self.env["ir.config_parameter"].sudo().get_param("fleet_saas_portal.reserved_names")
        )
        if not is_allowed(name, (reserved or "").replace(",", " ").lower().split()):
            return False
        Instance = self.env["saas.instance"].sudo().with_context(active_test=False)
        taken = [("name", "=", name), ("state", "not in", ("failed", "deleted"))]
        return not Instance.search_count(taken, limit=1)

    @api.model
    def _suggest(self, text):
        """Return a free name made of ``text``."""
        for digits in (4, 4, 6, 8, 8, 8):
            name = suggest(text, digits)
            if self._is_free(name):
                return name
        raise UserError(self.env._("No free address was found; please choose one."))

    # --- beginning

    @api.model
    def _begin(self, plan, values, address):
        """Record what a visitor wants and send the mail that proves the address.

        :param dict values: ``name``, ``email``, ``contact_name`` and what else the form has, checked
        :param str address: of the visitor
        """
        email = email_normalize(values["email"])
        pending = self.search([("email", "=", email), ("state", "=", "new")])
        for each in pending:
            # One mail counts: the last, so that nobody collects codes that are still good.
            each._set_state("expired", token_hash=False, code_hash=False)
        token, code = new_token(), new_code()
        signup = self.create(
            {
                **values,
                "email": email,
                "plan_id": plan.id,
                "company_id": plan.company_id.id,
                "address": plain_address(address),
                "network": network_of(address),
                "token_hash": digest(token),
                "expires": fields.Datetime.now() + STATES["new"][1],
            }
        )
        signup.code_hash = digest(f"{signup.id}:{code}")
        signup._send_proof(token, code)
        return signup

    def _send_proof(self, token, code):
        """Queue the mail with link and code; it leaves as soon as this transaction commits."""
        self.ensure_one()
        # The address of the link is the configured one: the request's Host header is the visitor's.
        link = f"{self.get_base_url()}/start/confirm/{token}"
        template = self.env.ref("fleet_saas_portal.mail_template_signup_proof")
        template.with_context(signup_link=link, signup_code=code).send_mail(self.id)
        self.env.ref("mail.ir_cron_mail_scheduler_action")._trigger()

    # --- proving

    @api.model
    def _find_by_token(self, token):
        """Return the sign-up that waits for ``token``; none when it is wrong, used or too old."""
        if not isinstance(token, str) or not token:
            return self.browse()
        found = self.search([("token_hash", "=", digest(token)), ("state", "=", "new")], limit=1)
        return found if found and not found._is_expired() else self.browse()

    def _check_code(self, code):
        """Tell whether ``code`` is the one of the mail; after five wrong ones it is void."""
        self.ensure_one()
        expected = self.code_hash
        if self.state != "new" or self._is_expired() or not expected:
            return False
        typed = "".join(char for char in code if char.isdigit())
        if hmac.compare_digest(digest(f"{self.id}:{typed}"), expected):
            return True
        self.code_tries += 1
        if self.code_tries >= CODE_TRIES:
            self.code_hash = False
        return False

    def _prove(self):
        """Note that the visitor reads the mail of the address; link and code are used up."""
        self._set_state("proven", proven=fields.Datetime.now(), token_hash=False, code_hash=False)
