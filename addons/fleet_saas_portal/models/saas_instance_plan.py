from odoo import api, fields, models
from odoo.exceptions import UserError


class SaasInstance(models.Model):
    """How an instance goes from one plan to another."""

    _inherit = "saas.instance"

    over_limit = fields.Selection(
        [("users", "Users"), ("storage", "Storage"), ("both", "Users and Storage")],
        "At Its Limit",
        compute="_compute_over_limit",
        store=True,
    )

    @api.depends("user_count", "max_users", "storage_mb", "max_storage_mb")
    def _compute_over_limit(self):
        for instance in self:
            users = 0 < instance.max_users <= instance.user_count
            storage = 0 < instance.max_storage_mb <= instance.storage_mb
            single = "users" if users else "storage" if storage else False
            instance.over_limit = "both" if users and storage else single

    def write(self, vals):
        if "plan_id" not in vals:
            return super().write(vals)
        before = [(instance, instance.plan_id) for instance in self]
        result = super().write(vals)
        for instance, old in before:
            if instance.plan_id != old and instance.state != "draft":
                instance._plan_changed(old)
        return result

    def _plan_changed(self, old):
        """Hear that a database that exists has another plan; its limits are the new plan's.

        :param saas.plan old: the former plan, empty when it had none
        """
        self.ensure_one()

    def _change_plan(self, plan, *, anyway=False):
        """Give the instance another plan, with its limits.

        :param bool anyway: also when more is used than the plan allows
        """
        self._check_plan(plan, anyway=anyway)
        subscription = self.subscription_id
        if subscription and subscription.state != "closed":
            # What is paid already counts: it writes the instance's plan, too.
            subscription._change_plan(plan)
        else:
            self.plan_id = plan

    def _check_plan(self, plan, *, anyway=False):
        """Refuse a plan that is no other one, or that allows less than is used."""
        self.ensure_one()
        self.check_access("write")
        if not plan or plan == self.plan_id:
            raise UserError(
                self.env._("Choose another plan for %s than the one it has.", self.name)
            )
        excess = self._get_excess(plan)
        if excess and not anyway:
            raise UserError(excess)

    def _get_excess(self, plan):
        """Return how much more is used than ``plan`` allows, in words; False when nothing is."""
        self.ensure_one()
        found = []
        if plan.max_users and self.user_count > plan.max_users:
            found.append(
                self.env._(
                    "%(name)s has %(count)s users, the plan %(plan)s allows %(limit)s.",
                    name=self.name,
                    count=self.user_count,
                    plan=plan.name,
                    limit=plan.max_users,
                )
            )
        if plan.max_storage_mb and self.storage_mb > plan.max_storage_mb:
            found.append(
                self.env._(
                    "%(name)s uses %(count)s MB, the plan %(plan)s allows %(limit)s MB.",
                    name=self.name,
                    count=self.storage_mb,
                    plan=plan.name,
                    limit=plan.max_storage_mb,
                )
            )
        return " ".join(found) or False
