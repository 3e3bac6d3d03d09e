"""Stop what runs, and take away what was made."""

import os
import shutil
import subprocess

from . import cluster, console, files, paths, shell
from .server import Server


def stop():
    """Stop every Odoo of this tree and the private PostgreSQL."""
    for pid_file in sorted(paths.RUN.glob("*.pid")):
        name = pid_file.stem
        stopped = Server(name, 0, paths.LOG / f"{name}.log").stop()
        console.say(f"Odoo of {name}: {'stopped' if stopped else 'did not run'}")
    if not paths.RUN.exists():
        console.say("Nothing was set up")
        return
    console.say(f"Private PostgreSQL: {'stopped' if cluster.stop() else 'does not run'}")


def clean():
    """Stop everything, drop our databases on a server of the user's own, and remove ``.run``."""
    stop()
    if not paths.RUN.exists():
        return
    with files.setup_lock():
        if os.environ.get("PGHOST") and paths.PYTHON.exists():
            _forget_databases()
        cluster.remove()
    shutil.rmtree(paths.RUN)
    console.say("Removed .run")


def _forget_databases():
    """Needs psycopg2, and so the Python of the virtual environment."""
    text = "from fleetdev import console, hosted; console.main(hosted.forget)"
    env = shell.environment(PYTHONPATH=paths.SCRIPTS)
    if subprocess.run([str(paths.PYTHON), "-c", text], env=env, check=False).returncode:
        raise console.Failure("The databases at PGHOST could not be dropped, so .run is kept")
