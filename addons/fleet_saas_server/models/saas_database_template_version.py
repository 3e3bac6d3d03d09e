from odoo import api, fields, models
from odoo.exceptions import UserError

from ..hosting.journal import ACTIVE

# Every state of a version and the states it may go to.
TRANSITIONS = {
    "building": ("published", "failed", "editing"),
    "editing": ("building", "failed"),
    "published": ("previous", "retired"),
    "previous": ("published", "retired"),
    "retired": (),
    "failed": (),
}


class SaasDatabaseTemplateVersion(models.Model):
    """One build of a template: a closed database that nobody can connect to, only copy.

    A database is copied from a version by its physical name, so a clone that runs while the next
    version is published goes on with what it began with.
    """

    _name = "saas.database.template.version"
    _description = "Version of a Database Template"
    _order = "template_id, number DESC"

    template_id = fields.Many2one(
        "saas.database.template", required=True, readonly=True, index=True, ondelete="restrict"
    )
    number = fields.Integer("Version", required=True, readonly=True)
    physical = fields.Char(
        "Name in PostgreSQL", required=True, readonly=True, export_string_translation=False
    )
    state = fields.Selection(
        [
            ("building", "Being Built"),
            ("editing", "Checked Out"),
            ("published", "Published"),
            ("previous", "Version Before"),
            ("retired", "Retired"),
            ("failed", "Not Built"),
        ],
        required=True,
        readonly=True,
        default="building",
        index=True,
    )
    built_at = fields.Datetime("Built", readonly=True)
    seconds = fields.Float("Duration (s)", readonly=True, digits=(16, 1))
    size_mb = fields.Float("Database (MB)", readonly=True, digits=(16, 1))
    files_mb = fields.Float("Files (MB)", readonly=True, digits=(16, 1))
    modules = fields.Json("Modules with Versions", readonly=True)
    module_count = fields.Integer("Modules", compute="_compute_module_count")
    stale_modules = fields.Json("Modules That Differ", readonly=True)
    in_use_count = fields.Integer("Used by Operations", compute="_compute_in_use_count")
    error = fields.Char("Reason", readonly=True)
    edit_url = fields.Char("Address of the Copy", readonly=True)
    edit_password = fields.Char(
        readonly=True,
        copy=False,
        groups="fleet_saas_server.group_hosting_operator",
        export_string_translation=False,
    )

    _physical_uniq = models.Constraint(
        "UNIQUE(physical)", "Two versions cannot have one name in PostgreSQL."
    )
    _number_uniq = models.Constraint(
        "UNIQUE(template_id, number)", "Two versions of a template cannot have one number."
    )
    _single_uniq = models.UniqueIndex(
        "(template_id, state) WHERE state IN ('building', 'editing', 'published')",
        "A template has one version of this state only.",
    )

    @api.depends("template_id.name", "number")
    def _compute_display_name(self):
        for version in self:
            version.display_name = self.env._(
                "%(template)s, version %(number)s",
                template=version.template_id.name,
                number=version.number,
            )

    @api.depends("modules")
    def _compute_module_count(self):
        for version in self:
            version.module_count = len(version.modules or {})

    def _compute_in_use_count(self):
        for version in self:
            version.in_use_count = len(version._get_users())

    def _get_users(self):
        """Return the unfinished operations that copy these versions."""
        active = self.env["saas.operation"].sudo().search([("state", "in", ACTIVE)])
        names = set(self.mapped("physical"))
        return active.filtered(lambda each: (each.request or {}).get("source") in names)

    def _set_state(self, state, **values):
        """Change the state along `TRANSITIONS`, at once, with whatever else changes with it."""
        for version in self:
            if state != version.state and state not in TRANSITIONS[version.state]:
                raise UserError(
                    self.env._(
                        "%(version)s is %(state)s.",
                        version=version.display_name,
                        state=version.state,
                    )
                )
        self.write({"state": state, **values})
        # The unique index on the state is checked statement by statement.
        self.flush_recordset()

    def _publish(self):
        """Make this version the one that databases are made from; keep the one before.

        After a rollback the version that was taken back is the one before, so that it can return.
        """
        self.ensure_one()
        if self.state == "published":
            return
        others = self.template_id.version_ids - self
        if self.state != "previous":
            others.filtered(lambda each: each.state == "previous")._set_state("retired")
        others.filtered(lambda each: each.state == "published")._set_state("previous")
        self._set_state("published")
        self.template_id._published(self)
