from datetime import timedelta

from odoo import api, fields, models
from odoo.fields import Domain

from ..proof import MISSING, OTHER, SEEN

EVERY = timedelta(days=1)


class SaasDomain(models.Model):
    """A name that was proven is looked up again every day: it may be somebody else's by now.

    Nothing is taken away by that: a record may be gone by mistake, and the database with it. Somebody
    of the hoster is told, once. What an operator vouched for, and the portal never saw, is not missed.
    """

    _inherit = "saas.domain"

    watched = fields.Datetime("Looked Up Again On", readonly=True, copy=False, index=True)
    seen = fields.Datetime("Record Seen On", readonly=True, copy=False)
    lost_since = fields.Datetime("Record Gone Since", readonly=True, copy=False)

    @api.depends("lost_since")
    def _compute_explanation(self):
        return super()._compute_explanation()

    def _explain(self):
        words = super()._explain()
        if words or not self.lost_since:
            return words
        return self.env._(
            "The DNS has no TXT record %(name)s with the value %(value)s any more. It has to stay there "
            "as long as the database answers at %(host)s.",
            name=self.record_name,
            value=self.record_value,
            host=self.name,
        )

    def _prove(self):
        proven = super()._prove()
        if proven:
            self.seen = self.watched = fields.Datetime.now()
        return proven

    @api.model
    def _cron_check(self):
        if not super()._cron_check():
            return False
        before = fields.Datetime.now() - EVERY
        due = Domain("watched", "=", False) | Domain("watched", "<=", before)
        proven = Domain("state", "in", ("proven", "active"))
        again = self.search(due & proven, order="watched")
        return self._look_at(again, "_take_look_again")

    def _take_look_again(self, found):
        """Write what a look at a name that is proven has found; servers that are silent say nothing."""
        self.ensure_one()
        now = fields.Datetime.now()
        self.watched = now
        if found == SEEN:
            self.write({"seen": now, "lost_since": False})
        elif found in (MISSING, OTHER) and self.seen and not self.lost_since:
            self.lost_since = now
            self._warn()

    def _warn(self):
        """Have the responsible person ask the customer."""
        instance = self.instance_id
        body = self.env._("The host name %(name)s: %(why)s", name=self.name, why=self.explanation)
        instance.message_post(body=body)
        staff = instance._get_staff(instance)
        told = self.with_context(lang=staff.lang)
        summary = told.env._("The proof of %s is gone", self.name)
        instance._make_task(instance, staff, summary, told.explanation)
