import re

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Domain

from ..hosting.errors import HostingError
from ..hosting.template_names import check_target, target_of
from .saas_errors import words
from .saas_operation import UNSETTLED

MODULE = re.compile(r"[a-z][a-z0-9_]*")


class SaasDatabaseTemplate(models.Model):
    """What new databases look like: a definition, and the versions that were built from it."""

    _name = "saas.database.template"
    _description = "Database Template"
    _inherit = ["mail.thread", "mail.activity.mixin", "saas.operation.owner"]
    _order = "sequence, name, id"

    name = fields.Char(required=True, translate=True, tracking=True)
    code = fields.Char(
        required=True,
        copy=False,
        index=True,
        help="What programs call this template; it cannot be changed once a version exists.",
    )
    description = fields.Text(translate=True)
    sequence = fields.Integer(default=10, export_string_translation=False)
    active = fields.Boolean(default=True)
    origin = fields.Selection(
        [
            ("modules", "A List of Modules"),
            ("database", "A Hosted Database"),
            ("archive", "An Uploaded Backup"),
        ],
        "Built From",
        required=True,
        default="modules",
        tracking=True,
    )
    module_names = fields.Text(
        "Modules",
        default="base_setup",
        tracking=True,
        help="Technical names, separated by commas, spaces or lines.",
    )
    source_id = fields.Many2one(
        "saas.database",
        index="btree_not_null",
        ondelete="restrict",
        help="The database is copied at the moment of the build; what identifies its customer "
        "is removed from the copy, its business data is not.",
    )
    archive_name = fields.Char("Last Backup File", readonly=True, copy=False)
    lang = fields.Selection("_selection_lang", "Language", required=True, default="en_US")
    country_id = fields.Many2one("res.country")
    demo = fields.Boolean("Demo Data")
    rebuild = fields.Selection(
        [("never", "By Hand"), ("daily", "Every Day"), ("weekly", "Every Week")],
        required=True,
        default="weekly",
        help="When it differs from the addons on disk, it is built again at this rhythm.",
    )
    rebuild_hour = fields.Integer("Hour (UTC)", default=2)
    rebuild_weekday = fields.Selection(
        [
            ("0", "Monday"),
            ("1", "Tuesday"),
            ("2", "Wednesday"),
            ("3", "Thursday"),
            ("4", "Friday"),
            ("5", "Saturday"),
            ("6", "Sunday"),
        ],
        "Day of the Week",
        required=True,
        default="6",
    )
    pool_size = fields.Integer(
        "Ready Clones", help="How many sealed clones are kept ready to be given out at once."
    )
    version_ids = fields.One2many(
        "saas.database.template.version", "template_id", "Versions", readonly=True
    )
    published_version_id = fields.Many2one(
        "saas.database.template.version", compute="_compute_versions"
    )
    editing_version_id = fields.Many2one(
        "saas.database.template.version", "Checked-Out Copy", compute="_compute_versions"
    )
    can_roll_back = fields.Boolean(compute="_compute_versions", export_string_translation=False)
    is_stale = fields.Boolean(
        "Stale",
        readonly=True,
        copy=False,
        help="The modules on disk are not those that the published version was built from.",
    )
    compared_at = fields.Datetime("Compared With the Addons", readonly=True, copy=False)
    in_use_count = fields.Integer("In Use", compute="_compute_in_use_count")
    operation_id = fields.Many2one(
        "saas.operation", "Running Operation", compute="_compute_operation_id"
    )
    operation_progress = fields.Float("Progress", compute="_compute_operation_id")
    operation_text = fields.Char("Doing", compute="_compute_operation_id")
    failed_operation_id = fields.Many2one(
        "saas.operation", "Last Failure", compute="_compute_operation_id"
    )
    failure_reason = fields.Char("Why It Failed", compute="_compute_operation_id")
    status = fields.Selection(
        [
            ("empty", "Not Built"),
            ("working", "Working"),
            ("editing", "Checked Out"),
            ("stale", "Stale"),
            ("ready", "Ready"),
        ],
        compute="_compute_status",
    )

    _code_uniq = models.Constraint("UNIQUE(code)", "Another template has this code.")
    _hour_in_day = models.Constraint(
        "CHECK (rebuild_hour BETWEEN 0 AND 23)", "The hour must be from 0 to 23."
    )
    _pool_bounds = models.Constraint(
        "CHECK (pool_size BETWEEN 0 AND 50)", "At most 50 clones are kept ready."
    )

    @api.model
    def _selection_lang(self):
        languages = self.env["res.lang"].with_context(active_test=False).search([])
        return [(lang.code, lang.name) for lang in languages]

    @api.depends("version_ids.state")
    def _compute_versions(self):
        for template in self:
            by_state = {version.state: version for version in template.version_ids}
            template.published_version_id = by_state.get("published")
            template.editing_version_id = by_state.get("editing")
            template.can_roll_back = "previous" in by_state and "published" in by_state

    def _compute_in_use_count(self):
        for template in self:
            template.in_use_count = sum(template.version_ids.mapped("in_use_count"))

    def _compute_operation_id(self):
        targets = {template.id: target_of(template.code or "") for template in self}
        found = self.env["saas.operation"].search(
            Domain("target", "in", list(targets.values())) & UNSETTLED, order="id DESC"
        )
        # The oldest one is the one that runs; the others wait for it.
        by_target = {operation.target: operation for operation in found}
        failed = found._get_last_failures(targets.values())
        for template in self:
            operation = by_target.get(targets[template.id], found.browse())
            template.operation_id = operation
            template.operation_progress = operation.share_done
            template.operation_text = operation.doing or operation.wait_reason
            failure = failed.get(targets[template.id], found.browse())
            template.failed_operation_id = failure
            template.failure_reason = failure.error

    def _compute_status(self):
        for template in self:
            if template.operation_id:
                template.status = "working"
            elif template.editing_version_id:
                template.status = "editing"
            elif not template.published_version_id:
                template.status = "empty"
            else:
                template.status = "stale" if template.is_stale else "ready"

    @api.constrains("code")
    def _check_code(self):
        for template in self:
            try:
                check_target(template.code)
            except HostingError as error:
                message = words(self.env, error.code, error.facts)
                raise ValidationError(message) from error

    @api.constrains("module_names", "origin")
    def _check_module_names(self):
        for template in self.filtered(lambda each: each.origin == "modules"):
            for module in template._get_modules():
                if not MODULE.fullmatch(module):
                    raise ValidationError(
                        self.env._("“%s” is not a module's technical name.", module)
                    )

    @api.constrains("source_id", "origin")
    def _check_source(self):
        for template in self:
            if template.origin == "database" and not template.source_id:
                raise ValidationError(self.env._("Choose the database to build it from."))

    @api.ondelete(at_uninstall=False)
    def _unlink_except_built(self):
        for template in self:
            if template.version_ids:
                raise UserError(
                    self.env._(
                        "Drop the versions of %s first; archive it meanwhile.", template.name
                    )
                )

    def write(self, vals):
        if "code" in vals and any(each.version_ids and each.code != vals["code"] for each in self):
            raise UserError(self.env._("The code of a template that has versions cannot change."))
        return super().write(vals)

    # --- finding

    @api.model
    def _get_by_code(self, code):
        """Return the template of a code; raise when there is none."""
        template = self.search([("code", "=", code)])
        if not template:
            raise UserError(self.env._("There is no template %s.", code))
        return template

    @api.model
    def _get_published(self, code):
        """Return the version from which a database is to be made, which stays until this transaction ends.

        A version is retired or dropped only after whoever has just chosen it has committed; then
        the recorded operation shows that it is in use.

        :raises UserError: no such template, or none of its versions is published
        """
        template = self._get_by_code(code)
        version = template.version_ids.filtered(lambda each: each.state == "published")
        if not version:
            raise UserError(
                self.env._("The template %s has no published version yet. Build it first.", code)
            )
        self.env.cr.execute(
            "SELECT 1 FROM saas_database_template_version WHERE id = %s FOR SHARE", [version.id]
        )
        return version

    def _get_inventory(self):
        """Return one entry of ``templates`` in ``saas.host.capabilities``."""
        self.ensure_one()
        return {
            "code": self.code,
            "name": self.name,
            "status": self.status,
            "version": self.published_version_id.number or None,
        }

    def _get_modules(self):
        """Return the technical names of the listed modules, each once."""
        self.ensure_one()
        return list(dict.fromkeys(filter(None, re.split(r"[\s,;]+", self.module_names or ""))))

    def _published(self, version):
        """Hear that another version is the published one now; the pool listens too."""
        self.ensure_one()
        self.write({"is_stale": bool(version.stale_modules), "compared_at": fields.Datetime.now()})
