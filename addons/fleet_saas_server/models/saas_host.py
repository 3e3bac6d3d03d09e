from odoo import api, models
from odoo.exceptions import AccessError, UserError

from ..hosting import capacity
from ..hosting.errors import HostingError
from ..hosting.kinds import KINDS
from .saas_errors import words

API = 1  # the number of this contract; it grows when an answer changes its meaning
MAX_KEYS = 500


class SaasHost(models.AbstractModel):
    """This machine, as other machines see it over JSON-2.

    The contract is written down in ``readme/CONTRACT.md``. Callers are users with the group
    Hosting Agent; nothing here trusts an argument.
    """

    _name = "saas.host"
    _description = "Hosting Server"

    @api.model
    def submit(self, kind, target, key, arguments=None):
        """Ask for an operation; return its status, of the first one when the key was used before.

        :param str kind: see :meth:`capabilities`
        :param str target: the name of the database or template
        :param str key: idempotency key, 8 to 100 letters, digits, ``._:-``
        :param dict arguments: as the kind says
        """
        self._check_agent()
        if isinstance(kind, str) and kind in KINDS and not KINDS[kind].public:
            raise UserError(self.env._("%s is for the server's own use.", kind))
        operation = self.env["saas.operation"].sudo()._submit(kind, target, arguments, key)
        return operation._get_status()

    @api.model
    @api.readonly
    def status(self, keys):
        """Return ``{key: status}``; a key that was never accepted is ``None``."""
        self._check_agent()
        known = isinstance(keys, list) and all(isinstance(key, str) for key in keys)
        if not known or len(keys) > MAX_KEYS:
            raise UserError(self.env._("keys must be a list of at most %s keys.", MAX_KEYS))
        found = self.env["saas.operation"].sudo().search([("key", "in", keys)])
        by_key = {operation.key: operation._get_status() for operation in found}
        return {key: by_key.get(key) for key in keys}

    @api.model
    @api.readonly
    def inventory(self):
        """Return every hosted database with its state and latest figures."""
        self._check_agent()
        databases = self.env["saas.database"].sudo().search([])
        return {"api": API, "databases": [database._get_inventory() for database in databases]}

    @api.model
    @api.readonly
    def capabilities(self):
        """Return what this server can do: its operations with their arguments, templates, room."""
        self._check_agent()
        host = self.env["saas.operation"].sudo()._get_host()
        templates = self.env["saas.database.template"].sudo().search([])
        try:
            room = capacity.summary(host, self.env["saas.health"].sudo()._get_largest())
        except HostingError as error:
            raise UserError(words(self.env, error.code, error.facts)) from error
        return {
            "api": API,
            "domain": host.domain,
            "capacity": room,
            "templates": [template._get_inventory() for template in templates],
            "backup_policies": self.env["saas.backup.policy"].sudo()._get_names(),
            "kinds": {
                kind.name: {
                    "destroys": kind.destroys,
                    "arguments": {
                        name: {"required": argument.required, "default": argument.default}
                        for name, argument in kind.arguments.items()
                    },
                }
                for kind in KINDS.values()
                if kind.public
            },
        }

    def _check_agent(self):
        if not self.env.user.has_group("fleet_saas_server.group_hosting_agent"):
            raise AccessError(self.env._("Only a Hosting Agent may use this."))
