from odoo import fields, models


class SaasTemplateWizard(models.TransientModel):
    """Build a version of a template from an archive that Odoo or pg_dump made."""

    _name = "saas.template.wizard"
    _inherit = ["saas.upload"]
    _description = "Build a Template From a Backup"

    template_id = fields.Many2one("saas.database.template", required=True, ondelete="cascade")

    def action_build(self):
        """Ask for the build; the form of the template shows how far it is."""
        return self.template_id._ask("template_import", self._get_upload_arguments())
