"""``make bench``: how fast databases are made, written to ``.run/bench/provision.json``."""

import json
import os
import subprocess
import sys

from . import bench, console, databases, odoo_run, paths, restic

SCRIPT = paths.SCRIPTS / "bench" / "provision.py"
PYTHON_PATH = (
    paths.ADDONS / "fleet_saas_server",
    paths.TESTS / "hosting",
    paths.TESTS,
    paths.SCRIPTS,
)
TARGETS = {
    "clone_ratio": ("<=", 1.35),
    "odoo_cli_ratio": (">=", 10),
    "pool_s": ("<=", 0.1),
    "first_page_ratio": ("<=", 0.5),
}


def run(template="shop", rounds=10):
    """Make databases from a template with six applications in every way; return the medians."""
    restic.ensure()
    source = databases.template(template)
    with console.step(f"Making databases in six ways, {rounds} times"):
        result = subprocess.run(
            [sys.executable, str(SCRIPT), source, str(rounds)],
            env=odoo_run.environment(PYTHONPATH=os.pathsep.join(map(str, PYTHON_PATH))),
            capture_output=True,
            text=True,
            check=False,
        )
    if result.returncode:
        raise console.Failure(f"The benchmark of clones failed: {result.stderr.strip()[-1500:]}")
    figures = json.loads(result.stdout.strip().splitlines()[-1])
    bench.report("provision", figures, TARGETS)
    return figures
