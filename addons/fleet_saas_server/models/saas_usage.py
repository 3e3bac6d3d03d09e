import logging
from dataclasses import asdict

from odoo import api, fields, models
from odoo.fields import Domain

from ..hosting import counts, usage
from ..hosting.errors import HostingError

_logger = logging.getLogger(__name__)

KEEP_DAYS = 800
FIGURES = (
    "internal_users",
    "portal_users",
    "other_users",
    "active_users",
    "filestore_files",
    "attachments",
    "sessions",
    "requests",
    "connections",
    "failing_crons",
    "failed_mails",
)
SIZES = ("database_bytes", "filestore_bytes", "attachment_bytes")


class SaasUsage(models.Model):
    """What a hosted database used on one day (UTC), measured from outside."""

    _name = "saas.usage"
    _description = "Usage of a Hosted Database"
    _order = "day DESC, database_id"
    _rec_name = "day"

    database_id = fields.Many2one(
        "saas.database", required=True, readonly=True, index=True, ondelete="cascade"
    )
    day = fields.Date(required=True, readonly=True, index=True)
    internal_users = fields.Integer("Users", readonly=True, aggregator="max")
    portal_users = fields.Integer(readonly=True, aggregator="max")
    other_users = fields.Integer(readonly=True, aggregator="max")
    active_users = fields.Integer("Users Seen in 30 Days", readonly=True, aggregator="max")
    last_login = fields.Datetime(readonly=True)
    database_bytes = fields.Float("Database Size", readonly=True, aggregator="max")
    filestore_files = fields.Integer("Files", readonly=True, aggregator="max")
    filestore_bytes = fields.Float("Size of Files", readonly=True, aggregator="max")
    attachments = fields.Integer(readonly=True, aggregator="max")
    attachment_bytes = fields.Float("Size of Attachments", readonly=True, aggregator="max")
    sessions = fields.Integer(readonly=True, aggregator="max")
    requests = fields.Integer(readonly=True)
    connections = fields.Integer(readonly=True, aggregator="max")
    failing_crons = fields.Integer("Failing Scheduled Actions", readonly=True, aggregator="max")
    failed_mails = fields.Integer("Mails in Error", readonly=True, aggregator="max")

    _day_uniq = models.Constraint("UNIQUE(database_id, day)", "Usage is kept once a day.")

    @api.model
    def _cron_measure(self):
        """Measure every database; one that cannot be measured never holds up the others."""
        host = self.env["saas.operation"]._get_host()
        databases = self.env["saas.database"].search([("state", "in", ("active", "suspended"))])
        today = fields.Date.today()
        done = self.search([("day", "=", today), ("write_date", ">", self._get_fresh_limit())])
        databases -= done.database_id
        cron = self.env["ir.cron"]
        cron._commit_progress(remaining=len(databases))
        sessions = usage.sessions_by_database(host.data_dir / "sessions")
        requests = counts.requests_of(host.work_dir / "requests", today)
        for database in databases:
            try:
                found = usage.measure(
                    host.cluster,
                    database.physical,
                    host.filestore(database.physical),
                    sessions=sessions,
                    answered=requests,
                )
                self._keep(database, today, asdict(found))
            except HostingError as error:
                _logger.info("%s (%s): not measured: %s", database.id, database.name, error)
            if not cron._commit_progress(1):
                break
        counts.prune(host.work_dir / "requests")

    @api.model
    def _get_fresh_limit(self):
        return fields.Datetime.subtract(fields.Datetime.now(), minutes=50)

    @api.model
    def _keep(self, database, day, figures):
        """Write the figures of a day; the last measurement of a day stands."""
        if figures["last_login"]:
            figures["last_login"] = figures["last_login"].replace(tzinfo=None, microsecond=0)
        line = self.search([("database_id", "=", database.id), ("day", "=", day)])
        if line:
            line.write(figures)
        else:
            self.create({"database_id": database.id, "day": day, **figures})

    def _get_figures(self):
        """Return the figures as ``saas.host.inventory`` gives them; sizes are bytes."""
        self.ensure_one()
        return {
            "day": fields.Date.to_string(self.day),
            "last_login": fields.Datetime.to_string(self.last_login) or None,
            **{name: self[name] for name in FIGURES},
            **{name: int(self[name]) for name in SIZES},
        }

    @api.autovacuum
    def _gc_usage(self):
        """Forget what is older than two years and some weeks."""
        limit = fields.Date.subtract(fields.Date.today(), days=KEEP_DAYS)
        self.search(Domain("day", "<", limit), limit=5000).unlink()
