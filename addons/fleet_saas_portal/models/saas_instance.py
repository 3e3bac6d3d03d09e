import logging
import re
from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Domain
from odoo.tools import format_list

_logger = logging.getLogger(__name__)

NAME = re.compile(r"[a-z][a-z0-9-]{1,40}[a-z0-9]")
IDENTITY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
FIGURES_AFTER = timedelta(minutes=1)
MOST_BYTES, MOST_COUNTED = 1 << 50, 1 << 31
# Every state, the states it may go to, and how long it may last before somebody has to look.
STATES = {
    "draft": (("creating", "active", "deleted"), None),
    "creating": (("active", "failed"), timedelta(hours=1)),
    "active": (("suspended", "archived", "moving", "deleted"), None),
    "suspended": (("active", "archived", "deleted"), None),
    "moving": (("active", "suspended"), timedelta(hours=12)),
    "archived": (("active", "suspended", "deleted"), None),
    "failed": (("creating", "draft", "deleted"), timedelta(days=7)),
    "deleted": ((), None),
}
GONE = ("failed", "deleted")  # their names are free for others
# What the server's inventory calls a state, and what that is here.
SERVER_STATES = {
    "active": "active",
    "suspended": "suspended",
    "archived": "archived",
    "dropped": "deleted",
    "released": "deleted",
}


