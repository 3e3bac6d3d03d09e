from odoo import fields, models
from odoo.fields import NO_ACCESS


class SaasServer(models.Model):
    """What a server has told of how databases come to it from another one."""

    _inherit = "saas.server"

    handover_key = fields.Char(
        readonly=True, copy=False, groups=NO_ACCESS, export_string_translation=False
    )
    handover_places = fields.Json(
        readonly=True, copy=False, groups=NO_ACCESS, export_string_translation=False
    )

    def _take_answer(self, answer, error):
        super()._take_answer(answer, error)
        if not error:
            able, _inventory = answer
            self.sudo().write(
                {
                    "handover_key": able.handover_key or False,
                    "handover_places": able.handover_places,
                }
            )

    def _get_common_places(self, other):
        """Return the names of the backup places that this server and ``other`` both reach."""
        self.ensure_one()
        mine, theirs = self.sudo().handover_places or {}, other.sudo().handover_places or {}
        return [name for place, name in mine.items() if place in theirs]
