"""What operations and their steps are called; tests find a kind or a step that has no label."""

from odoo import api, models
from odoo.tools.translate import LazyTranslate

from ..hosting.health import SERVER
from ..hosting.template_names import TARGET_PREFIX

_lt = LazyTranslate(__name__)

# Before the name of what it works on.
KIND_LABELS = {
    "administrator": _lt("Reset the Administrator of"),
    "adopt": _lt("Adopt"),
    "archive": _lt("Archive"),
    "backup": _lt("Back Up"),
    "check": _lt("Check This Server"),
    "create": _lt("Create"),
    "document": _lt("Tell Its Plan and Limits to"),
    "domains": _lt("Lead Own Host Names to"),
    "drill": _lt("Rehearse Restoring"),
    "drop": _lt("Drop"),
    "duplicate": _lt("Duplicate Into"),
    "export": _lt("Make an Archive to Download of"),
    "export_archive": _lt("Make an Archive of"),
    "forget_backups": _lt("Forget the Backups of"),
    "hand_over": _lt("Hand Over to Another Server"),
    "import_archive": _lt("Take in an Archive as"),
    "modules": _lt("Change the Modules of"),
    "monitor": _lt("Set the Monitoring Key of"),
    "parameters": _lt("Set Parameters of"),
    "pool_drop": _lt("Take out of the Pool of"),
    "pool_fill": _lt("Add to the Pool of"),
    "reconcile": _lt("Compare Records and Machine"),
    "release": _lt("Release"),
    "rename": _lt("Rename"),
    "restore": _lt("Restore"),
    "restore_as": _lt("Restore Into"),
    "resume": _lt("Resume"),
    "revert": _lt("Go Back to a Snapshot of"),
    "snapshot": _lt("Take a Snapshot of"),
    "snapshot_drop": _lt("Drop a Snapshot of"),
    "suspend": _lt("Suspend"),
    "take_back": _lt("Take Back From Another Server"),
    "take_over": _lt("Take Over From Another Server"),
    "template_build": _lt("Build Template"),
    "template_checkout": _lt("Check Out Template"),
    "template_discard": _lt("Discard the Copy of Template"),
    "template_drop": _lt("Drop Versions of Template"),
    "template_import": _lt("Build From an Uploaded Backup the Template"),
    "template_publish": _lt("Publish Template"),
    "template_refresh": _lt("Compare With Its Addons the Template"),
    "template_rollback": _lt("Roll Back Template"),
    "undelete": _lt("Undelete"),
    "verify": _lt("Read Back the Backups of"),
}

