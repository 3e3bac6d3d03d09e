"""The demo: one Odoo that serves a portal and its clients' databases by host name."""

import json
import os

from . import console, databases, demo_clients, demo_sync, files, odoo_run, paths, postgres
from .demo_fleet import CLIENTS, NOWHERE, STAFF
from .server import Server, check_port

LOGIN = PASSWORD = "admin"
FILL = paths.SCRIPTS / "in_odoo" / "fill_portal.py"


class Demo:
    """One demo of this tree. The tests start a second one under another name and port.

    :param name: part of the databases' names; ``demo`` is the one that ``make demo`` starts
    """

    def __init__(self, name="demo", port=None):
        self.name = name
        self.port = port or int(os.environ.get("FLEET_DEMO_PORT") or 8069)
        self.json_path = paths.RUN / f"{name}.json"
        self.log = paths.LOG / f"{name}.log"

    @property
    def server(self):
        """Return the Odoo process: running, or to be started."""
        return Server(self.name, self.port, self.log)

    def database(self, label):
        """Return the name of a database of this demo."""
        return f"{postgres.prefix()}{self.name}_{label}"

    def url(self, label):
        """Return the address of a database, with the host name that selects it."""
        return f"http://{label}.localhost:{self.port}"

    def run(self):
        """Make the databases anew, serve them, synchronise, and print the fleet."""
        check_port(self.server)
        self.json_path.unlink(missing_ok=True)
        with files.setup_lock(self.name):
            databases.templates("portal", *(client["template"] for client in CLIENTS))
            made = demo_clients.ensure()
            self.stop()
            self._make_databases(made)
            self._serve()
            keys = {label: key for label, (_template, key) in made.items()}
            demo_sync.synchronise(self, self._projects(keys))
            self._write_json()
            self._print()

    def stop(self):
        """Stop the server of this demo; return whether one ran."""
        return self.server.stop()

    def _make_databases(self, made):
        with console.step(f"Making the portal and {len(CLIENTS)} client databases"):
            for old in postgres.names(f"{self.name}_"):
                databases.drop(old)
            portal = self.database("portal")
            databases.copy(databases.template("portal"), portal)
            log = paths.LOG / f"{self.name}-portal.log"
            odoo_run.script(
                portal, FILL.read_text(), log=log, what=FILL.name, arguments=[json.dumps(STAFF)]
            )
            for client in CLIENTS:
                template, _key = made[client["label"]]
                databases.copy(template, self.database(client["label"]))

    def _serve(self):
        served = [
            self.database(label) for label in ("portal", *(client["label"] for client in CLIENTS))
        ]
        db_filter = f"^{postgres.prefix()}{self.name}_%d$"
        with console.step(f"Starting Odoo on 127.0.0.1:{self.port} for {len(served)} databases"):
            self.server.start(
                "-d", ",".join(served), "--db-filter", db_filter, "--max-cron-threads", "1"
            )
            self.server.wait(host="portal.localhost")

    def _projects(self, keys):
        """Return the values of one project a client, as a person would enter them."""
        projects = []
        for client in CLIENTS:
            key = keys[client["label"]]
            projects.append(
                {
                    "name": client["company"],
                    "database_hosting": client.get("hosting", "premise"),
                    "database_url": self.url(client["label"]),
                    "database_name": self.database(client["label"]),
                    "database_api_login": LOGIN,
                    "database_api_key": key[::-1] if client.get("wrong_key") else key,
                }
            )
        nowhere = {
            "name": NOWHERE["company"],
            "database_url": self._nowhere_url(),
            "database_name": "nowhere",
        }
        return [
            *projects,
            projects[0] | nowhere | {"database_hosting": "premise", "database_api_key": "no-key"},
        ]

    def _nowhere_url(self):
        return f"http://{NOWHERE['label']}.localhost:{NOWHERE['port']}"

    def _write_json(self):
        entries = [
            {
                "name": client["company"],
                "url": self.url(client["label"]),
                "hosting": client.get("hosting", "premise"),
                "expected": client.get("expected", "ok"),
            }
            for client in CLIENTS
        ]
        entries.append(
            {
                "name": NOWHERE["company"],
                "url": self._nowhere_url(),
                "hosting": "premise",
                "expected": NOWHERE["expected"],
            }
        )
        portal = {
            "url": self.url("portal"),
            "base": f"http://127.0.0.1:{self.port}",
            "database": self.database("portal"),
            "login": LOGIN,
            "password": PASSWORD,
        }
        files.write(
            self.json_path, json.dumps({"portal": portal, "databases": entries}, indent=2) + "\n"
        )

    def _print(self):
        console.say("")
        console.say(demo_sync.table(demo_sync.fleet(self)))
        console.say("")
        console.say(f"  Open   {self.url('portal')}/odoo    login {LOGIN}, password {PASSWORD}")
        console.say(
            f"  Facts  {self.json_path.relative_to(paths.ROOT)}    log {self.log.relative_to(paths.ROOT)}"
        )
        console.say("  Stop   make stop")
