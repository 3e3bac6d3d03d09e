from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from ..hosting.health import SERVER
from ..hosting.journal import ACTIVE
from ..hosting.names import is_hidden
from ..hosting.reconcile import REPAIRS

STORED = ("backup_missing", "backup_unknown")  # compared every night, where the storage is read
ADOPTABLE = ("database_unknown", "database_foreign")
DAYS = 30  # solved differences are kept this long


class SaasDifference(models.Model):
    """A difference between what is recorded and what is really on this machine."""

    _name = "saas.difference"
    _description = "Difference"
    _inherit = ["saas.operation.owner"]
    _order = "solved DESC, found DESC, id DESC"

    what = fields.Selection(
        [
            ("database_missing", "The database is gone"),
            ("folder_missing", "The files are gone"),
            ("database_closed", "Nobody can connect"),
            ("database_hidden", "It is hidden although it is active"),
            ("route_wrong", "Its address leads elsewhere"),
            ("routes_broken", "The file of routes cannot be read"),
            ("route_unknown", "An address leads to no hosted database"),
            ("leftover", "Left by an operation that died"),
            ("folder_leftover", "Files left by an operation that died"),
            ("database_unknown", "Ours, but without a record"),
            ("database_suspended", "Ours and suspended, but without a record"),
            ("database_foreign", "Not made by this server"),
            ("folder_unknown", "Files of no database"),
            ("backup_missing", "A storage has lost a backup"),
            ("backup_unknown", "A storage has a backup without a record"),
        ],
        required=True,
        readonly=True,
    )
    name = fields.Char(required=True, readonly=True, index=True)
    more = fields.Char("Details", readonly=True)
    found = fields.Datetime("Seen First", readonly=True, default=fields.Datetime.now)
    seen = fields.Datetime("Seen Last", readonly=True, default=fields.Datetime.now)
    solved = fields.Datetime(readonly=True)
    problem = fields.Char("Repair Failed", readonly=True)
    advice = fields.Char("What To Do", compute="_compute_advice")
    can_repair = fields.Boolean(compute="_compute_advice")
    can_adopt = fields.Boolean(compute="_compute_advice", export_string_translation=False)

    @api.depends("what")
    def _compute_advice(self):
        texts = {
            "database_missing": self.env._("Restore it from its newest backup."),
            "folder_missing": self.env._("Restore it from its newest backup."),
            "database_closed": self.env._("Repair: allow connections again."),
            "database_hidden": self.env._("Look at its last operation, then resume it."),
            "route_wrong": self.env._("Repair: write its route again."),
            "routes_broken": self.env._("Repair: write the routes again from the records."),
            "route_unknown": self.env._("Repair: remove the route."),
            "leftover": self.env._("It goes by itself with the next comparison."),
            "folder_leftover": self.env._("It goes by itself with the next comparison."),
            "database_unknown": self.env._("Adopt it, or drop it with PostgreSQL’s tools."),
            "database_suspended": self.env._("Adopt it, then resume it."),
            "database_foreign": self.env._(
                "Adopt it to host it, or list it in fleet_other_databases in odoo.conf."
            ),
            "folder_unknown": self.env._("Move it away once you know what it was."),
            "backup_missing": self.env._("Back the database up now, then look at the storage."),
            "backup_unknown": self.env._(
                "Nothing, if you know it; the recovery kit can restore it."
            ),
        }
        for difference in self:
            difference.advice = texts.get(difference.what)
            difference.can_repair = difference.what in REPAIRS and not difference.solved
            difference.can_adopt = not difference.solved and (
                difference.what == "database_suspended"
                or (difference.what in ADOPTABLE and not is_hidden(difference.name))
            )

    @api.model
    def _prepare_reconcile(self, target, arguments):
        return {"request": arguments}

    @api.model
    def _apply_reconcile(self, operation):
        """Write what the comparison found: new ones appear, those not seen any more are solved."""
        if operation.state != "done":
            return
        steps, now = operation.result, fields.Datetime.now()
        repaired = set(steps["repair"]["repaired"])
        open_ones = self._get_open(Domain("what", "not in", STORED))
        for entry in steps["compare"]["differences"]:
            one = open_ones.pop((entry["what"], entry["name"]), None)
            # Another difference of the same name may have no repair.
            if entry["what"] in REPAIRS and entry["name"] in repaired:
                if one:
                    one.write({"solved": now, "seen": now, "problem": False})
                continue
            values = {
                "more": entry["more"],
                "seen": now,
                "problem": steps["repair"]["failed"].get(entry["name"], False),
            }
            if one:
                one.write(values)
            else:
                self.create({"what": entry["what"], "name": entry["name"], **values})
        for one in open_ones.values():
            one.solved = now

    @api.model
    def _get_open(self, domain):
        """Return the differences that are not solved, by what and name."""
        found = self.search(Domain("solved", "=", False) & domain)
        return {(one.what, one.name): one for one in found}

    @api.model
    def _apply_stored(self, repository, missing, unknown):
        """Write how a repository differs from the records of its backups.

        :param list missing: numbers of recorded backups that it does not hold
        :param list unknown: numbers of backups that it holds and nothing records
        """
        now, place = fields.Datetime.now(), repository.location
        open_ones = self._get_open(Domain("what", "in", STORED) & Domain("more", "=", place))
        wanted = [("backup_missing", name) for name in missing]
        wanted += [("backup_unknown", name) for name in unknown]
        for what, name in wanted:
            one = open_ones.pop((what, name), None)
            if one:
                one.seen = now
            else:
                self.create({"what": what, "name": name, "more": place})
        for one in open_ones.values():
            one.solved = now

    def action_repair(self):
        """Do the repair that is offered."""
        return self.env["saas.database"]._submit_and_show(
            "reconcile", {"names": self.mapped("name")}, target=SERVER
        )

    def action_adopt(self):
        """Ask for the name, then host the database; a suspended one keeps its data and its identity."""
        self.ensure_one()
        if not self.can_adopt:
            raise UserError(self.env._("%s cannot be adopted.", self.name))
        action = self.env["saas.database"].action_adopt()
        hidden = self.name if is_hidden(self.name) else False
        named = {"default_name": self.more if hidden else self.name, "default_hidden": hidden}
        return {**action, "context": {**action["context"], **named}}

    def action_compare(self):
        """Compare now."""
        return self.env["saas.database"]._submit_and_show("reconcile", {}, target=SERVER)

    @api.model
    def _cron_reconcile(self):
        """Compare every ten minutes, unless a comparison is still running."""
        operations_sudo = self.env["saas.operation"].sudo()
        domain = [("kind", "=", "reconcile"), ("state", "in", ACTIVE)]
        if not operations_sudo.search_count(domain, limit=1):
            operations_sudo._submit("reconcile", SERVER)

    @api.autovacuum
    def _gc_differences(self):
        """Forget what was solved long ago."""
        limit = fields.Datetime.subtract(fields.Datetime.now(), days=DAYS)
        self.search(Domain("solved", "<", limit), limit=1000).unlink()
