from psycopg2.extras import execute_values

from odoo import api, fields, models

from .databases_kpi_set import RETURN_STATUSES


class DatabasesKpiValue(models.Model):
    """The history: one figure a KPI a database a day (UTC), the last one of the day."""

    _name = "databases.kpi.value"
    _description = "KPI History"
    _order = "date desc, project_id, kpi_id"
    _log_access = False
    _rec_name = "kpi_id"

    project_id = fields.Many2one(
        "project.project", "Database", required=True, index=True, ondelete="cascade", readonly=True
    )
    kpi_id = fields.Many2one(
        "databases.kpi", "KPI", required=True, ondelete="cascade", readonly=True
    )
    date = fields.Date(required=True, readonly=True, index=True)
    value = fields.Integer(readonly=True)
    status = fields.Selection("_get_statuses", readonly=True)
    change = fields.Integer("Change Since the Day Before", readonly=True)
    previous_status = fields.Selection("_get_statuses", readonly=True)
    is_changed = fields.Boolean("Changed", readonly=True)

    _day_uniq = models.UniqueIndex(
        "(project_id, kpi_id, date)", "There is a figure of this KPI for this day already."
    )

    @api.model
    def _get_statuses(self):
        return self.env["databases.kpi.set"]._get_statuses()

    @api.model
    def _record(self, figures):
        """Write today's figures; a second run on the same day replaces the first.

        :param figures: tuples (project id, KPI id, integer or status)
        """
        today = fields.Date.today()
        rows = [
            (
                project,
                kpi,
                today,
                0 if value in RETURN_STATUSES else value,
                value if value in RETURN_STATUSES else None,
            )
            for project, kpi, value in figures
        ]
        if not rows:
            return
        # Plain SQL: a fleet brings thousands of figures a night. The day before is the last
        # day that has one, so that a database that was unreachable shows what has changed since.
        execute_values(
            self.env.cr._obj,
            """
            INSERT INTO databases_kpi_value
                   (project_id, kpi_id, date, value, status, change, previous_status, is_changed)
            SELECT fresh.project_id, fresh.kpi_id, fresh.date, fresh.value, fresh.status,
                   CASE WHEN last.id IS NULL THEN 0
                        ELSE least(greatest(fresh.value::bigint - last.value, -2147483647), 2147483647) END,
                   last.status,
                   last.id IS NOT NULL AND (fresh.value, fresh.status) IS DISTINCT FROM (last.value, last.status)
              FROM (VALUES %s) AS fresh (project_id, kpi_id, date, value, status)
         LEFT JOIN LATERAL (
                    SELECT id, value, status FROM databases_kpi_value old
                     WHERE old.project_id = fresh.project_id AND old.kpi_id = fresh.kpi_id
                       AND old.date < fresh.date
                  ORDER BY old.date DESC LIMIT 1) AS last ON true
       ON CONFLICT (project_id, kpi_id, date) DO UPDATE
               SET value = excluded.value, status = excluded.status, change = excluded.change,
                   previous_status = excluded.previous_status, is_changed = excluded.is_changed
            """,
            rows,
            template="(%s, %s, %s::date, (%s)::int, %s::varchar)",
            page_size=1000,
        )
        self.invalidate_model()

    def action_open_database(self):
        """Open the database that the figure is about."""
        self.ensure_one()
        return self.project_id.action_open_database()

    def _get_change_text(self):
        """Return what has changed, such as ``Purchase +3`` or ``VAT: Late``."""
        self.ensure_one()
        if self.status:
            return f"{self.kpi_id.display_name}: {dict(self._get_statuses())[self.status]}"
        return f"{self.kpi_id.display_name} {self.change:+d}"
