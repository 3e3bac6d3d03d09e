from odoo import api, models

from ..hosting.template_names import code_of


class SaasDatabaseTemplate(models.Model):
    """A template of which a version is made from an uploaded archive."""

    _inherit = "saas.database.template"

    @api.model
    def _prepare_template_import(self, target, arguments):
        self.env["saas.database"]._check_upload(arguments["upload"])
        template = self._define_by_archive(code_of(target), arguments["file"])
        version = template._new_version()
        request = arguments | {
            "physical": version.physical,
            "number": version.number,
            "uuid": self.env["saas.database"]._get_new_uuid(),
        }
        return self._reserved(version, request)

    @api.model
    def _define_by_archive(self, code, file):
        """Return the template of a code, changed or made so that it is built from an archive."""
        template = self.with_context(active_test=False).search([("code", "=", code)])
        values = {"origin": "archive", "archive_name": file}
        if template:
            template.write(values)
            return template
        return self.create({"name": code.replace("-", " ").title(), "code": code, **values})

    def _apply_template_import(self, operation):
        """Publish the version that was built, or write why there is none."""
        self._apply_template_build(operation)

    @api.model
    def _retry_operation(self, operation):
        if operation.kind == "template_import":
            self.env["saas.database"]._check_upload(operation.request["upload"])
        return super()._retry_operation(operation)
