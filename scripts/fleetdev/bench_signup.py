"""``make bench``: how long a visitor waits for a database, written to ``.run/bench/signup.json``."""

import json
import os
import subprocess
import sys

from . import bench, console, odoo_run, paths

SCRIPT = paths.SCRIPTS / "bench" / "signup.py"
PYTHON_PATH = (paths.ADDONS / "fleet_saas_server", paths.TESTS, paths.SCRIPTS)
TARGETS = {"pool_p95_s": ("<=", 3), "no_pool_p95_s": ("<=", 6)}


def run(rounds=20):
    """Let visitors sign up in a browser until they are in their database; return the figures."""
    with console.step(f"Signing up in a browser {2 * rounds} times, every second time with a pool"):
        result = subprocess.run(
            [sys.executable, str(SCRIPT), str(rounds)],
            env=odoo_run.environment(PYTHONPATH=os.pathsep.join(map(str, PYTHON_PATH))),
            capture_output=True,
            text=True,
            check=False,
        )
    if result.returncode:
        raise console.Failure(f"The benchmark of sign-ups failed: {result.stderr.strip()[-1500:]}")
    figures = json.loads(result.stdout.strip().splitlines()[-1])
    bench.report("signup", figures, TARGETS)
    return figures
