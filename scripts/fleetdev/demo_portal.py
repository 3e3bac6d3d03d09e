"""One Odoo process that serves a portal, and databases beside it, by host name."""

import json

from . import console, databases, demo_clients, demo_sync, files, odoo_run, paths, postgres
from .demo_fleet import CLIENTS, NOWHERE, STAFF
from .server import Server, check_port

LOGIN = PASSWORD = "admin"
FILL = paths.SCRIPTS / "in_odoo" / "fill_portal.py"


class PortalFleet:
    """A portal and the client databases that the same process serves.

    :param name: part of the databases' names
    :param clients: as in ``demo_fleet.py``
    """

    configuration = paths.ODOO_CONF
    data = paths.DATA
    template = "portal"

    def __init__(self, name, port, clients=CLIENTS):
        self.name = name
        self.port = port
        self.clients = clients
        self.log = paths.LOG / f"{name}.log"

    @property
    def server(self):
        """Return the Odoo process: running, or to be started."""
        return Server(self.name, self.port, self.log, self.configuration)

    def database(self, label):
        """Return the name of a database that this process serves."""
        return f"{postgres.prefix()}{self.name}_{label}"

    def url(self, label):
        """Return the address of a database, with the host name that selects it."""
        return f"http://{label}.localhost:{self.port}"

    def run(self):
        """Make the databases anew, serve them, and synchronise."""
        check_port(self.server)
        with files.setup_lock(self.name):
            databases.templates(self.template, *(client["template"] for client in self.clients))
            self.stop()
            self.remove()
            keys = self.make()
            self.serve()
            demo_sync.synchronise(self, self.projects(keys))

    def stop(self):
        """Stop the process; return whether it ran."""
        return self.server.stop()

    def remove(self):
        """Drop the databases."""
        for name in postgres.names(f"{self.name}_"):
            databases.drop(name)

    def make(self):
        """Make the portal and the client databases; return an API key of each client by label."""
        made = demo_clients.ensure(self.clients)
        with console.step(f"Making the portal and {len(made)} client databases"):
            self.make_portal()
            for label, (template, _key) in made.items():
                databases.copy(template, self.database(label), self.data)
        return {label: key for label, (_template, key) in made.items()}

    def make_portal(self):
        """Make the database of the portal, with the firm's own people."""
        portal = self.database("portal")
        databases.copy(databases.template(self.template), portal, self.data)
        odoo_run.script(
            portal,
            FILL.read_text(),
            log=paths.LOG / f"{self.name}-portal.log",
            what=FILL.name,
            arguments=[json.dumps(STAFF)],
            configuration=self.configuration,
        )

    def serve(self, *options, **environment):
        """Start Odoo for every database whose name is one of this fleet's."""
        served = postgres.names(f"{self.name}_")
        db_filter = f"^{postgres.prefix()}{self.name}_%d$"
        with console.step(f"Starting Odoo on 127.0.0.1:{self.port} for {len(served)} databases"):
            choice = ("-d", ",".join(served), "--db-filter", db_filter, "--max-cron-threads", "1")
            self.server.start(*choice, *options, **environment)
            self.server.wait(host="portal.localhost")

    def projects(self, keys):
        """Return the values of one project a client, as a person would enter them."""
        projects = [self._project(client, keys[client["label"]]) for client in self.clients]
        nowhere = {
            "name": NOWHERE["company"],
            "database_url": self.nowhere_url(),
            "database_name": "nowhere",
        }
        return [
            *projects,
            projects[0] | nowhere | {"database_hosting": "premise", "database_api_key": "no-key"},
        ]

    def _project(self, client, key):
        url, database = self.address(client)
        return {
            "name": client["company"],
            "database_hosting": client.get("hosting", "premise"),
            "database_url": url,
            "database_name": database,
            "database_api_login": LOGIN,
            "database_api_key": key[::-1] if client.get("wrong_key") else key,
        }

    def address(self, client):
        """Return the URL and the name of a client's database."""
        return self.url(client["label"]), self.database(client["label"])

    def nowhere_url(self):
        """Return an address at which nothing answers."""
        return f"http://{NOWHERE['label']}.localhost:{NOWHERE['port']}"
