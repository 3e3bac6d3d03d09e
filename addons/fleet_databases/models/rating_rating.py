from odoo import api, fields, models


class RatingRating(models.Model):
    _inherit = "rating.rating"

    # Odoo's own link is a pair of a model and a number, over which no record rule can look.
    database_project_id = fields.Many2one(
        "project.project",
        compute="_compute_database_project_id",
        store=True,
        index="btree_not_null",
        export_string_translation=False,
    )

    @api.depends("res_model", "res_id", "parent_res_model", "parent_res_id")
    def _compute_database_project_id(self):
        ids = {}
        for rating in self:
            pairs = (
                (rating.res_model, rating.res_id),
                (rating.parent_res_model, rating.parent_res_id),
            )
            ids[rating] = next(
                (res_id for model, res_id in pairs if model == "project.project"), False
            )
        existing = self.env["project.project"].sudo().browse(filter(None, ids.values())).exists()
        for rating in self:
            rating.database_project_id = ids[rating] if ids[rating] in existing.ids else False
