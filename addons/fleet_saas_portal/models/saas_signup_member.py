from odoo import models


class SaasSignup(models.Model):
    _inherit = "saas.signup"

    def _signup_created(self, instance):
        """Make the person who signed up an owner of the database, not of all of the company's."""
        result = super()._signup_created(instance)
        instance = instance.sudo()
        if self.user_id and not instance._has_role(self.user_id, "owner"):
            instance.env["saas.member"].create(
                {
                    "partner_id": instance.partner_id.commercial_partner_id.id,
                    "instance_id": instance.id,
                    "user_id": self.user_id.id,
                    "role": "owner",
                }
            )
        return result
