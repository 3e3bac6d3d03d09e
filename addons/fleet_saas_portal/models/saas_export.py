from odoo import api, fields, models
from odoo.exceptions import UserError

EXPORTS_A_DAY, EXPORT_HOURS = 3, 24  # of a plan, and of a database without one


class SaasPlan(models.Model):
    """How many archives of a database are made, and how long they are kept."""

    _inherit = "saas.plan"

    exports_a_day = fields.Integer(
        "Downloads a Day", default=EXPORTS_A_DAY, help="Archives of a database; 0 for none."
    )
    export_hours = fields.Integer(
        "Downloads Kept (Hours)", default=EXPORT_HOURS, help="From 1 to 168."
    )

    _export_hours_check = models.Constraint(
        "CHECK(export_hours BETWEEN 1 AND 168 AND exports_a_day >= 0)",
        "Downloads are kept for 1 to 168 hours.",
    )


class SaasExport(models.Model):
    """A zip of a database on its server, to be downloaded until its time is over."""

    _name = "saas.export"
    _description = "Archive to Download"
    _order = "id DESC"
    _rec_name = "file"

    instance_id = fields.Many2one(
        "saas.instance", required=True, readonly=True, index=True, ondelete="cascade"
    )
    company_id = fields.Many2one(related="instance_id.company_id", store=True, index=True)
    request_id = fields.Many2one(
        "saas.request",
        "Operation",
        readonly=True,
        index="btree_not_null",
        ondelete="set null",
        groups="fleet_saas_portal.group_saas_user",
    )
    backup = fields.Char(readonly=True, help="Empty: the database as it is.")
    taken_at = fields.Datetime("State Of", required=True, readonly=True)
    user_id = fields.Many2one("res.users", "Asked By", readonly=True, ondelete="set null")
    state = fields.Selection(
        [("asked", "Being Made"), ("ready", "Ready"), ("failed", "Failed"), ("gone", "Removed")],
        required=True,
        readonly=True,
        default="asked",
        index=True,
    )
    is_available = fields.Boolean("To Be Downloaded", compute="_compute_is_available")
    file = fields.Char(readonly=True)
    size = fields.Float("Size (Bytes)", digits=(20, 0), readonly=True)
    until = fields.Datetime("Kept Until", readonly=True)
    error = fields.Char("Reason", readonly=True)
    download_ids = fields.One2many("saas.export.download", "export_id", "Downloads", readonly=True)

    _one_idx = models.UniqueIndex(
        "(instance_id) WHERE state = 'asked'", "An archive of this database is being made already."
    )

    @api.depends("state", "until")
    def _compute_is_available(self):
        now = fields.Datetime.now()
        for export in self:
            export.is_available = (
                export.state == "ready" and bool(export.until) and export.until > now
            )

    def _get_state_words(self):
        """Return the state for people who do not operate databases."""
        self.ensure_one()
        if self.state == "ready" and not self.is_available:
            return self.env._("It is removed.")
        words = {
            "asked": self.env._("It is being made."),
            "ready": self.env._("It is ready."),
            "failed": self.env._("It could not be made; try again later."),
            "gone": self.env._("It is removed."),
        }
        return words[self.state]

    def _get_url(self):
        """Return the path from which it is downloaded; who may is asked there."""
        self.ensure_one()
        page = self.instance_id.sudo()._get_customer_url()
        return bool(page) and f"{page}/export/{self.id}"

    # --- downloading

    def _may_download(self, user):
        """Tell whether ``user`` may have it: the customer's managers, and operators with access.

        It holds all that the database holds: an operator has it by the reason, and where the plan
        asks for it the customer's approval, by which operators go into the database.
        """
        self.ensure_one()
        instance = self.instance_id
        if not instance._is_staff(user):
            return instance._has_role(user, "manager")
        visible = self.with_user(user).sudo(False)
        if not user.has_group("fleet_saas_portal.group_saas_manager"):
            return False
        return visible.has_access("read") and bool(
            self.env["saas.access.request"].with_user(user)._get_usable(instance)
        )

    def action_download(self):
        """Download it; who has not said why yet does so first."""
        self.ensure_one()
        self.check_access("read")
        self.instance_id._check_operator()
        if not self.is_available:
            raise UserError(self.env._("It is not kept any longer. Make another one."))
        if not self.sudo()._may_download(self.env.user):
            return self.instance_id._open_connect_wizard()
        return {"type": "ir.actions.act_url", "url": self._get_url(), "target": "download"}

    def _log_download(self, user, address, offset):
        """Note who downloads it; needs sudo."""
        self.ensure_one()
        return self.env["saas.export.download"].create(
            {
                "export_id": self.id,
                "name": self.instance_id.name,
                "company_id": self.company_id.id,
                "user_id": user.id,
                "user_name": user.name,
                "is_operator": self.instance_id._is_staff(user),
                "address": address,
                "offset": offset,
            }
        )

    def _prepare_download(self):
        """Return access to the server that has it, and the operation's key there; needs sudo.

        :raises VaultError: the server's key cannot be read
        """
        self.ensure_one()
        return self.request_id.server_id._prepare_access(), self.request_id.key

    # --- what came of it

    def _take_end(self, request):
        """Write what the server says of its operation."""
        self.ensure_one()
        if request.state != "done":
            self.write({"state": "failed", "error": request.error or request._get_state_label()})
            return
        self.write(
            {
                "state": "ready",
                "file": request._get_evidence("write", "file"),
                "size": request._get_evidence("write", "bytes", 0),
                "until": request._get_evidence("write", "until"),
            }
        )
        self._tell_ready()

    def _tell_ready(self):
        """Write to who has asked for it: where it is, never the file itself."""
        user = self.user_id
        instance = self.instance_id
        if not user.active or not user.email:
            return
        if instance._is_staff(user):
            instance.message_notify(
                partner_ids=user.partner_id.ids,
                subject=self.env._("The archive of %s is ready", instance.name),
                body=self.env._("Download it from the form, under Downloads."),
            )
            return
        template = self.env.ref(
            "fleet_saas_portal.mail_template_export_ready", raise_if_not_found=False
        )
        if template:
            template.sudo().with_context(lang=user.lang).send_mail(
                instance.id,
                email_values={
                    "recipient_ids": [fields.Command.set(user.partner_id.ids)],
                    "email_to": False,
                },
                email_layout_xmlid="mail.mail_notification_light",
            )

    @api.autovacuum
    def _gc_exports(self):
        """Note which are over; what counts at the door is the clock."""
        now = fields.Datetime.now()
        self.search([("state", "=", "ready"), ("until", "<", now)]).state = "gone"


class SaasExportDownload(models.Model):
    """Somebody who has downloaded an archive, or the rest of one."""

    _name = "saas.export.download"
    _description = "Download of an Archive"
    _order = "id DESC"
    _rec_name = "name"

    # The line outlives the instance: then its name is what is left.
    export_id = fields.Many2one(
        "saas.export", readonly=True, index="btree_not_null", ondelete="set null"
    )
    name = fields.Char("Database", required=True, readonly=True)
    company_id = fields.Many2one("res.company", required=True, readonly=True, index=True)
    create_date = fields.Datetime("When", readonly=True)
    user_id = fields.Many2one("res.users", "Who", readonly=True, ondelete="set null")
    user_name = fields.Char("Name", required=True, readonly=True)
    is_operator = fields.Boolean("Operator", readonly=True)
    address = fields.Char("From Address", readonly=True)
    offset = fields.Float("From Byte", digits=(20, 0), readonly=True)
