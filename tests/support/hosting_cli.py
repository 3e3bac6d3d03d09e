"""``odoo-bin fleet`` on a server of the tests, as a process of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from fleetdev import databases, odoo_run

from .hosting_fleet import HostingFleet

DONE, FAILED, WRONG, REFUSED, WAITING = range(5)


class Shell:
    """The command line on one server."""

    def __init__(self, fleet: HostingFleet, folder: Path | None = None) -> None:
        """Give commands a folder that relative paths start from."""
        self.fleet = fleet
        self._folder = folder

    def start(self, *words: object, **environment: str) -> subprocess.Popen[str]:
        """Start a command."""
        fleet = self.fleet
        settings = {name: value for name, value in fleet._environment.items() if value}
        command = odoo_run.command(
            "-d", fleet.database, *words, subcommand="fleet", configuration=fleet._configuration
        )
        return subprocess.Popen(
            # Tests that a shell has put into the background ignore Ctrl-C, and so would their children.
            ["env", "--default-signal=INT", *map(str, command)],
            # Odoo looks for its commands before it reads --config.
            env=odoo_run.environment(**settings, **environment)
            | {"ODOO_RC": str(fleet._configuration)},
            cwd=self._folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *words: object, **environment: str) -> tuple[int, str, str]:
        """Run a command to its end; return the exit code and what it wrote to both streams."""
        process = self.start(*words, **environment)
        output, errors = process.communicate(timeout=240)
        assert "Traceback" not in output + errors, errors
        return process.returncode, output, errors

    def do(self, *words: object) -> str:
        """Run a command that has to succeed; return its output."""
        code, output, errors = self.run(*words)
        assert code == DONE, errors
        return output

    def operations(self) -> int:
        """Return how many operations were ever asked for."""
        return self.fleet.rows("SELECT count(*) FROM saas_operation")[0][0]


def publish_template(fleet: HostingFleet, code: str) -> None:
    """Give the server a published template, a small copy of one of the tests'."""
    from hosting import files
    from hosting.names import template_name
    from hosting.postgres import Cluster, Mark

    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD"}
    cluster = Cluster({key: os.environ[name] for key, name in names.items() if name in os.environ})
    source, physical = databases.template("tiny"), template_name("test")
    cluster.clone(source, physical, mark=Mark(fleet.uuid, "template"))
    files.copy_tree(databases.filestore(source), fleet.filestore(physical))
    cluster.close_template(physical)
    # As the readme tells the administrator; else nothing of strangers is taken in.
    cluster.close_to_public(fleet.database)
    with fleet.psql() as cursor:
        cursor.execute(
            "INSERT INTO saas_database_template_version (template_id, physical, number, state) "
            "SELECT id, %s, 1, 'published' FROM saas_database_template WHERE code = %s",
            [physical, code],
        )
