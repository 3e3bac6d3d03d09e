from odoo import api, models
from odoo.exceptions import UserError
from odoo.fields import Domain
from odoo.tools import email_normalize

from .saas_instance import GONE


class SaasInstance(models.Model):
    """A fleet from a CSV file: every row is checked, and nothing is created on a server by it.

    A row whose server hosts a database of that name becomes that database's instance; the others
    are drafts.
    """

    _inherit = "saas.instance"

    @api.model
    def get_import_templates(self):
        """Return the file that the import screen offers."""
        return [
            {
                "label": self.env._("Import Template for Instances"),
                "template": "/fleet_saas_portal/static/import/saas_instance.csv",
            }
        ]

    @api.model_create_multi
    def create(self, vals_list):
        if not self.env.context.get("import_file"):
            return super().create(vals_list)
        vals_list = [self._prepare_imported(vals) for vals in vals_list]
        self._check_imported_names(vals_list)
        instances = super().create(vals_list)
        for instance in instances:
            instance._settle_imported()
        return instances

    @api.model
    def _prepare_imported(self, vals):
        """Return the values of a row as a person means them: a whole address is a name, too."""
        name = (vals.get("name") or "").strip().lower().removeprefix("https://")
        vals = {**vals, "name": name.split(".")[0].rstrip("/")}
        if login := (vals.get("admin_login") or "").strip():
            if not email_normalize(login):
                raise UserError(self.env._("%s is no e-mail address.", login))
            vals["admin_login"] = login
        return vals

    @api.model
    def _check_imported_names(self, vals_list):
        """Refuse a name that is in the file twice, or that another instance of the server has."""
        seen = set()
        for vals in vals_list:
            name, server = vals["name"], vals.get("server_id") or False
            same = Domain("name", "=", name) & Domain("server_id", "in", [server, False])
            used = self.sudo().search_count(same & Domain("state", "not in", GONE), limit=1)
            if used or (name, server) in seen:
                raise UserError(self.env._("Another instance has the name %s.", name))
            seen.add((name, server))

    def _settle_imported(self):
        """Link this row to its database, if its server has it; it needs a template otherwise."""
        found = self._find_database()
        if found:
            found._adopt_as(self)
        elif not self.template_id:
            raise UserError(
                self.env._(
                    "%s needs a plan or a template, as its server does not host it yet.", self.name
                )
            )

    def _find_database(self):
        """Return the database that this row's server hosts under its name, if nobody has it."""
        found = self.env["saas.instance.found"].sudo()
        if not self.server_id:
            return found
        return found.search([("server_id", "=", self.server_id.id), ("name", "=", self.name)])
