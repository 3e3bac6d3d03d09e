import ipaddress
import re
import secrets

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
PROOF = "_fleet-challenge"
MAX_DOMAINS = 10  # a database


def normalize_host(text):
    """Return a host name in small ASCII letters, "" for anything else than one.

    International names become their ``xn--`` form; addresses, names of one label and names longer
    than DNS allows (RFC 1035: 253 characters, 63 a label) are none.
    """
    text = (text or "").strip().rstrip(".").lower()
    try:
        host = text.encode("idna").decode() if text else ""
    except UnicodeError:
        return ""
    labels = host.split(".")
    if len(host) > 253 or len(labels) < 2 or not all(map(LABEL.fullmatch, labels)):
        return ""
    # A last label of digits only makes browsers read the whole as an address.
    return "" if labels[-1].isdigit() or _is_address(host) else host


def _is_address(host):
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


class SaasDomain(models.Model):
    """A host name of a customer's own, at which a database shall answer."""

    _name = "saas.domain"
    _description = "Customer's Own Domain"
    _order = "name, id"

    name = fields.Char("Host Name", required=True, index=True, help="Such as erp.example.com")
    instance_id = fields.Many2one("saas.instance", required=True, index=True, ondelete="cascade")
    partner_id = fields.Many2one(related="instance_id.partner_id", store=True, index=True)
    company_id = fields.Many2one(related="instance_id.company_id", store=True, index=True)
    state = fields.Selection(
        [("asked", "Asked For"), ("proven", "Proven"), ("active", "Active")],
        required=True,
        readonly=True,
        default="asked",
        index=True,
        copy=False,
    )
    token = fields.Char(
        "Proof",
        required=True,
        readonly=True,
        copy=False,
        default=lambda self: secrets.token_hex(16),
        help="The text that the customer puts into the DNS.",
    )
    record_name = fields.Char("Name of the TXT Record", compute="_compute_record")
    record_value = fields.Char("Value of the TXT Record", compute="_compute_record")
    proven = fields.Datetime("Proven On", readonly=True, copy=False)

    # Who only asks holds nothing: a name that is not proven may be asked for by others too.
    _proven_uniq = models.UniqueIndex(
        "(name) WHERE state != 'asked'", "Another database has this host name."
    )
    _instance_uniq = models.Constraint(
        "UNIQUE(instance_id, name)", "This database was given that host name already."
    )

    @api.depends("name", "token")
    def _compute_record(self):
        for domain in self:
            domain.record_name = f"{PROOF}.{domain.name}"
            domain.record_value = f"fleet={domain.token}"

    @api.model_create_multi
    def create(self, vals_list):
        return super().create([self._prepare_vals(vals) for vals in vals_list])

    def write(self, vals):
        if "name" in vals and any(domain.name != vals["name"] for domain in self):
            # What was proven is this one name.
            raise UserError(self.env._("Remove the host name and add the other one."))
        return super().write(vals)

    @api.model
    def _prepare_vals(self, vals):
        return {**vals, "name": normalize_host(vals.get("name")) or vals.get("name")}

    @api.constrains("name", "instance_id")
    def _check_name(self):
        for domain in self:
            if not domain.name or normalize_host(domain.name) != domain.name:
                raise ValidationError(
                    self.env._("“%s” is no host name such as erp.example.com.", domain.name)
                )
            below = domain.instance_id.server_id.domain
            if below and (domain.name == below or domain.name.endswith(f".{below}")):
                raise ValidationError(
                    self.env._("%s belongs to your provider already.", domain.name)
                )

    @api.model
    def _add(self, instance, name):
        """Have ``instance`` ask for a host name; asking again changes nothing.

        :raises UserError: it is none, or there are too many
        """
        host = normalize_host(name)
        known = instance.domain_ids.filtered(lambda domain: domain.name == host)
        if known:
            return known
        if len(instance.domain_ids) >= MAX_DOMAINS:
            raise UserError(self.env._("A database may have %s host names.", MAX_DOMAINS))
        return self.create({"instance_id": instance.id, "name": name or ""})

    def action_prove(self):
        """Note that the TXT record was seen; the person who presses this has looked it up."""
        self.check_access("write")
        for domain in self:
            taken = self.search_count([("name", "=", domain.name), ("state", "!=", "asked")])
            if taken and domain.state == "asked":
                raise UserError(self.env._("Another database has proven %s.", domain.name))
            if domain.state == "asked":
                domain.sudo().write({"state": "proven", "proven": fields.Datetime.now()})
