import secrets

from passlib.context import CryptContext
from psycopg2.errors import UniqueViolation

from odoo import fields, models
from odoo.exceptions import UserError
from odoo.fields import NO_ACCESS

from odoo.addons.fleet_databases import settings
from odoo.addons.fleet_databases.vault import Vault, VaultError

from .saas_instance_ask import OURS

# As Odoo makes and stores an API key (odoo/addons/base/models/res_users.py).
KEY_BYTES, INDEX_LENGTH = 20, 8
KEY_CONTEXT = CryptContext(["pbkdf2_sha512"], pbkdf2_sha512__rounds=6000)
MONITORED = ("active", "suspended", "archived")
OURS |= {"monitor_index", "monitor_date", "monitor_problem"}


class SaasInstance(models.Model):
    """The key by which the fleet list reads the figures of an instance's database.

    It is made here and kept encrypted; the server is told its hash alone.
    """

    _inherit = "saas.instance"
    _quiet_kinds = ("document", "domains", "monitor")
    _fleet_encrypted = {"monitor_secret": ()}

    monitor_secret = fields.Char(copy=False, exportable=False, groups=NO_ACCESS)
    monitor_index = fields.Char(readonly=True, copy=False, groups=NO_ACCESS)
    monitor_date = fields.Datetime("Monitored Since", readonly=True, copy=False)
    monitor_problem = fields.Char("Why It Is Not Monitored", readonly=True, copy=False)

    # --- asking

    def action_monitor(self):
        """Have a new key set, by which the fleet list reads the figures; the former one ends."""
        self.check_access("write")
        for instance in self:
            instance._check_state(*MONITORED)
            if not instance.server_id or not instance.url:
                raise UserError(
                    self.env._(
                        "%s has no address yet: synchronize its server, then try again.",
                        instance.name,
                    )
                )
            instance.sudo()._ask_monitor()
            if instance.monitor_problem:
                raise UserError(instance.monitor_problem)

    def _ask_monitor(self):
        """Ask the server to set a new key, or note why that cannot be; needs sudo."""
        self.ensure_one()
        if not self._server_knows("monitor"):
            self.monitor_problem = self.env._(
                "The server %s cannot set keys yet: update its app, then synchronize it here.",
                self.server_id.name,
            )
        elif told := self._make_monitor_key():
            self._ask_server(self.server_id, "monitor", self.name, {"key": told})

    def _server_knows(self, kind, argument=None):
        """Tell whether the server has said that it knows a kind of operation, or its argument."""
        kinds = self.server_id.sudo().kinds or {}
        return kind in kinds and (not argument or argument in (kinds[kind].get("arguments") or {}))

    def _make_monitor_key(self):
        """Make a key that counts when the server has set it; return what the server is told.

        :return: ``{"index", "hash"}``; None when this portal cannot keep keys
        """
        key = secrets.token_hex(KEY_BYTES)
        try:
            kept = Vault(settings.secret_keys()).encrypt(key)
        except VaultError as error:
            self.monitor_problem = self.env["databases.run.line"]._get_sentence(
                f"secret_{error.code}", {}
            )
            return None
        index = key[:INDEX_LENGTH]
        self.write({"monitor_secret": kept, "monitor_index": index, "monitor_problem": False})
        return {"index": index, "hash": KEY_CONTEXT.hash(key)}

    def _prepare_create(self):
        arguments = super()._prepare_create()
        if self._server_knows("create", "monitor") and (told := self.sudo()._make_monitor_key()):
            arguments["monitor"] = told
        return arguments

    # --- hearing of it

    def _apply_create(self, request):
        super()._apply_create(request)
        login = request._get_evidence("personalise", "monitor")
        told = request.arguments.get("monitor")
        if login and told:
            self.sudo()._use_monitor_key(told["index"], login)
        else:
            # A copy, or a template without the app Hosted Database.
            self.sudo()._ask_monitor()

    def _apply_monitor(self, request):
        login = request._get_evidence("write", "login")
        self.sudo()._use_monitor_key(request.arguments["key"]["index"], login)

    def _use_monitor_key(self, index, login):
        """Give the database record the key that the server has set, unless a newer one comes."""
        self.ensure_one()
        if not login or index != self.monitor_index or not self.monitor_secret:
            return
        self._link_database()
        if not self.project_id:
            return
        # Encrypted as it is: the vault is the same.
        self.project_id.write(
            {
                "database_url": self.url,
                "database_name": self.name,
                "database_api_login": login,
                "active": True,
            }
        )
        self.project_id.database_api_key_secret = self.monitor_secret
        self.project_id._reset_database_errors()
        self.write(
            {
                "monitor_secret": False,
                "monitor_index": False,
                "monitor_date": fields.Datetime.now(),
                "monitor_problem": False,
            }
        )
        self._read_figures_soon()

    def _read_figures_soon(self):
        """Have the fleet list read the figures as soon as this transaction commits."""
        Run = self.env["databases.run"]
        items = [{"project_id": project.id} for project in self.project_id]
        Run._create_run("sync", items, background=True)
        self.env.ref("fleet_databases.ir_cron_work")._trigger()

    def _request_ended(self, request):
        if request.kind == "monitor" and request.state != "done":
            self.sudo().monitor_problem = request.error or request._get_state_label()
            return None
        return super()._request_ended(request)

    # --- following the database

    def write(self, vals):
        if not {"url", "name"} & vals.keys():
            return super().write(vals)
        before = {instance.id: instance.url for instance in self}
        result = super().write(vals)
        for instance in self.sudo():
            instance._take_record_along(before[instance.id])
        return result

    def _take_record_along(self, before):
        """Have the database record follow the address, with its key: it is the same database."""
        project = self.project_id
        if not project or not self.url or project.database_url != before:
            return
        if (project.database_url, project.database_name) == (self.url, self.name):
            return
        kept = project.database_api_key_secret
        expiry = project.database_api_key_expiry
        values = {
            "name": self.name,
            "database_url": self.url,
            "database_name": self.name,
            "database_api_key_expiry": expiry,
        }
        try:
            with self.env.cr.savepoint():
                project.write(values)
        # A server may say what is no address, or another's: it must be heard all the same.
        except UserError as error:
            self.monitor_problem = str(error)
        except UniqueViolation:
            self.monitor_problem = self.env._(
                "Another database in the list has the address %s.", self.url
            )
        else:
            project.database_api_key_secret = kept

    def _apply_resume(self, request):
        super()._apply_resume(request)
        self.project_id.sudo()._reset_database_errors()

    def _apply_drop(self, request):
        super()._apply_drop(request)
        project = self.project_id.sudo()
        project.write({"active": False})
        project.database_api_key_secret = False
        self.sudo().write({"monitor_secret": False, "monitor_date": False})
