from odoo import api, fields, models
from odoo.tools import SQL

FIGURES = SQL("""
    SELECT
        (SELECT count(*) FROM ir_cron WHERE failure_count > 0),
        (SELECT count(*) FROM mail_mail WHERE state = 'exception'),
        (SELECT max(log.create_date) FROM res_users_log log
         JOIN res_users person ON person.id = log.create_uid
         WHERE NOT person.share AND person.id != 1)
""")


MONITOR = "fleet_saas_client.group_monitor"


class KpiProvider(models.AbstractModel):
    _inherit = "kpi.provider"

    def _register_hook(self):
        """Let who only monitors read the figures of every app, without a right to its records.

        The method on the class itself is called before those of all modules, in whatever order they
        were loaded: each of them reads its figures with the environment that it is given.
        """
        super()._register_hook()
        cls = type(self)

        @api.model
        def get_kpi_summary(self):
            provider = self.sudo() if self.env.user.has_group(MONITOR) else self
            return super(cls, provider).get_kpi_summary()

        cls.get_kpi_summary = get_kpi_summary

    @api.model
    def get_kpi_summary(self):
        result = super().get_kpi_summary()
        # Figures about the use of a database are for who hosts it; without one there is nobody.
        user = self.env.user
        may_see = user._is_internal() or user.has_group(MONITOR)
        if may_see and self.env["saas.client"]._get_standing().is_enforced:
            result.extend(self._get_saas_figures())
        return result

    @api.model
    def _get_saas_figures(self):
        """Return what a provider looks at; without any login yet there is no day of the last one."""
        for model in ("ir.cron", "mail.mail", "res.users.log"):
            self.env[model].flush_model()
        self.env.cr.execute(FIGURES)
        crons, mails, last = self.env.cr.fetchone()
        used = self.env["ir.attachment"]._get_used_bytes()
        found = [
            ("users", self.env._("Users"), self.env["saas.client"]._count_users()),
            ("storage_mb", self.env._("Storage (MB)"), used >> 20),
            ("failing_crons", self.env._("Failing Scheduled Actions"), crons),
            ("mails_in_error", self.env._("E-mails in Error"), mails),
        ]
        if last:
            days = (fields.Datetime.now() - last).days
            found.append(("days_since_login", self.env._("Days since Last Login"), max(days, 0)))
        return [
            {"id": f"saas_client.{key}", "name": name, "type": "integer", "value": value}
            for key, name, value in found
        ]
