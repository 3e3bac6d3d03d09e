import logging
import re

from psycopg2 import IntegrityError

from odoo import api, fields, models
from odoo.exceptions import UserError

from .. import settings
from ..remote import OdooCom, RemoteError, UrlError, normalize_url
from ..vault import Vault, VaultError

_logger = logging.getLogger(__name__)

LOGIN_PARAMETER = "fleet_databases.odoocom_login"
SECRET_PARAMETER = "fleet_databases.odoocom_key_secret"


class DatabasesOdoocom(models.AbstractModel):
    """The account on Odoo.com: its credentials, and the databases that it lists."""

    _name = "databases.odoocom"
    _description = "Databases on Odoo.com"
    _fleet_encrypted_parameters = (SECRET_PARAMETER,)  # see ../rotation.py

    # ------------------------------------------------------------------
    # Credentials
    # ------------------------------------------------------------------

    @api.model
    def _get_credentials(self):
        """Return the login and the API key of the account, ``""`` for what is not set.

        Raises :class:`~odoo.addons.fleet_databases.vault.VaultError` when the key is stored
        and cannot be read.
        """
        parameters_sudo = self.env["ir.config_parameter"].sudo()
        secret = parameters_sudo.get_param(SECRET_PARAMETER)
        key = Vault(settings.secret_keys()).decrypt(secret) if secret else ""
        return parameters_sudo.get_param(LOGIN_PARAMETER) or "", key

    @api.model
    def _set_key(self, key):
        """Store the API key of the account, encrypted."""
        secret = self.env["project.project"]._get_vault().encrypt(key) if key else False
        self.env["ir.config_parameter"].sudo().set_param(SECRET_PARAMETER, secret)

    @api.model
    def _get_connect_base(self):
        return settings.odoocom_url().rstrip("/")

    # ------------------------------------------------------------------
    # Pull
    # ------------------------------------------------------------------

    @api.model
    def _cron_pull(self):
        """Pull the account's databases every day; without credentials there is nothing to do."""
        if all(
            self.env["ir.config_parameter"].sudo().get_param(name)
            for name in (LOGIN_PARAMETER, SECRET_PARAMETER)
        ):
            self._pull()

    @api.model
    def _pull(self):
        """Ask Odoo.com for the account's databases and bring the fleet in line with the answer.

        :return: the run that tells what came of it; a fault is told there too, never raised
        """
        run = self.env["databases.run"].sudo().create({"kind": "discover", "user_id": self.env.uid})
        try:
            login, key = self._get_credentials()
            self.env["ir.cron"]._commit_progress(
                remaining=1
            )  # no transaction waits for the network
            hosted, notes = OdooCom(
                settings.odoocom_url(), login, key, settings.network_policy()
            ).databases()
        except (RemoteError, VaultError) as error:
            code = error.code if isinstance(error, RemoteError) else f"secret_{error.code}"
            params = error.params if isinstance(error, RemoteError) else {}
            note = self.env["databases.run.line"]._get_sentence(code, params)
            _logger.info("Pull from Odoo.com: %s", code)
        else:
            note = "\n".join([*notes, *self._apply_hosted(run, hosted, complete=not notes)])
        run.write({"state": "done", "date_end": fields.Datetime.now(), "note": note or False})
        self.env["ir.cron"]._commit_progress(1, remaining=0)
        return run

    @api.model
    def _apply_hosted(self, run, hosted, complete):
        """Create, update and archive databases so that they match ``hosted``.

        :param bool complete: whether every row of the answer could be read
        :return: remarks, a list of sentences
        """
        remarks, seen = [], self.env["project.project"]
        for database in hosted:
            try:
                with self.env.cr.savepoint():
                    url = normalize_url(database.url or self._get_default_host(database.name))
                    project, result = self._apply_hosted_database(database, url)
            except (ValueError, UserError, IntegrityError) as error:
                _logger.info("Pull from Odoo.com: %s: %s", database.name, error)
                reason = (
                    self.env["databases.run.line"]._get_url_sentence(error)
                    if isinstance(error, UrlError)
                    else str(error).partition("\n")[0]
                )
                remarks.append(
                    self.env._("%(name)s: %(reason)s", name=database.name, reason=reason)
                )
                complete = False
                continue
            seen |= project
            if result == "left":
                remarks.append(
                    self.env._(
                        "%(name)s: As it seems to be configured we have left it as is",
                        name=project.name,
                    )
                )
            self._add_line(run, project, result)
        if complete:
            remarks += self._archive_absent(run, seen)
        return remarks

    @api.model
    def _get_default_host(self, name):
        """Return the host of a database that is listed without one: Odoo Online names it so."""
        return (
            f"{name}.odoo.com"
            if re.fullmatch(r"[a-z0-9][a-z0-9-]*", name or "", re.IGNORECASE)
            else ""
        )

    @api.model
    def _find_project(self, database, url):
        Project = self.env["project.project"].sudo().with_context(active_test=False)
        found = Project.search(
            [("database_hosting", "!=", False), ("database_url", "=", url)], limit=1
        )
        if not found and database.uuid:
            found = Project.search(
                [("database_hosting", "=", "saas"), ("database_uuid", "=", database.uuid)], limit=1
            )
        return found

    @api.model
    def _apply_hosted_database(self, database, url):
        """Return the project of ``database`` and what was done with it."""
        project = self._find_project(database, url)
        values = self._prepare_hosted_values(database, url)
        if not project:
            return self._create_project({**values, "name": database.name or url}), "created"
        if project.database_hosting != "saas":
            return project, "left"
        if not project.database_discovered:
            values.pop("database_discovered")  # a person has added it, so no pull archives it
        if project.database_unlisted:
            values.update(active=True, database_unlisted=False)
        if project.database_api_login:
            values.pop("database_api_login")
        changed = {
            name: value
            for name, value in values.items()
            if (project[name] or False) != (value or False)
        }
        if changed:
            project.write(changed)
        return project, "updated" if changed else "unchanged"

    @api.model
    def _prepare_hosted_values(self, database, url):
        login = self.env["ir.config_parameter"].sudo().get_param(LOGIN_PARAMETER)
        values = {
            "database_hosting": "saas",
            "database_url": url,
            "database_discovered_url": url,
            "database_discovered": True,
            "database_api_login": login or False,
        }
        told = {
            "database_name": database.name,
            "database_version": database.version,
            "database_uuid": database.uuid,
        }
        return values | {name: value for name, value in told.items() if value}

    @api.model
    def _create_project(self, values):
        template_sudo = self.env["project.project"]._get_database_template()
        if template_sudo and template_sudo.active:
            return template_sudo.with_context(mail_create_nolog=True).action_create_from_template(
                values
            )
        return self.env["project.project"].sudo().create(values)

    @api.model
    def _add_line(self, run, project, result):
        self.env["databases.run.line"].sudo().create(
            {
                "run_id": run.id,
                "project_id": project.id,
                "state": "done",
                "result": result,
                "date_done": fields.Datetime.now(),
            }
        )

    @api.model
    def _archive_absent(self, run, seen):
        """Archive what an earlier pull has created and Odoo.com no longer lists.

        A short answer is more often a fault over there than the end of a fleet: when more than
        half would go, nothing does.
        """
        discovered = self.env["project.project"].sudo().search([("database_discovered", "=", True)])
        absent = discovered - seen
        if not absent:
            return []
        if 2 * len(absent) > len(discovered):
            return [
                self.env._(
                    "Odoo.com lists %(absent)s of %(all)s databases no longer. That looks like a fault, "
                    "so none was archived.",
                    absent=len(absent),
                    all=len(discovered),
                )
            ]
        absent.action_archive()
        absent.database_unlisted = True
        for project in absent:
            project._message_log(
                body=self.env._("Archived: Odoo.com no longer lists this database.")
            )
            self._add_line(run, project, "archived")
        return []

    @api.model
    def _pull_now(self):
        """Pull while the user waits; return the action that shows the result."""
        login, secret = (
            self.env["ir.config_parameter"].sudo().get_param(n)
            for n in (LOGIN_PARAMETER, SECRET_PARAMETER)
        )
        if not login or not secret:
            raise UserError(
                self.env._("Fill in the API User and the API Key of Odoo.com in Settings first.")
            )
        with self.env["databases.run"]._own_transaction() as Run:
            run_id = Run.env["databases.odoocom"]._pull().id
        return {
            "type": "ir.actions.act_window",
            "res_model": "databases.run",
            "res_id": run_id,
            "views": [(False, "form")],
        }
