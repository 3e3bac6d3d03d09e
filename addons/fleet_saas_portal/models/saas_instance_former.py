from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError

KEEP_DAYS = 14  # unless the parameter says otherwise
PARAMETER = "fleet_saas_portal.former_copy_days"
NEXT = {"backup": "drop"}
ARGUMENTS = {"archive": {}, "backup": {"reason": "final"}, "drop": {"without_grace": True}}


class SaasInstanceFormer(models.Model):
    """What a move leaves on the former server: closed, archived, and dropped after some days."""

    _name = "saas.instance.former"
    _description = "Former Copy of a Moved Database"
    _inherit = ["saas.request.owner"]
    _order = "id DESC"

    instance_id = fields.Many2one(
        "saas.instance", required=True, readonly=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="instance_id.company_id", store=True, index=True)
    server_id = fields.Many2one(
        "saas.server",
        "Former Server",
        required=True,
        readonly=True,
        index=True,
        ondelete="restrict",
    )
    name = fields.Char(required=True, readonly=True, help="What it was called there.")
    uuid = fields.Char("Identity", readonly=True)
    moved_on = fields.Datetime(readonly=True, default=fields.Datetime.now)
    keep_until = fields.Datetime("Kept Until", readonly=True)
    state = fields.Selection(
        [
            ("closing", "Being Archived"),
            ("kept", "Kept"),
            ("dropping", "Being Deleted"),
            ("dropped", "Deleted"),
        ],
        required=True,
        readonly=True,
        default="closing",
        index=True,
    )
    problem = fields.Char(readonly=True)

    @api.model
    def _keep(self, instance, server):
        """Record what ``instance`` left on ``server`` and have it archived there."""
        keep_until = fields.Datetime.now() + relativedelta(days=self._get_keep_days())
        former = self.create(
            {
                "instance_id": instance.id,
                "server_id": server.id,
                "name": instance.name,
                "uuid": instance.uuid,
                "keep_until": keep_until,
            }
        )
        former._ask_server(server, "archive", former.name, ARGUMENTS["archive"])
        return former

    @api.model
    def _get_keep_days(self):
        """Return for how many days a former copy is kept."""
        stored = (self.env["ir.config_parameter"].sudo().get_param(PARAMETER) or "").strip()
        return int(stored) if stored.isdecimal() and len(stored) < 5 else KEEP_DAYS

    @api.model
    def _cron_drop(self):
        """Have those deleted whose days are over, and those archived that could not be."""
        for former in self.search([("state", "=", "closing")]):
            if not former.request_id:
                former._ask_server(former.server_id, "archive", former.name, ARGUMENTS["archive"])
        due = self.search([("state", "=", "kept"), ("keep_until", "<", fields.Datetime.now())])
        for former in due.filtered(lambda each: each._is_replaced() and not each.request_id):
            former._drop()

    def _is_replaced(self):
        """Tell whether its instance answers elsewhere: this may be all that there is."""
        instance = self.instance_id
        if instance.state == "deleted":
            return True
        living = instance.state in ("active", "suspended", "archived")
        return living and instance.server_id != self.server_id and not instance.is_missing

    def _drop(self):
        self.write({"state": "dropping", "problem": False})
        self._ask_server(self.server_id, "backup", self.name, ARGUMENTS["backup"])

    def action_drop(self):
        """Have them deleted now, after a last backup."""
        self.check_access("read")
        if not self.env.user.has_group("fleet_saas_portal.group_saas_admin"):
            raise AccessError(self.env._("Only SaaS administrators delete databases."))
        for former in self.sudo():
            if former.state != "kept" or former.request_id:
                raise UserError(self.env._("%s is not kept there, or is busy.", former.name))
            if not former._is_replaced():
                raise UserError(
                    self.env._("%s answers nowhere else: this is all there is.", former.name)
                )
            former._drop()

    def _get_shown_record(self):
        return self.instance_id

    def _request_ended(self, request):
        if request.state != "done":
            state = "closing" if request.kind == "archive" else "kept"
            self.write({"state": state, "problem": request.error})
            return
        if following := NEXT.get(request.kind):
            self._ask_server(self.server_id, following, self.name, ARGUMENTS[following])
        else:
            state = "kept" if request.kind == "archive" else "dropped"
            self.write({"state": state, "problem": False})


class SaasInstance(models.Model):
    _inherit = "saas.instance"

    former_ids = fields.One2many(
        "saas.instance.former", "instance_id", "Former Copies", readonly=True
    )
