from datetime import timedelta
from urllib.parse import urlsplit

from odoo import fields, models
from odoo.fields import NO_ACCESS

from .saas_domain_proof import REFUSED
from .saas_instance import GONE

ON_A_SERVER = ("active", "suspended", "archived")
RETRY = timedelta(hours=1)


class SaasServer(models.Model):
    _inherit = "saas.server"

    public_addresses = fields.Char(
        "Addresses for Customers' Host Names",
        help="IP addresses that customers enter into the DNS where a CNAME record cannot be, such as "
        "at example.com itself.",
    )


class SaasInstance(models.Model):
    """At which host names of its customer's own the server lets the database answer."""

    _inherit = "saas.instance"

    domains_told = fields.Json(readonly=True, copy=False, groups=NO_ACCESS)

    def write(self, vals):
        moved = self.sudo().filtered("domains_told") if "server_id" in vals else self.browse()
        result = super().write(vals)
        if moved:
            # Another server knows nothing of them.
            moved.domains_told = False
            moved.domain_ids.filtered(lambda x: x.state == "active").write({"state": "proven"})
            moved._tell_domains()
        return result

    def _get_host_name(self):
        """Return the host name of the database's own address, False without one."""
        self.ensure_one()
        return urlsplit(self.url or "").hostname or False

    def _set_state(self, state, **values):
        result = super()._set_state(state, **values)
        if state in GONE:
            # Its server has forgotten the names: they are free for others.
            self.sudo().domain_ids.unlink()
        return result

    # --- telling the server

    def _tell_domains(self):
        """Ask the server for the names that lead here now and one more: one refused stops no other."""
        for instance in self.sudo().exists():
            names = instance._get_wanted_domains()
            if instance.state not in ON_A_SERVER or not instance.server_id:
                continue
            if names == (instance.domains_told or []) or instance._is_telling_domains():
                continue
            instance._ask_server(instance.server_id, "domains", instance.name, {"names": names})

    def _is_telling_domains(self):
        # What is under way is compared again at its end.
        requests = self.request_ids
        return bool(requests.filtered(lambda each: each.is_open and each.kind == "domains"))

    def _get_wanted_domains(self):
        now = fields.Datetime.now()
        active = self.domain_ids.filtered(lambda each: each.state == "active")
        due = self.domain_ids.filtered(
            lambda each: each.state == "proven" and (not each.next_check or each.next_check <= now)
        )
        return sorted((active | due[:1]).mapped("name"))

    # --- hearing of it

    def _apply_domains(self, request):
        names = request.arguments["names"]
        self.sudo().domains_told = names
        new = self.sudo().domain_ids.filtered(lambda x: x.name in names and x.state == "proven")
        new.write({"state": "active", "trouble": False, "refusal": False, "next_check": False})
        for domain in new:
            self.message_post(body=self.env._("It answers at %s now.", domain.name))
            domain._send_mail("mail_template_domain_active")
        self._tell_domains()

    def _request_ended(self, request):
        if request.kind != "domains" or request.state == "done":
            return super()._request_ended(request)
        # Not on the instance: nothing is wrong with the database, and it is asked every hour.
        names = set(request.arguments["names"]) - set(self.sudo().domains_told or [])
        failed = self.sudo().domain_ids.filtered(lambda x: x.name in names and x.state == "proven")
        failed.write(
            {
                "trouble": REFUSED,
                "refusal": request.error,
                "next_check": fields.Datetime.now() + RETRY,
            }
        )
        if failed:
            # Others may be waiting behind it; the same one is not asked again before its time.
            self._tell_domains()

    def _take_hosted(self, hosted):
        super()._take_hosted(hosted)
        instance = self.sudo()
        known = instance.domains_told
        if hosted.domains is None or known is None or self._is_telling_domains():
            return
        if set(hosted.domains) != set(known or []):
            # The server has come back from a backup, or somebody was there: what is here counts.
            instance.domains_told = sorted(hosted.domains)
            lost = instance.domain_ids.filtered(
                lambda x: x.state == "active" and x.name not in hosted.domains
            )
            lost.write({"state": "proven"})
            instance._tell_domains()
