"""``make bench``: speeds as ratios within one run, written to ``.run/bench``."""

import json
import os
import socket
import subprocess
import sys

from . import console, databases, files, odoo_run, paths, postgres

SCRIPTS = paths.SCRIPTS / "bench"
# What the first release has to reach; a figure that misses is reported as it is.
TARGETS = {
    "first_s": ("<=", 60),
    "second_s": ("<=", 15),
    "fresh_s": ("<=", 30),
    "extra_mb": ("<=", 150),
    "sequential_ratio": (">=", 50),
}


def sync(count=1000):
    """Synchronise ``count`` stand-ins, a tenth each refusing, hanging and dripping."""
    database = f"{postgres.prefix()}bench_{os.getpid()}"
    log = paths.LOG / "bench-sync.log"
    with console.step("Preparing a portal for the benchmark"):
        databases.copy(databases.template("base"), database)
        install = ("-d", database, "-i", "fleet_databases", "--stop-after-init", "--no-http")
        odoo_run.call(*install, log=log, what="Installing fleet_databases")
    try:
        with console.step(f"Synchronizing {count} databases, then 20 of them one after another"):
            output = _with_stand_ins(database, count, log)
    finally:
        databases.drop(database)
    figures = json.loads(output.strip().splitlines()[-1])
    report("sync", figures, TARGETS)
    return figures


def _with_stand_ins(database, count, log):
    server = subprocess.Popen(
        [sys.executable, str(SCRIPTS / "fleet_server.py")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    # Bound and not listening: a connection is refused, and nobody else can take the port meanwhile.
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        arguments = (server.stdout.readline().strip(), str(closed.getsockname()[1]), str(count))
        try:
            text = (SCRIPTS / "sync.py").read_text()
            return odoo_run.script(
                database, text, log=log, what="The benchmark", arguments=arguments
            )
        finally:
            server.stdin.close()
            server.wait(10)


def report(name, figures, targets):
    """Keep the figures of one benchmark and print them beside their targets."""
    store = paths.RUN / "bench" / f"{name}.json"
    store.parent.mkdir(exist_ok=True)
    files.write(store, json.dumps(figures, indent=2) + "\n")
    for key, value in figures.items():
        sign, target = targets.get(key, ("", ""))
        missed = target and (value is None or (value > target if sign == "<=" else value < target))
        console.say(
            f"{key:>18} {value!s:>8}  {sign} {target}{'  MISSED' if missed else ''}".rstrip()
        )
    console.say(f"command: make bench ONLY={name}")
