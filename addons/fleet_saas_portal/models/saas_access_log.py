from odoo import fields, models


class SaasAccessLog(models.Model):
    """A ticket that was signed: who went into which database as whom, and why."""

    _name = "saas.access.log"
    _description = "Login to a Hosted Database"
    _order = "id DESC"
    _rec_name = "login"

    # The line outlives a deleted instance: then its name is what is left.
    instance_id = fields.Many2one(
        "saas.instance", readonly=True, index="btree_not_null", ondelete="set null"
    )
    name = fields.Char("Database", required=True, readonly=True)
    company_id = fields.Many2one("res.company", required=True, readonly=True, index=True)
    create_date = fields.Datetime("When", readonly=True)
    user_id = fields.Many2one("res.users", "Who", readonly=True, ondelete="set null")
    user_name = fields.Char("Name", required=True, readonly=True)
    login = fields.Char("Went In As", required=True, readonly=True)
    is_operator = fields.Boolean("Operator", readonly=True)
    reason = fields.Char(readonly=True)
    access_id = fields.Many2one(
        "saas.access.request", readonly=True, index="btree_not_null", ondelete="restrict"
    )
    address = fields.Char("From Address", readonly=True)
    number = fields.Char("Ticket", readonly=True, help="The same number as in the database's list.")
