from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.exceptions import UserError

from .saas_database_life import LIVING
from .saas_errors import words


class SaasDatabaseSnapshot(models.Model):
    """A hidden copy of a database to which it can go back."""

    _name = "saas.database.snapshot"
    _description = "Snapshot of a Database"
    _inherit = ["saas.guarded"]
    _order = "taken_at DESC, id DESC"
    _rec_name = "reason"

    database_id = fields.Many2one(
        "saas.database", required=True, readonly=True, index=True, ondelete="cascade"
    )
    physical = fields.Char(
        "Name in PostgreSQL", required=True, readonly=True, export_string_translation=False
    )
    reason = fields.Char(readonly=True)
    taken_at = fields.Datetime("Taken", required=True, readonly=True)
    size = fields.Float(digits=(16, 0), readonly=True)
    keep_until = fields.Datetime("Kept Until", help="Empty: until somebody drops it.")

    _physical_uniq = models.Constraint("UNIQUE(physical)", "A snapshot has one record.")

    @api.depends("reason", "taken_at")
    @api.depends_context("tz")
    def _compute_display_name(self):
        for snapshot in self:
            taken = fields.Datetime.context_timestamp(snapshot, snapshot.taken_at)
            snapshot.display_name = f"{snapshot.reason} ({taken:%Y-%m-%d %H:%M})"

    def _get_point(self):
        """Return one entry of ``snapshots`` in ``saas.host.inventory``."""
        return {
            "snapshot": self.physical,
            "reason": self.reason or "",
            "taken_at": fields.Datetime.to_string(self.taken_at),
            "bytes": self.size,
            "keep_until": fields.Datetime.to_string(self.keep_until) or None,
        }

    def action_revert(self):
        """Put this snapshot in the database's place; the replaced one becomes a snapshot."""
        self.ensure_one()
        return self.database_id._submit_and_show("revert", {"snapshot": self.physical})

    def action_drop(self):
        """Drop this snapshot."""
        self.ensure_one()
        return self.database_id._submit_and_show("snapshot_drop", {"snapshot": self.physical})

    @api.model
    def _cron_drop_expired(self):
        """Ask for the end of the snapshots that nobody wants any longer; once an hour each."""
        expired = self.search([("keep_until", "<", fields.Datetime.now())])
        cron = self.env["ir.cron"]
        cron._commit_progress(remaining=len(expired))
        for snapshot in expired:
            self.env["saas.operation"]._submit_by_clock(
                "snapshot_drop",
                snapshot.database_id.name,
                {"snapshot": snapshot.physical},
                f"expired:{snapshot.physical}:{fields.Datetime.now():%Y%m%d%H}",
            )
            if not cron._commit_progress(1):
                break


class SaasDatabase(models.Model):
    """Snapshots of a hosted database, and the way back to one."""

    _inherit = "saas.database"

    snapshot_ids = fields.One2many(
        "saas.database.snapshot", "database_id", "Snapshots", readonly=True
    )
    snapshot_count = fields.Integer(compute="_compute_snapshot_count")

    @api.depends("snapshot_ids")
    def _compute_snapshot_count(self):
        for database in self:
            database.snapshot_count = len(database.snapshot_ids)

    def _get_inventory(self):
        snapshots = [snapshot._get_point() for snapshot in self.snapshot_ids]
        return super()._get_inventory() | {"snapshots": snapshots}

    def _keep_snapshot(self, physical, *, reason, size, taken_at, keep_hours=None):
        """Return the record of a snapshot, made when it has none yet.

        :param keep_hours: None for the setting, 0 to keep it until somebody drops it
        """
        self.ensure_one()
        snapshot = self.snapshot_ids.filtered(lambda one: one.physical == physical)
        if snapshot:
            return snapshot
        hours = self._get_life_setting("snapshot_hours") if keep_hours is None else keep_hours
        values = {
            "database_id": self.id,
            "physical": physical,
            "reason": reason,
            "size": size,
            "taken_at": taken_at,
            "keep_until": hours and fields.Datetime.now() + relativedelta(hours=hours),
        }
        return self.env["saas.database.snapshot"].sudo().create(values)

    def _keep_former(self, physical, operation):
        """Keep the database that an operation replaced as a snapshot, until somebody confirms."""
        return self._keep_snapshot(
            physical,
            reason=self.env._("Before: %s", operation.name),
            size=operation.result.get("swap", {}).get("size", 0),
            taken_at=operation.started or fields.Datetime.now(),
        )

    @api.model
    def _get_snapshot(self, database, physical):
        snapshot = database.snapshot_ids.filtered(lambda one: one.physical == physical)
        if not snapshot:
            raise UserError(words(self.env, "not_snapshot", {"name": physical}))
        return snapshot

    @api.model
    def _prepare_snapshot(self, target, arguments):
        return self._get_for(target, *LIVING)._prepare_request(**arguments)

    @api.model
    def _apply_snapshot(self, operation):
        if operation.state == "done":
            taken = operation.result["take"]
            self.browse(operation.res_id)._keep_snapshot(
                taken["physical"],
                reason=operation.request["reason"] or self.env._("On demand"),
                size=taken["size"],
                taken_at=operation.ended,
                keep_hours=operation.request["keep_hours"],
            )

    @api.model
    def _prepare_revert(self, target, arguments):
        database = self._get_for(target, "active", unprotected=True)
        self._get_snapshot(database, arguments["snapshot"])
        return database._prepare_request(**arguments)

    @api.model
    def _apply_revert(self, operation):
        """Strike off the snapshot that is the database now, and keep the one it replaced."""
        opened = operation.step_ids.filtered(lambda step: step.name == "open").state == "done"
        database = self.browse(operation.res_id)
        if opened:
            used = operation.request["snapshot"]
            database.snapshot_ids.filtered(lambda one: one.physical == used).sudo().unlink()
            database._keep_former(operation.result["swap"]["replaced"], operation)

    @api.model
    def _prepare_snapshot_drop(self, target, arguments):
        database = self._get_by_name(target)
        self._get_snapshot(database, arguments["snapshot"])
        return database._prepare_request(**arguments)

    @api.model
    def _apply_snapshot_drop(self, operation):
        if operation.state == "done":
            database = self.browse(operation.res_id)
            dropped = operation.request["snapshot"]
            database.snapshot_ids.filtered(lambda one: one.physical == dropped).sudo().unlink()
