from odoo import fields, models


class DatabasesKpiAlert(models.Model):
    """A threshold that a database is over right now. It is told once, until it has gone back."""

    _name = "databases.kpi.alert"
    _description = "KPI Over Its Threshold"
    _order = "id desc"
    _rec_name = "threshold_id"

    threshold_id = fields.Many2one(
        "databases.kpi.threshold", required=True, index=True, ondelete="cascade", readonly=True
    )
    project_id = fields.Many2one(
        "project.project", "Database", required=True, index=True, ondelete="cascade", readonly=True
    )

    _uniq = models.UniqueIndex("(threshold_id, project_id)", "This alert was given already.")
