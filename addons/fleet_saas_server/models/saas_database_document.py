from odoo import api, fields, models

from ..hosting import manifest

DOCUMENT_KEY = "fleet_saas_server.document_key"


class SaasDatabase(models.Model):
    """What a hosted database was told of its plan, so that it can be told again."""

    _inherit = "saas.database"
    _fleet_encrypted_parameters = (DOCUMENT_KEY,)  # see fleet_databases/rotation.py

    document = fields.Json(
        "Plan and Limits",
        readonly=True,
        copy=False,
        groups="fleet_saas_server.group_hosting_operator",
    )

    @api.model
    def _get_document_key(self):
        """Return the key that signs documents, as text; it is made once."""
        return self._get_server_key(DOCUMENT_KEY, lambda: manifest.private_text(manifest.new_key()))

    @api.model
    def _get_operation_secrets(self, operation):
        found = super()._get_operation_secrets(operation)
        if operation.kind == "document":
            found["document_key"] = self._get_document_key()
        return found

    @api.model
    def _prepare_document(self, target, arguments):
        database = self._get_for(target, "active", "suspended", "archived")
        return database._prepare_request(**arguments)

    @api.model
    def _apply_document(self, operation):
        database = self.browse(operation.res_id)
        if operation.state == "done":
            database.sudo().document = operation.request["content"]  # see saas.guarded

    @api.model
    def _tell_again(self, operation):
        """Have the database told what it was told before: an older state of it has come back."""
        database = self.browse(operation.res_id)
        if operation.state == "done" and (content := database.sudo().document):
            self.env["saas.operation"].sudo()._submit(
                "document", database.name, {"content": content}, f"document:after:{operation.id}"
            )

    @api.model
    def _apply_restore(self, operation):
        super()._apply_restore(operation)
        self._tell_again(operation)

    @api.model
    def _apply_revert(self, operation):
        super()._apply_revert(operation)
        self._tell_again(operation)
