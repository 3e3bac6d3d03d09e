from odoo import api, fields, models


class SaasDatabase(models.Model):
    """The key by which another machine reads a database's figures, so that it can be set again."""

    _inherit = "saas.database"

    monitor_key = fields.Json(
        "Hash of the Monitoring Key",
        readonly=True,
        copy=False,
        groups="fleet_saas_server.group_hosting_operator",
    )

    @api.model
    def _prepare_create(self, target, arguments):
        values = super()._prepare_create(target, arguments)
        values["request"]["monitor"] = arguments["monitor"]
        return values

    @api.model
    def _apply_create(self, operation):
        super()._apply_create(operation)
        if operation.state == "done" and operation.result["personalise"].get("monitor"):
            self.browse(operation.res_id).sudo().monitor_key = operation.request["monitor"]

    @api.model
    def _prepare_monitor(self, target, arguments):
        database = self._get_for(target, "active", "suspended", "archived")
        return database._prepare_request(**arguments)

    @api.model
    def _apply_monitor(self, operation):
        if operation.state == "done":
            self.browse(operation.res_id).sudo().monitor_key = operation.request["key"]

    @api.model
    def _tell_again(self, operation):
        """Set the key again: an older state of the database has come back, with an older one."""
        super()._tell_again(operation)
        database = self.browse(operation.res_id)
        if operation.state == "done" and (key := database.sudo().monitor_key):
            self.env["saas.operation"].sudo()._submit(
                "monitor", database.name, {"key": key}, f"monitor:after:{operation.id}"
            )
