from odoo import fields, models


class SaasImportWizard(models.TransientModel):
    """Make a hosted database from an archive that Odoo or pg_dump made."""

    _name = "saas.import.wizard"
    _inherit = ["saas.upload"]
    _description = "Import an Archive"

    name = fields.Char("Name of the New Database", required=True)
    purpose = fields.Selection(
        [("customer", "Customer"), ("trial", "Trial"), ("staging", "Staging Copy")],
        required=True,
        default="staging",
    )
    keep_logins = fields.Boolean("People keep their passwords", default=True)

    def action_import(self):
        """Ask for the import and show its operation."""
        options = {"purpose": self.purpose, "keep_logins": self.keep_logins}
        return self.env["saas.database"]._submit_and_show(
            "import_archive",
            self._get_upload_arguments() | options,
            target=(self.name or "").strip(),
        )
