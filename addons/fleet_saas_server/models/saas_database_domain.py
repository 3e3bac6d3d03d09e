from psycopg2.errors import UniqueViolation

from odoo import api, fields, models
from odoo.exceptions import UserError

from ..hosting.domains import check_foreign
from ..hosting.errors import HostingError
from .saas_database import GONE
from .saas_errors import words

OPEN = ("queued", "running", "undoing")


class SaasDatabaseDomain(models.Model):
    """A host name of a customer's own; it is reserved from when it is asked for."""

    _name = "saas.database.domain"
    _description = "Host Name of a Hosted Database"
    _inherit = ["saas.guarded"]
    _order = "name"

    name = fields.Char("Host Name", required=True, readonly=True)
    database_id = fields.Many2one(
        "saas.database", required=True, readonly=True, index=True, ondelete="cascade"
    )
    is_routed = fields.Boolean("Leads Here", readonly=True)

    _name_uniq = models.Constraint("UNIQUE(name)", "Another database has this host name.")


class SaasDatabase(models.Model):
    """At which host names of its customer's own a database answers."""

    _inherit = "saas.database"

    domain_ids = fields.One2many("saas.database.domain", "database_id", "Own Host Names")

    @api.model
    def _prepare_domains(self, target, arguments):
        database = self._get_for(target, "active", "suspended", "archived")
        database._reserve_domains(arguments["names"])
        return database._prepare_request(names=arguments["names"])

    def _reserve_domains(self, names):
        """Record the names that are new; raise when one is another database's."""
        self.ensure_one()
        Names = self.env["saas.database.domain"].sudo()  # the server's own, see saas.guarded
        domain = self.env["saas.operation"]._get_host().domain
        for name in names:
            try:
                check_foreign(name, domain)
            except HostingError as error:
                raise UserError(words(self.env, error.code, error.facts)) from error
        taken = Names.search([("name", "in", names), ("database_id", "!=", self.id)], limit=1)
        if taken:
            raise UserError(words(self.env, "host_taken", {"host": taken.name}))
        new = set(names) - set(self.sudo().domain_ids.mapped("name"))
        try:
            with self.env.cr.savepoint():
                Names.create([{"name": name, "database_id": self.id} for name in sorted(new)])
        except UniqueViolation as error:
            # A rival that has committed since: which of the names it is does not matter.
            raise UserError(words(self.env, "host_taken", {"host": ", ".join(new)})) from error

    @api.model
    def _apply_domains(self, operation):
        """Keep what leads here now, and what is still asked for; the rest is free again."""
        database = self.browse(operation.res_id).sudo()  # see saas.guarded
        if database.state in GONE:
            return
        known = database.domain_ids
        if operation.state == "done":
            routed = set(operation.request["names"])
            for each in known:
                each.is_routed = each.name in routed
        waiting = database._get_waiting_names(operation)
        known.filtered(lambda each: not each.is_routed and each.name not in waiting).unlink()

    @api.model
    def _retry_operation(self, operation):
        request = super()._retry_operation(operation)
        if operation.kind == "domains":
            self.browse(operation.res_id)._reserve_domains(request["names"])
        return request

    def _get_waiting_names(self, operation):
        others = (
            self.env["saas.operation"]
            .sudo()
            .search(
                [
                    ("kind", "=", "domains"),
                    ("res_model", "=", self._name),
                    ("res_id", "=", self.id),
                    ("state", "in", OPEN),
                    ("id", "!=", operation.id),
                ]
            )
        )
        return {name for other in others for name in other.request["names"]}

    def _set_state(self, state, **values):
        result = super()._set_state(state, **values)
        if state in GONE:
            # Its routes went with it: the names are free.
            self.sudo().domain_ids.unlink()
        return result

    def _get_inventory(self):
        routed = self.sudo().domain_ids.filtered("is_routed")
        return {**super()._get_inventory(), "domains": routed.mapped("name")}
