import secrets

from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from ..hosting import manifest
from ..hosting.backup_work import BROKEN
from .saas_database import GONE
from .saas_errors import words

SIGNING_KEY = "fleet_saas_server.signing_key"
PUBLIC_KEYS = "fleet_saas_server.public_keys"


class SaasBackup(models.Model):
    """One backup of a hosted database.

    It counts once it was read back from its storage: state ``verified``.
    """

    _name = "saas.backup"
    _description = "Backup"
    _inherit = ["saas.operation.owner"]
    _order = "taken_at DESC, id DESC"
    _fleet_encrypted_parameters = (SIGNING_KEY,)  # see fleet_databases/rotation.py
    _rec_name = "backup"

    backup = fields.Char("Number", required=True, readonly=True, copy=False, index=True)
    database_id = fields.Many2one(
        "saas.database", required=True, readonly=True, index=True, ondelete="restrict"
    )
    repository_ids = fields.Many2many("saas.backup.repository", readonly=True, string="Kept In")
    state = fields.Selection(
        [
            ("taking", "Being Taken"),
            ("verified", "Verified"),
            ("damaged", "Damaged"),
            ("failed", "Failed"),
            ("forgotten", "No Longer Kept"),
        ],
        required=True,
        readonly=True,
        default="taking",
        index=True,
    )
    reason = fields.Selection(
        [
            ("manual", "On Demand"),
            ("scheduled", "Scheduled"),
            ("final", "Final"),
            ("before", "Before a Change"),
        ],
        required=True,
        readonly=True,
        default="manual",
    )
    # What the database was called in PostgreSQL then; the name of a hidden one is used once only.
    physical = fields.Char(readonly=True, copy=False, export_string_translation=False)
    taken_at = fields.Datetime("Taken", readonly=True, default=fields.Datetime.now)
    verified_at = fields.Datetime("Verified", readonly=True)
    drilled_at = fields.Datetime("Restored for Proof", readonly=True)
    bytes = fields.Float("Size", readonly=True)
    added = fields.Float("New Bytes", readonly=True)
    files = fields.Integer(readonly=True)
    rows = fields.Float(digits=(16, 0), readonly=True)
    missing = fields.Integer(
        "Missing Files", readonly=True, help="Files which the database names but the disk had not."
    )
    problem = fields.Char(readonly=True)

    _backup_uniq = models.Constraint("UNIQUE(backup)", "A backup's number is used once.")

    @api.depends("taken_at", "database_id")
    def _compute_display_name(self):
        for backup in self:
            moment = fields.Datetime.context_timestamp(self, backup.taken_at)
            backup.display_name = f"{backup.database_id.name} {moment:%Y-%m-%d %H:%M}"

    def _get_point(self):
        """Return one entry of ``backups`` in ``saas.host.inventory``."""
        return {
            "backup": self.backup,
            "reason": self.reason,
            "taken_at": fields.Datetime.to_string(self.taken_at),
            "bytes": self.bytes,
        }

    # --- what is needed for any of them

    @api.model
    def _get_signing_key(self):
        """Return the key that signs manifests; it is made once, and its public half is kept for ever."""
        return manifest.private_key(self._get_server_key(SIGNING_KEY, self._make_signing_key))

    @api.model
    def _make_signing_key(self):
        key, parameters_sudo = manifest.new_key(), self.env["ir.config_parameter"].sudo()
        known = parameters_sudo.get_param(PUBLIC_KEYS) or ""
        parameters_sudo.set_param(PUBLIC_KEYS, f"{known}\n{manifest.public_pem(key)}".strip())
        return manifest.private_text(key)

    @api.model
    def _get_public_keys(self):
        """Return the public keys whose signatures on manifests are ours, as PEM texts."""
        self._get_signing_key()
        text = self.env["ir.config_parameter"].sudo().get_param(PUBLIC_KEYS)
        end = "-----END PUBLIC KEY-----"
        return [f"{part.strip()}\n{end}\n" for part in text.split(end) if part.strip()]

    @api.model
    def _get_operation_secrets(self, operation):
        ids = [entry["id"] for entry in operation.request["repositories"]]
        found = self.env["saas.backup.repository"].browse(ids)._get_secrets()
        if operation.kind == "backup":
            found["signing_key"] = manifest.private_text(self._get_signing_key())
        return found

    @api.model
    def _get_new_number(self):
        return f"{fields.Datetime.now():%Y%m%d-%H%M%S}-{secrets.token_hex(4)}"

    # --- backup

    @api.model
    def _prepare_backup(self, target, arguments):
        database = self.env["saas.database"]._get_by_name(target)
        if not database.physical:
            raise UserError(self.env._("%s does not exist yet, so it cannot be backed up.", target))
        policy = database._get_backup_policy()
        repositories = self.env["saas.backup.repository"]._get(database, policy._get_places())
        backup = self.create(
            {
                "backup": self._get_new_number(),
                "database_id": database.id,
                "repository_ids": repositories.ids,
                "reason": arguments["reason"],
            }
        )
        request = {
            "uuid": database.uuid,
            "physical": database.physical,
            "purpose": database.purpose,
            "backup": backup.backup,
            "repositories": repositories._get_request(),
            "public_keys": self._get_public_keys(),
            "keep": policy._get_keep(),
            **self._get_held(database, repositories),
        }
        return {"request": request, "res_model": self._name, "res_id": backup.id}

    @api.model
    def _retry_operation(self, operation):
        request = super()._retry_operation(operation)
        if operation.kind != "backup":
            return request
        backup = self.browse(operation.res_id).exists()
        if backup.state not in ("taking", "failed", "verified"):
            # Its storage holds it no more, and what is done is not done again.
            raise UserError(self.env._("What this backup had stored is gone. Take a new one."))
        if backup.state == "failed":
            backup.write({"state": "taking", "problem": False})
        repositories = self.env["saas.backup.repository"].browse(
            [entry["id"] for entry in request["repositories"]]
        )
        return request | self._get_held(backup.database_id, repositories)

    @api.model
    def _get_held(self, database, repositories):
        """Return what a backup's request says of those before: which stay, and where there are any."""
        verified = self.search([("database_id", "=", database.id), ("state", "=", "verified")])
        return {
            "never": self._get_never_forgotten(database).mapped("backup"),
            "expected": (repositories & verified.repository_ids).ids,
        }

    @api.model
    def _get_never_forgotten(self, database):
        """Return the backups that no policy may forget: the newest verified one, final ones."""
        mine = Domain("database_id", "=", database.id)
        # What counts as lost may come back with its disk.
        final = Domain("reason", "=", "final") & Domain("state", "in", ("verified", "damaged"))
        newest = self.search(mine & Domain("state", "=", "verified"), limit=1)
        return newest | self.search(mine & final)

    @api.model
    def _apply_backup(self, operation):
        backup = self.browse(operation.res_id).exists()
        steps = operation.result
        if not backup:
            return
        if self._note_broken(operation):
            self._tell(operation, backup.database_id)
        # Read back is what makes it count, whatever happened to its copies afterwards.
        if not steps["confirm"].get("tables"):
            backup.write({"state": "failed", "problem": operation.error})
            # What was stored all the same is there until the policy forgets it.
            if not steps["take"].get("snapshots"):
                backup.repository_ids = False
            return
        taken, copy = steps["take"], steps["copy"]
        # Not what the record has: a failed try has emptied it.
        kept_in = [operation.request["repositories"][0]["id"], *copy.get("copied", ())]
        backup.write(
            {
                "state": "verified",
                "taken_at": fields.Datetime.to_datetime(taken["taken_at"][:19].replace("T", " ")),
                "verified_at": fields.Datetime.now(),
                "physical": taken.get("physical"),
                "bytes": taken["bytes"],
                "added": taken["added"],
                "files": taken["files"],
                "rows": taken["rows"],
                "missing": taken["missing"],
                "problem": "; ".join(copy.get("failed", {}).values()) or operation.error,
                "repository_ids": [fields.Command.set(kept_in)],
            }
        )
        self._mark_forgotten(steps["forget"].get("forgotten") or {})

    @api.model
    def _note_broken(self, operation):
        """Write on repositories what has turned out to be wrong with them; return those."""
        request, facts = operation.request, operation.error_facts or {}
        copy = operation.result.get("copy", {})
        problems = {number: copy["failed"][str(number)] for number in copy.get("broken", ())}
        if operation.state == "failed" and operation.error_code in BROKEN:
            for entry in request["repositories"]:
                if entry["location"] == facts.get("location"):
                    problems[entry["id"]] = operation.error
        repositories = self.env["saas.backup.repository"].browse(problems).exists()
        for repository in repositories:
            repository.problem = problems[repository.id]
        return repositories

    @api.model
    def _mark_forgotten(self, forgotten):
        """Write which backups a repository no longer holds."""
        for repository, numbers in forgotten.items():
            backups = self.search([("backup", "in", numbers)])
            backups.write({"repository_ids": [fields.Command.unlink(int(repository))]})
            backups.filtered(lambda backup: not backup.repository_ids).state = "forgotten"

    # --- verify

    @api.model
    def _prepare_verify(self, target, arguments):
        database = self._get_database_with_backups(target, arguments["identity"])
        repositories = self._get_repositories(database)
        policy = database._get_backup_policy()
        parts = arguments["parts"] or policy.verify_parts
        part = arguments["part"] or max(repositories.mapped("part") or [0]) % parts + 1
        week_ago = fields.Datetime.subtract(fields.Datetime.now(), days=7)
        request = {
            "uuid": database.uuid,
            "repositories": repositories._get_request(),
            "public_keys": self._get_public_keys(),
            "part": min(part, parts),
            "parts": parts,
            "prune": any(not entry.pruned or entry.pruned < week_ago for entry in repositories),
        }
        return {"request": request, "res_model": database._name, "res_id": database.id}

    @api.model
    def _get_database_with_backups(self, name, identity=None, number=None):
        """Return a database, also a dropped one whose backups are kept.

        Several may have had the name. The living one comes first, and never lends its name to
        the backups of a former one.

        :param str identity: the uuid of the one that is meant
        :param str number: of a backup of the one that is meant
        """
        domain = Domain("name", "=", name)
        if identity:
            domain &= Domain("uuid", "=", identity)
        if number:
            domain &= Domain("backup_ids.backup", "=", number)
        databases = self.env["saas.database"].with_context(active_test=False)
        found = databases.search(domain, order="id DESC")
        if number and not found:
            raise UserError(words(self.env, "no_backup", {"backup": number}))
        living = found.filtered(lambda one: one.state not in GONE)
        database = living or found.filtered(self._get_repositories)[:1]
        if not self._get_repositories(database):
            raise UserError(self.env._("There is no backup of %s yet.", name))
        return database

    @api.model
    def _get_repositories(self, database):
        """Return the repositories that hold something of a database, the first to read from first."""
        backups = self.search([("database_id", "=", database.id), ("state", "=", "verified")])
        return backups.repository_ids.sorted(lambda one: (one.place_id.kind != "local", one.id))

    @api.model
    def _apply_verify(self, operation):
        repositories = self.env["saas.backup.repository"].browse(
            [entry["id"] for entry in operation.request["repositories"]]
        )
        if operation.state != "done":
            if operation.state == "failed":
                if not self._note_broken(operation):
                    repositories.write({"problem": operation.error})
                self._tell(operation, repositories.database_id)
            return
        steps = operation.result
        now = fields.Datetime.now()
        for repository in repositories:
            values = {
                "checked": now,
                "part": steps["read_back"]["part"],
                "problem": False,
                "bytes": steps["prune"]["sizes"][str(repository.id)],
            }
            if operation.request["prune"]:
                values["pruned"] = now
            repository.write(values)
            found = steps["read_back"]["results"][str(repository.id)]
            self.search([("backup", "in", found["backups"])]).write({"verified_at": now})
            self._compare_stored(repository, found["complete"])

    @api.model
    def _compare_stored(self, repository, complete):
        """Compare the backups that a repository holds with the records, both ways.

        :param list complete: the numbers of the complete backups in it
        """
        mine = self.search([("database_id", "=", repository.database_id.id)])
        lost = mine.filtered(
            lambda backup: (
                backup.state == "verified"
                and repository in backup.repository_ids
                and backup.backup not in complete
            )
        )
        lost._mark_lost(repository)
        found = mine.filtered(
            lambda backup: (
                backup.state in ("verified", "damaged")
                and repository not in backup.repository_ids
                and backup.backup in complete
            )
        )
        found.write({"repository_ids": [fields.Command.link(repository.id)]})
        found.filtered(lambda backup: backup.state == "damaged").write(
            {"state": "verified", "problem": False}
        )
        unknown = sorted(set(complete) - set(mine.mapped("backup")))
        self.env["saas.difference"]._apply_stored(repository, lost.mapped("backup"), unknown)

    def _mark_lost(self, repository):
        """Write that a repository does not hold these backups any more."""
        self.write({"repository_ids": [fields.Command.unlink(repository.id)]})
        self.filtered(lambda one: one.state == "verified" and not one.repository_ids).write(
            {"state": "damaged", "problem": self.env._("No storage holds it any more.")}
        )

    # --- drill

    @api.model
    def _prepare_drill(self, target, arguments):
        database = self._get_database_with_backups(
            target, arguments["identity"], arguments["backup"]
        )
        backup = self._get_restorable(database, arguments["backup"])
        request = backup._get_restore_request() | {
            "uuid": self.env["saas.database"]._get_new_uuid(),
            "hidden": "drill",
            "every_file": True,
        }
        return {"request": request, "res_model": self._name, "res_id": backup.id}

    @api.model
    def _get_restorable(self, database, number=None):
        """Return a verified backup of a database, the newest one unless ``number`` names another."""
        domain = Domain("database_id", "=", database.id) & Domain("state", "=", "verified")
        domain &= Domain("repository_ids", "!=", False)  # what is nowhere cannot come back
        if number:
            domain &= Domain("backup", "=", number)
        backup = self.search(domain, limit=1)
        if not backup:
            raise UserError(
                words(self.env, "no_backup", {"backup": number})
                if number
                else self.env._("There is no verified backup of %s.", database.name)
            )
        return backup

    def _get_restore_request(self):
        """Return what every operation that reads this backup needs."""
        self.ensure_one()
        repositories = self.repository_ids.sorted(
            lambda one: (one.place_id.kind != "local", one.id)
        )
        return {
            "backup": self.backup,
            "repositories": repositories._get_request()[:1],
            "public_keys": self._get_public_keys(),
        }

    @api.model
    def _apply_drill(self, operation):
        backup = self.browse(operation.res_id).exists()
        if operation.state == "done":
            backup.write({"drilled_at": fields.Datetime.now(), "problem": False})
        elif operation.state == "failed":
            backup.write({"problem": operation.error})
            self._note_broken(operation)
            self._tell(operation, backup.database_id)

    @api.model
    def _tell(self, operation, databases):
        """Put a failure where the operator looks: an activity on the database, one for all tries."""
        failed = operation.result.get("copy", {}).get("failed", {})
        note = operation.error or "; ".join(failed.values())
        for database in databases:
            known = database.activity_ids.filtered(lambda one: one.summary == operation.name)
            if known:
                known.note = note
                continue
            database.activity_schedule(
                "mail.mail_activity_data_warning",
                summary=operation.name,
                note=note,
                user_id=(operation.create_uid or self.env.user).id,
            )
