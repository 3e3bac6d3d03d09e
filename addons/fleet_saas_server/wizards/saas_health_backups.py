import os
from pathlib import Path

from odoo import api, fields, models

from .saas_health import AMBER, GREEN, RED

SHOWN = 5  # names of databases


class SaasHealth(models.TransientModel):
    """Whether every database has a backup that was read back, and is where it was read."""

    _inherit = "saas.health"

    @api.model
    def _check_backups(self):
        title = self.env._("Backups")
        databases = self.env["saas.database"].search(
            [("state", "in", ("active", "suspended")), ("purpose", "!=", "staging")]
        )
        if not databases:
            says = self.env._("There is nothing to back up yet.")
            return [self._row("backups", GREEN, title, says)]
        without = databases.filtered(lambda database: not database.last_backup)
        late = (databases - without).filtered(lambda database: database._is_backup_late())
        gone, broken = self._get_bad_repositories(databases)
        if not (without or late or gone or broken):
            oldest = min(databases.mapped("last_backup"))
            says = self.env._(
                "Every database has a verified backup; the oldest of them is of %s.",
                fields.Datetime.context_timestamp(self, oldest).strftime("%Y-%m-%d %H:%M"),
            )
            return [self._row("backups", GREEN, title, says)]
        says = " ".join(self._say_backups(without, late, gone, broken))
        state = RED if late or gone or broken else AMBER
        todo = self._advise_backups(gone, broken)
        action = "saas_backup_place_action" if gone or broken else "saas_backup_action"
        return [self._row("backups", state, title, says, todo, action)]

    @api.model
    def _advise_backups(self, gone, broken):
        parts = []
        if gone:
            parts.append(
                self.env._(
                    "See that the place can be read again: its folder is there, its disk is mounted. "
                    "Until then nothing can be restored from it. If its backups are lost for good, "
                    "say so on the form of the place."
                )
            )
        if broken:
            parts.append(
                self.env._(
                    "Repair what the reason names, then verify the backups of the database: this is "
                    "red until they have been read back."
                )
            )
        return " ".join(parts) or self.env._("Look at the failed backups, or take one now.")

    @api.model
    def _say_backups(self, without, late, gone, broken):
        """Return a sentence for each thing that is not in order."""
        parts = []
        if without:
            parts.append(self.env._("Without a verified backup: %s.", self._shorten(without)))
        if late:
            parts.append(self.env._("Overdue: %s.", self._shorten(late)))
        for place, repositories in gone.grouped("place_id").items():
            parts.append(
                self.env._(
                    "With a verified backup in a place that cannot be read, “%(place)s”: %(names)s.",
                    place=place.name,
                    names=self._shorten(repositories.database_id),
                )
            )
        for place, repositories in broken.grouped("place_id").items():
            parts.append(
                self.env._(
                    "The backups in “%(place)s” of %(names)s have a problem: %(reason)s",
                    place=place.name,
                    names=self._shorten(repositories.database_id),
                    reason=repositories[0].problem,
                )
            )
        return parts

    @api.model
    def _get_bad_repositories(self, databases):
        """Return the repositories whose folder is gone, and those with another problem.

        A folder of this machine is looked at now, where the last verified backup is in it. The
        problem of any that holds backups is what the last operation on it has found.
        """
        groups = self.env["saas.backup"]._read_group(
            [("database_id", "in", databases.ids), ("state", "=", "verified")],
            ["database_id", "repository_ids"],
            ["taken_at:max"],
        )
        repositories = self.env["saas.backup.repository"]
        latest = (each for database, each, taken in groups if taken == database.last_backup)
        local = repositories.union(*latest).filtered(lambda each: each.place_id.kind == "local")
        there = self._get_paths_there(local.mapped("location"))
        gone = local.filtered(lambda each: each.location not in there)
        broken = repositories.union(*(each for _database, each, _taken in groups))
        return gone, broken.filtered("problem") - gone

    @api.model
    def _get_paths_there(self, paths):
        """Return those of the paths that are there; each folder above them is read once."""
        there = set()
        for folder in {Path(path).parent for path in paths}:
            try:
                there.update(str(folder / name) for name in os.listdir(folder))
            except OSError:
                continue
        return there

    @api.model
    def _shorten(self, databases):
        names = ", ".join(databases[:SHOWN].mapped("name"))
        return f"{names}, …" if len(databases) > SHOWN else names
