"""The demo: a portal, a hosting server, and the clients' databases that it makes and hosts."""

import os
import shutil

from . import (
    console,
    databases,
    demo_clients,
    demo_facts,
    demo_saas,
    demo_sync,
    files,
    odoo_run,
    parallel,
    paths,
)
from .demo_fleet import CLIENTS, STAGING, TEMPLATE, TEMPLATE_DESCRIPTION
from .demo_portal import LOGIN, PASSWORD, PortalFleet
from .demo_server import LABEL, HostingServer
from .server import check_port

ROUNDS = 600_000  # Odoo 19's MIN_ROUNDS, odoo/addons/base/models/res_users.py


class Demo(PortalFleet):
    """One demo of this tree. The tests start a second one under another name and port.

    The control process serves the portal, the server database and the clients that are hosted
    elsewhere; the hosted process serves what the server hosts.

    :param name: part of the databases' names; ``demo`` is the one that ``make demo`` starts
    """

    template = "saas"

    def __init__(self, name="demo", port=None):
        super().__init__(name, port or int(os.environ.get("FLEET_DEMO_PORT") or 8069))
        self.folder = paths.RUN / "demos" / name
        self.data = self.folder / "data"
        self.configuration = self.folder / "odoo.conf"
        self.json_path = paths.RUN / f"{name}.json"
        self.hosting = HostingServer(self)
        self.hosted = [client for client in self.clients if "hosted" in client]
        self.elsewhere = [client for client in self.clients if "hosted" not in client]

    def run(self):
        """Make everything anew, have the clients hosted, synchronise, and print what there is."""
        check_port(self.server)
        self.json_path.unlink(missing_ok=True)
        with files.setup_lock(self.name):
            databases.templates(self.template, "server", *(each["template"] for each in CLIENTS))
            made = demo_clients.ensure(self.elsewhere)
            self.stop()
            self.remove()
            self._make(made)
            self._serve()
            keys = {label: key for label, (_template, key) in made.items()} | self._host()
            parallel.run(self._copy_and_back_up, lambda: demo_saas.sell(self))
            demo_sync.synchronise(self, self.projects(keys))
            demo_facts.write(self)
            demo_facts.show(self)

    def stop(self):
        """Stop both processes; return whether one ran."""
        control, hosted = self.server.stop(), self.hosting.stop()
        return control or hosted

    def remove(self):
        """Drop the databases and remove the files."""
        self.hosting.remove()
        super().remove()
        shutil.rmtree(self.folder, ignore_errors=True)

    def address(self, client):
        """Return the URL and the name of a client's database."""
        if "hosted" in client:
            return self.hosting.url(client["label"]), self.hosting.hosted_name(client["label"])
        return super().address(client)

    @property
    def staging_label(self):
        """Return the label of the copy that people try things out in."""
        return f"{self.hosted[0]['label']}-{STAGING}"

    def make_portal(self):
        """Make the database of the portal, whose mails wait where people can read them."""
        super().make_portal()
        demo_saas.hold_mails(self)

    def _make(self, made):
        odoo_run.write_configuration(self.configuration, self.data)
        with console.step("Making the databases of the portal, the hosting server and of others"):
            parallel.run(self.make_portal, self.hosting.make)
            for label, (template, _key) in made.items():
                databases.copy(template, self.database(label), self.data)
            for client in self.hosted:
                if client["hosted"] == "adopted":
                    self.hosting.plant(client["template"], client["label"])

    def _serve(self):
        load = "--load=base,rpc,web,queue_job,fleet_demo_localhost"
        # One may be talking to the server for the portal while the others' work has to go on.
        crons = ("--max-cron-threads", "2")
        environment = self.hosting.settings()
        parallel.run(self.hosting.serve, lambda: self.serve(load, *crons, **environment))
        self.hosting.wait_runner()

    # --- what the hosting server is asked for

    def _host(self):
        """Have the clients' databases made, and fill them; return an API key of each by label."""
        [first] = [each for each in self.hosted if each["hosted"] == "adopted"]
        source = self.hosting.hosted_name(first["label"])
        with console.step(f"Adopting {source}, which was here before"):
            self.hosting.run("adopt", source)
        with console.step(f"Building the template {TEMPLATE} from it"):
            self.hosting.run("template_build", TEMPLATE, {"source": source, "assets": "first"})
            self._describe_template()
        new = [each for each in self.hosted if each is not first]
        with console.step(f"Creating {len(new)} databases from the template"):
            self.hosting.wait(*map(self._create, new))
        with console.step(f"Filling {len(self.hosted)} databases, as their people would"):
            work = [each | {"database": self.address(each)[1]} for each in self.hosted]
            return demo_clients.fill(work, self.configuration)

    def _describe_template(self):
        """Say what the template is for, as an operator writes it into its form."""
        server = demo_sync.Portal(self, LABEL)
        model = "saas.database.template"
        found = server.call(model, "search", [["code", "=", TEMPLATE]])
        server.call(model, "write", found, {"description": TEMPLATE_DESCRIPTION})

    def _create(self, client):
        personal = _administrator() | {"company": client["company"]}
        arguments = {"template": TEMPLATE, "purpose": client["hosted"], "personal": personal}
        return self.hosting.submit("create", self.address(client)[1], arguments)

    def _copy_and_back_up(self):
        name = self.address(self.hosted[0])[1]
        copy = self.hosting.hosted_name(self.staging_label)
        arguments = {"source": name, "purpose": STAGING, "personal": _administrator()}
        with console.step(f"Making {copy}, a neutralised copy, and a backup of {name}"):
            self.hosting.run("duplicate", copy, arguments)
            self.hosting.run("backup", name)


def _administrator():
    """Return who gets in: the seal took every password of the original."""
    from passlib.hash import pbkdf2_sha512  # in the virtual environment, which may not be there yet

    return {"login": LOGIN, "password_hash": pbkdf2_sha512.using(rounds=ROUNDS).hash(PASSWORD)}
