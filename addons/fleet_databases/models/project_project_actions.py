from datetime import timedelta
from urllib.parse import quote

from markupsafe import Markup, escape

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Command, Domain

from .databases_run import FOREGROUND_LIMIT
from .project_project import KEY_WARNINGS, SYNCHRONISED_HOSTINGS


class ProjectProject(models.Model):
    """What people, and the scheduler, do with a database; its fields are in ``project_project``."""

    _inherit = "project.project"

    # ------------------------------------------------------------------
    # Above and instead of the list
    # ------------------------------------------------------------------

    @api.model
    def get_empty_list_help(self, help_message):
        """Tell those who cannot add databases what they would see here."""
        if self.env.context.get("default_database_hosting") and not self.env.user.has_group(
            "fleet_databases.group_databases_manager"
        ):
            title = self.env._("No databases yet")
            text = self.env._(
                "Here you find the databases in which your login has an account. "
                "Ask a Databases Administrator to invite you."
            )
            return Markup('<p class="o_view_nocontent_empty_folder">%s</p><p>%s</p>') % (
                title,
                text,
            )
        return super().get_empty_list_help(help_message)

    @api.model
    @api.readonly
    def retrieve_database_dashboard(self):
        """Return the counts of the tiles above the fleet list: of what the user may see, no more."""
        domain = Domain("database_hosting", "!=", False)
        rows = self._read_group(
            domain,
            ["database_state"],
            ["__count", "database_nb_drafts:sum", "database_nb_documents:sum"],
        )
        counts = dict.fromkeys(
            dict(self._fields["database_state"]._description_selection(self.env)), 0
        )
        counts.update({state: count for state, count, _drafts, _documents in rows if state})
        return {
            **counts,
            "all": sum(count for _state, count, _drafts, _documents in rows),
            "drafts": sum(drafts or 0 for _state, _count, drafts, _documents in rows),
            "documents": sum(documents or 0 for _state, _count, _drafts, documents in rows),
            "late": self.search_count(domain & Domain("database_return_status", "=", "late")),
            "changed": self.search_count(domain & Domain("database_changes", "!=", False)),
        }

    # ------------------------------------------------------------------
    # Actions
    # ------------------------------------------------------------------

    def action_synchronize(self):
        """Synchronise the selected databases, or all that the user sees when none is selected."""
        databases = self or self.search(self._get_synchronized_domain())
        databases.check_access("read")
        databases = databases.filtered(
            lambda project: project.database_hosting in SYNCHRONISED_HOSTINGS
        )
        if not databases:
            raise UserError(
                self.env._(
                    "There is nothing to synchronize: none of these is an Odoo database with a URL."
                )
            )
        if len(databases) > FOREGROUND_LIMIT:
            return databases._synchronize_later()._action_follow()
        return databases._synchronize_now()._action_result()

    def _synchronize_now(self):
        """Synchronise these databases while the caller waits; return the finished run."""
        return self.env["databases.run"]._start(
            "sync", [{"project_id": project.id} for project in self]
        )

    def _synchronize_later(self):
        """Leave these databases to the background; return the run that follows them."""
        return self.env["databases.run"]._start(
            "sync", [{"project_id": project.id} for project in self], background=True
        )

    def action_connect(self):
        """Open the database in a new tab, the way its hosting asks for."""
        self.ensure_one()
        self.check_access("read")
        if not self.database_url:
            raise UserError(self.env._("%(name)s has no Database URL to open.", name=self.name))
        return {"type": "ir.actions.act_url", "url": self._get_connect_url(), "target": "new"}

    def _get_connect_url(self):
        if self.database_hosting == "other":
            return self.database_url
        if self.database_hosting == "saas" and self.database_uuid:
            uuid = quote(self.database_uuid, safe="")
            return (
                f"{self.env['databases.odoocom']._get_connect_base()}/my/databases/connect/{uuid}"
            )
        return f"{self.database_url}/{'odoo' if self._has_odoo_route() else 'web'}"

    def _has_odoo_route(self):
        """Tell whether the web client lives at ``/odoo``: since 17.2, ``/web`` before."""
        digits = (self.database_version or "").replace("saas~", "").replace("saas-", "")
        major, _dot, minor = digits.partition(".")
        minor = minor.partition("+")[0].partition("-")[0]
        if not major.isdigit():
            # Not known yet: /web works in every version, newer ones redirect it.
            return False
        return (int(major), int(minor) if minor.isdigit() else 0) >= (17, 2)

    def action_open_database(self):
        """Open the form of the database."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": self._name,
            "res_id": self.id,
            "views": [(self.env.ref("fleet_databases.project_project_view_form").id, "form")],
        }

    def action_open_kpi_history(self):
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "fleet_databases.databases_kpi_value_action"
        )
        return {**action, "domain": [("project_id", "in", self.ids)]}

    def action_invite_users(self):
        """Open the wizard that creates accounts for local users on these databases."""
        return self._open_users_wizard("databases.invite.wizard", self.env._("Invite Users"))

    def action_remove_users(self):
        """Open the wizard that deactivates accounts on these databases."""
        return self._open_users_wizard("databases.remove.wizard", self.env._("Remove Users"))

    def _open_users_wizard(self, model, title):
        databases = self.filtered(lambda project: project.database_hosting in SYNCHRONISED_HOSTINGS)
        if not databases:
            raise UserError(self.env._("Select at least one Odoo database: users live there."))
        return {
            "type": "ir.actions.act_window",
            "name": title,
            "res_model": model,
            "views": [(False, "form")],
            "target": "new",
            "context": {"default_project_ids": [Command.set(databases.ids)]},
        }

    # ------------------------------------------------------------------
    # Scheduled actions
    # ------------------------------------------------------------------

    @api.model
    def _cron_synchronize_all(self):
        """Ask every database that is due, bounded in time; what is left goes on at once."""
        self._warn_expiring_keys()
        Run = self.env["databases.run"]
        if not Run._get_unfinished("sync"):
            # Those that failed last come last: a hanging database holds up no living one.
            due = self.search(
                self._get_due_domain(fields.Datetime.now()),
                order="database_nb_synchro_errors NULLS FIRST, database_last_attempt NULLS FIRST, id",
            )
            if due:
                Run._create_run(
                    "sync", [{"project_id": project.id} for project in due], background=True
                )
        Run._work()

    @api.model
    def _warn_expiring_keys(self):
        """Schedule an activity 14, 7 and 1 days before an API key ends, each of them once."""
        today = fields.Date.today()
        expiring = self.search(
            [
                ("database_hosting", "in", SYNCHRONISED_HOSTINGS),
                ("database_api_key_expiry", "<=", today + timedelta(days=KEY_WARNINGS[0])),
            ]
        )
        for project in expiring:
            days = (project.database_api_key_expiry - today).days
            level = min(level for level in KEY_WARNINGS if days <= level)
            if project.database_key_warning and project.database_key_warning <= level:
                continue
            project.database_key_warning = level
            project._schedule_database_activity(
                self.env._("Renew the API key of %(name)s", name=project.name),
                self.env._(
                    "It ends on %(date)s. Without it, nothing is synchronized.",
                    date=project.database_api_key_expiry,
                ),
                project.database_api_key_expiry if days > 0 else today,
            )

    def _schedule_database_activity(self, summary, note, deadline, user=None, **values):
        """Schedule a to-do for the responsible person, or for ``user`` when there is none.

        Nobody is given an activity on a database that they may not see: an administrator
        gets it then.
        """
        self.ensure_one()
        candidates = self.user_id | (user or self.env["res.users"]) | self._get_database_managers()
        for candidate in candidates:
            project = self.with_user(candidate).with_context(
                allowed_company_ids=candidate.company_ids.ids
            )
            if candidate.active and project.has_access("read"):
                return self.activity_schedule(
                    "mail.mail_activity_data_todo",
                    date_deadline=deadline,
                    summary=summary,
                    note=escape(note),  # names of KPIs are the words of another server
                    user_id=candidate.id,
                    **values,
                )
        return self.env["mail.activity"]

    @api.model
    def _get_database_managers(self):
        return (
            self.env.ref("fleet_databases.group_databases_manager").sudo().all_user_ids.sorted("id")
        )
