from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.tools.translate import LazyTranslate

_lt = LazyTranslate(__name__)

# The codes by which a server says why it took a backup; of a snapshot it tells a person's words.
REASONS = {
    "manual": _lt("On Demand"),
    "scheduled": _lt("Scheduled"),
    "final": _lt("Final"),
    "before": _lt("Before a Change"),
}
MAX_POINTS = 500  # of one database that are read from an inventory


class SaasInstancePoint(models.Model):
    """A snapshot or a backup on the server, to which a database can go back."""

    _name = "saas.instance.point"
    _description = "Snapshot or Backup of an Instance"
    _order = "taken_at DESC, id DESC"
    _rec_name = "code"

    instance_id = fields.Many2one(
        "saas.instance", required=True, readonly=True, index=True, ondelete="cascade"
    )
    kind = fields.Selection(
        [("snapshot", "Snapshot"), ("backup", "Backup")], required=True, readonly=True
    )
    code = fields.Char("Number", required=True, readonly=True, help="What the server calls it.")
    reason = fields.Char("Reason Code", readonly=True, export_string_translation=False)
    reason_label = fields.Char("Reason", compute="_compute_reason_label")
    taken_at = fields.Datetime("Taken", required=True, readonly=True)
    size_mb = fields.Integer("Size (MB)", readonly=True)
    keep_until = fields.Datetime("Kept Until", readonly=True)

    _code_uniq = models.Constraint(
        "UNIQUE(instance_id, kind, code)", "This snapshot or backup is recorded already."
    )

    @api.depends("kind", "reason")
    @api.depends_context("lang")
    def _compute_reason_label(self):
        # The labels are exported where they stand; here one is only chosen.
        translate = self.env._
        for point in self:
            known = point.kind == "backup" and point.reason in REASONS
            point.reason_label = translate(REASONS[point.reason]) if known else point.reason

    @api.depends("kind", "reason", "taken_at")
    @api.depends_context("lang", "tz")
    def _compute_display_name(self):
        labels = dict(self._fields["kind"]._description_selection(self.env))
        for point in self:
            taken = fields.Datetime.context_timestamp(point, point.taken_at)
            parts = [f"{labels[point.kind]} {taken:%Y-%m-%d %H:%M}", point.reason_label]
            point.display_name = " – ".join(filter(None, parts))

    def action_use(self):
        """Ask to be sure before the database goes back."""
        self.ensure_one()
        kind = "revert" if self.kind == "snapshot" else "restore"
        return self.instance_id._open_wizard(kind, default_point_id=self.id)

    def action_copy(self):
        """Ask for the name of a staging copy as the database was then."""
        self.ensure_one()
        return self.instance_id._open_wizard("duplicate", default_point_id=self.id)


class SaasInstance(models.Model):
    """Snapshots and backups of an instance, as the server's inventory tells them."""

    _inherit = "saas.instance"

    point_ids = fields.One2many(
        "saas.instance.point", "instance_id", "Snapshots and Backups", readonly=True
    )
    last_backup = fields.Datetime(
        compute="_compute_last_backup", store=True, help="That the server has read back."
    )

    @api.depends("point_ids.taken_at", "point_ids.kind")
    def _compute_last_backup(self):
        for instance in self:
            backups = instance.point_ids.filtered(lambda point: point.kind == "backup")
            instance.last_backup = max(backups.mapped("taken_at"), default=False)

    def _take_hosted(self, hosted):
        super()._take_hosted(hosted)
        if hosted.points is not None:
            self._take_points(hosted.points[:MAX_POINTS])

    def _take_points(self, points):
        """Make the records those that the server has, and no other."""
        known = {(point.kind, point.code): point for point in self.point_ids}
        for point in points:
            values = {
                "reason": point.reason or False,
                "taken_at": point.taken_at,
                "size_mb": point.bytes >> 20,
                "keep_until": point.keep_until or False,
            }
            record = known.pop((point.kind, point.code), None)
            if record:
                record.sudo().write(values)
            else:
                values |= {"instance_id": self.id, "kind": point.kind, "code": point.code}
                self.env["saas.instance.point"].sudo().create(values)
        for gone in known.values():
            gone.sudo().unlink()

    def _get_backups(self):
        """Return the backups that a customer may choose from, the newest first."""
        self.ensure_one()
        backups = self.point_ids.filtered(lambda point: point.kind == "backup")
        return [
            {"id": backup.code, "date": backup.taken_at, "bytes": backup.size_mb << 20}
            for backup in backups
        ]

    def _check_point(self, point, kind):
        """Refuse a snapshot or backup that is another database's, or none."""
        if not point or point.instance_id != self or point.kind != kind:
            raise UserError(
                self.env._("Choose one of the snapshots or backups of %s.", self.name or "")
            )

    def _request_ended(self, request):
        super()._request_ended(request)
        if request.state == "done" and request.kind in NEWS:
            # What there is to go back to, the inventory tells.
            self.env.ref("fleet_saas_portal.ir_cron_servers")._trigger()


# Kinds after which a database has other snapshots or backups than before, or another address.
NEWS = (
    "snapshot",
    "snapshot_drop",
    "revert",
    "backup",
    "restore",
    "modules",
    "rename",
    "adopt",
)
