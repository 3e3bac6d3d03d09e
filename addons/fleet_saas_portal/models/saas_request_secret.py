import json
from dataclasses import replace

from odoo import api, fields, models
from odoo.fields import NO_ACCESS

from odoo.addons.fleet_databases import settings
from odoo.addons.fleet_databases.vault import Vault

from .saas_request import OPEN


class SaasRequest(models.Model):
    """Arguments that nobody reads here, such as a password's hash: encrypted, until the end."""

    _inherit = "saas.request"
    _fleet_encrypted = {"secrets": ()}

    secrets = fields.Text(readonly=True, copy=False, exportable=False, groups=NO_ACCESS)

    def _keep_secrets(self, values):
        """Add ``values`` to the arguments that the server gets; they are forgotten at the end.

        :param dict values: plain texts by the argument's name
        """
        self.ensure_one()
        vault = self.env["project.project"]._get_vault()
        self.sudo().secrets = vault.encrypt(json.dumps(values))

    @api.model
    def _prepare_exchange(self, server, requests):
        access, policy, wanted, keys = super()._prepare_exchange(server, requests)
        secrets = {request.key: request.secrets for request in requests if request.secrets}
        for number, each in enumerate(wanted):
            if each.key in secrets:
                hidden = json.loads(Vault(settings.secret_keys()).decrypt(secrets[each.key]))
                wanted[number] = replace(each, arguments={**each.arguments, **hidden})
        return access, policy, wanted, keys

    def _set_state(self, state, **values):
        if state not in OPEN and self.secrets:
            values["secrets"] = False
        return super()._set_state(state, **values)
