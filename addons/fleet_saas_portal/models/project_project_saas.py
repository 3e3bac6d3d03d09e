from odoo import api, fields, models
from odoo.fields import Domain

# States of an instance in which its database answers.
ANSWERING = ("active", "moving")


class ProjectProject(models.Model):
    """The database records of instances: asked as long as the database is on the air."""

    _inherit = "project.project"

    saas_instance_ids = fields.One2many(
        "saas.instance", "project_id", "Instances", groups="fleet_saas_portal.group_saas_user"
    )
    database_is_resting = fields.Boolean(
        "Not Asked Now",
        compute="_compute_database_is_resting",
        compute_sudo=True,
        store=True,
        help="The database is suspended or archived, or nobody has set up its monitoring yet.",
    )

    @api.depends("saas_instance_ids.state", "database_api_key_secret")
    def _compute_database_is_resting(self):
        for project in self:
            instances = project.with_context(active_test=False).saas_instance_ids
            project.database_is_resting = bool(instances) and (
                not project.database_api_key_secret
                or not any(instance.state in ANSWERING for instance in instances)
            )

    @api.model
    def _get_synchronized_domain(self):
        # One that rests would answer with an error, day by day, for something that is in order.
        return super()._get_synchronized_domain() & Domain("database_is_resting", "=", False)
