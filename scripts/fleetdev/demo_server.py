"""The hosting server of the demo: its database, the process of the hosted databases, its operations."""

import json
import socket
import time
import urllib.error
import urllib.request

from . import console, databases, hosted, odoo_run, paths, postgres
from .demo_fleet import HOSTER
from .server import Server

LABEL = "server"
FILL = paths.SCRIPTS / "in_odoo" / "fill_server.py"
ENDED = ("done", "failed", "cancelled")
POLL_S = 0.1
OPERATION_S = 600
REQUEST_S = 60
RUNNER_S = 60


class HostingServer:
    """What hosts databases in the demo. Its database is served by the control process.

    :param control: the demo, which serves the control process
    """

    def __init__(self, control):
        self._control = control
        self._name = f"{control.name}_hosted"
        self._key = None
        self.log = paths.LOG / f"{self._name}.log"
        self.port = self.server().running_port()

    def server(self):
        """Return the process of the hosted databases: running, or to be started."""
        port = getattr(self, "port", None)
        return Server(self._name, port, self.log, self._control.configuration)

    @property
    def database(self):
        """Return the name of the server database."""
        return self._control.database(LABEL)

    def hosted_name(self, label):
        """Return the name of a hosted database, which no other demo of this machine uses."""
        clone = postgres.prefix().removeprefix("fleet").strip("_")
        parts = [label, "" if self._control.name == "demo" else self._control.name, clone]
        return "-".join(filter(None, parts)).replace("_", "-")

    def url(self, label):
        """Return the address of a hosted database."""
        return f"http://{self.hosted_name(label)}.localhost:{self.port}"

    # --- its life

    def make(self):
        """Make the server database, with an identity of its own and an agent."""
        self.port = _free_port_after(self._control.port)
        databases.copy(databases.template("server"), self.database, self._control.data)
        printed = odoo_run.script(
            self.database,
            FILL.read_text(),
            log=paths.LOG / f"{self._control.name}-server.log",
            what=FILL.name,
            arguments=[self._control.url(LABEL), HOSTER],
            configuration=self._control.configuration,
        )
        self._key = json.loads(printed.splitlines()[-1])["key"]

    @property
    def key(self):
        """Return the API key of the agent, as whom a portal asks."""
        return self._key

    def settings(self):
        """Return the environment of both processes."""
        return {
            "FLEET_DOMAIN": "localhost",
            "FLEET_HOSTED_URL": f"http://127.0.0.1:{self.port}",
            "FLEET_PUBLIC_URL": f"http://%s.localhost:{self.port}",
            # What the other databases made here are, this server need not ask.
            "FLEET_OTHER_DATABASES": f"{postgres.prefix()}*",
            "FLEET_BACKUP_DIR": str(self._control.folder / "backups"),
            "ODOO_QUEUE_JOB_CHANNELS": "root:4,root.hosting_slow:3",
            # The runner asks its own process; the host name selects the database.
            "ODOO_QUEUE_JOB_HOST": f"{LABEL}.localhost",
            "ODOO_QUEUE_JOB_PORT": str(self._control.port),
            "NO_PROXY": "localhost,127.0.0.1",
        }

    def serve(self):
        """Start the process of the hosted databases. It knows none; the gate knows them all."""
        load = "--load=base,rpc,web,fleet_saas_server"
        with console.step(f"Starting Odoo on 127.0.0.1:{self.port} for the hosted databases"):
            self.server().start(load, "--max-cron-threads", "1", **self.settings())
            self.server().wait(host="localhost", any_status=True)

    def wait_runner(self):
        """Wait until queue_job's runner watches the server database, about 5 s after a start."""
        end = time.monotonic() + RUNNER_S
        while not hosted.has_runner(self.database):
            if time.monotonic() > end:
                raise console.Failure(f"queue_job's runner did not start; see {self._control.log}")
            time.sleep(POLL_S)

    def stop(self):
        """Stop the process of the hosted databases; return whether it ran."""
        return self.server().stop()

    def remove(self):
        """Drop every database that this server made, templates and hidden ones included."""
        if postgres.exists(self.database) and (identity := hosted.server_of(self.database)):
            hosted.drop_server(identity)

    def plant(self, template, label):
        """Put a database where somebody's own has always been: nobody hosts it yet."""
        name, source = self.hosted_name(label), databases.template(template)
        hosted.plant(source, name, hosted.server_of(self.database))
        databases.copy_files(source, name, self._control.data)

    # --- asking it, as another machine does

    def submit(self, kind, target, arguments=None):
        """Ask for an operation; return its key."""
        key = f"demo:{kind}:{target}"
        self._call("submit", kind=kind, target=target, key=key, arguments=arguments or {})
        return key

    def wait(self, *keys):
        """Wait until operations have ended well; return their statuses."""
        end = time.monotonic() + OPERATION_S
        while time.monotonic() < end:
            found = self._call("status", keys=list(keys))
            if all(status["state"] in ENDED for status in found.values()):
                return [_check(status) for status in found.values()]
            time.sleep(POLL_S)
        raise console.Failure(f"After {OPERATION_S} s these have not ended: {', '.join(keys)}")

    def run(self, kind, target, arguments=None):
        """Have an operation done; return its status."""
        [status] = self.wait(self.submit(kind, target, arguments))
        return status

    def _call(self, method, **arguments):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._control.port}/json/2/saas.host/{method}",
            data=json.dumps(arguments).encode(),
            headers={
                "Host": f"{LABEL}.localhost:{self._control.port}",
                "Authorization": f"bearer {self._key}",
                "X-Odoo-Database": self.database,
                "Content-Type": "application/json",
            },
        )
        # No proxy of the environment may stand between this and the loopback interface.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=REQUEST_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            said = json.load(error).get("message")
            raise console.Failure(f"The hosting server refuses {method}: {said}") from error


def _check(status):
    if status["state"] != "done":
        reason = (status["error"] or {}).get("message", "no reason")
        raise console.Failure(f"{status['kind']} {status['target']}: {status['state']}, {reason}")
    return status


def _free_port_after(port):
    for candidate in range(port + 1, port + 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return candidate
    raise console.Failure(f"No port after {port} is free")
