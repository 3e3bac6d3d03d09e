from datetime import timedelta
from urllib.parse import urlsplit

from odoo import api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.fields import NO_ACCESS, Domain

from .. import settings
from ..remote import Access, UrlError, normalize_url
from ..vault import Vault, VaultError
from .databases_kpi_set import RETURN_STATUSES
from .databases_sentences import ERROR_CODES, error_state
from .databases_writer import DRAFTS_PREFIX

#: Hosting types that hold an Odoo we can ask for figures.
SYNCHRONISED_HOSTINGS = ("saas", "paas", "premise")
#: Errors in a row after which the scheduled action leaves a database alone.
MAX_ERRORS = 5
#: Once a day. A daily action starts some minutes earlier or later each day: without this
#: grace a database would be left out every second day.
THROTTLE = timedelta(hours=24) - timedelta(minutes=15)
#: How long the protocol that a server speaks is believed.
PROTOCOL_AGE = timedelta(days=1)
#: Days before the end of an API key at which its responsible person is warned.
KEY_WARNINGS = (14, 7, 1)

CONNECTION_FIELDS = ("database_hosting", "database_url", "database_name", "database_api_login")
FETCH_FIELDS = (
    "database_fetch_documents",
    "database_fetch_draft_entries",
    "database_fetch_tax_returns",
)