STEP_LABELS = {
    "ahead": _lt("Save a first state while it is open"),
    "activate": _lt("Turn on its scheduled actions and mail"),
    "address": _lt("Write the new address into it"),
    "assets": _lt("Generate the assets of the first pages"),
    "boot": _lt("Start Odoo on the copy and open its login page"),
    "check": _lt("Look whether it can be done"),
    "claim": _lt("Look that nobody has taken it back"),
    "clean": _lt("Remove what was handed over"),
    "close": _lt("Close its address"),
    "closed": _lt("Look that nothing can reach it any more"),
    "compare": _lt("Compare"),
    "confirm": _lt("Read the backup back from its storage"),
    "copy": _lt("Copy the database"),
    "create": _lt("Make the hidden database"),
    "drop": _lt("Drop the database"),
    "files": _lt("Give it its files"),
    "find": _lt("Find the database"),
    "first_page": _lt("Open its first page where nobody sees it"),
    "first_request": _lt("Open its first page"),
    "fits": _lt("Look whether the machine has room"),
    "folders": _lt("Look at the folders"),
    "forget": _lt("Forget what the policy does not keep"),
    "hide": _lt("Hide the database"),
    "inspect": _lt("Look at the archive before anything of it is used"),
    "install": _lt("Install the modules"),
    "link": _lt("Make a link for the administrator"),
    "load": _lt("Restore the backup into a hidden database"),
    "open": _lt("Open its address"),
    "pack": _lt("Vacuum it and refresh its statistics"),
    "package": _lt("Seal the way to it for the other server"),
    "personalise": _lt("Write its company, administrator and address"),
    "postgres": _lt("Look at PostgreSQL"),
    "prepare": _lt("Seal it, so that sealing its clones takes no time"),
    "programs": _lt("Look at the programs"),
    "prune": _lt("Give back the room of forgotten backups"),
    "publish": _lt("Give it its name"),
    "put_aside": _lt("Put the database aside as a snapshot"),
    "put_in": _lt("Put the restored database in its place"),
    "read_back": _lt("Read a part of the backups back"),
    "register": _lt("Put it into the pool"),
    "release": _lt("Take our mark off it"),
    "remove_upload": _lt("Remove the uploaded archive"),
    "reopen": _lt("Open its address again"),
    "repair": _lt("Repair, and remove what dead operations left"),
    "repository": _lt("Prepare the repository"),
    "reserve": _lt("Look whether the name and the machine allow it"),
    "route": _lt("Open its address"),
    "routes": _lt("Forget its addresses"),
    "seal": _lt("Seal the copy"),
    "settle_in": _lt("Write address, mail server and plan of this server into it"),
    "settle": _lt("Set the language and the chart of accounts"),
    "show": _lt("Give it its name"),
    "shut": _lt("Close its address"),
    "sign": _lt("Sign the backup it came by"),
    "snapshot": _lt("Take a snapshot to go back to"),
    "strike_off": _lt("Strike it off the pool"),
    "swap": _lt("Exchange the database and the snapshot"),
    "take": _lt("Take it"),
    "verify": _lt("Check the seal on a second connection"),
    "void": _lt("Look that the other server has not opened it"),
    "work": _lt("Change the modules in an Odoo of its own"),
    "write": _lt("Write it into the database"),
}

# Steps that mean something else in one kind of operation.
KIND_STEP_LABELS = {
    "adopt.take": _lt("Mark the database as ours"),
    "archive.check": _lt("Look that nothing can reach it any more"),
    "backup.copy": _lt("Copy the backup to the other places"),
    "backup.take": _lt("Take the backup"),
    "drill.drop": _lt("Drop the copy"),
    "drill.seal": _lt("Make the copy inert"),
    "drop.check": _lt("Look whether it may go"),
    "drop.files": _lt("Remove its files and snapshots"),
    "export.drop": _lt("Drop the copy"),
    "export.write": _lt("Write the archive"),
    "export_archive.write": _lt("Write the archive"),
    "forget_backups.forget": _lt("Forget its backups"),
    "import_archive.load": _lt("Load the archive in the sandbox, where nobody sees it"),
    "modules.forget": _lt("Drop the snapshot"),
    "monitor.write": _lt("Write the hash of the key"),
    "pool_drop.drop": _lt("Drop the clone"),
    "reconcile.compare": _lt("Compare records, databases, files and addresses"),
    "revert.close": _lt("Close its address meanwhile"),
    "snapshot.take": _lt("Copy the database and its files"),
    "snapshot_drop.drop": _lt("Drop the snapshot"),
    "suspend.check": _lt("Look that nothing can reach it any more"),
    "template_build.close": _lt("Close it, so that it can only be copied"),
    "template_build.verify": _lt("Open its login page in an Odoo of its own"),
    "template_checkout.copy": _lt("Copy the published version"),
    "template_discard.drop": _lt("Drop the copy"),
    "template_drop.drop": _lt("Drop the versions"),
    "template_import.close": _lt("Close it, so that it can only be copied"),
    "template_import.load": _lt("Load the archive in the sandbox, where nobody sees it"),
    "template_import.seal": _lt("Take away whose database it was"),
    "template_import.verify": _lt("Open its login page in an Odoo of its own"),
    "template_publish.close": _lt("Close it, so that it can only be copied"),
    "template_publish.hide": _lt("Take the copy out of sight"),
    "template_publish.route": _lt("Close the address of the copy"),
    "template_publish.seal": _lt("Take away who edited it"),
    "template_publish.verify": _lt("Open its login page in an Odoo of its own"),
    "template_refresh.compare": _lt("Compare its modules with their folders"),
    "template_rollback.check": _lt("Look whether the version before can be used"),
}

