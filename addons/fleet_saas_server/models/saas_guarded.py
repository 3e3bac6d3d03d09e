from odoo import models
from odoo.exceptions import AccessError


class SaasGuarded(models.AbstractModel):
    """Records whose readonly fields are changed by the server alone.

    For Odoo ``readonly`` is a matter of the screens: whoever may write a record over RPC may write
    every field of it, also the name of the database that an operation will work on.
    """

    _name = "saas.guarded"
    _description = "Record With Fields of the Server"

    def write(self, vals):
        if not self.env.su:
            found = [name for name in vals if name in self._fields and self._fields[name].readonly]
            if found:
                raise AccessError(
                    self.env._("Only the server itself writes: %s.", ", ".join(sorted(found)))
                )
        return super().write(vals)
