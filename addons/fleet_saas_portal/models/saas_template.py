import re

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError

# What limits, notices and logins of the portal work by, inside of every database.
CLIENT = "fleet_saas_client"
CODE = re.compile(r"[a-z][a-z0-9-]{1,40}[a-z0-9]")
# What a server says of its template, and what that is here.
SERVER_STATUS = {"working": "building", "editing": "ready", "stale": "ready", "ready": "ready"}


class SaasTemplate(models.Model):
    """What a new database looks like; it is built on one server or on many."""

    _name = "saas.template"
    _description = "SaaS Template"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "sequence, name, id"

    name = fields.Char(required=True, translate=True, tracking=True)
    code = fields.Char(
        required=True,
        index=True,
        copy=False,
        help="What servers call it: small letters and digits.",
    )
    sequence = fields.Integer(default=10, export_string_translation=False)
    active = fields.Boolean(default=True)
    image = fields.Image(max_width=512, max_height=512)
    description = fields.Text(translate=True, help="What customers read when they choose.")
    modules = fields.Text(default="base_setup", tracking=True, help="Technical names.")
    lang = fields.Char("Language", default="en_US", required=True)
    country_id = fields.Many2one("res.country")
    demo = fields.Boolean("Demo Data")
    line_ids = fields.One2many("saas.template.server", "template_id", "On Servers")
    ready_count = fields.Integer("Ready On", compute="_compute_ready_count")
    plan_ids = fields.One2many("saas.plan", "template_id", "Plans")

    _code_uniq = models.Constraint("UNIQUE(code)", "Another template has this code.")

    @api.depends("line_ids.state")
    def _compute_ready_count(self):
        for template in self:
            template.ready_count = len(template.line_ids.filtered(lambda x: x.state == "ready"))

    @api.constrains("code")
    def _check_code(self):
        for template in self:
            if not CODE.fullmatch(template.code or ""):
                raise ValidationError(
                    self.env._(
                        "The code “%s” must be 3 to 42 small letters, digits and dashes, beginning "
                        "with a letter.",
                        template.code,
                    )
                )

    def _get_modules(self):
        """Return the technical names of the modules, each once."""
        self.ensure_one()
        return list(dict.fromkeys(re.findall(r"[a-z0-9_]+", (self.modules or "").lower())))

    def action_build(self):
        """Build the template on every server that it is meant for."""
        self.check_access("write")
        for template in self:
            if not template.line_ids:
                raise UserError(self.env._("Add a server to %s first.", template.name))
            template.line_ids._build()

    @api.model
    def _take_server_templates(self, server, rows):
        """Write what a server said of its templates; ones that are only there are left alone."""
        said = {row.get("code"): row for row in rows}
        for line in self.env["saas.template.server"].search([("server_id", "=", server.id)]):
            row = said.get(line.template_id.code)
            if row is None:
                line.state = "building" if line.request_id else "missing"
                continue
            status = row.get("status")
            line.write(
                {
                    "state": SERVER_STATUS.get(status, "missing"),
                    "is_stale": status == "stale",
                    "version": str(row.get("version") or "")[:60] or False,
                }
            )


class SaasTemplateServer(models.Model):
    """A template on one server."""

    _name = "saas.template.server"
    _description = "Template on a Server"
    _inherit = ["saas.request.owner"]
    _rec_name = "template_id"
    _order = "template_id, server_id"

    template_id = fields.Many2one("saas.template", required=True, index=True, ondelete="cascade")
    server_id = fields.Many2one("saas.server", required=True, index=True, ondelete="cascade")
    state = fields.Selection(
        [
            ("missing", "Not Built"),
            ("building", "Being Built"),
            ("ready", "Ready"),
            ("failed", "Failed"),
        ],
        required=True,
        readonly=True,
        default="missing",
        index=True,
    )
    is_stale = fields.Boolean("Stale", readonly=True)
    version = fields.Char(readonly=True)
    error = fields.Char("Reason", readonly=True)

    _uniq = models.Constraint("UNIQUE(template_id, server_id)", "The template is there already.")

    def action_build(self):
        """Build it there, or build a new version."""
        self.check_access("write")
        self._build()

    def _build(self):
        for line in self:
            template = line.template_id
            arguments = {
                "modules": list(dict.fromkeys([*template._get_modules(), CLIENT])),
                "lang": template.lang,
                "demo": template.demo,
            }
            if template.country_id:
                arguments["country"] = template.country_id.code
            line.sudo().write({"state": "building", "error": False})
            line._ask_server(line.server_id, "template_build", template.code, arguments)

    def _get_shown_record(self):
        return self.template_id

    def _request_ended(self, request):
        if request.kind != "template_build":
            return
        if request.state == "done":
            self.write({"state": "ready", "is_stale": False, "error": False})
        else:
            self.write({"state": "failed", "error": request.error})
