from odoo import fields, models
from odoo.exceptions import UserError

from .saas_instance_ask import OURS
from .saas_subscription import WANTED

OURS |= {"is_suspended_with"}


class SaasInstance(models.Model):
    _inherit = "saas.instance"

    is_suspended_with = fields.Boolean(
        "Suspended With Its Original",
        readonly=True,
        copy=False,
        help="It is resumed with the database of which it is a copy.",
    )

    def _follow_original(self, goes):
        """Suspend or resume this copy; return False when it is busy now."""
        self.ensure_one()
        if self.request_id:
            # What is under way may be this very thing.
            return self.request_id.kind == ("suspend" if goes else "resume")
        try:
            with self.env.cr.savepoint():
                if goes:
                    self.action_suspend()
                    self.is_suspended_with = True
                else:
                    self.action_resume()
        except UserError as error:
            self.problem = str(error)
        return True

    def write(self, vals):
        if vals.get("state", "suspended") != "suspended":
            vals = {**vals, "is_suspended_with": False}
        return super().write(vals)


class SaasSubscription(models.Model):
    """Staging copies are paid for with their original: they are off the air when it is."""

    _inherit = "saas.subscription"

    def _align(self):
        was_pending = self.is_pending
        super()._align()
        if was_pending and not self._align_copies():
            # Asked again by the scheduled action, when the copy's operation has ended.
            self.is_pending = True

    def _align_copies(self):
        """Ask the staging copies for what the original shall be; return False when one is busy."""
        self.ensure_one()
        wanted, free = WANTED[self.state], True
        for copy in self.sudo().instance_id.child_ids.filtered(lambda x: x.purpose == "staging"):
            goes = wanted == "suspended" and copy.state == "active"
            comes = wanted == "active" and copy.state == "suspended" and copy.is_suspended_with
            if not (goes or comes):
                continue
            free = copy._follow_original(goes) and free
        return free
