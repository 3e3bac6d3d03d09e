"""Run one stored operation; `operations.HostingServer` starts this with a question on stdin."""

import json
import logging
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "addons" / "fleet_saas_server"))

from hosting import runner
from hosting.host import Host
from hosting.postgres import Cluster


def main():
    """Print the outcome of the run."""
    logging.basicConfig(level=logging.INFO)
    question = json.load(sys.stdin)
    values = question["host"]
    values["cluster"] = Cluster(values["cluster"]["dsn"])
    values["data_dir"] = Path(values["data_dir"])
    values["backup_dir"] = values["backup_dir"] and Path(values["backup_dir"])
    values["addons_path"] = tuple(values["addons_path"])
    values["odoo"] = tuple(values["odoo"])
    print(runner.run(Host(**values), question["operation"], question["secrets"]))


main()
