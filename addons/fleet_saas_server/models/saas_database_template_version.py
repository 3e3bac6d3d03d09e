from collections import Counter

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..hosting.journal import ACTIVE

# Every state of a version and the states it may go to.
TRANSITIONS = {
    "building": ("published", "failed", "editing"),
    "editing": ("building", "failed"),
    "published": ("previous", "retired"),
    "previous": ("published", "retired"),
    "retired": ("published", "previous"),
    "failed": ("building", "editing"),
}


class SaasDatabaseTemplateVersion(models.Model):
    """One build of a template: a closed database that nobody can connect to, only copy.

    A database is copied from a version by its physical name, so a clone that runs while the next
    version is published goes on with what it began with.
    """

    _name = "saas.database.template.version"
    _description = "Version of a Database Template"
    _order = "template_id, number DESC"
    _fleet_encrypted = {"edit_password": ()}  # see fleet_databases/rotation.py

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
    module_text = fields.Text("Installed", compute="_compute_texts")
    stale_text = fields.Text("Differs From the Addons", compute="_compute_texts")
    in_use_count = fields.Integer("In Use", compute="_compute_in_use_count")
    error = fields.Char("Reason", readonly=True)
    edit_url = fields.Char("Address of the Copy", readonly=True, copy=False)
    edit_login = fields.Char("Login", readonly=True, copy=False)
    edit_uuid = fields.Char(readonly=True, copy=False, export_string_translation=False)
    edit_password = fields.Char(
        readonly=True,
        copy=False,
        groups="fleet_saas_server.group_hosting_operator",
        export_string_translation=False,
    )

    _physical_uniq = models.UniqueIndex(
        "(physical) WHERE state <> 'failed'", "Two versions cannot have one name in PostgreSQL."
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

    @api.depends("modules", "stale_modules")
    def _compute_texts(self):
        for version in self:
            modules = sorted((version.modules or {}).items())
            version.module_text = ", ".join(f"{name} {facts[0]}" for name, facts in modules)
            stale = sorted((version.stale_modules or {}).items())
            version.stale_text = ", ".join(f"{name} ({what})" for name, what in stale)

    def _compute_in_use_count(self):
        counts = self._get_user_counts()
        for version in self:
            version.in_use_count = counts.get(version.physical, 0)

    def _get_user_counts(self):
        """Return how many unfinished operations and ready clones depend on each version, by its name."""
        counts = Counter()
        names = set(self.mapped("physical"))
        operations = self.env["saas.operation"].sudo().search([("state", "in", ACTIVE)])
        counts.update(
            request["source"] for request in operations.mapped("request") if request.get("source")
        )
        clones = self.env["saas.pool.clone"].sudo().search([("source", "in", list(names))])
        counts.update(clones.mapped("source"))
        return {name: count for name, count in counts.items() if name in names}

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

    def _built(self, operation):
        """Write what was built, and publish it."""
        self.ensure_one()
        facts = operation.result["close"]
        self.write(
            {
                "built_at": operation.ended,
                "seconds": operation.seconds,
                "size_mb": facts["size"] / 2**20,
                "files_mb": facts["file_bytes"] / 2**20,
                "modules": facts["modules"],
                "stale_modules": False,
                "error": False,
            }
        )
        self._publish()

    def _reserve_again(self, state, operation):
        """Take the place in the work of the template that a failed operation had given up."""
        self.ensure_one()
        others = self.template_id.version_ids - self
        if self.state == state or others.filtered(lambda each: each.state == state):
            raise UserError(
                self.env._("%s is already worked on; wait for that.", self.template_id.name)
            )
        self._set_state(state, error=False)
