from odoo import api, models
from odoo.exceptions import UserError

from ..hosting.errors import HostingError
from .saas_errors import words


class SaasOperationOwner(models.AbstractModel):
    """What operations work on: the hooks between an operation and the records it is about.

    A kind of operation names its owner model in ``hosting/kind.py``.
    """

    _name = "saas.operation.owner"
    _description = "Record That Operations Work On"

    @api.model
    def _prepare_operation(self, kind, target, arguments):
        """Reserve what the operation needs and return values of its record.

        Called in the transaction that records the operation, so that both happen or none.

        :param hosting.kind.Kind kind: the kind
        :param dict arguments: checked against the contract
        :returns: at least ``request`` (plain values, no secret), ``res_model`` and ``res_id``;
            ``sources`` lists databases that must stay as they are meanwhile
        :raises UserError: it cannot be asked for now, in words
        """
        prepare = getattr(self, f"_prepare_{kind.name}")
        try:
            return prepare(target, arguments)
        except HostingError as error:
            raise UserError(words(self.env, error.code, error.facts)) from error

    @api.model
    def _get_operation_secrets(self, operation):
        """Return the secrets that the operation's steps need, decrypted, by name."""
        return {}

    @api.model
    def _apply_operation(self, operation):
        """Write what an ended operation changed on the records; may run twice."""
        apply = getattr(self, f"_apply_{operation.kind}", None)
        if apply:
            apply(operation)

    @api.model
    def _get_operation_record(self, operation):
        """Return the record whose form shows what the operation works on; none when it is gone."""
        return self.env[operation.res_model].browse(operation.res_id).exists()

    @api.model
    def _retry_operation(self, operation):
        """Reserve again what an operation that is retried needs; return its request."""
        return operation.request
