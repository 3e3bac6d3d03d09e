import hashlib
import re

from odoo import api, fields, models

from .databases_kpi_names import translate_kpi_name


class DatabasesKpi(models.Model):
    """The catalogue of the KPIs that databases have reported so far."""

    _name = "databases.kpi"
    _description = "KPI"
    _order = "sequence, kpi_type desc, name, id"

    name = fields.Char(required=True, help="Heading of the column in the list of databases.")
    technical_name = fields.Char(required=True, readonly=True)
    property_name = fields.Char(
        compute="_compute_property_name", store=True, export_string_translation=False
    )
    kpi_type = fields.Selection(
        [("integer", "Number"), ("return_status", "Status of a return")],
        "Type",
        required=True,
        readonly=True,
    )
    introduced_by_id = fields.Many2one(
        "project.project",
        readonly=True,
        index="btree_not_null",
        ondelete="set null",
        export_string_translation=False,
        groups=fields.NO_ACCESS,
    )
    sequence = fields.Integer(default=10)
    active = fields.Boolean(default=True, help="Clear it to take the column out of the list.")
    threshold_ids = fields.One2many("databases.kpi.threshold", "kpi_id", "Thresholds")

    _technical_name_uniq = models.UniqueIndex(
        "(technical_name, kpi_type)", "This KPI is in the catalogue already."
    )
    _property_name_uniq = models.UniqueIndex(
        "(property_name)", "This KPI is in the catalogue already."
    )

    @api.depends("technical_name", "kpi_type")
    def _compute_property_name(self):
        for kpi in self:
            kpi.property_name = self._get_property_name(
                kpi.technical_name or "", kpi.kpi_type or ""
            )

    @api.depends("name")
    @api.depends_context("lang")
    def _compute_display_name(self):
        for kpi in self:
            kpi.display_name = translate_kpi_name(self.env, kpi.name or "")

    @api.model
    def _get_property_name(self, technical_name, kpi_type):
        """Return the name of the property for a KPI: Odoo allows a-z, 0-9 and _ there.

        Every name ends in a digest: two KPIs never share a column, and none ends in ``_html``,
        which Odoo keeps for another type and refuses here.
        """
        plain = re.sub(r"[^a-z0-9_]", "_", technical_name.lower())
        digest = hashlib.sha256(f"{kpi_type}:{technical_name}".encode()).hexdigest()[:8]
        return f"{plain[:80]}_{digest}"

    def write(self, vals):
        result = super().write(vals)
        if {"name", "sequence", "active"} & vals.keys():
            self.env.ref("fleet_databases.kpi_set").sudo()._write_definition()
        return result

    def unlink(self):
        """Take the columns out as well; they come back with the next database that reports them."""
        result = super().unlink()
        self.env.ref("fleet_databases.kpi_set").sudo()._write_definition()
        return result
