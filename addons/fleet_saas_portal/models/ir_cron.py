import logging
import time

from odoo import api, models
from odoo.exceptions import ConcurrencyError
from odoo.service.model import PG_CONCURRENCY_EXCEPTIONS_TO_RETRY

_logger = logging.getLogger(__name__)

MODULE = "fleet_saas_portal"
RIVALS = (*PG_CONCURRENCY_EXCEPTIONS_TO_RETRY, ConcurrencyError)
TRIES = 5
PAUSE_S = 0.2


class IrCron(models.Model):
    """Scheduled actions of this addon are run again when somebody else wrote the same records.

    Odoo does so with requests (``retrying`` in odoo/service/model.py); a scheduled action fails with
    a traceback in the log, and comes again after its interval, a day for some.
    """

    _inherit = "ir.cron"

    def _callback(self, cron_name, server_action_id):
        tries = TRIES if self._is_of_portal() else 1
        for left in reversed(range(tries)):
            try:
                return super()._callback(cron_name, server_action_id)
            except Exception as error:
                if not left or not self._is_rival(error):
                    raise
                _logger.info("%s: somebody else was first, it is run again", cron_name)
                time.sleep(PAUSE_S * (tries - left))

    @api.model
    def _is_rival(self, error):
        # What is no error of PostgreSQL's comes wrapped, by `safe_eval`.
        return isinstance(error, RIVALS) or isinstance(error.__context__, RIVALS)

    def _is_of_portal(self):
        model = self.env.get(self.sudo().model_name)
        return model is not None and model._original_module == MODULE
