from dateutil.relativedelta import relativedelta

from odoo import fields, models


class DatabasesDemoReturn(models.Model):
    """A tax return as an accounting firm keeps them: a deadline, and how far it is."""

    _name = "databases.demo.return"
    _description = "Demo Tax Return"
    _order = "deadline, id"

    name = fields.Char(required=True)
    code = fields.Char(required=True)
    deadline = fields.Date(required=True)
    state = fields.Selection(
        [("open", "Open"), ("ready", "Ready"), ("done", "Done")], default="open", required=True
    )

    def _get_status(self):
        """Return the status of one kind of return, as ``kpi.provider`` documents them."""
        today = fields.Date.context_today(self)
        waiting = self.filtered(lambda item: item.state != "done").sorted("deadline")
        if not waiting:
            return "done"
        nearest = waiting[0]
        if nearest.deadline < today:
            return "late"
        if nearest.state == "ready":
            return "to_submit"
        return "to_do" if nearest.deadline < today + relativedelta(months=3) else "longterm"