class ProjectProject(models.Model):
    _inherit = "project.project"
    _fleet_encrypted = {"database_api_key_secret": ()}  # see ../rotation.py

    database_hosting = fields.Selection(
        [
            ("saas", "Odoo Online"),
            ("paas", "Odoo.sh"),
            ("premise", "On Premise"),
            ("other", "Outside Odoo"),
        ],
        string="Hosting",
        index="btree_not_null",
        copy=False,
        tracking=True,
        help="Where the database runs. It decides how it is opened and which key is used.",
    )
    database_url = fields.Char(
        "Database URL",
        copy=False,
        tracking=True,
        help="Address of the database, such as https://client.example.com",
    )
    database_name = fields.Char(
        copy=False,
        tracking=True,
        help="Name of the PostgreSQL database, as its server knows it.",
    )
    database_uuid = fields.Char("Odoo.com Identifier", copy=False, readonly=True)
    database_version = fields.Char("Version", copy=False, readonly=True)
    database_api_login = fields.Char(
        "API Login",
        copy=False,
        groups="fleet_databases.group_databases_user",
        help="Login of the user of that database to whom the API key belongs.",
    )
    database_api_key = fields.Char(
        "API Key",
        compute="_compute_database_api_key",
        inverse="_inverse_database_api_key",
        copy=False,
        exportable=False,
        groups="fleet_databases.group_databases_manager",
        help="It is stored encrypted and never shown again: fill in a new one to replace it.",
    )
    database_api_key_secret = fields.Char(copy=False, exportable=False, groups=NO_ACCESS)
    database_has_api_key = fields.Boolean(
        "API Key Stored",
        compute="_compute_database_has_api_key",
        compute_sudo=True,
        groups="fleet_databases.group_databases_user",
    )
    database_api_key_expiry = fields.Date(
        "API Key Expires On",
        copy=False,
        groups="fleet_databases.group_databases_user",
        help="Odoo limits the life of a key. The responsible person is reminded "
        "14, 7 and 1 days before this date.",
    )
    database_key_warning = fields.Integer(copy=False, groups=NO_ACCESS)
    database_ca = fields.Text(
        "Trusted Certificate",
        copy=False,
        groups="fleet_databases.group_databases_manager",
        help="For a server whose certificate no public authority has signed: the certificate (PEM) "
        "of the authority that signed it. It is trusted for this database only.",
    )
    database_discovered = fields.Boolean(
        "Found on Odoo.com", copy=False, readonly=True, export_string_translation=False
    )
    database_discovered_url = fields.Char(copy=False, groups=NO_ACCESS)
    # Archived by a pull, not by a person: only then does a later pull bring it back.
    database_unlisted = fields.Boolean(copy=False, groups=NO_ACCESS)

    database_fetch_documents = fields.Boolean(
        "Fetch Documents", default=lambda self: self._default_fetch("database_fetch_documents")
    )
    database_fetch_draft_entries = fields.Boolean(
        "Fetch Draft Journal Entries",
        default=lambda self: self._default_fetch("database_fetch_draft_entries"),
    )
    database_fetch_tax_returns = fields.Boolean(
        "Fetch Tax Returns", default=lambda self: self._default_fetch("database_fetch_tax_returns")
    )

    # Nothing here is precomputed: that makes a new record of all default values, and with it
    # project managers who may not read the field stage_id could create no project at all.
    database_kpi_set_id = fields.Many2one(
        "databases.kpi.set",
        compute="_compute_database_kpi_set_id",
        store=True,
        export_string_translation=False,
    )
    database_kpi_properties = fields.Properties(
        "KPIs", definition="database_kpi_set_id.kpi_definition", copy=False, precompute=False
    )
    # Everybody may read all fields of a plain project; not everybody may read these models.
    database_kpi_value_ids = fields.One2many(
        "databases.kpi.value",
        "project_id",
        "KPI History",
        groups="fleet_databases.group_databases_user",
    )
    database_changes = fields.Char(
        "Changed Since Yesterday",
        compute="_compute_database_changes",
        search="_search_database_changes",
        groups="fleet_databases.group_databases_user",
    )
    database_nb_documents = fields.Integer("Documents", copy=False, readonly=True)
    database_nb_drafts = fields.Integer(
        "Draft Entries", compute="_compute_database_figures", store=True, copy=False
    )
    database_return_status = fields.Selection(
        "_get_return_statuses",
        string="Tax Returns",
        compute="_compute_database_figures",
        store=True,
        copy=False,
        help="The most urgent status of all the tax returns of the database.",
    )
    database_user_ids = fields.One2many(
        "databases.user",
        "project_id",
        "Database Users",
        groups="fleet_databases.group_databases_user",
    )
    database_nb_users = fields.Integer(
        "Users", compute="_compute_database_nb_users", store=True, copy=False
    )

    database_last_synchro = fields.Datetime(
        "Last Synchronization", copy=False, readonly=True, help="Last time that all of it worked."
    )
    database_last_attempt = fields.Datetime("Last Attempt", copy=False, readonly=True)
    database_nb_synchro_errors = fields.Integer("Errors in a Row", copy=False, readonly=True)
    database_error_code = fields.Selection(ERROR_CODES, "Last Error", copy=False, readonly=True)
    database_error_params = fields.Json(copy=False, groups=NO_ACCESS)
    database_last_error = fields.Char("What Went Wrong", compute="_compute_database_last_error")
    database_notes = fields.Text("Remarks", copy=False, readonly=True)
    database_state = fields.Selection(
        [
            ("new", "Never synchronized"),
            ("ok", "In order"),
            ("credentials", "Credentials"),
            ("unreachable", "Unreachable"),
            ("error", "Error"),
            ("link", "Link only"),
        ],
        string="State",
        compute="_compute_database_state",
        store=True,
        index="btree_not_null",
        copy=False,
    )
    database_protocol = fields.Selection(
        [("json2", "JSON-2"), ("xmlrpc", "XML-RPC")], "Protocol", copy=False, readonly=True
    )
    database_protocol_date = fields.Datetime(copy=False, groups=NO_ACCESS)

    _database_url_uniq = models.UniqueIndex(
        "(database_url) WHERE database_hosting IS NOT NULL",
        "Another database already has this URL. Open that one, it may be archived.",
    )
    _database_url_required = models.Constraint(
        "CHECK(database_hosting IS NULL OR COALESCE(database_url, '') != '')",
        "A database needs a Database URL, such as https://client.example.com",
    )

    # ------------------------------------------------------------------
    # Defaults and computed fields
    # ------------------------------------------------------------------

    @api.model
    def _get_database_template(self):
        """Return the project that Settings names as the template of new databases, as sudo."""
        template_id = (
            self.env["ir.config_parameter"].sudo().get_param("fleet_databases.template_id")
        )
        template_sudo = (
            self.sudo().browse(int(template_id))
            if str(template_id or "").isdigit()
            else self.sudo()
        )
        return template_sudo.exists()

    @api.model
    def _default_fetch(self, field_name):
        template_sudo = self._get_database_template()
        return template_sudo[field_name] if template_sudo else True

    @api.depends("database_hosting")
    def _compute_database_kpi_set_id(self):
        kpi_set = self.env.ref("fleet_databases.kpi_set", raise_if_not_found=False)
        for project in self:
            project.database_kpi_set_id = project.database_hosting and kpi_set

    @api.model
    def get_property_definition(self, full_name):
        """Give a KPI's definition in the user's language, as the list's headings are."""
        definition = super().get_property_definition(full_name)
        if definition and full_name.startswith("database_kpi_properties."):
            self.env["databases.kpi.set"]._translate_columns([definition])
        return definition

    @api.depends("database_api_key_secret")
    def _compute_database_api_key(self):
        # Write-only: what is stored is never read back into a form, an export or an RPC answer.
        self.database_api_key = False

    @api.depends("database_api_key_secret")
    def _compute_database_has_api_key(self):
        for project in self:
            project.database_has_api_key = bool(project.database_api_key_secret)

    def _inverse_database_api_key(self):
        for project in self:
            key = (project.database_api_key or "").strip()
            project.sudo().database_api_key_secret = (
                self._get_vault().encrypt(key) if key else False
            )
        self.sudo()._reset_database_errors()
        self.invalidate_recordset(["database_api_key"])

    @api.depends("database_user_ids")
    def _compute_database_nb_users(self):
        counts = dict(
            self.env["databases.user"]
            .sudo()
            ._read_group([("project_id", "in", self.ids)], ["project_id"], ["__count"])
        )
        for project in self:
            project.database_nb_users = counts.get(project._origin, 0)

    @api.model
    def _get_return_statuses(self):
        return self.env["databases.kpi.set"]._get_statuses()

    @api.depends("database_kpi_properties")
    def _compute_database_figures(self):
        drafts = DRAFTS_PREFIX.replace(".", "_")
        field = self._fields["database_kpi_properties"]
        for project in self:
            # The stored values: reading a property by its name gives the label of a status.
            figures = field.convert_to_export(project.database_kpi_properties, project) or {}
            statuses = [value for value in figures.values() if value in RETURN_STATUSES]
            counts = [
                value
                for column, value in figures.items()
                if column.startswith(drafts) and isinstance(value, int)
            ]
            project.database_nb_drafts = max(min(sum(counts), 2**31 - 1), 0)
            project.database_return_status = min(statuses, key=RETURN_STATUSES.index, default=False)

    @api.depends("database_hosting", "database_error_code", "database_last_synchro")
    def _compute_database_state(self):
        for project in self:
            if not project.database_hosting:
                project.database_state = False
            elif project.database_hosting == "other":
                project.database_state = "link"
            elif project.database_error_code:
                project.database_state = error_state(project.database_error_code)
            else:
                project.database_state = "ok" if project.database_last_synchro else "new"

    @api.depends("database_error_code", "database_error_params")
    @api.depends_context("lang")
    def _compute_database_last_error(self):
        for project in self:
            project.database_last_error = self.env["databases.run.line"]._get_sentence(
                project.database_error_code, project.sudo().database_error_params
            )

    @api.depends("database_kpi_value_ids.change")
    @api.depends_context("lang")
    def _compute_database_changes(self):
        values = self.env["databases.kpi.value"].search(
            Domain("project_id", "in", self.ids) & self._get_changed_today_domain()
        )
        for project in self:
            project.database_changes = ", ".join(
                value._get_change_text() for value in values if value.project_id == project._origin
            )

    @api.model
    def _get_changed_today_domain(self):
        return Domain("date", "=", fields.Date.today()) & Domain("is_changed", "=", True)

    @api.model
    def _search_database_changes(self, operator, value):
        if operator not in ("in", "not in") or set(value) != {False}:
            return NotImplemented
        changed = Domain("database_kpi_value_ids", "any", self._get_changed_today_domain())
        return changed if operator == "not in" else ~changed

    # ------------------------------------------------------------------
    # Constraints, CRUD
    # ------------------------------------------------------------------

    @api.constrains("database_ca")
    def _check_database_ca(self):
        for project in self:
            text = (project.database_ca or "").strip()
            if text and ("BEGIN CERTIFICATE" not in text or "PRIVATE KEY" in text):
                raise ValidationError(
                    self.env._(
                        "Trusted Certificate of %(name)s must be a certificate in PEM format: it starts "
                        "with -----BEGIN CERTIFICATE----- and holds no private key.",
                        name=project.name,
                    )
                )

    @api.constrains("database_hosting", "is_template")
    def _check_database_no_template(self):
        if self.filtered(lambda project: project.is_template and project.database_hosting):
            raise ValidationError(
                self.env._("A project template cannot be a database: clear its Hosting.")
            )

    @api.onchange("database_url", "database_name")
    def _onchange_database_address(self):
        if self._origin.database_has_api_key and self._is_database_moved(
            {"database_url": self.database_url, "database_name": self.database_name}, self._origin
        ):
            self.database_api_key_expiry = False
            return {
                "warning": {
                    "title": self.env._("The API key will be removed"),
                    "message": self.env._(
                        "A key is never sent to another address than the one it was entered for. "
                        "Enter the API key again before you save, or afterwards."
                    ),
                }
            }
        return None

    @api.model
    def _prepare_database_vals(self, vals, hosting=False):
        """Return ``vals`` with a normalised URL and trimmed texts; refuse what cannot be one."""
        vals = dict(vals)
        hosting = vals.get("database_hosting", hosting)
        for name in ("database_name", "database_api_login"):
            if name in vals:
                vals[name] = (vals[name] or "").strip() or False
        if vals.get("database_url"):
            vals["database_url"] = self._normalize_database_url(vals["database_url"], hosting)
        return vals

    @api.model
    def _normalize_database_url(self, url, hosting):
        if hosting == "other":
            url = url.strip()
            if not self._is_web_address(url):
                raise ValidationError(
                    self.env._(
                        "Database URL “%(url)s” must start with http:// or https://", url=url[:200]
                    )
                )
            return url
        try:
            return normalize_url(url)
        except UrlError as error:
            reason = self.env["databases.run.line"]._get_url_sentence(error)
            raise ValidationError(
                self.env._("Database URL “%(url)s”: %(reason)s", url=url[:200], reason=reason)
            ) from error

    @api.model
    def _is_web_address(self, url):
        if any(char.isspace() or not char.isprintable() for char in url):
            return False
        try:
            parts = urlsplit(url)
        except ValueError:
            return False
        return parts.scheme in ("http", "https") and bool(parts.hostname)

    @api.model
    def _is_database_moved(self, vals, project):
        return any(
            name in vals and (vals[name] or False) != (project[name] or False)
            for name in ("database_url", "database_name")
        )

    @api.model_create_multi
    def create(self, vals_list):
        # What a default brings (of the context, or of one's own) is checked like any other value.
        names = [
            name
            for name, field in self._fields.items()
            if name.startswith("database_") and field.type != "one2many"
        ]
        vals_list = [
            {**self.default_get([name for name in names if name not in vals]), **vals}
            for vals in vals_list
        ]
        if any(vals.get(name) for vals in vals_list for name in names if name not in FETCH_FIELDS):
            self._check_may_change_databases()
        return super().create([self._prepare_database_vals(vals) for vals in vals_list])

    def write(self, vals):
        if any(name.startswith("database_") for name in vals) or (
            {"active", "company_id"} & vals.keys() and any(self.mapped("database_hosting"))
        ):
            self._check_may_change_databases()
        if vals.get("database_hosting") and "database_url" not in vals and len(self) > 1:
            # Each has a URL of its own, and what is allowed in it depends on the hosting.
            for project in self:
                project.write(vals)
            return True
        if any(name in vals for name in CONNECTION_FIELDS):
            hostings = set(self.mapped("database_hosting"))
            if len(hostings) > 1 and "database_hosting" not in vals and vals.get("database_url"):
                raise UserError(self.env._("Change the URL of one database at a time."))
            if vals.get("database_hosting") and "database_url" not in vals and self.database_url:
                vals = {**vals, "database_url": self.database_url}
            vals = self._prepare_database_vals(vals, next(iter(hostings), False))
            self._forget_moved_key(vals)
        if "database_api_key_expiry" in vals:
            super(ProjectProject, self.sudo()).write({"database_key_warning": 0})
        return super().write(vals)

    @api.ondelete(at_uninstall=False)
    def _unlink_except_database(self):
        if any(self.mapped("database_hosting")):
            self._check_may_change_databases()

    @api.model
    def _check_may_change_databases(self):
        """Refuse everybody else: also to turn a project into a database, which would hide it."""
        if not self.env.su and not self.env.user.has_group(
            "fleet_databases.group_databases_manager"
        ):
            raise AccessError(self.env._("Only a Databases Administrator may change databases."))

    def _forget_moved_key(self, vals):
        """Blank the key of the databases that ``vals`` sends elsewhere, and their error count."""
        changed = self.filtered(
            lambda project: any(
                name in vals and (vals[name] or False) != (project.sudo()[name] or False)
                for name in CONNECTION_FIELDS
            )
        )
        moved = changed.filtered(lambda project: self._is_database_moved(vals, project))
        if moved and "database_api_key" not in vals:
            forgotten = {"database_api_key_secret": False, "database_key_warning": 0}
            if "database_api_key_expiry" not in vals:
                forgotten["database_api_key_expiry"] = False
            super(ProjectProject, moved.sudo()).write(forgotten)
        if moved and "database_ca" not in vals:
            super(ProjectProject, moved.sudo()).write({"database_ca": False})
        changed.sudo()._reset_database_errors()

    def _reset_database_errors(self):
        """Give databases whose connection was changed a fresh start with the scheduled action."""
        super().write(
            {
                "database_nb_synchro_errors": 0,
                "database_error_code": False,
                "database_error_params": False,
                "database_last_attempt": False,
                "database_protocol": False,
                "database_protocol_date": False,
            }
        )

    @api.model
    def load(self, fields, data):
        """Refuse API keys in an import: a file on a disk is no place for them."""
        if any(
            field.split("/")[0] in ("database_api_key", "database_api_key_secret")
            for field in fields
        ):
            return {
                "ids": False,
                "messages": [
                    {
                        "type": "error",
                        "field": "database_api_key",
                        "message": self.env._(
                            "API Key: keys cannot be imported from a file. Leave this column out and "
                            "enter each key in the form of its database."
                        ),
                    }
                ],
                "nextrow": 0,
            }
        return super().load(fields, data)

    # ------------------------------------------------------------------
    # Access to the remote database
    # ------------------------------------------------------------------

    @api.model
    def _get_vault(self):
        """Return the server's vault; raise a :class:`UserError` that says what is missing."""
        try:
            return Vault(settings.secret_keys())
        except VaultError as error:
            raise UserError(
                self.env["databases.run.line"]._get_sentence(f"secret_{error.code}", {})
            ) from error

    def _prepare_access(self, now):
        """Return what a thread needs to talk to this database.

        Must be called as sudo. Raises :class:`~odoo.addons.fleet_databases.vault.VaultError`
        when a key is stored and cannot be read.

        :rtype: Access
        """
        self.ensure_one()
        login, key = self.database_api_login or "", ""
        if self.database_api_key_secret:
            key = Vault(settings.secret_keys()).decrypt(self.database_api_key_secret)
        elif self.database_hosting == "saas" and self._is_odoocom_address():
            account_login, key = self.env["databases.odoocom"]._get_credentials()
            login = login or account_login
        return Access(
            url=self.database_url or "",
            database=self.database_name or "",
            login=login,
            key=key,
            ca=self.database_ca or None,
            protocol=self.database_protocol or None if self._is_protocol_fresh(now) else None,
        )

    def _is_protocol_fresh(self, now):
        """Tell whether the protocol learnt before is still believed; needs sudo."""
        return bool(
            self.database_protocol_date and self.database_protocol_date > now - PROTOCOL_AGE
        )

    def _is_odoocom_address(self):
        """Tell whether the account's own key may be sent to this database.

        Only to an address that Odoo.com itself has named. A host below odoo.com is no proof:
        on Odoo.sh the code of a customer answers there.
        """
        return bool(self.database_url) and self.database_url == self.database_discovered_url

    @api.model
    def _get_synchronized_domain(self):
        return Domain("database_hosting", "in", SYNCHRONISED_HOSTINGS)

    @api.model
    def _get_due_domain(self, now):
        """Return the domain of the databases that the daily action asks."""
        limit = now - THROTTLE
        return (
            self._get_synchronized_domain()
            & Domain("database_nb_synchro_errors", "<", MAX_ERRORS)
            & (
                Domain("database_last_synchro", "=", False)
                | Domain("database_last_synchro", "<=", limit)
            )
            & (
                Domain("database_last_attempt", "=", False)
                | Domain("database_last_attempt", "<=", limit)
            )
        )
