from datetime import timedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from .. import settings
from ..hosting.errors import HostingError
from .saas_errors import words

OPERATOR = "fleet_saas_server.group_hosting_operator"


class SaasDatabaseTemplate(models.Model):
    """The buttons of a template, and what is done with templates by the clock."""

    _inherit = "saas.database.template"

    def action_build(self):
        """Build a new version from the definition and publish it; ask for the backup to build from."""
        self.ensure_one()
        if self.origin != "archive":
            return self._ask("template_build")
        self._check_operator()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "fleet_saas_server.saas_template_wizard_action"
        )
        return action | {"context": {"default_template_id": self.id}}

    def action_check_out(self):
        """Open an editable copy of the published version."""
        return self._ask("template_checkout")

    def action_publish(self):
        """Make the checked-out copy the next version."""
        return self._ask("template_publish")

    def action_discard(self):
        """Throw the checked-out copy away."""
        return self._ask("template_discard")

    def action_roll_back(self):
        """Publish the version before again."""
        return self._ask("template_rollback")

    def action_compare(self):
        """Compare the published version with the addons on disk now."""
        return self._ask("template_refresh")

    def action_drop_versions(self):
        """Drop every version; the definition is archived."""
        return self._ask("template_drop")

    def action_open_operation(self):
        """Show the operation that works on the template, or the one that failed."""
        self.ensure_one()
        operation = self.operation_id or self.failed_operation_id
        return operation._get_form_action() if operation else False

    def action_open_copy(self):
        """Open the checked-out copy in another window."""
        self.ensure_one()
        version = self.editing_version_id
        if not version.edit_url:
            raise UserError(self.env._("%s is not checked out yet.", self.name))
        return {"type": "ir.actions.act_url", "url": version.edit_url, "target": "new"}

    def action_show_password(self):
        """Show the administrator's login and password of the checked-out copy."""
        self.ensure_one()
        self._check_operator()
        version_sudo = self.editing_version_id.sudo()
        if not version_sudo.edit_url:
            raise UserError(self.env._("%s is not checked out yet.", self.name))
        try:
            password = settings.decrypt(version_sudo.edit_password)
        except HostingError as error:
            raise UserError(words(self.env, error.code, error.facts)) from error
        return self.env["saas.login.wizard"]._get_show_action(
            self.env._("Login of the Copy"),
            address=version_sudo.edit_url,
            login=version_sudo.edit_login,
            password=password,
        )

    def _ask(self, kind, arguments=None):
        """Ask for an operation on this template, whose form stays open and shows how far it is."""
        self.ensure_one()
        self._check_operator()
        self.env["saas.operation"].sudo()._submit(kind, self.code, arguments)
        return {"type": "ir.actions.act_window_close"}

    def _check_operator(self):
        if not self.env.user.has_group(OPERATOR):
            raise UserError(self.env._("Only hosting operators may do this."))

    # --- by the clock

    @api.model
    def _cron_look_after(self):
        """Compare every template with the addons on disk once a day, build again what is due, and
        drop the versions that nobody needs any more."""
        now = fields.Datetime.now()
        for template in self.search([]):
            if template.published_version_id and not template.operation_id:
                template._refresh_if_due(now)
        self._drop_retired()

    def _refresh_if_due(self, now):
        self.ensure_one()
        daily = self._get_last_slot(now)
        if self.compared_at and self.compared_at >= daily:
            return
        rebuild = self._is_rebuild_due(now)
        self.env["saas.operation"]._submit_by_clock(
            "template_refresh",
            self.code,
            {"rebuild": rebuild},
            key=f"template_refresh:{self.id}:{daily:%Y%m%d%H}:{int(rebuild)}",
        )

    def _is_rebuild_due(self, now):
        """Tell whether the published version is older than the last hour of its rhythm."""
        self.ensure_one()
        # A backup is not kept once a version was built from it.
        if self.rebuild == "never" or self.origin == "archive":
            return False
        slot = self._get_last_slot(now, weekly=self.rebuild == "weekly")
        built = self.published_version_id.built_at
        return not built or built < slot

    def _get_last_slot(self, now, *, weekly=False):
        """Return the last moment of the rhythm that is not after ``now``, in UTC."""
        self.ensure_one()
        slot = now.replace(hour=self.rebuild_hour, minute=0, second=0, microsecond=0)
        if slot > now:
            slot -= timedelta(days=1)
        while weekly and slot.weekday() != int(self.rebuild_weekday):
            slot -= timedelta(days=1)
        return slot

    @api.model
    def _drop_retired(self):
        """Ask for the versions to be dropped that are retired and used by nobody."""
        versions = self.env["saas.database.template.version"].search([("state", "=", "retired")])
        for version in versions:
            if not version.in_use_count and not version.template_id.operation_id:
                self.env["saas.operation"]._submit_by_clock(
                    "template_drop", version.template_id.code, {"version": version.number}
                )

    @api.autovacuum
    def _gc_failed_versions(self):
        """Forget builds that failed long ago; nothing of them is left but the record."""
        limit = fields.Datetime.now() - timedelta(days=30)
        domain = Domain("state", "=", "failed") & Domain("create_date", "<", limit)
        self.env["saas.database.template.version"].search(domain).unlink()


class SaasDatabaseTemplateVersion(models.Model):
    _inherit = "saas.database.template.version"

    def action_drop(self):
        """Drop this version."""
        self.ensure_one()
        return self.template_id._ask("template_drop", {"version": self.number})
