import secrets
import uuid

from psycopg2.errors import UniqueViolation

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from .. import settings
from ..hosting import handover, manifest
from ..hosting.errors import HostingError
from ..hosting.move_work import REPOSITORY
from .saas_database import GONE
from .saas_errors import words

HANDOVER_KEY = "fleet_saas_server.handover_key"
MOVING = ("hand_over", "take_over", "take_back")
OPENING = ("publish", "route")  # steps of a take-over; while both are done it is open


class SaasDatabase(models.Model):
    """How a hosted database goes to another server, and comes from one."""

    _inherit = "saas.database"
    _fleet_encrypted = {"handover_secret": ()}  # see fleet_databases/rotation.py
    _fleet_encrypted_parameters = (HANDOVER_KEY,)

    handed_over = fields.Datetime(
        "Handed Over On",
        readonly=True,
        copy=False,
        help="Another server was given this database. It stays closed here until it is taken back, "
        "so that it is never open twice.",
    )
    handover_place_id = fields.Many2one(
        "saas.backup.place", "Handed Over By", readonly=True, copy=False, ondelete="restrict"
    )
    handover_folder = fields.Char(readonly=True, copy=False, export_string_translation=False)
    handover_secret = fields.Char(
        readonly=True, copy=False, groups="base.group_system", export_string_translation=False
    )
    moved_from = fields.Char(
        "Came From the Server", readonly=True, copy=False, help="Identity of that server."
    )

    # --- keys

    @api.model
    def _get_handover_key(self):
        """Return the private key that opens what is handed over to this server; it is made once."""
        return self._get_server_key(HANDOVER_KEY, handover.new_key)

    @api.model
    def _get_handover_public_key(self):
        """Return the public half for other servers, "" while this server has no encryption key."""
        try:
            return handover.public_text(self._get_handover_key())
        except HostingError:
            return ""

    @api.model
    def _get_operation_secrets(self, operation):
        found = super()._get_operation_secrets(operation)
        if operation.kind not in MOVING:
            return found
        found["signing_key"] = manifest.private_text(self.env["saas.backup"]._get_signing_key())
        if operation.kind == "take_over":
            found |= self.env["saas.backup"]._get_operation_secrets(operation)
            found["document_key"] = self._get_document_key()
            found["smtp_password"] = settings.get_option("fleet_smtp_password")
            return found
        database = self.browse(operation.res_id).sudo()
        if database.handover_secret:
            env = database.handover_place_id._get_environment()
            found[f"repository.{REPOSITORY}.password"] = settings.decrypt(database.handover_secret)
            found[f"repository.{REPOSITORY}.env"] = env
        return found

    # --- hand over

    @api.model
    def _prepare_hand_over(self, target, arguments):
        database = self._get_for(target, "active", unprotected=True)
        if database.handover_folder:
            raise UserError(self.env._("%s is being handed over already.", target))
        place, identity = self._get_common_place(arguments["places"])
        database.sudo().write(
            {
                "handover_place_id": place.id,
                "handover_folder": f"{database.uuid}-{uuid.uuid4().hex[:8]}",
                "handover_secret": place._encrypt(secrets.token_urlsafe(32)),
            }
        )
        return database._prepare_request(
            key=arguments["key"],
            place=identity,
            folder=database.handover_folder,
            repositories=database._get_handover_repositories(),
            backup=self.env["saas.backup"]._get_new_number(),
            public_keys=self.env["saas.backup"]._get_public_keys(),
            purpose=database.purpose,
            neutralized=database.is_neutralized,
            mail_host=(settings.mail_server() or {}).get("host", ""),
        )

    @api.model
    def _get_common_place(self, wanted):
        """Return the first place of this server that is among ``wanted``, and its id; or refuse."""
        shared = self.env["saas.backup.place"]._get_shared()
        for identity, place in shared.items():
            if identity in wanted:
                return place, identity
        raise UserError(
            self.env._(
                "The two servers have no backup place in common. Under Backups → Places, give both "
                "the same S3 bucket or the same SFTP folder, then synchronise both in the portal."
            )
        )

    def _get_handover_repositories(self):
        """Return the repository of the move as an operation's request names it; none without one."""
        self.ensure_one()
        if not self.handover_folder:
            return []
        place = self.handover_place_id
        location = place._get_folder_location(self.handover_folder)
        return [{"id": REPOSITORY, "location": location, "remote": place.kind != "local"}]

    @api.model
    def _apply_hand_over(self, operation):
        database = self.browse(operation.res_id)
        if database.handover_folder != operation.request["folder"]:
            return  # taken back, or handed over once more, since
        if operation.state != "done":
            database._forget_handover()
        elif database.state == "active":
            database._set_state(
                "suspended",
                physical=operation.result["hide"]["physical"],
                suspend_reason=self.env._("It is being moved to another server."),
                handed_over=operation.ended or fields.Datetime.now(),
            )

    def _forget_handover(self):
        self.sudo().write(
            {
                "handed_over": False,
                "handover_place_id": False,
                "handover_folder": False,
                "handover_secret": False,
            }
        )

    @api.model
    def _get_for(self, target, *states, unprotected=False):
        """Refuse what would open, or change for nothing, a database that another server was given."""
        database = super()._get_for(target, *states, unprotected=unprotected)
        if database.handover_folder and not self.env.context.get("handed_over"):
            raise UserError(
                self.env._(
                    "%s was handed over to another server; it is open there, or will be. Only taking "
                    "it back opens it here again.",
                    target,
                )
            )
        return database

    @api.model
    def _prepare_archive(self, target, arguments):
        # It opens nothing; this is how what stays behind goes.
        database = self.with_context(handed_over=True)
        return super(SaasDatabase, database)._prepare_archive(target, arguments)

    @api.model
    def _prepare_drop(self, target, arguments):
        database = self.with_context(handed_over=True)
        return super(SaasDatabase, database)._prepare_drop(target, arguments)

    @api.model
    def _apply_drop(self, operation):
        super()._apply_drop(operation)
        database = self.browse(operation.res_id)
        if database.state == "dropped":
            # Nothing is left to take back; the place may be given up.
            database._forget_handover()

    # --- take back

    def action_take_back(self):
        """Open it here again; refused while the other server may have it open."""
        return self._submit_and_show("take_back", {})

    @api.model
    def _prepare_take_back(self, target, arguments):
        allowed = self.with_context(handed_over=True)
        database = allowed._get_for(target, "active", "suspended", "archived")
        if database.state != "active" and not database.handover_folder:
            raise UserError(self.env._("%s was not handed over; resume it instead.", target))
        return database._prepare_request(
            force=arguments["force"], repositories=database._get_handover_repositories()
        )

    @api.model
    def _apply_take_back(self, operation):
        database = self.browse(operation.res_id)
        opened = operation.step_ids.filtered(lambda step: step.name == "open").state == "done"
        if not opened or not database.handover_folder:
            return
        database._forget_handover()
        if database.state in ("suspended", "archived"):
            database._set_state(
                "active",
                physical=operation.result["show"]["physical"],
                suspend_reason=False,
                archived_at=False,
            )

    # --- take over

    @api.model
    def _prepare_take_over(self, target, arguments):
        package = handover.unseal(arguments["package"], self._get_handover_key())
        if package.name != target:
            raise UserError(
                words(self.env, "bad_handover", {"reason": f"{package.name} ≠ {target}"})
            )
        place = self.env["saas.backup.place"]._get_shared().get(package.place)
        if not place:
            raise UserError(self.env._("The backup place of the move is not one of this server."))
        database = self._reserve_moved(package)
        return self._prepare_moved(database, package, place, arguments["document"])

    @api.model
    def _reserve_moved(self, package):
        """Return a new record with the name and the identity of a database that comes here.

        What was dropped here of the same database holds neither against it.
        """
        everybody = self.sudo().with_context(active_test=False)
        known = everybody.search([("uuid", "=", package.uuid)])
        if known and known.state not in GONE:
            facts = {"name": package.name, "found": known.physical or known.name}
            raise UserError(words(self.env, "identity_here", facts))
        if known:
            known.write({"uuid": f"{known.uuid}/moved/{known.id}"})
            known.flush_recordset()
        rivals = Domain("name", "=", package.name) & Domain("id", "!=", known.id)
        held = Domain("state", "not in", GONE) | Domain(
            "name_held_until", ">", fields.Datetime.now()
        )
        waited = Domain("new_name", "=", package.name)
        if everybody.search_count(rivals & held | waited, limit=1):
            raise UserError(words(self.env, "name_taken", {"name": package.name}))
        values = {"uuid": package.uuid, "purpose": package.purpose, "moved_from": package.source}
        try:
            with self.env.cr.savepoint():
                return self.create({"name": package.name, "state": "creating", **values})
        except UniqueViolation as error:
            raise UserError(words(self.env, "name_taken", {"name": package.name})) from error

    @api.model
    def _prepare_moved(self, database, package, place, document):
        """Return the values of the operation; its repository is the database's own from now on."""
        repository = self.env["saas.backup.repository"].create(
            {
                "database_id": database.id,
                "place_id": place.id,
                "location": place._get_folder_location(package.folder),
                "secret": place._encrypt(package.password),
            }
        )
        database._reserve_domains(list(package.hosts))
        keys = self.env["saas.backup"]._get_public_keys()
        return database._prepare_request(
            backup=package.backup,
            repositories=repository._get_request(),
            public_keys=[*keys, package.public_key],
            hidden="moved",
            bytes=package.bytes,
            url=package.url,
            mail_host=package.mail_host,
            mail=settings.mail_server(),
            neutralized=package.neutralized,
            hosts=list(package.hosts),
            document=document,
        )

    @api.model
    def _apply_take_over(self, operation):
        database = self.browse(operation.res_id).exists()
        if not database or database.state != "creating":
            return
        # What failed after its first page, or could not be undone, has left it open.
        opening = operation.step_ids.filtered(lambda step: step.name in OPENING)
        if set(opening.mapped("state")) != {"done"}:
            database._forget_moved()
            return
        database._set_state(
            "active",
            physical=operation.result["publish"]["physical"],
            is_neutralized=operation.request["neutralized"],
            document=operation.request["document"] or False,
        )
        led = operation.result["route"].get("hosts") or []
        for domain in database.sudo().domain_ids:  # see saas.guarded
            domain.is_routed = domain.name in led
        database._keep_moved_backup(operation)

    def _forget_moved(self):
        """Give name and identity free again; what is left of the try is its line in the list."""
        repositories = self.env["saas.backup.repository"].sudo()
        repositories.search([("database_id", "=", self.id)]).unlink()
        self._set_state("failed", uuid=f"{self.uuid}/failed/{self.id}")

    def _keep_moved_backup(self, operation):
        """Record the backup that the database came by: the first one that this server has of it."""
        steps, request = operation.result, operation.request
        if not steps["sign"].get("signed"):
            return
        self.env["saas.backup"].create(
            {
                "backup": request["backup"],
                "database_id": self.id,
                "repository_ids": [entry["id"] for entry in request["repositories"]],
                "state": "verified",
                "reason": "before",
                "taken_at": operation.create_date,
                "verified_at": fields.Datetime.now(),
                "bytes": steps["load"]["bytes"],
                "files": steps["load"]["files"],
                "rows": steps["load"]["rows"],
                "missing": steps["load"]["missing"],
            }
        )

    @api.model
    def _retry_operation(self, operation):
        if operation.kind in MOVING:
            raise UserError(
                self.env._("The portal that moves the database tries again; not this server.")
            )
        return super()._retry_operation(operation)
