import uuid
from datetime import timedelta

from psycopg2.errors import UniqueViolation

from odoo import api, fields, models
from odoo.exceptions import UserError

from .. import settings
from ..hosting.errors import HostingError
from ..hosting.personalise import Personal
from .saas_database import GONE
from .saas_errors import words

MAKING = ("create", "duplicate", "restore_as", "import_archive")
# Its figures are wanted soon, but not while its first visitor waits for the first page.
MEASURED_AFTER = timedelta(seconds=40)


class SaasDatabase(models.Model):
    """How a hosted database comes to be: from a template, or from another one."""

    _inherit = "saas.database"

    @api.model
    def _get_new_uuid(self):
        return str(uuid.uuid4())

    @api.model
    def _reserve(self, name, **values):
        """Return a new record that holds ``name``; of many rivals one gets it.

        :raises UserError: the name is taken, in words
        """
        taken = words(self.env, "name_taken", {"name": name})
        if self._is_name_held(name):
            raise UserError(taken)
        values = {"name": name, "uuid": self._get_new_uuid(), "state": "creating", **values}
        try:
            with self.env.cr.savepoint():
                return self.create(values)
        except UniqueViolation as error:
            raise UserError(taken) from error

    @api.model
    def _is_name_held(self, name):
        """Tell whether a living database, or one whose backups are kept, has this name."""
        domain = [("name", "=", name), ("state", "not in", GONE)]
        return bool(self.with_context(active_test=False).search_count(domain, limit=1))

    @api.model
    def _is_name_used(self, name):
        """Tell whether a database has this name, in the records or, whoever made it, in PostgreSQL."""
        if self._is_name_held(name):
            return True
        self.env.cr.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name])
        return bool(self.env.cr.fetchone())

    @api.model
    def _check_personal(self, personal):
        """Refuse personal values that the seal's last step would refuse, before anything is made."""
        try:
            Personal.from_request(personal)
        except HostingError as error:
            raise UserError(words(self.env, error.code, error.facts)) from error

    @api.model
    def _prepare_operation(self, kind, target, arguments):
        """Give every database that goes live the mail server of the host; store no hash in clear."""
        values = super()._prepare_operation(kind, target, arguments)
        if kind.name in MAKING:
            try:
                self._complete_making(values["request"])
            except HostingError as error:
                raise UserError(words(self.env, error.code, error.facts)) from error
        return values

    @api.model
    def _complete_making(self, request):
        # Only a neutralised copy may be entered with the passwords of its source.
        request["keep_logins"] = request["purpose"] == "staging" and bool(
            request.get("keep_logins")
        )
        if request.get("activate"):
            request["mail"] = settings.mail_server()
        personal = dict(request.get("personal") or {})
        hashed = personal.pop("password_hash", "")
        request["personal"] = personal
        if hashed:
            request["password"] = settings.encrypt(hashed)

    @api.model
    def _get_operation_secrets(self, operation):
        found = super()._get_operation_secrets(operation)
        if operation.kind in MAKING:
            found["smtp_password"] = settings.get_option("fleet_smtp_password")
            found["document_key"] = self._get_document_key()
            if operation.request.get("password"):
                found["password_hash"] = settings.decrypt(operation.request["password"])
        return found

    @api.model
    def _prepare_create(self, target, arguments):
        self._check_personal(arguments["personal"])
        version = self.env["saas.database.template"]._get_published(arguments["template"])
        activate = arguments["activate"] and arguments["purpose"] != "staging"
        database = self._reserve(target, purpose=arguments["purpose"], source=version.display_name)
        request = {
            "source": version.physical,
            "uuid": database.uuid,
            "purpose": arguments["purpose"],
            "personal": arguments["personal"],
            "document": arguments["document"],
            "activate": activate,
            "from_pool": arguments["from_pool"],
        }
        return {"request": request, "res_model": self._name, "res_id": database.id}

    @api.model
    def _prepare_duplicate(self, target, arguments):
        self._check_personal(arguments["personal"])
        source = self._get_for(arguments["source"], "active", "suspended", "archived")
        database = self._reserve(target, purpose=arguments["purpose"], source=source.name)
        request = {
            "source": source.physical,
            "source_uuid": source.uuid,
            "uuid": database.uuid,
            "purpose": arguments["purpose"],
            "personal": arguments["personal"],
            "keep_logins": arguments["keep_logins"],
            "activate": arguments["purpose"] != "staging",
            "live": True,
        }
        return {
            "request": request,
            "sources": [source.name],
            "res_model": self._name,
            "res_id": database.id,
        }

    def _apply_create(self, operation):
        self._apply_made(operation)

    def _apply_duplicate(self, operation):
        self._apply_made(operation)

    @api.model
    def _apply_made(self, operation):
        """Write what came of making a database on its record."""
        database = self.browse(operation.res_id).exists()
        if not database or database.state not in ("creating", "failed"):
            return
        steps = operation.result
        # What answered, or was found in use, is there, whatever became of the rest.
        answered = operation.step_ids.filtered(lambda step: step.name == "first_request")
        in_use = any((steps.get(step) or {}).get("in_use") for step in ("publish", "route"))
        if operation.state != "done" and answered.state != "done" and not in_use:
            database._set_state("failed")
            return
        report = (steps.get("copy") or {}).get("report") or (steps.get("seal") or {}).get("report")
        neutralised = (steps.get("activate") or {}).get(
            "neutralized", not operation.request.get("activate")
        )
        database._set_state(
            "active",
            physical=operation.target,
            is_neutralized=neutralised,
            report=report or False,
            document=operation.request.get("document") or False,
        )
        measure = self.env.ref("fleet_saas_server.ir_cron_measure", raise_if_not_found=False)
        if measure:
            measure.sudo()._trigger(fields.Datetime.now() + MEASURED_AFTER)

    @api.model
    def _retry_operation(self, operation):
        """Reserve the name again for another try to make a database."""
        database = self.browse(operation.res_id)
        if operation.kind in MAKING:
            if database.state != "failed" or operation.request["uuid"] != database.uuid:
                # It was taken off the list, found in use, or adopted since.
                code = "no_database" if database.state == "dropped" else "in_use_already"
                raise UserError(words(self.env, code, {"name": database.name}))
            if self._is_name_held(database.name):
                raise UserError(words(self.env, "name_taken", {"name": database.name}))
            database._set_state("creating")
        return super()._retry_operation(operation)
