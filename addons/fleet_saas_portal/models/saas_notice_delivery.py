from odoo import api, fields, models

DELIVERIES = [
    ("waiting", "Waits to Be Told"),
    ("told", "Told"),
    ("failed", "Not Told"),
    ("unread", "Cannot Be Told"),
    ("off", "Off the Air"),
]


class SaasNotice(models.Model):
    """Who gets a notice, and who has it: read from what each database was told last."""

    _inherit = "saas.notice"

    recipient_ids = fields.Many2many(
        "saas.instance", string="Recipients", compute="_compute_recipient_ids"
    )
    recipient_count = fields.Integer("Databases", compute="_compute_recipient_ids")
    told_count = fields.Integer("Told", compute="_compute_recipient_ids")
    failed_count = fields.Integer("Not Told", compute="_compute_recipient_ids")

    @api.depends(
        *("state", "audience", "instance_ids", "plan_ids", "server_ids", "tag_ids"),
        *("filter_domain", "company_id"),
    )
    def _compute_recipient_ids(self):
        for notice in self:
            recipients = notice._get_recipients()
            found = recipients._get_deliveries(notice) if notice.state != "draft" else {}
            states = list(found.values())
            notice.recipient_ids = recipients
            notice.recipient_count = len(recipients)
            notice.told_count = states.count("told")
            notice.failed_count = states.count("failed") + states.count("unread")

    def web_read(self, specification):
        """Tell the recipients which notice is read: before its first load the form does not know."""
        if len(self) == 1 and "recipient_ids" in specification:
            lines = dict(specification["recipient_ids"] or {})
            lines["context"] = {**lines.get("context", {}), "saas_notice_id": self.id}
            specification = {**specification, "recipient_ids": lines}
        return super().web_read(specification)

    def action_open_recipients(self):
        """Show the databases that it is for, and which of them have it."""
        self.ensure_one()
        view = self.env.ref("fleet_saas_portal.saas_notice_recipient_view_list")
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Recipients of “%s”", self.name),
            "res_model": "saas.instance",
            "views": [(view.id, "list"), (False, "form")],
            "domain": [("id", "in", self.recipient_ids.ids)],
            "context": {"saas_notice_id": self.id, "create": False},
        }

    def action_tell_again(self):
        """Try those that were not told once more, now."""
        self.check_access("write")
        self._announce()


class SaasInstance(models.Model):
    _inherit = "saas.instance"

    notice_delivery = fields.Selection(
        DELIVERIES, "Notice", compute="_compute_notice_delivery", help="Whether it has this notice."
    )

    @api.depends("document_date", "document_problem", "document_unread", "state")
    @api.depends_context("saas_notice_id")
    def _compute_notice_delivery(self):
        notice = self.env["saas.notice"].browse(self.env.context.get("saas_notice_id")).exists()
        found = self._get_deliveries(notice) if notice and notice.state != "draft" else {}
        for instance in self:
            instance.notice_delivery = found.get(instance.id, False)

    def _get_deliveries(self, notice):
        """Return by id of the instance whether it was told what ``notice`` is now."""
        langs = {instance.id: instance._get_document_lang() for instance in self.sudo()}
        wanted = dict.fromkeys(langs.values())
        if notice.state == "shown":
            for lang in wanted:
                translated = notice.sudo().with_context(lang=lang)
                wanted[lang] = translated._prepare_document_notice()
        return {
            instance.id: instance._get_delivery(notice.code, wanted[langs[instance.id]])
            for instance in self.sudo()
        }

    def _get_delivery(self, code, wanted):
        """Tell one of `DELIVERIES`; needs sudo.

        :param wanted: what it shall show, None for nothing
        """
        self.ensure_one()
        notices = (self.document_told or {}).get("notices") or []
        told = next((each for each in notices if each["id"] == code), None)
        if told == wanted:
            return "unread" if self.document_unread else "told"
        if self.state != "active":
            return "off"
        return "failed" if self.document_problem else "waiting"

    def _get_notices(self):
        """Return what is shown on top of every page: the notices that are for this database."""
        notices = self.env["saas.notice"].sudo()._get_shown_for(self)
        return super()._get_notices() + [each._prepare_document_notice() for each in notices]
