from collections import Counter

from odoo import api, fields, models
from odoo.tools import SQL

from .databases_kpi_names import translate_kpi_name

#: What a KPI of type ``return_status`` says, worst first, and its colour in the interface.
RETURN_STATUSES = ("late", "to_do", "to_submit", "longterm", "done")
#: More columns than this help nobody, and a broken database must not fill the list.
MAX_KPIS = 200
#: Columns that one database may bring into the list, so that it cannot take all of them.
MAX_KPIS_OF_ONE = 40


class KpiDefinition(fields.PropertiesDefinition):
    """Columns that are called in the language of who looks: Odoo stores one text for everybody."""

    def convert_to_record(self, value, record):
        columns = super().convert_to_record(value, record)
        return record._translate_columns(columns) if columns else columns


class DatabasesKpiSet(models.Model):
    """The one record that holds the definition of every KPI column of the fleet list."""

    _name = "databases.kpi.set"
    _description = "KPI Columns"

    name = fields.Char(required=True, translate=True)
    kpi_definition = KpiDefinition("KPI Columns")

    @api.model
    def _get_statuses(self):
        """Return the labels of the statuses of a tax return, in order, worst first."""
        labels = {
            "late": self.env._("Late"),
            "to_do": self.env._("To do"),
            "to_submit": self.env._("To submit"),
            "longterm": self.env._("Long term"),
            "done": self.env._("Done"),
        }
        return [(status, labels[status]) for status in RETURN_STATUSES]

    @api.model
    def _translate_columns(self, columns):
        """Put known headings, and the statuses, into the language of who looks; in place."""
        statuses = [[status, label] for status, label in self._get_statuses()]
        for column in columns:
            column["string"] = translate_kpi_name(self.env, column.get("string"))
            if column["type"] == "selection":
                column["selection"] = statuses
        return columns

    def _ensure_columns(self, reported):
        """Make the columns, and the catalogue entries, of the KPIs that databases have reported.

        :param dict reported: the KPIs, as the remote client brings them, of each project
        :return: catalogue records by the remote's identifier and type: databases of different
            versions may mean different things by one identifier; KPIs over a cap are left out
        """
        self.ensure_one()
        known = self._get_catalogue()
        if not self._get_new_kpis(reported, known):
            return known
        # One writer at a time, or one would undo the columns of the other.
        self.env.cr.execute(
            SQL("SELECT 1 FROM databases_kpi_set WHERE id = %s FOR UPDATE", self.id)
        )
        if values := self._get_new_kpis(reported, known):
            created = self.env["databases.kpi"].create(values)
            known.update({(kpi.technical_name, kpi.kpi_type): kpi for kpi in created})
            self._write_definition()
        return known

    @api.model
    def _get_catalogue(self):
        kpis = self.env["databases.kpi"].with_context(active_test=False).search([])
        return {(kpi.technical_name, kpi.kpi_type): kpi for kpi in kpis}

    @api.model
    def _get_new_kpis(self, reported, known):
        """Return the values of the catalogue entries that are missing and within the caps."""
        Kpi = self.env["databases.kpi"]
        taken = {kpi.property_name for kpi in known.values()}
        brought = Counter(kpi.sudo().introduced_by_id.id for kpi in known.values())
        values = []
        for project, kpis in reported.items():
            for kpi in kpis:
                name = Kpi._get_property_name(kpi.id, kpi.type)
                if name in taken or (kpi.id, kpi.type) in known:
                    continue
                if len(taken) >= MAX_KPIS or brought[project.id] >= MAX_KPIS_OF_ONE:
                    break
                taken.add(name)
                brought[project.id] += 1
                values.append(
                    {
                        "technical_name": kpi.id,
                        "name": kpi.name,
                        "kpi_type": kpi.type,
                        "introduced_by_id": project.id,
                    }
                )
        return values

    def _write_definition(self):
        """Write the columns' definition anew from the catalogue."""
        kpis = self.env["databases.kpi"].search([])
        statuses = [[status, label] for status, label in self._get_statuses()]
        self.kpi_definition = [
            {"name": kpi.property_name, "string": kpi.name, "type": "integer"}
            if kpi.kpi_type == "integer"
            else {
                "name": kpi.property_name,
                "string": kpi.name,
                "type": "selection",
                "selection": statuses,
            }
            for kpi in kpis
        ]
