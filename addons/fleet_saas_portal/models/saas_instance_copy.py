from odoo import fields, models
from odoo.exceptions import UserError

COPYING = ("duplicate", "restore_as")


class SaasInstance(models.Model):
    """Copies of an instance: as it is now, or as it was at a backup."""

    _inherit = "saas.instance"

    parent_id = fields.Many2one(copy=False)

    def _copy_database(self, name, *, backup=None, keep_logins=False, purpose="staging"):
        """Have a copy made on the same server and return its instance.

        :param saas.instance.point backup: as the database was then; as it is now without it
        """
        self.ensure_one()
        self.check_access("write")
        if not backup and self.state != "active":
            raise UserError(self.env._("%s is not active; copy one of its backups.", self.name))
        if backup:
            self._check_point(backup, "backup")
        self._check_name_free(self.server_id, name)
        child = self.sudo().create(self._prepare_child(name, purpose))
        child._set_state("creating")
        arguments = {"source": self.name, "purpose": purpose, "keep_logins": keep_logins}
        if backup:
            arguments |= {"backup": backup.code, "identity": self.uuid}
        kind = "restore_as" if backup else "duplicate"
        child._ask_server(child.server_id, kind, name, arguments)
        return child

    def _prepare_child(self, name, purpose):
        """Return the values of a copy: without a plan, as nobody pays for it."""
        return {
            "name": name,
            "parent_id": self.id,
            "server_id": self.server_id.id,
            "template_id": self.template_id.id,
            "partner_id": self.partner_id.id,
            "company_id": self.company_id.id,
            "user_id": self.env.uid,
            "purpose": purpose,
            "max_users": self.max_users,
            "max_storage_mb": self.max_storage_mb,
            "admin_login": self.admin_login,
            "admin_name": self.admin_name,
        }

    def _check_can_create(self):
        super()._check_can_create()
        if self.parent_id:
            raise UserError(self.env._("%s was to be a copy: make another copy.", self.name))

    def _apply_duplicate(self, request):
        self._apply_create(request)

    def _apply_restore_as(self, request):
        self._apply_create(request)

    def _request_ended(self, request):
        super()._request_ended(request)
        if request.kind in COPYING and request.state != "done" and self.state == "creating":
            self._set_state("failed")
