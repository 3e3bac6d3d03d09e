from datetime import timedelta

from odoo import api, fields, models

from ..signup import Limit, digest, mail_key, network_of, plain_address, take

HOUR, DAY = 3600, 86400
# What is counted, by whom: (most, seconds). Each can be set by the system parameter
# "fleet_saas_portal.signup_<action>_<scope>"; 0 for no limit.
LIMITS = {
    "name": {"address": (120, 600), "network": (600, 600)},
    "start": {"address": (10, HOUR), "network": (30, HOUR), "mail": (3, DAY), "total": (300, HOUR)},
    "prove": {"address": (30, HOUR), "network": (120, HOUR)},
    # Asked by another system for all of its people.
    "openid": {"address": (1200, 600)},
}
KEEP = timedelta(days=2)


class SaasSignupLimit(models.Model):
    """How often something was done in a window of time."""

    _name = "saas.signup.limit"
    _description = "Sign-up Limit"
    _log_access = False
    _rec_name = "subject"
    _order = "start DESC, count DESC"

    subject = fields.Char(required=True, readonly=True)
    start = fields.Datetime(required=True, readonly=True, index=True)
    count = fields.Integer(required=True, readonly=True)

    _subject_start_uniq = models.Constraint("UNIQUE(subject, start)", "It is counted already.")

    @api.model
    def _take(self, action, address, email=""):
        """Count one ``action`` of a visitor; return the scope whose limit is reached, or False.

        It is counted in a transaction of its own: what fails later is counted all the same.
        """
        limits = self._get_limits(action, address, email)
        with self.env.registry.cursor() as cr:
            full = take(cr, limits, fields.Datetime.now())
        return full.scope if full else False

    @api.model
    def _get_limits(self, action, address, email=""):
        """Return the limits of ``action`` for this visitor."""
        subjects = {
            "address": plain_address(address),
            "network": network_of(address),
            # A list of who has signed up is nobody's business here.
            "mail": digest(mail_key(email)) if email else "",
            "total": "all",
        }
        limits = []
        for scope, (most, seconds) in LIMITS[action].items():
            most = self._get_most(action, scope, most)
            if most and subjects[scope]:
                subject = f"{action}:{scope}:{subjects[scope]}"
                limits.append(Limit(scope, subject, most, seconds))
        return limits

    @api.model
    def _get_most(self, action, scope, default):
        given = (
            self.env["ir.config_parameter"]
            .sudo()
            .get_param(f"fleet_saas_portal.signup_{action}_{scope}")
        )
        return int(given) if given and str(given).isdigit() else default

    @api.autovacuum
    def _gc_limits(self):
        self.search([("start", "<", fields.Datetime.now() - KEEP)]).unlink()
