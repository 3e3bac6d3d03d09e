from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import ValidationError

from .databases_kpi_set import RETURN_STATUSES


class DatabasesKpiThreshold(models.Model):
    _name = "databases.kpi.threshold"
    _description = "KPI Threshold"
    _order = "kpi_id, id"

    kpi_id = fields.Many2one("databases.kpi", "KPI", required=True, index=True, ondelete="cascade")
    kpi_type = fields.Selection(related="kpi_id.kpi_type")
    operator = fields.Selection(
        [(">=", "at least"), ("<=", "at most")], "Condition", required=True, default=">="
    )
    value = fields.Integer()
    status = fields.Selection(
        "_get_statuses", default="late", help="This status, or a worse one, gives an activity."
    )
    project_ids = fields.Many2many(
        "project.project", string="Only These Databases", domain=[("database_hosting", "!=", False)]
    )
    user_id = fields.Many2one(
        "res.users",
        "Otherwise Tell",
        default=lambda self: self.env.user,
        domain=[("share", "=", False)],
        help="Gets the activity when a database has no responsible person who may see it.",
    )
    days = fields.Integer("Due In (days)", default=1)
    active = fields.Boolean(default=True)
    alert_ids = fields.One2many("databases.kpi.alert", "threshold_id", "Databases Over It")

    @api.model
    def _get_statuses(self):
        return self.env["databases.kpi.set"]._get_statuses()

    @api.constrains("status", "kpi_id")
    def _check_status(self):
        for threshold in self:
            if threshold.kpi_type == "return_status" and not threshold.status:
                raise ValidationError(
                    self.env._(
                        "Choose the Status from which %(kpi)s gives an activity.",
                        kpi=threshold.kpi_id.display_name,
                    )
                )

    @api.depends("kpi_id", "operator", "value", "status")
    @api.depends_context("lang")
    def _compute_display_name(self):
        operators = dict(self._fields["operator"]._description_selection(self.env))
        statuses = dict(self._get_statuses())
        for threshold in self:
            if threshold.kpi_type == "return_status":
                limit = statuses.get(threshold.status, "")
            else:
                limit = f"{operators.get(threshold.operator, '')} {threshold.value}"
            threshold.display_name = f"{threshold.kpi_id.display_name or ''}: {limit}"

    def write(self, vals):
        result = super().write(vals)
        if {"kpi_id", "operator", "value", "status", "project_ids", "active"} & vals.keys():
            # Another limit is another alert.
            self.sudo().alert_ids.unlink()
        return result

    def _is_over(self, value):
        """Tell whether ``value``, an integer or a status, asks for an activity."""
        self.ensure_one()
        if value in RETURN_STATUSES:
            return bool(self.status) and RETURN_STATUSES.index(value) <= RETURN_STATUSES.index(
                self.status
            )
        return value >= self.value if self.operator == ">=" else value <= self.value

    @api.model
    def _check_figures(self, figures):
        """Give an activity for each figure that has gone over a threshold since it was last seen.

        :param figures: tuples (project id, KPI id, integer or status)
        """
        thresholds = self.sudo().search([])
        if not thresholds:
            return
        projects = (
            self.env["project.project"]
            .sudo()
            .browse({project for project, _kpi, _value in figures})
        )
        alerts = {
            (alert.threshold_id, alert.project_id.id): alert
            for alert in self.env["databases.kpi.alert"]
            .sudo()
            .search([("project_id", "in", projects.ids)])
        }
        for project_id, kpi_id, value in figures:
            for threshold in thresholds.filtered(
                lambda threshold, kpi_id=kpi_id: threshold.kpi_id.id == kpi_id
            ):
                if threshold.project_ids and project_id not in threshold.project_ids.ids:
                    continue
                alert = alerts.get((threshold, project_id))
                if threshold._is_over(value) and not alert:
                    threshold._give_alert(projects.browse(project_id), value)
                elif alert and not threshold._is_over(value):
                    alert.unlink()

    def _give_alert(self, project, value):
        self.env["databases.kpi.alert"].sudo().create(
            {"threshold_id": self.id, "project_id": project.id}
        )
        shown = dict(self._get_statuses()).get(value, value)
        project._schedule_database_activity(
            self.env._("%(kpi)s is %(value)s", kpi=self.kpi_id.display_name, value=shown),
            self.env._("Threshold reached: %(threshold)s", threshold=self.display_name),
            fields.Date.today() + timedelta(days=self.days),
            user=self.user_id,
        )
