"""``make bench``: our backup and restore against Odoo's zip, written to ``.run/bench/backup.json``."""

import json
import os
import subprocess
import sys

from . import bench, cluster, console, databases, paths, postgres, restic

SCRIPT = paths.SCRIPTS / "bench" / "backup.py"
TARGETS = {
    "odoo_zip_ratio": (">=", 3),
    "odoo_restore_ratio": (">=", 1),
    "peak_mb": ("<=", 200),
    "second_bytes_share": ("<=", 0.05),
}


def run(template="shop", megabytes=1000, count=10000, rounds=3):
    """Back up and restore a copy of a template with ``megabytes`` in ``count`` files; return the figures."""
    database = f"{postgres.prefix()}bench_backup_{os.getpid()}"
    postgres.copy(databases.template(template), database)
    pg_bin = cluster.binaries() if os.environ.get("FLEET_PG_PRIVATE") else ""
    arguments = [database, megabytes, count, restic.ensure(), pg_bin]
    work = paths.RUN / "bench" / f"backup-{os.getpid()}"
    try:
        with console.step(f"Backing up {megabytes} MB in {count} files, {rounds} times"):
            output = _measure([*arguments, work, rounds])
    finally:
        databases.drop(database)
    figures = json.loads(output.strip().splitlines()[-1])
    bench.report("backup", figures, TARGETS)
    return figures


def _measure(arguments):
    result = subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, arguments)],
        env=os.environ | {"ODOO_RC": str(paths.ODOO_CONF)},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise console.Failure(f"The benchmark of backups failed: {result.stderr.strip()[-1500:]}")
    return result.stdout
