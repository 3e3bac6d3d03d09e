import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from psycopg2.errors import UniqueViolation

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from ..proof import BROKEN, MISSING, OTHER, SEEN, SILENT, check_servers, look

_logger = logging.getLogger(__name__)

SERVERS = "fleet_saas_portal.dns_servers"
DAYS = "fleet_saas_portal.dns_days"
GIVE_UP_AFTER_DAYS = 14
# Minutes until the next look; the last one again and again.
PAUSES = (1, 2, 5, 10, 30, 60, 180, 360)
THREADS = 16
BATCH = 100
# People may press a button as often as they like; somebody else's server is not asked as often.
AT_MOST_EVERY = timedelta(seconds=5)
TAKEN, REFUSED = "taken", "refused"


class SaasDomain(models.Model):
    """How a host name is proven by the DNS: at once when somebody asks, else less and less often."""

    _name = "saas.domain"
    _inherit = ["saas.domain", "saas.customer.mail"]

    checked = fields.Datetime("Looked Up On", readonly=True, copy=False)
    tries = fields.Integer("Times Looked Up", readonly=True, copy=False)
    next_check = fields.Datetime("Looked Up Next", readonly=True, copy=False, index=True)
    wanted_since = fields.Datetime(
        readonly=True, copy=False, default=fields.Datetime.now, required=True
    )
    is_given_up = fields.Boolean("Given Up", readonly=True, copy=False)
    trouble = fields.Selection(
        [
            (MISSING, "No Record"),
            (OTHER, "Another Value"),
            (SILENT, "No Answer"),
            (BROKEN, "DNS Error"),
            (TAKEN, "Taken"),
            (REFUSED, "Refused"),
        ],
        readonly=True,
        copy=False,
    )
    refusal = fields.Char("The Server's Words", readonly=True, copy=False)
    explanation = fields.Char(compute="_compute_explanation")
    target = fields.Char("Points To", compute="_compute_target", help="For a CNAME record.")
    addresses = fields.Char("Or the Addresses", related="instance_id.server_id.public_addresses")

    @api.depends("trouble", "refusal", "is_given_up", "state", "record_name", "record_value")
    @api.depends_context("lang")
    def _compute_explanation(self):
        for domain in self:
            words = domain._explain()
            if words and domain.is_given_up:
                words += " " + self.env._(
                    "We have stopped looking. When the record is there, press “Check Now”."
                )
            domain.explanation = words

    def _explain(self):
        """Return what is the matter and what to do, False when nothing is."""
        self.ensure_one()
        names = {"name": self.record_name, "value": self.record_value, "host": self.name}
        if self.trouble == MISSING:
            return self.env._(
                "The DNS has no TXT record %(name)s yet. It may take an hour until a new record is "
                "seen everywhere.",
                **names,
            )
        if self.trouble == OTHER:
            return self.env._(
                "The DNS has a TXT record %(name)s, but its value is not %(value)s.", **names
            )
        if self.trouble == SILENT:
            return self.env._("The name servers of %(host)s did not answer.", **names)
        if self.trouble == BROKEN:
            return self.env._(
                "The name servers of %(host)s answered with an error. Check the zone with whoever "
                "runs them.",
                **names,
            )
        if self.trouble == TAKEN:
            return self.env._("Another database has proven %(host)s.", **names)
        return self.trouble == REFUSED and self.refusal

    @api.depends("instance_id.url")
    def _compute_target(self):
        for domain in self:
            domain.target = domain.instance_id._get_host_name()

    @api.model_create_multi
    def create(self, vals_list):
        domains = super().create(vals_list)
        domains._plan_check()
        return domains

    def unlink(self):
        instances = self.instance_id
        result = super().unlink()
        instances._tell_domains()
        return result

    # --- looking

    @api.model
    def _get_dns_servers(self):
        """Return the resolvers of the system parameter; the machine's own when it is empty."""
        text = self.env["ir.config_parameter"].sudo().get_param(SERVERS)
        try:
            return check_servers(text)
        except ValueError as error:
            raise UserError(
                self.env._(
                    "The system parameter %(name)s is wrong: %(error)s", name=SERVERS, error=error
                )
            ) from error

    @api.model
    def _get_days(self):
        text = self.env["ir.config_parameter"].sudo().get_param(DAYS) or ""
        return int(text) if text.isdecimal() else GIVE_UP_AFTER_DAYS

    def action_check_now(self):
        """Look the records up now; what is proven already is asked of its server once more."""
        self.check_access("write")
        for domain in self:
            domain._check_now()

    def _check_now(self):
        self.ensure_one()
        now, domain = fields.Datetime.now(), self.sudo()
        if domain.checked and domain.checked > now - AT_MOST_EVERY:
            raise UserError(self.env._("We have just looked; try again in a few seconds."))
        if domain.state == "proven":
            domain.write({"next_check": now, "checked": now})
            domain.instance_id._tell_domains()
        if domain.state != "asked":
            return
        found = look(domain.record_name, domain.record_value, self._get_dns_servers())
        # Somebody who asks wants to go on, however long it has been.
        domain.write({"is_given_up": False, "wanted_since": now, "tries": 0})
        domain._take_look(found)

    def action_prove(self):
        result = super().action_prove()
        self.filtered(lambda each: each.state == "proven").sudo()._proven()
        return result

    def _take_look(self, found):
        """Write what a look has found; needs sudo."""
        self.ensure_one()
        now = fields.Datetime.now()
        self.write({"checked": now, "tries": self.tries + 1})
        if self.state != "asked":
            return
        if found == SEEN and self._prove():
            self._proven()
            return
        self.trouble = TAKEN if found == SEEN else found
        if now - self.wanted_since >= timedelta(days=self._get_days()):
            self._give_up()
        else:
            self._plan_check()

    def _prove(self):
        """Write that the name is proven; return False when another database was first."""
        if self.search_count([("name", "=", self.name), ("state", "!=", "asked")]):
            return False
        try:
            with self.env.cr.savepoint():
                self.write({"state": "proven", "proven": fields.Datetime.now()})
                self.env.flush_all()
        except UniqueViolation:
            self.env.invalidate_all()
            return False
        return True

    def _proven(self):
        """Have the servers lead the proven names to their databases."""
        self.write({"trouble": False, "is_given_up": False, "next_check": False})
        for domain in self:
            text = self.env._("The host name %s was proven.", domain.name)
            domain.instance_id.message_post(body=text)
            domain.instance_id._tell_domains()

    def _give_up(self):
        self.write({"is_given_up": True, "next_check": False})
        body = self.env._("The host name %(name)s: %(why)s", name=self.name, why=self.explanation)
        self.instance_id.message_post(body=body)
        self._send_mail("mail_template_domain_given_up")

    def _plan_check(self):
        cron = self.env.ref("fleet_saas_portal.ir_cron_domains").sudo()
        for domain in self.sudo():
            pause = PAUSES[min(domain.tries, len(PAUSES) - 1)]
            domain.next_check = fields.Datetime.now() + timedelta(minutes=pause)
            cron._trigger(at=domain.next_check)

    @api.model
    def _cron_check(self):
        """Look up what is due, many at once; each result is written on its own.

        :return: whether there is time for more
        """
        due = Domain("next_check", "<=", fields.Datetime.now()) & Domain("is_given_up", "=", False)
        asked = self.search(due & Domain("state", "=", "asked"), order="next_check")
        is_time_left = self._look_at(asked, "_take_look")
        told = self.env["saas.instance"].search([("domains_told", "!=", False)])
        for instance in told | self.search(due & Domain("state", "=", "proven")).instance_id:
            instance._tell_domains()
            self.env["ir.cron"]._commit_progress()
        return is_time_left

    @api.model
    def _look_at(self, domains, take):
        """Look the records of ``domains`` up; the method ``take`` writes what was found of each.

        :return: whether there is time for more
        """
        Cron, servers = self.env["ir.cron"], self._get_dns_servers()
        asked = [(domain.record_name, domain.record_value) for domain in domains]
        # No thread touches this transaction, which must not wait for name servers either.
        Cron._commit_progress(remaining=len(domains))
        for start in range(0, len(domains), BATCH):
            batch = slice(start, start + BATCH)
            with ThreadPoolExecutor(THREADS, "fleet-dns") as pool:
                found = list(pool.map(lambda one: look(*one, servers), asked[batch]))
            for domain, outcome in zip(domains[batch], found, strict=True):
                if domain.exists() and domain.try_lock_for_update():
                    getattr(domain, take)(outcome)
                if not Cron._commit_progress(1):
                    return False
        return True
