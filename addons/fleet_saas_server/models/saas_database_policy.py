from odoo import models


class SaasDatabase(models.Model):
    """The backup policy that a portal's plan names, which comes with the database's document."""

    _inherit = "saas.database"

    def write(self, vals):
        if "document" not in vals:
            return super().write(vals)
        before = {database.id: database.sudo().document for database in self}
        result = super().write(vals)
        for database in self:
            database._take_policy(vals["document"], before[database.id])
        return result

    def _take_policy(self, content, before):
        """Back the database up as ``content`` names it.

        A plan that names none leaves what an operator has chosen here, but not what a plan had
        named ``before``. A policy that this server does not have changes nothing, and is told.
        """
        self.ensure_one()
        wanted = (content or {}).get("backup_policy")
        former = (before or {}).get("backup_policy")
        if not wanted:
            if former:
                self.backup_policy_id = False
            return
        policy = self.env["saas.backup.policy"]._find_named(wanted)
        if policy:
            self.backup_policy_id = policy
        elif wanted != former:
            self._tell_no_policy(wanted)

    def _tell_no_policy(self, wanted):
        self.message_post(
            body=self.env._(
                "The plan of this database names the backup policy “%(wanted)s”, which this server "
                "does not have. It is backed up by “%(kept)s”.",
                wanted=wanted,
                kept=self._get_backup_policy().name,
            )
        )
