import re

from odoo import api, fields, models
from odoo.exceptions import ValidationError


class SaasPlan(models.Model):
    """What a customer buys: a template, a price, limits, and where it is hosted."""

    _name = "saas.plan"
    _description = "SaaS Plan"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "sequence, price, id"

    name = fields.Char(required=True, translate=True, tracking=True)
    code = fields.Char(required=True, copy=False, help="Part of the address of the sign-up page.")
    sequence = fields.Integer(default=10, export_string_translation=False)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    currency_id = fields.Many2one(related="company_id.currency_id")
    description = fields.Html(translate=True, help="What customers read when they choose.")
    template_id = fields.Many2one(
        "saas.template", required=True, index=True, ondelete="restrict", tracking=True
    )
    other_template_ids = fields.Many2many(
        "saas.template", string="Other Templates", help="That the customer may choose instead."
    )
    server_ids = fields.Many2many(
        "saas.server", string="Server Pool", help="Every server that takes new ones when empty."
    )
    mode = fields.Selection(
        [("shared", "Shared Server"), ("dedicated", "Server of Their Own")],
        "Hosting",
        required=True,
        default="shared",
    )
    is_public = fields.Boolean("On the Sign-up Page", default=True)

    price = fields.Monetary(tracking=True)
    period = fields.Selection(
        [("month", "Month"), ("year", "Year")], required=True, default="month", tracking=True
    )
    trial_days = fields.Integer("Trial (Days)", default=15)
    grace_days = fields.Integer(
        "Grace (Days)", default=7, help="Between the end of what is paid and the suspension."
    )
    keep_days = fields.Integer(
        "Kept (Days)", default=30, help="Between the suspension and the archive."
    )

    max_users = fields.Integer("Users", default=5, help="0 for no limit.")
    max_storage_mb = fields.Integer("Storage (MB)", default=2048, help="0 for no limit.")
    max_databases = fields.Integer("Databases a Customer", default=1, help="0 for no limit.")
    soft_percent = fields.Integer(
        "Warn From (%)", default=80, help="Part of a limit from which users are told."
    )
    allowed_apps = fields.Text(
        "Apps Allowed",
        help="Technical names of the apps that the customer may install; every app when empty.",
    )
    backup_policy = fields.Char(help="Name of a backup policy of the servers; theirs when empty.")
    asks_approval = fields.Boolean(
        "Operators Ask First",
        help="An operator enters a database of this plan only after its customer has agreed.",
    )
    instance_ids = fields.One2many("saas.instance", "plan_id", "Instances")
    instance_count = fields.Integer(compute="_compute_instance_count")

    _code_uniq = models.Constraint("UNIQUE(code)", "Another plan has this code.")
    _numbers = models.Constraint(
        "CHECK (price >= 0 AND trial_days >= 0 AND grace_days >= 0 AND keep_days >= 0 "
        "AND max_users >= 0 AND max_storage_mb >= 0 AND max_databases >= 0)",
        "Prices, days and limits cannot be negative.",
    )
    _percent = models.Constraint(
        "CHECK (soft_percent BETWEEN 1 AND 100)", "Warn from 1 to 100 % of a limit."
    )

    @api.depends("instance_ids.state")
    def _compute_instance_count(self):
        counts = dict(
            self.env["saas.instance"]._read_group(
                [("plan_id", "in", self.ids), ("state", "not in", ("draft", "failed", "deleted"))],
                ["plan_id"],
                ["__count"],
            )
        )
        for plan in self:
            plan.instance_count = counts.get(plan._origin, 0)

    @api.constrains("code")
    def _check_code(self):
        for plan in self:
            if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,40}", plan.code or ""):
                raise ValidationError(
                    self.env._("The code “%s” must be small letters, digits and dashes.", plan.code)
                )

    def _get_apps(self):
        """Return the technical names of the apps allowed, None when all are."""
        self.ensure_one()
        names = re.findall(r"[a-z0-9_]+", (self.allowed_apps or "").lower())
        return sorted(set(names)) or None

    def _get_soft(self, most):
        """Return from where on users are told of a limit, None without one."""
        return max(1, most * self.soft_percent // 100) if most else None
