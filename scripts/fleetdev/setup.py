"""The set-up in two halves: what the system's Python does, and what needs the virtual environment."""

import os
import subprocess
import sys

from . import console, files, odoo_run, odoo_source, parallel, paths, postgres, venv

INSIDE = "FLEET_DEV_INSIDE"


def enter(requirement_files):
    """Have the virtual environment and Odoo's source, then run this program again inside it."""
    if os.environ.get(INSIDE) == str(paths.VENV):
        return
    odoo_source.check_given()
    with files.setup_lock():
        if _both_missing():
            parallel.run(lambda: venv.ensure(requirement_files), odoo_source.ensure)
        venv.ensure(requirement_files)
        facts = odoo_source.ensure()
        venv.write_path_file(facts["python_path"])
    sys.stdout.flush()
    os.environ[INSIDE] = str(paths.VENV)
    os.execv(paths.PYTHON, [str(paths.PYTHON), *sys.argv])


def _both_missing():
    return not (paths.PYTHON.exists() and paths.ODOO_JSON.exists())


def services():
    """Have PostgreSQL and Odoo's configuration; inside the virtual environment."""
    with files.setup_lock():
        postgres.ensure()
        odoo_run.write_configuration()
        _prove_odoo()


def _prove_odoo():
    """Import Odoo once, so that a missing package is named here and not in a long log."""
    identity = odoo_source.read()["identity"]
    if files.stamped("odoo-imports", identity):
        return
    command = [str(paths.PYTHON), "-m", "odoo", "--version"]
    result = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=paths.RUN,
        env=odoo_run.environment(),
    )
    if result.returncode:
        last = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise console.Failure(f"Odoo at {odoo_source.read()['python_path']} does not start: {last}")
    files.stamp("odoo-imports", identity)
