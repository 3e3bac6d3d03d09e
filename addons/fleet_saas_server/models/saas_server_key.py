from psycopg2.errors import UniqueViolation

from odoo import api, models
from odoo.exceptions import ConcurrencyError

from .. import settings


class SaasOperationOwner(models.AbstractModel):
    """Keys of the server itself, which are made when they are needed first."""

    _inherit = "saas.operation.owner"

    @api.model
    def _get_server_key(self, parameter, make):
        """Return the text of a key that a system parameter keeps encrypted.

        :param callable make: makes the text, once
        :raises HostingError: ``no_secret_key``, ``wrong_secret_key``
        """
        parameters_sudo = self.env["ir.config_parameter"].sudo()
        stored = parameters_sudo.get_param(parameter)
        if stored:
            return settings.decrypt(stored)
        try:
            with self.env.cr.savepoint():
                text = make()
                parameters_sudo.set_param(parameter, settings.encrypt(text))
        except UniqueViolation as error:
            # A rival has made one after this transaction's snapshot.
            raise ConcurrencyError(parameter) from error
        return text
