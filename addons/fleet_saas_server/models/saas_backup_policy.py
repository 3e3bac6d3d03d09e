from odoo import api, fields, models
from odoo.exceptions import ValidationError


class SaasBackupPolicy(models.Model):
    """How often a database is backed up, how many backups are kept, and where."""

    _name = "saas.backup.policy"
    _description = "Backup Policy"
    _order = "sequence, id"

    name = fields.Char(required=True, translate=True)
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True)
    every_hours = fields.Integer("Every (hours)", required=True, default=6)
    keep_last = fields.Integer("Last", required=True, default=4)
    keep_daily = fields.Integer("Daily", required=True, default=7)
    keep_weekly = fields.Integer("Weekly", required=True, default=4)
    keep_monthly = fields.Integer("Monthly", required=True, default=3)
    drill_days = fields.Integer(
        "Drill Every (days)", required=True, default=7, help="How often a restore is rehearsed."
    )
    verify_parts = fields.Integer(
        "Read Back In (nights)",
        required=True,
        default=7,
        help="Every night one of so many parts of the data is read back.",
    )
    place_ids = fields.Many2many(
        "saas.backup.place",
        string="Places",
        help="The first one takes the backup, the others get a copy.",
    )

    _every_positive = models.Constraint(
        "CHECK(every_hours BETWEEN 1 AND 744)", "A backup is taken every 1 to 744 hours."
    )
    _keep_positive = models.Constraint(
        "CHECK(keep_last >= 1 AND keep_daily >= 0 AND keep_weekly >= 0 AND keep_monthly >= 0)",
        "At least the last backup is kept.",
    )
    _drill_positive = models.Constraint(
        "CHECK(drill_days BETWEEN 1 AND 90 AND verify_parts BETWEEN 1 AND 90)",
        "Drills and reading back are due every 1 to 90 days.",
    )

    @api.constrains("active")
    def _check_one_is_active(self):
        if not self.search_count([], limit=1):
            raise ValidationError(
                self.env._("Without a policy no database is backed up: keep one.")
            )

    @api.ondelete(at_uninstall=False)
    def _unlink_except_last(self):
        if not self.search_count([("id", "not in", self.ids)], limit=1):
            raise ValidationError(
                self.env._("Without a policy no database is backed up: keep one.")
            )

    @api.model
    def _get_default(self):
        """Return the policy of databases that have none of their own: the first one."""
        return self.search([], limit=1)

    @api.model
    def _find_named(self, name):
        """Return the policy of a name in English, empty when there is none."""
        return self.with_context(lang="en_US").search([("name", "=", name)], limit=1)

    @api.model
    def _get_names(self):
        """Return the names in English, by which a portal's plan chooses a policy."""
        return self.with_context(lang="en_US").search([]).mapped("name")

    def _get_places(self):
        """Return the places in the order in which they are used, the folders of this machine first."""
        places = self.place_ids.filtered("active")
        places = places or self.env["saas.backup.place"].search([], limit=1)
        return places.sorted(lambda place: (place.kind != "local", place.sequence, place.id))

    def _get_keep(self):
        """Return the numbers of ``hosting.retention.Policy``."""
        return {
            "last": self.keep_last,
            "daily": self.keep_daily,
            "weekly": self.keep_weekly,
            "monthly": self.keep_monthly,
        }
