from dateutil.relativedelta import relativedelta

from odoo import api, fields, models
from odoo.tools import config

from .. import settings
from ..hosting import http_check
from ..hosting.errors import HostingError
from ..hosting.health import POSTGRES_MIN
from ..models.saas_errors import words
from .saas_health import AMBER, GREEN, GREY, RED

GATE_S = 3
FAILED_DAYS = 7
LONG_S = 6 * 3600  # a backup's time limit, the longest of the usual operations


class SaasHealth(models.TransientModel):
    """What is looked at while the screen is opened; nothing here takes longer than `GATE_S`."""

    _inherit = "saas.health"

    @api.model
    def _check_runner(self):
        title = self.env._("Runner of operations")
        if self.env["saas.operation"]._has_runner():
            says = self.env._("The job runner watches this database: operations start at once.")
            return [self._row("runner", GREEN, title, says)]
        todo = self.env._(
            "Start Odoo with --load=base,rpc,web,queue_job, and with "
            "ODOO_QUEUE_JOB_CHANNELS=root:4,root.hosting_slow:3 in its environment."
        )
        if self._is_cron_on():
            says = self.env._(
                "The job runner is not loaded. A scheduled action runs the operations instead, "
                "one after another, and each begins up to a minute late."
            )
            return [self._row("runner", AMBER, title, says, todo)]
        says = self.env._("Neither the job runner nor the scheduled action runs: nothing happens.")
        return [self._row("runner", RED, title, says, todo)]

    @api.model
    def _check_operations(self):
        now = fields.Datetime.now()
        operations = self.env["saas.operation"]
        failed = operations.search_count(
            [("state", "=", "failed"), ("ended", ">", now - relativedelta(days=FAILED_DAYS))]
        )
        rows = self._check_waiting()
        title = self.env._("Failed operations")
        if failed:
            says = self.env._(
                "In the last %(days)s days: %(count)s", days=FAILED_DAYS, count=failed
            )
            todo = self.env._("Each says what it lacks; retry it when that is there.")
            rows.append(
                self._row("failed", AMBER, title, says, todo, "saas_operation_action_failed")
            )
        else:
            says = self.env._("None in the last %s days.", FAILED_DAYS)
            rows.append(self._row("failed", GREEN, title, says))
        return rows

    @api.model
    def _check_postgres(self):
        facts = self._get_postgres_facts()
        says = self.env._(
            "Version %(version)s, role %(role)s, max_connections %(connections)s.", **facts
        )
        state, todo = GREEN, ""
        if facts["number"] < POSTGRES_MIN * 10000:
            state = RED
            todo = self.env._("Upgrade PostgreSQL: hosting needs version %s.", POSTGRES_MIN)
        elif not facts["createdb"] and not facts["superuser"]:
            state = RED
            todo = self.env._(
                "Let the role create databases: ALTER ROLE %s CREATEDB.", facts["role"]
            )
        elif facts["superuser"]:
            state = AMBER
            todo = self.env._(
                "The role is a superuser: whoever breaks into Odoo owns the machine's databases. "
                "ALTER ROLE %s NOSUPERUSER CREATEDB.",
                facts["role"],
            )
        rows = [self._row("postgres", state, self.env._("PostgreSQL"), says, todo)]
        return rows + self._check_public(facts["open"])

    @api.model
    def _check_public(self, names):
        """Say which of our databases every role of the PostgreSQL server may connect to."""
        title = self.env._("Other roles of PostgreSQL")
        if not names:
            says = self.env._("No other role may connect to a hosted database.")
            return [self._row("public", GREEN, title, says)]
        says = self.env._("Every role may connect to: %s", ", ".join(names[:5]))
        todo = self.env._("REVOKE CONNECT ON DATABASE … FROM PUBLIC, in psql.")
        return [self._row("public", AMBER, title, says, todo)]

    @api.model
    def _get_postgres_facts(self):
        self.env.cr.execute(
            "SELECT current_setting('server_version_num')::int, current_setting('server_version'), "
            "current_setting('max_connections')::int, rolname, rolcreatedb, rolsuper "
            "FROM pg_roles WHERE rolname = current_user"
        )
        number, version, connections, role, createdb, superuser = self.env.cr.fetchone()
        hosted = self.env["saas.database"].search([("state", "!=", "dropped")])
        self.env.cr.execute(
            "SELECT datname FROM pg_database WHERE datname = ANY(%s) "
            "AND has_database_privilege('public', oid, 'CONNECT') ORDER BY datname",
            [hosted.filtered("physical").mapped("physical")],
        )
        return {
            "number": number,
            "version": version.partition(" ")[0],
            "connections": connections,
            "role": role,
            "createdb": createdb,
            "superuser": superuser,
            "open": [name for [name] in self.env.cr.fetchall()],
        }

    @api.model
    def _check_programs(self):
        """Say what the last operation ``check`` found."""
        title = self.env._("Programs and folders")
        ended = self.env["saas.operation"].search(
            [("kind", "=", "check"), ("state", "in", ("done", "failed"))], limit=1
        )
        if not ended:
            says = self.env._("They were not looked at yet.")
            return [self._row("programs", GREY, title, says, self.env._("Press Check Now."))]
        if ended.state == "failed":
            todo = self.env._("Then press Check Now.")
            return [
                self._row("programs", RED, title, ended.error, todo, "saas_operation_action_failed")
            ]
        says = ", ".join(
            ended.step_ids.filtered(lambda step: step.name != "postgres").mapped("evidence_text")
        )
        return [self._row("programs", GREEN, title, says)]

    @api.model
    def _check_gate(self):
        """Ask the hosted process whether its gate is in."""
        title = self.env._("Process of the hosted databases")
        url = self.env["saas.operation"]._get_host().hosted_url
        try:
            gate = http_check.gate_state(url, GATE_S)
        except HostingError as error:
            todo = self.env._(
                "Start a second Odoo with --load=base,rpc,web,fleet_saas_server, and say where it "
                "listens: fleet_hosted_url in odoo.conf."
            )
            says = words(self.env, error.code, error.facts)
            return [self._row("gate", RED, title, says, todo)]
        if gate.get("error"):
            return [self._row("gate", RED, title, str(gate["error"].get("message")))]
        count = gate.get("databases", 0)
        if count == 1:
            says = self.env._("It answers at %s and serves 1 database.", url)
        else:
            says = self.env._(
                "It answers at %(url)s and serves %(count)s databases.", url=url, count=count
            )
        return [self._row("gate", GREEN, title, says)]

    @api.model
    def _check_secret_key(self):
        title = self.env._("Encryption key")
        try:
            settings.decrypt(settings.encrypt("probe"))
            stored = self.env["saas.backup.repository"].sudo().search([], limit=1)
            if stored:
                settings.decrypt(stored.secret)
        except HostingError as error:
            return [self._row("key", RED, title, words(self.env, error.code, error.facts))]
        except ValueError:
            says = self.env._("fleet_secret_keys in odoo.conf holds something that is no key.")
            todo = self.env._(
                'This prints a new one: python3 -c "from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())"'
            )
            return [self._row("key", RED, title, says, todo)]
        says = self.env._("It is set, and what is stored can be read.")
        return [self._row("key", GREEN, title, says)]

    @api.model
    def _check_limits(self):
        """Say whether this process lets long operations live."""
        title = self.env._("Limits of this process")
        low = [
            f"{name} = {config[name]}"
            for name in ("limit_time_real", "limit_time_cpu" if config["workers"] else "")
            if name and 0 < config[name] < LONG_S
        ]
        rows = []
        if low:
            says = self.env._(
                "%s: an operation that takes longer is killed and begins again.", ", ".join(low)
            )
            todo = self.env._(
                "Set it to %s or more in odoo.conf of this process; the hosted process keeps its own.",
                LONG_S,
            )
            rows.append(self._row("limits", AMBER, title, says, todo))
        else:
            says = self.env._("Operations may take as long as a large backup needs.")
            rows.append(self._row("limits", GREEN, title, says))
        if config["list_db"]:
            says = self.env._("list_db is on: strangers see the names of databases.")
            todo = self.env._("Set list_db = False in odoo.conf.")
            rows.append(self._row("list_db", AMBER, self.env._("Database manager"), says, todo))
        return rows

    @api.model
    def _check_differences(self):
        title = self.env._("Records and reality")
        count = self.env["saas.difference"].search_count([("solved", "=", False)])
        if not count:
            says = self.env._("No difference is open.")
            return [self._row("differences", GREEN, title, says)]
        says = self.env._("Open differences: %s", count)
        todo = self.env._("Each comes with its repair.")
        return [self._row("differences", AMBER, title, says, todo, "saas_difference_action")]
