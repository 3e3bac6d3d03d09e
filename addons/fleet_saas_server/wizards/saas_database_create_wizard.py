from odoo import api, fields, models
from odoo.exceptions import UserError

from ..hosting.errors import HostingError
from ..hosting.names import check_name
from ..hosting.personalise import password_hash
from ..models.saas_errors import words


class SaasDatabaseCreateWizard(models.TransientModel):
    """Ask for a new hosted database: from a template, or as a copy of another one."""

    _name = "saas.database.create.wizard"
    _description = "Create a Hosted Database"

    source_id = fields.Many2one("saas.database", "Copy Of", readonly=True, ondelete="cascade")
    template_id = fields.Many2one(
        "saas.database.template",
        domain="[('version_ids.state', '=', 'published')]",
        default=lambda self: self._get_first_template(),
        ondelete="cascade",
    )
    template_description = fields.Text(related="template_id.description")
    name = fields.Char(required=True)
    name_problem = fields.Char(compute="_compute_address")
    address = fields.Char(compute="_compute_address")
    purpose = fields.Selection(
        [("customer", "Customer"), ("trial", "Trial"), ("staging", "Staging Copy")],
        required=True,
        default="customer",
    )
    company = fields.Char()
    admin_name = fields.Char("Administrator's Name")
    admin_email = fields.Char("Administrator's E-mail", help="It is the login too.")
    admin_password = fields.Char(
        "Administrator's Password",
        compute="_compute_admin_password",
        inverse="_inverse_admin_password",
        help="Empty: nobody can log in with a password until the administrator is reset.",
    )
    password_hash = fields.Char(
        copy=False,
        groups="fleet_saas_server.group_hosting_operator",
        export_string_translation=False,
    )
    lang = fields.Selection("_selection_lang", "Language")
    country_id = fields.Many2one("res.country", ondelete="cascade")
    keep_logins = fields.Boolean(
        "People keep their passwords",
        help="People log in to the copy with the passwords that they have now.",
    )

    @api.model
    def _get_first_template(self):
        domain = [("version_ids.state", "=", "published")]
        return self.env["saas.database.template"].search(domain, limit=1)

    @api.model
    def _selection_lang(self):
        """Offer the languages that a template is built in."""
        templates = self.env["saas.database.template"].search([])
        languages = (
            self.env["res.lang"]
            .with_context(active_test=False)
            .search([("code", "in", [*set(templates.mapped("lang")), self.env.lang or "en_US"])])
        )
        return [(lang.code, lang.name) for lang in languages]

    @api.depends("name")
    def _compute_address(self):
        host = self.env["saas.operation"]._get_host()
        for wizard in self:
            problem = wizard._get_name_problem() if wizard.name else False
            wizard.name_problem = problem
            wizard.address = host.url(wizard.name) if wizard.name and not problem else False

    def _get_name_problem(self):
        """Return why the name cannot be had, in words; False when it can."""
        try:
            check_name(self.name)
        except HostingError as error:
            return words(self.env, error.code, error.facts)
        if self.env["saas.database"]._is_name_used(self.name):
            return words(self.env, "name_taken", {"name": self.name})
        return False

    def _compute_admin_password(self):
        # What was typed is never kept and never shown.
        self.admin_password = False

    def _inverse_admin_password(self):
        for wizard in self:
            wizard.password_hash = (
                password_hash(wizard.admin_password) if wizard.admin_password else False
            )

    @api.onchange("name")
    def _onchange_name(self):
        self.name = (self.name or "").strip().lower() or False

    @api.onchange("template_id")
    def _onchange_template_id(self):
        if self.template_id:
            self.lang = self.template_id.lang
            self.country_id = self.template_id.country_id

    @api.onchange("source_id")
    def _onchange_source_id(self):
        if self.source_id:
            self.purpose = "staging"
            self.name = f"{self.source_id.name}-copy"

    def action_create_database(self):
        """Ask for the database and show its operation."""
        self.ensure_one()
        if problem := self._get_name_problem():
            raise UserError(problem)
        if self.source_id:
            kind, arguments = "duplicate", self._prepare_duplicate()
        else:
            kind, arguments = "create", self._prepare_create()
        return self.env["saas.database"]._submit_and_show(kind, arguments, target=self.name)

    def _prepare_create(self):
        if not self.template_id:
            raise UserError(self.env._("Choose the template to make the database from."))
        return {
            "template": self.template_id.code,
            "purpose": self.purpose,
            "personal": self._prepare_personal(),
        }

    def _prepare_duplicate(self):
        return {
            "source": self.source_id._get_target(),
            "purpose": self.purpose,
            "personal": self._prepare_personal(),
            "keep_logins": self.keep_logins,
        }

    def _prepare_personal(self):
        """Return what was filled in, as ``hosting.personalise.Personal`` takes it."""
        values = {
            "company": self.company,
            "name": self.admin_name,
            "login": self.admin_email,
            "email": self.admin_email,
            "password_hash": self.password_hash,
            "language": self.lang,
            "country": self.country_id.code,
        }
        return {name: value.strip() for name, value in values.items() if value}
