import hashlib

from odoo import api, fields, models
from odoo.fields import Domain

from ..hosting.journal import ACTIVE

# So many scheduled backups wait at a time: what somebody asks for never stands behind hundreds.
AT_ONCE = 20
LOOK_BACK_DAYS = {"verify": 1, "drill": 90}  # the longest that a policy allows between two
BACK_OFF_MINUTES = 20
BACK_OFF_DOUBLINGS = 6


class SaasBackup(models.Model):
    """When backups are taken, read back and rehearsed."""

    _inherit = "saas.backup"

    @api.model
    def _cron_take_backups(self):
        """Ask for every backup that is due, the most overdue first."""
        due = self._get_due()
        free = max(AT_ONCE - self._count_waiting("backup"), 0)
        cron = self.env["ir.cron"]
        cron._commit_progress(remaining=min(len(due), free))
        for database in due[:free]:
            self._submit_safely("backup", database, {"reason": "scheduled"})
            if not cron._commit_progress(1):
                break

    @api.model
    def _get_due(self):
        """Return the databases whose next backup is due, the most overdue first."""
        now = fields.Datetime.now()
        databases = self.env["saas.database"].search([("state", "in", ("active", "suspended"))])
        times = self._get_next_times(databases)
        due = [database for database, time in times.items() if time <= now]
        return sorted(due, key=lambda database: times[database])

    @api.model
    def _get_next_times(self, databases):
        """Return when the next backup of each database is due.

        By its policy, staggered by name, and later after failures.
        """
        mine = Domain("database_id", "in", databases.ids)
        good = mine & Domain("state", "in", ("verified", "forgotten"))
        latest = dict(self._read_group(good, ["database_id"], ["taken_at:max"]))
        failed = mine & Domain("state", "=", "failed")
        failures = dict(self._read_group(failed, ["database_id"], ["taken_at:array_agg"]))
        return {
            database: self._get_next_time(
                database, latest.get(database), failures.get(database, ())
            )
            for database in databases
        }

    @api.model
    def _get_next_time(self, database, latest, failures):
        """Return when the next backup of a database is due.

        :param datetime latest: of its latest good backup, None without one
        :param failures: when backups of it have failed
        """
        next_time = since = latest or fields.Datetime.from_string("2000-01-01 00:00:00")
        if latest:
            interval = database._get_backup_policy().every_hours * 60
            # The slot of this name in the interval, so that not all begin at the same minute.
            slot = int(hashlib.sha256(database.uuid.encode()).hexdigest()[:8], 16) % interval
            minutes = int(since.timestamp() // 60)
            next_time = fields.Datetime.add(since, minutes=(slot - minutes) % interval or interval)
        failed = [time for time in failures if time > since]
        if failed:
            wait = BACK_OFF_MINUTES * 2 ** min(len(failed) - 1, BACK_OFF_DOUBLINGS)
            next_time = max(next_time, fields.Datetime.add(max(failed), minutes=wait))
        return next_time

    @api.model
    def _count_waiting(self, kind):
        return self.env["saas.operation"].search_count(
            [("kind", "=", kind), ("state", "in", ACTIVE)]
        )

    @api.model
    def _submit_safely(self, kind, database, arguments=None):
        """Ask for an operation unless one of its kind waits for this database already."""
        operations_sudo = self.env["saas.operation"].sudo()
        domain = self._get_operations_domain(kind, database) & Domain("state", "in", ACTIVE)
        if not operations_sudo.search_count(domain, limit=1):
            operations_sudo._submit_by_clock(kind, database.name, arguments)

    @api.model
    def _cron_verify_backups(self):
        """Have every database's backups read back, a share of the data a night."""
        self._ask_for_all("verify")

    @api.model
    def _cron_drill_backups(self):
        """Have a restore rehearsed for every database that had none for the policy's days."""
        self._ask_for_all("drill")

    @api.model
    def _ask_for_all(self, kind):
        verified = self._read_group([("state", "=", "verified")], ["database_id"])
        asked = self._get_last_asked(kind)
        wanted = [
            database
            for (database,) in verified
            if self._is_wanted(kind, database, asked.get(database))
        ]
        cron = self.env["ir.cron"]
        cron._commit_progress(remaining=len(wanted))
        for database in wanted:
            self._submit_safely(kind, database, {"identity": database.uuid})
            if not cron._commit_progress(1):
                break

    @api.model
    def _get_operations_domain(self, kind, database):
        """Return what finds the operations on a database's backups; its name may have been another's."""
        backups = self.search([("database_id", "=", database.id)])
        on_backups = Domain("res_model", "=", self._name) & Domain("res_id", "in", backups.ids)
        itself = Domain("res_model", "=", database._name) & Domain("res_id", "=", database.id)
        return Domain("kind", "=", kind) & (on_backups | itself)

    @api.model
    def _get_last_asked(self, kind):
        """Return when ``kind`` was last asked for, and not in vain, of each database."""
        since = fields.Datetime.subtract(fields.Datetime.now(), days=LOOK_BACK_DAYS[kind])
        domain = Domain("kind", "=", kind) & Domain("create_date", ">", since)
        found = (
            self.env["saas.operation"]
            .sudo()
            .search(domain & Domain("state", "in", (*ACTIVE, "done")), order="create_date")
        )
        on_backups = found.filtered(lambda one: one.res_model == self._name)
        backups = self.browse(on_backups.mapped("res_id")).exists()
        owners = {backup.id: backup.database_id for backup in backups}
        asked = {}
        for operation in found:
            database = self.env["saas.database"].browse(operation.res_id)
            if operation.res_model == self._name:
                database = owners.get(operation.res_id)
            asked[database] = operation.create_date
        return asked

    @api.model
    def _is_wanted(self, kind, database, asked):
        """Tell whether a database is due for ``verify`` (20 hours) or ``drill`` (by its policy).

        :param datetime asked: when it was last asked for, None for never
        """
        hours = 20 if kind == "verify" else database._get_backup_policy().drill_days * 24 - 4
        limit = fields.Datetime.subtract(fields.Datetime.now(), hours=hours)
        return not asked or asked <= limit
