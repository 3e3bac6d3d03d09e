from odoo import api, fields, models

from ..hosting.health import SERVER
from ..models.saas_operation import UNSETTLED

GREEN, AMBER, RED, GREY = "green", "amber", "red", "grey"


class SaasHealth(models.TransientModel):
    """The machine itself on one screen: what it has, what it lacks, what to do.

    Each part of the screen is a method ``_check_*`` that returns rows (see `_row`); most look at
    this moment, the programs and folders are looked at by the operation ``check``.
    """

    _name = "saas.health"
    _description = "Health of the Hosting Server"
    _inherit = ["saas.operation.owner"]

    rows = fields.Json(compute="_compute_rows")
    state = fields.Selection(
        [(GREEN, "In Order"), (AMBER, "Look at It"), (RED, "Cannot Host"), (GREY, "Not Known")],
        compute="_compute_rows",
    )
    running_operation_id = fields.Many2one("saas.operation", compute="_compute_rows")
    checked = fields.Datetime(compute="_compute_rows")

    @api.model
    def _prepare_operation(self, kind, target, arguments):
        return {"request": arguments}

    def _compute_display_name(self):
        self.display_name = self.env._("Health")

    @api.depends_context("lang", "uid")
    def _compute_rows(self):
        operations = self.env["saas.operation"].search([("kind", "=", "check")], limit=20)
        running = operations.filtered_domain(UNSETTLED)
        ended = (operations - running)[:1]
        rows = self._get_rows()
        states = {row["state"] for row in rows}
        for health in self:
            health.rows = rows
            health.state = next((each for each in (RED, AMBER, GREY) if each in states), GREEN)
            health.running_operation_id = running[:1]
            health.checked = ended.ended

    @api.model
    def _get_rows(self):
        """Return every row of the screen, in its order."""
        return [
            *self._check_runner(),
            *self._check_operations(),
            *self._check_postgres(),
            *self._check_programs(),
            *self._check_room(),
            *self._check_gate(),
            *self._check_secret_key(),
            *self._check_limits(),
            *self._check_backups(),
            *self._check_differences(),
        ]

    @api.model
    def _row(self, key, state, title, says, todo="", action=""):
        """Return one row.

        :param str key: identifies it in tests and on the page
        :param str state: ``green``, ``amber``, ``red``, or ``grey`` for what is not known
        :param str says: what is, in a sentence
        :param str todo: what to do about it
        :param str action: xml id of the action that shows more
        """
        return {
            "key": key,
            "state": state,
            "title": title,
            "says": says,
            "todo": todo,
            "action": f"fleet_saas_server.{action}" if action else "",
        }

    @api.model
    def action_open(self):
        """Open the screen."""
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Health"),
            "res_model": "saas.health",
            "res_id": self.create({}).id,
            "view_mode": "form",
            "views": [(False, "form")],
            "target": "current",
        }

    def action_check(self):
        """Have the programs and folders looked at; the screen shows the result when it is there."""
        self.env["saas.database"]._submit_and_show("check", target=SERVER)
        return False
