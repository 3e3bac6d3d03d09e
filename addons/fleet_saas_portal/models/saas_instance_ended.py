import logging
from datetime import timedelta

from odoo import api, fields, models

from .ir_cron import RIVALS
from .saas_instance_customer import KEEP_DAYS
from .saas_instance_delete import ARGUMENTS

_logger = logging.getLogger(__name__)
BATCH = 20  # a run: each of them takes a last backup


class SaasInstance(models.Model):
    """What customers have left is deleted when its time is over, as their pages say."""

    _inherit = "saas.instance"

    delete_on = fields.Date(
        "Deleted After",
        readonly=True,
        copy=False,
        index="btree_not_null",
        help="After this day the archived database is backed up once more and deleted. Databases "
        "that an operator has archived have none.",
    )

    def _apply_archive(self, request):
        result = super()._apply_archive(request)
        if self.end_date or self.subscription_id.state == "closed":
            days = timedelta(days=self.plan_id.keep_days if self.plan_id else KEEP_DAYS)
            self.delete_on = self.undelete_until or fields.Date.context_today(self) + days
        return result

    def _apply_undelete(self, request):
        self.delete_on = False
        return super()._apply_undelete(request)

    @api.model
    def _cron_delete_ended(self):
        """Have those deleted whose day is over; one that cannot be holds up no other."""
        due = self.search(
            [
                ("state", "=", "archived"),
                ("delete_on", "<", fields.Date.context_today(self)),
                ("is_deleting", "=", False),
            ],
            order="delete_on, id",
        )
        for instance in due.filtered(lambda each: not each.request_id)[:BATCH]:
            try:
                with self.env.cr.savepoint():
                    instance._delete_ended()
            except RIVALS:
                raise
            except Exception:
                _logger.exception("%s cannot be deleted", instance.name)

    def _delete_ended(self):
        """Take the last backup; what follows is as when an administrator deletes it."""
        self.ensure_one()
        self._ask_server(self.server_id, "backup", self.name, ARGUMENTS["backup"])
        self.is_deleting = True
