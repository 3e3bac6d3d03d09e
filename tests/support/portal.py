"""The portal of a fleet, driven over HTTP with a key of its administrator.

with OdooFleet("name", portal="portal", alpine="client") as fleet:
    portal = Portal(fleet, fleet.api_keys("portal", "alpine"))
    alpine = portal.add_client("alpine")
    portal.synchronize(alpine)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import psycopg2
import psycopg2.extras

from .odoo_fleet import OdooFleet


class Portal:
    """The calls of a person at the portal, through public methods only.

    :param keys: an API key of the administrator of each database, by label
    """

    def __init__(self, fleet: OdooFleet, keys: dict[str, str]) -> None:
        self.fleet = fleet
        self.keys = keys

    def call(self, model: str, method: str, **arguments: Any) -> Any:
        return self.fleet.call("portal", self.keys["portal"], model, method, **arguments)

    # --- databases

    def add(self, values: Sequence[dict[str, Any]]) -> list[int]:
        """Enter databases; what is not given is made up."""
        common = {
            "database_hosting": "premise",
            "database_api_login": "admin",
            "database_api_key": "no-key",
        }
        return self.call("project.project", "create", vals_list=[common | each for each in values])

    def add_client(self, label: str, **values: Any) -> int:
        """Enter one of the fleet's own databases, with its key."""
        values = {"database_api_key": self.keys[label]} | values
        address = {
            "database_url": self.fleet.url(label),
            "database_name": self.fleet.database(label),
        }
        return self.add([{"name": label.title()} | address | values])[0]

    def synchronize(self, *projects: int) -> dict[str, Any]:
        return self.call("project.project", "action_synchronize", ids=projects)

    def read(self, project: int) -> dict[str, Any]:
        """Return the fields of a database, without their prefix."""
        fields = [
            "database_state",
            "database_error_code",
            "database_nb_synchro_errors",
            "database_protocol",
            "database_version",
            "database_nb_users",
            "database_nb_documents",
            "database_last_synchro",
        ]
        [row] = self.call("project.project", "read", ids=[project], fields=fields)
        return {name.removeprefix("database_"): value for name, value in row.items()}

    def kpis(self, project: int) -> dict[str, Any]:
        """Return the KPIs of a database, by the heading of their column."""
        fields = ["database_kpi_properties"]
        [row] = self.call("project.project", "read", ids=[project], fields=fields)
        return {kpi["string"]: kpi.get("value") for kpi in row["database_kpi_properties"]}

    # --- users

    def add_user(self, name: str, login: str) -> int:
        values = {"name": name, "login": login, "email": login}
        context = {"no_reset_password": True}
        return self.call("res.users", "create", vals_list=[values], context=context)[0]

    def accounts(self, login: str) -> dict[int, int]:
        """Return the accounts that the portal lists for a login, by database."""
        domain = [["login", "=", login]]
        rows = self.call("databases.user", "search_read", domain=domain, fields=["project_id"])
        return {row["project_id"][0]: row["id"] for row in rows}

    def invite(self, projects: Sequence[int], users: Sequence[int]) -> dict[int, str]:
        """Invite by the wizard; return the result by database."""
        values = {"project_ids": [[6, 0, projects]], "user_ids": [[6, 0, users]]}
        return self._results("databases.invite.wizard", "action_invite", values)

    def remove(self, accounts: Sequence[int], **values: Any) -> dict[int, str]:
        """Remove by the wizard; return the result by database.

        :param accounts: ids of ``databases.user``
        :param values: more fields of the wizard
        """
        values |= {"database_user_ids": [[6, 0, accounts]]}
        return self._results("databases.remove.wizard", "action_remove", values)

    def _results(self, wizard: str, method: str, values: dict[str, Any]) -> dict[int, str]:
        ids = self.call(wizard, "create", vals_list=[values])
        run = self.call(wizard, method, ids=ids)["res_id"]
        return {line["project_id"][0]: line["result"] for line in self.lines(run)}

    # --- runs

    def run(self, run: int) -> dict[str, Any]:
        fields = ["state", "total_count", "done_count", "failed_count", "progress"]
        return self.call("databases.run", "read", ids=[run], fields=fields)[0]

    def lines(self, run: int) -> list[dict[str, Any]]:
        fields = ["project_id", "login", "state", "result", "error_code", "attempts"]
        domain = [["run_id", "=", run]]
        return self.call("databases.run.line", "search_read", domain=domain, fields=fields)


def sql(database: str, query: str, parameters: Sequence[Any] = ()) -> list[Any]:
    """Run a query in a database, past Odoo, and commit; return its rows, if it has any."""
    connection = psycopg2.connect(dbname=database, connect_timeout=10)
    try:
        factory = psycopg2.extras.NamedTupleCursor
        with connection, connection.cursor(cursor_factory=factory) as cursor:
            cursor.execute(query, parameters)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()
