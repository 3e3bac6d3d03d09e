import logging
import re
import secrets
from ast import literal_eval

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import Domain

_logger = logging.getLogger(__name__)

# Every state and the states it may go to.
STATES = {
    "draft": ("scheduled", "shown"),
    "scheduled": ("draft", "shown", "ended", "withdrawn"),
    "shown": ("ended", "withdrawn"),
    "ended": (),
    "withdrawn": (),
}
# Those whose databases are told of it, now or when they are on the air again.
REACHED = ("active", "suspended")
MAX_TEXT = 500
# A document holds 64 KB, and no database shows more than 20 of them.
MAX_SHOWN = 10
# Databases show a link that they can trust to be one, and drop any other without a word.
LINK = re.compile(r"https?://[^/\\\s][^\\\s]*")
# After it was published the rest stays as it was shown.
STILL_FREE = {"text", "link", "link_text", "end"}
CONTENT = STILL_FREE | {
    *("name", "kind", "start", "post", "audience", "instance_ids", "plan_ids", "server_ids"),
    *("tag_ids", "filter_domain", "company_id"),
}
FIXED = {"state", "code"}


class SaasNotice(models.Model):
    """What is shown on top of every page of the databases that it is for, for a time."""

    _name = "saas.notice"
    _description = "Notice"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "start DESC, id DESC"

    name = fields.Char("Subject", required=True, tracking=True, help="Only operators read it.")
    text = fields.Text(required=True, translate=True, help="What people read, as plain text.")
    kind = fields.Selection(
        [("news", "News"), ("maintenance", "Maintenance"), ("warning", "Warning")],
        required=True,
        default="news",
        tracking=True,
        help="News can be put away by who has read it; the others stay.",
    )
    link = fields.Char(help="Such as https://status.example.com")
    link_text = fields.Char("Text of the Link", translate=True)
    start = fields.Datetime(required=True, default=fields.Datetime.now, tracking=True)
    end = fields.Datetime(tracking=True, help="It is shown until it is withdrawn when empty.")
    post = fields.Boolean(
        "Also Post a Message",
        help="One message in the channel of the whole company of each database. It stays there when "
        "the notice ends or is withdrawn.",
    )
    audience = fields.Selection(
        [
            ("all", "All Instances"),
            ("instances", "Chosen Instances"),
            ("plans", "By Plan"),
            ("servers", "By Server"),
            ("tags", "By Tag of the Customer"),
            ("filter", "By Filter"),
        ],
        "For",
        required=True,
        default="all",
        tracking=True,
    )
    instance_ids = fields.Many2many("saas.instance", string="Instances", check_company=True)
    plan_ids = fields.Many2many("saas.plan", string="Plans", check_company=True)
    server_ids = fields.Many2many("saas.server", string="Servers")
    tag_ids = fields.Many2many("res.partner.category", string="Tags")
    filter_domain = fields.Char("Filter", default="[]")
    company_id = fields.Many2one(
        "res.company", required=True, index=True, default=lambda self: self.env.company
    )
    state = fields.Selection(
        [
            ("draft", "Draft"),
            ("scheduled", "Scheduled"),
            ("shown", "Shown"),
            ("ended", "Ended"),
            ("withdrawn", "Withdrawn"),
        ],
        required=True,
        readonly=True,
        default="draft",
        index=True,
        tracking=True,
        copy=False,
        group_expand=True,
    )
    # Not its id: that comes again in a portal that was restored from a backup.
    code = fields.Char(
        required=True,
        readonly=True,
        copy=False,
        default=lambda self: secrets.token_hex(8),
        export_string_translation=False,
    )

    _end_after_start = models.Constraint(
        'CHECK ("end" IS NULL OR "end" > start)', "A notice ends after its start."
    )

    @api.constrains("text", "link", "link_text")
    def _check_content(self):
        for notice in self:
            if not (notice.text or "").strip() or len(notice.text) > MAX_TEXT:
                raise ValidationError(
                    self.env._("A notice has a text of at most %s characters.", MAX_TEXT)
                )
            if len(notice.link_text or "") > 80:
                raise ValidationError(self.env._("The text of a link has at most 80 characters."))
            if notice.link and (len(notice.link) > 500 or not LINK.fullmatch(notice.link)):
                raise ValidationError(
                    self.env._("“%s” is no link such as https://status.example.com", notice.link)
                )

    @api.constrains("audience", "filter_domain")
    def _check_filter(self):
        for notice in self.filtered(lambda each: each.audience == "filter"):
            try:
                # As who has typed it: a filter must not tell what its author may not read.
                Instance = self.env["saas.instance"].sudo(False)
                Instance.search(notice._read_filter(), limit=1)
            except (ValueError, SyntaxError, TypeError, KeyError) as error:
                raise ValidationError(self.env._("The filter cannot be used: %s", error)) from error

    def write(self, vals):
        if not self.env.su and FIXED & vals.keys():
            raise UserError(self.env._("Publish the notice or withdraw it."))
        fixed = (CONTENT - STILL_FREE) & vals.keys()
        if fixed and any(notice.state != "draft" for notice in self):
            raise UserError(
                self.env._("Only the text, the link and the end of a published notice change.")
            )
        if CONTENT & vals.keys() and any(each.state in ("ended", "withdrawn") for each in self):
            raise UserError(self.env._("This notice is over: duplicate it to show it again."))
        result = super().write(vals)
        if STILL_FREE & vals.keys() and (live := self.filtered(lambda x: x.state != "draft")):
            live._wake()
        return result

    @api.model_create_multi
    def create(self, vals_list):
        if not self.env.su:
            vals_list = [{k: v for k, v in vals.items() if k not in FIXED} for vals in vals_list]
        return super().create(vals_list)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_shown(self):
        if any(notice.state in ("scheduled", "shown") for notice in self):
            raise UserError(self.env._("Withdraw a notice before you delete it."))

    # --- whom it is for

    def _read_filter(self):
        """Return the filter as a domain.

        :raises ValueError: it is none; also ``SyntaxError``, ``TypeError``
        """
        return Domain(literal_eval((self.filter_domain or "[]").strip()))

    def _get_audience_domain(self):
        """Return which instances it is for; none for a filter that has become useless."""
        self.ensure_one()
        wanted = {
            "all": Domain.TRUE,
            "instances": Domain("id", "in", self.instance_ids.ids),
            "plans": Domain("plan_id", "in", self.plan_ids.ids),
            "servers": Domain("server_id", "in", self.server_ids.ids),
            "tags": Domain("partner_id.category_id", "in", self.tag_ids.ids),
        }
        domain = wanted.get(self.audience)
        if domain is None:
            domain = self._get_filter_domain()
        return domain & Domain("company_id", "=", self.company_id.id)

    def _get_filter_domain(self):
        try:
            domain = self._read_filter()
            domain.validate(self.env["saas.instance"])
        except (ValueError, SyntaxError, TypeError, KeyError) as error:
            # A field that it names may have gone since; every database must still be told the rest.
            _logger.warning("Notice %s: its filter cannot be used: %s", self.id, error)
            return Domain.FALSE
        return domain

    def _get_recipients(self):
        """Return the instances that are told of it: those on the air, and suspended ones later."""
        self.ensure_one()
        domain = self._get_audience_domain() & Domain("state", "in", REACHED)
        return self.env["saas.instance"].search(domain)

    @api.model
    def _get_shown_for(self, instance):
        """Return the notices that a database shows now, the newest first; needs sudo."""
        shown = self.search(
            [("state", "=", "shown"), ("company_id", "=", instance.company_id.id)],
            order="start DESC, id DESC",
        )
        Instance = self.env["saas.instance"].with_context(active_test=False)
        itself = Domain("id", "=", instance.id)
        return shown.filtered(
            lambda notice: Instance.search_count(notice._get_audience_domain() & itself)
        )[:MAX_SHOWN]

    def _prepare_document_notice(self):
        """Return it as the document of a database holds it, see ``fleet_saas_client``."""
        self.ensure_one()
        return {
            "id": self.code,
            "kind": self.kind,
            "text": self.text,
            "link": self.link or None,
            "link_text": self.link_text or None,
            "start": self.start.isoformat() + "Z",
            "end": self.end.isoformat() + "Z" if self.end else None,
            "post": self.post,
        }

    # --- states

    def _set_state(self, state):
        """Change the state along `STATES` and have the databases told."""
        for notice in self:
            if state not in STATES[notice.state]:
                labels = dict(self._fields["state"]._description_selection(self.env))
                raise UserError(
                    self.env._(
                        "“%(name)s” cannot go from %(old)s to %(new)s.",
                        name=notice.name,
                        old=labels[notice.state],
                        new=labels[state],
                    )
                )
            was_shown = notice.state == "shown"
            notice.sudo().state = state
            if was_shown or state == "shown":
                notice._announce()

    def _announce(self):
        """Have its databases told soon, also those that were not to be told an hour ago."""
        for notice in self.sudo():
            recipients = notice._get_recipients()
            recipients.filtered("document_tried").document_tried = False
        self.env["saas.instance"]._tell_soon()

    def _wake(self):
        """Have the scheduled action look at it at its start and its end, and now when it is shown."""
        cron = self.env.ref("fleet_saas_portal.ir_cron_notices").sudo()
        for notice in self:
            moments = [notice.start] if notice.state == "scheduled" else []
            now = fields.Datetime.now()
            at = [each for each in (*moments, notice.end) if each]
            if at:
                cron._trigger(at=[max(each, now) for each in at])
            if notice.state == "shown":
                notice._announce()

    def action_publish(self):
        """Show it from its start on."""
        self.check_access("write")
        now = fields.Datetime.now()
        for notice in self:
            if notice.end and notice.end <= now:
                raise UserError(self.env._("The end of “%s” is over already.", notice.name))
            if not notice._get_recipients():
                raise UserError(self.env._("“%s” is for no instance.", notice.name))
            notice._set_state("scheduled" if notice.start > now else "shown")
            notice._wake()

    def action_withdraw(self):
        """Take it away from every database; a message that was posted stays."""
        self.check_access("write")
        self._set_state("withdrawn")

    def action_draft(self):
        """Take back that it is to be shown, to change it."""
        self.check_access("write")
        self._set_state("draft")

    @api.model
    def _cron_advance(self):
        """Show what has begun and end what is over; one that fails holds up no other."""
        now = fields.Datetime.now()
        due = self.search(
            Domain("state", "=", "scheduled") & Domain("start", "<=", now)
            | Domain("state", "in", ("scheduled", "shown")) & Domain("end", "<=", now)
        )
        Cron = self.env["ir.cron"]
        Cron._commit_progress(remaining=len(due))
        for notice in due:
            if notice.end and notice.end <= now:
                if notice.state == "scheduled":
                    notice.message_post(body=self.env._("It was over before it could be shown."))
                notice._set_state("ended")
            else:
                notice._set_state("shown")
                notice._wake()
            if not Cron._commit_progress(1):
                return
