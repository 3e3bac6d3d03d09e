import json
import logging
from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import NO_ACCESS, Domain

from .ir_cron import RIVALS

_logger = logging.getLogger(__name__)

# Those on a server whose document counts, and what the document calls them.
# A suspended one is off the air already. Told that it is suspended, it would go on saying so when its
# server opens it again and looks at its first page.
TOLD = ("active",)
STATES = {"suspended": "suspended", "archived": "suspended"}
# What changes a document; the rest of what it says is compared every few minutes.
TELLING = {
    "plan_id",
    "max_users",
    "max_storage_mb",
    "state",
    "purpose",
    "lang",
    "partner_id",
    "server_id",
}
# Without a word of change, a database that could not be told is told again after this.
RETRY = timedelta(hours=1)
RETRY_UNREAD = timedelta(days=1)
BATCH = 100


class SaasInstance(models.Model):
    """What a database is told of its plan, by a document that its server signs."""

    _inherit = "saas.instance"
    _quiet_kinds = ("document",)

    document_told = fields.Json(readonly=True, copy=False, groups=NO_ACCESS)
    document_date = fields.Datetime("Told Its Plan On", readonly=True, copy=False)
    document_unread = fields.Boolean(
        "Cannot Be Told",
        readonly=True,
        copy=False,
        help="The database has no app Hosted Database: limits and logins do not work there.",
    )
    document_problem = fields.Char("Why It Was Not Told", readonly=True, copy=False)
    document_tried = fields.Datetime(readonly=True, copy=False, groups=NO_ACCESS)

    def write(self, vals):
        result = super().write(vals)
        if "server_id" in vals:
            # Another server signs with another key.
            self.sudo().filtered("document_told").document_told = False
        telling = TELLING & vals.keys()
        if telling and (told := self.filtered(lambda each: each.state in TOLD)):
            told.sudo().filtered("document_tried").document_tried = False
            self._tell_soon()
        return result

    # --- what it says

    def _prepare_document(self):
        """Return the content of the server's operation ``document`` for this database.

        Plain JSON values; the same record gives the same content, in whatever language it is asked.
        """
        self.ensure_one()
        instance = self.sudo().with_context(lang=self._get_document_lang())
        state, ends = instance._get_document_state()
        content = {
            "plan": instance.plan_id.name or "",
            "state": state,
            "ends": ends.isoformat() if ends else None,
            "limits": instance._prepare_document_limits(),
            "portal": instance._prepare_document_portal(),
            "notices": instance._get_notices(),
        }
        if instance.plan_id.backup_policy:
            content["backup_policy"] = instance.plan_id.backup_policy
        return json.loads(json.dumps(content))

    def _get_document_lang(self):
        codes = [code for code, _name in self.env["res.lang"].sudo().get_installed()]
        wanted = (self.lang, self.sudo().partner_id.lang)
        return next((code for code in wanted if code in codes), "en_US")

    def _get_document_state(self):
        """Return what the document calls the state, and the last day of it (a date) or None.

        For subscriptions to extend.
        """
        self.ensure_one()
        active = "trial" if self.purpose == "trial" else "active"
        return STATES.get(self.state, active), None

    def _prepare_document_limits(self):
        """Return the limits: the plan's, with what was agreed upon for this instance."""
        self.ensure_one()
        plan = self.plan_id
        return {
            "apps": plan._get_apps() if plan else None,
            "users": self.max_users or None,
            "users_soft": plan._get_soft(self.max_users) if plan else None,
            "storage_mb": self.max_storage_mb or None,
            "storage_soft_mb": plan._get_soft(self.max_storage_mb) if plan else None,
        }

    def _prepare_document_portal(self):
        """Return where the customer finds this portal, and the keys of its tickets."""
        self.ensure_one()
        return {
            "url": self.get_base_url(),
            "iss": self._get_portal_uuid(),
            "keys": self.env["saas.key"]._get_accepted(),
            "upgrade": f"/my/databases/{self.uuid}" if self.uuid else "/my/databases",
            "name": self.company_id.name,
        }

    def _get_notices(self):
        """Return what is shown on top of every page of this database; for others to extend.

        :return: ``{"id", "kind", "text", "link", "link_text", "start", "end", "post"}`` of each, see
            the readme of ``fleet_saas_client``
        """
        return []

    @api.model
    def _get_portal_uuid(self):
        """Return who this portal is to databases."""
        return self.env["ir.config_parameter"].sudo().get_param("database.uuid")

    # --- telling it

    def _prepare_create(self):
        return {**super()._prepare_create(), "document": self._prepare_document()}

    @api.model
    def _get_told(self):
        """Return the instances whose database has read a document."""
        return self.search(
            Domain("state", "in", TOLD)
            & Domain("document_date", "!=", False)
            & Domain("document_unread", "=", False)
            & Domain("is_missing", "=", False)
        )

    def _get_told_keys(self):
        """Return the ids of the keys that the database accepts; needs sudo."""
        self.ensure_one()
        keys = ((self.document_told or {}).get("portal") or {}).get("keys") or []
        return {key["kid"] for key in keys}

    @api.model
    def _tell_soon(self):
        """Have databases compared with their documents as soon as this transaction commits."""
        self.env.ref("fleet_saas_portal.ir_cron_documents").sudo()._trigger()

    @api.model
    def _cron_documents(self):
        """Tell every database what has changed since it was told last."""
        instances = self.search([("state", "in", TOLD), ("server_id", "!=", False)])
        Cron = self.env["ir.cron"]
        Cron._commit_progress(remaining=len(instances))
        for start in range(0, len(instances), BATCH):
            batch = instances[start : start + BATCH]
            for instance in batch:
                instance._tell_or_log()
            if not Cron._commit_progress(len(batch)):
                return

    def _tell_or_log(self):
        """Do `_tell`; what hinders one database keeps no other from being told."""
        try:
            with self.env.cr.savepoint():
                self._tell()
        except RIVALS:
            raise
        except Exception:
            _logger.exception("%s cannot be told its limits", self.name)

    def _tell(self):
        """Ask the server to sign and write the document, if it says something new."""
        self.ensure_one()
        instance = self.sudo()
        content = instance._prepare_document()
        if not instance._is_due(content):
            return
        # What is under way already is compared again at its end.
        under_way = instance.request_ids.filtered(
            lambda request: request.is_open and request.kind == "document"
        )
        if not under_way:
            instance._ask_server(
                instance.server_id, "document", instance.name, {"content": content}
            )

    def _is_due(self, content):
        """Tell whether ``content`` has to be told now; needs sudo."""
        self.ensure_one()
        now = fields.Datetime.now()
        if self.document_tried and self.document_tried > now - RETRY:
            return False
        if self._strip(self.document_told) != self._strip(content):
            return True
        return self.document_unread and self.document_date < now - RETRY_UNREAD

    @api.model
    def _strip(self, content):
        """Return ``content`` without what alone is not worth an operation of the server.

        A database that is being created has no identity yet, so its first document leads to the
        customer's list of databases, the next one to its own page.
        """
        if not content:
            return None
        portal = {**(content.get("portal") or {}), "upgrade": ""}
        return {**content, "portal": portal}

    # --- hearing of it

    def _request_ended(self, request):
        if request.kind != "document" or request.state == "done":
            return super()._request_ended(request)
        # Nobody has asked for it, so nobody is told in the chatter every hour.
        self.write({"document_problem": request.error, "document_tried": fields.Datetime.now()})

    def _apply_create(self, request):
        super()._apply_create(request)
        self._note_told(request.arguments.get("document"))

    def _apply_document(self, request):
        self._note_told(
            request.arguments["content"], read=request._get_evidence("write", "written", True)
        )
        if self.state in TOLD:
            self._tell()

    def _note_told(self, content, *, read=True):
        if content:
            self.sudo().write(
                {
                    "document_told": content,
                    "document_date": fields.Datetime.now(),
                    "document_unread": not read,
                    "document_problem": False,
                    "document_tried": False,
                }
            )
