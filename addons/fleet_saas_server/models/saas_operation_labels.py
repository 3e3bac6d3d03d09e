"""What operations and their steps are called; tests find a kind or a step that has no label."""

from odoo import api, models
from odoo.tools.translate import LazyTranslate

_lt = LazyTranslate(__name__)

KIND_LABELS = {
    "check": _lt("Check"),
    "create": _lt("Create"),
    "duplicate": _lt("Duplicate into"),
    "pool_fill": _lt("Add to the Pool of"),
}

STEP_LABELS = {
    "activate": _lt("Turn on its scheduled actions and mail"),
    "copy": _lt("Copy the database"),
    "files": _lt("Give it its files"),
    "first_request": _lt("Open its first page"),
    "fits": _lt("Look whether the machine has room"),
    "folders": _lt("Look at the folders"),
    "personalise": _lt("Write its company, administrator and address"),
    "postgres": _lt("Look at PostgreSQL"),
    "programs": _lt("Look at the programs"),
    "publish": _lt("Give it its name"),
    "register": _lt("Put it into the pool"),
    "reserve": _lt("Look whether the name and the machine allow it"),
    "route": _lt("Open its address"),
    "seal": _lt("Seal the copy"),
    "verify": _lt("Check the seal on a second connection"),
}

# What an evidence is called where its technical name would not be understood.
FACT_LABELS = {
    "files": _lt("files"),
    "bytes": _lt("size"),
    "how": _lt("by"),
    "hidden": _lt("hidden as"),
    "physical": _lt("name in PostgreSQL"),
    "pooled": _lt("taken from the pool"),
    "neutralized": _lt("neutralised"),
    "host": _lt("host name"),
    "files_free_mb": _lt("free for files"),
    "backups_free_mb": _lt("free for backups"),
    "work_free_mb": _lt("free for work"),
    "superuser": _lt("superuser"),
    "version": _lt("version"),
    "role": _lt("role"),
}


class SaasOperation(models.Model):
    _inherit = "saas.operation"

    @api.model
    def _get_kind_label(self, name):
        return _text(self.env, KIND_LABELS, name)


class SaasOperationStep(models.Model):
    _inherit = "saas.operation.step"

    @api.model
    def _get_label(self, name):
        return _text(self.env, STEP_LABELS, name)

    @api.model
    def _get_fact_label(self, name):
        """Return what a fact of the evidence is called in the user's language."""
        return _text(self.env, FACT_LABELS, name).replace("_", " ")


def _text(env, labels, name):
    # The texts of the tables are exported where they stand; here one is only chosen.
    translate = env._
    return translate(labels[name]) if name in labels else name
