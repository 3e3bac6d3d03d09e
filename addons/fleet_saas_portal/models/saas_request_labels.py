from odoo import api, fields, models
from odoo.tools.translate import LazyTranslate

_lt = LazyTranslate(__name__)

# Before the name of what it is done to.
KINDS = {
    "administrator": _lt("Reset the Administrator of"),
    "adopt": _lt("Take Over"),
    "archive": _lt("Archive"),
    "backup": _lt("Back Up"),
    "create": _lt("Create"),
    "document": _lt("Tell Plan and Limits to"),
    "domains": _lt("Lead Own Host Names to"),
    "drop": _lt("Delete"),
    "duplicate": _lt("Copy Into"),
    "export": _lt("Make a Download of"),
    "forget_backups": _lt("Forget the Backups of"),
    "hand_over": _lt("Hand Over to Another Server"),
    "modules": _lt("Change the Modules of"),
    "monitor": _lt("Let the Key Figures Be Read of"),
    "parameters": _lt("Set Parameters of"),
    "rename": _lt("Rename"),
    "restore": _lt("Restore"),
    "restore_as": _lt("Restore Into"),
    "resume": _lt("Resume"),
    "revert": _lt("Go Back to a Snapshot of"),
    "snapshot": _lt("Take a Snapshot of"),
    "suspend": _lt("Suspend"),
    "take_back": _lt("Take Back From Another Server"),
    "take_over": _lt("Take Over From Another Server"),
    "template_build": _lt("Build Template"),
    "undelete": _lt("Bring Back"),
}
# The server's steps. One that is not here is shown by its name.
STEPS = {
    "activate": _lt("Switch on"),
    "archive": _lt("Archive"),
    "check": _lt("Check"),
    "close": _lt("Close the address"),
    "closed": _lt("Check that nobody is in it"),
    "confirm": _lt("Read the backup back"),
    "copy": _lt("Copy"),
    "drop": _lt("Remove"),
    "files": _lt("Copy the files"),
    "first_request": _lt("Open the first page"),
    "forget": _lt("Remove old backups"),
    "hide": _lt("Take off the air"),
    "install": _lt("Install"),
    "load": _lt("Load the backup"),
    "open": _lt("Open the address"),
    "personalise": _lt("Personalise"),
    "publish": _lt("Name"),
    "reopen": _lt("Open the address again"),
    "repository": _lt("Prepare the repository"),
    "reserve": _lt("Reserve"),
    "route": _lt("Connect the address"),
    "seal": _lt("Seal"),
    "show": _lt("Put on the air"),
    "sign": _lt("Sign"),
    "snapshot": _lt("Take a snapshot"),
    "take": _lt("Take"),
    "verify": _lt("Verify"),
    "work": _lt("Change the modules"),
    "write": _lt("Write"),
}


class SaasRequest(models.Model):
    """What operations and their steps are called."""

    _inherit = "saas.request"

    told_steps = fields.Json(compute="_compute_told_steps", export_string_translation=False)

    @api.depends("kind", "target")
    @api.depends_context("lang")
    def _compute_name(self):
        for request in self:
            request.name = f"{self._get_label(KINDS, request.kind)} {request.target}"

    @api.depends("steps")
    @api.depends_context("lang")
    def _compute_told_steps(self):
        for request in self:
            request.told_steps = [
                {**step, "label": self._get_step_label(step["name"])}
                for step in request.steps or []
            ]

    @api.depends_context("lang")
    def _compute_doing(self):
        super()._compute_doing()
        for request in self:
            if request.doing and not request.waits:
                request.doing = self._get_step_label(request.doing)

    def _get_state_label(self):
        """Return what the state is called in the user's language."""
        self.ensure_one()
        return dict(self._fields["state"]._description_selection(self.env))[self.state]

    @api.model
    def _get_step_label(self, name):
        """Return what a step of the server is called in the user's language."""
        return self._get_label(STEPS, name)

    @api.model
    def _get_label(self, labels, name):
        # The texts of the tables are exported where they stand; here one is only chosen.
        translate = self.env._
        return translate(labels[name]) if name in labels else name.replace("_", " ").capitalize()
