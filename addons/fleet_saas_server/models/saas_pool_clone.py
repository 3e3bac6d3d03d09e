from odoo import api, fields, models
from odoo.fields import Domain

from ..hosting.journal import ACTIVE


class SaasPoolClone(models.Model):
    """A clone of a template that is ready before anybody asks for it.

    The plain package takes and strikes off clones by SQL (``hosting/pool.py``).
    """

    _name = "saas.pool.clone"
    _description = "Ready Clone"
    _inherit = ["saas.operation.owner"]
    _order = "id"
    _rec_name = "physical"

    physical = fields.Char("Name in PostgreSQL", required=True, readonly=True)
    source = fields.Char("Template Version", required=True, readonly=True, index=True)
    state = fields.Selection(
        [("ready", "Ready"), ("taken", "Given Out"), ("leaving", "Being Dropped")],
        required=True,
        readonly=True,
        default="ready",
    )
    operation = fields.Integer("Taken By", readonly=True)
    report = fields.Json("Neutralisation Report", readonly=True)

    _physical_uniq = models.Constraint("UNIQUE(physical)", "This clone is in the pool already.")

    @api.model
    def _prepare_pool_fill(self, target, arguments):
        version = self.env["saas.database.template"]._get_published(target)
        identity = self.env["saas.database"]._get_new_uuid()
        return {
            "request": {"source": version.physical, "uuid": identity, "purpose": "customer"},
            "res_model": version._name,
            "res_id": version.id,
        }

    @api.model
    def _prepare_pool_drop(self, target, arguments):
        clone = self.search([("physical", "=", target)])
        return {"request": {}, "res_model": self._name, "res_id": clone.id}

    @api.model
    def _get_operation_record(self, operation):
        """Ready clones have no form: the template has, of whose version they are."""
        clone = self.browse(operation.res_id if operation.res_model == self._name else 0).exists()
        source = operation.request.get("source") or clone.source
        versions = self.env["saas.database.template.version"]
        return versions.search([("physical", "=", source)], limit=1).template_id

    @api.model
    def _apply_pool_fill(self, operation):
        """Go on filling; a failure waits for the scheduled action."""
        if operation.state == "done":
            self._top_up()

    @api.model
    def _cron_top_up(self):
        """Fill every template's pool, and drop clones of versions that are no longer published."""
        self._drain()
        self._top_up()

    @api.model
    def _top_up(self):
        """Ask for clones where fewer are ready, or being made, than the template wants."""
        for template in self.env["saas.database.template"].search([("pool_size", ">", 0)]):
            version = template.published_version_id
            if not version:
                continue
            ready = self.search_count([("source", "=", version.physical), ("state", "=", "ready")])
            if ready < template.pool_size and not self._is_filling(template):
                self.env["saas.operation"]._submit_by_clock("pool_fill", template.code)

    @api.model
    def _is_filling(self, template):
        """Tell whether a clone is on its way; one at a time, so that customers come first."""
        domain = [
            ("kind", "=", "pool_fill"),
            ("target", "=", template.code),
            ("state", "in", ACTIVE),
        ]
        return bool(self.env["saas.operation"].sudo().search_count(domain, limit=1))

    @api.model
    def _drain(self):
        """Drop the clones that nobody will get; what could not be dropped is tried again each hour."""
        wanted = self.env["saas.database.template"].search([("pool_size", ">", 0)])
        published = wanted.published_version_id.mapped("physical")
        unwanted = Domain("source", "not in", published) & Domain("state", "!=", "taken")
        old = self.search(unwanted | Domain("state", "=", "leaving"))
        for clone in old:
            key = f"pool_drop:{clone.physical[-32:]}:{fields.Datetime.now():%Y%m%d%H}"
            self.env["saas.operation"]._submit_by_clock("pool_drop", clone.physical, key=key)
