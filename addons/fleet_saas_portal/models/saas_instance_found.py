from odoo import api, fields, models
from odoo.exceptions import UserError
from odoo.fields import Domain

from .saas_instance import GONE, SERVER_STATES

TAKEN = ("active", "suspended", "archived")


class SaasInstanceFound(models.Model):
    """A database that a server hosts and that no instance stands for."""

    _name = "saas.instance.found"
    _description = "Database Without an Instance"
    _order = "server_id, name"

    server_id = fields.Many2one(
        "saas.server", required=True, readonly=True, index=True, ondelete="cascade"
    )
    name = fields.Char(required=True, readonly=True, index=True)
    uuid = fields.Char("Identity", required=True, readonly=True)
    state = fields.Selection(
        [("active", "Active"), ("suspended", "Suspended"), ("archived", "Archived")],
        required=True,
        readonly=True,
    )
    purpose = fields.Selection(
        [("customer", "Customer"), ("trial", "Trial"), ("staging", "Staging Copy")], readonly=True
    )
    url = fields.Char("Address", readonly=True)
    user_count = fields.Integer("Users", readonly=True)
    storage_mb = fields.Integer("Storage (MB)", readonly=True)
    first_seen = fields.Datetime(readonly=True, default=fields.Datetime.now)

    _uuid_uniq = models.Constraint("UNIQUE(server_id, uuid)", "It is in the list already.")

    @api.model
    def _take(self, server, inventory):
        """Make the records of ``server`` those of its databases that nobody knows."""
        listed = {found.uuid: found for found in self.search([("server_id", "=", server.id)])}
        for hosted in self._get_unknown(server, inventory):
            values = self._prepare_found(hosted)
            record = listed.pop(hosted.uuid, None)
            if record:
                record.write(values)
            else:
                self.create({"server_id": server.id, "uuid": hosted.uuid, **values})
        for gone in listed.values():
            gone.unlink()

    @api.model
    def _get_unknown(self, server, inventory):
        everybody = self.env["saas.instance"].sudo().with_context(active_test=False)
        uuids = [hosted.uuid for hosted in inventory]
        known = set(everybody.search([("uuid", "in", uuids)]).mapped("uuid"))
        # One that is being made has no identity here yet.
        unnamed = Domain("server_id", "=", server.id) & Domain("uuid", "=", False)
        names = set(everybody.search(unnamed & Domain("state", "not in", GONE)).mapped("name"))
        return [
            hosted
            for hosted in inventory
            if SERVER_STATES.get(hosted.state) in TAKEN
            and hosted.uuid not in known
            and hosted.name not in names
        ]

    @api.model
    def _prepare_found(self, hosted):
        figures = self.env["saas.instance"]._prepare_figures(hosted.figures)
        purposes = dict(self._fields["purpose"].selection)
        return {
            "name": hosted.name,
            "state": SERVER_STATES[hosted.state],
            "purpose": hosted.purpose if hosted.purpose in purposes else False,
            "url": hosted.url or False,
            "user_count": figures.get("user_count", 0),
            "storage_mb": figures.get("storage_mb", 0),
        }

    def _adopt(self, **values):
        """Make an instance of each database and return them.

        :param values: of every instance, such as ``plan_id`` and ``partner_id``
        """
        self.env["saas.instance"].check_access("create")
        instances = self.env["saas.instance"]
        for found in self:
            instance = self.env["saas.instance"].create(
                {"name": found.name, "purpose": found.purpose or "customer", **values}
            )
            found._adopt_as(instance)
            instances |= instance
        return instances

    def _adopt_as(self, instance):
        """Have ``instance``, a draft, stand for this database from now on."""
        self.ensure_one()
        instance.sudo().write(
            {
                "server_id": self.server_id.id,
                "uuid": self.uuid,
                "user_count": self.user_count,
                "storage_mb": self.storage_mb,
            }
        )
        instance._set_state("active", url=self.url)
        if self.state != "active":
            instance._set_state(self.state)
        instance._link_database()
        self.sudo().unlink()

    def action_adopt(self):
        """Ask which customer and plan the databases belong to."""
        return {
            "type": "ir.actions.act_window",
            "name": self.env._("Make Instances"),
            "res_model": "saas.instance.adopt",
            "view_mode": "form",
            "views": [(False, "form")],
            "target": "new",
            "context": {"default_found_ids": self.ids},
        }


class SaasInstance(models.Model):
    """How a database that exists already becomes an instance."""

    _inherit = "saas.instance"

    @api.model
    def _take_inventory(self, server, inventory):
        super()._take_inventory(server, inventory)
        self.env["saas.instance.found"].sudo()._take(server, inventory)

    def _take_hosted(self, hosted):
        super()._take_hosted(hosted)
        # What a server has adopted gets its address only now.
        if self.state == "active" and not self.project_id:
            self._link_database()

    def _adopt_database(self):
        """Have the server take over a database of its own PostgreSQL that it does not host yet."""
        self.ensure_one()
        self.check_access("write")
        if self.state not in ("draft", "failed"):
            raise UserError(self.env._("%s was created already.", self.name))
        if not self.server_id:
            raise UserError(self.env._("Choose the server on which %s is.", self.name))
        self._set_state("creating", problem=False)
        return self._ask_server(self.server_id, "adopt", self.name)

    def action_adopt_database(self):
        """Have the server take over a database of this name."""
        for instance in self:
            instance._adopt_database()

    def _apply_adopt(self, _request):
        self._set_state("active", problem=False)

    def _request_ended(self, request):
        super()._request_ended(request)
        if request.kind == "adopt" and request.state != "done" and self.state == "creating":
            self._set_state("failed")
