from cryptography.fernet import Fernet
from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from .. import settings
from ..hosting import names
from ..hosting.owner_work import LINK_KEY
from .saas_errors import words

LIVING = ("active", "suspended", "archived")


class SaasDatabase(models.Model):
    """How a hosted database is suspended, renamed, archived, dropped, adopted and let go."""

    _inherit = "saas.database"

    suspend_reason = fields.Char("Told to Visitors", readonly=True, copy=False)
    archived_at = fields.Datetime("Archived On", readonly=True, copy=False)
    droppable_at = fields.Datetime("May Be Dropped From", compute="_compute_droppable_at")
    new_name = fields.Char("Becomes", readonly=True, copy=False)
    name_held_until = fields.Datetime("Name Reserved Until", readonly=True, copy=False)
    final_backup_until = fields.Datetime(
        "Backups Kept Until", compute="_compute_final_backup_until", help="Empty: for ever."
    )

    # A name that a renaming waits for is as reserved as one that is in use.
    _new_name_uniq = models.UniqueIndex("(new_name) WHERE new_name IS NOT NULL")

    @api.depends("state", "name_held_until")
    def _compute_final_backup_until(self):
        for_ever = not self._get_life_setting("final_backup_days")
        for database in self:
            kept = database.state == "dropped" and not for_ever
            database.final_backup_until = kept and database.name_held_until

    @api.depends("archived_at")
    def _compute_droppable_at(self):
        days = self._get_life_setting("grace_days")
        for database in self:
            since = database.archived_at
            database.droppable_at = since and since + relativedelta(days=days)

    @api.model
    def _get_life_setting(self, name):
        """Return a setting of ``res.config.settings`` in days or hours."""
        return self.env["res.config.settings"]._get_hosting_number(name)

    @api.model
    def _is_name_held(self, name):
        if super()._is_name_held(name):
            return True
        kept = Domain("name", "=", name) & Domain("name_held_until", ">", fields.Datetime.now())
        held = self.with_context(active_test=False)
        return bool(held.search_count(kept | Domain("new_name", "=", name), limit=1))

    @api.model
    def _get_for(self, target, *states, unprotected=False):
        """Return the database of a name when an operation may begin on it; raise in words."""
        database = self._get_by_name(target)
        if database.state not in states:
            labels = dict(self._fields["state"]._description_selection(self.env))
            raise UserError(
                self.env._(
                    "%(name)s is in the state “%(state)s”; this needs: %(states)s.",
                    name=target,
                    state=labels[database.state],
                    states=", ".join(labels[state] for state in states),
                )
            )
        if unprotected and database.is_protected:
            raise UserError(words(self.env, "protected", {"name": target}))
        return database

    def _prepare_request(self, **more):
        """Return the values of an operation on this database."""
        self.ensure_one()
        request = {"uuid": self.uuid, **more}
        return {"request": request, "res_model": self._name, "res_id": self.id}

    # --- suspend, resume, archive, undelete

    @api.model
    def _prepare_suspend(self, target, arguments):
        database = self._get_for(target, "active", unprotected=True)
        return database._prepare_request(reason=arguments["reason"])

    @api.model
    def _apply_suspend(self, operation):
        self._apply_hidden(operation, "suspended")

    @api.model
    def _prepare_archive(self, target, arguments):
        database = self._get_for(target, "active", "suspended", unprotected=True)
        return database._prepare_request(reason=arguments["reason"])

    @api.model
    def _apply_archive(self, operation):
        self._apply_hidden(operation, "archived")

    @api.model
    def _apply_hidden(self, operation, state):
        database = self.browse(operation.res_id)
        if operation.state == "done" and database.state not in (state, "dropped"):
            database._set_state(
                state,
                physical=operation.result["hide"]["physical"],
                suspend_reason=operation.request["reason"] or False,
                archived_at=operation.ended if state == "archived" else False,
            )

    @api.model
    def _prepare_resume(self, target, _arguments):
        return self._get_for(target, "suspended")._prepare_request()

    @api.model
    def _apply_resume(self, operation):
        database = self.browse(operation.res_id)
        if operation.state == "done" and database.state in ("suspended", "archived"):
            database._set_state(
                "active",
                physical=operation.result["show"]["physical"],
                suspend_reason=False,
                archived_at=False,
            )

    @api.model
    def _prepare_undelete(self, target, _arguments):
        return self._get_for(target, "archived")._prepare_request()

    @api.model
    def _apply_undelete(self, operation):
        self._apply_resume(operation)

    # --- rename

    @api.model
    def _prepare_rename(self, target, arguments):
        database = self._get_for(target, "active")
        new_name = arguments["new_name"]
        if database.new_name:
            raise UserError(self.env._("%s is being renamed already.", target))
        database._hold_new_name(new_name)
        return database._prepare_request(new_name=new_name) | {"sources": [new_name]}

    def _hold_new_name(self, new_name):
        if self._is_name_held(new_name):
            raise UserError(words(self.env, "name_taken", {"name": new_name}))
        self.new_name = new_name

    @api.model
    def _apply_rename(self, operation):
        database = self.browse(operation.res_id)
        new_name = operation.request["new_name"]
        if operation.state == "done" and database.name == operation.target:
            database.write({"name": new_name, "physical": new_name})
        if database.new_name == new_name:
            database.new_name = False

    # --- drop

    def _get_final_backup(self):
        """Return the facts of the verified backup that holds all of this archived database.

        A hidden database is called as none ever was: what was taken under its name of now was taken
        while nobody could write to it, and it was not open again since. No clock is asked.
        """
        self.ensure_one()
        if not names.is_hidden(self.physical or ""):
            return None
        domain = Domain("database_id", "=", self.id) & Domain("state", "=", "verified")
        domain &= Domain("physical", "=", self.physical) & Domain("repository_ids", "!=", False)
        backup = self.env["saas.backup"].search(domain, order="taken_at DESC", limit=1)
        if not backup:
            return None
        backup.reason = "final"
        return {
            "verified": True,
            "backup": backup.backup,
            "taken_at": fields.Datetime.to_string(backup.taken_at),
        }

    @api.model
    def _prepare_drop(self, target, arguments):
        database = self._get_for(target, "archived", unprotected=True)
        if not arguments["without_grace"] and database.droppable_at > fields.Datetime.now():
            moment = fields.Datetime.context_timestamp(self, database.droppable_at)
            raise UserError(
                self.env._(
                    "%(name)s may be dropped from %(time)s on.",
                    name=target,
                    time=moment.strftime("%Y-%m-%d %H:%M"),
                )
            )
        backup = database._get_final_backup()
        if not backup:
            raise UserError(words(self.env, "no_final_backup", {"name": target}))
        return database._prepare_request(final_backup=backup, archived=database.physical)

    @api.model
    def _apply_drop(self, operation):
        database = self.browse(operation.res_id)
        # The database may be gone although removing its files failed.
        gone = operation.step_ids.filtered(lambda step: step.name == "drop").state == "done"
        if gone and database.state != "dropped":
            days = self._get_life_setting("final_backup_days")
            database._set_state(
                "dropped",
                physical=False,
                active=False,
                name_held_until=bool(days) and fields.Datetime.now() + relativedelta(days=days),
            )
            database.snapshot_ids.unlink()

    # --- adopt, release

    @api.model
    def _prepare_adopt(self, target, arguments):
        database = self._reserve(target, purpose="customer", source=self.env._("Adopted"))
        return database._prepare_request(**arguments)

    @api.model
    def _apply_adopt(self, operation):
        database = self.browse(operation.res_id)
        if database.state not in ("creating", "failed"):
            return
        if operation.state != "done":
            database._set_state("failed")
            return
        found, hidden = operation.result["check"], operation.request.get("hidden")
        database._take_identity(found["identity"])
        database._set_state(
            "active", physical=hidden or operation.target, is_neutralized=found["neutralized"]
        )
        if hidden:
            database._set_state("suspended")

    def _take_identity(self, identity):
        """Give the record the identity that its database came with, whoever failed to make it."""
        self.ensure_one()
        domain = [("uuid", "=", identity), ("state", "=", "failed"), ("id", "!=", self.id)]
        for failed in self.sudo().with_context(active_test=False).search(domain):
            failed.uuid = f"{identity}/failed/{failed.id}"
        self.flush_model(["uuid"])
        self.sudo().uuid = identity

    @api.model
    def _prepare_release(self, target, _arguments):
        database = self._get_for(target, "active", unprotected=True)
        if database.snapshot_ids:
            facts = {"name": target, "count": len(database.snapshot_ids)}
            raise UserError(words(self.env, "has_snapshots", facts))
        return database._prepare_request()

    @api.model
    def _apply_release(self, operation):
        database = self.browse(operation.res_id)
        if operation.state == "done" and database.state != "released":
            # Its identity goes with it: it may be adopted again.
            released = f"{database.uuid}/released/{database.id}"
            database._set_state("released", physical=False, active=False, uuid=released)

    # --- inside the database

    @api.model
    def _prepare_modules(self, target, arguments):
        uninstall = arguments["action"] == "uninstall"
        database = self._get_for(target, "active", unprotected=uninstall)
        return database._prepare_request(**arguments)

    @api.model
    def _apply_modules(self, operation):
        kept = operation.result["forget"].get("kept")
        if operation.state == "done" and kept:
            reason = self.env._("Before: %s", operation.name)
            self.browse(operation.res_id)._keep_snapshot(
                kept,
                reason=reason,
                size=operation.result["forget"]["size"],
                keep_hours=operation.request["keep_hours"],
                taken_at=operation.started or fields.Datetime.now(),
            )

    @api.model
    def _prepare_parameters(self, target, arguments):
        return self._get_for(target, *LIVING)._prepare_request(**arguments)

    @api.model
    def _prepare_administrator(self, target, arguments):
        database = self._get_for(target, *LIVING)
        if not any(arguments.values()):
            raise UserError(self.env._("Give a login, a password, or ask for a link."))
        if arguments["link"] and arguments["password_hash"]:
            raise UserError(self.env._("Either a password or a link, not both."))
        if arguments["link_key"] and not arguments["link"]:
            raise UserError(self.env._("A key encrypts a link: ask for a link, too."))
        hashed = arguments["password_hash"]
        # Whoever gives a key reads the link elsewhere; this server needs one only to show it here.
        key = arguments["link_key"] or Fernet.generate_key().decode()
        return database._prepare_request(
            login=arguments["login"],
            link=arguments["link"],
            password=settings.encrypt(hashed) if hashed else "",
            link_key=settings.encrypt(key) if arguments["link"] else "",
        )

    @api.model
    def _get_operation_secrets(self, operation):
        found = super()._get_operation_secrets(operation)
        if operation.kind == "administrator":
            stored = operation.request
            if stored["password"]:
                found["password_hash"] = settings.decrypt(stored["password"])
            if stored["link_key"]:
                found[LINK_KEY] = settings.decrypt(stored["link_key"])
        return found

    @api.model
    def _retry_operation(self, operation):
        database = self.browse(operation.res_id)
        if operation.kind in RETRIED_ON and operation.target != database.name:
            # Its name may be another database's now.
            raise UserError(words(self.env, "no_database", {"name": operation.target}))
        if operation.kind == "adopt" and database.state == "failed":
            if self._is_name_held(database.name):
                raise UserError(words(self.env, "name_taken", {"name": database.name}))
            database._set_state("creating")
        elif operation.kind == "rename":
            database._hold_new_name(operation.request["new_name"])
        elif operation.kind in RETRIED_ON and database.state != "dropped":
            self._get_for(operation.target, *RETRIED_ON[operation.kind])
        return super()._retry_operation(operation)


# In which state a database must be when an operation on it is tried again.
RETRIED_ON = {
    "suspend": ("active",),
    "resume": ("suspended",),
    "archive": ("active", "suspended"),
    "undelete": ("archived",),
    "drop": ("archived",),
    "release": ("active",),
    "modules": ("active",),
    "restore": ("active",),
    "revert": ("active",),
    "parameters": LIVING,
    "administrator": LIVING,
    "snapshot": LIVING,
}
