from odoo import fields, models
from odoo.exceptions import AccessError, UserError

# What a server asks for before it drops a database: off the air, then a backup of all of it.
NEXT = {"archive": "backup", "backup": "drop"}
ARGUMENTS = {"archive": {}, "backup": {"reason": "final"}, "drop": {"without_grace": True}}


class SaasInstance(models.Model):
    """How the database of an instance is deleted: archived, backed up, dropped."""

    _inherit = "saas.instance"

    is_deleting = fields.Boolean("Being Deleted", readonly=True, copy=False)

    def _delete_database(self, typed):
        """Have the database deleted after a last backup.

        :param str typed: the instance's name, as a person typed it
        """
        self.ensure_one()
        self.check_access("write")
        if not self.env.user.has_group("fleet_saas_portal.group_saas_admin"):
            raise AccessError(self.env._("Only SaaS administrators delete databases."))
        if (typed or "").strip() != self.name:
            raise UserError(self.env._("Type %s to confirm.", self.name))
        first = "backup" if self.state == "archived" else "archive"
        request = self._ask(first, ARGUMENTS[first], "active", "suspended", "archived")
        self.sudo().is_deleting = True
        return request

    def _ask(self, kind, arguments=None, *states):
        if self.is_deleting:
            raise UserError(self.env._("%s is being deleted.", self.name))
        return super()._ask(kind, arguments, *states)

    def _request_ended(self, request):
        super()._request_ended(request)
        if not self.is_deleting or request.kind not in ARGUMENTS:
            return
        following = NEXT.get(request.kind)
        if request.state == "done" and following:
            self._ask_server(self.server_id, following, self.name, ARGUMENTS[following])
            return
        self.sudo().is_deleting = False
        if request.state != "done":
            self.activity_schedule(
                "mail.mail_activity_data_todo",
                user_id=request.user_id.id or self.user_id.id,
                summary=self.env._("%s was not deleted", self.name),
                note=request.error or "",
            )
