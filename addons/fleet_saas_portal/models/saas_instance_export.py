from datetime import timedelta

from psycopg2.errors import UniqueViolation

from odoo import fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from .saas_export import EXPORT_HOURS, EXPORTS_A_DAY
from .saas_instance_ask import ASKED, LIVING, OURS

ASKED["export"] = LIVING
OURS |= {"export_ids"}


class SaasInstance(models.Model):
    """How archives of an instance are asked for."""

    _inherit = "saas.instance"

    export_ids = fields.One2many("saas.export", "instance_id", "Archives", readonly=True)

    def action_export(self):
        """Have an archive of the database as it is made."""
        self.ensure_one()
        self._ask_export()

    def _ask_export(self, backup=""):
        """Have an archive made; return its record.

        Who may is asked by the caller: ``_ask`` asks for the right to write.

        :param str backup: the number of one of ``_get_backups``; "" for the database as it is
        :raises UserError: one is being made, or there were enough today
        """
        self.ensure_one()
        point = self._find_backup(backup) if backup else None
        plan = self.sudo().plan_id
        export = self._reserve_export(point)
        arguments = {"keep_hours": plan.export_hours if plan else EXPORT_HOURS}
        if point:
            arguments["backup"] = point.code
        export.request_id = self._begin("export", arguments)
        return export.sudo(self.env.su)

    def _reserve_export(self, point):
        """Return a new record as sudo; of two who ask at once one gets it."""
        self._check_exports()
        Export = self.env["saas.export"].sudo()
        values = {
            "instance_id": self.id,
            "backup": point.code if point else False,
            "taken_at": point.taken_at if point else fields.Datetime.now(),
            "user_id": self.env.uid,
        }
        try:
            with self.env.cr.savepoint():
                return Export.create(values)
        except UniqueViolation as error:
            raise UserError(self._get_export_busy()) from error

    def _check_exports(self):
        """Refuse a second one at a time, and more than the plan's number a day."""
        if not self._server_knows("export"):
            raise UserError(self.env._("The server of %s makes no archives yet.", self.name))
        exports = self.env["saas.export"].sudo()
        mine = Domain("instance_id", "=", self.id)
        if exports.search_count(mine & Domain("state", "=", "asked"), limit=1):
            raise UserError(self._get_export_busy())
        plan = self.sudo().plan_id
        most = plan.exports_a_day if plan else EXPORTS_A_DAY
        since = fields.Datetime.now() - timedelta(days=1)
        today = mine & Domain("state", "!=", "failed") & Domain("create_date", ">", since)
        # Customers and operators have a share each: what the ones had is taken from no other.
        today &= Domain("user_id.share", "=", self.env.user.share)
        if exports.search_count(today) >= most:
            raise UserError(
                self.env._(
                    "The limit of archives of a database is reached: %(number)s a day. "
                    "Try again tomorrow.",
                    number=most,
                )
            )

    def _get_export_busy(self):
        return self.env._("An archive of %s is being made already.", self.name)

    def _get_operation_words(self):
        if self.request_id.kind == "export":
            return self.env._("An archive to download is being made.")
        return super()._get_operation_words()

    def _open_connect_wizard(self):
        """Open the wizard in which an operator says why."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Say Why First"),
            "res_model": "saas.connect.wizard",
            "view_mode": "form",
            "target": "new",
            "context": {"default_instance_id": self.id},
        }

    def _request_ended(self, request):
        if request.kind != "export":
            return super()._request_ended(request)
        export = self.env["saas.export"].sudo().search([("request_id", "=", request.id)])
        for each in export:
            each._take_end(request)
        return None

    def _apply_drop(self, request):
        super()._apply_drop(request)
        self.sudo().export_ids.filtered(lambda x: x.state == "ready").state = "gone"


class SaasInstancePoint(models.Model):
    _inherit = "saas.instance.point"

    def action_export(self):
        """Have an archive of this backup made."""
        self.ensure_one()
        instance = self.instance_id
        instance._check_point(self, "backup")
        instance._ask_export(self.code)
