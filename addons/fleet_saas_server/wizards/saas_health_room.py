from dateutil.relativedelta import relativedelta

from odoo import api, fields, models

from ..hosting import capacity
from ..hosting.errors import HostingError
from ..hosting.host import MB
from ..models.saas_errors import words
from ..models.saas_sizes import format_size
from .saas_health import AMBER, GREEN, RED

SOON = 5  # so many more databases are looked ahead
SMALL = 200 * MB  # what a database takes at least, for looking ahead
FIGURES_DAYS = 7


class SaasHealth(models.TransientModel):
    """How much room there is for databases: what is used, what is left, what runs out first.

    The rows are red for what refuses the next database, amber for what would refuse one of the next
    `SOON` of the size of the largest.
    """

    _inherit = "saas.health"

    @api.model
    def _check_room(self):
        host = self.env["saas.operation"]._get_host()
        title = self.env._("Room for another database")
        try:
            machine = capacity.facts(host)
        except HostingError as error:
            return [self._row("room", RED, title, words(self.env, error.code, error.facts))]
        now = self._get_refusals(machine, capacity.Wanted(0), host.limits)
        ahead = capacity.Wanted(self._get_largest(), databases=SOON)
        soon = self._get_refusals(machine, ahead, host.limits)
        rows = [
            self._room_row("room_disk", "disk_full", now, soon, *self._say_disk(machine, host)),
            self._room_row(
                "room_memory", "memory_full", now, soon, *self._say_memory(machine, host)
            ),
            self._room_row(
                "room_connections",
                "connections_full",
                now,
                soon,
                *self._say_connections(machine, host),
            ),
            self._room_row(
                "room_databases", "databases_full", now, soon, *self._say_databases(machine, host)
            ),
        ]
        if "bad_limit" in now:
            rows.insert(0, self._row("room", RED, title, now["bad_limit"]))
        return rows

    @api.model
    def _get_refusals(self, machine, wanted, limits):
        """Return why ``wanted`` does not fit, in words, the first of each code."""
        found = {}
        for error in capacity.refusals(machine, wanted, limits):
            found.setdefault(error.code, words(self.env, error.code, error.facts))
        return found

    @api.model
    def _get_largest(self):
        """Return the bytes in PostgreSQL of the largest hosted database, by its latest figures."""
        since = fields.Date.today() - relativedelta(days=FIGURES_DAYS)
        largest = self.env["saas.usage"].search(
            [("day", ">=", since)], order="database_bytes DESC", limit=1
        )
        return max(int(largest.database_bytes), SMALL)

    @api.model
    def _room_row(self, key, code, now, soon, title, says):
        if code in now:
            return self._row(key, RED, title, says, now[code])
        if code in soon:
            todo = self.env._(
                "The next %(count)s databases would not all fit. %(reason)s",
                count=SOON,
                reason=soon[code],
            )
            return self._row(key, AMBER, title, says, todo)
        return self._row(key, GREEN, title, says)

    @api.model
    def _say_disk(self, machine, host):
        known = (machine.disk_free, machine.postgres_free)
        free = min(each for each in known if each is not None)
        says = self.env._(
            "%(free)s are free, %(reserve)s of them stay free; left for databases: %(left)s.",
            free=format_size(self.env, free),
            reserve=format_size(self.env, host.limits.disk_reserve),
            left=format_size(self.env, max(free - host.limits.disk_reserve, 0)),
        )
        return self.env._("Room on the disk"), says

    @api.model
    def _say_memory(self, machine, host):
        title = self.env._("Room in memory")
        if machine.memory_free is None:
            return title, self.env._("How much is free cannot be known here; nothing is refused.")
        says = self.env._(
            "%(free)s of %(total)s are free, %(reserve)s of them stay free; left for databases: "
            "%(left)s.",
            free=format_size(self.env, machine.memory_free),
            total=format_size(self.env, machine.memory_total) if machine.memory_total else "?",
            reserve=format_size(self.env, host.limits.memory_reserve),
            left=format_size(self.env, max(machine.memory_free - host.limits.memory_reserve, 0)),
        )
        return title, says

    @api.model
    def _say_connections(self, machine, host):
        needed = capacity.needed_connections(machine, machine.databases, host.limits)
        says = self.env._(
            "The databases and this server can need %(needed)s, PostgreSQL has %(limit)s; "
            "left: %(left)s. Open now: %(used)s.",
            needed=needed,
            limit=machine.connection_limit,
            left=max(machine.connection_limit - needed, 0),
            used=machine.connections,
        )
        return self.env._("Connections to PostgreSQL"), says

    @api.model
    def _say_databases(self, machine, host):
        title = self.env._("Number of databases")
        limit = host.limits.databases
        if not limit:
            says = self.env._(
                "Hosted: %s. No limit is set (fleet_max_databases).", machine.databases
            )
            return title, says
        says = self.env._(
            "Hosted: %(count)s of at most %(limit)s; left: %(left)s.",
            count=machine.databases,
            limit=limit,
            left=max(limit - machine.databases, 0),
        )
        return title, says
