import logging
import time

from odoo import api, fields, models
from odoo.exceptions import UserError, ValidationError
from odoo.fields import NO_ACCESS

from odoo.addons.fleet_databases import settings
from odoo.addons.fleet_databases.models.databases_sentences import ERROR_CODES, error_state
from odoo.addons.fleet_databases.remote import Access, RemoteError, UrlError, normalize_url
from odoo.addons.fleet_databases.vault import Vault, VaultError

from ..contract import HostingServer
from .ir_cron import RIVALS

_logger = logging.getLogger(__name__)

API = 1  # the version of the servers' contract that is spoken here


class SaasRegion(models.Model):
    """Where servers stand, as customers choose it."""

    _name = "saas.region"
    _description = "Hosting Region"
    _order = "sequence, name, id"

    name = fields.Char(required=True, translate=True)
    code = fields.Char(required=True)
    sequence = fields.Integer(default=10)

    _code_uniq = models.Constraint("UNIQUE(code)", "Another region has this code.")


class SaasServer(models.Model):
    """A machine that hosts databases, and the key by which it is asked."""

    _name = "saas.server"
    _description = "Hosting Server"
    _inherit = ["mail.thread", "mail.activity.mixin"]
    _order = "sequence, name, id"
    _fleet_encrypted = {"api_key_secret": ()}

    name = fields.Char(required=True, tracking=True)
    sequence = fields.Integer(default=10, export_string_translation=False)
    active = fields.Boolean(default=True)
    company_id = fields.Many2one("res.company", index="btree_not_null")
    region_id = fields.Many2one("saas.region", index="btree_not_null", tracking=True)
    url = fields.Char(
        "Address", required=True, tracking=True, help="Such as https://server1.example.com"
    )
    database = fields.Char(
        required=True,
        tracking=True,
        help="Name of the server's own database, the one with the Hosting Server app.",
    )
    api_key = fields.Char(
        "API Key",
        compute="_compute_api_key",
        inverse="_inverse_api_key",
        copy=False,
        exportable=False,
        groups="fleet_saas_portal.group_saas_admin",
        help="Key of a user of the server who holds the group Hosting Agent and no other. It is "
        "stored encrypted and never shown again: fill in a new one to replace it.",
    )
    api_key_secret = fields.Char(copy=False, exportable=False, groups=NO_ACCESS)
    has_api_key = fields.Boolean(
        "API Key Stored", compute="_compute_has_api_key", compute_sudo=True
    )
    ca = fields.Text(
        "Trusted Certificate",
        copy=False,
        groups="fleet_saas_portal.group_saas_admin",
        help="For a server whose certificate no public authority has signed: the certificate (PEM) "
        "of the authority that signed it.",
    )
    accepts_new = fields.Boolean(
        "Takes New Databases", default=True, tracking=True, help="Off: it keeps those it has."
    )
    max_instances = fields.Integer("Most Instances", help="0 for no limit but the server's own.")

    domain = fields.Char("Databases Answer Below", readonly=True, copy=False)
    kinds = fields.Json(readonly=True, copy=False, groups=NO_ACCESS)
    capacity = fields.Json(readonly=True, copy=False, groups=NO_ACCESS)
    last_contact = fields.Datetime("Last Answer", readonly=True, copy=False)
    error_code = fields.Selection(ERROR_CODES, "Last Error", readonly=True, copy=False)
    error_params = fields.Json(readonly=True, copy=False, groups=NO_ACCESS)
    error = fields.Char("What Went Wrong", compute="_compute_error")
    error_since = fields.Datetime("Silent Since", readonly=True, copy=False)
    state = fields.Selection(
        [
            ("new", "Never Asked"),
            ("ok", "In Order"),
            ("credentials", "Credentials"),
            ("unreachable", "Unreachable"),
            ("error", "Error"),
        ],
        compute="_compute_state",
        store=True,
        index=True,
    )
    instance_ids = fields.One2many("saas.instance", "server_id", "Instances")
    instance_count = fields.Integer(compute="_compute_instance_count")

    _url_uniq = models.UniqueIndex(
        "(url, database)", "Another server has this address. It may be archived."
    )

    # --- computed

    @api.depends("api_key_secret")
    def _compute_api_key(self):
        # Write-only: what is stored is never read back into a form, an export or an RPC answer.
        self.api_key = False

    @api.depends("api_key_secret")
    def _compute_has_api_key(self):
        for server in self:
            server.has_api_key = bool(server.api_key_secret)

    def _inverse_api_key(self):
        vault = self.env["project.project"]._get_vault()
        for server in self:
            key = (server.api_key or "").strip()
            server.sudo().write(
                {"api_key_secret": vault.encrypt(key) if key else False, "error_code": False}
            )
        self.invalidate_recordset(["api_key"])

    @api.depends("error_code", "error_params")
    @api.depends_context("lang")
    def _compute_error(self):
        for server in self:
            server.error = self.env["databases.run.line"]._get_sentence(
                server.error_code, server.sudo().error_params
            )

    @api.depends("error_code", "last_contact")
    def _compute_state(self):
        for server in self:
            if server.error_code:
                server.state = error_state(server.error_code)
            else:
                server.state = "ok" if server.last_contact else "new"

    @api.depends("instance_ids.state")
    def _compute_instance_count(self):
        counts = dict(
            self.env["saas.instance"]._read_group(
                [
                    ("server_id", "in", self.ids),
                    ("state", "not in", ("draft", "failed", "deleted")),
                ],
                ["server_id"],
                ["__count"],
            )
        )
        for server in self:
            server.instance_count = counts.get(server._origin, 0)

    # --- writing

    @api.constrains("ca")
    def _check_ca(self):
        for server in self:
            text = (server.ca or "").strip()
            if text and ("BEGIN CERTIFICATE" not in text or "PRIVATE KEY" in text):
                raise ValidationError(
                    self.env._(
                        "Trusted Certificate of %s must be a certificate in PEM format and hold no "
                        "private key.",
                        server.name,
                    )
                )

    @api.model_create_multi
    def create(self, vals_list):
        return super().create([self._prepare_vals(vals) for vals in vals_list])

    def write(self, vals):
        vals = self._prepare_vals(vals)
        moved = self.filtered(
            lambda server: any(
                name in vals and vals[name] != server[name] for name in ("url", "database")
            )
        )
        if moved and "api_key" not in vals:
            # A key is never sent to another address than the one it was entered for.
            super(SaasServer, moved.sudo()).write({"api_key_secret": False})
        return super().write(vals)

    @api.model
    def _prepare_vals(self, vals):
        if not vals.get("url"):
            return vals
        try:
            return {**vals, "url": normalize_url(vals["url"])}
        except UrlError as error:
            reason = self.env["databases.run.line"]._get_url_sentence(error)
            raise ValidationError(
                self.env._("Address “%(url)s”: %(reason)s", url=vals["url"][:200], reason=reason)
            ) from error

    @api.ondelete(at_uninstall=False)
    def _unlink_except_used(self):
        for server in self:
            if server.instance_ids:
                raise UserError(
                    self.env._("%s has instances; archive it instead of deleting it.", server.name)
                )

    # --- asking

    def _prepare_access(self):
        """Return what a thread needs to ask this server; must be called as sudo.

        :raises VaultError: the key is stored and cannot be read
        """
        self.ensure_one()
        key = ""
        if self.api_key_secret:
            key = Vault(settings.secret_keys()).decrypt(self.api_key_secret)
        # JSON-2 has no login; the client only wants to see none missing.
        return Access(
            url=self.url, database=self.database, login="agent", key=key, ca=self.ca or None
        )

    def _write_error(self, code, params):
        """Note why the server could not be asked, and since when."""
        self.write(
            {
                "error_code": code,
                "error_params": params,
                "error_since": self.error_since or fields.Datetime.now(),
            }
        )

    def _write_contact(self, **values):
        """Note that the server has answered."""
        self.write(
            {
                "last_contact": fields.Datetime.now(),
                "error_code": False,
                "error_params": False,
                "error_since": False,
                **values,
            }
        )

    def action_synchronize(self):
        """Ask the server what it can do, and compare what it hosts with the records here."""
        for server in self:
            server.check_access("write")
            server.sudo()._synchronize()
        failed = self.filtered("error_code")
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "warning" if failed else "success",
                "message": failed[:1].error or self.env._("The server has answered."),
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }

    def _synchronize(self):
        """Ask this server, under the client's time limit, and write what it says."""
        self.ensure_one()
        asked = self._note_requests()
        answer, error = asked._ask_all()
        # Nothing was written yet: the button only waits until the scheduled actions have.
        asked._wait_alone()
        asked._take_answer(answer, error)

    def _ask_all(self):
        """Ask for capabilities and inventory; return them, or None and why there are none."""
        try:
            asked = HostingServer(self._prepare_access(), settings.network_policy())
            return (asked.capabilities(), asked.inventory()), None
        except VaultError as error:
            return None, (f"secret_{error.code}", {})
        except RemoteError as error:
            return None, (error.code, error.params)

    def _take_answer(self, answer, error):
        """Write what `_ask_all` has returned."""
        if error:
            self._write_error(*error)
            return
        able, inventory = answer
        self._write_contact(domain=able.domain, kinds=able.kinds, capacity=able.capacity)
        self.env["saas.template"]._take_server_templates(self, able.templates)
        self.env["saas.instance"]._take_inventory(self, inventory)

    def _wait_alone(self):
        """Commit, and begin a transaction in which nobody else writes what this server says.

        Two scheduled actions hear of the same records: the later one would fail for having seen
        them before the other one's commit.
        """
        self.ensure_one()
        for _attempt in range(200):
            self.env.cr.commit()
            self.env.invalidate_all()
            try:
                if self.try_lock_for_update(allow_referencing=True):
                    return
            except RIVALS:
                # The other one has committed since this transaction began.
                self.env.cr.rollback()
            time.sleep(0.05)

    @api.model
    def _cron_synchronize(self):
        """Ask every server; one that does not answer holds up no other's records."""
        servers = self.search([])
        self.env["ir.cron"]._commit_progress(remaining=len(servers))
        for server in servers:
            try:
                asked = server._note_requests()
                answer, error = asked._ask_all()
                asked._wait_alone()
                asked._take_answer(answer, error)
                self.env.flush_all()
            except RIVALS:
                raise
            except Exception:
                self.env.cr.rollback()
                _logger.exception("Server %s", server.name)
            self.env["ir.cron"]._commit_progress(1)

    def action_open_server(self):
        """Open the server's own interface."""
        self.ensure_one()
        return {"type": "ir.actions.act_url", "url": f"{self.url}/odoo", "target": "new"}

    @api.model
    def _choose(self, template, servers=None, region=None, instance=None):
        """Return the server that a new database goes to; the freest of those that may take it.

        :param servers: the plan's pool; every server when empty
        :param instance: whose customer may want a server of its own
        :raises UserError: none may take it
        """
        ready = template.line_ids.filtered(lambda line: line.state == "ready").server_id
        found = (servers & ready if servers else ready).filtered(
            lambda server: (
                server.accepts_new
                and server.active
                and (not region or server.region_id == region)
                and (not server.max_instances or server.instance_count < server.max_instances)
            )
        )
        found = found._leave_alone(instance) if instance else found
        if not found:
            raise UserError(
                self.env._(
                    "No server can take a new database of the template %s now. Build the template "
                    "on a server that takes new databases, or add one.",
                    template.name,
                )
            )
        reachable = found.filtered(lambda server: server.state == "ok") or found
        return reachable.sorted(lambda server: (-server._get_free_places(), server.sequence))[0]

    def _get_free_places(self):
        """Return how many databases still fit, as far as this is known."""
        self.ensure_one()
        room = (self.sudo().capacity or {}).get("free_places")
        places = [room] if isinstance(room, int) else []
        if self.max_instances:
            places.append(self.max_instances - self.instance_count)
        return min(places, default=10_000 - self.instance_count)
