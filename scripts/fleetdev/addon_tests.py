"""Run the tests of one addon in Odoo, in a new copy of a cached template database."""

import os
import subprocess
import time

from . import chromium, console, databases, odoo_log, odoo_run, paths, postgres, shell
from .results import Result

# Installed beside the addon: otherwise Odoo generates all of its own bundles before the tests.
BUNDLES = "fleet_test_bundles"


def run(addon, tags=None, install=None, template="base", keep=False, allowed=()):
    """Install ``addon`` in a copy of the template with its tests; return a `Result`.

    :param install: comma separated addons to install, when more than ``addon``
    :param allowed: patterns of warnings that this run expects
    """
    database = f"{postgres.prefix()}test_{addon}_{os.getpid()}"
    log = paths.LOG / f"addon-test-{addon}-{os.getpid()}.log"
    source = databases.template(template)
    start = time.monotonic()
    try:
        databases.copy(source, database)
        with console.step(f"Testing the addon {addon}", lambda: _last_test(log)):
            code = _odoo(install or f"{addon},{BUNDLES}", tags or f"/{addon}", database, log)
    finally:
        if not keep:
            databases.drop(database)
    result = _judge(addon, code, log.read_text(errors="replace"), allowed)
    seconds = time.monotonic() - start
    console.say(
        f"   {addon}: {result.passed} passed, {result.failed} failed in {seconds:.0f} s; {log}"
    )
    return result


def _odoo(addons, tags, database, log):
    odoo_run.write_configuration()
    arguments = ["-d", database, "-i", addons, "--test-tags", tags, "--stop-after-init"]
    arguments += ["--http-port", odoo_run.free_port(), "--log-level", "info"]
    # Odoo looks for the browser and for pylint by name in the search path.
    search_path = os.pathsep.join(
        filter(None, [str(paths.VENV / "bin"), chromium.folder(), os.environ["PATH"]])
    )
    with open(log, "wb") as output:
        return subprocess.run(
            odoo_run.command(*arguments),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=odoo_run.environment(PATH=search_path),
            cwd=paths.RUN,
            check=False,
        ).returncode


def _judge(addon, code, text, allowed):
    total, failed, skipped = odoo_log.counts(text)
    problems = [f"   ! {entry}" for entry in odoo_log.unexpected(text, allowed)]
    if total == 0:
        problems.append(f"   ! {addon}: no test ran")
    if skipped:
        problems.append(f"   ! {addon}: {skipped} tests were skipped, which counts as a failure")
    if code and not (failed or problems):
        problems.append(f"   ! {addon}: Odoo ended with code {code}")
    if code and not total:
        problems.append(
            "\n".join(f"   | {line}" for line in text.splitlines()[-shell.TAIL_LINES :])
        )
    return Result(f"addon {addon}", passed=total - failed, failed=failed, problems=problems)


def _last_test(log):
    if not log.exists():
        return ""
    lines = [line for line in log.read_text(errors="replace").splitlines() if ": Starting " in line]
    return lines[-1].rpartition("Starting ")[2][:80] if lines else ""