# What a fact of the evidence is called where its technical name would not be understood.
FACT_LABELS = {
    "added": _lt("new"),
    "after": _lt("size after"),
    "all_seconds": _lt("seconds in all"),
    "asset_bytes": _lt("assets"),
    "assets_removed": _lt("assets removed"),
    "backup": _lt("backup"),
    "backups_free_mb": _lt("free for backups"),
    "before": _lt("size before"),
    "bytes": _lt("size"),
    "connection_limit": _lt("connections allowed"),
    "connections": _lt("connections in use"),
    "count": _lt("number"),
    "databases": _lt("databases"),
    "disk_free": _lt("disk free"),
    "disk_total": _lt("disk"),
    "file_bytes": _lt("files"),
    "files": _lt("files"),
    "files_free_mb": _lt("free for files"),
    "hidden": _lt("hidden as"),
    "host": _lt("host name"),
    "how": _lt("by"),
    "in_use": _lt("in use"),
    "memory_free": _lt("memory free"),
    "memory_total": _lt("memory"),
    "named": _lt("assets named"),
    "neutralized": _lt("neutralised"),
    "physical": _lt("name in PostgreSQL"),
    "pooled": _lt("taken from the pool"),
    "postgres_free": _lt("free for PostgreSQL"),
    "role": _lt("role"),
    "rows": _lt("rows"),
    "seconds": _lt("seconds"),
    "since": _lt("has its name since (UTC)"),
    "size": _lt("size"),
    "status": _lt("answer"),
    "stored": _lt("assets kept"),
    "superuser": _lt("superuser"),
    "version": _lt("version"),
    "work_free_mb": _lt("free for work"),
}

# What a step reports while it works; a module's name is shown as it is.
PROGRESS_LABELS = {
    text._source: text
    for text in (
        _lt("Collecting the files"),
        _lt("Comparing the manifests"),
        _lt("Comparing with the manifest"),
        _lt("Copying the backup"),
        _lt("Loading the database"),
        _lt("Loading the dump"),
        _lt("Reading the backups back"),
        _lt("Removing old data"),
        _lt("Restoring the files"),
        _lt("Saving the database"),
        _lt("Saving the files"),
        _lt("Waiting for another archive"),
    )
}

BYTE_FACTS = (
    "after",
    "before",
    "size",
    "disk_free",
    "disk_total",
    "memory_free",
    "memory_total",
    "postgres_free",
    "added",
)


class SaasOperation(models.Model):
    _inherit = "saas.operation"

    @api.depends("kind", "target")
    @api.depends_context("lang")
    def _compute_name(self):
        for operation in self:
            label = self._get_kind_label(operation.kind)
            # Operations on the whole machine need no name of what they work on.
            target = operation.target if operation.target != SERVER else ""
            operation.name = f"{label} {target.removeprefix(TARGET_PREFIX)}".strip()

    @api.model
    def _get_kind_label(self, name):
        return _text(self.env, KIND_LABELS, name)

    def _get_progress_label(self):
        """Return what the running step reports, in the user's language."""
        return _text(self.env, PROGRESS_LABELS, self.progress_text)


class SaasOperationStep(models.Model):
    _inherit = "saas.operation.step"

    @api.depends("name", "operation_id.kind")
    @api.depends_context("lang")
    def _compute_label(self):
        for step in self:
            own = f"{step.operation_id.kind}.{step.name}"
            if own in KIND_STEP_LABELS:
                step.label = _text(self.env, KIND_STEP_LABELS, own)
            else:
                step.label = self._get_label(step.name)

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
