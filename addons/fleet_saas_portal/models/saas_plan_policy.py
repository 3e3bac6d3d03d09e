from odoo import api, fields, models


class SaasPlan(models.Model):
    """Whether the servers of a plan know its backup policy."""

    _inherit = "saas.plan"

    policy_problem = fields.Char(compute="_compute_policy_problem")

    @api.depends("backup_policy", "server_ids", "template_id")
    @api.depends_context("lang")
    def _compute_policy_problem(self):
        for plan in self:
            unable = plan._get_servers_without_policy()
            plan.policy_problem = bool(unable) and self.env._(
                "These servers have no backup policy “%(policy)s”, so they take their own: "
                "%(servers)s.",
                policy=plan.backup_policy,
                servers=", ".join(unable.mapped("name")),
            )

    def _get_servers_without_policy(self):
        self.ensure_one()
        servers = (self.server_ids or self.template_id.line_ids.server_id).sudo()
        if not self.backup_policy:
            return servers.browse()
        # A server that never told them is an older one.
        return servers.filtered(
            lambda server: server.policies and self.backup_policy not in server.policies
        )