class SaasInstance(models.Model):
    """A customer's database on one of the servers."""

    _name = "saas.instance"
    _description = "Instance"
    _inherit = ["mail.thread", "mail.activity.mixin", "saas.request.owner"]
    _order = "name, id"

    name = fields.Char(required=True, index=True, tracking=True, help="First part of the address.")
    active = fields.Boolean(default=True)
    partner_id = fields.Many2one(
        "res.partner", "Customer", index=True, tracking=True, ondelete="restrict"
    )
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    user_id = fields.Many2one(
        "res.users", "Responsible", default=lambda self: self.env.user, tracking=True
    )
    plan_id = fields.Many2one(
        "saas.plan", index=True, tracking=True, ondelete="restrict", check_company=True
    )
    template_id = fields.Many2one(
        "saas.template",
        compute="_compute_template_id",
        store=True,
        readonly=False,
        index=True,
        ondelete="restrict",
    )
    server_id = fields.Many2one(
        "saas.server", index=True, tracking=True, ondelete="restrict", copy=False
    )
    region_id = fields.Many2one("saas.region", help="Where it shall be hosted, if that matters.")
    purpose = fields.Selection(
        [("customer", "Customer"), ("trial", "Trial"), ("staging", "Staging Copy")],
        required=True,
        default="customer",
        tracking=True,
    )
    parent_id = fields.Many2one(
        "saas.instance", "Copy Of", readonly=True, index="btree_not_null", ondelete="set null"
    )
    child_ids = fields.One2many("saas.instance", "parent_id", "Staging Copies")

    state = fields.Selection(
        [
            ("draft", "Draft"),
            ("creating", "Being Created"),
            ("active", "Active"),
            ("suspended", "Suspended"),
            ("moving", "Being Moved"),
            ("archived", "Archived"),
            ("failed", "Not Created"),
            ("deleted", "Deleted"),
        ],
        required=True,
        readonly=True,
        default="draft",
        index=True,
        tracking=True,
        copy=False,
    )
    deadline = fields.Datetime(readonly=True, copy=False, help="Until when this may take.")
    problem = fields.Char(readonly=True, copy=False)
    uuid = fields.Char("Identity", readonly=True, copy=False, index=True)
    url = fields.Char("Address", readonly=True, copy=False)
    is_missing = fields.Boolean("Not on the Server", readonly=True, copy=False)

    admin_name = fields.Char("Administrator")
    admin_login = fields.Char("Administrator's E-mail")
    lang = fields.Char("Language")
    country_id = fields.Many2one("res.country")

    max_users = fields.Integer(
        "Users Allowed", compute="_compute_limits", store=True, readonly=False, tracking=True
    )
    max_storage_mb = fields.Integer(
        "Storage Allowed (MB)", compute="_compute_limits", store=True, readonly=False, tracking=True
    )
    user_count = fields.Integer("Users", readonly=True, copy=False)
    storage_mb = fields.Integer("Storage (MB)", readonly=True, copy=False)
    last_login = fields.Datetime(readonly=True, copy=False)
    figures_date = fields.Datetime("Figures Of", readonly=True, copy=False)
    project_id = fields.Many2one(
        "project.project", "Database", readonly=True, copy=False, index=True, ondelete="set null"
    )

    _name_uniq = models.UniqueIndex(
        "(name, server_id) WHERE state NOT IN ('failed', 'deleted') AND server_id IS NOT NULL",
        "Another instance has this name.",
    )
    _uuid_uniq = models.UniqueIndex("(uuid) WHERE uuid IS NOT NULL", "It is recorded already.")

    # --- computed

    @api.depends("plan_id")
    def _compute_template_id(self):
        for instance in self:
            instance.template_id = instance.template_id or instance.plan_id.template_id

    @api.depends("plan_id")
    def _compute_limits(self):
        for instance in self:
            instance.max_users = instance.plan_id.max_users
            instance.max_storage_mb = instance.plan_id.max_storage_mb

    @api.constrains("name")
    def _check_name(self):
        for instance in self:
            if not NAME.fullmatch(instance.name or ""):
                raise ValidationError(
                    self.env._(
                        "The name “%s” must be 3 to 42 small letters, digits and dashes, beginning "
                        "with a letter and not ending with a dash.",
                        instance.name,
                    )
                )

    def write(self, vals):
        fixed = {"name", "server_id", "uuid"} & vals.keys()
        if fixed and not self.env.su and any(each.state != "draft" for each in self):
            raise UserError(self.env._("Use Rename or Move: this changes what exists already."))
        if not vals.get("active", True) and not self.env.su:
            # Out of the lists it would be billed and hosted, and told of nothing.
            self._unlink_except_living()
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_living(self):
        for instance in self:
            if instance.state not in ("draft", *GONE):
                raise UserError(
                    self.env._("%s exists on a server: delete its database first.", instance.name)
                )

    # --- states

    def _set_state(self, state, **values):
        """Change the state along `STATES`, set its deadline, and write ``values`` with it."""
        for instance in self:
            allowed, lasts = STATES[instance.state][0], STATES[state][1]
            if state != instance.state and state not in allowed:
                labels = dict(self._fields["state"]._description_selection(self.env))
                raise UserError(
                    self.env._(
                        "%(name)s cannot go from %(old)s to %(new)s.",
                        name=instance.name,
                        old=labels[instance.state],
                        new=labels[state],
                    )
                )
            deadline = fields.Datetime.now() + lasts if lasts else False
            instance.sudo().write({"state": state, "deadline": deadline, **values})

    @api.model
    def _cron_deadlines(self):
        """Ask the responsible person to look at what takes too long."""
        late = self.search([("deadline", "<", fields.Datetime.now())])
        for instance in late:
            label = dict(self._fields["state"]._description_selection(self.env))[instance.state]
            instance.activity_schedule(
                "mail.mail_activity_data_todo",
                user_id=instance._get_responsible().id,
                summary=self.env._("%(name)s is still: %(state)s", name=instance.name, state=label),
                note=instance.request_id.trouble or instance.problem or "",
            )
            instance.deadline = False

    # --- creating

    def action_create(self):
        """Have the database created."""
        self.check_access("write")
        for instance in self:
            instance._create_database()

    def _create_database(self, password_hash=""):
        """Choose a server and ask it for the database.

        :param password_hash: of the administrator, as Odoo stores it; never kept here
        """
        self.ensure_one()
        self._check_can_create()
        server = self.server_id or self.env["saas.server"].sudo()._choose(
            self.template_id, self.plan_id.server_ids, self.region_id, self
        )
        # What the server refused may be asked again: another try, another key.
        self._set_state("creating", server_id=server.id, problem=False)
        self._ask_server(server, "create", self.name, self._prepare_create())

    def _check_can_create(self):
        if self.state not in ("draft", "failed"):
            raise UserError(self.env._("%s was created already.", self.name))
        if not self.template_id:
            raise UserError(self.env._("Choose a plan or a template for %s first.", self.name))

    def _prepare_create(self):
        """Return the arguments of the server's operation ``create``."""
        personal = {
            "company": self.partner_id.commercial_company_name or self.partner_id.name,
            "login": self.admin_login,
            "email": self.admin_login,
            "name": self.admin_name or self.partner_id.name,
            "language": self.lang,
            "country": self.country_id.code or self.partner_id.country_id.code,
        }
        return {
            "template": self.template_id.code,
            "purpose": self.purpose,
            "personal": {key: value for key, value in personal.items() if value},
        }

    # --- what can be asked of a database that exists

    def _ask(self, kind, arguments=None, *states):
        """Ask this instance's server for ``kind``; refuse outside ``states`` and while it is busy."""
        self.ensure_one()
        self.check_access("write")
        if states:
            self._check_state(*states)
        self._check_quiet()
        return self._ask_server(self.server_id, kind, self.name, arguments)

    def _check_state(self, *states):
        """Refuse what can be done in ``states`` only; say which it has and which it needs."""
        self.ensure_one()
        if self.state in states:
            return
        labels = dict(self._fields["state"]._description_selection(self.env))
        needed = [self.env._("“%s”", labels[state]) for state in states]
        raise UserError(
            self.env._(
                "%(name)s is in the state “%(state)s”; this can be done only in %(states)s.",
                name=self.name,
                state=labels[self.state],
                states=format_list(self.env, needed, "or"),
            )
        )

    def _check_quiet(self):
        """Refuse while the server is at something for it."""
        if self.request_id:
            raise UserError(
                self.env._(
                    "“%(operation)s” is still under way for %(name)s; wait for its end.",
                    operation=self.request_id.name,
                    name=self.name,
                )
            )

    def action_suspend(self):
        """Take the databases off the air; nothing is lost."""
        for instance in self:
            instance._ask("suspend", {}, "active")

    def action_resume(self):
        """Put suspended databases back on the air."""
        for instance in self:
            instance._ask("resume", {}, "suspended")

    def action_archive_database(self):
        """Take the databases off the air and out of the list, to be deleted later."""
        for instance in self:
            instance._ask("archive", {}, "active", "suspended")

    def action_undelete(self):
        """Bring archived databases back."""
        for instance in self:
            instance._ask("undelete", {}, "archived")

    def action_backup(self):
        """Back the databases up now."""
        for instance in self:
            instance._ask("backup", {}, "active", "suspended")

    # --- hearing of their end

    def _request_ended(self, request):
        """Have the method for the kind write what came of it; say in the chatter what failed."""
        if request.state == "done":
            apply = getattr(self, f"_apply_{request.kind}", None)
            if apply:
                apply(request)
            return
        self.problem = request.error
        if request.kind == "create":
            self._set_state("failed")
        self.message_post(
            body=self.env._(
                "%(operation)s: %(state)s. %(reason)s",
                operation=request.name,
                state=request._get_state_label(),
                reason=request.error or "",
            )
        )

    def _apply_create(self, request):
        self._take_identity(request)
        self._set_state("active", url=self._get_address(request), problem=False)
        self._link_database()
        # Nobody can go into a database without its identity; its figures can wait for quiet.
        later = fields.Datetime.now() + FIGURES_AFTER if self.uuid else None
        self.env.ref("fleet_saas_portal.ir_cron_servers")._trigger(later)

    def _take_identity(self, request):
        """Write who the new database is, as far as the server tells it with the operation."""
        uuid = request._get_evidence("personalise", "uuid")
        if self.uuid or not isinstance(uuid, str) or not IDENTITY.fullmatch(uuid):
            return
        if not self.with_context(active_test=False).sudo().search_count([("uuid", "=", uuid)]):
            self.uuid = uuid

    def _get_address(self, request):
        """Return the address that the server gave the database."""
        return request._get_evidence("personalise", "url") or False

    def _apply_suspend(self, _request):
        self._set_state("suspended", problem=False)

    def _apply_resume(self, _request):
        self._set_state("active", problem=False)

    def _apply_archive(self, _request):
        self._set_state("archived", problem=False)

    def _apply_undelete(self, _request):
        self._set_state("active", problem=False)

    def _apply_drop(self, _request):
        self._set_state("deleted", problem=False, active=False)

    def _link_database(self):
        """Have a database record in the fleet list."""
        self.ensure_one()
        if self.project_id or not self.url:
            return
        Project = self.env["project.project"].sudo().with_context(active_test=False)
        known = Project.search([("database_url", "=", self.url), ("database_hosting", "!=", False)])
        living = known.saas_instance_ids.filtered(lambda each: each.state not in GONE)
        if living - self:
            _logger.warning("%s: its server gives it the address of another instance", self.name)
            return
        self.sudo().project_id = known or Project.create(
            {
                "name": self.name,
                "partner_id": self.partner_id.id,
                "company_id": self.company_id.id,
                "database_hosting": "premise",
                "database_url": self.url,
                "database_name": self.name,
            }
        )

    # --- what the server says by itself

    @api.model
    def _take_inventory(self, server, inventory):
        """Compare what ``server`` hosts with the records: the server knows better.

        Left as they are those of which an operation has told more since the server was asked.
        """
        Instance = self.with_context(active_test=False)
        overtaken = server._get_overtaken()
        known = Instance.search([("server_id", "=", server.id)])
        by_uuid = {each.uuid: each for each in known if each.uuid}
        by_name = {each.name: each for each in known if each.state not in GONE}
        seen = self.browse()
        for hosted in inventory:
            instance = by_uuid.get(hosted.uuid) or by_name.get(hosted.name)
            if instance and (not instance.uuid or instance.uuid == hosted.uuid):
                if instance.id not in overtaken:
                    instance._take_hosted(hosted)
                seen |= instance
        living = known.filtered(
            lambda each: each.state in ("active", "suspended", "archived") and not each.request_id
        )
        (living - seen).filtered(lambda each: each.id not in overtaken).write({"is_missing": True})

    def _take_hosted(self, hosted):
        """Write what the server says of this database, unless something is under way there."""
        self.ensure_one()
        if self.state == "creating" and not self.uuid:
            # It may be another database of that name, for which the server refuses to make this one.
            return
        values = {"is_missing": False, "url": hosted.url or self.url}
        if not self.uuid and hosted.state != "creating":
            values["uuid"] = hosted.uuid
        figures = self._prepare_figures(hosted.figures)
        self.sudo().write(values | figures)
        state = SERVER_STATES.get(hosted.state)
        if self.request_id or not state or state == self.state:
            return
        if state in STATES[self.state][0]:
            self._set_state(state)
            if state == "active":
                self._link_database()

    @api.model
    def _prepare_figures(self, figures):
        """Return field values of the server's figures; what it does not tell stays as it was."""
        known = {
            name: value
            for name, value in figures.items()
            if isinstance(value, (int, float))
            and not isinstance(value, bool)
            # More than PostgreSQL keeps, or a database can hold, is nothing that a server has counted.
            and 0 <= value < (MOST_BYTES if name.endswith("_bytes") else MOST_COUNTED)
        }
        values = {}
        if "internal_users" in known:
            values["user_count"] = int(known["internal_users"])
        if "database_bytes" in known:
            stored = known["database_bytes"] + known.get("filestore_bytes", 0)
            values["storage_mb"] = int(stored) >> 20
        if values:
            values["figures_date"] = fields.Datetime.now()
        return values

    @api.model
    def _get_unfinished_domain(self):
        return Domain("state", "in", ("creating", "moving"))

    # --- people

    def action_open_database(self):
        """Open the database in a new tab."""
        self.ensure_one()
        if not self.url:
            raise UserError(self.env._("%s has no address yet.", self.name))
        return {"type": "ir.actions.act_url", "url": self.url, "target": "new"}
