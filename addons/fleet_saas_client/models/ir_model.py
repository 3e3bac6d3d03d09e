from odoo import api, models
from odoo.exceptions import ValidationError

from .saas_client import TABLES

MEMBERS = ("res_groups_users_rel", "res_groups_implied_rel")
INTERNAL = "base.group_user"


class IrModelData(models.Model):
    """The xml id ``base.group_user`` says which group makes a user an internal one."""

    _inherit = "ir.model.data"

    @api.model_create_multi
    def create(self, vals_list):
        if not any(vals.get("name") == "group_user" for vals in vals_list):
            return super().create(vals_list)
        with self.env["saas.client"]._guard_users():
            return super().create(vals_list)

    def write(self, vals):
        names = {vals.get("name"), *self.sudo().mapped("name")}
        if "group_user" not in names:
            return super().write(vals)
        with self.env["saas.client"]._guard_users():
            return super().write(vals)

    @api.model
    def _update_xmlids(self, data_list, update=False):
        # An import gives xml ids by SQL of its own.
        if not any(data["xml_id"] == INTERNAL for data in data_list):
            return super()._update_xmlids(data_list, update)
        with self.env["saas.client"]._guard_users():
            return super()._update_xmlids(data_list, update)


class IrModelFields(models.Model):
    """A custom many2many field may name any table as its own: it then writes in it, and drops it."""

    _inherit = "ir.model.fields"

    @api.constrains("relation_table")
    def _check_relation_table_is_free(self):
        taken = {*TABLES}
        if self.env["saas.client"]._get_standing().is_enforced:
            # In a model's own table it deletes rows: that of this very module, for example.
            taken |= {*MEMBERS, *(model._table for model in self.env.values())}
        for field in self:
            if field.state == "manual" and field.relation_table in taken:
                raise ValidationError(
                    self.env._("The table %s is not for custom fields.", field.relation_table)
                )


class IrModelRelation(models.Model):
    """The tables that go when their module goes."""

    _inherit = "ir.model.relation"

    @api.constrains("name")
    def _check_name_is_free(self):
        if any(relation.name in TABLES for relation in self):
            raise ValidationError(self.env._("This table belongs to no many2many field."))
