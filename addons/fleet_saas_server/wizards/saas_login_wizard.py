from odoo import api, fields, models


class SaasLoginWizard(models.TransientModel):
    """Show how somebody logs in, to be copied and closed: nothing of it is stored."""

    _name = "saas.login.wizard"
    _description = "Login"

    address = fields.Char(store=False, readonly=True)
    login = fields.Char(store=False, readonly=True)
    password = fields.Char(store=False, readonly=True)

    @api.model
    def _get_show_action(self, title, **values):
        """Return the action that shows what is known; the other fields are left out."""
        return {
            "type": "ir.actions.act_window",
            "name": title,
            "res_model": self._name,
            "views": [[False, "form"]],
            "target": "new",
            "context": {f"default_{name}": value for name, value in values.items()},
        }
