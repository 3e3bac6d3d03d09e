from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError
from odoo.fields import Domain

from .saas_errors import words

# Every state of a hosted database and the states it may go to.
TRANSITIONS = {
    "creating": ("active", "failed"),
    "active": ("suspended", "archived", "released"),
    "suspended": ("active", "archived"),
    "archived": ("active", "suspended", "dropped"),
    "failed": ("creating", "dropped"),
    "dropped": (),
    "released": (),
}
GONE = ("failed", "dropped", "released")  # their names are free for others


class SaasDatabase(models.Model):
    """A database that this machine hosts.

    ``name`` is what people know; ``physical`` is its name in PostgreSQL and of its files, the same
    while it is visible.
    """

    _name = "saas.database"
    _description = "Hosted Database"
    _inherit = ["saas.guarded", "mail.thread", "mail.activity.mixin", "saas.operation.owner"]
    _order = "name, id"

    name = fields.Char(required=True, readonly=True, index=True, tracking=True)
    physical = fields.Char("Name in PostgreSQL", readonly=True, copy=False)
    uuid = fields.Char("Identity", required=True, readonly=True, copy=False)
    state = fields.Selection(
        [
            ("creating", "Being Created"),
            ("active", "Active"),
            ("suspended", "Suspended"),
            ("archived", "Archived"),
            ("failed", "Not Created"),
            ("dropped", "Dropped"),
            ("released", "Released"),
        ],
        required=True,
        readonly=True,
        default="creating",
        index=True,
        tracking=True,
    )
    purpose = fields.Selection(
        [("customer", "Customer"), ("trial", "Trial"), ("staging", "Staging Copy")],
        required=True,
        readonly=True,
        default="customer",
        tracking=True,
    )
    # Read-only, so that lists do not offer Odoo's own "Archive", which would open the wizard for one.
    active = fields.Boolean(default=True, readonly=True)
    is_protected = fields.Boolean(
        "Protected", help="It can be neither suspended nor dropped.", tracking=True
    )
    is_neutralized = fields.Boolean("Neutralised", readonly=True)
    url = fields.Char("Address", compute="_compute_url")
    source = fields.Char("Made From", readonly=True)
    report = fields.Json("Neutralisation Report", readonly=True)
    operation_ids = fields.Many2many(
        "saas.operation", compute="_compute_operation_ids", string="Operations"
    )

    # One living database a name; a dropped one's name stays reserved while its backups are kept.
    _name_uniq = models.UniqueIndex("(name) WHERE state NOT IN ('failed', 'dropped', 'released')")
    _uuid_uniq = models.Constraint("UNIQUE(uuid)", "Two databases cannot have one identity.")

    @api.depends("name", "state")
    def _compute_url(self):
        host = self.env["saas.operation"]._get_host()
        for database in self:
            database.url = host.url(database.name) if database.name else False

    def _compute_operation_ids(self):
        for database in self:
            database.operation_ids = self.env["saas.operation"].search(
                database._get_operations_domain(), limit=80
            )

    def _get_operations_domain(self):
        """Return which operations were on this database, whatever its name was at that time.

        A name that was another database's before, or is now, brings none of that one's.
        """
        self.ensure_one()
        if not self.id:
            return Domain.FALSE
        own = Domain("res_model", "=", self._name) & Domain("res_id", "=", self.id)
        backups = Domain("res_model", "=", "saas.backup") & Domain(
            "res_id", "in", self.sudo().backup_ids.ids
        )
        named = Domain("target", "=", self.name) & Domain("res_model", "!=", self._name)
        if self.state in GONE:
            return own | backups
        return own | backups | (named & Domain("create_date", ">=", self.create_date))

    def _set_state(self, state, **values):
        """Change the state along `TRANSITIONS`, with whatever else changes with it."""
        for database in self:
            if state != database.state and state not in TRANSITIONS[database.state]:
                raise UserError(
                    self.env._("%(name)s is %(state)s.", name=database.name, state=database.state)
                )
        self.sudo().write({"state": state, **values})  # the server's own, see saas.guarded

    @api.model
    def _get_by_name(self, name):
        """Return the living database of a name; raise when there is none."""
        database = self.search([("name", "=", name), ("state", "not in", GONE)])
        if not database:
            raise UserError(words(self.env, "no_database", {"name": name}))
        return database

    def _get_target(self):
        """Return the name to ask for an operation by; a gone database's may be another's by now."""
        self.ensure_one()
        if self.state in GONE:
            raise UserError(
                self.env._(
                    "%s is gone; a database that has this name now is another one.", self.name
                )
            )
        return self.name

    def _submit_and_show(self, kind, arguments=None, target=None):
        """Ask for an operation on this database as its operator, and show it.

        :param str target: another name than this database's own
        """
        if not self.env.user.has_group("fleet_saas_server.group_hosting_operator"):
            raise AccessError(self.env._("Only hosting operators may do this."))
        name = self._get_target() if target is None else target
        operation = self.env["saas.operation"].sudo()._submit(kind, name, arguments)
        return {
            "type": "ir.actions.act_window",
            "res_model": "saas.operation",
            "res_id": operation.id,
            "view_mode": "form",
            "views": [(False, "form")],
        }

    def _get_inventory(self):
        """Return one entry of ``saas.host.inventory``."""
        self.ensure_one()
        return {
            "name": self.name,
            "uuid": self.uuid,
            "state": self.state,
            "purpose": self.purpose,
            "url": self.url,
            "neutralized": self.is_neutralized,
            "protected": self.is_protected,
        }
