"""What the screens of a hosted database show besides its record, and their buttons."""

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from .saas_errors import words
from .saas_operation import UNSETTLED
from .saas_seal_labels import TEXTS

REPORT_PARTS = ("unknown", "left_on", "switched_off")


class SaasDatabase(models.Model):
    _inherit = "saas.database"

    running_operation_id = fields.Many2one(
        "saas.operation", "Under Way", compute="_compute_running_operation_id"
    )
    running_share = fields.Float("Progress", compute="_compute_running_operation_id")
    running_text = fields.Char("Now", compute="_compute_running_operation_id")
    operation_count = fields.Integer(compute="_compute_operation_count")
    failed_operation_id = fields.Many2one(
        "saas.operation", "Last Failure", compute="_compute_failed_operation_id"
    )
    failure_reason = fields.Char("Why It Failed", compute="_compute_failed_operation_id")
    backup_count = fields.Integer(compute="_compute_backup_count")
    unknown_count = fields.Integer(
        "Unknown in the Seal",
        compute="_compute_unknown_count",
        help="Columns that look like credentials and that no rule of the seal knows.",
    )
    report_words = fields.Json(compute="_compute_report_words", export_string_translation=False)
    problem = fields.Char("Problems", compute="_compute_problem")

    @api.depends("name")
    def _compute_running_operation_id(self):
        found = self.env["saas.operation"].search(
            Domain("target", "in", self.mapped("name")) & UNSETTLED,
            order="id DESC",
        )
        # The oldest one is the one that runs; the others wait for it.
        by_target = {operation.target: operation for operation in found}
        for database in self:
            operation = by_target.get(database.name, self.env["saas.operation"])
            database.running_operation_id = operation
            database.running_share = operation.share_done
            database.running_text = operation.doing or operation.wait_reason

    @api.depends("name")
    def _compute_operation_count(self):
        for database in self:
            database.operation_count = self.env["saas.operation"].search_count(
                database._get_operations_domain()
            )

    @api.depends("name", "running_operation_id")
    def _compute_failed_operation_id(self):
        """The last operation, if it failed and nothing was done since."""
        failed = self.env["saas.operation"]._get_last_failures(self.mapped("name"))
        for database in self:
            operation = failed.get(database.name, self.env["saas.operation"])
            database.failed_operation_id = operation
            database.failure_reason = operation.error

    @api.depends("backup_ids")
    def _compute_backup_count(self):
        groups = self.env["saas.backup"]._read_group(
            [("database_id", "in", self.ids), ("state", "=", "verified")],
            ["database_id"],
            ["__count"],
        )
        counts = {database.id: count for database, count in groups}
        for database in self:
            database.backup_count = counts.get(database.id, 0)

    @api.depends("report")
    def _compute_unknown_count(self):
        for database in self:
            database.unknown_count = len((database.report or {}).get("unknown", ()))

    @api.depends("report")
    @api.depends_context("lang")
    def _compute_report_words(self):
        for database in self:
            database.report_words = self._translate_report(database.report or {})

    @api.model
    def _translate_report(self, report):
        """Return the parts of a report of sealing in the user's language."""
        return {
            part: [self._translate_entry(entry) for entry in report.get(part, ())]
            for part in REPORT_PARTS
        }

    @api.model
    def _translate_entry(self, entry):
        """Return an entry of the report in the user's language; an older one has English only."""
        # The texts are exported where `saas_seal_labels` marks them; here one is only chosen.
        translate = self.env._
        what = entry["what"]
        facts = {
            name: translate(text) if text in TEXTS else text
            for name, text in entry.get("facts", {}).items()
        }
        says = words(self.env, entry.get("code"), facts) or entry.get("says")
        return {**entry, "what": translate(what) if what in TEXTS else what, "says": says}

    @api.depends("state", "last_backup", "failed_operation_id", "unknown_count")
    @api.depends_context("lang")
    def _compute_problem(self):
        for database in self:
            database.problem = " · ".join(database._get_problems())

    def _get_problems(self):
        """Return what an operator has to look at, each in a few words."""
        self.ensure_one()
        problems = []
        if self.failed_operation_id:
            problems.append(self.env._("Failed: %s", self.failed_operation_id.kind_label))
        if self.state == "active" and self.purpose != "staging" and not self.last_backup:
            problems.append(self.env._("No verified backup"))
        elif self.state == "active" and self.purpose != "staging" and self._is_backup_late():
            problems.append(self.env._("Backup overdue"))
        if self.unknown_count and self.state == "active":
            problems.append(self.env._("Unknown credentials: %s", self.unknown_count))
        return problems

    def _is_backup_late(self):
        """Tell whether the newest verified backup is older than two rounds of the policy."""
        self.ensure_one()
        hours = 2 * (self._get_backup_policy().every_hours or 24)
        limit = fields.Datetime.subtract(fields.Datetime.now(), hours=hours)
        return not self.last_backup or self.last_backup < limit

    # --- buttons

    def action_open(self):
        """Open the database in a new tab."""
        self.ensure_one()
        if self.state != "active":
            raise UserError(self.env._("%s is not open now.", self.name))
        return {"type": "ir.actions.act_url", "url": self.url, "target": "new"}

    def action_back_up(self):
        """Take a backup now."""
        self.ensure_one()
        return self._submit_and_show("backup", {"reason": "manual"})

    def action_restore(self):
        """Ask which backup is to come back, and how; the newest verified one is proposed."""
        self.ensure_one()
        backup = self.env["saas.backup"].search(
            [("database_id", "=", self.id), ("state", "=", "verified")], limit=1
        )
        if not backup:
            raise UserError(self.env._("%s has no verified backup yet.", self.name))
        return backup.action_restore()

    def action_forget(self):
        """Take databases off the list that were never made; their operations stay."""
        self.env["saas.operation"]._check_allowed()
        for database in self:
            if database.state != "failed" or database.running_operation_id:
                raise UserError(self.env._("%s is there, so it is not forgotten.", database.name))
        self._set_state("dropped")

    def action_duplicate(self):
        """Ask for the name of a copy of this database."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Duplicate %s", self.name),
            "res_model": "saas.database.create.wizard",
            "view_mode": "form",
            "target": "new",
            "context": {"default_source_id": self.id},
        }

    def action_view_operations(self):
        """Show every operation on this database, also those under its former names."""
        self.ensure_one()
        return self._get_list_action("saas_operation_action", self._get_operations_domain())

    def action_view_backups(self):
        """Show the backups of this database."""
        self.ensure_one()
        return self._get_list_action("saas_backup_action", Domain("database_id", "=", self.id))

    def action_view_snapshots(self):
        """Show the snapshots of this database."""
        self.ensure_one()
        return self._get_list_action(
            "saas_database_snapshot_action", Domain("database_id", "=", self.id)
        )

    def action_view_running(self):
        """Open the operation that works on this database."""
        self.ensure_one()
        return (self.running_operation_id or self.failed_operation_id)._get_form_action()

    def _get_list_action(self, name, domain):
        action = self.env["ir.actions.act_window"]._for_xml_id(f"fleet_saas_server.{name}")
        return {**action, "domain": list(domain)}
