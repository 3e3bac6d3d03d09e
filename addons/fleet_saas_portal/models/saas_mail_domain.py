from odoo import api, fields, models
from odoo.tools import email_normalize

from .saas_domain import normalize_host


def normalize_address(text):
    """Return the e-mail address in its usual form, "" for none and for one that no mail reaches."""
    address = email_normalize(text or "") or ""
    return address if normalize_host(address.rpartition("@")[2]) else ""


class SaasMailDomain(models.Model):
    """A mail domain whose addresses cannot sign up, mostly because anybody reads its mail."""

    _name = "saas.mail.domain"
    _description = "Refused Mail Domain"
    _order = "name"

    name = fields.Char("Domain", required=True, help="Domains below it are refused as well.")

    _name_uniq = models.Constraint("UNIQUE(name)", "This domain is in the list already.")

    @api.model_create_multi
    def create(self, vals_list):
        return super().create([self._prepare_vals(vals) for vals in vals_list])

    def write(self, vals):
        return super().write(self._prepare_vals(vals))

    @api.model
    def _prepare_vals(self, vals):
        if not vals.get("name"):
            return vals
        return {**vals, "name": vals["name"].strip().lower().lstrip("@").strip(".")}

    @api.model
    def _is_refused(self, email):
        """Tell whether the domain of ``email``, or one above it, is in the list."""
        labels = email.rpartition("@")[2].lower().strip(".").split(".")
        domains = [".".join(labels[start:]) for start in range(len(labels))]
        return bool(self.sudo().search_count([("name", "in", domains)], limit=1))
